//! A log that nobody reads: every session is answered, signals end the server, and the reader that comes back learns how
//! many lines it missed.

use std::fs::File;
use std::io::{Read, Write};
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;

use rustix::process::Signal;
use socket2::{Domain, Socket, Type};

use crate::{Muxftpd, Session, terminal};

/// Has this many lines of some 1,100 bytes logged; each session and each request is answered.
fn log_lines(server: &Muxftpd, lines: usize) {
    const PER_SESSION: usize = 50;
    for _ in 0..lines.div_ceil(PER_SESSION) {
        let mut session = server.session();
        for _ in 0..PER_SESSION {
            let reply = session.says(&format!("GET {}nothing", "directory/".repeat(99)));
            assert!(reply.starts_with("550 "), "{reply}");
        }
    }
}

fn ends_at_sigterm(mut server: Muxftpd) {
    server.signal(Signal::TERM);
    assert!(server.end().success());
}

/// Reads the log until the line that counts what was dropped.
fn read_until_the_count(log: &mut File) {
    let mut text = Vec::new();
    let mut buffer = [0; 64 * 1024];
    loop {
        let bytes = log.read(&mut buffer).unwrap();
        assert!(bytes > 0, "the log ends without the count");
        text.extend_from_slice(&buffer[..bytes]);
        let last = text.len().saturating_sub(bytes + 1024);
        let recent = String::from_utf8_lossy(&text[last..]);
        let Some((_, count)) = recent.split_once("were dropped: standard error was not read in time lines=") else {
            continue;
        };
        let Some((count, _)) = count.split_once(['\r', '\n']) else { continue };
        assert!(count.parse::<u64>().unwrap() > 0);
        return;
    }
}

/// `log` is the other end of the server's standard error; `pause` and `resume` say what else stops and starts it.
fn stalls(server: Muxftpd, mut log: File, resume: impl Fn(&mut File), pause: impl Fn(&mut File)) {
    pause(&mut log);
    // What lies on the way, what is being written, and what waits: then lines are dropped.
    log_lines(&server, 3_000);
    resume(&mut log);
    read_until_the_count(&mut log);
    pause(&mut log);
    log_lines(&server, 1_000);
    ends_at_sigterm(server);
}

#[test]
fn a_pipe_that_is_not_read_stops_nobody() {
    let (log, stderr) = std::io::pipe().unwrap();
    let server = Muxftpd::start("simple", &[], stderr);
    stalls(server, File::from(OwnedFd::from(log)), |_| {}, |_| {});
}

#[test]
fn a_socket_that_is_not_read_stops_nobody() {
    let (log, stderr) = UnixStream::pair().unwrap();
    let server = Muxftpd::start("simple", &[], stderr);
    stalls(server, File::from(OwnedFd::from(log)), |_| {}, |_| {});
}

#[test]
fn a_terminal_that_is_stopped_stops_nobody() {
    let (terminal, name) = terminal();
    let stderr = File::options().read(true).write(true).open(name).unwrap();
    let server = Muxftpd::start("simple", &[], stderr);
    // Ctrl-Q, Ctrl-S.
    let resume = |terminal: &mut File| terminal.write_all(b"\x11").unwrap();
    let pause = |terminal: &mut File| terminal.write_all(b"\x13").unwrap();
    stalls(server, terminal, resume, pause);
}

#[test]
fn warnings_with_long_names_stop_nobody_either() {
    let (log, stderr) = std::io::pipe().unwrap();
    let server = Muxftpd::start("ftp", &["--log-level", "warn"], stderr);
    let name = "n".repeat(4_000);
    // Each from an address of its own, none of which is locked out.
    let from = |index: u8| {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket.bind(&SocketAddr::from(([127, 0, 7, index], 0)).into()).unwrap();
        socket.connect(&server.address.into()).unwrap();
        Session::over(socket.into())
    };
    let mut sessions: Vec<Session> = (1..250).map(from).collect();
    for session in &mut sessions {
        assert!(session.reply().starts_with("220 "));
        assert!(session.says(&format!("USER {name}")).starts_with("331 "));
        session.sends("PASS wrong");
    }
    for session in &mut sessions {
        assert!(session.reply().starts_with("530 "));
        assert!(session.says("NOOP").starts_with("200 "));
    }
    drop(sessions);
    ends_at_sigterm(server);
    let mut text = String::new();
    File::from(OwnedFd::from(log)).read_to_string(&mut text).unwrap();
    let failed: Vec<&str> = text.lines().filter(|line| line.contains("log-in failed")).collect();
    assert!(failed.len() > 100 && failed.iter().all(|line| line.len() < 500), "{}", failed.len());
}
