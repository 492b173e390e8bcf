//! One session on the client's side: operations in, command lines and effects out.
//!
//! It must not know sockets, files or clocks. It is driven like the server's: one input, then take
//! [`ClientSession::poll_effect`] until `None`, write [`ClientSession::outbox`], take [`ClientSession::poll_outcome`], arm
//! a timer for [`ClientSession::next_timeout`].
//!
//! Two machines stand behind it: `line` for the dialects in which one line asks and one reply names a port, `ftp` for
//! the one with a log-in and a data connection that is agreed on before. What both need is in `talk`.
//!
//! # Invariants
//! - Each submitted operation has exactly one [`Outcome`].
//! - After [`Outcome::Failed`] and [`Outcome::LogInRefused`] the session is over, since nobody knows what the next line would
//!   belong to; after any other outcome but that of [`Operation::Quit`] it goes on. (Who gives up an operation in a dialect
//!   without a word for it ends the session.)
//! - A download is complete only when both its end and the server's word have come; their order does not matter.

mod ftp;
mod invariants;
pub mod io;
mod line;
mod settings;
mod talk;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use crate::dialect::Dialect;
use crate::dialect::ftp::feature::Features;
use crate::wire::outbox::Outbox;

use ftp::FtpClient;
use io::{ClientEffect, ClientEvent, ClientTimeouts, FtpSettings, Operation, Outcome};
use line::LineClient;
use talk::{Talk, Wait};

/// The state of one control connection, seen from the client.
#[derive(Debug)]
pub struct ClientSession {
    talk: Talk,
    machine: Machine,
}

#[derive(Debug)]
enum Machine {
    Line(LineClient),
    Ftp(Box<FtpClient>),
}

/// Calls the machine that is there.
macro_rules! machine {
    ($session:expr, $machine:ident => $call:expr) => {
        match &mut $session.machine {
            Machine::Line($machine) => $call,
            Machine::Ftp($machine) => $call,
        }
    };
}

impl ClientSession {
    /// A session over a control connection that has just been made, in a dialect without a log-in. (In `ftp`, which has
    /// [`ClientSession::ftp`], nothing could be said.)
    pub fn new(dialect: Dialect, timeouts: ClientTimeouts) -> ClientSession {
        debug_assert!(dialect.is_of_clients());
        ClientSession { talk: Talk::new(timeouts), machine: Machine::Line(LineClient::new(dialect)) }
    }

    /// A session of `ftp` over a control connection that has just been made to `server`. Its first operation is
    /// [`Operation::LogIn`].
    pub fn ftp(settings: Arc<FtpSettings>, server: IpAddr, timeouts: ClientTimeouts) -> ClientSession {
        let machine = Machine::Ftp(Box::new(FtpClient::new(settings, server)));
        ClientSession { talk: Talk::new(timeouts), machine }
    }

    /// Whether an operation can be submitted.
    pub fn is_ready(&self) -> bool {
        match &self.machine {
            Machine::Line(machine) => machine.is_ready(),
            Machine::Ftp(machine) => machine.is_ready(),
        }
    }

    /// Whether the session is over.
    pub fn is_closed(&self) -> bool {
        match &self.machine {
            Machine::Line(machine) => machine.is_closed(),
            Machine::Ftp(machine) => machine.is_closed(),
        }
    }

    /// What the server offers beyond RFC 959, as far as it was asked.
    pub fn features(&self) -> Features {
        match &self.machine {
            Machine::Line(_) => Features::default(),
            Machine::Ftp(machine) => machine.features(),
        }
    }

    /// Starts an operation. Only to be called when [`ClientSession::is_ready`].
    pub fn submit(&mut self, operation: &Operation, now: Instant) {
        debug_assert!(self.is_ready());
        self.talk.dialogue.clear();
        machine!(self, machine => machine.submit(&mut self.talk, operation, now));
        self.check_invariants();
    }

    /// Gives up the operation under way; its outcome is to come. In `ftp` the transfer is ended with the server's help and
    /// the session goes on; operations without a data connection are not worth it, and end as they would have.
    pub fn abort(&mut self, now: Instant) {
        if !self.is_ready() && !self.is_closed() {
            match &mut self.machine {
                Machine::Line(machine) => machine.abort(&mut self.talk),
                Machine::Ftp(machine) => machine.abort(&mut self.talk, now),
            }
        }
        self.check_invariants();
    }

    /// Bytes came on the control connection.
    pub fn handle_input(&mut self, bytes: &[u8], now: Instant) {
        if self.is_closed() {
            return;
        }
        match &mut self.machine {
            Machine::Line(_) => self.talk.input.push(bytes),
            Machine::Ftp(machine) => machine.push(&mut self.talk, bytes),
        }
        self.listen(now);
        if let Some(failure) = self.talk.flood().filter(|_| !self.is_closed()) {
            machine!(self, machine => machine.fail(&mut self.talk, failure));
        }
        self.check_invariants();
    }

    /// The server has closed the control connection, or it broke.
    pub fn handle_lost(&mut self) {
        machine!(self, machine => machine.handle_lost(&mut self.talk));
        self.check_invariants();
    }

    /// Something happened on the data connection, or with TLS.
    pub fn handle_event(&mut self, event: ClientEvent, now: Instant) {
        machine!(self, machine => machine.take_event(&mut self.talk, event, now));
        self.listen(now);
        self.check_invariants();
    }

    /// The time of [`ClientSession::next_timeout`] has come; too early a call does nothing.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.next_timeout().is_some_and(|deadline| deadline <= now) {
            match &mut self.machine {
                Machine::Line(machine) => machine.time_out(&mut self.talk),
                Machine::Ftp(machine) => machine.time_out(&mut self.talk, now),
            }
            self.listen(now);
        }
        self.check_invariants();
    }

    /// The next thing to do, if any.
    pub fn poll_effect(&mut self) -> Option<ClientEffect> {
        self.talk.effects.pop_front()
    }

    /// How the submitted operation ended, once.
    pub fn poll_outcome(&mut self) -> Option<Outcome> {
        self.talk.outcome.take()
    }

    /// Command lines to be written.
    pub fn outbox(&mut self) -> &mut Outbox {
        &mut self.talk.outbox
    }

    /// When [`ClientSession::handle_timeout`] is to be called.
    pub fn next_timeout(&self) -> Option<Instant> {
        self.waits().map(|wait| self.talk.deadline(wait))
    }

    /// The control dialogue of the present or last operation: lines `C: …` and `S: …` as they were, each ended by LF.
    /// Passwords are not in it.
    pub fn dialogue(&self) -> &[u8] {
        &self.talk.dialogue
    }

    /// The reply that came unasked after the last operation, and ended the session: the reply to that operation may have
    /// been another one's. A transfer whose preliminary reply had come is certain all the same.
    pub fn surplus(&self) -> Option<&[u8]> {
        self.talk.surplus.as_deref()
    }

    fn waits(&self) -> Option<Wait> {
        match &self.machine {
            Machine::Line(machine) => machine.waits(),
            Machine::Ftp(machine) => machine.waits(),
        }
    }

    fn listen(&mut self, now: Instant) {
        machine!(self, machine => machine.listen(&mut self.talk, now));
    }
}
