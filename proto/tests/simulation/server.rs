//! The server's side of a link: a session, and a shell that does what it asks for, in its own time.

use std::time::{Duration, Instant};

use muxftp_proto::server::io::{Effect, Event, OperationId, SessionConfig};
use muxftp_proto::{Cause, DataPortPolicy, Dialect, ServerSession, VPath, limits};

use crate::env::Env;
use crate::link::{Answer, Arrival, Happening, Number, Numbered, Wires, connected};

/// A session and its shell.
pub struct ServerSide {
    dialect: Dialect,
    session: ServerSession,
    /// How many transfers there have been.
    count: Number,
    running: Option<Running>,
    /// The sessions' numbers of the transfers that have ended.
    past: Vec<OperationId>,
    /// The session has asked for the end: nothing may be asked for after that.
    ended: bool,
    /// To be closed when the replies are out.
    closing: bool,
    pub closed: bool,
}

/// What the shell holds for the running transfer.
struct Running {
    numbered: Numbered,
    wish: Option<Wish>,
    open: Option<Open>,
    port: Option<u16>,
    data: Option<usize>,
    limit: Option<u64>,
    bytes: u64,
    committing: bool,
    to_control: bool,
    stalled: bool,
}

/// What is to be opened.
enum Wish {
    Read(VPath),
    Write(VPath),
    List,
}

enum Open {
    Send(Vec<u8>),
    Upload { temporary: u64, path: VPath },
}

impl ServerSide {
    pub fn new(dialect: Dialect, now: Instant) -> ServerSide {
        ServerSide {
            dialect,
            session: ServerSession::new(dialect, config(), now),
            count: 0,
            running: None,
            past: Vec::new(),
            ended: false,
            closing: false,
            closed: false,
        }
    }

    pub fn next_timeout(&self) -> Option<Instant> {
        if self.closed { None } else { self.session.next_timeout() }
    }

    pub fn timeout(&mut self, wires: &mut Wires, env: &mut Env) {
        self.session.handle_timeout(env.now);
        self.settle(wires, env);
    }

    /// Bytes, or their end, arrive; a session that does not want them leaves them in the wire.
    pub fn control(&mut self, wires: &mut Wires, env: &mut Env) {
        if !self.closed && !self.session.wants_input() && !self.closing {
            return env.after(Duration::from_millis(1), wires.link, Happening::ToServer);
        }
        let arrival = wires.arrive_at_server(env);
        if self.closed {
            return;
        }
        match arrival {
            Arrival::Bytes(bytes) => self.session.handle_input(&bytes, env.now),
            Arrival::End => self.session.handle_end_of_input(env.now),
            Arrival::Nothing => {}
        }
        self.settle(wires, env);
    }

    pub fn lost(&mut self, wires: &mut Wires, env: &mut Env) {
        if !self.closed {
            self.session.handle_lost(env.now);
            self.settle(wires, env);
        }
    }

    pub fn drain(&mut self, wires: &mut Wires, env: &mut Env) {
        if !self.closed {
            env.saw("server drained");
            self.session.drain(env.now);
            self.settle(wires, env);
        }
    }

    pub fn flush(&mut self, wires: &mut Wires, env: &mut Env) {
        if !self.closed {
            self.settle(wires, env);
        }
    }

    /// An answer of the shell is due. Those of transfers that have ended are given all the same: they must do nothing.
    pub fn answer(&mut self, answer: Answer, wires: &mut Wires, env: &mut Env) {
        let (Answer::Opened(number)
        | Answer::Listening(number)
        | Answer::Connected(number)
        | Answer::Committed(number)) = answer;
        let Some(running) = self.running.as_mut().filter(|running| running.numbered.number == number) else {
            return;
        };
        let event = match answer {
            Answer::Opened(_) => running.opened(self.dialect, env),
            Answer::Listening(_) => running.listening(self.dialect.data_ports(), wires, env),
            Answer::Connected(_) => running.accepted(wires),
            Answer::Committed(_) => running.committed(env),
        };
        if let Some(event) = event {
            self.tell(event, wires, env);
        }
    }

