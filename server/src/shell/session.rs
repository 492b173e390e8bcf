//! A session with its sockets: effects applied, replies written, the timer armed.
//!
//! It must not know other sessions. [`Session::settle`] is the one place where effects are applied, replies written and
//! the timer armed, after every input.

mod control;
mod transfers;

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use mio::net::TcpStream;
use muxftp_proto::server::io::{Effect, Ends, Event, OperationId, SessionConfig};
use muxftp_proto::{Cause, Dialect, ServerSession};
use muxftp_reactor::tls::Stream;
use muxftp_reactor::{Again, Key, Reactor};
use socket2::{SockRef, TcpKeepalive};

use super::data::DataPlane;
use super::files::{AskedBy, Outcome, Try, Work};
use super::lanes::Place;
use super::open;
use super::{Owner, Shared};
use crate::config::UploadsWithoutClose;
use crate::limits;
use crate::log;
use crate::storage::Root;
use crate::tls::SessionTls;

/// A session with its sockets.
pub(super) struct Session {
    key: Key,
    /// The session in the log.
    line: log::Session,
    proto: ServerSession,
    stream: Stream,
    stream_key: Key,
    /// The encryption of this session, once it was asked for.
    tls: Option<SessionTls>,
    encryption: Encryption,
    uploads_without_close: UploadsWithoutClose,
    /// Events in a row that brought nothing.
    idle_wakes: u32,
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

/// How far the encryption of the control connection is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Encryption {
    /// There is none, or bytes move through it.
    Settled,
    /// The hand-shake comes behind the replies that are not written yet.
    Wanted,
    Shaking,
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
            stream: stream.into(),
            stream_key,
            tls: None,
            encryption: Encryption::Settled,
            uploads_without_close: UploadsWithoutClose::default(),
            idle_wakes: 0,
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

    /// What becomes of uploads over TLS that end without close_notify.
    pub(super) fn set_uploads_without_close(&mut self, setting: UploadsWithoutClose) {
        self.uploads_without_close = setting;
    }

    pub(super) fn account(&self) -> Option<Key> {
        self.account
    }

    pub(super) fn set_account(&mut self, account: Key) {
        self.account = Some(account);
    }

    /// The files of the account.
    pub(super) fn root(&self, shared: &mut Shared) -> Result<Arc<Root>, Cause> {
        let account = self.account.and_then(|account| shared.accounts.get(account)).ok_or(Cause::NotLoggedIn)?;
        Ok(Arc::clone(&account.root))
    }

