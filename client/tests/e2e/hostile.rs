//! Servers that break, lie or fall silent: one clear error, and nothing is left behind.

use std::fs;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener};
use std::process::Stdio;

use rustix::process::Signal;

use crate::support::{Control, Fake, moment, muxftp, names, run, signal, text};

#[test]
fn a_download_that_breaks_leaves_the_old_file() {
    let fake = Fake::start(|listener| {
        let mut control = Control::accept(listener);
        control.hear();
        control.open_data().write_all(b"half of").unwrap();
        // Gone without a word.
    });
    let here = tempfile::tempdir().unwrap();
    fs::write(here.path().join("file"), "old").unwrap();
    let output = run(here.path(), &["get", &fake.url("file")]);
    assert_eq!(output.status.code(), Some(4));
    assert_eq!(text(&output.stderr), "muxftp: get file: the server has closed the connection\n");
    assert_eq!(names(here.path()), ["file"]);
    assert_eq!(fs::read(here.path().join("file")).unwrap(), b"old");
    fake.join();
}

#[test]
fn a_download_that_the_server_takes_back_leaves_the_old_file() {
    let fake = Fake::start(|listener| {
        let mut control = Control::accept(listener);
        control.hear();
        drop(control.open_data());
        control.say(b"550 Disk Error\r\n");
        control.wait_for_end();
    });
    let here = tempfile::tempdir().unwrap();
    fs::write(here.path().join("file"), "old").unwrap();
    let output = run(here.path(), &["get", &fake.url("file")]);
    assert_eq!(
        (output.status.code(), text(&output.stderr)),
        (Some(1), "muxftp: get file: the server says no: 550 Disk Error\n")
    );
    assert_eq!(fs::read(here.path().join("file")).unwrap(), b"old");
    fake.join();
}

#[test]
fn a_server_that_speaks_something_else_is_named() {
    for (greeting, shown) in [
        (&b"HTTP/1.1 400 Bad Request\r\n"[..], "the server at this port speaks HTTP\n"),
        (b"220 \x1b[2J ready\r\n", "speaks ftp: use ftp://127.0.0.1:"),
        (b"221 \x1b[2J ready\r\n", "`221 \\u{1b}[2J ready` is no reply of this dialect"),
        (b"200 OK 70000\r\n", "is no reply of this dialect"),
        (b"200 OK 0\r\n", "is no reply of this dialect"),
    ] {
        let fake = Fake::start(move |listener| {
            let mut control = Control::accept(listener);
            control.hear();
            control.say(greeting);
            control.wait_for_end();
        });
        let here = tempfile::tempdir().unwrap();
        let output = run(here.path(), &["get", &fake.url("file")]);
        assert_eq!(output.status.code(), Some(4));
        assert!(text(&output.stderr).contains(shown), "{}", text(&output.stderr));
        assert!(names(here.path()).is_empty());
        fake.join();
    }
}

#[test]
fn a_line_without_end_is_cut_off() {
    let fake = Fake::start(|listener| {
        let mut control = Control::accept(listener);
        control.hear();
        control.say(&[b'x'; 100_000]);
        control.wait_for_end();
    });
    let here = tempfile::tempdir().unwrap();
    let output = run(here.path(), &["ls", &fake.url("")]);
    assert_eq!(output.status.code(), Some(4));
    assert!(text(&output.stderr).len() < 300, "{}", text(&output.stderr));
    fake.join();
}

#[test]
fn a_data_port_that_refuses_is_explained() {
    let fake = Fake::start(|listener| {
        let mut control = Control::accept(listener);
        control.hear();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        control.say(format!("200 OK {port}\r\n").as_bytes());
        control.say(b"226 Transfer Complete\r\n");
        control.wait_for_end();
    });
    let here = tempfile::tempdir().unwrap();
    let output = run(here.path(), &["get", &fake.url("file")]);
    assert_eq!(output.status.code(), Some(4));
    assert!(text(&output.stderr).contains("firewall"), "{}", text(&output.stderr));
    assert!(names(here.path()).is_empty());
    fake.join();
}

#[test]
fn a_silent_server_is_given_up() {
    let fake = Fake::start(|listener| {
        let mut control = Control::accept(listener);
        control.wait_for_end();
    });
    let here = tempfile::tempdir().unwrap();
    let output = run(here.path(), &["ls", &fake.url(""), "--timeout", "1"]);
    assert_eq!(output.status.code(), Some(4));
    assert_eq!(text(&output.stderr), "muxftp: ls /: no reply from the server in 1 s\n");
    fake.join();
}

