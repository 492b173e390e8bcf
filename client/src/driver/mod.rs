//! Drives one client session over real sockets, on a reactor that its owner shares with other connections.
//!
//! It must not know what the bytes of a transfer are ([`Body`]), nor who asked for it. `T` is the owner's name for a
//! source of the reactor; the owner passes the reactor's callbacks on by these names ([`Owners`]).
//!
//! # Invariants
//! - One input, then flush (which may fail, and so cause effects), then effects, then outcome, then timer: `settle` is the
//!   only place (in `effects`).
//! - Each started operation gives exactly one [`Finished`].
//! - A connection that is closed holds no source of the reactor.

mod body;
mod control;
mod data;
mod effects;
mod interface;
mod pace;
mod readiness;
mod timeline;
mod tls;

use std::io;
use std::net::SocketAddr;
use std::time::Instant;

use muxftp_proto::client::io::{ClientEvent, Operation};
use muxftp_proto::{ClientSession, Features};
use muxftp_reactor::pump::Step;
use muxftp_reactor::{Again, Reactor, Readiness, connect};
use rustls::ProtocolVersion;

pub use body::Body;
use control::Control;
use data::{DataConnection, Direction, Moved};
pub use interface::{Endpoint, Finished, OperationResult, Owners, Speech};
pub use timeline::Timeline;
use tls::SessionTls;
pub use tls::TlsTrust;

/// One control connection, with the data connection of its present operation.
#[derive(Debug)]
pub struct Connection<T, B> {
    endpoint: Endpoint,
    owners: Owners<T>,
    session: ClientSession,
    control: Option<Control>,
    data: Option<DataConnection>,
    tls: Option<SessionTls>,
    running: Option<Running<B>>,
    /// Until when the pace keeps the data connection waiting.
    paced_until: Option<Instant>,
    finished: Option<Finished<B>>,
    connect_error: Option<io::Error>,
}

#[derive(Debug)]
struct Running<B> {
    operation: Operation,
    body: B,
    timeline: Timeline,
    bytes: u64,
    /// Bytes that will come, when the server told.
    expected: Option<u64>,
    moving: bool,
    /// The system's word for what broke.
    error: Option<io::Error>,
}

impl<T: Copy, B: Body> Connection<T, B> {
    /// Begins to connect.
    ///
    /// # Errors
    /// No socket could be had, or the source address is not this machine's.
    pub fn open(rx: &mut Reactor<T>, endpoint: Endpoint, owners: Owners<T>) -> io::Result<Connection<T, B>> {
        let mut stream = connect::connect(endpoint.server, endpoint.source.map(|address| SocketAddr::new(address, 0)))?;
        let key = rx.register(&mut stream, owners.control)?;
        let now = rx.refresh_now();
        rx.arm(key, Some(now + endpoint.timeouts.connect));
        let session = match &endpoint.speech {
            Speech::Line(dialect) => ClientSession::new(*dialect, endpoint.timeouts),
            Speech::Ftp { settings, .. } => {
                ClientSession::ftp(settings.clone(), endpoint.server.ip(), endpoint.timeouts)
            }
        };
        Ok(Connection {
            session,
            endpoint,
            owners,
            control: Some(Control::new(stream.into(), key, now)),
            data: None,
            tls: None,
            running: None,
            paced_until: None,
            finished: None,
            connect_error: None,
        })
    }

    /// Starts an operation; while the connection is still being made, as soon as it is there. Only one at a time, and not
    /// on a connection that [`Connection::is_closed`].
    pub fn start(&mut self, rx: &mut Reactor<T>, operation: Operation, body: B) {
        debug_assert!(self.running.is_none() && !self.is_closed());
        let now = rx.refresh_now();
        let timeline = Timeline { started: Some(now), ..Timeline::default() };
        self.running =
            Some(Running { operation, body, timeline, bytes: 0, expected: None, moving: false, error: None });
        if self.is_connected() {
            self.submit(now);
            self.settle(rx, now);
        }
    }

    /// The control connection has news.
    pub fn ready_control(&mut self, rx: &mut Reactor<T>, readiness: Readiness, buffer: &mut [u8]) -> Again {
        let now = rx.refresh_now();
        if !self.is_connected() {
            match self.finish_connect(now) {
                Ok(false) => return Again::No,
                Ok(true) => {}
                Err(error) => {
                    self.fail_connect(rx, error);
                    return Again::No;
                }
            }
        }
        let was_moving = self.is_moving();
        let may_read = self.control.as_ref().is_some_and(|control| control.may_read(readiness));
        if may_read {
            self.read_control(rx, buffer, now);
        }
        self.settle(rx, now);
        if let Some(data) = self.data.as_ref().filter(|_| !was_moving && self.is_moving()) {
            // The connection was there before the word that lets the bytes move: no event may come any more.
            rx.queue(data.key);
        }
        if let Some(control) = self.control.as_ref().filter(|_| may_read && self.running.is_some())
            && self.endpoint.acknowledges_at_once
        {
            // More is to come: the end of a transfer behind its 150, or the next line of a reply.
            control.stream.acknowledge();
        }
        Again::No
    }

