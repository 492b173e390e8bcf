//! The control connection: its bytes, in the clear or with TLS.
//!
//! It must not know what they mean.

use std::io;
use std::time::Instant;

use muxftp_reactor::pump::Step;
use muxftp_reactor::tls::{Handshake, Stream, TlsLayer};
use muxftp_reactor::{Key, Reactor, Readiness};
use rustls::ProtocolVersion;

use super::readiness::clear;

/// The control connection.
#[derive(Debug)]
pub(super) struct Control {
    pub(super) stream: Stream,
    pub(super) key: Key,
    /// When the connect was begun, while it goes on.
    pub(super) connecting: Option<Instant>,
    encryption: Encryption,
}

/// How far the encryption is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Encryption {
    /// There is none, or bytes go through it.
    Settled,
    /// The hand-shake is under way.
    Shaking,
}

impl Control {
    pub(super) fn new(stream: Stream, key: Key, began: Instant) -> Control {
        Control { stream, key, connecting: Some(began), encryption: Encryption::Settled }
    }

    /// The hand-shake is next.
    pub(super) fn secure(&mut self, layer: TlsLayer) {
        self.stream.secure(layer);
        self.encryption = Encryption::Shaking;
    }

    /// Whether no bytes of the session may move: they would be those of the hand-shake.
    pub(super) fn is_shaking(&self) -> bool {
        self.encryption == Encryption::Shaking
    }

    /// Whether TLS protects it.
    pub(super) fn is_secured(&self) -> bool {
        !self.is_shaking() && self.stream.tls().is_some()
    }

    /// The version of TLS, if it is protected.
    pub(super) fn tls_version(&self) -> Option<ProtocolVersion> {
        self.stream.tls().and_then(TlsLayer::protocol_version)
    }

    /// Goes on with the hand-shake; `true`: it is done.
    pub(super) fn shake<T: Copy>(&mut self, rx: &mut Reactor<T>) -> io::Result<bool> {
        match self.stream.handshake() {
            Ok(Handshake::Done) => {
                self.encryption = Encryption::Settled;
                // What came behind it may be here, and announced.
                rx.queue(self.key);
                Ok(true)
            }
            Ok(Handshake::BlockedOnRead) => {
                clear(rx, self.key, |readiness| readiness.readable = false);
                Ok(false)
            }
            Ok(Handshake::BlockedOnWrite) => {
                clear(rx, self.key, |readiness| readiness.writable = false);
                Ok(false)
            }
            Err(error) => {
                self.encryption = Encryption::Settled;
                Err(error)
            }
        }
    }

    /// Whether there may be something to read.
    pub(super) fn may_read(&self, readiness: Readiness) -> bool {
        !self.is_shaking() && (readiness.readable || self.stream.has_buffered())
    }

    /// Reads once. The hint is cleared when nothing is left.
    pub(super) fn read<T: Copy>(&mut self, rx: &mut Reactor<T>, buffer: &mut [u8]) -> io::Result<(Step, bool)> {
        let step = self.stream.receive(buffer)?;
        let mut more = matches!(step, Step::Moved(_));
        match rx.readiness(self.key) {
            // A hang-up that was reported already will not be reported again.
            Some(readiness) if step == Step::Blocked || (self.stream.is_drained() && !readiness.read_closed) => {
                readiness.readable = false;
                more = false;
            }
            Some(_) => {}
            None => more = false,
        }
        Ok((step, more))
    }

    /// Writes `pending`, or what is sealed when there is none; the bytes that are taken, `None`: no more at present.
    pub(super) fn write<T: Copy>(&mut self, rx: &mut Reactor<T>, pending: &[u8]) -> io::Result<Option<usize>> {
        let blocked = if pending.is_empty() {
            !self.stream.flush()?
        } else {
            match self.stream.send(pending)? {
                Step::Moved(bytes) => return Ok(Some(bytes)),
                Step::Blocked | Step::End => true,
            }
        };
        if blocked {
            clear(rx, self.key, |readiness| readiness.writable = false);
        }
        Ok(None)
    }

    /// Closes it; TLS says so, if the system takes that at once.
    pub(super) fn close<T: Copy>(mut self, rx: &mut Reactor<T>) {
        if self.is_secured() {
            self.stream.close();
            // Nobody waits for the answer of a session that is over.
            let _ = self.stream.flush();
        }
        rx.release(self.key);
    }
}
