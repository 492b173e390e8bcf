//! One session on the client's side: operations in, command lines and effects out.
//!
//! It must not know sockets, files or clocks. It is driven like the server's: one input, then take
//! [`ClientSession::poll_effect`] until `None`, write [`ClientSession::outbox`], take [`ClientSession::poll_outcome`], arm
//! a timer for [`ClientSession::next_timeout`].
//!
//! # Invariants
//! - Each submitted operation has exactly one [`Outcome`].
//! - After an outcome other than [`Outcome::Failed`] the session is ready for the next operation; after a failure it is
//!   over, since nobody knows what the next line would belong to.
//! - A download is complete only when both its end and the server's word have come; their order does not matter.

mod heard;
mod invariants;
pub mod io;

use std::collections::VecDeque;
use std::time::Instant;

use crate::dialect::{Dialect, Request};
use crate::limits;
use crate::vocab::reply::Answer;
use crate::wire::line::{Line, LineBuffer};
use crate::wire::outbox::Outbox;

use heard::{Final, Heard};
use io::{ClientEffect, ClientEvent, ClientStep, ClientTimeouts, Failure, Operation, Outcome};

/// The state of one control connection, seen from the client.
#[derive(Debug)]
pub struct ClientSession {
    dialect: Dialect,
    timeouts: ClientTimeouts,
    input: LineBuffer,
    outbox: Outbox,
    effects: VecDeque<ClientEffect>,
    outcome: Option<Outcome>,
    phase: Phase,
    /// The control connection ended behind the final reply of an operation whose bytes still move.
    control_lost: bool,
    /// Command and replies of the present operation, for people.
    dialogue: Vec<u8>,
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

impl ClientSession {
    /// A session over a control connection that has just been made.
    pub fn new(dialect: Dialect, timeouts: ClientTimeouts) -> ClientSession {
        ClientSession {
            dialect,
            timeouts,
            input: LineBuffer::default(),
            outbox: Outbox::default(),
            effects: VecDeque::new(),
            outcome: None,
            phase: Phase::Ready,
            control_lost: false,
            dialogue: Vec::new(),
        }
    }

    /// Whether an operation can be submitted.
    pub fn is_ready(&self) -> bool {
        matches!(self.phase, Phase::Ready)
    }

    /// Whether the session is over.
    pub fn is_closed(&self) -> bool {
        matches!(self.phase, Phase::Closed)
    }

    /// Starts an operation. Only to be called when [`ClientSession::is_ready`].
    pub fn submit(&mut self, operation: &Operation, now: Instant) {
        debug_assert!(self.is_ready());
        self.dialogue.clear();
        let request = request(operation);
        let before = self.outbox.pending().len();
        if self.dialect.print_request(&request, self.outbox.buffer()).is_err() {
            // Nothing of it may go out; nothing else can be waiting while the session is ready.
            debug_assert_eq!(before, 0);
            self.outbox = Outbox::default();
            self.outcome = Some(Outcome::Unsayable);
            return;
        }
        let line = self.outbox.pending()[before..].trim_ascii_end();
        note(&mut self.dialogue, b"C: ", line);
        self.phase = Phase::Negotiating { since: now, wish: wish(operation) };
    }

    /// Bytes came on the control connection.
    pub fn handle_input(&mut self, bytes: &[u8], now: Instant) {
        if self.is_closed() {
            return;
        }
        self.input.push(bytes);
        self.listen(now);
        if self.input.waiting() > limits::INPUT_BYTES_MAX {
            self.fail(Failure::UnexpectedReply(b"(more than there is to say)".to_vec()));
        }
        self.check_invariants();
    }

    /// Takes up the lines that belong to the present operation. When its final reply is there, the rest waits until the
    /// bytes have moved, too: a server that is ending says so behind the last reply.
    fn listen(&mut self, now: Instant) {
        if self.control_lost && self.is_ready() {
            return self.end();
        }
        while !self.is_closed() && !self.is_answered() {
            let names = matches!(self.phase, Phase::Listing { .. });
            // The line borrows the buffer; what it says does not.
            let heard = match self.input.next_line() {
                None => break,
                Some(Line::TooLong) => Err(b"(a line beyond all bounds)".to_vec()),
                Some(Line::Complete(line)) if names && !ends_names(self.dialect, line) => {
                    Ok(Heard::Name(line.to_vec()))
                }
                Some(Line::Complete(line)) => {
                    note(&mut self.dialogue, b"S: ", line);
                    match self.dialect.parse_reply(line) {
                        Some(answer) => Ok(Heard::from(answer)),
                        None => Err(line.to_vec()),
                    }
                }
            };
            match heard {
                Ok(heard) => self.hear(heard, now),
                Err(line) => self.fail(Failure::UnexpectedReply(line)),
            }
        }
    }

