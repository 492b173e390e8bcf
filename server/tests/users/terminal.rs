//! The questions for a password, on a terminal as a person has it.

use std::fs::File;
use std::io::{Read, Write};
use std::process::{Child, Command, ExitStatus};

use muxftp_server::users::UserStore;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, tcgetattr};

use crate::Place;

/// A person who runs `muxftpd user` on a terminal.
struct Person {
    terminal: File,
    child: Child,
    /// All that the screen has shown.
    screen: String,
    /// How much of it was there at the last answer.
    answered: usize,
}

impl Person {
    fn runs(place: &Place, line: &[&str]) -> Person {
        let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&terminal).unwrap();
        unlockpt(&terminal).unwrap();
        let name = ptsname(&terminal, Vec::new()).unwrap().into_string().unwrap();
        let open = || File::options().read(true).write(true).open(&name).unwrap();
        // In a session of its own, whose terminal this is: passwords are asked for there, wherever the output goes.
        let child = Command::new("setsid")
            .args(["--ctty", "--wait", env!("CARGO_BIN_EXE_muxftpd")])
            .args(line)
            .current_dir(place.0.path())
            .stdin(open())
            .stdout(open())
            .stderr(open())
            .spawn()
            .unwrap();
        Person { terminal: File::from(terminal), child, screen: String::new(), answered: 0 }
    }

    /// Waits for the question and answers it when the terminal shows no more what is typed.
    fn answers(&mut self, question: &str, answer: &str) {
        while !self.screen[self.answered..].ends_with(": ") {
            assert!(self.reads(), "no `{question}` in: {}", self.screen);
        }
        assert!(self.screen.ends_with(question), "{}", self.screen);
        // The question comes before the terminal is told; only it can say when.
        while tcgetattr(&self.terminal).unwrap().local_modes.contains(LocalModes::ECHO) {
            std::thread::yield_now();
        }
        self.answered = self.screen.len();
        self.terminal.write_all(answer.as_bytes()).unwrap();
    }

    /// How it ended, and all that the screen has shown.
    fn leaves(mut self) -> (ExitStatus, String) {
        while self.reads() {}
        (self.child.wait().unwrap(), self.screen)
    }

    /// Whether more has come; EIO is how a terminal says that nobody is left on it.
    fn reads(&mut self) -> bool {
        let mut buffer = [0; 1024];
        match self.terminal.read(&mut buffer) {
            Ok(bytes @ 1..) => {
                self.screen.push_str(&String::from_utf8_lossy(&buffer[..bytes]));
                true
            }
            _ => false,
        }
    }
}

#[test]
fn a_person_is_asked_twice_and_nobody_sees_the_answer() {
    let place = Place::new();
    let mut person = Person::runs(&place, &["user", "add", "alice", "--root", "/srv"]);
    person.answers("Password: ", "open sesame\n");
    person.answers("Once more: ", "open sesame\n");
    let (status, screen) = person.leaves();
    assert!(status.success() && screen.contains("added `alice`"), "{screen}");
    assert!(!screen.contains("sesame"), "{screen}");
    let store = UserStore::open(place.path("muxftpd-users.toml")).unwrap();
    assert!(store.check(b"alice", b"open sesame").is_some());
}

#[test]
fn two_different_answers_change_nothing() {
    let place = Place::new();
    let mut person = Person::runs(&place, &["user", "add", "alice", "--root", "/srv"]);
    person.answers("Password: ", "open sesame\n");
    person.answers("Once more: ", "open sesam\n");
    let (status, screen) = person.leaves();
    assert_eq!(status.code(), Some(1));
    assert!(screen.contains("error: the passwords differ"), "{screen}");
    assert!(!place.path("muxftpd-users.toml").exists());
}
