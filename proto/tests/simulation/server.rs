//! The server's side of a link: a session, and a shell that does what it asks for, in its own time.

use std::time::{Duration, Instant};

use muxftp_proto::server::io::{Effect, Ends, Event, OperationId, SessionConfig, TlsMode};
use muxftp_proto::{Cause, Dialect, Permissions, ServerSession, limits};

use crate::env::Env;
use crate::link::{Answer, Arrival, Happening, Number, Numbered, Wires};
use crate::running::{Running, Wish};

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
    /// Bytes wait in the wire until the session wants them.
    held_back: bool,
    pub closed: bool,
}

impl ServerSide {
    pub fn new(dialect: Dialect, now: Instant) -> ServerSide {
        ServerSide {
            dialect,
            session: ServerSession::new(dialect, config(), ends(), now),
            count: 0,
            running: None,
            past: Vec::new(),
            ended: false,
            closing: false,
            held_back: false,
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
            self.held_back = true;
            return;
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
            if self.session.has_work() {
                self.session.resume(env.now);
            }
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
            Some(running) if running.port == Some(port) && running.data.is_none() && wires.waiting.is_none() => {
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
            if pending.len() >= limits::OUTBOX_BYTES_MAX {
                env.saw("replies wait");
            }
            if is_deaf(wires, env) {
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
        if self.session.has_work() && !self.closed {
            env.saw("commands wait for their turn");
            env.soon(wires.link, Happening::Flush);
        }
        if self.held_back && (self.session.wants_input() || self.closing || self.closed) {
            self.held_back = false;
            env.soon(wires.link, Happening::ToServer);
        }
    }

    fn apply(&mut self, effect: Effect, wires: &mut Wires, env: &mut Env) {
        env.note(wires.link, || format!("server wants {effect:?}"));
        let may_follow = !self.ended || (matches!(effect, Effect::DropControl) && !self.closed);
        assert!(may_follow, "{effect:?} after the end");
        match effect {
            Effect::OpenRead { op, path, .. } => self.open(op, Wish::Read(path), wires, env),
            Effect::OpenWrite { op, path, .. } => self.open(op, Wish::Write(path), wires, env),
            Effect::OpenList { op, .. } => self.open(op, Wish::List, wires, env),
            Effect::ListenData { op } => {
                let number = self.of(op).numbered.number;
                env.sometime(wires.link, Happening::Answer(Answer::Listening(number)));
            }
            Effect::StartMoving { op, limit, .. } => {
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
            Effect::ConnectData { .. } | Effect::Run { .. } | Effect::LogOut => unreachable!("only in `ftp`"),
            Effect::CloseControl { .. } => {
                self.ended = true;
                self.closing = true;
            }
            Effect::Secure => unreachable!("a dialect without TLS"),
            Effect::DropControl => {
                self.ended = true;
                wires.dropped = !self.session.outbox().is_empty();
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
            Event::StorageReady { op, size: Some(7), name: None },
            Event::StorageFailed { op, cause: Cause::DiskError },
            Event::DataListening { op, port: 9 },
            Event::DataFailed { op, cause: Cause::NoDataPort },
            Event::DataConnected { op },
            Event::Progress { op, bytes: 7 },
            Event::Moved { op, bytes: 7 },
            Event::MoveFailed { op, bytes: 7, cause: Cause::DataLost },
            Event::Committed { op },
            Event::TaskProgress { op },
        ];
        let before = format!("{:?}", self.session);
        self.session.handle_event(late[env.below(late.len())].clone(), env.now);
        assert_eq!(format!("{:?}", self.session), before, "a late answer made a difference");
    }

    fn open(&mut self, op: OperationId, wish: Wish, wires: &mut Wires, env: &mut Env) {
        assert!(self.running.is_none(), "two transfers at once");
        self.count += 1;
        let numbered = Numbered { number: self.count, op };
        self.running = Some(Running::new(numbered, wish));
        env.sometime(wires.link, Happening::Answer(Answer::Opened(numbered.number)));
    }

    fn of(&mut self, op: OperationId) -> &mut Running {
        self.running.as_mut().filter(|running| running.numbered.op == op).expect("an effect of the running transfer")
    }
}

/// Whether the control socket takes nothing because the peer does not read.
fn is_deaf(wires: &mut Wires, env: &mut Env) -> bool {
    if wires.deaf_until.is_none() && env.chance(env.faults.deaf) {
        env.saw("peer does not read");
        let for_good = env.chance(30);
        let time = if for_good { FOR_GOOD } else { Duration::from_secs(env.below(60) as u64) };
        wires.deaf_until = Some(env.now + time);
        if !for_good {
            env.after(time, wires.link, Happening::Flush);
        }
    }
    wires.deaf_until.is_some_and(|until| env.now < until)
}

fn config() -> SessionConfig {
    SessionConfig {
        permissions: Permissions::ALL,
        data_connect_timeout: Duration::from_secs(10),
        stall_timeout: Duration::from_secs(60),
        storage_timeout: Duration::from_secs(30),
        idle_timeout: Duration::from_secs(300),
        login_timeout: Duration::from_secs(60),
        tls: TlsMode::Off,
    }
}

fn ends() -> Ends {
    Ends {
        local: "192.0.2.1:21".parse().expect("an address"),
        peer: "192.0.2.9:4000".parse().expect("an address"),
        public: None,
    }
}

/// How soon the shell looks again at a connection that had nothing.
const POLL: Duration = Duration::from_millis(200);

/// Longer than any world goes on.
const FOR_GOOD: Duration = Duration::from_secs(1_000_000);

/// No reply is longer.
const REPLY_BYTES_MAX: usize = 200;
