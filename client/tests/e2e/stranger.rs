//! A URL of one dialect, and a server of another behind it: the client names what is there and how to reach it.

use std::io::Write;
use std::time::Duration;

use muxftp_proto::Dialect;
use muxftp_server::config::TlsMode;

use crate::support::{Fake, TestServer, run, run_with_input, text};

/// A server of each kind, with the scheme that is right for it.
fn servers() -> Vec<(TestServer, &'static str)> {
    vec![
        (TestServer::speaking(Dialect::Simple), "simple"),
        (TestServer::speaking(Dialect::Updown), "updown"),
        (TestServer::of_ftp(TlsMode::Off, |_| {}), "ftp"),
        (TestServer::of_ftp(TlsMode::Implicit, |_| {}), "ftps"),
    ]
}

#[test]
fn the_dialect_of_the_server_is_named_whatever_the_url_says() {
    let here = tempfile::tempdir().unwrap();
    for (server, right) in servers() {
        let place = server.url("").split_once("://").unwrap().1.trim_end_matches('/').to_owned();
        for wrong in ["simple", "updown", "ftp", "ftps"].into_iter().filter(|scheme| *scheme != right) {
            let url = format!("{wrong}://{place}/");
            let advice = format!("use {right}://{place}");
            for output in
                [run(here.path(), &["ls", &url]), run_with_input(here.path(), std::slice::from_ref(&url), b"ls\n")]
            {
                let told = text(&output.stderr);
                assert!(matches!(output.status.code(), Some(3 | 4)), "{url}: {told}");
                assert!(told.contains(&advice) && told.lines().count() == 1, "{url}, which is {right}: {told}");
            }
        }
    }
}

#[test]
fn a_server_that_greets_late_is_not_taken_for_another() {
    let fake = Fake::start(|listener| {
        let mut control = crate::support::Control::accept(listener);
        // The question comes over a connection of its own, and finds no answer either.
        let (_probe, _) = listener.accept().unwrap();
        std::thread::sleep(Duration::from_millis(300));
        control.say(b"220 late\r\n");
        assert_eq!(control.hear(), "USER anonymous");
        control.say(b"530 no guests\r\n");
        control.wait_for_end();
    });
    let here = tempfile::tempdir().unwrap();
    let output = run(here.path(), &["ls", "--tls=off", &format!("ftp://127.0.0.1:{}/", fake.port())]);
    assert_eq!(
        (output.status.code(), text(&output.stderr)),
        (Some(1), "muxftp: log in: the server says no: 530 no guests\n")
    );
    fake.join();
}

#[test]
fn a_server_of_another_course_is_named_as_such() {
    for reply in ["FILESIZE 12", "DATAPORT 20001", "200 OK PORT 20001 SIZE 12"] {
        let fake = Fake::start(move |listener| {
            let mut control = crate::support::Control::accept(listener);
            control.hear();
            control.say(format!("{reply}\r\n").as_bytes());
            control.wait_for_end();
        });
        let here = tempfile::tempdir().unwrap();
        let output = run(here.path(), &["get", &fake.url("a")]);
        fake.join();
        let told = text(&output.stderr);
        assert_eq!(output.status.code(), Some(4), "{told}");
        assert!(told.contains("a protocol with the same verbs and other replies"), "{told}");
    }
    let fake = Fake::start(|listener| {
        let mut stream = listener.accept().unwrap().0;
        stream.write_all(b"Welcome to the server\r\n").unwrap();
        let _ = std::io::Read::read_to_end(&mut stream, &mut Vec::new());
    });
    let here = tempfile::tempdir().unwrap();
    let output = run_with_input(here.path(), &[fake.url("")], b"LS\n");
    fake.join();
    let told = text(&output.stderr);
    assert!(told.contains("`Welcome to the server` came unasked: does the server speak simple?"), "{told}");
}

#[test]
fn a_host_and_a_port_open_a_prompt() {
    let server = TestServer::start();
    let here = tempfile::tempdir().unwrap();
    std::fs::write(server.root().join("there"), "").unwrap();
    let place = server.url("");
    let (host, port) = place.trim_start_matches("simple://").trim_end_matches('/').split_once(':').unwrap();
    let other = TestServer::of_ftp(TlsMode::Off, |_| {});
    std::fs::write(other.root().join("elsewhere"), "").unwrap();
    for args in [
        &[host, port][..],
        &["--host", host, "--port", port],
        &[&format!("{host}:{port}")],
        &["--dialect", "simple", "--host", host, "--port", port],
    ] {
        let output = run_with_input(here.path(), args, b"ls\n");
        assert_eq!((output.status.code(), text(&output.stdout)), (Some(0), "there\n"), "{args:?}");
        let is_said = args.contains(&"--dialect");
        let note = format!("muxftp: note: simple://{host}:{port} is chosen by the port");
        assert_eq!(text(&output.stderr).starts_with(&note), !is_said, "{}", text(&output.stderr));
    }
    let output =
        run_with_input(here.path(), &["--tls=off", &other.url("")], format!("connect {host} {port}\nls\n").as_bytes());
    assert!(text(&output.stdout).ends_with("there\n"), "{}", text(&output.stderr));
    let output = run(here.path(), &["ls", "--host", host]);
    assert_eq!(output.status.code(), Some(2), "{}", text(&output.stderr));
}
