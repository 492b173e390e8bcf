//! The way out of a transfer: ABOR, and whatever the server says until it is sure to have said all.
//!
//! Servers answer the transfer (426, or 226 when it was just complete) and then ABOR (226, 225, 500), or only one of the two.
//! So NOOP is said behind the first reply: its own (200) cannot be taken for another, and whatever comes before it belongs
//! to what is over.

use std::time::{Duration, Instant};

use crate::client::io::{ClientEffect, Failure, Outcome};
use crate::client::talk::{Talk, Wait};
use crate::dialect::ftp::answer::Answer;
use crate::dialect::ftp::request;
use crate::dialect::ftp::verbs::Verb;

use super::transfer::{Data, Stage, Transfer, Way};
use super::{FtpClient, Phase};

/// A transfer that is being given up.
#[derive(Debug)]
pub(super) struct Abort {
    since: Instant,
    /// The data connection of an upload is still held.
    holds_data: bool,
    /// The number of the first reply; NOOP is said behind it.
    ended: Option<u16>,
    /// Replies since then.
    more: u32,
}

impl Abort {
    fn begin(holds_data: bool, now: Instant) -> Abort {
        Abort { since: now, holds_data, ended: None, more: 0 }
    }

    pub(super) fn holds_data(&self) -> bool {
        self.holds_data
    }

    pub(super) fn waits(&self) -> Wait {
        if self.holds_data { Wait::Grace(self.since) } else { Wait::Reply(self.since) }
    }

    fn drop_data(&mut self, talk: &mut Talk) {
        if std::mem::take(&mut self.holds_data) {
            talk.effect(ClientEffect::AbandonData);
        }
    }
}

impl FtpClient {
    /// Ends the operation with as little harm as its stage allows.
    pub(in crate::client) fn abort(&mut self, talk: &mut Talk, now: Instant) {
        match std::mem::replace(&mut self.phase, Phase::Ready) {
            Phase::Transferring(mut transfer) => match &transfer.stage {
                // Nothing is on its way.
                Stage::Listening | Stage::Connecting { .. } => self.give_up(talk, transfer),
                Stage::Running { answer: Some(answer), .. } => {
                    let code = answer.code;
                    transfer.drop_data(talk);
                    self.finish(talk, Outcome::Aborted { code });
                }
                Stage::Running { .. } => {
                    // A server that waits in a write to us does not hear us; and what an upload has sent so far must not
                    // look like the whole.
                    if transfer.errand.way == Way::Down {
                        transfer.drop_data(talk);
                    } else if transfer.data == Data::Moving {
                        talk.effect(ClientEffect::StopMoving);
                    }
                    // Without the Telnet commands of RFC 959 4.1: servers that look at the control connection during a
                    // transfer look for the word, and not all of them know it with other bytes before it (pure-ftpd);
                    // TLS has no urgent data at all.
                    self.say(talk, &request::line(Verb::Abor, b""));
                    self.phase = Phase::Aborting(Abort::begin(transfer.data.is_held(), now));
                }
                _ => {
                    transfer.given_up = true;
                    self.phase = Phase::Transferring(transfer);
                }
            },
            Phase::LoggingIn { .. } => {
                self.end(talk);
                talk.conclude(Outcome::Aborted { code: 0 });
            }
            phase => self.phase = phase,
        }
        self.listen(talk, now);
    }

    pub(super) fn give_up(&mut self, talk: &mut Talk, mut transfer: Transfer) {
        transfer.drop_data(talk);
        self.finish(talk, Outcome::Aborted { code: 0 });
    }

    pub(super) fn abort_answered(&mut self, talk: &mut Talk, mut abort: Abort, answer: &Answer, now: Instant) {
        match abort.ended {
            _ if answer.is_preliminary() => abort.since = now,
            None if !can_end_a_transfer(answer.code) => {
                self.phase = Phase::Aborting(abort);
                return self.out_of_step(talk, answer);
            }
            None => {
                abort.drop_data(talk);
                abort.ended = Some(answer.code);
                abort.since = now;
                self.say(talk, &request::line(Verb::Noop, b""));
            }
            Some(code) if answer.code == NOOP_DONE => return self.finish(talk, Outcome::Aborted { code }),
            Some(_) => abort.more += 1,
        }
        let too_many = abort.more > REPLIES_MAX;
        self.phase = Phase::Aborting(abort);
        if too_many {
            self.fail(talk, Failure::UnexpectedReply(answer.text()));
        }
    }

    pub(super) fn abort_timed_out(&mut self, talk: &mut Talk, mut abort: Abort, now: Instant) {
        if abort.holds_data {
            // This server hears nothing before the end of the data.
            abort.drop_data(talk);
            abort.since = now;
            self.phase = Phase::Aborting(abort);
        } else {
            self.phase = Phase::Aborting(abort);
            self.fail(talk, Failure::TimedOut);
        }
    }
}

/// RFC 959 5.4, of a transfer and of ABOR; or a refusal of either.
fn can_end_a_transfer(code: u16) -> bool {
    matches!(code, 200 | 225 | 226 | 250 | 400..)
}

/// How long a server may take to hear ABOR beside the data of an upload. Many never do.
pub(in crate::client) const GRACE: Duration = Duration::from_secs(2);

/// RFC 959 5.4.
const NOOP_DONE: u16 = 200;

/// Two are right, and some servers say one of them twice.
const REPLIES_MAX: u32 = 4;
