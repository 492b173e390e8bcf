//! Data connections of uploads that were refused while their peers still send.
//!
//! A connection that is closed with bytes unread is reset, and many a client then reports the reset instead of the reply.
//! So what such a peer sends is read and dropped for a moment, while its session continues.
//!
//! Invariant: a connection stays no longer than [`limits::LINGER_TIME`], and at most [`limits::LINGERING_MAX`] do.

use muxftp_reactor::pump::{self, Step};
use muxftp_reactor::tls::Stream;
use muxftp_reactor::{Again, Key, Reactor, Table};

use super::Owner;
use crate::limits;

/// A connection whose bytes are dropped.
struct Lingering {
    stream: Stream,
    key: Key,
}

/// All of them.
#[derive(Default)]
pub(super) struct LingeringConnections(Table<Lingering>);

impl LingeringConnections {
    /// Takes over a connection with its place in the reactor. When there are too many, it is closed at once.
    pub(super) fn add(&mut self, stream: Stream, key: Key, rx: &mut Reactor<Owner>) {
        if self.0.len() >= limits::LINGERING_MAX {
            return rx.release(key);
        }
        let place = self.0.insert(Lingering { stream, key });
        rx.hand_over(key, Owner::Lingering(place));
        rx.arm(key, Some(rx.now() + limits::LINGER_TIME));
        rx.defer(key);
    }

    /// Drops what has come. Bytes of TLS are not opened.
    pub(super) fn ready(&mut self, place: Key, buffer: &mut [u8], rx: &mut Reactor<Owner>) -> Again {
        let Some(lingering) = self.0.get(place) else { return Again::No };
        for _ in 0..limits::UPLOAD_READS_PER_TURN {
            match pump::receive(lingering.stream.socket(), buffer) {
                Ok(Step::Moved(_)) => {}
                Ok(Step::Blocked) => {
                    if let Some(readiness) = rx.readiness(lingering.key) {
                        readiness.readable = false;
                    }
                    return Again::No;
                }
                Ok(Step::End) | Err(_) => {
                    self.close(place, rx);
                    return Again::No;
                }
            }
        }
        Again::Yes
    }

    /// Its time is over, or its peer has closed.
    pub(super) fn close(&mut self, place: Key, rx: &mut Reactor<Owner>) {
        if let Some(lingering) = self.0.remove(place) {
            rx.release(lingering.key);
        }
    }
}
