//! The client's machine for `simple` and `updown`: one line asks, the reply names a port, another reply ends it.
//!
//! It must not know sockets, files or clocks, and no wire text: that is the dialect's.

mod heard;

use std::time::Instant;

use crate::dialect::{Dialect, Request};
use crate::vocab::reply::Answer;
use crate::wire::outbox::Outbox;

use super::io::{ClientEffect, ClientEvent, ClientStep, Failure, ListingForm, Operation, Outcome, PutMode};
use super::talk::{Talk, Wait};

use heard::{Final, Heard};

/// What is kept between the lines of a dialect without a log-in.
#[derive(Debug)]
pub(super) struct LineClient {
    dialect: Dialect,
    phase: Phase,
}

#[derive(Debug)]
enum Phase {
    Ready,
    /// The command is sent; its first reply is due.
    Negotiating {
        since: Instant,
        wish: Wish,
    },
    /// The data connection is being made.
    Connecting {
        since: Instant,
        expected: Option<u64>,
        answer: Option<Final>,
    },
    /// Bytes move; the final reply may have come already.
    Moving {
        progress: Instant,
        expected: Option<u64>,
        answer: Option<Final>,
    },
    /// Names come on the control connection.
    Listing {
        progress: Instant,
    },
    /// All bytes have moved, or none will any more; the final reply is due.
    Finishing {
        since: Instant,
        data_lost: Option<ClientStep>,
    },
    Closed,
}

/// What the present operation is, for the replies that depend on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wish {
    Download,
    Upload,
    Names,
    End,
}

impl LineClient {
    pub(super) fn new(dialect: Dialect) -> LineClient {
        LineClient { dialect, phase: Phase::Ready }
    }

    pub(super) fn is_ready(&self) -> bool {
        matches!(self.phase, Phase::Ready)
    }

    pub(super) fn is_closed(&self) -> bool {
        matches!(self.phase, Phase::Closed)
    }

    pub(super) fn submit(&mut self, talk: &mut Talk, operation: &Operation, now: Instant) {
        if *operation == Operation::LogIn {
            return talk.conclude(Outcome::Complete);
        }
        let before = talk.outbox.pending().len();
        let said = request(operation).and_then(|(request, wish)| {
            self.dialect.print_request(&request, talk.outbox.buffer()).ok()?;
            Some(wish)
        });
        let Some(wish) = said else {
            // Nothing of it may go out; nothing else can be waiting while the session is ready.
            debug_assert_eq!(before, 0);
            talk.outbox = Outbox::default();
            return talk.conclude(Outcome::Unsayable);
        };
        let line = talk.outbox.pending()[before..].trim_ascii_end().to_vec();
        talk.note("C: ", &line);
        self.phase = Phase::Negotiating { since: now, wish };
    }

    /// There is no word for it: the session ends with the operation.
    pub(super) fn abort(&mut self, talk: &mut Talk) {
        self.end(talk);
        talk.conclude(Outcome::Aborted { code: 0 });
    }

    /// Takes up the lines that belong to the present operation. When its final reply is there, the rest waits until the
    /// bytes have moved, too: a server that is ending says so behind the last reply.
    pub(super) fn listen(&mut self, talk: &mut Talk, now: Instant) {
        if talk.control_lost && self.is_ready() {
            return self.end(talk);
        }
        while !self.is_closed() && !self.is_answered() {
            let heard = match talk.next_line() {
                None => break,
                Some(line) => line.and_then(|line| self.read(talk, line)),
            };
            match heard {
                Ok(heard) => self.hear(talk, heard, now),
                Err(failure) => self.fail(talk, failure),
            }
        }
    }

    fn read(&self, talk: &mut Talk, line: Vec<u8>) -> Result<Heard, Failure> {
        if matches!(self.phase, Phase::Listing { .. }) && !ends_names(self.dialect, &line) {
            return Ok(Heard::Name(line));
        }
        talk.note("S: ", &line);
        match self.dialect.parse_reply(&line) {
            Some(answer) => Ok(Heard::from(answer)),
            None => {
                if self.is_ready() {
                    // A greeting: this is a server of something else.
                    talk.surplus = Some(line.clone());
                }
                Err(Failure::UnexpectedReply(line))
            }
        }
    }

