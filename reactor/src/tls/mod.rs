//! TLS over a connection that never waits, in steps of the same shape as [`crate::pump`]'s.
//!
//! Must not know the loop, certificates or what the bytes mean: configurations come ready made, and readiness is
//! the caller's.
//!
//! It stands on rustls' unbuffered interface. rustls' buffered one reads into a buffer of its own, 4 to 18 KB at a
//! time; here the ciphertext is read straight into the caller's buffer and opened in place. On one core, opening a
//! gigabyte took 0.09 s instead of 0.11 s, and sealing it the same 0.08 s; and an idle connection holds no buffer at all.
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
//! Memory of one connection, measured by a test: some 6 KB on the server and 7 KB on the client after the hand-shake,
//! all of it state; up to 18 KB more in the middle of a record; up to 66 KB more while bulk data is sent.

mod engine;
mod error;
mod stream;
mod transport;

use std::io;
use std::sync::Arc;

use rustls::client::UnbufferedClientConnection;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::server::UnbufferedServerConnection;
use rustls::{CipherSuite, ClientConfig, HandshakeKind, ProtocolVersion, ServerConfig};

use engine::{Engine, Event, Sealed};

use crate::pump::Step;

use error::is_no_record;

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

    fn shake_hands(&mut self, io: &impl Transport) -> Result<Handshake, TlsError> {
        loop {
            self.settle()?;
            if !self.sealed.write(io)? {
                return Ok(Handshake::BlockedOnWrite);
            }
            if !self.is_handshaking() {
                return Ok(Handshake::Done);
            }
            if self.held.len() >= HANDSHAKE_BYTES {
                return Err(TlsError::Flood);
            }
            let mut space = [0; HANDSHAKE_READ_BYTES];
            match read(io, &mut space)? {
                None => return Ok(Handshake::BlockedOnRead),
                Some(0) => return Err(TlsError::Closed),
                Some(count) => self.held.extend_from_slice(&space[..count]),
            }
        }
    }

    /// Reads until there is data in `space`, which holds ciphertext behind plaintext meanwhile.
    fn receive_in_place(&mut self, io: &impl Transport, space: &mut [u8]) -> Result<Step, TlsError> {
        loop {
            if self.peer_closed {
                self.end_told = true;
                return Ok(Step::End);
            }
            let held = self.held.len().min(space.len());
            let mut filled = held;
            space[..held].copy_from_slice(&self.held[..held]);
            if !self.is_held_new {
                if held == space.len() {
                    return Err(TlsError::Flood);
                }
                match read(io, &mut space[held..])? {
                    None => {
                        self.is_drained = true;
                        self.sealed.trim();
                        return Ok(Step::Blocked);
                    }
                    Some(0) => return Err(TlsError::Truncated),
                    Some(count) => filled += count,
                }
                self.is_drained = filled < space.len();
            }
            let (done, opened) = self.open(&mut space[..filled])?;
            self.hold(held, &space[done..filled]);
            if opened > 0 {
                self.fruitless = 0;
                return Ok(Step::Moved(opened));
            }
            self.fruitless += done;
            if self.fruitless > FRUITLESS_BYTES {
                return Err(TlsError::Flood);
            }
        }
    }

    /// Opens all whole records in `space` and lays their data over them from the front on; answers how many bytes are
    /// done with, and how many are data.
    fn open(&mut self, space: &mut [u8]) -> Result<(usize, usize), TlsError> {
        if self.is_dead {
            return Err(is_over());
        }
        let (mut done, mut opened) = (0, 0);
        loop {
            let (discard, event) = self.engine.advance(&mut space[done..], &mut self.sealed);
            done += discard;
            let event = event.and_then(|event| {
                if event == Event::Data {
                    self.engine.take(|data| {
                        space[opened..opened + data.len()].copy_from_slice(data);
                        opened += data.len();
                    })?;
                    debug_assert!(opened <= done, "data is shorter than its record");
                }
                Ok(event)
            });
            match event {
                Ok(Event::Data | Event::Progress) => {}
                Ok(Event::PeerClosed) => self.peer_closed = true,
                Ok(Event::NeedsInput) => break,
                // What was opened before the fault is lost with it: the connection is void.
                Err(error) => return Err(self.fail(error)),
            }
        }
        Ok((done, opened))
    }

    /// Keeps `rest` in place of the first `count` bytes that are held.
    fn hold(&mut self, count: usize, rest: &[u8]) {
        if count == self.held.len() {
            self.held.clear();
            self.held.extend_from_slice(rest);
            self.is_held_new = false;
        } else {
            // More came with the hand-shake than fits into the caller's buffer.
            self.held.splice(..count, rest.iter().copied());
            self.is_held_new = rest.len() < count;
        }
        self.drop_idle();
    }

    /// Works on what is held until rustls needs more; data goes to `opened`.
    fn settle(&mut self) -> Result<(), TlsError> {
        if self.is_dead {
            return Err(is_over());
        }
        let mut done = 0;
        loop {
            let is_first = self.protocol_version().is_none();
            let (discard, event) = self.engine.advance(&mut self.held[done..], &mut self.sealed);
            done += discard;
            let event = event.and_then(|event| {
                if event == Event::Data {
                    self.engine.take(|data| self.opened.extend_from_slice(data))?;
                }
                Ok(event)
            });
            match event {
                Ok(Event::Data | Event::Progress) => {}
                Ok(Event::PeerClosed) => self.peer_closed = true,
                Ok(Event::NeedsInput) => break,
                Err(error) if is_first && is_no_record(&error) => {
                    self.fail(error);
                    return Err(TlsError::NotTls);
                }
                Err(error) => return Err(self.fail(error)),
            }
        }
        self.held.drain(..done);
        self.is_held_new = false;
        self.drop_idle();
        Ok(())
    }

    fn seal(&mut self, bytes: &[u8]) -> Result<(), TlsError> {
        // rustls opens the records that it is shown before it seals.
        self.settle()?;
        match self.engine.seal(&mut self.held, bytes, &mut self.sealed) {
            Ok(true) => Ok(()),
            Ok(false) => Err(is_over()),
            Err(error) => Err(self.fail(error)),
        }
    }

    /// Lets go of a buffer without use. What follows close_notify must be ignored.
    fn drop_idle(&mut self) {
        if self.held.is_empty() || self.peer_closed {
            self.held = Vec::new();
            self.is_held_new = false;
        }
    }

    fn give_opened(&mut self, buffer: &mut [u8]) -> usize {
        let left = &self.opened[self.given..];
        let count = left.len().min(buffer.len());
        buffer[..count].copy_from_slice(&left[..count]);
        self.given += count;
        if self.given == self.opened.len() {
            self.opened = Vec::new();
            self.given = 0;
        }
        count
    }

    /// Ends all work with rustls, and takes the alert for the peer out of it.
    fn fail(&mut self, error: rustls::Error) -> TlsError {
        self.is_dead = true;
        self.collect();
        error.into()
    }

    /// Takes out what rustls has queued to be sent; it looks at no input before.
    fn collect(&mut self) {
        while self.engine.state().wants_write() {
            let (_none, _progress) = self.engine.advance(&mut [], &mut self.sealed);
        }
    }

    /// After an error, writes the alert for the peer if there is room for it.
    fn say_why<T>(&mut self, io: &impl Transport, result: Result<T, TlsError>) -> Result<T, TlsError> {
        if result.is_err() && self.is_dead {
            let _best_effort = self.sealed.write(io);
        }
        result
    }
}

/// The answer to any call after the one that failed.
fn is_over() -> TlsError {
    TlsError::Io(io::ErrorKind::NotConnected.into())
}

/// Reads once; `None`: nothing is there.
fn read(io: &impl Transport, buffer: &mut [u8]) -> io::Result<Option<usize>> {
    loop {
        match io.read(buffer) {
            Ok(count) => return Ok(Some(count)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
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

/// rustls takes hand-shake messages of up to 64 KB; the rest is for their records' headers.
const HANDSHAKE_BYTES: usize = 72 << 10;

/// Most flights of a hand-shake fit.
const HANDSHAKE_READ_BYTES: usize = 4096;
