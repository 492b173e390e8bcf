//! The data connection of one operation: connect or accept, shake hands, move bytes within a budget, close.
//!
//! It must not know the control connection: what happened is its return value.
//!
//! # Invariants
//! - An upload whose end was not said is reset when it is closed: the server must not take what it has for the whole.
//! - Only the server's address is taken from a listener.
//! - TLS begins when the bytes may move, that is, when the server has answered the command: there are servers that cannot
//!   take it before (pyftpdlib up to 1.5 resets the connection).

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use mio::net::TcpListener;
use muxftp_reactor::pump::Step;
use muxftp_reactor::tls::{Handshake, Stream, TlsLayer};
use muxftp_reactor::{Key, Reactor, connect, listen};
use socket2::SockRef;

use super::body::Body;
use super::pace::Pace;
use super::readiness::clear;
use crate::limits;

/// Which way the bytes go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Direction {
    Download,
    Upload,
}

/// What a data connection is to be.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) direction: Direction,
    /// Bytes per second at most.
    pub(super) bandwidth: Option<u64>,
    /// TLS, if it is to be protected.
    pub(super) layer: Option<TlsLayer>,
}

/// A data connection, being made or made.
#[derive(Debug)]
pub(super) struct DataConnection {
    link: Link,
    pub(super) key: Key,
    stage: Stage,
    direction: Direction,
    /// TLS that waits for the connection.
    layer: Option<TlsLayer>,
    pub(super) bytes: u64,
    pace: Option<Pace>,
}

#[derive(Debug)]
enum Link {
    /// For a connection from this address.
    Listening(TcpListener, IpAddr),
    Stream(Stream),
}

/// How far it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Making,
    Shaking,
    Moving,
    /// All of an upload is taken; its end is being written.
    Ending,
    /// All has moved.
    Ended,
}

/// What a turn of a data connection brought.
#[derive(Debug)]
pub(super) enum Moved {
    /// Nothing more can be done before the next event.
    Blocked,
    /// The budget is used up.
    Budget,
    /// The pace allows nothing before this time.
    Paced(Instant),
    /// All bytes have moved.
    End,
    /// The network's side broke.
    Broken(io::Error),
    /// The body's side broke.
    BodyFailed(io::Error),
}

impl DataConnection {
    /// Begins to connect.
    pub(super) fn open<T: Copy>(
        rx: &mut Reactor<T>,
        target: SocketAddr,
        source: Option<IpAddr>,
        plan: Plan,
        owner: T,
    ) -> io::Result<DataConnection> {
        let mut stream = connect::connect(target, source.map(|address| SocketAddr::new(address, 0)))?;
        let key = rx.register(&mut stream, owner)?;
        Ok(DataConnection::new(rx, Link::Stream(stream.into()), key, plan))
    }

    /// Begins to listen at `local` for a connection from `server`; also where.
    pub(super) fn listen<T: Copy>(
        rx: &mut Reactor<T>,
        local: IpAddr,
        server: IpAddr,
        plan: Plan,
        owner: T,
    ) -> io::Result<(DataConnection, SocketAddr)> {
        let mut listener = listen::listen_tcp(SocketAddr::new(local, 0), limits::DATA_BACKLOG)?;
        let address = listener.local_addr()?;
        let key = rx.register(&mut listener, owner)?;
        Ok((DataConnection::new(rx, Link::Listening(listener, server), key, plan), address))
    }

    fn new<T: Copy>(rx: &Reactor<T>, link: Link, key: Key, plan: Plan) -> DataConnection {
        let Plan { direction, bandwidth, layer } = plan;
        let pace = bandwidth.map(|rate| Pace::new(rate, rx.now()));
        DataConnection { link, key, stage: Stage::Making, direction, layer, bytes: 0, pace }
    }