    /// A client has connected to the data port.
    pub fn peer_at_port(&mut self, port: u16, data: usize, wires: &mut Wires, env: &mut Env) -> bool {
        match &self.running {
            Some(running) if running.port == Some(port) && wires.waiting.is_none() => {
                wires.waiting = Some(data);
                env.soon(wires.link, Happening::Answer(Answer::Connected(running.numbered.number)));
                true
            }
            _ => false,
        }
    }

    /// Moves some bytes of a transfer.
    pub fn moves(&mut self, number: Number, wires: &mut Wires, env: &mut Env) {
        let Some(running) = self.running.as_mut().filter(|running| running.numbered.number == number) else { return };
        let before = running.bytes;
        let news = match running.to_control {
            true => running.next_names(&mut self.session, env),
            false => running.moves(wires, env),
        };
        let (op, bytes) = (running.numbered.op, running.bytes);
        if bytes > before {
            self.tell(Event::Progress { op, bytes }, wires, env);
        }
        match news {
            Some(event) => self.tell(event, wires, env),
            None if bytes > before => env.soon(wires.link, Happening::ServerMoves(number)),
            None => env.after(POLL, wires.link, Happening::ServerMoves(number)),
        }
    }

    /// What is still held, by name; nothing when all is over.
    pub fn held(&self) -> Option<&'static str> {
        match (&self.running, self.closed) {
            (Some(_), _) => Some("a transfer"),
            (None, false) => Some("a session"),
            (None, true) => None,
        }
    }

    fn tell(&mut self, event: Event, wires: &mut Wires, env: &mut Env) {
        env.note(wires.link, || format!("server: {event:?}"));
        self.session.handle_event(event, env.now);
        self.tell_late(env);
        self.settle(wires, env);
    }

    /// The one rule: effects, flush; the world arms the timer.
    fn settle(&mut self, wires: &mut Wires, env: &mut Env) {
        loop {
            while let Some(effect) = self.session.poll_effect() {
                self.apply(effect, wires, env);
            }
            let pending = self.session.outbox().pending();
            assert!(pending.len() <= limits::OUTBOX_BYTES_MAX + REPLY_BYTES_MAX, "replies without bound");
            if pending.is_empty() || self.closed {
                break;
            }
            let blocked = env.chance(env.faults.blocked);
            let count = if blocked { env.below(pending.len()) } else { pending.len() };
            wires.send_to_client(&pending[..count], env);
            self.session.outbox().consume(count);
            if !self.session.outbox().is_empty() {
                env.sometime(wires.link, Happening::Flush);
                break;
            }
            self.session.handle_flushed(env.now);
        }
        if self.closing && !self.closed && self.session.outbox().is_empty() {
            self.closed = true;
            wires.end_to_client(env);
        }
    }

    fn apply(&mut self, effect: Effect, wires: &mut Wires, env: &mut Env) {
        env.note(wires.link, || format!("server wants {effect:?}"));
        assert!(!self.ended || matches!(effect, Effect::DropControl), "{effect:?} after the end");
        match effect {
            Effect::OpenRead { op, path } => self.open(op, Wish::Read(path), wires, env),
            Effect::OpenWrite { op, path, .. } => self.open(op, Wish::Write(path), wires, env),
            Effect::OpenList { op, .. } => self.open(op, Wish::List, wires, env),
            Effect::ListenData { op } => {
                let number = self.of(op).numbered.number;
                env.sometime(wires.link, Happening::Answer(Answer::Listening(number)));
            }
            Effect::StartMoving { op, limit } => {
                let running = self.of(op);
                running.limit = limit;
                let number = running.numbered.number;
                env.soon(wires.link, Happening::ServerMoves(number));
            }
            Effect::MoveToControl { op } => {
                let running = self.of(op);
                running.to_control = true;
                let number = running.numbered.number;
                env.soon(wires.link, Happening::ServerMoves(number));
            }
            Effect::CloseData { op } => self.of(op).close_data(wires, env),
            Effect::Commit { op } => {
                let running = self.of(op);
                running.committing = true;
                let number = running.numbered.number;
                env.sometime(wires.link, Happening::Answer(Answer::Committed(number)));
            }
            Effect::Release { op, report } => {
                self.of(op);
                let mut running = self.running.take().unwrap();
                running.release(report.result.is_ok(), wires, env);
                self.past.push(op);
                self.tell_late(env);
            }
            Effect::CloseControl { .. } => {
                self.ended = true;
                self.closing = true;
            }
            Effect::DropControl => {
                self.ended = true;
                self.closed = true;
                wires.end_to_client(env);
            }
        }
    }

    /// A worker that had begun a transfer's work before it ended answers after that. It must make no difference.
    fn tell_late(&mut self, env: &mut Env) {
        if self.past.is_empty() || !env.chance(10) {
            return;
        }
        let op = self.past[env.below(self.past.len())];
        env.saw("late answer");
        let late = [
            Event::StorageReady { op, size: Some(7) },
            Event::StorageFailed { op, cause: Cause::DiskError },
            Event::DataListening { op, port: 9 },
            Event::DataFailed { op, cause: Cause::NoDataPort },
            Event::DataConnected { op },
            Event::Progress { op, bytes: 7 },
            Event::Moved { op, bytes: 7 },
            Event::MoveFailed { op, bytes: 7, cause: Cause::DataLost },
            Event::Committed { op },
        ];
        let before = format!("{:?}", self.session);
        self.session.handle_event(late[env.below(late.len())], env.now);
        assert_eq!(format!("{:?}", self.session), before, "a late answer made a difference");
    }

    fn open(&mut self, op: OperationId, wish: Wish, wires: &mut Wires, env: &mut Env) {
        assert!(self.running.is_none(), "two transfers at once");
        self.count += 1;
        let numbered = Numbered { number: self.count, op };
        self.running = Some(Running {
            numbered,
            wish: Some(wish),
            open: None,
            port: None,
            data: None,
            limit: None,
            bytes: 0,
            committing: false,
            to_control: false,
            stalled: false,
        });
        env.sometime(wires.link, Happening::Answer(Answer::Opened(numbered.number)));
    }

    fn of(&mut self, op: OperationId) -> &mut Running {
        self.running.as_mut().filter(|running| running.numbered.op == op).expect("an effect of the running transfer")
    }
}

