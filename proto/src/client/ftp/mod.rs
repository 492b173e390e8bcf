//! The client's machine for `ftp`: log-in, questions with one answer, transfers, and the way out of them.
//!
//! It must not know sockets, files or clocks. Command words and numbers of values are `dialect`'s; here stands what is said
//! when, and what an answer leads to. Which replies a command can have is in `replies`.
//!
//! # Invariants
//! - One command is on its way at a time, but for ABOR; nothing is sent while a reply that nobody asked for waits.
//! - A reply that its command cannot have ends the session.
//! - A transfer's command is said only when its data connection is there, or the server has agreed to make it: what cannot
//!   be reached is found out before the server waits for it.
//! - An upload is complete only by the server's final word.

mod abort;
mod agree;
mod ask;
mod login;
mod replies;
mod transfer;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use crate::dialect::ftp::answer::{Answer, AnswerReader, NoAnswer};
use crate::dialect::ftp::feature::Features;
use crate::dialect::ftp::request;
use crate::dialect::ftp::telnet::TelnetFilter;
use crate::wire::outbox::Outbox;

use super::io::{ClientEvent, ClientStep, Failure, FtpSettings, Operation, Outcome};
use super::talk::{Talk, Wait};

use abort::Abort;
pub(super) use abort::GRACE;
use ask::{Plan, Question};
use login::Stage;
use replies::Fitting;
use transfer::Transfer;

/// What a session of `ftp` keeps between its lines.
#[derive(Debug)]
pub(super) struct FtpClient {
    settings: Arc<FtpSettings>,
    /// Of the control connection.
    server: IpAddr,
    telnet: TelnetFilter,
    answers: AnswerReader,
    features: Features,
    phase: Phase,
    /// The server has granted TYPE I, and nobody has said anything else since.
    binary: bool,
    /// The server has granted a position whose transfer was not said.
    position_left: bool,
    /// The server has refused EPSV or EPRT, or nobody could reach what it told: PASV and PORT are said.
    extended_refused: bool,
    /// The last command as it is shown: without a password.
    said: Vec<u8>,
    /// The replies that it can have.
    fitting: Fitting,
    /// It was said since the input was last looked at.
    has_just_said: bool,
    /// The control connection has TLS.
    is_secured: bool,
    /// Data connections are made with TLS.
    protects_data: bool,
}

#[derive(Debug)]
enum Phase {
    /// The log-in is due; a greeting may have come.
    New,
    LoggingIn {
        since: Instant,
        stage: Stage,
    },
    Ready,
    Asking {
        since: Instant,
        question: Question,
    },
    Transferring(Transfer),
    Aborting(Abort),
    Closed,
}

impl FtpClient {
    pub(super) fn new(settings: Arc<FtpSettings>, server: IpAddr) -> FtpClient {
        FtpClient {
            settings,
            server: server.to_canonical(),
            telnet: TelnetFilter::default(),
            answers: AnswerReader::default(),
            features: Features::default(),
            phase: Phase::New,
            binary: false,
            position_left: false,
            extended_refused: false,
            said: Vec::new(),
            fitting: Fitting::GREETING,
            has_just_said: false,
            is_secured: false,
            protects_data: false,
        }
    }

    pub(super) fn is_ready(&self) -> bool {
        matches!(self.phase, Phase::New | Phase::Ready)
    }

    /// Whether the greeting waits for the log-in.
    pub(super) fn is_new(&self) -> bool {
        matches!(self.phase, Phase::New)
    }

    pub(super) fn is_closed(&self) -> bool {
        matches!(self.phase, Phase::Closed)
    }

    pub(super) fn features(&self) -> Features {
        self.features
    }

    pub(super) fn submit(&mut self, talk: &mut Talk, operation: &Operation, now: Instant) {
        if matches!(self.phase, Phase::Ready) && self.has_unread(talk) {
            // Nothing was sent: the operation can be repeated in another session.
            talk.surplus = Some(b"(half a reply)".to_vec());
            self.end(talk);
            let failure = Failure::ControlLost;
            return talk.conclude(Outcome::Failed { step: ClientStep::Negotiate, failure });
        }
        match (&self.phase, operation) {
            (Phase::New, Operation::LogIn) => self.log_in(talk, now),
            // There is nobody to say it to.
            (Phase::New, Operation::Quit) => {
                self.end(talk);
                talk.conclude(Outcome::Complete);
            }
            (Phase::New, _) | (_, Operation::LogIn) => talk.conclude(Outcome::Unsayable),
            _ => match ask::plan(operation, self.features) {
                Ok(Plan::Ask(line, question)) => self.ask(talk, &line, question, now),
                Ok(Plan::Transfer(plan)) => self.begin(talk, plan, now),
                Err(_) => talk.conclude(Outcome::Unsayable),
            },
        }
        self.listen(talk, now);
    }

