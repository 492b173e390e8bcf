//! Replies on their way to the peer.
//!
//! It must not know a socket: the shell writes [`Outbox::pending`] and says how much went with [`Outbox::consume`].
//!
//! Invariant: an empty outbox holds no more than a few hundred bytes of memory.

use crate::limits;

/// Bytes for the control connection that have not been written yet.
#[derive(Debug, Default)]
pub struct Outbox {
    bytes: Vec<u8>,
    /// How much of `bytes` has been written.
    sent: usize,
}

impl Outbox {
    /// What is to be written next.
    pub fn pending(&self) -> &[u8] {
        &self.bytes[self.sent..]
    }

    /// Whether everything has been written.
    pub fn is_empty(&self) -> bool {
        self.pending().is_empty()
    }

    /// Whether the peer must read before more is produced for it.
    pub fn is_full(&self) -> bool {
        self.pending().len() >= limits::OUTBOX_BYTES_MAX
    }

    /// `count` bytes of [`Outbox::pending`] were written.
    pub fn consume(&mut self, count: usize) {
        self.sent += count;
        debug_assert!(self.sent <= self.bytes.len());
        if self.sent == self.bytes.len() {
            self.sent = 0;
            if self.bytes.capacity() > KEPT_BYTES {
                self.bytes = Vec::new();
            } else {
                self.bytes.clear();
            }
        }
    }

    /// Where a dialect prints to.
    pub(crate) fn buffer(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }
}

/// What an idle session may keep, so that a short reply needs no allocation.
const KEPT_BYTES: usize = 128;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_not_written_again() {
        let mut outbox = Outbox::default();
        outbox.buffer().extend_from_slice(b"226 Transfer Complete\r\n");
        outbox.consume(4);
        assert_eq!(outbox.pending(), b"Transfer Complete\r\n");
        outbox.buffer().extend_from_slice(b"550 ");
        assert_eq!(outbox.pending(), b"Transfer Complete\r\n550 ");
        outbox.consume(outbox.pending().len());
        assert!(outbox.is_empty());
    }

    #[test]
    fn it_is_full_at_the_limit_and_gives_its_memory_back() {
        let mut outbox = Outbox::default();
        outbox.buffer().resize(limits::OUTBOX_BYTES_MAX, b'x');
        assert!(outbox.is_full());
        outbox.consume(1);
        assert!(!outbox.is_full());
        outbox.consume(outbox.pending().len());
        assert!(outbox.bytes.capacity() <= KEPT_BYTES);
    }
}