impl Running {
    fn opened(&mut self, dialect: Dialect, env: &mut Env) -> Option<Event> {
        let op = self.numbered.op;
        let wish = self.wish.take()?;
        if env.chance(env.faults.disk) {
            return Some(Event::StorageFailed { op, cause: Cause::DiskError });
        }
        let (open, size) = match wish {
            Wish::Read(path) => match env.disk.read(&path) {
                Ok(bytes) => {
                    let size = bytes.len() as u64;
                    (Open::Send(bytes), Some(size))
                }
                Err(cause) => return Some(Event::StorageFailed { op, cause }),
            },
            Wish::Write(path) => (Open::Upload { temporary: env.disk.begin(), path }, None),
            Wish::List => (Open::Send(env.disk.list(dialect)), None),
        };
        self.open = Some(open);
        Some(Event::StorageReady { op, size })
    }

    fn listening(&mut self, policy: DataPortPolicy, wires: &mut Wires, env: &mut Env) -> Option<Event> {
        let op = self.numbered.op;
        if policy == DataPortPolicy::Shared {
            // Each person has an address of his own here: nobody is ever held back.
            self.port = Some(SHARED_PORT);
            return Some(Event::DataListening { op, port: SHARED_PORT });
        }
        let skipped = env.below(10);
        let free = (20_000..20_050).filter(|port| !env.ports.contains(port)).nth(skipped);
        let Some(port) = free.filter(|_| !env.chance(env.faults.ports)) else {
            return Some(Event::DataFailed { op, cause: Cause::NoDataPort });
        };
        env.ports.insert(port);
        self.port = Some(port);
        wires.port = Some(port);
        Some(Event::DataListening { op, port })
    }

    fn accepted(&mut self, wires: &mut Wires) -> Option<Event> {
        self.data = Some(wires.waiting.take()?);
        Some(connected(self.numbered))
    }

    fn committed(&mut self, env: &mut Env) -> Option<Event> {
        let op = self.numbered.op;
        self.committing = false;
        if env.chance(env.faults.disk) {
            return Some(Event::StorageFailed { op, cause: Cause::DiskError });
        }
        if let Some(Open::Upload { temporary, path }) = self.open.take() {
            env.disk.commit(temporary, &path);
        }
        Some(Event::Committed { op })
    }