    /// Bytes of the server, without Telnet commands.
    pub(super) fn push(&mut self, talk: &mut Talk, bytes: &[u8]) {
        if matches!(self.phase, Phase::LoggingIn { stage: Stage::Tls, .. }) {
            return self.fail(talk, Failure::ClearBeforeTls);
        }
        if self.telnet.is_clean(bytes) {
            return talk.input.push(bytes);
        }
        let mut text = Vec::with_capacity(bytes.len());
        self.telnet.filter(bytes, &mut text);
        talk.input.push(&text);
    }

    /// Takes up the replies that belong to the present operation.
    pub(super) fn listen(&mut self, talk: &mut Talk, now: Instant) {
        if talk.control_lost && self.is_ready() {
            return self.end(talk);
        }
        loop {
            self.look_for_surplus(talk);
            if matches!(self.phase, Phase::New | Phase::Closed) || self.is_answered() {
                break;
            }
            match talk.next_line() {
                None => break,
                Some(Err(failure)) => self.fail(talk, failure),
                Some(Ok(line)) => {
                    talk.note("S: ", &line);
                    match self.answers.take(&line) {
                        Ok(Some(answer)) => self.hear(talk, answer, now),
                        Ok(None) => {}
                        Err(NoAnswer(line)) => self.fail(talk, Failure::UnexpectedReply(line)),
                    }
                }
            }
        }
    }

    /// The final reply of a transfer is there, and its bytes are not: what comes behind it waits for them.
    fn is_answered(&self) -> bool {
        matches!(&self.phase, Phase::Transferring(transfer) if transfer.is_answered())
    }

    /// What waits when a command is said cannot be its reply.
    fn look_for_surplus(&mut self, talk: &mut Talk) {
        let has_just_said = std::mem::take(&mut self.has_just_said);
        if !has_just_said || matches!(self.phase, Phase::Aborting(_) | Phase::Closed) || !self.has_unread(talk) {
            return;
        }
        talk.outbox = Outbox::default();
        let reply = match talk.next_line() {
            Some(Ok(line)) => line,
            _ => b"(half a reply)".to_vec(),
        };
        talk.note("S: ", &reply);
        self.fail(talk, Failure::OutOfStep { command: None, reply });
    }

    fn has_unread(&self, talk: &Talk) -> bool {
        talk.input.waiting() > 0 || self.answers.is_open()
    }

    /// No later reply can be attributed: the session is over, and what became of the command is not known.
    fn out_of_step(&mut self, talk: &mut Talk, answer: &Answer) {
        let failure = Failure::OutOfStep { command: Some(self.said.clone()), reply: answer.shown() };
        self.fail(talk, failure);
    }

    fn hear(&mut self, talk: &mut Talk, answer: Answer, now: Instant) {
        let is_due = match &self.phase {
            Phase::Ready | Phase::Aborting(_) => true,
            Phase::Transferring(transfer) => transfer.is_asking() && self.fitting.allows(answer.code),
            _ => self.fitting.allows(answer.code),
        };
        if answer.code != FAREWELL && !is_due {
            return self.out_of_step(talk, &answer);
        }
        if let Phase::LoggingIn { stage, .. } = self.phase {
            return self.log_in_answered(talk, stage, &answer, now);
        }
        if answer.code == FAREWELL {
            return self.fail(talk, Failure::Farewell(answer.text()));
        }
        match std::mem::replace(&mut self.phase, Phase::Ready) {
            Phase::Asking { question, .. } => self.answered(talk, question, &answer, now),
            Phase::Transferring(transfer) => self.transfer_answered(talk, transfer, answer, now),
            Phase::Aborting(abort) => self.abort_answered(talk, abort, &answer, now),
            // Nobody has asked: what it belongs to cannot be known, nor what the next one would belong to.
            Phase::New | Phase::Ready | Phase::LoggingIn { .. } | Phase::Closed => {
                talk.surplus = Some(answer.shown());
                self.end(talk);
            }
        }
    }