    /// The data connection has news.
    pub fn ready_data(&mut self, rx: &mut Reactor<T>, buffer: &mut [u8]) -> Again {
        let now = rx.refresh_now();
        let was_moving = self.is_moving();
        let again = self.run_data(rx, buffer, now);
        self.settle(rx, now);
        if was_moving || !self.is_moving() {
            return again;
        }
        // The connect has ended and the bytes may move: there is no further event to wait for.
        let again = self.run_data(rx, buffer, now);
        self.settle(rx, now);
        again
    }

    /// The timer that the connection armed on its control source has expired.
    pub fn timeout(&mut self, rx: &mut Reactor<T>) {
        let now = rx.refresh_now();
        if self.control.as_ref().is_some_and(|control| control.connecting.is_some()) {
            return self.fail_connect(rx, io::ErrorKind::TimedOut.into());
        }
        if let (Some(until), Some(data)) = (self.paced_until, &self.data)
            && until <= now
        {
            self.paced_until = None;
            rx.queue(data.key);
        }
        self.session.handle_timeout(now);
        self.settle(rx, now);
    }

    /// The operation that has ended, once.
    pub fn take_finished(&mut self) -> Option<Finished<B>> {
        self.finished.take()
    }

    /// Why the control connection could not be made, once; when an operation waited for it, that has the error.
    pub fn take_connect_error(&mut self) -> Option<io::Error> {
        self.connect_error.take()
    }

    /// Whether the control connection is made.
    pub fn is_connected(&self) -> bool {
        self.control.as_ref().is_some_and(|control| control.connecting.is_none())
    }

    /// Whether the session is over: nothing can be started any more.
    pub fn is_closed(&self) -> bool {
        self.control.is_none()
    }

    /// Whether TLS protects the control connection.
    pub fn is_secured(&self) -> bool {
        self.control.as_ref().is_some_and(Control::is_secured)
    }

    /// The version of TLS on the control connection, if there is any.
    pub fn tls_version(&self) -> Option<ProtocolVersion> {
        self.control.as_ref().and_then(Control::tls_version)
    }

    /// Whether the next protected data connection could not resume the session of the control connection, although the
    /// server would have it so: each ticket of TLS 1.3 is used once, and all are used. A new session has new ones.
    pub fn is_out_of_tickets(&self) -> bool {
        self.tls.as_ref().is_some_and(SessionTls::is_out_of_tickets)
    }

    /// Gives up the operation under way, see [`ClientSession::abort`]; its [`Finished`] is to come.
    pub fn give_up(&mut self, rx: &mut Reactor<T>) {
        let now = rx.refresh_now();
        self.session.abort(now);
        self.settle(rx, now);
    }

    /// What the server offers, see [`ClientSession::features`].
    pub fn features(&self) -> Features {
        self.session.features()
    }

    /// The reply that came unasked and ended the session, see [`ClientSession::surplus`].
    pub fn surplus(&self) -> Option<&[u8]> {
        self.session.surplus()
    }

    /// Bytes moved so far by the present operation.
    pub fn bytes_moved(&self) -> u64 {
        self.data.as_ref().map_or(0, |data| data.bytes)
    }

    /// Bytes that the present download will have, when the server told.
    pub fn bytes_expected(&self) -> Option<u64> {
        self.running.as_ref().and_then(|running| running.expected)
    }

    /// The present or last operation's control dialogue, see [`ClientSession::dialogue`].
    pub fn dialogue(&self) -> &[u8] {
        self.session.dialogue()
    }

    /// Lets go of everything at once. A running operation gives no [`Finished`]; its body comes back.
    pub fn abort(&mut self, rx: &mut Reactor<T>) -> Option<B> {
        self.drop_data(rx);
        self.drop_control(rx);
        self.running.take().map(|running| running.body)
    }

    fn is_moving(&self) -> bool {
        self.running.as_ref().is_some_and(|running| running.moving)
    }

    fn submit(&mut self, now: Instant) {
        if let Some(running) = &mut self.running {
            running.timeline.connected.get_or_insert(now);
            self.session.submit(&running.operation, now);
        }
    }

