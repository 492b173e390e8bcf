//! Replies that come unasked: which operation they throw a doubt on, and that this is reported once.
//!
//! An operation that ends with one reply is in doubt when another reply follows: the first may have been an older
//! command's. A transfer is certain, since its preliminary reply shows that the replies were in step.

use std::sync::atomic::Ordering;

use muxftp_client::driver::{Finished, OperationResult};
use muxftp_proto::Dialect;
use muxftp_proto::client::io::{Failure, Operation, Outcome};

use super::verdict::shown;
use super::{Engine, Speaker, moves_data};
use crate::content::Content;
use crate::report;
use crate::trouble::Trouble;

impl Engine {
    /// Remembers an operation that was done, as far as one reply can show it.
    pub(super) fn note_done(&mut self, operation: &Operation, what: &str) {
        self.unconfirmed = (!moves_data(operation)).then(|| what.to_owned());
    }

    /// Reports a reply that came unasked and ended the session.
    pub(super) fn look_for_surplus(&mut self) {
        let Some(connection) = &self.peer.connection else { return };
        let Some(reply) = connection.surplus().map(|reply| shown(reply).to_string()) else { return };
        let speaker = Speaker::of(connection.surplus().unwrap_or_default());
        // What it says is used up.
        self.hang_up();
        if self.server.dialect != Dialect::Ftp {
            let unknown = || format!("`{reply}` came unasked: does the server speak {}?", self.server.dialect);
            self.foreign = Some(speaker.and_then(|speaker| speaker.advice(&self.server)).unwrap_or_else(unknown));
            return;
        }
        self.doubt(&reply);
    }

    /// The reply to QUIT is the last: one of another command shows that the replies were out of step before.
    pub(super) fn judge_farewell(&mut self, finished: &Finished<Content>) {
        if let OperationResult::Ended(Outcome::Failed { failure: Failure::OutOfStep { reply, .. }, .. }, _) =
            &finished.result
        {
            let reply = shown(reply).to_string();
            self.doubt(&reply);
        }
    }

    /// Whether an operation of this session, or of its siblings, was reported as not confirmed.
    pub(super) fn verdict_of_doubts(&self) -> Result<(), Trouble> {
        match self.doubts.load(Ordering::SeqCst) {
            true => Err(Trouble::Reported(UNCONFIRMED)),
            false => Ok(()),
        }
    }

    fn doubt(&mut self, reply: &str) {
        let reason = format!("the server's replies are out of step: `{reply}` came unasked");
        match self.unconfirmed.take() {
            Some(what) => {
                self.doubts.store(true, Ordering::SeqCst);
                report(&Trouble::Broken { what, reason: format!("not confirmed: {reason}") });
            }
            None => eprintln!("muxftp: note: {reason}; the session was ended"),
        }
    }
}

/// The exit code of [`Trouble::Broken`].
const UNCONFIRMED: u8 = 4;
