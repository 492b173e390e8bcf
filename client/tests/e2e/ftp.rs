//! `muxftp` over ftp and ftps against muxftpd, and against servers that cut TLS.

use std::fs;
use std::io::Write;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Output;

use muxftp_server::config::{SessionReuse, TlsMode, TlsVersion};
use rcgen::{DnType, date_time_ymd};
use rustls::ALL_VERSIONS;

use crate::support::{
    CERTIFICATE, Certificate, Control, Fake, PASSWORD, TestServer, muxftp, names, run, run_with_input, text,
};
use crate::tls_server::{config, hear, secure};

/// Runs muxftp as `ann`.
fn run_as_ann(directory: &Path, args: &[&str]) -> Output {
    muxftp(directory, args).env("MUXFTP_PASSWORD", PASSWORD).output().unwrap()
}

#[test]
fn what_is_put_is_listed_and_got_back() {
    let required = |tls| TestServer::of_ftp(tls, |config| require_resumption(config, TlsVersion::V1_2));
    let ca = ["--ca", &CERTIFICATE.file()];
    for (server, scheme, options) in [
        (required(TlsMode::Off), "ftp", &["--tls", "off"][..]),
        (required(TlsMode::Off), "ftp", &["--active"]),
        (required(TlsMode::Optional), "ftp", &ca),
        (required(TlsMode::Required), "ftp", &[&ca[..], &["--tls", "required"]].concat()),
        (required(TlsMode::Implicit), "ftps", &ca),
        (required(TlsMode::Implicit), "ftps", &["--insecure"]),
    ] {
        put_list_and_get(&server, scheme, options);
    }
}