    fn finish_connect(&mut self, now: Instant) -> io::Result<bool> {
        let Some(control) = &mut self.control else { return Ok(false) };
        if !connect::finish(control.stream.socket())? {
            return Ok(false);
        }
        // Commands are small and each waits for its reply: Nagle's algorithm would only delay them.
        control.stream.socket().set_nodelay(true)?;
        control.connecting = None;
        self.submit(now);
        Ok(true)
    }

    fn fail_connect(&mut self, rx: &mut Reactor<T>, error: io::Error) {
        self.drop_control(rx);
        match self.running {
            Some(_) => self.finish(OperationResult::ConnectFailed(error), rx.now()),
            None => self.connect_error = Some(error),
        }
    }

    fn read_control(&mut self, rx: &mut Reactor<T>, buffer: &mut [u8], now: Instant) {
        while let Some(control) = &mut self.control {
            match control.read(rx, buffer) {
                Ok((Step::Moved(bytes), more)) => {
                    self.session.handle_input(&buffer[..bytes], now);
                    if !more {
                        return;
                    }
                }
                Ok((Step::Blocked, _)) => return,
                Ok((Step::End, _)) => return self.session.handle_lost(),
                Err(error) => {
                    self.note_error(error);
                    return self.session.handle_lost();
                }
            }
        }
    }

    fn run_data(&mut self, rx: &mut Reactor<T>, buffer: &mut [u8], now: Instant) -> Again {
        let (Some(data), Some(running)) = (&mut self.data, &mut self.running) else { return Again::No };
        if !running.moving {
            match data.make(rx, self.owners.data) {
                Ok(false) => return Again::No,
                Ok(true) if running.timeline.data_connected.is_none() => {
                    running.timeline.data_connected = Some(now);
                    self.session.handle_event(ClientEvent::DataConnected, now);
                }
                Ok(true) => {}
                Err(error) => self.lose_data(error, now),
            }
            return Again::No;
        }
        if self.paced_until.is_some_and(|until| now < until) {
            return Again::No;
        }
        let before = data.bytes;
        let moved = data.run(rx, &mut running.body, buffer);
        running.bytes = data.bytes;
        if data.bytes > before || matches!(moved, Moved::End) {
            running.timeline.first_byte.get_or_insert(now);
            self.session.handle_event(ClientEvent::Progress, now);
        }
        self.after_moving(rx, moved)
    }

    fn after_moving(&mut self, rx: &mut Reactor<T>, moved: Moved) -> Again {
        match moved {
            Moved::Budget => return Again::Yes,
            Moved::Blocked => {}
            Moved::Paced(until) => self.paced_until = Some(until),
            Moved::End => {
                // Closing tells the server that an upload is whole, unless TLS has; a download was closed by it.
                if !self.data.as_ref().is_some_and(DataConnection::lingers) {
                    self.drop_data(rx);
                }
                let now = rx.refresh_now();
                let Some(running) = &mut self.running else { return Again::No };
                running.timeline.last_byte = Some(now);
                let bytes = running.bytes;
                self.session.handle_event(ClientEvent::Moved { bytes }, now);
            }
            Moved::Broken(error) => {
                let now = rx.refresh_now();
                self.lose_data(error, now);
            }
            Moved::BodyFailed(error) => self.fail_body(rx, error),
        }
        Again::No
    }

    fn fail_body(&mut self, rx: &mut Reactor<T>, error: io::Error) {
        self.drop_data(rx);
        self.drop_control(rx);
        let now = rx.refresh_now();
        self.finish(OperationResult::BodyFailed(error), now);
    }

    fn lose_data(&mut self, error: io::Error, now: Instant) {
        self.note_error(error);
        self.session.handle_event(ClientEvent::DataFailed, now);
    }

    fn note_error(&mut self, error: io::Error) {
        if let Some(running) = &mut self.running {
            running.error.get_or_insert(error);
        }
    }

    fn finish(&mut self, result: OperationResult, now: Instant) {
        self.paced_until = None;
        if let Some(running) = self.running.take() {
            let timeline = Timeline { completed: Some(now), ..running.timeline };
            self.finished = Some(Finished { result, timeline, bytes: running.bytes, body: running.body });
        }
    }

    fn drop_data(&mut self, rx: &mut Reactor<T>) {
        if let Some(data) = self.data.take() {
            data.close(rx);
        }
    }

    fn drop_control(&mut self, rx: &mut Reactor<T>) {
        if let Some(control) = self.control.take() {
            control.close(rx);
        }
    }
}

fn direction(operation: &Operation) -> Direction {
    match operation {
        Operation::Put { .. } => Direction::Upload,
        _ => Direction::Download,
    }
}
