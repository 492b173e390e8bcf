//! One session's control connection: bytes in and out, effects applied, timer armed.
//!
//! It must not know other sessions. [`Session::settle`] is the one place where effects are applied, replies written and
//! the timer armed, after every input.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use mio::net::TcpStream;
use muxftp_proto::server::io::{Effect, Ends, Event, OperationId, SessionConfig, TransferReport};
use muxftp_proto::{Cause, DataPortPolicy, Dialect, ServerSession};
use muxftp_reactor::pump::{self, Step};
use muxftp_reactor::{Again, Key, Reactor, Readiness};
use socket2::{SockRef, TcpKeepalive};

use super::content::Next;
use super::data::DataPlane;
use super::open::{self, Opened, Ready};
use super::tasks::Purpose;
use super::{Owner, Shared};
use crate::log;
use crate::storage::Root;

/// A session with its sockets.
pub(super) struct Session {
    key: Key,
    /// The session in the log.
    line: log::Session,
    proto: ServerSession,
    stream: TcpStream,
    stream_key: Key,
    /// Our address as the peer sees it: data ports are bound there.
    local: IpAddr,
    opened: Instant,
    transfers: u64,
    fate: Fate,
    closing: Option<Option<Cause>>,
    /// A listing is being written to the control connection.
    to_control: bool,
    /// Whose session it is; none before a log-in.
    account: Option<Key>,
    /// An answer that is held back: the price of a wrong password.
    held_back: Option<Box<(Instant, Event)>>,
    /// What the running transfer holds; boxed, since most sessions are idle most of the time.
    data: Option<Box<DataPlane>>,
}

/// Whether a session goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    Lives,
    Over,
}