fn put_list_and_get(server: &TestServer, scheme: &str, options: &[&str]) {
    let here = tempfile::tempdir().unwrap();
    fs::create_dir(server.root().join("dir")).unwrap();
    let url = |path: &str| format!("{scheme}://ann@127.0.0.1:{}/{path}", server.port());
    let run = |args: &[&str]| {
        let output = run_as_ann(here.path(), &[args, options].concat());
        assert!(output.status.success(), "{options:?} {args:?}: {}", text(&output.stderr));
        output
    };
    let big: Vec<u8> = (0..3_000_001u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let files = [("a.txt", &b"hello"[..]), ("my notes 2024", b"x"), ("gr\u{fc}n", b""), ("big", &big)];
    for (name, bytes) in files {
        fs::write(here.path().join(name), bytes).unwrap();
    }
    let names = files.map(|(name, _)| name);
    run(&[&["put"][..], &names, &[&url("dir/")]].concat());
    fs::create_dir(here.path().join("back")).unwrap();
    let urls = names.map(|name| url(&format!("dir/{name}")));
    run(&[&["get", "-o", "back"][..], &urls.each_ref().map(String::as_str)].concat());
    for (name, bytes) in files {
        assert!(fs::read(server.root().join("dir").join(name)).unwrap() == bytes, "{options:?} {name}");
        assert!(fs::read(here.path().join("back").join(name)).unwrap() == bytes, "{options:?} {name}");
    }
    let listed = run(&["ls", &url("dir")]);
    let mut listed: Vec<_> = text(&listed.stdout).lines().map(|line| line.trim_start_matches("dir/")).collect();
    listed.sort();
    assert_eq!(listed, ["a.txt", "big", "gr\u{fc}n", "my notes 2024"]);
}

#[test]
fn active_data_connections_are_protected_too() {
    let server = TestServer::of_ftp(TlsMode::Required, |config| require_resumption(config, TlsVersion::V1_2));
    let here = tempfile::tempdir().unwrap();
    let big = vec![b'x'; 1_000_000];
    fs::write(server.root().join("big"), &big).unwrap();
    let (root, file, ca) = (server.url(""), server.url("big"), CERTIFICATE.file());
    fs::write(here.path().join("up"), "x").unwrap();
    for args in [&["ls", &root][..], &["get", &file], &["put", "up", "up", &root]] {
        let output = run(here.path(), &[args, &["--ca", &ca, "--active", "-v"]].concat());
        let told = text(&output.stderr);
        assert!(output.status.success() && told.contains("C: PROT P\n") && told.contains("C: EPRT |1|"), "{told}");
    }
    assert!(fs::read(here.path().join("big")).unwrap() == big);
}

fn require_resumption(config: &mut muxftp_server::Config, least: TlsVersion) {
    if let Some(tls) = &mut config.tls {
        (tls.session_reuse, tls.min_version) = (SessionReuse::Require, least);
    }
}

#[test]
fn more_uploads_than_tickets_pass_a_server_that_demands_resumption() {
    // With TLS 1.3 alone, a log-in for each 12 tickets; with TLS 1.2, the second session is resumed without end.
    for (least, expected_log_ins) in [(TlsVersion::V1_3, 9), (TlsVersion::V1_2, 2)] {
        let server = TestServer::of_ftp(TlsMode::Required, |config| require_resumption(config, least));
        let here = tempfile::tempdir().unwrap();
        let files: Vec<String> = (0..100).map(|i| format!("f{i:02}")).collect();
        for file in &files {
            fs::write(here.path().join(file), file).unwrap();
        }
        let (url, ca) = (server.url(""), CERTIFICATE.file());
        let args = [&["put".to_owned(), "--ca".into(), ca, "-v".into()][..], &files, &[url]].concat();
        let output = run(here.path(), &args);
        assert!(output.status.success(), "{}", text(&output.stderr));
        assert_eq!(names(server.root()), files);
        let log_ins = text(&output.stderr).matches("C: USER anonymous\n").count();
        assert_eq!(log_ins, expected_log_ins);
    }
}

#[test]
fn the_prompt_and_the_menu_speak_it() {
    let server = TestServer::of_ftp(TlsMode::Required, |_| {});
    let here = tempfile::tempdir().unwrap();
    fs::write(here.path().join("a"), "x").unwrap();
    let (url, ca) = (server.url(""), CERTIFICATE.file());
    let output = run_with_input(here.path(), &[&url, "--ca", &ca], b"PUT a\nLS\nGET a b\nEXIT\n");
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(text(&output.stdout).contains("a\n"));
    assert_eq!(names(here.path()), ["a", "b"]);
    let output = run_with_input(here.path(), &[&url, "--ca", &ca, "--menu"], b"1\na\nc\n3\n4\n");
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(names(server.root()), ["a", "c"]);
}

#[test]
fn a_certificate_that_is_not_to_be_trusted_is_told_in_a_sentence() {
    let here = tempfile::tempdir().unwrap();
    let other = Certificate::of(&["elsewhere.example"], |_| {});
    let named = Certificate::of(&["127.0.0.1"], |params| {
        params.distinguished_name.push(DnType::CommonName, "an authority of another name");
    });
    let old = Certificate::of(&["127.0.0.1"], |params| {
        (params.not_before, params.not_after) = (date_time_ymd(2001, 1, 1), date_time_ymd(2002, 1, 1));
    });
    for (shown, trusted, hint) in [
        (&*CERTIFICATE, other.file(), "not signed by anybody this system trusts: --ca FILE, or --insecure for a test"),
        (&*CERTIFICATE, named.file(), "not signed by anybody this system trusts"),
        (&other, other.file(), "is of another server"),
        (&old, old.file(), "is out of date"),
    ] {
        for (tls, scheme) in [(TlsMode::Optional, "ftp"), (TlsMode::Implicit, "ftps")] {
            let server = TestServer::of_ftp(tls, |config| config.tls = Some(shown.settings()));
            let url = format!("{scheme}://127.0.0.1:{}", server.port());
            let output = run(here.path(), &["ls", &url, "--ca", &trusted]);
            let told = text(&output.stderr);
            assert_eq!(output.status.code(), Some(3), "{told}");
            assert!(told.starts_with("muxftp: cannot connect to ftp") && told.contains(hint), "{told}");
            assert_eq!(told.lines().count(), 1, "{told}");
            let output = run(here.path(), &["ls", &url, "--insecure"]);
            assert!(output.status.success(), "{}", text(&output.stderr));
            assert!(text(&output.stderr).starts_with("muxftp: WARNING: --insecure"));
        }
    }
}

#[test]
fn a_server_without_tls_is_refused_when_it_is_required_and_noted_when_not() {
    let server = TestServer::of_ftp(TlsMode::Off, |_| {});
    let here = tempfile::tempdir().unwrap();
    let url = format!("ftp://ann@127.0.0.1:{}", server.port());
    let output = run_as_ann(here.path(), &["ls", &url, "--tls", "required", "-v"]);
    let told = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.contains("muxftp: log in: the server says no") && !told.contains("C: USER"), "{told}");
    let output = run_as_ann(here.path(), &["ls", &url]);
    assert!(output.status.success());
    assert_eq!(
        text(&output.stderr),
        "muxftp: note: no TLS here: the password went in the clear (--tls required forbids that)\n"
    );
    let output = run(here.path(), &["ls", &server.url("")]);
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), ""), "a guest has no secret");
    let output = run_as_ann(here.path(), &["ls", &url, "--tls", "off"]);
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), ""), "it was asked for");
}

