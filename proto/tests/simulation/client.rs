//! The client's side of a link: a session, a driver, and a person who wants this and that.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use muxftp_proto::client::io::{
    ClientEffect, ClientEvent, ClientTimeouts, Failure, ListingForm, Operation, Outcome, PutMode,
};
use muxftp_proto::{ClientSession, Dialect};

use crate::env::Env;
use crate::link::{Arrival, Attempt, Happening, Wires};

/// A session and its driver.
pub struct ClientSide {
    session: ClientSession,
    dialect: Dialect,
    person: usize,
    /// Operations that the person still wants.
    pub left: usize,
    current: Option<Current>,
    /// Connects that were begun; only the last one's answer means anything.
    connects: Attempt,
    connecting: bool,
    data: Option<usize>,
    stalled: bool,
    pub closed: bool,
}

/// The operation under way, with its bytes.
struct Current {
    operation: Operation,
    /// Of an upload: all that is to be sent. Of a download: what has come.
    bytes: Vec<u8>,
    sent: usize,
    before: Before,
}

/// What was visible when an operation began.
#[derive(Default)]
struct Before {
    /// How many contents the operation's name had had.
    versions: usize,
    names: BTreeSet<Vec<u8>>,
}

impl ClientSide {
    pub fn new(dialect: Dialect, person: usize, left: usize) -> ClientSide {
        ClientSide {
            session: ClientSession::new(dialect, ClientTimeouts::default()),
            dialect,
            person,
            left,
            current: None,
            connects: 0,
            connecting: false,
            data: None,
            stalled: false,
            closed: false,
        }
    }

    pub fn person(&self) -> usize {
        self.person
    }

    pub fn next_timeout(&self) -> Option<Instant> {
        self.session.next_timeout()
    }

    pub fn timeout(&mut self, wires: &mut Wires, env: &mut Env) {
        self.session.handle_timeout(env.now);
        self.settle(wires, env);
    }

    /// The person wants the next thing.
    pub fn begin(&mut self, wires: &mut Wires, env: &mut Env) {
        if self.closed {
            return;
        }
        self.left = self.left.saturating_sub(1);
        let current = if self.left == 0 || env.chance(5) { quit() } else { self.wish(env) };
        env.note(wires.link, || format!("client begins {:?}", current.operation));
        self.session.submit(&current.operation, env.now);
        self.current = Some(current);
        self.settle(wires, env);
    }

    pub fn control(&mut self, wires: &mut Wires, env: &mut Env) {
        match wires.arrive_at_client(env) {
            Arrival::Bytes(bytes) => self.session.handle_input(&bytes, env.now),
            Arrival::End => self.session.handle_lost(),
            Arrival::Nothing => {}
        }
        self.settle(wires, env);
    }

    pub fn lost(&mut self, wires: &mut Wires, env: &mut Env) {
        self.session.handle_lost();
        self.settle(wires, env);
    }

    /// A connect has succeeded, or not.
    pub fn connected(&mut self, attempt: Attempt, data: Option<usize>, wires: &mut Wires, env: &mut Env) {
        if attempt != self.connects || !std::mem::take(&mut self.connecting) {
            if let Some(data) = data {
                wires.data[data].client_closed = true;
            }
            return;
        }
        self.data = data;
        let event = if data.is_some() { ClientEvent::DataConnected } else { ClientEvent::DataFailed };
        self.session.handle_event(event, env.now);
        self.settle(wires, env);
    }

    /// Moves some bytes on a data connection.
    pub fn moves(&mut self, data: usize, wires: &mut Wires, env: &mut Env) {
        if self.data != Some(data) {
            return;
        }
        self.stalled |= env.chance(env.faults.stall);
        if self.stalled {
            return env.after(POLL, wires.link, Happening::ClientMoves(data));
        }
        if env.chance(env.faults.data / 3) {
            wires.data[data].broken = true;
        }
        let (moved, news) = self.move_bytes(data, wires, env);
        if moved {
            self.session.handle_event(ClientEvent::Progress, env.now);
        }
        match news {
            Some(event) => {
                self.close_data(wires);
                self.session.handle_event(event, env.now);
                self.settle(wires, env);
            }
            None if moved => env.soon(wires.link, Happening::ClientMoves(data)),
            None => env.after(POLL, wires.link, Happening::ClientMoves(data)),
        }
    }

    fn move_bytes(&mut self, data: usize, wires: &mut Wires, env: &mut Env) -> (bool, Option<ClientEvent>) {
        let data = &mut wires.data[data];
        let current = self.current.as_mut().expect("bytes move for an operation");
        if data.broken {
            return (false, Some(ClientEvent::DataFailed));
        }
        if !matches!(current.operation, Operation::Put { .. }) {
            let there = data.to_client.len();
            if there == 0 {
                let bytes = current.bytes.len() as u64;
                return (false, data.server_closed.then_some(ClientEvent::Moved { bytes }));
            }
            current.bytes.extend(data.to_client.drain(..1 + env.below(there)));
            return (true, None);
        }
        let left = current.bytes.len() - current.sent;
        if left > 0 && data.server_closed {
            return (false, Some(ClientEvent::DataFailed));
        }
        let count = if left == 0 { 0 } else { 1 + env.below(left) };
        data.to_server.extend(&current.bytes[current.sent..current.sent + count]);
        current.sent += count;
        (count > 0, (count == left).then_some(ClientEvent::Moved { bytes: current.sent as u64 }))
    }

