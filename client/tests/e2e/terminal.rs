//! The prompt on a terminal, as a person has it: a pseudo-terminal that types and reads.

use std::fs;
use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, Command, ExitStatus};
use std::sync::mpsc::{Receiver, channel};

use muxftp_server::config::TlsMode;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use crate::support::{Control, Fake, HANG, TestServer, names};

/// A person at a terminal on which muxftp runs.
struct Person {
    keyboard: File,
    screen: Receiver<Vec<u8>>,
    child: Child,
    seen: String,
}

impl Person {
    fn sit_down(directory: &Path, args: &[&str]) -> Person {
        let keyboard = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&keyboard).unwrap();
        unlockpt(&keyboard).unwrap();
        let name = ptsname(&keyboard, Vec::new()).unwrap().into_string().unwrap();
        let terminal = || File::options().read(true).write(true).open(&name).unwrap();
        // In a session of its own, so that the terminal's Ctrl-C reaches it and nobody else.
        let child = Command::new("setsid")
            .args(["--ctty", "--wait", env!("CARGO_BIN_EXE_muxftp")])
            .args(args)
            .current_dir(directory)
            .env("TERM", "xterm")
            .env("XDG_STATE_HOME", directory.join("state"))
            .stdin(terminal())
            .stdout(terminal())
            .stderr(terminal())
            .spawn()
            .unwrap();
        let keyboard = File::from(keyboard);
        let screen = watch(keyboard.try_clone().unwrap());
        Person { keyboard, screen, child, seen: String::new() }
    }

    fn types(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).unwrap();
    }

    /// Reads until `text` has come, and gives what came up to its end; that is done with.
    fn sees(&mut self, text: &str) -> String {
        while !self.seen.contains(text) {
            match self.screen.recv_timeout(HANG) {
                Ok(bytes) => self.seen.push_str(&String::from_utf8_lossy(&bytes)),
                Err(_) => {
                    let end = self.seen.char_indices().rev().nth(2000).map_or(0, |(at, _)| at);
                    panic!("no `{text}` in: {}", self.seen[end..].escape_debug());
                }
            }
        }
        let end = self.seen.find(text).unwrap() + text.len();
        self.seen.drain(..end).collect()
    }

    fn leaves(mut self) -> ExitStatus {
        self.child.wait().unwrap()
    }
}

fn watch(mut screen: File) -> Receiver<Vec<u8>> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        let mut buffer = [0; 4096];
        // EIO is how a terminal says that nobody is left on it.
        while let Ok(bytes @ 1..) = screen.read(&mut buffer) {
            if sender.send(buffer[..bytes].to_vec()).is_err() {
                return;
            }
        }
    });
    receiver
}

#[test]
fn a_person_lists_completes_and_fetches() {
    let server = TestServer::start();
    let here = tempfile::tempdir().unwrap();
    fs::write(server.root().join("my notes.txt"), "notes").unwrap();
    fs::write(server.root().join("\u{1b}[2J"), "evil").unwrap();
    let mut person = Person::sit_down(here.path(), &[&server.url("")]);
    person.sees("Connected to simple://127.");
    person.sees("ftp> ");
    person.types("HELP\r");
    person.sees("GET name [local]");
    person.sees("ftp> ");
    person.types("ls\r");
    person.sees("\\u{1b}[2J");
    person.sees("my notes.txt");
    person.sees("ftp> ");
    person.types("get my\t");
    person.sees("get my\\ notes.txt");
    person.types("\r");
    person.sees("my notes.txt -> my notes.txt: 5 bytes in ");
    person.sees("ftp> ");
    person.types("\x04");
    assert!(person.leaves().success());
    assert_eq!(fs::read(here.path().join("my notes.txt")).unwrap(), b"notes");
    assert_eq!(fs::read_to_string(here.path().join("state/muxftp/history")).unwrap().matches("HELP").count(), 1);
}

#[test]
fn ctrl_c_ends_the_transfer_and_not_the_prompt() {
    let fake = Fake::start(|listener| {
        for _ in 0..2 {
            let mut control = Control::accept(listener);
            if control.hear() != "GET endless" {
                control.say(b"550 File Not Found\r\n");
                control.hear();
                continue;
            }
            let mut data = control.open_data();
            data.write_all(&[b'x'; 3 << 20]).unwrap();
            // And no more, until the client hangs up.
            control.wait_for_end();
        }
    });
    let here = tempfile::tempdir().unwrap();
    let mut person = Person::sit_down(here.path(), &[&fake.url("")]);
    person.sees("ftp> ");
    // Typed ahead in one go, as a pasted line is.
    person.types("get endless\r");
    person.sees("3.00 MiB");
    person.types("\x03");
    person.sees("muxftp: interrupted");
    person.sees("ftp> ");
    person.types("half a line\x03");
    person.sees("ftp> ");
    person.types("get other\r");
    person.sees("550 File Not Found");
    person.sees("ftp> ");
    person.types("exit\r");
    assert!(person.leaves().success());
    assert_eq!(names(here.path()), ["state"]);
    fake.join();
}

#[test]
fn ctrl_c_gives_up_a_transfer_of_ftp_and_the_session_goes_on() {
    let server = TestServer::of_ftp(TlsMode::Off, |_| {});
    let here = tempfile::tempdir().unwrap();
    fs::create_dir(server.root().join("d")).unwrap();
    // More than anybody waits for, and no byte of it on a disk.
    File::create(server.root().join("d/big")).unwrap().set_len(1 << 42).unwrap();
    let mut person = Person::sit_down(here.path(), &["-v", &server.url("")]);
    person.sees("ftp> ");
    person.types("cd d\r");
    person.sees("/d\r\n");
    person.sees("ftp> ");
    person.types("get big /dev/null\r");
    person.sees("4.00 TiB");
    person.types("\x03");
    person.sees("C: ABOR");
    person.sees("muxftp: interrupted");
    person.sees("ftp> ");
    person.types("noop\r");
    let between = person.sees("C: NOOP");
    assert!(!between.contains("C: USER"), "no new log-in: {between}");
    person.types("exit\r");
    assert!(person.leaves().success());
    assert_eq!(names(here.path()), ["state"]);
}
