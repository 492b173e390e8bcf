//! The commands that only `ftp` has, at the prompt and without it.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Output;

use muxftp_proto::Dialect;
use muxftp_server::config::TlsMode;

use crate::support::{Fake, PASSWORD, TestServer, muxftp, names, run_with_input, text};

/// A prompt of `ann`, fed by a script.
fn prompt(server: &TestServer, here: &Path, script: &str) -> Output {
    let url = format!("ftp://ann:{}@127.0.0.1:{}", PASSWORD.replace(' ', "%20"), server.port());
    run_with_input(here, &[&url, "--tls", "off"], script.as_bytes())
}

#[test]
fn directories_and_files_are_changed_by_the_prompt() {
    let server = TestServer::of_ftp(TlsMode::Off, |_| {});
    let here = tempfile::tempdir().unwrap();
    fs::write(here.path().join("-a b"), "12345").unwrap();
    let script = "MKDIR 'd e' gone\nCD 'd e'\nPWD\nSTORE -- '-a b'\nsize '-a b'\nmv '-a b' c\nCHMOD 600 c\nls -l\nput -- '-a b' x\n\
                  RM x\ncd ..\nrmdir gone\nnoop\nquote SITE HELP\nLIST 'd e'\nRETRIEVE 'd e/c' back\nQUIT\n";
    let output = prompt(&server, here.path(), script);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let shown = text(&output.stdout);
    assert!(shown.starts_with("/d e\n/d e\n"), "{shown}");
    assert!(shown.contains("\n5\n") && shown.contains("-rw-------") && shown.contains("\n214 "), "{shown}");
    assert_eq!(names(server.root()), ["d e"]);
    assert_eq!(names(&server.root().join("d e")), ["c"]);
    assert_eq!(fs::metadata(server.root().join("d e/c")).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::read(here.path().join("back")).unwrap(), b"12345");
}

#[test]
fn patterns_stand_for_all_that_match() {
    let server = TestServer::of_ftp(TlsMode::Off, |_| {});
    let here = tempfile::tempdir().unwrap();
    for name in ["a 1.txt", "a[2].txt", "b.txt", "a.bin"] {
        fs::write(here.path().join(name), name).unwrap();
    }
    fs::create_dir(here.path().join("down")).unwrap();
    let output =
        prompt(&server, here.path(), "mkdir d\ncd d\nmput 'a*.txt'\ncd ..\nlcd down\nmget 'd/a[ ]*'\nmget no*\n");
    assert_eq!(names(&server.root().join("d")), ["a 1.txt", "a[2].txt"]);
    assert_eq!(names(&here.path().join("down")), ["a 1.txt"]);
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(text(&output.stderr), "muxftp: nothing on the server matches `no*`\n");
}

#[test]
fn patterns_do_the_same_without_a_prompt() {
    let server = TestServer::of_ftp(TlsMode::Off, |_| {});
    let here = tempfile::tempdir().unwrap();
    for name in ["a 1.txt", "a[2].txt", "b.txt"] {
        fs::write(here.path().join(name), name).unwrap();
    }
    fs::create_dir_all(here.path().join("down")).unwrap();
    fs::create_dir_all(server.root().join("d/a directory")).unwrap();
    let url = |path: &str| format!("ftp://ann@127.0.0.1:{}/{path}", server.port());
    let run = |args: &[&str]| {
        let output = muxftp(here.path(), &[args, &["--tls", "off"]].concat()).env("MUXFTP_PASSWORD", PASSWORD).output();
        let output = output.unwrap();
        (output.status.code(), text(&output.stderr).to_owned())
    };
    assert_eq!(run(&["mput", "a*", &url("d/")]), (Some(0), String::new()));
    assert_eq!(names(&server.root().join("d")), ["a 1.txt", "a directory", "a[2].txt"]);
    // What cannot be fetched is told, and the rest is done.
    let (code, told) = run(&["mget", &url("d/a*"), "-o", "down"]);
    assert_eq!((code, told.lines().count()), (Some(1), 1), "{told}");
    assert!(told.contains("get d/a directory"), "{told}");
    assert_eq!(names(&here.path().join("down")), ["a 1.txt", "a[2].txt"]);
    for (args, hint) in [
        (["mget", &url("d/no*"), "-o", "down"], "nothing on the server matches `no*`"),
        (["mget", &url("d/a*"), "-o", "b.txt"], "-o must name a directory"),
        (["mput", "no*", &url(""), "-q"], "nothing here matches `no*`"),
        (["mput", "a*", &url("d"), "-q"], "with a `/` at its end"),
    ] {
        let (code, told) = run(&args);
        assert!(code == Some(2) && told.contains(hint), "{args:?}: {code:?} {told}");
    }
}

