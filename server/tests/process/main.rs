//! The server as a process: its log, its signals, its rights, and what it refuses to start with.
#![allow(clippy::unwrap_used, reason = "clippy.toml allows it in test functions, but not in their helpers")]

mod lines;
mod log_stall;
mod rights;
mod secrets;
mod signals;

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use tempfile::TempDir;

/// A running server.
struct Muxftpd {
    child: Child,
    address: SocketAddr,
    /// Its root is `root` in it.
    place: TempDir,
}

impl Muxftpd {
    /// With one listener of `dialect`, and more options; standard error is `stderr`.
    fn start(dialect: &str, options: &[&str], stderr: impl Into<OwnedFd>) -> Muxftpd {
        Muxftpd::start_in(tempfile::tempdir().unwrap(), dialect, options, stderr, |command| command)
    }

    fn start_in(
        place: TempDir,
        dialect: &str,
        options: &[&str],
        stderr: impl Into<OwnedFd>,
        change: impl FnOnce(&mut Command) -> &mut Command,
    ) -> Muxftpd {
        // Found by binding it: a log that is not read cannot tell the port.
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_muxftpd"));
        command.current_dir(place.path()).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::from(stderr.into()));
        command.args(["--listen", &format!("{dialect}://{address}"), "--root", "root"]).args(options);
        let child = change(&mut command).spawn().unwrap();
        let mut server = Muxftpd { child, address, place };
        wait_until(|| {
            assert!(server.child.try_wait().unwrap().is_none(), "it has ended");
            TcpStream::connect(address).is_ok()
        });
        server
    }

    fn session(&self) -> Session {
        Session::over(TcpStream::connect(self.address).unwrap())
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    fn end(&mut self) -> ExitStatus {
        let mut status = None;
        wait_until(|| {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        status.unwrap()
    }
}

impl Drop for Muxftpd {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A control connection.
struct Session {
    replies: BufReader<TcpStream>,
}

impl Session {
    fn over(stream: TcpStream) -> Session {
        stream.set_read_timeout(Some(HANG)).unwrap();
        Session { replies: BufReader::new(stream) }
    }

    fn says(&mut self, line: &str) -> String {
        self.sends(line);
        self.reply()
    }

    fn sends(&mut self, line: &str) {
        self.replies.get_mut().write_all(format!("{line}\r\n").as_bytes()).unwrap();
    }

    fn reply(&mut self) -> String {
        let mut reply = String::new();
        self.replies.read_line(&mut reply).expect("a reply");
        reply
    }
}

/// The lines of a log.
struct Log(BufReader<File>);

impl Log {
    fn new(file: impl Into<OwnedFd>) -> Log {
        Log(BufReader::new(File::from(file.into())))
    }

    /// The next line that contains `text`.
    fn line_with(&mut self, text: &str) -> String {
        let mut before = String::new();
        loop {
            let mut line = Vec::new();
            let read = self.0.read_until(b'\n', &mut line);
            let line = String::from_utf8_lossy(&line).into_owned();
            assert!(read.is_ok_and(|bytes| bytes > 0), "the log ended without `{text}`: {before}");
            if line.contains(text) {
                return line;
            }
            before.push_str(&line);
        }
    }
}

/// A terminal: the side of whoever sits at it, and the name of the other.
fn terminal() -> (File, String) {
    let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
    grantpt(&terminal).unwrap();
    unlockpt(&terminal).unwrap();
    let name = ptsname(&terminal, Vec::new()).unwrap().into_string().unwrap();
    (File::from(terminal), name)
}

fn wait_until(mut condition: impl FnMut() -> bool) {
    let started = Instant::now();
    while !condition() {
        assert!(started.elapsed() < HANG, "it never came");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Only turns a hang into a failure.
const HANG: Duration = Duration::from_secs(60);
