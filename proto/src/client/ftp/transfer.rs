//! Transfers: the type, the position, the command, and the bytes, until the server's final word.
//!
//! How the data connection is agreed on stands in `agree`, the way out of a transfer in `abort`.
//!
//! The final word, the end of the bytes and, in active mode, the data connection may come in any order.

use std::net::SocketAddr;
use std::time::Instant;

use crate::client::io::{ClientEffect, ClientEvent, ClientStep, Failure, Outcome, Told};
use crate::client::talk::{Talk, Wait};
use crate::dialect::ftp::answer::{self, Answer};
use crate::dialect::ftp::request;
use crate::dialect::ftp::verbs::Verb;

use super::ask::binary;
use super::{FtpClient, Phase};

/// What a transfer is to do.
#[derive(Debug)]
pub(super) struct Errand {
    pub(super) way: Way,
    /// Its command, without the end.
    pub(super) line: Vec<u8>,
    /// Where it begins.
    pub(super) offset: u64,
}

/// Where the bytes go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    Down,
    Up,
}

/// A transfer under way.
#[derive(Debug)]
pub(super) struct Transfer {
    pub(super) errand: Errand,
    pub(super) stage: Stage,
    pub(super) data: Data,
    /// When something last happened.
    since: Instant,
    /// It is given up, once the reply that is due is there.
    pub(super) given_up: bool,
}

/// What is waited for.
#[derive(Debug)]
pub(super) enum Stage {
    /// TYPE I is asked.
    Type,
    /// EPSV is asked, or PASV.
    Passive { extended: bool },
    /// The passive connection is being made.
    Connecting { extended: bool },
    /// The driver is to listen.
    Listening,
    /// EPRT is asked, or PORT, for this address.
    Active { extended: bool, address: SocketAddr },
    /// REST is asked.
    Restart,
    /// The command is said.
    Running {
        /// Its preliminary reply has come.
        opened: bool,
        expected: Option<u64>,
        /// The name that the server has chosen.
        name: Option<Vec<u8>>,
        answer: Option<Answer>,
    },
}

/// The data connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Data {
    None,
    /// Being made, by either side.
    Awaited,
    Connected,
    Moving,
    Moved,
    /// It broke, or could not be made.
    Lost(ClientStep),
}

impl Data {
    /// Whether the driver holds one, or the wish for one.
    pub(super) fn is_held(self) -> bool {
        matches!(self, Data::Awaited | Data::Connected | Data::Moving)
    }
}

impl Transfer {
    /// Whether a reply is due, or may come: not while a data connection is being agreed on, nor behind the last one.
    pub(super) fn is_asking(&self) -> bool {
        !matches!(self.stage, Stage::Connecting { .. } | Stage::Listening)
    }

    /// A transfer is completed only after its 1xx, and an upload only after all of it was sent: an earlier 2xx is a
    /// reply to something else.
    fn can_complete(&self) -> bool {
        let is_sent = self.errand.way == Way::Down || matches!(self.data, Data::Moved | Data::Lost(_));
        is_sent && matches!(self.stage, Stage::Running { opened: true, .. })
    }

    pub(super) fn is_answered(&self) -> bool {
        matches!(self.stage, Stage::Running { answer: Some(_), .. })
    }

    pub(super) fn has_data(&self) -> bool {
        self.data.is_held()
    }

    pub(super) fn waits(&self) -> Wait {
        match (&self.stage, self.data) {
            (Stage::Listening | Stage::Connecting { .. }, _) => Wait::Connect(self.since),
            (Stage::Running { .. }, Data::Moving) => Wait::Byte(self.since),
            (Stage::Running { opened: true, .. }, Data::Awaited) => Wait::Connect(self.since),
            _ => Wait::Reply(self.since),
        }
    }