    pub(super) fn handle_lost(&mut self, talk: &mut Talk) {
        match &self.phase {
            // All has been said: the operation goes on without it.
            _ if self.is_answered() => talk.control_lost = true,
            Phase::Closed => {}
            Phase::Ready => self.end(talk),
            // Some servers close without a word; the wish is granted either way.
            Phase::Negotiating { wish: Wish::End, .. } => {
                self.end(talk);
                talk.conclude(Outcome::Complete);
            }
            _ => self.fail(talk, talk.lost()),
        }
    }

    pub(super) fn waits(&self) -> Option<Wait> {
        match &self.phase {
            Phase::Ready | Phase::Closed => None,
            Phase::Negotiating { since, .. } | Phase::Finishing { since, .. } => Some(Wait::Reply(*since)),
            Phase::Connecting { since, .. } => Some(Wait::Connect(*since)),
            Phase::Moving { progress, .. } | Phase::Listing { progress } => Some(Wait::Byte(*progress)),
        }
    }

    /// The time for what is waited for is over.
    pub(super) fn time_out(&mut self, talk: &mut Talk) {
        self.fail(talk, Failure::TimedOut);
    }

    fn is_answered(&self) -> bool {
        matches!(self.phase, Phase::Connecting { answer: Some(_), .. } | Phase::Moving { answer: Some(_), .. })
    }

    pub(super) fn take_event(&mut self, talk: &mut Talk, event: ClientEvent, now: Instant) {
        match (event, &mut self.phase) {
            (ClientEvent::DataConnected, Phase::Connecting { expected, answer, .. }) => {
                let expected = *expected;
                self.phase = Phase::Moving { progress: now, expected, answer: answer.take() };
                talk.effect(ClientEffect::StartMoving { expected });
            }
            (ClientEvent::Progress, Phase::Moving { progress, .. }) => *progress = now,
            (ClientEvent::Moved { bytes }, Phase::Moving { expected: Some(expected), answer, .. })
                if bytes != *expected =>
            {
                let answer = answer.take();
                self.lose_data(talk, ClientStep::Transfer, answer, now);
            }
            (ClientEvent::Moved { .. }, Phase::Moving { answer, .. }) => match answer.take() {
                Some(answer) => self.finish(talk, answer),
                None => self.phase = Phase::Finishing { since: now, data_lost: None },
            },
            // The server may still say why: it is asked, within the time of a reply.
            (ClientEvent::DataFailed, Phase::Connecting { answer, .. }) => {
                let answer = answer.take();
                self.lose_data(talk, ClientStep::DataConnect, answer, now);
            }
            (ClientEvent::DataFailed, Phase::Moving { answer, .. }) => {
                let answer = answer.take();
                self.lose_data(talk, ClientStep::Transfer, answer, now);
            }
            _ => {}
        }
    }

    fn hear(&mut self, talk: &mut Talk, heard: Heard, now: Instant) {
        match (heard, &mut self.phase) {
            (Heard::Opening { port, size }, &mut Phase::Negotiating { wish, .. }) if wish != Wish::End => {
                // The size of an upload is our own word.
                let expected = size.filter(|_| wish == Wish::Download);
                self.phase = Phase::Connecting { since: now, expected, answer: None };
                talk.effect(ClientEffect::ConnectData { port, address: None, protected: false });
                if wish == Wish::Download && self.dialect.data_plan().downloads_wait_for_ready {
                    // READY has no name that could be unsayable.
                    let _ = self.dialect.print_request(&Request::Ready, talk.outbox.buffer());
                }
            }
            (Heard::Goodbye | Heard::Accepted, Phase::Negotiating { wish: Wish::End, .. }) => {
                self.end(talk);
                talk.conclude(Outcome::Complete);
            }
            (Heard::Accepted, Phase::Negotiating { wish: Wish::Names, .. }) => {
                self.phase = Phase::Listing { progress: now };
                talk.effect(ClientEffect::TakeNames { lines: Vec::new() });
            }
            (Heard::Name(mut line), Phase::Listing { progress }) => {
                *progress = now;
                line.push(b'\n');
                Self::take_name(talk, &line);
            }
            (Heard::Final(answer), Phase::Listing { .. }) => self.finish(talk, answer),
            (Heard::Final(Final::Refused { code, text }), Phase::Negotiating { .. }) => {
                self.phase = Phase::Ready;
                talk.conclude(Outcome::Refused { code, text });
            }
            // The word of completion may overtake the data; a refusal ends the transfer at once.
            (
                Heard::Final(Final::Complete),
                Phase::Connecting { answer: answer @ None, .. } | Phase::Moving { answer: answer @ None, .. },
            ) => *answer = Some(Final::Complete),
            (
                Heard::Final(refusal @ Final::Refused { .. }),
                Phase::Connecting { answer: None, .. } | Phase::Moving { answer: None, .. },
            ) => {
                talk.effect(ClientEffect::AbandonData);
                self.finish(talk, refusal);
            }
            (Heard::Final(answer), Phase::Finishing { data_lost: None, .. }) => self.finish(talk, answer),
            (Heard::Final(answer), &mut Phase::Finishing { data_lost: Some(step), .. }) => {
                self.finish_without_data(talk, step, answer);
            }
            (heard, _) => self.fail(talk, Failure::UnexpectedReply(heard.describe())),
        }
    }