#[test]
fn a_signal_in_a_transfer_ends_it_and_leaves_nothing() {
    for (sent, code) in [(Signal::INT, 130), (Signal::TERM, 143), (Signal::HUP, 129)] {
        let (now, its_time) = moment();
        let fake = Fake::start(move |listener| {
            let mut control = Control::accept(listener);
            control.hear();
            let mut data = control.open_data();
            data.write_all(b"the first part").unwrap();
            now.send(()).unwrap();
            control.wait_for_end();
            drop(data);
        });
        let here = tempfile::tempdir().unwrap();
        let child = muxftp(here.path(), &["get", &fake.url("file")]).stderr(Stdio::piped()).spawn().unwrap();
        its_time.recv().unwrap();
        signal(&child, sent);
        assert_eq!(child.wait_with_output().unwrap().status.code(), Some(code));
        assert!(names(here.path()).is_empty());
        fake.join();
    }
}

#[test]
fn an_upload_is_complete_only_by_the_servers_word() {
    let fake = Fake::start(|listener| {
        let mut control = Control::accept(listener);
        assert_eq!(control.hear(), "PUT file 5");
        let mut bytes = Vec::new();
        control.open_data().read_to_end(&mut bytes).unwrap();
        assert_eq!(bytes, b"12345");
        control.say(b"550 No Space\r\n");
        control.wait_for_end();
    });
    let here = tempfile::tempdir().unwrap();
    fs::write(here.path().join("file"), "12345").unwrap();
    let output = run(here.path(), &["put", "file", &fake.url("")]);
    assert_eq!(
        (output.status.code(), text(&output.stderr)),
        (Some(1), "muxftp: put file: the server says no: 550 No Space\n")
    );
    fake.join();
}

#[test]
fn an_upload_that_a_server_of_ftp_takes_back_is_a_failure() {
    for (reply, code) in [("426 broken", 1), ("451 no disk", 1), ("226", 0)] {
        let fake = Fake::start(move |listener| {
            let mut control = Control::accept(listener);
            let data = TcpListener::bind("127.0.0.1:0").unwrap();
            control.say(b"220 here\r\n");
            loop {
                let line = control.hear();
                let answer = match line.split(' ').next().unwrap() {
                    "QUIT" => return control.say(b"221 bye\r\n"),
                    "EPSV" => format!("229 ok (|||{}|)", data.local_addr().unwrap().port()),
                    "FEAT" => "502 no".to_owned(),
                    "STOR" => {
                        control.say(b"150 now\r\n");
                        let mut bytes = Vec::new();
                        data.accept().unwrap().0.read_to_end(&mut bytes).unwrap();
                        assert_eq!(bytes, b"12345");
                        reply.to_owned()
                    }
                    "TYPE" => "200 fine".to_owned(),
                    _ => "230 fine".to_owned(),
                };
                control.say(format!("{answer}\r\n").as_bytes());
            }
        });
        let here = tempfile::tempdir().unwrap();
        fs::write(here.path().join("file"), "12345").unwrap();
        let url = format!("ftp://127.0.0.1:{}/", fake.port());
        let output = run(here.path(), &["put", "file", &url, "--tls", "off"]);
        let told = text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{told}");
        let sentence = format!("muxftp: put file: the server says no: {reply}\n");
        assert_eq!(told, if code == 0 { "" } else { &sentence });
        fake.join();
    }
}

#[test]
fn a_server_that_closes_at_once_is_told_with_its_last_words() {
    let here = tempfile::tempdir().unwrap();
    for (scheme, greeting, told) in [
        ("ftp", "421 too many users\r\n", "log in: the server says no: 421 too many users"),
        ("ftp", "", "log in: the server has closed the connection"),
        ("simple", "", "the server has closed the connection"),
    ] {
        // Greeting and end come together with the connection, or behind it.
        for _ in 0..20 {
            let fake = Fake::start(move |listener| {
                let mut stream = listener.accept().unwrap().0;
                stream.write_all(greeting.as_bytes()).unwrap();
                stream.shutdown(Shutdown::Write).unwrap();
                let _ = stream.read_to_end(&mut Vec::new());
            });
            let output = run(here.path(), &["ls", &format!("{scheme}://127.0.0.1:{}", fake.port())]);
            let stderr = text(&output.stderr);
            assert!(matches!(output.status.code(), Some(1 | 3 | 4)), "{stderr}");
            assert!(stderr.ends_with(&format!("{told}\n")) && stderr.lines().count() == 1, "{stderr}");
            fake.join();
        }
    }
}
