//! The steps behind [`TlsLayer`]'s interface: hand-shake, opening, sealing, failing.
//!
//! Must not know files, or plain connections.
//!
//! Invariants:
//! - rustls is never asked again after it has failed, but for the alert that it has ready.
//! - What is held of the peer starts with the first byte that rustls is not done with: it remembers how far into that
//!   it has looked.

use std::io;

use super::engine::Event;
use super::error::is_no_record;
use super::{FRUITLESS_BYTES, Handshake, TlsError, TlsLayer, Transport};
use crate::pump::{self, Step};

impl TlsLayer {
    pub(super) fn shake_hands(&mut self, io: &impl Transport) -> Result<Handshake, TlsError> {
        loop {
            self.settle()?;
            match self.sealed.write(io) {
                Ok(true) => {}
                Ok(false) => return Ok(Handshake::BlockedOnWrite),
                // Behind the hand-shake there are only tickets. A peer that has sent all and closed does not want them,
                // and what it sent is still to be read.
                Err(_) if !self.is_handshaking() => self.sealed.clear(),
                Err(error) => return Err(error.into()),
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
    pub(super) fn receive_in_place(&mut self, io: &impl Transport, space: &mut [u8]) -> Result<Step, TlsError> {
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
    pub(super) fn settle(&mut self) -> Result<(), TlsError> {
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

    pub(super) fn seal(&mut self, bytes: &[u8]) -> Result<(), TlsError> {
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

    pub(super) fn give_opened(&mut self, buffer: &mut [u8]) -> usize {
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
    pub(super) fn collect(&mut self) {
        while self.engine.state().wants_write() {
            let (_none, _progress) = self.engine.advance(&mut [], &mut self.sealed);
        }
    }

    /// After an error, writes the alert for the peer if there is room for it.
    pub(super) fn say_why<T>(&mut self, io: &impl Transport, result: Result<T, TlsError>) -> Result<T, TlsError> {
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
    match pump::retry(|| io.read(buffer)) {
        Ok(count) => Ok(Some(count)),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
        Err(error) => Err(error),
    }
}

/// rustls takes hand-shake messages of up to 64 KB; the rest is for their records' headers.
const HANDSHAKE_BYTES: usize = 72 << 10;

/// Most flights of a hand-shake fit.
const HANDSHAKE_READ_BYTES: usize = 4096;
