//! What the loop remembers of one source: its owner's name for it, hints, and its deadline.
//!
//! Must not know the socket: that belongs to the owner.

use mio::event::Event;

use crate::timers::Deadline;

/// What a source is believed to be able to do. All fields are *hints*: `true` means "try it".
///
/// The kernel tells of a change once. The loop therefore sets a hint when an event comes, and
/// the owner clears it when an attempt answered `WouldBlock`; nothing else may clear it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Readiness {
    /// A read, or an accept, may succeed.
    pub readable: bool,
    /// A write may succeed, or a connect has ended.
    pub writable: bool,
    /// The peer has hung up. Bytes may still be unread: read until 0 before closing.
    pub read_closed: bool,
    /// The socket has an error; the next read or write will return it.
    pub error: bool,
}

impl Readiness {
    pub(crate) fn add(&mut self, event: &Event) {
        let error = event.is_error();
        let read_closed = event.is_read_closed();
        self.error |= error;
        self.read_closed |= read_closed;
        // An end of stream and an error are both picked up by trying.
        self.readable |= event.is_readable() || read_closed || error;
        self.writable |= event.is_writable() || event.is_write_closed() || error;
    }
}

/// One source of the loop, or one timer without a source.
#[derive(Debug)]
pub(crate) struct Slot<T> {
    pub(crate) owner: T,
    pub(crate) readiness: Readiness,
    /// The key is in the ready queue.
    pub(crate) queued: bool,
    /// The owner has let go; the slot is freed at the end of the turn.
    pub(crate) released: bool,
    pub(crate) deadline: Deadline,
}

impl<T> Slot<T> {
    pub(crate) fn new(owner: T, readiness: Readiness) -> Self {
        Self { owner, readiness, queued: false, released: false, deadline: Deadline::default() }
    }
}