    fn settle(&mut self, wires: &mut Wires, env: &mut Env) {
        while let Some(effect) = self.session.poll_effect() {
            env.note(wires.link, || format!("client wants {effect:?}"));
            match effect {
                ClientEffect::ConnectData { port, .. } => self.connect(port, wires, env),
                ClientEffect::TakeNames { lines } => {
                    self.current.as_mut().expect("names come for an operation").bytes.extend(lines);
                }
                ClientEffect::StartMoving { .. } => {
                    let data = self.data.expect("bytes move on a connection");
                    env.soon(wires.link, Happening::ClientMoves(data));
                }
                ClientEffect::AbandonData => {
                    self.connecting = false;
                    self.close_data(wires);
                }
                ClientEffect::CloseControl => {
                    if self.current.is_none() && !wires.cut {
                        env.saw("session closed by the server");
                    }
                    assert!(!self.closed, "a session is over once");
                    self.closed = true;
                    wires.end_to_server(env);
                }
                ClientEffect::StartTls | ClientEffect::ListenData { .. } | ClientEffect::StopMoving => {
                    unreachable!("only in `ftp`")
                }
            }
        }
        let pending = self.session.outbox().pending();
        if !pending.is_empty() && !self.closed {
            wires.send_to_server(pending, env);
            let count = pending.len();
            self.session.outbox().consume(count);
        }
        if let Some(outcome) = self.session.poll_outcome() {
            self.conclude(outcome, wires, env);
        }
        assert!(!self.closed || self.current.is_none(), "an operation without an outcome");
    }

    fn connect(&mut self, port: u16, wires: &mut Wires, env: &mut Env) {
        self.connecting = true;
        self.connects += 1;
        let attempt = self.connects;
        match env.chance(env.faults.data) {
            false => env.soon(wires.link, Happening::Connect(port, attempt)),
            true if env.chance(30) => {
                env.saw("late connect");
                let delay = Duration::from_millis(8_000 + env.below(4_000) as u64);
                env.after(delay, wires.link, Happening::Connect(port, attempt));
            }
            true if env.chance(50) => env.soon(wires.link, Happening::Connected(attempt, None)),
            // Lost on its way: only a timer can tell.
            true => {}
        }
    }

    fn close_data(&mut self, wires: &mut Wires) {
        if let Some(data) = self.data.take() {
            wires.data[data].client_closed = true;
        }
    }

    /// Holds the outcome against what has really happened.
    fn conclude(&mut self, outcome: Outcome, wires: &mut Wires, env: &mut Env) {
        let Current { operation, bytes, before, .. } = self.current.take().expect("one outcome for each operation");
        env.note(wires.link, || format!("client's outcome: {outcome:?}"));
        let committed = match &operation {
            Operation::Put { name, .. } => env.disk.times_committed(name, &bytes),
            _ => 0,
        };
        match &outcome {
            Outcome::Complete => match &operation {
                Operation::Get { name, .. } => {
                    let had = env.disk.had_since(before.versions, name, &bytes);
                    assert!(had, "a download of what was not there at the time");
                    env.saw("get complete");
                }
                Operation::Put { .. } => {
                    assert!(committed == 1, "a confirmed upload was committed {committed} times");
                    env.saw("put complete");
                }
                Operation::List { .. } => {
                    assert!(env.disk.had_names_since(&before.names, &bytes), "a listing of what was not there");
                    env.saw("list complete");
                }
                Operation::Quit => env.saw("quit complete"),
                operation => unreachable!("{operation:?} is not of these dialects"),
            },
            Outcome::Refused { text, .. } => {
                assert!(committed == 0, "a refused upload was committed");
                // What is two words in one dialect is one in another.
                env.saw(format!("refused {}", String::from_utf8_lossy(text).replace(' ', "")));
            }
            Outcome::Failed { failure, .. } => {
                assert!(committed <= 1, "committed twice");
                assert!(
                    !matches!(failure, Failure::UnexpectedReply(_)),
                    "the ends do not understand each other: {outcome:?}"
                );
                env.saw(format!("failed {failure:?}"));
            }
            outcome => panic!("{operation:?} has the outcome {outcome:?}"),
        }
        self.stalled = false;
        if !self.closed {
            let pause = if env.chance(env.faults.idle) { TOO_LONG } else { Duration::from_millis(1) };
            env.after(pause, wires.link, Happening::Begin);
        }
    }

    fn wish(&self, env: &mut Env) -> Current {
        let name = NAMES[env.below(NAMES.len())].as_bytes().to_vec();
        let (operation, bytes) = match env.below(10) {
            0..4 => (Operation::Get { name, offset: 0 }, Vec::new()),
            4..8 => {
                // The first bytes are in no other upload, so that each can be told from all others.
                let mut bytes = format!("{}.{}:", self.person, self.left).into_bytes();
                bytes.resize(bytes.len() + env.below(1500), b'a' + (self.left % 26) as u8);
                let declared = self.dialect == Dialect::Updown || env.chance(60);
                let size = declared.then_some(bytes.len() as u64);
                env.disk.attempts.push((name.clone(), bytes.clone(), size.is_some()));
                (Operation::Put { name, size, mode: PutMode::Replace }, bytes)
            }
            _ => (Operation::List { path: None, form: ListingForm::Names }, Vec::new()),
        };
        let versions = match &operation {
            Operation::Get { name, .. } => env.disk.versions(name),
            _ => 0,
        };
        Current { operation, bytes, sent: 0, before: Before { versions, names: env.disk.names() } }
    }
}

fn quit() -> Current {
    Current { operation: Operation::Quit, bytes: Vec::new(), sent: 0, before: Before::default() }
}

const NAMES: [&str; 6] = ["a", "b.txt", "my notes", "dir/file", "2024", "DONE"];

/// Longer than the server lets a session be idle.
const TOO_LONG: Duration = Duration::from_secs(400);

/// How soon the driver looks again at a connection that had nothing.
const POLL: Duration = Duration::from_millis(200);
