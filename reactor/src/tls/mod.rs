//! TLS over a connection that never waits, in steps of the same shape as [`crate::pump`]'s.
//!
//! Must not know the loop, certificates or what the bytes mean: configurations come ready made, and readiness is
//! the caller's.
//!
//! It stands on rustls' unbuffered interface. rustls' buffered one reads into a buffer of its own, 4 to 18 KB at a
//! time; here as much ciphertext as there is goes straight into the caller's buffer and is opened there. Measured over
//! loopback by `examples/tls_cost.rs`, AES-256-GCM, a buffer of 256 KB: 0.22 to 0.25 CPU seconds per gigabyte received
//! instead of 0.28 to 0.43, and 0.14 instead of 0.13 per gigabyte sent, since a sealed record is copied once more.
//!
//! Invariants:
//! - [`Step::Blocked`] follows a `WouldBlock` of the transport in that direction, in that same call.
//! - [`Step::End`] is told after close_notify only, and after all data before it.
//! - Data comes out in the order and the number in which the peer sealed it, or not at all.
//! - Between calls, the bytes held of the peer are fewer than [`RECORD_BYTES`] once the hand-shake is over and what
//!   came behind it has been read.
//!
//! Work per call: [`TlsLayer::send`] seals at most [`SEAL_BYTES`]; [`TlsLayer::receive`] opens at most one buffer of
//! the caller's, and gives up a peer that sends more than [`FRUITLESS_BYTES`] of records without data in a row (rustls
//! limits empty records, key updates, warnings and renegotiation, but not tickets).
//!
//! Memory of one connection, after the hand-shake: some 4.5 KB, all of it state (9 KB for both ends, by the same
//! example). In the middle of a record, up to 18 KB more; while bulk data is sent, 66 KB more, given back when a
//! receive finds nothing. During the hand-shake, up to 72 KB for the peer's certificates.

mod engine;
mod error;
mod stream;
mod transport;
mod work;

use std::io;
use std::sync::Arc;

use rustls::client::UnbufferedClientConnection;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::server::UnbufferedServerConnection;
use rustls::{CipherSuite, ClientConfig, HandshakeKind, ProtocolVersion, ServerConfig};

use engine::{Engine, Sealed};

use crate::pump::Step;

pub use error::TlsError;
pub use stream::Stream;
pub use transport::Transport;

/// How far a call of [`TlsLayer::handshake`] came.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use]
pub enum Handshake {
    /// Data can go both ways.
    Done,
    /// The connection has nothing to read at present: clear that hint and wait for its event.
    BlockedOnRead,
    /// The connection takes nothing at present: clear that hint and wait for its event.
    BlockedOnWrite,
}

/// One side of a TLS connection; the transport is given with each call.
#[derive(Debug)]
pub struct TlsLayer {
    engine: Engine,
    /// Bytes of the peer that are not worked on, or that are no whole record.
    held: Vec<u8>,
    /// There may be a whole record in `held`.
    is_held_new: bool,
    /// Data that was opened when there was no buffer for it, and how much of it was given out.
    opened: Vec<u8>,
    given: usize,
    sealed: Sealed,
    /// Bytes of records without data since the last data.
    fruitless: usize,
    /// The last read of the transport did not fill its buffer.
    is_drained: bool,
    is_closing: bool,
    peer_closed: bool,
    end_told: bool,
    /// rustls has failed; it is not to be asked again.
    is_dead: bool,
}

impl TlsLayer {
    /// The server's side.
    ///
    /// # Errors
    /// The configuration does not fit together.
    pub fn server(config: Arc<ServerConfig>) -> Result<TlsLayer, rustls::Error> {
        let connection = UnbufferedServerConnection::new(config)?;
        Ok(TlsLayer::new(Engine::Server(Box::new(connection))))
    }

    /// The client's side, to a server that must prove to be `name`.
    ///
    /// # Errors
    /// The configuration does not fit together.
    pub fn client(config: Arc<ClientConfig>, name: ServerName<'static>) -> Result<TlsLayer, rustls::Error> {
        let connection = UnbufferedClientConnection::new(config, name)?;
        Ok(TlsLayer::new(Engine::Client(Box::new(connection))))
    }

    fn new(engine: Engine) -> TlsLayer {
        TlsLayer {
            engine,
            held: Vec::new(),
            is_held_new: false,
            opened: Vec::new(),
            given: 0,
            sealed: Sealed::default(),
            fruitless: 0,
            is_drained: false,
            is_closing: false,
            peer_closed: false,
            end_told: false,
            is_dead: false,
        }
    }

