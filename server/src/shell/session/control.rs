//! The bytes of a control connection: commands in, replies out.
//!
//! It must not know what they mean.

use muxftp_reactor::pump::{self, Step};
use muxftp_reactor::{Again, Reactor, Readiness};

use super::super::{Owner, Shared};
use super::Session;

impl Session {
    /// The control connection has news.
    pub(in crate::shell) fn ready_control(
        &mut self,
        shared: &mut Shared,
        rx: &mut Reactor<Owner>,
        readiness: Readiness,
    ) -> Again {
        let again = if readiness.readable { self.read(shared, rx) } else { Again::No };
        self.settle(shared, rx);
        again
    }

    pub(super) fn read(&mut self, shared: &mut Shared, rx: &mut Reactor<Owner>) -> Again {
        for _ in 0..READS_PER_TURN {
            // The hint stays set: settle() queues the session again once there is room.
            if !self.proto.wants_input() {
                return Again::No;
            }
            let now = rx.now();
            match pump::receive(&self.stream, &mut shared.buffer[..CONTROL_READ_BYTES]) {
                Ok(Step::Moved(bytes)) => {
                    self.proto.handle_input(&shared.buffer[..bytes], now);
                    let Some(readiness) = rx.readiness(self.stream_key) else { return Again::No };
                    // A short read has emptied the socket, unless it stopped at the urgent byte of an ABOR, in the middle of
                    // a line; a hang-up that came before is still to be read.
                    let is_whole = shared.buffer[bytes - 1] == b'\n';
                    if bytes < CONTROL_READ_BYTES && is_whole && !readiness.read_closed {
                        readiness.readable = false;
                        return Again::No;
                    }
                    self.settle(shared, rx);
                }
                Ok(Step::Blocked) => {
                    self.clear_readable(rx);
                    return Again::No;
                }
                Ok(Step::End) => {
                    self.clear_readable(rx);
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
        let mut wrote = false;
        loop {
            let pending = self.proto.outbox().pending();
            if pending.is_empty() {
                if wrote {
                    self.proto.handle_flushed(rx.now());
                }
                return wrote;
            }
            match pump::send(&self.stream, pending) {
                Ok(Step::Moved(bytes)) => self.proto.outbox().consume(bytes),
                Ok(Step::Blocked | Step::End) => return false,
                Err(_) => {
                    let unsent = self.proto.outbox().pending().len();
                    self.proto.outbox().consume(unsent);
                    self.proto.handle_lost(rx.now());
                    return true;
                }
            }
            wrote = true;
        }
    }

    pub(super) fn clear_readable(&mut self, rx: &mut Reactor<Owner>) {
        if let Some(readiness) = rx.readiness(self.stream_key) {
            readiness.readable = false;
        }
    }
}

/// Several lines fit; a peer that sends more is read again.
const CONTROL_READ_BYTES: usize = 4096;

/// Reads of one control connection before the others have their turn.
const READS_PER_TURN: usize = 4;