    /// Where a failure breaks it. What broke first is what is told.
    pub(super) fn failed(&self, failure: Failure) -> (ClientStep, Failure) {
        match (&self.stage, self.data) {
            (_, Data::Lost(ClientStep::DataConnect)) => (ClientStep::DataConnect, Failure::DataConnect),
            (_, Data::Lost(step)) => (step, Failure::DataLost),
            (Stage::Listening | Stage::Connecting { .. }, _) => (ClientStep::DataConnect, failure),
            (Stage::Running { opened: true, .. }, Data::Awaited) => (ClientStep::DataConnect, failure),
            (_, Data::Moving) => (ClientStep::Transfer, failure),
            (_, Data::Moved) => (ClientStep::Complete, failure),
            _ => (ClientStep::Negotiate, failure),
        }
    }

    /// 150, 125, or what else a server may have to say meanwhile.
    fn hear_preliminary(&mut self, answer: &Answer, now: Instant) {
        self.since = now;
        if let Stage::Running { opened, expected, name, .. } = &mut self.stage {
            *opened = true;
            // From the middle of a file some servers tell the size of the whole.
            let is_of_rest = self.errand.way == Way::Down && self.errand.offset == 0;
            *expected = expected.or(answer::promised_bytes(answer).filter(|_| is_of_rest));
            *name = name.take().or(answer::chosen_name(answer).map(<[u8]>::to_vec));
        }
    }

    pub(super) fn drop_data(&mut self, talk: &mut Talk) {
        if self.data.is_held() {
            talk.effect(ClientEffect::AbandonData);
        }
        self.data = Data::None;
    }

    /// It broke, or could not be made.
    fn lose_data(&mut self, talk: &mut Talk) {
        let step = if self.data == Data::Moving { ClientStep::Transfer } else { ClientStep::DataConnect };
        self.drop_data(talk);
        self.data = Data::Lost(step);
    }

    pub(super) fn wait(mut self, stage: Stage, now: Instant) -> Phase {
        self.stage = stage;
        self.since = now;
        Phase::Transferring(self)
    }
}

impl FtpClient {
    pub(super) fn begin(&mut self, talk: &mut Talk, errand: Errand, now: Instant) {
        let transfer = Transfer { errand, stage: Stage::Type, data: Data::None, since: now, given_up: false };
        if self.binary {
            return self.agree(talk, transfer, now);
        }
        self.say(talk, &binary());
        self.phase = Phase::Transferring(transfer);
    }

    /// A reply to a transfer, or to what is said before it.
    pub(super) fn transfer_answered(&mut self, talk: &mut Talk, mut transfer: Transfer, answer: Answer, now: Instant) {
        if answer.is_preliminary() {
            transfer.hear_preliminary(&answer, now);
            return self.advance(talk, transfer, now);
        }
        if answer.is_complete() && matches!(transfer.stage, Stage::Running { .. }) && !transfer.can_complete() {
            self.phase = Phase::Transferring(transfer);
            return self.out_of_step(talk, &answer);
        }
        if let Stage::Running { answer: due, .. } = &mut transfer.stage {
            *due = Some(answer);
            transfer.since = now;
            return self.advance(talk, transfer, now);
        }
        if let (Stage::Restart, true) = (&transfer.stage, answer.is_intermediate()) {
            self.position_left = true;
        }
        if transfer.given_up {
            return self.give_up(talk, transfer);
        }
        match transfer.stage {
            Stage::Type if answer.is_complete() => {
                self.binary = true;
                self.agree(talk, transfer, now);
            }
            Stage::Passive { extended } => self.passive_answered(talk, transfer, extended, &answer, now),
            Stage::Active { .. } if answer.is_complete() => self.set_position(talk, transfer, now),
            Stage::Active { extended, address } if answer.is_permanent_refusal() && self.has_another_way(extended) => {
                self.extended_refused = true;
                self.ask_active(talk, transfer, address, now);
            }
            Stage::Restart if answer.is_intermediate() => self.run(talk, transfer, now),
            _ => {
                transfer.drop_data(talk);
                self.refuse(talk, &answer);
            }
        }
    }

    /// The data connection is there, or agreed on. A position that an abandoned transfer has left is taken back.
    pub(super) fn set_position(&mut self, talk: &mut Talk, transfer: Transfer, now: Instant) {
        let offset = transfer.errand.offset;
        if offset == 0 && !self.position_left {
            return self.run(talk, transfer, now);
        }
        self.say(talk, &request::line(Verb::Rest, offset.to_string().as_bytes()));
        self.phase = transfer.wait(Stage::Restart, now);
    }