    /// Whether the TCP connection is there.
    pub(super) fn make<T: Copy>(&mut self, rx: &mut Reactor<T>, owner: T) -> io::Result<bool> {
        if self.stage != Stage::Making {
            return Ok(true);
        }
        match &mut self.link {
            Link::Listening(listener, server) => {
                let Some(mut stream) = accept(rx, self.key, listener, *server)? else { return Ok(false) };
                let key = rx.register(stream.socket_mut(), owner)?;
                rx.release(std::mem::replace(&mut self.key, key));
                self.link = Link::Stream(stream);
            }
            Link::Stream(stream) if connect::finish(stream.socket())? => {}
            Link::Stream(_) => return Ok(false),
        }
        self.stage = match (&mut self.link, self.layer.take()) {
            (Link::Stream(stream), Some(layer)) => {
                // The first bytes must not wait until the server has acknowledged the end of the hand-shake.
                stream.socket().set_nodelay(true)?;
                stream.secure(layer);
                Stage::Shaking
            }
            _ => Stage::Moving,
        };
        Ok(true)
    }

    /// Goes on with the hand-shake, if one is due; `true`: bytes can move.
    fn shake<T: Copy>(&mut self, rx: &mut Reactor<T>) -> io::Result<bool> {
        let (Stage::Shaking, Link::Stream(stream)) = (self.stage, &mut self.link) else {
            return Ok(self.stage != Stage::Making);
        };
        match stream.handshake()? {
            Handshake::Done => {
                self.stage = Stage::Moving;
                return Ok(true);
            }
            Handshake::BlockedOnRead => clear(rx, self.key, |readiness| readiness.readable = false),
            Handshake::BlockedOnWrite => clear(rx, self.key, |readiness| readiness.writable = false),
        }
        Ok(false)
    }

    /// Moves bytes within the budget of one turn.
    pub(super) fn run<T: Copy>(&mut self, rx: &mut Reactor<T>, body: &mut impl Body, buffer: &mut [u8]) -> Moved {
        match self.shake(rx) {
            Ok(true) => {}
            Ok(false) => return Moved::Blocked,
            Err(error) => return Moved::Broken(error),
        }
        for _ in 0..limits::BUFFERS_PER_TURN {
            let room = match self.room(rx, buffer.len()) {
                Ok(room) => room,
                Err(next) => return Moved::Paced(next),
            };
            let moved = match (self.stage, self.direction) {
                (Stage::Ended, _) => Some(self.listen_on(rx, buffer)),
                (Stage::Ending, _) => Some(self.end_upload(rx)),
                (_, Direction::Download) => self.receive(rx, body, &mut buffer[..room]),
                (_, Direction::Upload) => self.send(rx, body, &mut buffer[..room]),
            };
            match moved {
                None => {}
                Some(moved) => return moved,
            }
        }
        Moved::Budget
    }

    /// Whether it is to stay open behind its last byte, until the server has spoken its last word: TLS may still bring
    /// tickets, and closing over bytes that are not read would take back what is still on its way.
    pub(super) fn lingers(&self) -> bool {
        let is_protected = matches!(&self.link, Link::Stream(stream) if stream.tls().is_some());
        self.stage == Stage::Ended && self.direction == Direction::Upload && is_protected
    }

    /// Closes it, or gives up the wish for it.
    pub(super) fn close<T: Copy>(mut self, rx: &mut Reactor<T>) {
        if self.lingers() {
            let _ = self.listen_on(rx, &mut [0; LAST_READ_BYTES]);
        }
        if let Link::Stream(stream) = &self.link
            && self.direction == Direction::Upload
            && !matches!(self.stage, Stage::Making | Stage::Ended)
        {
            // A socket that does not take it is dead already.
            let _ = SockRef::from(stream.socket()).set_linger(Some(Duration::ZERO));
        }
        rx.release(self.key);
    }

    /// How much may move in the next step; `Err`: nothing before that time.
    fn room<T: Copy>(&self, rx: &mut Reactor<T>, most: usize) -> Result<usize, Instant> {
        let Some(pace) = self.pace.as_ref().filter(|_| self.stage == Stage::Moving) else { return Ok(most) };
        match pace.allowance(rx.refresh_now()) {
            0 => Err(pace.next()),
            allowed => Ok(allowed.min(most)),
        }
    }

    fn count(&mut self, bytes: usize) {
        self.bytes += bytes as u64;
        if let Some(pace) = &mut self.pace {
            pace.moved(bytes);
        }
    }

