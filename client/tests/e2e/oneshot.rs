//! `muxftp ls`, `get` and `put` against muxftpd.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;

use muxftp_proto::Dialect;

use crate::support::{TestServer, names, run, run_with_input, text};

#[test]
fn what_is_put_is_listed_and_got_back_in_every_dialect() {
    for dialect in Dialect::OF_CLIENTS {
        put_list_and_get(&TestServer::speaking(dialect));
    }
}

fn put_list_and_get(server: &TestServer) {
    let here = tempfile::tempdir().unwrap();
    fs::create_dir(server.root().join("dir")).unwrap();
    let big: Vec<u8> = (0..3_000_001u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    for (name, bytes) in [("a.txt", &b"hello"[..]), ("my notes 2024", b"x"), ("gr\u{fc}n", b""), ("big", &big)] {
        fs::write(here.path().join(name), bytes).unwrap();
        for path in ["", "dir/"] {
            assert!(run(here.path(), &["put", name, &server.url(path)]).status.success());
            assert_eq!(fs::read(server.root().join(path).join(name)).unwrap(), bytes);
            let got = run(here.path(), &["get", &server.url(&format!("{path}{name}")), "-o", "back"]);
            assert!(got.status.success() && got.stdout.is_empty() && got.stderr.is_empty());
            assert_eq!(fs::read(here.path().join("back")).unwrap(), bytes);
        }
    }
    let listed = run(here.path(), &["ls", &server.url("")]);
    assert_eq!(text(&listed.stdout), "a.txt\nbig\ndir/\ngr\u{fc}n\nmy notes 2024\n");
    let listed = run(here.path(), &["ls", &server.url("dir")]);
    assert_eq!(text(&listed.stdout), "a.txt\nbig\ngr\u{fc}n\nmy notes 2024\n");
}

#[test]
fn a_refusal_of_updown_is_shown_without_a_number() {
    let server = TestServer::speaking(Dialect::Updown);
    let here = tempfile::tempdir().unwrap();
    let output = run(here.path(), &["get", &server.url("nope")]);
    assert_eq!(
        (output.status.code(), text(&output.stderr)),
        (Some(1), "muxftp: get nope: the server says no: FileNotFound\n")
    );
}

#[test]
fn several_files_go_over_and_come_back() {
    let server = TestServer::start();
    let here = tempfile::tempdir().unwrap();
    fs::create_dir(here.path().join("back")).unwrap();
    for name in ["a", "b"] {
        fs::write(here.path().join(name), name).unwrap();
    }
    assert!(run(here.path(), &["put", "a", "b", &server.url("")]).status.success());
    assert!(run(here.path(), &["get", &server.url("a"), &server.url("b"), "-o", "back"]).status.success());
    assert_eq!(names(&here.path().join("back")), ["a", "b"]);
    let both = run(here.path(), &["get", &server.url("a"), &server.url("b"), "-o", "-"]);
    assert_eq!(text(&both.stdout), "ab");
}

#[test]
fn one_failure_among_several_is_told_and_the_rest_is_done() {
    let server = TestServer::start();
    let here = tempfile::tempdir().unwrap();
    fs::write(here.path().join("there"), "x").unwrap();
    let output = run(here.path(), &["put", "missing", "there", &server.url("")]);
    assert_eq!(output.status.code(), Some(5));
    assert_eq!(text(&output.stderr), "muxftp: cannot read missing: No such file or directory\n");
    assert_eq!(names(server.root()), ["there"]);

    let output = run(here.path(), &["get", &server.url("nope"), &server.url("there"), "-o", "-"]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(text(&output.stderr), "muxftp: get nope: the server says no: 550 File Not Found\n");
    assert_eq!(text(&output.stdout), "x");
}

#[test]
fn each_kind_of_failure_has_its_exit_code_and_one_line_of_text() {
    let server = TestServer::start();
    let here = tempfile::tempdir().unwrap();
    fs::write(here.path().join("f"), "x").unwrap();
    fs::write(server.root().join("f"), "x").unwrap();
    let url = |path| server.url(path);
    for (args, code, hint) in [
        (vec!["get".to_owned(), url("nope")], 1, "550 File Not Found"),
        (vec!["get".into(), url("..%2Fetc")], 1, "550"),
        (vec!["put".into(), "f".into(), url("no/dir")], 1, "550"),
        (vec!["ls".into(), url("nope")], 1, "550"),
        (vec!["get".into(), url("")], 2, "names no file"),
        (vec!["get".into(), url("a%0Ab")], 2, "cannot be said"),
        (vec!["get".into(), url("a"), url("b"), "-o".into(), "f".into()], 2, "-o must name a directory"),
        (vec!["put".into(), "f".into(), "f".into(), url("one")], 2, "with several files"),
        (vec!["put".into(), "-".into(), url("")], 2, "no name of its own"),
        (vec!["put".into(), url(""), "f".into()], 2, "the URL comes last"),
        (vec!["ls".into(), "gopher://x".into()], 2, "does not speak `gopher`"),
        (vec![url("f")], 2, "a prompt is opened on a server"),
        (vec!["ls".into(), "simple://127.0.0.1:1".into()], 3, "is the server running"),
        (vec!["put".into(), "missing".into(), "simple://127.0.0.1:1".into()], 5, "cannot read missing"),
        (vec!["put".into(), ".".into(), url("x")], 5, "cannot read .: is a directory"),
        (vec!["get".into(), url("f"), "-o".into(), "no/such/place".into()], 5, "cannot write no/such/place"),
        (vec!["get".into(), url("f"), "-o".into(), "/dev/full".into()], 5, "No space left"),
    ] {
        let output = run(here.path(), &args);
        let told = text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{args:?}: {told}");
        assert!(told.starts_with("muxftp: ") && told.contains(hint) && told.lines().count() == 1, "{args:?}: {told}");
    }
    assert_eq!(names(here.path()), ["f"]);
}

#[test]
fn standard_input_is_put_with_its_size() {
    let server = TestServer::start();
    let here = tempfile::tempdir().unwrap();
    let output = run_with_input(here.path(), &["put", "-", &server.url("piped"), "-v"], b"from a pipe");
    assert!(output.status.success());
    assert_eq!(fs::read(server.root().join("piped")).unwrap(), b"from a pipe");
    assert!(text(&output.stderr).starts_with("C: PUT piped 11\n"), "{}", text(&output.stderr));
}

#[test]
fn a_download_has_the_permissions_of_a_new_file() {
    let server = TestServer::start();
    let here = tempfile::tempdir().unwrap();
    fs::write(server.root().join("f"), "x").unwrap();
    fs::write(here.path().join("new"), "x").unwrap();
    assert!(run(here.path(), &["get", &server.url("f")]).status.success());
    let mode = |name| fs::metadata(here.path().join(name)).unwrap().permissions().mode();
    assert_eq!(mode("f"), mode("new"));
}

#[test]
fn a_name_that_is_no_text_is_had_by_its_url() {
    let server = TestServer::start();
    let here = tempfile::tempdir().unwrap();
    let name = std::ffi::OsStr::from_bytes(b"\xff\x1b[2J");
    fs::write(server.root().join(name), "odd").unwrap();
    let listed = run(here.path(), &["ls", &server.url("")]);
    assert_eq!(listed.stdout, b"\xff\x1b[2J\n", "no terminal: as it came");
    let got = run(here.path(), &["get", &server.url("%FF%1B[2J"), "-o", "-"]);
    assert_eq!(got.stdout, b"odd");
    let refused = run(here.path(), &["get", &server.url("%1B[2J")]);
    assert_eq!(text(&refused.stderr), "muxftp: get \\u{1b}[2J: the server says no: 550 File Not Found\n");
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let server = TestServer::start();
    let here = tempfile::tempdir().unwrap();
    for i in 0..5000 {
        fs::write(server.root().join(format!("a-long-name-that-fills-the-pipe-{i}")), "").unwrap();
    }
    let mut command = crate::support::muxftp(here.path(), &["ls", &server.url("")]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), ""));
}