    /// Where these files are, as far as the worker pool is concerned.
    pub(super) fn place(&self, shared: &mut Shared) -> Result<Place, Cause> {
        let account = self.account.and_then(|account| shared.accounts.get(account)).ok_or(Cause::NotLoggedIn)?;
        Ok(account.place)
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

    /// The time that transfers have to end is over.
    pub(super) fn cut(&mut self, shared: &mut Shared, rx: &mut Reactor<Owner>) -> Again {
        self.proto.cut(rx.now());
        self.settle(shared, rx);
        Again::No
    }

    /// Writes the last replies, as far as they can be written at once, and does nothing else: the process ends.
    pub(super) fn say_farewell(&mut self, rx: &mut Reactor<Owner>) {
        self.proto.cut(rx.now());
        let _ = self.flush(rx);
    }

    /// Gives everything back.
    pub(super) fn close(&mut self, shared: &mut Shared, rx: &mut Reactor<Owner>) {
        if let Some(mut data) = self.data.take() {
            data.link.close(self.key, shared, rx);
        }
        self.leave_account(shared);
        shared.passwords.forget(self.key, self.line.peer.ip());
        // Best effort: what does not fit now is not waited for.
        self.stream.close();
        let _ = self.stream.flush();
        rx.release(self.stream_key);
        let duration = rx.now().saturating_duration_since(self.opened);
        let why = match self.closing {
            Some(Some(cause)) => cause.words(),
            Some(None) => "closed",
            None => "lost",
        };
        log::session_closed(&self.line, self.transfers, duration, why);
    }

    /// The one rule after each input: effects, flush, timer.
    fn settle(&mut self, shared: &mut Shared, rx: &mut Reactor<Owner>) {
        let mut pieces = limits::NAMES_PIECES_PER_TURN;
        loop {
            while let Some(effect) = self.proto.poll_effect() {
                self.apply(effect, shared, rx);
            }
            if self.to_control && !self.proto.outbox().is_full() {
                if pieces == 0 {
                    rx.defer(self.stream_key);
                } else {
                    pieces -= 1;
                    self.move_to_control(shared, rx);
                    continue;
                }
            }
            if !self.flush(rx) {
                break;
            }
        }
        if self.closing.is_some() && self.proto.outbox().is_empty() && !self.stream.wants_write() {
            self.fate = Fate::Over;
        }
        if self.encryption == Encryption::Wanted && self.proto.outbox().is_empty() {
            self.begin_tls(shared, rx);
        }
        if self.fate == Fate::Lives {
            let held = self.held_back.as_ref().map(|held| held.0);
            rx.arm(self.stream_key, held.or_else(|| self.proto.next_timeout()));
            let may_read =
                self.proto.wants_input() && rx.readiness(self.stream_key).is_some_and(|readiness| readiness.readable);
            if may_read || self.proto.has_work() {
                rx.defer(self.stream_key);
            }
        }
    }

    fn apply(&mut self, effect: Effect, shared: &mut Shared, rx: &mut Reactor<Owner>) {
        match effect {
            Effect::OpenRead { op, path, part } => {
                let work: Work = Arc::new(move |root| open::read(root, &path, part).map(Outcome::Opened));
                self.work(op, AskedBy::Transfer, Try::Loop, work, shared, rx);
            }
            Effect::OpenWrite { op, path, size, mode } => {
                let first = if self.disk_is_slow(shared, rx.now()) { Try::Lane } else { Try::Loop };
                let work: Work = Arc::new(move |root| open::write(root, &path, size, mode).map(Outcome::Opened));
                self.work(op, AskedBy::Transfer, first, work, shared, rx);
            }
            Effect::OpenList { op, path, listing } => {
                let dialect = self.line.dialect;
                let work: Work = Arc::new(move |root| open::list(root, &path, &listing, dialect).map(Outcome::Opened));
                self.work(op, AskedBy::Transfer, Try::Lane, work, shared, rx);
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
            Effect::StartMoving { limit, ascii, protected, .. } => {
                self.start_moving(limit, ascii, protected, shared, rx);
            }
            Effect::MoveToControl { .. } => {
                self.data().set_on_control();
                self.to_control = true;
            }
            Effect::CloseData { .. } => {
                if let Some(data) = &mut self.data {
                    match data.is_refused() {
                        true => data.link.linger(self.key, shared, rx),
                        false => data.link.close(self.key, shared, rx),
                    }
                }
                self.drop_empty_data();
            }
            Effect::Commit { op } => {
                self.commit(op, shared, rx);
            }
            Effect::Release { report, .. } => self.release(&report, shared, rx),
            Effect::Run { op, task } => self.run_task(op, task, shared, rx),
            Effect::LogOut => self.leave_account(shared),
            Effect::Secure => self.encryption = Encryption::Wanted,
            Effect::CloseControl { cause } => self.closing = Some(cause),
            Effect::DropControl => self.fate = Fate::Over,
        }
    }

    fn leave_account(&mut self, shared: &mut Shared) {
        if let Some(account) = self.account.take() {
            shared.accounts.leave(account, self.line.peer.ip());
        }
    }
}

/// How long a control connection may be silent before its peer is asked whether it is still there.
const KEEPALIVE: Duration = Duration::from_secs(60);
