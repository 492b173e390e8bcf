//! What must hold in a client session between two inputs: each breach is a bug of ours, never of a server.
//!
//! It must not change anything; in a release build nothing of it is left.

use crate::limits;

use super::talk::DIALOGUE_BYTES_MAX;
use super::{ClientSession, Machine};

impl ClientSession {
    /// To be called at the end of each input.
    pub(super) fn check_invariants(&self) {
        let over = self.is_ready() || self.is_closed();
        debug_assert!(self.talk.outcome.is_none() || over, "an outcome of an operation that goes on");
        debug_assert_eq!(self.next_timeout().is_none(), over, "an operation without a timer, or a timer without one");
        if self.is_ready() {
            debug_assert!(!self.talk.control_lost, "a session that has lost its connection is not over");
            let is_heard = match &self.machine {
                Machine::Line(_) => true,
                Machine::Ftp(machine) => !machine.is_new(),
            };
            let waiting = self.talk.input.waiting();
            debug_assert!(!is_heard || waiting <= limits::LINE_BYTES_MAX + 1, "a whole line was not heard");
        }
        debug_assert!(self.is_closed() || self.talk.input.waiting() <= limits::INPUT_BYTES_MAX, "a flood is kept");
        debug_assert!(self.talk.dialogue.len() <= DIALOGUE_BYTES_MAX + NOTE_BYTES_EXTRA, "a dialogue without bound");
    }
}

/// Who says a line, and its end.
const NOTE_BYTES_EXTRA: usize = 8;