    pub(super) fn take_event(&mut self, talk: &mut Talk, event: ClientEvent, now: Instant) {
        match (event, std::mem::replace(&mut self.phase, Phase::Ready)) {
            (ClientEvent::TlsDone, Phase::LoggingIn { stage: Stage::Tls, .. }) => self.secured(talk, now),
            (ClientEvent::TlsFailed, phase @ Phase::LoggingIn { stage: Stage::Tls, .. }) => {
                self.phase = phase;
                self.fail(talk, Failure::Tls);
            }
            (event, Phase::Transferring(transfer)) => self.transfer_event(talk, transfer, event, now),
            // Late news of something that is over.
            (_, phase) => self.phase = phase,
        }
    }

    pub(super) fn handle_lost(&mut self, talk: &mut Talk) {
        match &self.phase {
            // All has been said: the operation goes on without it.
            _ if self.is_answered() => talk.control_lost = true,
            Phase::Closed => {}
            Phase::New | Phase::Ready => self.end(talk),
            // Some servers close without a word; the wish is granted either way.
            Phase::Asking { question: Question::Farewell, .. } => {
                self.end(talk);
                talk.conclude(Outcome::Complete);
            }
            _ => self.fail(talk, talk.lost()),
        }
    }

    pub(super) fn waits(&self) -> Option<Wait> {
        match &self.phase {
            Phase::New | Phase::Ready | Phase::Closed => None,
            Phase::LoggingIn { since, .. } | Phase::Asking { since, .. } => Some(Wait::Reply(*since)),
            Phase::Transferring(transfer) => Some(transfer.waits()),
            Phase::Aborting(abort) => Some(abort.waits()),
        }
    }

    pub(super) fn time_out(&mut self, talk: &mut Talk, now: Instant) {
        match std::mem::replace(&mut self.phase, Phase::Ready) {
            Phase::Transferring(transfer) => self.transfer_timed_out(talk, transfer, now),
            Phase::Aborting(abort) => self.abort_timed_out(talk, abort, now),
            phase => {
                self.phase = phase;
                self.fail(talk, Failure::TimedOut);
            }
        }
    }

    pub(super) fn fail(&mut self, talk: &mut Talk, failure: Failure) {
        let (step, failure) = match &self.phase {
            Phase::Closed => return,
            Phase::New | Phase::Ready => {
                if let Failure::UnexpectedReply(line) = failure {
                    talk.surplus = Some(line);
                }
                return self.end(talk);
            }
            Phase::LoggingIn { .. } | Phase::Asking { .. } => (ClientStep::Negotiate, failure),
            Phase::Transferring(transfer) => transfer.failed(failure),
            Phase::Aborting(_) => (ClientStep::Complete, failure),
        };
        self.end(talk);
        talk.conclude(Outcome::Failed { step, failure });
    }

    fn end(&mut self, talk: &mut Talk) {
        let data = match &self.phase {
            Phase::Transferring(transfer) => transfer.has_data(),
            Phase::Aborting(abort) => abort.holds_data(),
            _ => false,
        };
        talk.close(data);
        self.phase = Phase::Closed;
    }

    /// The operation is over, and the session goes on.
    fn finish(&mut self, talk: &mut Talk, outcome: Outcome) {
        self.phase = Phase::Ready;
        talk.conclude(outcome);
    }

    fn refuse(&mut self, talk: &mut Talk, answer: &Answer) {
        self.finish(talk, Outcome::Refused { code: answer.code, text: answer.text() });
    }

    /// Says a line.
    fn say(&mut self, talk: &mut Talk, line: &[u8]) {
        request::print(line, talk.outbox.buffer());
        let shown = request::shown(line);
        talk.note("C: ", shown);
        self.said.clear();
        self.said.extend_from_slice(shown);
        self.fitting = Fitting::of(line);
        self.has_just_said = true;
    }
}

/// The server ends the session (RFC 959 4.2.1); it may come to any command.
const FAREWELL: u16 = 421;