    /// Names that come in one piece are handed on in one piece.
    fn take_name(talk: &mut Talk, line: &[u8]) {
        match talk.effects.back_mut() {
            Some(ClientEffect::TakeNames { lines }) => lines.extend_from_slice(line),
            _ => talk.effect(ClientEffect::TakeNames { lines: line.to_vec() }),
        }
    }

    fn lose_data(&mut self, talk: &mut Talk, step: ClientStep, answer: Option<Final>, now: Instant) {
        talk.effect(ClientEffect::AbandonData);
        match answer {
            Some(answer) => self.finish_without_data(talk, step, answer),
            None => self.phase = Phase::Finishing { since: now, data_lost: Some(step) },
        }
    }

    fn finish(&mut self, talk: &mut Talk, answer: Final) {
        self.phase = Phase::Ready;
        talk.conclude(match answer {
            Final::Complete => Outcome::Complete,
            Final::Refused { code, text } => Outcome::Refused { code, text },
        });
    }

    /// The server's word came, but our data connection had failed.
    fn finish_without_data(&mut self, talk: &mut Talk, step: ClientStep, answer: Final) {
        match answer {
            refusal @ Final::Refused { .. } => self.finish(talk, refusal),
            Final::Complete => {
                let failure = match step {
                    ClientStep::DataConnect => Failure::DataConnect,
                    _ => Failure::DataLost,
                };
                self.end(talk);
                talk.conclude(Outcome::Failed { step, failure });
            }
        }
    }

    pub(super) fn fail(&mut self, talk: &mut Talk, failure: Failure) {
        let (step, failure) = match self.phase {
            Phase::Closed => return,
            Phase::Ready => return self.end(talk),
            Phase::Negotiating { .. } => (ClientStep::Negotiate, failure),
            Phase::Connecting { .. } => (ClientStep::DataConnect, failure),
            Phase::Moving { .. } | Phase::Listing { .. } => (ClientStep::Transfer, failure),
            Phase::Finishing { data_lost: None, .. } => (ClientStep::Complete, failure),
            // What broke first is what is told.
            Phase::Finishing { data_lost: Some(ClientStep::DataConnect), .. } => {
                (ClientStep::DataConnect, Failure::DataConnect)
            }
            Phase::Finishing { data_lost: Some(step), .. } => (step, Failure::DataLost),
        };
        self.end(talk);
        talk.conclude(Outcome::Failed { step, failure });
    }

    fn end(&mut self, talk: &mut Talk) {
        talk.close(matches!(self.phase, Phase::Connecting { .. } | Phase::Moving { .. }));
        self.phase = Phase::Closed;
    }
}

/// How an operation is said, if these dialects have words for it.
fn request(operation: &Operation) -> Option<(Request<'_>, Wish)> {
    Some(match operation {
        Operation::Get { name, offset: 0 } => (Request::Get { name }, Wish::Download),
        Operation::Put { name, size, mode: PutMode::Replace } => (Request::Put { name, size: *size }, Wish::Upload),
        Operation::List { path, form: ListingForm::Names } => (Request::List { path: path.as_deref() }, Wish::Names),
        Operation::Quit => (Request::Quit, Wish::End),
        _ => return None,
    })
}

/// Whether a line among names on the control connection is their end.
fn ends_names(dialect: Dialect, line: &[u8]) -> bool {
    matches!(dialect.parse_reply(line), Some(Answer::Complete | Answer::Refused { .. }))
}