#[test]
fn the_wrong_one_of_the_two_schemes_is_told_with_the_right_one() {
    let here = tempfile::tempdir().unwrap();
    let server = TestServer::of_ftp(TlsMode::Required, |_| {});
    // The greeting comes before TLS is begun, or after.
    let late = Fake::start(|listener| {
        let mut control = Control::accept(listener);
        control.peek();
        control.say(b"220 late\r\n");
        control.wait_for_end();
    });
    for port in [server.port(), late.port()] {
        let output = run(here.path(), &["ls", &format!("ftps://127.0.0.1:{port}"), "--ca", &CERTIFICATE.file()]);
        let told = text(&output.stderr);
        assert_eq!((output.status.code(), told.lines().count()), (Some(3), 1), "{told}");
        let asked = format!("use ftp://127.0.0.1:{port} with --tls required\n");
        let unasked = "use ftp:// with --tls required, if it offers AUTH TLS\n";
        assert!(told.ends_with(if port == server.port() { asked.as_str() } else { unasked }), "{told}");
    }
    late.join();
    let server = TestServer::of_ftp(TlsMode::Implicit, |_| {});
    let output = run(here.path(), &["ls", &format!("ftp://127.0.0.1:{}", server.port())]);
    let place = format!("127.0.0.1:{}", server.port());
    let advice = "the server at this port expects TLS from the first byte on: use";
    let told = format!("muxftp: ftp://{place}: {advice} ftps://{place}\n");
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(4), told.as_str()));
}