#[test]
fn a_prompt_opens_in_a_directory_and_goes_to_another_server() {
    let (first, second) = (TestServer::of_ftp(TlsMode::Off, |_| {}), TestServer::start());
    let here = tempfile::tempdir().unwrap();
    fs::create_dir_all(first.root().join("d e")).unwrap();
    fs::write(first.root().join("d e/inside"), "").unwrap();
    fs::write(second.root().join("other"), "").unwrap();
    let url = format!("ftp://ann:{}@127.0.0.1:{}/d%20e", PASSWORD.replace(' ', "%20"), first.port());
    let script = format!("pwd\nls\nCONNECT {}\nLIST\n", second.url(""));
    let output = run_with_input(here.path(), &[&url, "--tls", "off"], script.as_bytes());
    let expected = format!("/d e\ninside\nConnected to {}.\nother\n", second.url("").trim_end_matches('/'));
    assert_eq!((text(&output.stdout), text(&output.stderr)), (expected.as_str(), ""));
    // What a script wants done there is not done here.
    for nowhere in ["simple://127.0.0.1:1", "no/host", &url.replace("d%20e", "nope"), &url.replace("ann", "bob")] {
        let script = format!("open {nowhere}\nrm inside\n");
        let output = run_with_input(here.path(), &[&url, "--tls", "off"], script.as_bytes());
        assert!(!output.status.success() && output.stdout.is_empty(), "{nowhere}");
        assert_eq!(text(&output.stderr).lines().count(), 1, "{}", text(&output.stderr));
        assert!(first.root().join("d e/inside").exists());
    }
    let output = run_with_input(here.path(), &[&url.replace("d%20e", "nope"), "--tls", "off"], b"ls\n");
    assert_eq!((output.status.code(), text(&output.stdout)), (Some(1), ""));
    assert!(text(&output.stderr).contains("cd nope"), "{}", text(&output.stderr));
}

#[test]
fn what_broke_off_is_gone_on_with() {
    let server = TestServer::of_ftp(TlsMode::Off, |_| {});
    let here = tempfile::tempdir().unwrap();
    let there = server.root();
    fs::write(there.join("f"), "0123456789").unwrap();
    fs::write(here.path().join("f"), "xyz").unwrap();
    let output = prompt(&server, here.path(), "get -c f\nget -c f\n");
    assert!(output.status.success(), "{}", text(&output.stderr));
    let shown = text(&output.stdout);
    assert!(shown.contains("f -> f: 7 bytes") && shown.contains("all 10 bytes are here already"), "{shown}");
    assert_eq!(fs::read(here.path().join("f")).unwrap(), b"xyz3456789");
    assert_eq!(names(here.path()), ["f"]);

    fs::write(there.join("f"), "abc").unwrap();
    let output = prompt(&server, here.path(), "get -c f\nput -c f\nput -c f new\nput -c f\n");
    let told = text(&output.stderr);
    assert!(
        told.ends_with("muxftp: get -c f: the file here has 10 bytes, that of the server only 3: get it without -c\n"),
        "{told}"
    );
    assert_eq!(fs::read(there.join("f")).unwrap(), b"abc3456789");
    assert_eq!(fs::read(there.join("new")).unwrap(), b"xyz3456789");
    assert!(text(&output.stdout).contains("all 10 bytes are there already"));
    fs::write(there.join("f"), "longer than here").unwrap();
    let output = prompt(&server, here.path(), "put -c f\n");
    assert!(text(&output.stderr).contains("has 16 bytes, that here only 10"), "{}", text(&output.stderr));
}