    /// A piece of a listing goes behind the replies, while there is room.
    fn next_names(&mut self, session: &mut ServerSession, env: &mut Env) -> Option<Event> {
        let (op, bytes) = (self.numbered.op, self.bytes);
        if env.chance(env.faults.disk) {
            return Some(Event::MoveFailed { op, bytes, cause: Cause::DiskError });
        }
        let Some(Open::Send(content)) = &self.open else { panic!("names come from something open") };
        let left = &content[self.bytes as usize..];
        if left.is_empty() {
            return Some(Event::Moved { op, bytes });
        }
        if !session.outbox().is_full() {
            let count = 1 + env.below(left.len());
            session.push_names(&left[..count]);
            self.bytes += count as u64;
        }
        None
    }

    fn moves(&mut self, wires: &mut Wires, env: &mut Env) -> Option<Event> {
        let (op, bytes) = (self.numbered.op, self.bytes);
        let data = &mut wires.data[self.data.expect("bytes move on a connection")];
        self.stalled |= env.chance(env.faults.stall);
        if self.stalled {
            // Neither end nor byte: the session's timer has to end it.
            return None;
        }
        if data.broken {
            return Some(Event::MoveFailed { op, bytes, cause: Cause::DataLost });
        }
        if env.chance(env.faults.disk) {
            let cause = if matches!(self.open, Some(Open::Upload { .. })) { Cause::NoSpace } else { Cause::DiskError };
            return Some(Event::MoveFailed { op, bytes, cause });
        }
        match self.open.as_mut().expect("bytes move from or to something open") {
            Open::Send(content) => {
                if data.client_closed {
                    return Some(Event::MoveFailed { op, bytes, cause: Cause::DataLost });
                }
                let left = &content[self.bytes as usize..];
                let room = SOCKET_BYTES.saturating_sub(data.to_client.len()).min(left.len());
                let count = if room == 0 { 0 } else { 1 + env.below(room) };
                data.to_client.extend(&left[..count]);
                self.bytes += count as u64;
                (self.bytes == content.len() as u64).then_some(Event::Moved { op, bytes: self.bytes })
            }
            Open::Upload { temporary, .. } => {
                let wanted = self.limit.map_or(usize::MAX, |limit| (limit - self.bytes) as usize);
                let there = data.to_server.len().min(wanted);
                let count = if there == 0 { 0 } else { 1 + env.below(there) };
                let taken: Vec<u8> = data.to_server.drain(..count).collect();
                env.disk.append(*temporary, &taken);
                self.bytes += count as u64;
                let ended = data.client_closed && data.to_server.is_empty();
                (count == wanted || ended).then_some(Event::Moved { op, bytes: self.bytes })
            }
        }
    }

    fn close_data(&mut self, wires: &mut Wires, env: &mut Env) {
        if let Some(data) = self.data.take() {
            wires.data[data].server_closed = true;
        }
        if let Some(waiting) = wires.waiting.take() {
            wires.data[waiting].broken = true;
        }
        if let Some(port) = self.port.take().filter(|port| *port != SHARED_PORT) {
            env.ports.remove(&port);
            wires.port = None;
        }
    }

    fn release(&mut self, well: bool, wires: &mut Wires, env: &mut Env) {
        self.close_data(wires, env);
        if let Some(Open::Upload { temporary, path }) = self.open.take() {
            assert!(!well, "an upload was confirmed without its commit");
            // A commit that is with a worker may be done before it hears of the end.
            if self.committing && env.chance(50) {
                env.saw("commit after loss");
                env.disk.commit(temporary, &path);
            } else {
                env.disk.discard(temporary);
            }
        }
    }
}

fn config() -> SessionConfig {
    SessionConfig {
        may_read: true,
        may_write: true,
        data_connect_timeout: Duration::from_secs(10),
        stall_timeout: Duration::from_secs(60),
        idle_timeout: Duration::from_secs(300),
    }
}

/// How soon the shell looks again at a connection that had nothing.
const POLL: Duration = Duration::from_millis(200);

/// Of the dialects that share one.
const SHARED_PORT: u16 = 5002;

/// What a socket holds for a peer that does not read.
const SOCKET_BYTES: usize = 500;

/// No reply is longer.
const REPLY_BYTES_MAX: usize = 200;
