//! A server that has LIST only: no names by themselves, and no facts of files.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::path::Path;
use std::process::Output;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, UNIX_EPOCH};

use muxftp_server::config::TlsMode;

use crate::scripted::{Kind, Said, Script};
use crate::support::{Fake, TestServer, names, run, text};

/// What muxftpd is without MLST, MLSD and NLST, until a connection finds that it is `over`.
fn without_facts(server: u16, over: &Arc<AtomicBool>) -> Fake {
    let over = Arc::clone(over);
    Fake::start(move |listener: &TcpListener| {
        thread::scope(|scope| {
            loop {
                let client = listener.accept().unwrap().0;
                if over.load(Ordering::SeqCst) {
                    return;
                }
                let server = TcpStream::connect((Ipv4Addr::LOCALHOST, server)).unwrap();
                let (client_too, server_too) = (client.try_clone().unwrap(), server.try_clone().unwrap());
                scope.spawn(move || pass_replies(server_too, client_too));
                scope.spawn(move || pass_commands(client, server));
            }
        });
    })
}

fn pass_replies(server: TcpStream, mut client: TcpStream) {
    for line in BufReader::new(server).split(b'\n').map_while(Result::ok) {
        if !line.starts_with(b" MLST") && client.write_all(&[&line, &b"\n"[..]].concat()).is_err() {
            return;
        }
    }
    let _ = client.shutdown(Shutdown::Write);
}

fn pass_commands(client: TcpStream, mut server: TcpStream) {
    let mut replies = client.try_clone().unwrap();
    for line in BufReader::new(client).split(b'\n').map_while(Result::ok) {
        let passed = match line.starts_with(b"MLS") || line.starts_with(b"NLST") {
            true => replies.write_all(b"500 What?\r\n"),
            false => server.write_all(&[&line, &b"\n"[..]].concat()),
        };
        if passed.is_err() {
            return;
        }
    }
    let _ = server.shutdown(Shutdown::Write);
}

fn plant(root: &Path) {
    for directory in ["", "a dir", "a dir/below it"] {
        let directory = root.join(directory);
        fs::create_dir_all(&directory).unwrap();
        for (name, time) in FILES {
            fs::write(directory.join(name), name).unwrap();
            let time = UNIX_EPOCH + Duration::from_secs(time);
            File::open(directory.join(name)).unwrap().set_modified(time).unwrap();
        }
    }
}

fn assert_planted(root: &Path) {
    assert_eq!(names(root).len(), FILES.len() + 1);
    for directory in ["", "a dir", "a dir/below it"] {
        for (name, time) in FILES {
            let path = root.join(directory).join(name);
            assert_eq!(fs::read(&path).unwrap(), name.as_bytes());
            let modified = fs::metadata(&path).unwrap().modified().unwrap().duration_since(UNIX_EPOCH).unwrap();
            assert_eq!(modified.as_secs(), time, "{}", path.display());
        }
    }
}

/// Runs muxftp with such a server, which has the name `URL`.
fn run_without_facts(server: &TestServer, here: &Path, args: &[&str]) -> Output {
    let over = Arc::default();
    let fake = without_facts(server.port(), &over);
    let url = format!("ftp://127.0.0.1:{}/the%20tree", fake.port());
    let args: Vec<_> = args.iter().map(|arg| arg.replace("URL", &url)).collect();
    let output = run(here, &args);
    over.store(true, Ordering::SeqCst);
    drop(TcpStream::connect((Ipv4Addr::LOCALHOST, fake.port())).unwrap());
    fake.join();
    output
}

#[test]
fn names_come_out_of_list() {
    let server = TestServer::of_ftp(TlsMode::Off, |_| {});
    let here = tempfile::tempdir().unwrap();
    plant(&server.root().join("the tree"));
    let output = run_without_facts(&server, here.path(), &["ls", "--tls=off", "URL"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let mut shown: Vec<_> = text(&output.stdout).lines().collect();
    shown.sort_unstable();
    assert_eq!(shown, [" lead", "12 Jan 2020 x", "a dir", "plain", "trail ", "with blanks in it"]);
    let output = run_without_facts(&server, here.path(), &["mget", "--tls=off", "URL/*ai*"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(names(here.path()), ["plain", "trail "]);
    let output = run_without_facts(&server, here.path(), &["ls", "--tls=off", "URL/nope"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("550 File Not Found"), "{}", text(&output.stderr));
}

#[test]
fn what_matches_a_pattern_is_not_left_out_in_silence() {
    let strange = b"total 2\r\n-rw-r--r-- 1 a b 3 Nov 21 12:00 fine\r\nwhat is this\r\n".to_vec();
    for (kind, listing, told) in [
        (Kind::Long, strange, "muxftp: mget *: a line of the listing makes no sense: what is this\n"),
        (Kind::Facts, b"name\r\n".repeat(1_500_000), "more entries than a directory can have here\n"),
    ] {
        let here = tempfile::tempdir().unwrap();
        let (fake, _) = Script::new(kind).says("/", Said::Bytes(listing, "226 done")).start();
        let output = run(here.path(), &["mget", "--tls=off", &format!("ftp://127.0.0.1:{}/*", fake.port())]);
        fake.join();
        let errors = text(&output.stderr);
        assert_eq!(output.status.code(), Some(4), "{errors}");
        assert!(errors.ends_with(told), "{errors}");
        assert!(names(here.path()).is_empty());
    }
}

#[test]
fn a_tree_goes_both_ways_through_list() {
    let server = TestServer::of_ftp(TlsMode::Off, |_| {});
    let here = tempfile::tempdir().unwrap();
    plant(&here.path().join("up"));
    let mirror = |args: &[&str], result: &str| {
        let command = ["mirror", "-v", "--tls", "off", "--parallel", "2"];
        let output = run_without_facts(&server, here.path(), &[&command, args].concat());
        let told = text(&output.stderr);
        assert!(output.status.success(), "{told}");
        assert!(text(&output.stdout).starts_with(result), "{}", text(&output.stdout));
        assert!(told.contains("C: LIST\n") && !told.contains("C: MLS"), "{told}");
    };
    let all = FILES.len() * 3;
    for result in [format!("{all} files copied"), format!("0 files copied (0 bytes), {all} were the same")] {
        mirror(&["-R", "up", "URL"], &result);
        assert_planted(&server.root().join("the tree"));
    }
    for result in [format!("{all} files copied"), format!("0 files copied (0 bytes), {all} were the same")] {
        mirror(&["URL", "down"], &result);
        assert_planted(&here.path().join("down"));
    }
}

/// Names, and times in seconds since 1970: LIST tells the last ones to the day only, and no zone.
const FILES: [(&str, u64); 5] =
    [("plain", 1_700_000_001), ("with blanks in it", 1_600_000_002), (" lead", 3), ("trail ", 4), ("12 Jan 2020 x", 5)];
