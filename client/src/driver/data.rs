//! The data connection of one operation: connect, move bytes within a budget, close.
//!
//! It must not know the control connection: what happened is its return value.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

use mio::net::TcpStream;
use muxftp_reactor::pump::{self, Step};
use muxftp_reactor::{Key, Reactor, Readiness, connect};

use super::body::Body;
use super::pace::Pace;

/// Which way the bytes go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Direction {
    Download,
    Upload,
}

/// A data connection, being made or made.
#[derive(Debug)]
pub(super) struct DataConnection {
    stream: TcpStream,
    pub(super) key: Key,
    connected: bool,
    pub(super) bytes: u64,
    pace: Option<Pace>,
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
        bandwidth: Option<u64>,
        owner: T,
    ) -> io::Result<DataConnection> {
        let mut stream = connect::connect(target, source.map(|address| SocketAddr::new(address, 0)))?;
        let key = rx.register(&mut stream, owner)?;
        let pace = bandwidth.map(|rate| Pace::new(rate, rx.now()));
        Ok(DataConnection { stream, key, connected: false, bytes: 0, pace })
    }

    /// Whether the connect has ended, well.
    pub(super) fn finish_connect(&mut self) -> io::Result<bool> {
        if !self.connected {
            self.connected = connect::finish(&self.stream)?;
        }
        Ok(self.connected)
    }

    /// Moves bytes within the budget of one turn.
    pub(super) fn run<T: Copy>(
        &mut self,
        rx: &mut Reactor<T>,
        direction: Direction,
        body: &mut impl Body,
        buffer: &mut [u8],
    ) -> Moved {
        for _ in 0..STEPS_PER_TURN {
            let room = match self.room(rx, buffer.len()) {
                Ok(room) => room,
                Err(next) => return Moved::Paced(next),
            };
            let moved = match direction {
                Direction::Download => self.receive(rx, body, &mut buffer[..room]),
                Direction::Upload => self.send(rx, body, &mut buffer[..room]),
            };
            match moved {
                None => {}
                Some(moved) => return moved,
            }
        }
        Moved::Budget
    }

    /// How much may move in the next step; `Err`: nothing before that time.
    fn room<T: Copy>(&self, rx: &mut Reactor<T>, most: usize) -> Result<usize, Instant> {
        let Some(pace) = &self.pace else { return Ok(most) };
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
        match pump::receive(&self.stream, buffer) {
            Ok(Step::Moved(bytes)) => {
                self.count(bytes);
                if let Err(error) = body.receive(&buffer[..bytes]) {
                    return Some(Moved::BodyFailed(error));
                }
                // A read that did not fill the buffer has emptied the socket; only a hang-up that was
                // reported already will not be reported again.
                let readiness = rx.readiness(self.key)?;
                if bytes < buffer.len() && !readiness.read_closed {
                    readiness.readable = false;
                    return Some(Moved::Blocked);
                }
                None
            }
            Ok(Step::End) => Some(Moved::End),
            Ok(Step::Blocked) => {
                clear(rx, self.key, |readiness| readiness.readable = false);
                Some(Moved::Blocked)
            }
            Err(error) => Some(Moved::Broken(error)),
        }
    }

    /// One write; `None`: there may be more.
    fn send<T: Copy>(&mut self, rx: &mut Reactor<T>, body: &mut impl Body, buffer: &mut [u8]) -> Option<Moved> {
        let ready = match body.provide(self.bytes, buffer) {
            Ok(0) => return Some(Moved::End),
            Ok(ready) => ready,
            Err(error) => return Some(Moved::BodyFailed(error)),
        };
        match pump::send(&self.stream, &buffer[..ready]) {
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
}

fn clear<T: Copy>(rx: &mut Reactor<T>, key: Key, change: impl FnOnce(&mut Readiness)) {
    if let Some(readiness) = rx.readiness(key) {
        change(readiness);
    }
}

/// Buffers that one data connection may move before the others have their turn.
const STEPS_PER_TURN: usize = 4;
