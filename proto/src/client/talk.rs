//! What the machines of all dialects share: bytes in, lines out, effects, the outcome, and the dialogue for people.
//!
//! It must not know what is said.

use std::collections::VecDeque;
use std::time::Instant;

use crate::limits;
use crate::wire::line::{Line, LineBuffer};
use crate::wire::outbox::Outbox;

use super::ftp::GRACE;
use super::io::{ClientEffect, ClientTimeouts, Failure, Outcome};

/// One control connection, seen from the client, without any dialect.
#[derive(Debug)]
pub(super) struct Talk {
    pub(super) timeouts: ClientTimeouts,
    pub(super) input: LineBuffer,
    pub(super) outbox: Outbox,
    pub(super) effects: VecDeque<ClientEffect>,
    pub(super) outcome: Option<Outcome>,
    /// The control connection ended behind the final reply of an operation whose bytes still move.
    pub(super) control_lost: bool,
    /// What came unasked after the last operation, and ended the session.
    pub(super) surplus: Option<Vec<u8>>,
    /// Commands and replies of the present operation, for people.
    pub(super) dialogue: Vec<u8>,
}

/// What a machine waits for, and since when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wait {
    /// For the connection to be made.
    Connect(Instant),
    /// For a reply.
    Reply(Instant),
    /// For a byte.
    Byte(Instant),
    /// For a server that may not hear us.
    Grace(Instant),
}

impl Talk {
    pub(super) fn new(timeouts: ClientTimeouts) -> Talk {
        Talk {
            timeouts,
            input: LineBuffer::default(),
            outbox: Outbox::default(),
            effects: VecDeque::new(),
            outcome: None,
            control_lost: false,
            surplus: None,
            dialogue: Vec::new(),
        }
    }

    pub(super) fn effect(&mut self, effect: ClientEffect) {
        self.effects.push_back(effect);
    }

    /// The operation is over.
    pub(super) fn conclude(&mut self, outcome: Outcome) {
        debug_assert!(self.outcome.is_none(), "two outcomes of one operation");
        self.outcome = Some(outcome);
    }

    /// The next line of the server; it is not in the dialogue yet.
    pub(super) fn next_line(&mut self) -> Option<Result<Vec<u8>, Failure>> {
        Some(match self.input.next_line()? {
            Line::Complete(line) => Ok(line.to_vec()),
            Line::TooLong => Err(Failure::UnexpectedReply(b"(a line beyond all bounds)".to_vec())),
        })
    }

    /// The connection ended. A TLS alert is not a line, but it shows what the server expects.
    pub(super) fn lost(&self) -> Failure {
        let left = self.input.peek();
        match left.starts_with(&TLS_ALERT) {
            true => Failure::UnexpectedReply(left.to_vec()),
            false => Failure::ControlLost,
        }
    }

    /// What is wrong with a server that says more than is heard.
    pub(super) fn flood(&self) -> Option<Failure> {
        let too_much = self.input.waiting() > limits::INPUT_BYTES_MAX;
        too_much.then(|| Failure::UnexpectedReply(b"(more than there is to say)".to_vec()))
    }

    /// Adds a line to the dialogue, within its bound.
    pub(super) fn note(&mut self, who: &str, line: &[u8]) {
        if self.dialogue.len() + line.len() < DIALOGUE_BYTES_MAX {
            self.dialogue.extend_from_slice(who.as_bytes());
            self.dialogue.extend_from_slice(line);
            self.dialogue.push(b'\n');
        }
    }

    /// The session is over; `data`: a data connection may be left.
    pub(super) fn close(&mut self, data: bool) {
        if data {
            self.effect(ClientEffect::AbandonData);
        }
        self.effect(ClientEffect::CloseControl);
    }

    /// When a wait is over.
    pub(super) fn deadline(&self, wait: Wait) -> Instant {
        match wait {
            Wait::Connect(since) => since + self.timeouts.connect,
            Wait::Reply(since) => since + self.timeouts.reply,
            Wait::Byte(since) => since + self.timeouts.stall,
            Wait::Grace(since) => since + GRACE,
        }
    }
}

/// How a record of TLS begins that holds an alert (RFC 8446 5.1).
const TLS_ALERT: [u8; 2] = [0x15, 0x03];

/// An operation has a few lines, a log-in a dozen; a server that talks on and on is cut off.
pub(super) const DIALOGUE_BYTES_MAX: usize = 16 * 1024;
