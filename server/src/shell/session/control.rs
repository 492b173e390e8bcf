//! The bytes of a control connection: commands in, replies out, encrypted or not.
//!
//! It must not know what they mean.

use muxftp_reactor::pump::Step;
use muxftp_reactor::tls::{Handshake, TlsLayer};
use muxftp_reactor::{Again, Reactor, Readiness};

use super::super::{Owner, Shared};
use super::{Encryption, Fate, Session};
use crate::limits;
use crate::log;

impl Session {
    /// The control connection has news.
    pub(in crate::shell) fn ready_control(
        &mut self,
        shared: &mut Shared,
        rx: &mut Reactor<Owner>,
        readiness: Readiness,
    ) -> Again {
        self.idle_wakes += 1;
        if self.idle_wakes > limits::IDLE_WAKES_MAX {
            log::spinning(&self.line);
            shared.spinning += 1;
            self.proto.handle_lost(rx.now());
        }
        self.shake(rx);
        let reads = self.encryption == Encryption::Settled && (readiness.readable || self.stream.has_buffered());
        let again = if self.proto.has_work() {
            self.idle_wakes = 0;
            self.proto.resume(rx.now());
            Again::No
        } else if readiness.error && !self.proto.wants_input() {
            // Reset by a peer that is gone, which no read would show as long as nothing is read.
            self.proto.handle_lost(rx.now());
            Again::No
        } else if reads {
            self.read(shared, rx)
        } else {
            Again::No
        };
        self.settle(shared, rx);
        again
    }

    /// All that was in the clear is written: TLS begins.
    pub(super) fn begin_tls(&mut self, shared: &mut Shared, rx: &mut Reactor<Owner>) {
        let begun = shared.tls.as_ref().and_then(|certificates| {
            let tls = certificates.session().ok()?;
            let layer = TlsLayer::server(tls.control()).ok()?;
            Some((tls, layer))
        });
        match begun {
            Some((tls, layer)) => {
                self.tls = Some(tls);
                self.stream.secure(layer);
                self.encryption = Encryption::Shaking;
                // The first bytes may be here already, and announced.
                rx.queue(self.stream_key);
            }
            None => self.proto.handle_lost(rx.now()),
        }
    }

    /// Goes on with the hand-shake, if one is under way.
    fn shake(&mut self, rx: &mut Reactor<Owner>) {
        if self.encryption != Encryption::Shaking {
            return;
        }
        match self.stream.handshake() {
            Ok(Handshake::Done) => {
                self.encryption = Encryption::Settled;
                self.idle_wakes = 0;
                if let Some(layer) = self.stream.tls() {
                    log::secured(&self.line, layer);
                }
                self.proto.handle_secured(rx.now());
            }
            Ok(Handshake::BlockedOnRead) => self.clear(rx, |readiness| readiness.readable = false),
            Ok(Handshake::BlockedOnWrite) => self.clear(rx, |readiness| readiness.writable = false),
            Err(error) => {
                log::tls_failed(&self.line, &error);
                self.encryption = Encryption::Settled;
                self.proto.handle_lost(rx.now());
            }
        }
    }

    pub(super) fn read(&mut self, shared: &mut Shared, rx: &mut Reactor<Owner>) -> Again {
        for _ in 0..limits::CONTROL_READS_PER_TURN {
            // The hint stays set: settle() queues the session again once there is room.
            if !self.proto.wants_input() || self.proto.has_work() {
                return Again::No;
            }
            let now = rx.now();
            match self.stream.receive(&mut shared.buffer[..limits::CONTROL_READ_BYTES]) {
                Ok(Step::Moved(bytes)) => {
                    self.idle_wakes = 0;
                    self.proto.handle_input(&shared.buffer[..bytes], now);
                    let Some(readiness) = rx.readiness(self.stream_key) else { return Again::No };
                    // A short read has emptied the socket, unless it stopped at the urgent byte of an ABOR, in the middle of
                    // a line; a hang-up that came before is still to be read.
                    let is_whole = shared.buffer[bytes - 1] == b'\n';
                    if self.stream.is_drained() && is_whole && !readiness.read_closed {
                        readiness.readable = false;
                        return Again::No;
                    }
                    self.settle(shared, rx);
                }
                Ok(Step::Blocked) => {
                    self.clear(rx, |readiness| readiness.readable = false);
                    return Again::No;
                }
                Ok(Step::End) => {
                    self.clear(rx, |readiness| readiness.readable = false);
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

    /// Writes replies; `true`: all went out, and the session may have gone on because of that.
    pub(super) fn flush(&mut self, rx: &mut Reactor<Owner>) -> bool {
        // What is sealed for a peer that is lost cannot be taken back, and must not be tried for ever.
        if self.encryption == Encryption::Shaking || self.fate == Fate::Over {
            return false;
        }
        let mut wrote = false;
        loop {
            let pending = self.proto.outbox().pending();
            let step = match pending.is_empty() {
                false => self.stream.send(pending),
                true => match self.stream.flush() {
                    Ok(true) if wrote => {
                        self.proto.handle_flushed(rx.now());
                        return true;
                    }
                    Ok(_) => return false,
                    Err(error) => Err(error),
                },
            };
            match step {
                Ok(Step::Moved(bytes)) => self.proto.outbox().consume(bytes),
                Ok(Step::Blocked | Step::End) => return false,
                Err(_) => {
                    let unsent = self.proto.outbox().pending().len();
                    self.proto.outbox().consume(unsent);
                    self.proto.handle_lost(rx.now());
                    return true;
                }
            }
            self.idle_wakes = 0;
            wrote = true;
        }
    }

    fn clear(&self, rx: &mut Reactor<Owner>, change: impl FnOnce(&mut Readiness)) {
        if let Some(readiness) = rx.readiness(self.stream_key) {
            change(readiness);
        }
    }
}