impl Session {
    /// Takes over an accepted connection.
    ///
    /// # Errors
    /// Its socket cannot be set up; the peer is probably gone.
    pub(super) fn open(
        key: Key,
        line: log::Session,
        config: SessionConfig,
        account: Option<Key>,
        public: Option<Ipv4Addr>,
        mut stream: TcpStream,
        rx: &mut Reactor<Owner>,
    ) -> io::Result<Session> {
        let now = rx.now();
        // Replies are small and each is waited for: Nagle's algorithm would only delay them.
        stream.set_nodelay(true)?;
        let local = stream.local_addr()?;
        if line.dialect == Dialect::Ftp {
            let socket = SockRef::from(&stream);
            // The urgent byte before an ABOR is one of its Telnet commands.
            socket.set_out_of_band_inline(true)?;
            // Long transfers leave the control connection silent, which routers on the way forget.
            socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(KEEPALIVE))?;
        }
        let stream_key = rx.register(&mut stream, Owner::Control(key))?;
        let proto = ServerSession::new(line.dialect, config, Ends { local, peer: line.peer, public }, now);
        log::session_opened(&line);
        Ok(Session {
            key,
            line,
            proto,
            stream,
            stream_key,
            local: local.ip(),
            opened: now,
            transfers: 0,
            fate: Fate::Lives,
            closing: None,
            to_control: false,
            account,
            held_back: None,
            data: None,
        })
    }

    /// The greeting, and the first timer.
    pub(super) fn begin(&mut self, shared: &mut Shared, rx: &mut Reactor<Owner>) -> Again {
        self.settle(shared, rx);
        Again::No
    }

    pub(super) fn key(&self) -> Key {
        self.key
    }

    pub(super) fn line(&self) -> &log::Session {
        &self.line
    }

    pub(super) fn set_account(&mut self, account: Key) {
        self.account = Some(account);
    }

    /// The files of the account.
    pub(super) fn root(&self, shared: &mut Shared) -> Result<Arc<Root>, Cause> {
        let account = self.account.and_then(|account| shared.accounts.get(account)).ok_or(Cause::NotLoggedIn)?;
        Ok(Arc::clone(&account.root))
    }

    /// Tells the session something outside of its inputs' order.
    pub(super) fn answer(&mut self, event: Event, rx: &Reactor<Owner>) {
        self.proto.handle_event(event, rx.now());
    }

    pub(super) fn hold_back(&mut self, until: Instant, event: Event) {
        self.held_back = Some(Box::new((until, event)));
    }

    /// Whether an answer of this number is still waited for.
    pub(super) fn awaits(&self, op: OperationId) -> bool {
        self.proto.awaits(op)
    }

    pub(super) fn peer(&self) -> SocketAddr {
        self.line.peer
    }

    pub(super) fn fate(&self) -> Fate {
        self.fate
    }

    /// The control connection has news.
    pub(super) fn ready_control(
        &mut self,
        shared: &mut Shared,
        rx: &mut Reactor<Owner>,
        readiness: Readiness,
    ) -> Again {
        let again = if readiness.readable { self.read(shared, rx) } else { Again::No };
        self.settle(shared, rx);
        again
    }

    /// A peer is at the data port.
    pub(super) fn ready_data_listener(&mut self, shared: &mut Shared, rx: &mut Reactor<Owner>) -> Again {
        if let Some(data) = &mut self.data {
            let op = data.link.op;
            match data.link.accept(rx, self.line.peer) {
                Ok(false) => {}
                Ok(true) => self.proto.handle_event(Event::DataConnected { op }, rx.now()),
                Err(cause) => self.proto.handle_event(Event::DataFailed { op, cause }, rx.now()),
            }
            self.settle(shared, rx);
        }
        Again::No
    }

    /// A shared port is free for the transfer that was held back.
    pub(super) fn data_port_granted(&mut self, port: u16, shared: &mut Shared, rx: &mut Reactor<Owner>) -> Again {
        if let Some(data) = &self.data {
            self.proto.handle_event(Event::DataListening { op: data.link.op, port }, rx.now());
            self.settle(shared, rx);
        }
        Again::No
    }

    /// The data connection has come to a shared port.
    pub(super) fn data_connected(&mut self, stream: TcpStream, shared: &mut Shared, rx: &mut Reactor<Owner>) -> Again {
        if let Some(data) = &mut self.data {
            data.link.take(stream);
            self.proto.handle_event(Event::DataConnected { op: data.link.op }, rx.now());
            self.settle(shared, rx);
        }
        Again::No
    }

    /// The data connection has news, or its budget is renewed.
    pub(super) fn ready_data(&mut self, shared: &mut Shared, rx: &mut Reactor<Owner>) -> Again {
        if let Some(data) = &mut self.data
            && let Some(connected) = data.link.finish_connect()
        {
            let op = data.link.op;
            let event = match connected {
                Ok(()) => Event::DataConnected { op },
                Err(cause) => Event::DataFailed { op, cause },
            };
            self.proto.handle_event(event, rx.now());
        }
        let again = self.run_data(shared, rx);
        self.settle(shared, rx);
        again
    }

    /// Something that was asked for elsewhere is done.
    pub(super) fn event(&mut self, event: Event, shared: &mut Shared, rx: &mut Reactor<Owner>) -> Again {
        self.proto.handle_event(event, rx.now());
        self.settle(shared, rx);
        Again::No
    }

    /// The time that was armed has come.
    pub(super) fn timeout(&mut self, shared: &mut Shared, rx: &mut Reactor<Owner>) -> Again {
        match self.held_back.take_if(|held| held.0 <= rx.now()) {
            Some(held) => self.proto.handle_event(held.1, rx.now()),
            None => self.proto.handle_timeout(rx.now()),
        }
        self.settle(shared, rx);
        Again::No
    }

    /// The server is ending.
    pub(super) fn drain(&mut self, shared: &mut Shared, rx: &mut Reactor<Owner>) -> Again {
        self.proto.drain(rx.now());
        self.settle(shared, rx);
        Again::No
    }

    /// Gives everything back.
    pub(super) fn close(&mut self, shared: &mut Shared, rx: &mut Reactor<Owner>) {
        if let Some(mut data) = self.data.take() {
            data.link.close(self.key, shared, rx);
        }
        self.leave_account(shared);
        rx.release(self.stream_key);
        let duration = rx.now().saturating_duration_since(self.opened);
        let why = match self.closing {
            Some(Some(cause)) => cause.words(),
            Some(None) => "closed",
            None => "lost",
        };
        log::session_closed(&self.line, self.transfers, duration, why);
    }

    fn read(&mut self, shared: &mut Shared, rx: &mut Reactor<Owner>) -> Again {
        for _ in 0..READS_PER_TURN {
            // The hint stays set: settle() queues the session again once there is room.
            if !self.proto.wants_input() {
                return Again::No;
            }
            let now = rx.now();
            match pump::receive(&self.stream, &mut shared.buffer[..CONTROL_READ_BYTES]) {
                Ok(Step::Moved(bytes)) => {
                    self.proto.handle_input(&shared.buffer[..bytes], now);
                    let Some(readiness) = rx.readiness(self.stream_key) else { return Again::No };
                    // A short read has emptied the socket, unless it stopped at the urgent byte of an ABOR, in the middle of
                    // a line; a hang-up that came before is still to be read.
                    let is_whole = shared.buffer[bytes - 1] == b'\n';
                    if bytes < CONTROL_READ_BYTES && is_whole && !readiness.read_closed {
                        readiness.readable = false;
                        return Again::No;
                    }
                    self.settle(shared, rx);
                }
                Ok(Step::Blocked) => {
                    self.clear_readable(rx);
                    return Again::No;
                }
                Ok(Step::End) => {
                    self.clear_readable(rx);
                    self.proto.handle_end_of_input(now);
                    return Again::No;
                }
                Err(_) => {
                    self.proto.handle_lost(now);
                    return Again::No;
                }
            }
        }
        Again::Yes
    }

    /// The one rule after each input: effects, flush, timer.
    fn settle(&mut self, shared: &mut Shared, rx: &mut Reactor<Owner>) {
        let mut pieces = NAMES_PIECES_PER_TURN;
        loop {
            while let Some(effect) = self.proto.poll_effect() {
                self.apply(effect, shared, rx);
            }
            if self.to_control && !self.proto.outbox().is_full() {
                if pieces == 0 {
                    rx.queue(self.stream_key);
                } else {
                    pieces -= 1;
                    self.move_to_control(rx);
                    continue;
                }
            }
            if !self.flush(rx) {
                break;
            }
        }
        if self.closing.is_some() && self.proto.outbox().is_empty() {
            self.fate = Fate::Over;
        }
        if self.fate == Fate::Lives {
            let held = self.held_back.as_ref().map(|held| held.0);
            rx.arm(self.stream_key, held.or_else(|| self.proto.next_timeout()));
            if self.proto.wants_input() && rx.readiness(self.stream_key).is_some_and(|readiness| readiness.readable) {
                rx.queue(self.stream_key);
            }
        }
    }

    /// Writes replies; `true`: all went out, and the session may have gone on because of that.
    fn flush(&mut self, rx: &mut Reactor<Owner>) -> bool {
        let mut wrote = false;
        loop {
            let pending = self.proto.outbox().pending();
            if pending.is_empty() {
                if wrote {
                    self.proto.handle_flushed(rx.now());
                }
                return wrote;
            }
            match pump::send(&self.stream, pending) {
                Ok(Step::Moved(bytes)) => self.proto.outbox().consume(bytes),
                Ok(Step::Blocked | Step::End) => return false,
                Err(_) => {
                    let unsent = self.proto.outbox().pending().len();
                    self.proto.outbox().consume(unsent);
                    self.proto.handle_lost(rx.now());
                    return true;
                }
            }
            wrote = true;
        }
    }

    fn apply(&mut self, effect: Effect, shared: &mut Shared, rx: &mut Reactor<Owner>) {
        match effect {
            Effect::OpenRead { op, path, part } => {
                let opened = self.root(shared).and_then(|root| open::read(&root, &path, part));
                self.open_or_look(op, opened, shared, rx);
            }
            Effect::OpenWrite { op, path, size, mode } => {
                let opened = self.root(shared).and_then(|root| open::write(&root, &path, size, mode));
                self.open_or_look(op, opened, shared, rx);
            }
            Effect::OpenList { op, path, listing } => {
                let dialect = self.line.dialect;
                let opened = self.root(shared).and_then(|root| open::list(&root, &path, listing, dialect));
                self.open_or_look(op, opened, shared, rx);
            }
            Effect::ListenData { op } => self.listen_data(op, shared, rx),
            Effect::ConnectData { op, to } => {
                let (key, local) = (self.key, self.local);
                let link = &mut self.data().link;
                link.op = op;
                if let Err(cause) = link.connect(rx, key, local, to) {
                    self.proto.handle_event(Event::DataFailed { op, cause }, rx.now());
                }
            }
            Effect::StartMoving { limit, ascii, .. } => self.start_moving(limit, ascii, shared, rx),
            Effect::MoveToControl { .. } => self.to_control = true,
            Effect::CloseData { .. } => {
                if let Some(data) = &mut self.data {
                    data.link.close(self.key, shared, rx);
                }
                self.drop_empty_data();
            }
            Effect::Commit { op } => {
                let Some(data) = &mut self.data else { return };
                if let Some(event) = data.commit(op, self.key, shared) {
                    self.proto.handle_event(event, rx.now());
                }
            }
            Effect::Release { report, .. } => self.release(&report),
            Effect::Run { op, task } => self.run_task(op, task, shared, rx),
            Effect::LogOut => self.leave_account(shared),
            Effect::CloseControl { cause } => self.closing = Some(cause),
            Effect::DropControl => self.fate = Fate::Over,
        }
    }

    /// What was asked for is open, or must be looked at first.
    fn open_or_look(
        &mut self,
        op: OperationId,
        opened: Result<Opened, Cause>,
        shared: &mut Shared,
        rx: &mut Reactor<Owner>,
    ) {
        match opened {
            Ok(Opened::Ready(ready)) => self.opened(op, Ok(ready), rx),
            Ok(Opened::Position(survey, waiting)) => {
                if let Err(cause) = self.survey(op, survey, Purpose::Open(waiting), shared) {
                    self.opened(op, Err(cause), rx);
                }
            }
            Err(cause) => self.opened(op, Err(cause), rx),
        }
    }

    pub(super) fn opened(&mut self, op: OperationId, ready: Result<Ready, Cause>, rx: &mut Reactor<Owner>) {
        let event = match ready {
            Ok(Ready { content, size, name }) => {
                self.data().open(op, content);
                Event::StorageReady { op, size, name }
            }
            Err(cause) => Event::StorageFailed { op, cause },
        };
        self.proto.handle_event(event, rx.now());
    }

    /// The data side, made if it is not there.
    fn data(&mut self) -> &mut DataPlane {
        self.data.get_or_insert_with(|| Box::new(DataPlane::new()))
    }

    fn drop_empty_data(&mut self) {
        if self.data.as_ref().is_some_and(|data| data.is_empty()) {
            self.data = None;
        }
    }

    fn leave_account(&mut self, shared: &mut Shared) {
        if let Some(account) = self.account.take() {
            shared.accounts.leave(account, self.line.peer.ip());
        }
    }

    fn listen_data(&mut self, op: OperationId, shared: &mut Shared, rx: &mut Reactor<Owner>) {
        let (key, local, peer) = (self.key, self.local, self.line.peer.ip());
        let policy = self.line.dialect.data_ports();
        let link = &mut self.data().link;
        link.op = op;
        let listening = match policy {
            DataPortPolicy::Fresh => link.listen(shared, rx, key, local).map(Some),
            DataPortPolicy::Shared => Ok(link.share(shared, key, local, peer)),
        };
        match listening {
            Ok(Some(port)) => self.proto.handle_event(Event::DataListening { op, port }, rx.now()),
            // It is told when a port is free for it: see `data_port_granted`.
            Ok(None) => {}
            Err(cause) => self.proto.handle_event(Event::DataFailed { op, cause }, rx.now()),
        }
    }

    fn start_moving(&mut self, limit: Option<u64>, ascii: bool, shared: &mut Shared, rx: &mut Reactor<Owner>) {
        let Some(data) = &mut self.data else { return };
        if let Err(cause) = data.start(rx, self.key, limit, ascii) {
            let event = Event::MoveFailed { op: data.op(), bytes: 0, cause };
            return self.proto.handle_event(event, rx.now());
        }
        if data.sends() {
            // A fresh connection takes bytes at once: a small file needs no event at all.
            if self.run_data(shared, rx) == Again::Yes {
                self.queue_data(rx);
            }
        }
    }

    /// Moves bytes within the budget, and tells the session.
    fn run_data(&mut self, shared: &mut Shared, rx: &mut Reactor<Owner>) -> Again {
        let Some(data) = &mut self.data else { return Again::No };
        let before = data.bytes();
        let account = self.account.and_then(|account| shared.accounts.get(account));
        let rate = account.and_then(|account| if data.sends() { account.down.as_mut() } else { account.up.as_mut() });
        let now = rx.now();
        let next = data.run(rate, &mut shared.buffer, rx, self.key, now);
        let (op, bytes) = (data.op(), data.bytes());
        if bytes > before {
            self.proto.handle_event(Event::Progress { op, bytes }, now);
        }
        match next {
            Next::Wait => Again::No,
            Next::Again => Again::Yes,
            Next::Moved => {
                if data.ends_by_close() {
                    // A client that dies closes both connections: its death is not to be taken for the end of a file.
                    let _ = self.read(shared, rx);
                }
                self.proto.handle_event(Event::Moved { op, bytes }, now);
                Again::No
            }
            Next::Failed(cause) => {
                self.proto.handle_event(Event::MoveFailed { op, bytes, cause }, now);
                Again::No
            }
        }
    }

    /// Puts the next piece of a listing behind the replies.
    fn move_to_control(&mut self, rx: &mut Reactor<Owner>) {
        let Some(data) = &mut self.data else { return };
        let (next, piece) = data.next_names();
        self.proto.push_names(piece);
        let (op, bytes) = (data.op(), data.bytes());
        let event = match next {
            Next::Wait | Next::Again => Event::Progress { op, bytes },
            Next::Moved => Event::Moved { op, bytes },
            Next::Failed(cause) => Event::MoveFailed { op, bytes, cause },
        };
        self.to_control = matches!(next, Next::Wait | Next::Again);
        self.proto.handle_event(event, rx.now());
    }

    fn queue_data(&mut self, rx: &mut Reactor<Owner>) {
        if let Some(key) = self.data.as_ref().and_then(|data| data.link.key()) {
            rx.queue(key);
        }
    }

    fn release(&mut self, report: &TransferReport) {
        self.to_control = false;
        if let Some(data) = &mut self.data {
            data.release();
        }
        self.drop_empty_data();
        self.transfers += 1;
        let line = log::Transfer {
            verb: report.verb,
            path: &report.path,
            bytes: report.bytes,
            duration: report.duration,
            result: report.result.map_err(|cause| cause.unwrap_or(Cause::DataLost)),
        };
        log::transfer(&self.line, &line);
    }

    fn clear_readable(&mut self, rx: &mut Reactor<Owner>) {
        if let Some(readiness) = rx.readiness(self.stream_key) {
            readiness.readable = false;
        }
    }
}

/// How long a control connection may be silent before its peer is asked whether it is still there.
const KEEPALIVE: Duration = Duration::from_secs(60);

/// Several lines fit; a peer that sends more is read again.
const CONTROL_READ_BYTES: usize = 4096;

/// Pieces of a listing that go behind the replies before the other sessions have their turn.
const NAMES_PIECES_PER_TURN: usize = 8;

/// Reads of one control connection before the others have their turn.
const READS_PER_TURN: usize = 4;