    /// Takes bytes that were read from the connection before this layer was there; before all other calls.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.held.extend_from_slice(bytes);
        self.is_held_new = !self.held.is_empty();
    }

    /// Goes on with the hand-shake. [`Handshake::Done`]: also all of it is written.
    ///
    /// # Errors
    /// What ended it; an alert that is due to the peer was written if there was room for it.
    pub fn handshake(&mut self, io: &impl Transport) -> Result<Handshake, TlsError> {
        let result = self.shake_hands(io);
        self.say_why(io, result)
    }

    /// Whether data cannot go both ways yet.
    pub fn is_handshaking(&self) -> bool {
        self.engine.state().is_handshaking()
    }

    /// Gives out data of the peer; reads for it only when none is left over. `buffer` must not be empty; with
    /// [`RECEIVE_BYTES`] or more the data is opened in it, else it costs a copy.
    ///
    /// `Moved` is never of 0 bytes. A short one does not tell that the socket is empty; [`TlsLayer::is_drained`] does.
    ///
    /// # Errors
    /// [`TlsError::Truncated`] when the connection ends without close_notify; else what broke it.
    pub fn receive(&mut self, io: &impl Transport, buffer: &mut [u8]) -> Result<Step, TlsError> {
        debug_assert!(!buffer.is_empty(), "an empty read looks like the end");
        if self.given < self.opened.len() {
            return Ok(Step::Moved(self.give_opened(buffer)));
        }
        if buffer.len() >= RECEIVE_BYTES {
            let result = self.receive_in_place(io, buffer);
            return self.say_why(io, result);
        }
        let mut space = [0; RECEIVE_BYTES];
        let result = self.receive_in_place(io, &mut space);
        let step = self.say_why(io, result)?;
        let Step::Moved(count) = step else { return Ok(step) };
        self.opened.extend_from_slice(&space[..count]);
        Ok(Step::Moved(self.give_opened(buffer)))
    }

    /// Seals up to [`SEAL_BYTES`] of `bytes` and writes them as far as the connection takes them; the rest of them
    /// must leave before more is taken. So all that is `Moved` will be sent by this and later calls, the last of which
    /// is [`TlsLayer::flush`]. Never answers [`Step::End`].
    ///
    /// # Errors
    /// What broke the connection; `BrokenPipe` after [`TlsLayer::close`].
    pub fn send(&mut self, io: &impl Transport, bytes: &[u8]) -> Result<Step, TlsError> {
        debug_assert!(!bytes.is_empty(), "nothing cannot move");
        if self.is_closing {
            return Err(io::Error::from(io::ErrorKind::BrokenPipe).into());
        }
        if !self.sealed.write(io)? {
            return Ok(Step::Blocked);
        }
        let bytes = &bytes[..bytes.len().min(SEAL_BYTES)];
        let result = self.seal(bytes);
        self.say_why(io, result)?;
        let _all = self.sealed.write(io)?;
        Ok(Step::Moved(bytes.len()))
    }

    /// Writes what is sealed; `true`: nothing is left, `false`: the connection takes no more at present.
    ///
    /// # Errors
    /// Of the connection.
    pub fn flush(&mut self, io: &impl Transport) -> io::Result<bool> {
        self.sealed.write(io)
    }

    /// Seals a close_notify behind all data, once; [`TlsLayer::flush`] sends it. The peer may still send.
    pub fn close(&mut self) {
        if self.is_closing || self.settle().is_err() {
            return;
        }
        self.is_closing = true;
        self.engine.close(&mut self.held);
        self.collect();
    }

    /// Whether [`TlsLayer::receive`] has something to tell that no event of the connection will announce.
    pub fn has_buffered(&self) -> bool {
        self.given < self.opened.len() || self.is_held_new || (self.peer_closed && !self.end_told)
    }

    /// Whether the connection was empty after the last read and nothing is left over: more comes with an event only,
    /// unless a hang-up was told before.
    pub fn is_drained(&self) -> bool {
        self.is_drained && !self.has_buffered()
    }

    /// Whether nothing of an unfinished record is held. After [`TlsError::Truncated`]: all records that were begun have
    /// come whole.
    pub fn is_between_records(&self) -> bool {
        self.held.is_empty()
    }

    /// Whether [`TlsLayer::flush`] has something to write.
    pub fn wants_write(&self) -> bool {
        !self.sealed.is_empty()
    }

    /// Whether this session goes on with an earlier one; known after the hand-shake.
    pub fn handshake_kind(&self) -> Option<HandshakeKind> {
        self.engine.state().handshake_kind()
    }

    /// The version agreed upon; known after the hand-shake.
    pub fn protocol_version(&self) -> Option<ProtocolVersion> {
        self.engine.state().protocol_version()
    }

    /// The ciphers agreed upon; known after the hand-shake.
    pub fn cipher_suite(&self) -> Option<CipherSuite> {
        self.engine.state().negotiated_cipher_suite().map(|suite| suite.suite())
    }

    /// The peer's certificates, its own first; known after the hand-shake.
    pub fn peer_certificates(&self) -> Option<&[CertificateDer<'static>]> {
        self.engine.state().peer_certificates()
    }
}

/// The longest record: 16 KB of data, 2 KB of what the protocol allows for its protection, and the header.
pub const RECORD_BYTES: usize = (16 << 10) + (2 << 10) + 5;

/// A buffer for [`TlsLayer::receive`] of this size or more saves a copy: a record and the begin of the next one.
pub const RECEIVE_BYTES: usize = 20 << 10;

/// Sealed at once: four records of the full size go out in one write. Twice as much leaves the second-level cache of
/// common machines before the kernel has copied it.
pub const SEAL_BYTES: usize = 64 << 10;

/// Records without data in a row that are borne; a server's tickets after the hand-shake are some 4 KB.
pub const FRUITLESS_BYTES: usize = 64 << 10;