#[test]
fn passwords_come_from_the_url_the_environment_or_netrc_and_are_not_shown() {
    let server = TestServer::of_ftp(TlsMode::Off, |_| {});
    let here = tempfile::tempdir().unwrap();
    let port = server.port();
    let (plain, named) = (format!("ftp://127.0.0.1:{port}"), format!("ftp://ann@127.0.0.1:{port}"));
    let ls = |url: &str, extra: &[&str]| {
        let output = run(here.path(), &[&["ls", url, "--tls", "off", "-v"], extra].concat());
        assert!(!text(&output.stderr).contains("secret"), "{}", text(&output.stderr));
        output
    };
    assert!(ls(&format!("ftp://ann:secret%20pw@127.0.0.1:{port}"), &[]).status.success());
    let wrong = ls(&format!("ftp://ann:secret@127.0.0.1:{port}"), &[]);
    assert_eq!(wrong.status.code(), Some(1));
    assert!(text(&wrong.stderr).contains("muxftp: log in: the server says no: 530 "), "{}", text(&wrong.stderr));
    let environment = muxftp(here.path(), &["ls", &plain, "--user", "ann"]).env("MUXFTP_PASSWORD", PASSWORD).output();
    assert!(environment.unwrap().status.success());

    let netrc = here.path().join(".netrc");
    fs::write(&netrc, format!("machine 127.0.0.1 login ann password \"{PASSWORD}\"\n")).unwrap();
    fs::set_permissions(&netrc, fs::Permissions::from_mode(0o644)).unwrap();
    let refused = ls(&plain, &[]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(text(&refused.stderr).contains("others on this machine can read: chmod 600 "), "{}", text(&refused.stderr));
    fs::set_permissions(&netrc, fs::Permissions::from_mode(0o600)).unwrap();
    for (url, extra) in [(&plain, &[][..]), (&named, &[]), (&plain, &["--user", "ann"])] {
        let output = ls(url, extra);
        assert!(output.status.success(), "{}", text(&output.stderr));
        assert!(text(&output.stderr).contains("C: USER ann\n"));
    }
}

#[test]
fn options_that_do_not_fit_are_told() {
    let here = tempfile::tempdir().unwrap();
    for (args, hint) in [
        (["ls", "simple://127.0.0.1:1", "--insecure"].as_slice(), "are for ftp://"),
        (&["ls", "ftps://127.0.0.1:1", "--tls", "off"], "TLS from the first byte on"),
        (&["ls", "ftp://127.0.0.1:1", "--ca", "."], "cannot read ."),
        (&["ls", "ftp://127.0.0.1:1", "--ca", "empty"], "no certificate in it"),
    ] {
        fs::write(here.path().join("empty"), "").unwrap();
        let output = run(here.path(), args);
        let told = text(&output.stderr);
        assert!(matches!(output.status.code(), Some(2 | 5)) && told.contains(hint), "{args:?}: {told}");
    }
}

/// A server of ftps for one download: it sends `half of`, and ends the data connection with or without close_notify.
fn half_of_a_file(says_end: bool) -> Fake {
    Fake::start(move |listener| {
        let config = config(ALL_VERSIONS);
        let mut control = secure(&config, listener.accept().unwrap().0);
        control.write_all(b"220 here\r\n").unwrap();
        let data = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        loop {
            let line = hear(&mut control);
            let answer = match line.split(' ').next().unwrap() {
                "" | "QUIT" => return,
                "EPSV" => format!("229 ok (|||{}|)", data.local_addr().unwrap().port()),
                "FEAT" => "502 no".to_owned(),
                "RETR" => {
                    control.write_all(b"150 now\r\n").unwrap();
                    let mut data = secure(&config, data.accept().unwrap().0);
                    data.write_all(b"half of").unwrap();
                    if says_end {
                        data.conn.send_close_notify();
                    }
                    data.flush().unwrap();
                    drop(data);
                    "226 done".to_owned()
                }
                "TYPE" | "PBSZ" | "PROT" => "200 fine".to_owned(),
                _ => "230 fine".to_owned(),
            };
            control.write_all(format!("{answer}\r\n").as_bytes()).unwrap();
        }
    })
}

#[test]
fn a_download_without_the_end_that_tls_says_is_not_taken_for_whole() {
    let here = tempfile::tempdir().unwrap();
    fs::write(here.path().join("file"), "old").unwrap();
    for (says_end, kept) in [(false, "old"), (true, "half of")] {
        let fake = half_of_a_file(says_end);
        let url = format!("ftps://127.0.0.1:{}/file", fake.port());
        let output = run(here.path(), &["get", &url, "--ca", &CERTIFICATE.file()]);
        let told = text(&output.stderr);
        assert_eq!(output.status.success(), says_end, "{told}");
        if !says_end {
            assert_eq!(output.status.code(), Some(4));
            assert!(
                told.contains("the data connection broke (the connection ended without TLS close_notify"),
                "{told}"
            );
        }
        assert_eq!(fs::read(here.path().join("file")).unwrap(), kept.as_bytes());
        assert_eq!(names(here.path()), ["file"]);
        fake.join();
    }
}