    /// The server has closed the control connection, or it broke.
    pub fn handle_lost(&mut self) {
        match &self.phase {
            // All has been said: the operation goes on without it.
            _ if self.is_answered() => self.control_lost = true,
            Phase::Closed => {}
            Phase::Ready => self.end(),
            // Some servers close without a word; the wish is granted either way.
            Phase::Negotiating { wish: Wish::End, .. } => {
                self.end();
                self.outcome = Some(Outcome::Complete);
            }
            _ => self.fail(Failure::ControlLost),
        }
        self.check_invariants();
    }

    /// Something happened on the data connection.
    pub fn handle_event(&mut self, event: ClientEvent, now: Instant) {
        self.take_event(event, now);
        self.listen(now);
        self.check_invariants();
    }

    fn is_answered(&self) -> bool {
        matches!(self.phase, Phase::Connecting { answer: Some(_), .. } | Phase::Moving { answer: Some(_), .. })
    }

    fn take_event(&mut self, event: ClientEvent, now: Instant) {
        match (event, &mut self.phase) {
            (ClientEvent::DataConnected, Phase::Connecting { expected, answer, .. }) => {
                self.phase = Phase::Moving { progress: now, expected: *expected, answer: answer.take() };
                self.effects.push_back(ClientEffect::StartMoving);
            }
            (ClientEvent::Progress, Phase::Moving { progress, .. }) => *progress = now,
            (ClientEvent::Moved { bytes }, Phase::Moving { expected: Some(expected), answer, .. })
                if bytes != *expected =>
            {
                let answer = answer.take();
                self.lose_data(ClientStep::Transfer, answer, now);
            }
            (ClientEvent::Moved { .. }, Phase::Moving { answer, .. }) => match answer.take() {
                Some(answer) => self.finish(answer),
                None => self.phase = Phase::Finishing { since: now, data_lost: None },
            },
            // The server may still say why: it is asked, within the time of a reply.
            (ClientEvent::DataFailed, Phase::Connecting { answer, .. }) => {
                let answer = answer.take();
                self.lose_data(ClientStep::DataConnect, answer, now);
            }
            (ClientEvent::DataFailed, Phase::Moving { answer, .. }) => {
                let answer = answer.take();
                self.lose_data(ClientStep::Transfer, answer, now);
            }
            _ => {}
        }
    }

