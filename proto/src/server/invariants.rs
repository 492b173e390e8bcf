//! What must hold in a server session between two inputs: each breach is a bug of ours, never of a peer.
//!
//! It must not change anything; in a release build nothing of it is left.

use crate::limits;

use super::{Phase, ServerSession};

impl ServerSession {
    /// To be called at the end of each input.
    pub(super) fn check_invariants(&self) {
        let ready = matches!(self.phase, Phase::Ready);
        debug_assert!(!(ready && self.draining), "a server that is ending waits for a command");
        if ready && !self.outbox.is_full() {
            debug_assert!(self.input.waiting() <= limits::LINE_BYTES_MAX + 1, "a whole line was not taken up");
            debug_assert!(!self.input_ended, "nothing is to come, and nothing is done");
        }
        debug_assert!(self.bad_commands <= limits::BAD_COMMANDS_MAX + 1, "a peer that only errs is still heard");
        if let Phase::Transferring(transfer) = &self.phase {
            debug_assert_eq!(transfer.op, self.last_op, "a transfer of the past");
            debug_assert!(!self.ready_may_come, "a READY of the past would be taken for this transfer's");
            transfer.check_invariants();
        }
        if matches!(self.phase, Phase::Closed) {
            debug_assert_eq!(self.next_timeout(), None, "a timer outlives the session");
            debug_assert!(!self.wants_input(), "a session that is over still listens");
        }
    }
}
