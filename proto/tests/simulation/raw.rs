//! A peer without a session: it says many lines at once, sensible ones and others, and counts the answers.

use muxftp_proto::{Answer, Dialect};

use crate::env::Env;
use crate::link::{Arrival, Happening, Wires};

/// What was said, and what was answered.
pub struct RawSide {
    dialect: Dialect,
    lines: Vec<Vec<u8>>,
    said: usize,
    heard: Vec<u8>,
    /// Final replies to the lines, the farewell not counted.
    finals: usize,
    opening: bool,
    pub closed: bool,
}

impl RawSide {
    pub fn new(dialect: Dialect, env: &mut Env) -> RawSide {
        let (known, missing) = match dialect {
            Dialect::Simple => (&LINES_OF_SIMPLE, b"GET nope".as_slice()),
            Dialect::Updown => (&LINES_OF_UPDOWN, b"DOWNLOAD nope".as_slice()),
            Dialect::Ftp => unreachable!("it has a world of its own"),
        };
        // Now and then more answers than the server keeps for a peer that does not read.
        if env.chance(5) {
            env.saw("raw flood");
            return RawSide::of(dialect, vec![missing.to_vec(); 1500]);
        }
        let count = 1 + env.below(20);
        let lines = (0..count).map(|_| known[env.below(known.len())].to_vec());
        let lines = lines.map(|line| if line == b"LONG" { vec![b'x'; 10_000] } else { line }).collect();
        RawSide::of(dialect, lines)
    }

    fn of(dialect: Dialect, lines: Vec<Vec<u8>>) -> RawSide {
        RawSide { dialect, lines, said: 0, heard: Vec::new(), finals: 0, opening: false, closed: false }
    }

    /// Says some lines, without waiting for the answers to those before.
    pub fn begin(&mut self, wires: &mut Wires, env: &mut Env) {
        if self.closed || self.said == self.lines.len() {
            return;
        }
        for _ in 0..1 + env.below(self.lines.len() - self.said) {
            let end: &[u8] = if env.chance(50) { b"\r\n" } else { b"\n" };
            wires.send_to_server(&[&self.lines[self.said], end].concat(), env);
            self.said += 1;
        }
        env.soon(wires.link, Happening::Begin);
    }

    pub fn control(&mut self, wires: &mut Wires, env: &mut Env) {
        match wires.arrive_at_client(env) {
            Arrival::Bytes(bytes) => self.heard.extend(bytes),
            Arrival::End => self.end(wires, env),
            Arrival::Nothing => {}
        }
        while let Some(end) = self.heard.iter().position(|&byte| byte == b'\n') {
            let line: Vec<u8> = self.heard.drain(..=end).collect();
            self.hear(line.trim_ascii_end(), wires, env);
        }
        if self.said == self.lines.len() && self.finals == self.lines.len() && !self.closed {
            env.saw("raw session answered");
            self.closed = true;
            wires.end_to_server(env);
        }
    }

    pub fn lost(&mut self) {
        self.closed = true;
    }

    fn hear(&mut self, line: &[u8], wires: &mut Wires, env: &mut Env) {
        match self.dialect.parse_reply(line).expect("a reply of the dialect") {
            Answer::Opening { port, .. } => {
                assert!(!self.opening, "a second transfer began before the first was answered");
                self.opening = true;
                if env.chance(60) {
                    env.soon(wires.link, Happening::Connect(port, 0));
                }
            }
            Answer::Refused { text, .. } if FAREWELLS.contains(&text) => self.closed = true,
            _ => {
                self.opening = false;
                self.finals += 1;
                assert!(self.finals <= self.said, "more answers than lines");
            }
        }
    }

    /// Bytes for an upload or none, and the end: whatever it is, the server has to cope.
    pub fn connected(&mut self, data: Option<usize>, wires: &mut Wires, env: &mut Env) {
        if let Some(data) = data {
            let count = env.below(20);
            wires.data[data].to_server.extend(std::iter::repeat_n(b'r', count));
            wires.data[data].client_closed = env.chance(50);
            wires.data[data].broken |= env.chance(20);
        }
    }

    fn end(&mut self, wires: &mut Wires, env: &mut Env) {
        let asked = self.lines[..self.finals].iter().any(|line| line == b"exit" || line == b"quit");
        let excused = asked || self.closed || wires.cut || wires.dropped || env.faults.drain > 0;
        assert!(excused, "closed after {} answers to {} lines", self.finals, self.said);
        self.closed = true;
        wires.end_to_server(env);
    }
}

const LINES_OF_SIMPLE: [&[u8]; 14] = [
    b"GET a",
    b"get nope",
    b"PUT raw 10",
    b"PUT raw 0",
    b"LS",
    b"LS",
    b"EXIT now",
    b"",
    b"GET ../x",
    b"PUT raw -1",
    b"\xff\x00",
    b"LONG",
    b"get",
    b"exit",
];

/// Without READY, which has no answer of its own.
const LINES_OF_UPDOWN: [&[u8]; 14] = [
    b"DOWNLOAD a",
    b"download nope",
    b"UPLOAD raw 10",
    b"UPLOAD raw 0",
    b"LIST ..",
    b"DOWNLOAD b.txt",
    b"QUIT now",
    b"",
    b"DOWNLOAD ../x",
    b"UPLOAD raw",
    b"\xff\x00",
    b"LONG",
    b"upload",
    b"quit",
];

const FAREWELLS: [&[u8]; 6] = [
    b"Server Shutting Down",
    b"Idle Timeout",
    b"Too Many Errors",
    b"ServerShuttingDown",
    b"IdleTimeout",
    b"TooManyErrors",
];