    /// The time of [`ClientSession::next_timeout`] has come; too early a call does nothing.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.next_timeout().is_some_and(|deadline| deadline <= now) {
            self.fail(Failure::TimedOut);
        }
        self.check_invariants();
    }

    /// The next thing to do, if any.
    pub fn poll_effect(&mut self) -> Option<ClientEffect> {
        self.effects.pop_front()
    }

    /// How the submitted operation ended, once.
    pub fn poll_outcome(&mut self) -> Option<Outcome> {
        self.outcome.take()
    }

    /// Command lines to be written.
    pub fn outbox(&mut self) -> &mut Outbox {
        &mut self.outbox
    }

    /// When [`ClientSession::handle_timeout`] is to be called.
    pub fn next_timeout(&self) -> Option<Instant> {
        match &self.phase {
            Phase::Ready | Phase::Closed => None,
            Phase::Negotiating { since, .. } | Phase::Finishing { since, .. } => Some(*since + self.timeouts.reply),
            Phase::Connecting { since, .. } => Some(*since + self.timeouts.connect),
            Phase::Moving { progress, .. } | Phase::Listing { progress } => Some(*progress + self.timeouts.stall),
        }
    }

    /// The control dialogue of the present or last operation: lines `C: …` and `S: …` as they were, each ended by LF.
    pub fn dialogue(&self) -> &[u8] {
        &self.dialogue
    }

    fn hear(&mut self, heard: Heard, now: Instant) {
        match (heard, &mut self.phase) {
            (Heard::Opening { port, size }, &mut Phase::Negotiating { wish, .. }) if wish != Wish::End => {
                // The size of an upload is our own word.
                let expected = size.filter(|_| wish == Wish::Download);
                self.phase = Phase::Connecting { since: now, expected, answer: None };
                self.effects.push_back(ClientEffect::ConnectData { port, expected });
                if wish == Wish::Download && self.dialect.data_plan().downloads_wait_for_ready {
                    // READY has no name that could be unsayable.
                    let _ = self.dialect.print_request(&Request::Ready, self.outbox.buffer());
                }
            }
            (Heard::Goodbye | Heard::Accepted, Phase::Negotiating { wish: Wish::End, .. }) => {
                self.end();
                self.outcome = Some(Outcome::Complete);
            }
            (Heard::Accepted, Phase::Negotiating { wish: Wish::Names, .. }) => {
                self.phase = Phase::Listing { progress: now };
                self.effects.push_back(ClientEffect::TakeNames { lines: Vec::new() });
            }
            (Heard::Name(mut line), Phase::Listing { progress }) => {
                *progress = now;
                line.push(b'\n');
                self.take_name(&line);
            }
            (Heard::Final(answer), Phase::Listing { .. }) => self.finish(answer),
            (Heard::Final(Final::Refused { code, text }), Phase::Negotiating { .. }) => {
                self.phase = Phase::Ready;
                self.outcome = Some(Outcome::Refused { code, text });
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
                self.effects.push_back(ClientEffect::AbandonData);
                self.finish(refusal);
            }
            (Heard::Final(answer), Phase::Finishing { data_lost: None, .. }) => self.finish(answer),
            (Heard::Final(answer), &mut Phase::Finishing { data_lost: Some(step), .. }) => {
                self.finish_without_data(step, answer);
            }
            (heard, _) => self.fail(Failure::UnexpectedReply(heard.describe())),
        }
    }

    /// Names that come in one piece are handed on in one piece.
    fn take_name(&mut self, line: &[u8]) {
        match self.effects.back_mut() {
            Some(ClientEffect::TakeNames { lines }) => lines.extend_from_slice(line),
            _ => self.effects.push_back(ClientEffect::TakeNames { lines: line.to_vec() }),
        }
    }

    fn lose_data(&mut self, step: ClientStep, answer: Option<Final>, now: Instant) {
        self.effects.push_back(ClientEffect::AbandonData);
        match answer {
            Some(answer) => self.finish_without_data(step, answer),
            None => self.phase = Phase::Finishing { since: now, data_lost: Some(step) },
        }
    }

    fn finish(&mut self, answer: Final) {
        self.phase = Phase::Ready;
        self.outcome = Some(match answer {
            Final::Complete => Outcome::Complete,
            Final::Refused { code, text } => Outcome::Refused { code, text },
        });
    }

    /// The server's word came, but our data connection had failed.
    fn finish_without_data(&mut self, step: ClientStep, answer: Final) {
        match answer {
            refusal @ Final::Refused { .. } => self.finish(refusal),
            Final::Complete => {
                let failure = match step {
                    ClientStep::DataConnect => Failure::DataConnect,
                    _ => Failure::DataLost,
                };
                self.end();
                self.outcome = Some(Outcome::Failed { step, failure });
            }
        }
    }

    fn fail(&mut self, failure: Failure) {
        let (step, failure) = match self.phase {
            Phase::Closed => return,
            Phase::Ready => return self.end(),
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
        self.end();
        self.outcome = Some(Outcome::Failed { step, failure });
    }

    fn end(&mut self) {
        if matches!(self.phase, Phase::Connecting { .. } | Phase::Moving { .. }) {
            self.effects.push_back(ClientEffect::AbandonData);
        }
        self.effects.push_back(ClientEffect::CloseControl);
        self.phase = Phase::Closed;
    }
}

fn request(operation: &Operation) -> Request<'_> {
    match operation {
        Operation::Get { name } => Request::Get { name },
        Operation::Put { name, size } => Request::Put { name, size: *size },
        Operation::List { path } => Request::List { path: path.as_deref() },
        Operation::Quit => Request::Quit,
    }
}

fn wish(operation: &Operation) -> Wish {
    match operation {
        Operation::Get { .. } => Wish::Download,
        Operation::Put { .. } => Wish::Upload,
        Operation::List { .. } => Wish::Names,
        Operation::Quit => Wish::End,
    }
}

/// Whether a line among names on the control connection is their end.
fn ends_names(dialect: Dialect, line: &[u8]) -> bool {
    matches!(dialect.parse_reply(line), Some(Answer::Complete | Answer::Refused { .. }))
}

/// Adds a line to the dialogue, within its bound.
fn note(dialogue: &mut Vec<u8>, who: &[u8], line: &[u8]) {
    if dialogue.len() + line.len() < DIALOGUE_BYTES_MAX {
        dialogue.extend_from_slice(who);
        dialogue.extend_from_slice(line);
        dialogue.push(b'\n');
    }
}

/// An operation has three lines; a server that talks on and on is cut off.
const DIALOGUE_BYTES_MAX: usize = 16 * 1024;