    fn run(&mut self, talk: &mut Talk, transfer: Transfer, now: Instant) {
        if let Data::Lost(step) = transfer.data {
            return self.finish(talk, Outcome::DataFailed { step });
        }
        self.position_left = false;
        self.say(talk, &transfer.errand.line);
        let stage = Stage::Running { opened: false, expected: None, name: None, answer: None };
        self.phase = transfer.wait(stage, now);
    }

    pub(super) fn transfer_event(&mut self, talk: &mut Talk, mut transfer: Transfer, event: ClientEvent, now: Instant) {
        match (event, &transfer.stage) {
            (ClientEvent::DataListening { address }, Stage::Listening) => {
                self.ask_active(talk, transfer, address, now);
            }
            (ClientEvent::DataConnected, Stage::Connecting { .. }) => {
                transfer.data = Data::Connected;
                self.set_position(talk, transfer, now);
            }
            (ClientEvent::DataFailed, Stage::Connecting { extended }) => {
                let extended = *extended;
                self.connect_failed(talk, transfer, extended, now);
            }
            (ClientEvent::DataFailed, Stage::Listening) => {
                transfer.drop_data(talk);
                self.finish(talk, Outcome::DataFailed { step: ClientStep::DataConnect });
            }
            (ClientEvent::DataFailed, _) if transfer.data.is_held() => {
                transfer.lose_data(talk);
                transfer.since = now;
                self.advance(talk, transfer, now);
            }
            (ClientEvent::DataConnected, _) if transfer.data == Data::Awaited => {
                transfer.data = Data::Connected;
                self.advance(talk, transfer, now);
            }
            (ClientEvent::Progress, _) if transfer.data == Data::Moving => {
                transfer.since = now;
                self.phase = Phase::Transferring(transfer);
            }
            (ClientEvent::Moved { .. }, _) if transfer.data == Data::Moving => {
                transfer.data = Data::Moved;
                transfer.since = now;
                self.advance(talk, transfer, now);
            }
            // Late news of a connection that is given up.
            _ => self.phase = Phase::Transferring(transfer),
        }
    }

    /// Does what has become possible.
    fn advance(&mut self, talk: &mut Talk, mut transfer: Transfer, now: Instant) {
        let Stage::Running { opened, expected, name, answer } = &mut transfer.stage else {
            self.phase = Phase::Transferring(transfer);
            return;
        };
        let granted = answer.as_ref().map(Answer::is_complete);
        match (granted, transfer.data) {
            (Some(false), _) => {
                let answer = answer.take().expect("it was just looked at");
                transfer.drop_data(talk);
                self.refuse(talk, &answer);
            }
            (Some(true), Data::Moved) => {
                let told = name.take().map(|name| Outcome::Told(Told::Name(name)));
                self.finish(talk, told.unwrap_or(Outcome::Complete));
            }
            (Some(true), Data::Lost(step)) => self.finish(talk, Outcome::DataFailed { step }),
            (_, Data::Connected) if *opened => {
                talk.effect(ClientEffect::StartMoving { expected: *expected });
                transfer.data = Data::Moving;
                transfer.since = now;
                self.phase = Phase::Transferring(transfer);
            }
            _ => self.phase = Phase::Transferring(transfer),
        }
    }

    pub(super) fn transfer_timed_out(&mut self, talk: &mut Talk, mut transfer: Transfer, now: Instant) {
        match &transfer.stage {
            Stage::Connecting { extended } => {
                let extended = *extended;
                self.connect_failed(talk, transfer, extended, now);
            }
            // The server has said its last word: only the data connection is given up.
            Stage::Running { answer: Some(_), .. } => {
                transfer.lose_data(talk);
                self.advance(talk, transfer, now);
            }
            _ => {
                self.phase = Phase::Transferring(transfer);
                self.fail(talk, Failure::TimedOut);
            }
        }
    }
}