    /// One read; `None`: there may be more.
    fn receive<T: Copy>(&mut self, rx: &mut Reactor<T>, body: &mut impl Body, buffer: &mut [u8]) -> Option<Moved> {
        let Link::Stream(stream) = &mut self.link else { return Some(Moved::Blocked) };
        match stream.receive(buffer) {
            Ok(Step::Moved(bytes)) => {
                let is_drained = stream.is_drained();
                self.count(bytes);
                if let Err(error) = body.receive(&buffer[..bytes]) {
                    return Some(Moved::BodyFailed(error));
                }
                // A read that has emptied the socket is the last before the next event; only a hang-up that was
                // reported already will not be reported again.
                let readiness = rx.readiness(self.key)?;
                if is_drained && !readiness.read_closed {
                    readiness.readable = false;
                    return Some(Moved::Blocked);
                }
                None
            }
            Ok(Step::End) => {
                self.stage = Stage::Ended;
                stream.close();
                // The server has said all; whether it hears of our end is its own affair.
                let _ = stream.flush();
                Some(Moved::End)
            }
            Ok(Step::Blocked) => {
                clear(rx, self.key, |readiness| readiness.readable = false);
                Some(Moved::Blocked)
            }
            Err(error) => Some(Moved::Broken(error)),
        }
    }

    /// One write; `None`: there may be more.
    fn send<T: Copy>(&mut self, rx: &mut Reactor<T>, body: &mut impl Body, buffer: &mut [u8]) -> Option<Moved> {
        let Link::Stream(stream) = &mut self.link else { return Some(Moved::Blocked) };
        let ready = match body.provide(self.bytes, buffer) {
            Ok(0) => return Some(self.end_upload(rx)),
            Ok(ready) => ready,
            Err(error) => return Some(Moved::BodyFailed(error)),
        };
        match stream.send(&buffer[..ready]) {
            Ok(Step::Moved(bytes)) => {
                self.count(bytes);
                None
            }
            Ok(Step::Blocked) => {
                clear(rx, self.key, |readiness| readiness.writable = false);
                Some(Moved::Blocked)
            }
            Ok(Step::End) => Some(Moved::Broken(io::ErrorKind::WriteZero.into())),
            Err(error) => Some(Moved::Broken(error)),
        }
    }

    /// Says the end of an upload: without TLS its close does.
    fn end_upload<T: Copy>(&mut self, rx: &mut Reactor<T>) -> Moved {
        let Link::Stream(stream) = &mut self.link else { return Moved::Blocked };
        self.stage = Stage::Ending;
        stream.close();
        match stream.flush() {
            Ok(true) => {
                self.stage = Stage::Ended;
                if stream.tls().is_some() {
                    // Servers that look for the connection's end see it, too.
                    if let Err(error) = stream.socket().shutdown(std::net::Shutdown::Write) {
                        return Moved::Broken(error);
                    }
                }
                Moved::End
            }
            Ok(false) => {
                clear(rx, self.key, |readiness| readiness.writable = false);
                Moved::Blocked
            }
            Err(error) => Moved::Broken(error),
        }
    }

    /// Reads what a server says behind an upload: TLS takes the tickets out of it.
    fn listen_on<T: Copy>(&mut self, rx: &mut Reactor<T>, buffer: &mut [u8]) -> Moved {
        if let Link::Stream(stream) = &mut self.link {
            // Data has no place here, and its end or an error changes nothing.
            let _ = stream.receive(buffer);
        }
        clear(rx, self.key, |readiness| readiness.readable = false);
        Moved::Blocked
    }
}

/// Takes the server's connection, if it is there.
fn accept<T: Copy>(
    rx: &mut Reactor<T>,
    key: Key,
    listener: &TcpListener,
    server: IpAddr,
) -> io::Result<Option<Stream>> {
    for _ in 0..limits::STRANGERS_PER_TURN {
        match listener.accept() {
            Ok((stream, from)) if from.ip().to_canonical() == server.to_canonical() => return Ok(Some(stream.into())),
            Ok(_stranger) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                clear(rx, key, |readiness| readiness.readable = false);
                return Ok(None);
            }
            // It died in the queue.
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
            Err(error) => return Err(error),
        }
    }
    rx.queue(key);
    Ok(None)
}

/// TLS reads into a space of its own when it is given less than a record.
const LAST_READ_BYTES: usize = 512;
