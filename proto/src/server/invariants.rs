//! What must hold in a server session between two inputs: each breach is a bug of ours, never of a peer.
//!
//! It must not change anything; in a release build nothing of it is left.

use crate::limits;

use super::core::Phase;
use super::data::LegState;
use super::{Mind, ServerSession};

impl ServerSession {
    /// To be called at the end of each input.
    pub(super) fn check_invariants(&self) {
        let core = &self.core;
        let ready = core.is_ready();
        debug_assert!(!(ready && core.draining), "a server that is ending waits for a command");
        if ready && !core.outbox.is_full() && !core.has_more {
            debug_assert!(self.input.waiting() <= limits::LINE_BYTES_MAX + 1, "a whole line was not taken up");
            debug_assert!(!core.input_ended, "nothing is to come, and nothing is done");
        }
        debug_assert!(core.bad_commands <= limits::BAD_COMMANDS_MAX + 1, "a peer that only errs is still heard");
        if let Phase::Transferring(transfer) = &core.phase {
            transfer.check_invariants();
        }
        if core.is_over() {
            debug_assert!(core.agreed.state == LegState::None, "a data connection outlives the session");
            debug_assert!(!self.wants_input(), "a session that is over still listens");
        }
        if matches!(core.phase, Phase::Securing(_)) {
            debug_assert_eq!(self.input.waiting(), 0, "what came in the clear would be taken for encrypted");
        }
        if matches!(core.phase, Phase::Closed) {
            debug_assert_eq!(self.next_timeout(), None, "a timer outlives the session");
        }
        match &self.mind {
            Mind::Words(words) => {
                let waits = matches!(core.phase, Phase::Transferring(_)) && words.ready_may_come;
                debug_assert!(!waits, "a READY of the past would be taken for this transfer's");
            }
            Mind::Ftp(ftp) => ftp.check_invariants(core),
        }
    }
}