#[test]
fn resume_works_without_the_prompt() {
    let server = TestServer::of_ftp(TlsMode::Off, |_| {});
    let here = tempfile::tempdir().unwrap();
    fs::write(server.root().join("f"), "0123456789").unwrap();
    fs::write(here.path().join("f.part"), "01").unwrap();
    let url = format!("ftp://ann@127.0.0.1:{}/f", server.port());
    let run = |args: &[&str]| muxftp(here.path(), args).env("MUXFTP_PASSWORD", PASSWORD).output().unwrap();
    let output = run(&["retrieve", "-c", &url, "--tls", "off"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(fs::read(here.path().join("f")).unwrap(), b"0123456789");
    fs::write(server.root().join("f"), "012").unwrap();
    let output = run(&["store", "-c", "f", &url, "--tls", "off"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(fs::read(server.root().join("f")).unwrap(), b"0123456789");
}

#[test]
fn files_are_changed_without_the_prompt() {
    let server = TestServer::of_ftp(TlsMode::Off, |_| {});
    let here = tempfile::tempdir().unwrap();
    fs::write(server.root().join("f"), "12345").unwrap();
    let url = |name: &str| format!("ftp://ann@127.0.0.1:{}/{name}", server.port());
    let run = |args: &[&str]| {
        let args = [args, &["--tls", "off"]].concat();
        muxftp(here.path(), &args).env("MUXFTP_PASSWORD", PASSWORD).output().unwrap()
    };
    assert_eq!(text(&run(&["size", &url("f"), &url("f")]).stdout), "5\n5\n");
    for args in [
        &["mkdir", &url("d%20e"), &url("gone")][..],
        &["rmdir", &url("gone")],
        &["mv", &url("f"), "d e/g"],
        &["chmod", "600", &url("d%20e/g")],
    ] {
        let output = run(args);
        assert!(output.status.success(), "{args:?}: {}", text(&output.stderr));
    }
    assert_eq!(names(server.root()), ["d e"]);
    assert_eq!(fs::metadata(server.root().join("d e/g")).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(run(&["chmod", "9", &url("f")]).status.code(), Some(2));
    assert_eq!(run(&["rm", &url("nope"), &url("d%20e/g")]).status.code(), Some(1));
    assert_eq!(run(&["put", &url("")]).status.code(), Some(2));
    assert!(names(&server.root().join("d e")).is_empty(), "the rest is done all the same");
}

#[test]
fn dialects_without_a_command_say_so() {
    for dialect in Dialect::OF_CLIENTS {
        let server = TestServer::speaking(dialect);
        let here = tempfile::tempdir().unwrap();
        let output = run_with_input(here.path(), &[server.url("")], b"cd x\nls -l\nget -c x\n");
        assert_eq!(output.status.code(), Some(2));
        let told = text(&output.stderr);
        assert!(told.contains(&format!("cd x: {dialect} has no such command, only ls, get and put")), "{told}");
        assert!(told.contains(&format!("ls -l: {dialect} lists names only")), "{told}");
        assert!(told.contains(&format!("get -c x: {dialect} has no such command")), "{told}");
    }
}

#[test]
fn the_directory_is_returned_to_after_the_server_has_closed() {
    let fake = Fake::start(|listener| {
        for round in 0..2 {
            let mut stream = BufReader::new(listener.accept().unwrap().0);
            stream.get_mut().write_all(b"220 ready\r\n").unwrap();
            let mut line = String::new();
            while stream.read_line(&mut line).unwrap() > 0 {
                let (answer, is_last): (&[u8], _) = match line.trim_end() {
                    "USER anonymous" => (b"230 in\r\n", false),
                    "CWD sub" if round == 0 => (b"250 there\r\n", false),
                    "CWD /sub" if round == 1 => (b"250 there again\r\n", false),
                    "PWD" => (b"257 \"/sub\"\r\n", false),
                    "NOOP" => (b"200 here\r\n", round == 0),
                    "QUIT" => (b"221 bye\r\n", true),
                    other => (if other.starts_with("CWD") { b"550 no\r\n" } else { b"502 no\r\n" }, false),
                };
                stream.get_mut().write_all(answer).unwrap();
                if is_last {
                    break;
                }
                line.clear();
            }
        }
    });
    let here = tempfile::tempdir().unwrap();
    let url = format!("ftp://127.0.0.1:{}", fake.port());
    let output = run_with_input(here.path(), &[url.as_str(), "--tls", "off", "-v"], b"cd sub\nnoop\nnoop\nquit\n");
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(text(&output.stderr).matches("C: CWD /sub\n").count(), 1, "{}", text(&output.stderr));
    fake.join();
}
