//! One client's session on the server's side: commands in, replies and effects out.
//!
//! It must not know sockets, files or clocks: time is an argument, and all that touches the world is an [`Effect`].
//!
//! # How to drive it
//! One rule: **one input, then drain, then flush, then re-arm.** After each call of `handle_*` or [`ServerSession::drain`]:
//! 1. take [`ServerSession::poll_effect`] until it gives `None` (what an effect answers at once is fed back by
//!    [`ServerSession::handle_event`] in between);
//! 2. write [`ServerSession::outbox`];
//! 3. arm a timer for [`ServerSession::next_timeout`].
//! 4. if [`ServerSession::has_work`], call [`ServerSession::resume`] when the other sessions have had their turn.
//!
//! After the outbox has been emptied call [`ServerSession::handle_flushed`], since commands may have waited for it.
//!
//! # Invariants
//! - Every line is answered by exactly one final reply, in order, unless the session ends first.
//! - At most one transfer at a time; lines that come meanwhile wait, and beyond a bound are not read.
//! - An upload is confirmed only after [`Event::Committed`].
//! - After `CloseControl` there is no further effect but `DropControl`, and after that there is none.

mod core;
mod data;
mod ftp;
mod invariants;
pub mod io;
mod task;
mod transfer;
mod words;

use std::time::{Duration, Instant};

use crate::dialect::Dialect;
use crate::limits;
use crate::vocab::command::Command;
use crate::wire::line::LineBuffer;
use crate::wire::outbox::Outbox;

use core::{Core, Phase};
use ftp::Ftp;
use io::{Deadline, Effect, Ends, Event, OperationId, SessionConfig};
use words::Words;

/// The state of one control connection.
#[derive(Debug)]
pub struct ServerSession {
    input: LineBuffer,
    core: Core,
    mind: Mind,
}

/// What understands the commands.
#[derive(Debug)]
enum Mind {
    Words(Words),
    /// Boxed: a session of the other dialects does not pay for it.
    Ftp(Box<Ftp>),
}

impl ServerSession {
    /// A session of a peer that has just connected.
    pub fn new(dialect: Dialect, config: SessionConfig, ends: Ends, now: Instant) -> ServerSession {
        let mut core = Core::new(dialect, config, now);
        let mind = match dialect {
            Dialect::Simple | Dialect::Updown => Mind::Words(Words::default()),
            Dialect::Ftp => Mind::Ftp(Box::new(Ftp::new(ends, &mut core, now))),
        };
        ServerSession { input: LineBuffer::default(), core, mind }
    }

    /// Bytes came on the control connection. Not to be called while [`ServerSession::wants_input`] is false.
    pub fn handle_input(&mut self, bytes: &[u8], now: Instant) {
        if self.core.is_over() {
            return;
        }
        self.core.last_activity = now;
        self.core.silent_for = Duration::ZERO;
        self.core.budget = limits::COMMANDS_PER_TURN;
        match &mut self.mind {
            Mind::Words(_) => self.input.push(bytes),
            Mind::Ftp(ftp) => ftp.push(bytes, &mut self.input),
        }
        self.go_on(now);
    }

    /// The peer has closed its side of the control connection. It may still read: lines already here are answered, and a
    /// running transfer ends as it would have.
    pub fn handle_end_of_input(&mut self, now: Instant) {
        self.core.input_ended = true;
        self.resume(now);
    }

    /// Takes up further lines, after [`ServerSession::has_work`].
    pub fn resume(&mut self, now: Instant) {
        self.core.budget = limits::COMMANDS_PER_TURN;
        self.go_on(now);
    }

    /// Whether lines wait only because the session has taken up as many as it may in one turn.
    pub fn has_work(&self) -> bool {
        self.core.has_more
    }

    /// The control connection is broken: nobody will read a reply.
    pub fn handle_lost(&mut self, now: Instant) {
        if !matches!(self.core.phase, Phase::Closed) {
            self.core.lose(now);
            self.check_invariants();
        }
    }

    /// Something happened to a transfer, a data connection or a task. Late news of what has ended is dropped.
    pub fn handle_event(&mut self, event: Event, now: Instant) {
        if self.core.input_ended && matches!(event, Event::Moved { op, .. } if self.awaits(op)) {
            self.core.quit_waits = self.quit_waits();
        }
        match &mut self.mind {
            Mind::Words(words) => words.handle_event(&mut self.core, event, now),
            Mind::Ftp(ftp) => ftp.handle_event(&mut self.core, event, now),
        }
        self.go_on(now);
    }

    /// The control connection is encrypted, as [`Effect::Secure`] has asked.
    pub fn handle_secured(&mut self, now: Instant) {
        if let (Phase::Securing(_), Mind::Ftp(ftp)) = (&self.core.phase, &mut self.mind) {
            ftp.secured(&mut self.core, now);
        }
        self.resume(now);
    }

    /// The outbox has been emptied.
    pub fn handle_flushed(&mut self, now: Instant) {
        self.go_on(now);
    }

    /// The time of [`ServerSession::next_timeout`] has come; too early a call does nothing.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.next_timeout().is_none_or(|deadline| now < deadline) {
            return;
        }
        match &mut self.mind {
            Mind::Words(words) => words.handle_timeout(&mut self.core, now),
            Mind::Ftp(ftp) => ftp.handle_timeout(&mut self.core, now),
        }
        self.resume(now);
    }

    /// The server is ending: a running transfer may finish, nothing new begins.
    pub fn drain(&mut self, now: Instant) {
        self.core.draining = true;
        self.resume(now);
    }

    /// The time for running transfers is over: each ends with its final reply, and the session with it.
    pub fn cut(&mut self, now: Instant) {
        if let Mind::Ftp(ftp) = &mut self.mind {
            ftp.forget_question();
        }
        self.core.cut(now);
        self.check_invariants();
    }

    /// The next thing to do, if any.
    pub fn poll_effect(&mut self) -> Option<Effect> {
        self.core.poll_effect()
    }

    /// Replies to be written.
    pub fn outbox(&mut self) -> &mut Outbox {
        &mut self.core.outbox
    }

    /// Puts lines of a listing behind the replies, after [`Effect::MoveToControl`]; while the outbox
    /// [is full](Outbox::is_full) it is to be written first.
    pub fn push_names(&mut self, lines: &[u8]) {
        self.core.outbox.buffer().extend_from_slice(lines);
    }

    /// When [`ServerSession::handle_timeout`] is to be called.
    pub fn next_timeout(&self) -> Deadline {
        self.core.next_timeout()
    }

    /// Whether bytes of the control connection may be read. When not, TCP holds the peer back.
    pub fn wants_input(&self) -> bool {
        let listens = !self.core.is_over() && !matches!(self.core.phase, Phase::Securing(_));
        listens && !self.core.input_ended && self.input.waiting() < limits::INPUT_BYTES_MAX
    }

    /// Whether data connections are to be encrypted, as far as was agreed on.
    pub fn protects_data(&self) -> bool {
        matches!(&self.mind, Mind::Ftp(ftp) if ftp.protects_data())
    }

    /// Whether no transfer is running.
    pub fn is_idle(&self) -> bool {
        !matches!(self.core.phase, Phase::Transferring(_))
    }

    /// Whether an answer to this transfer or task is still waited for.
    pub fn awaits(&self, op: OperationId) -> bool {
        match &self.core.phase {
            Phase::Transferring(transfer) => transfer.op == op,
            Phase::Asking(asked) => asked.op == op,
            Phase::Ready | Phase::Securing(_) | Phase::Closing(_) | Phase::Closed => false,
        }
    }

    /// Whether QUIT is among the lines that wait.
    fn quit_waits(&self) -> bool {
        match &self.mind {
            Mind::Words(_) => {
                self.input.any_is(|line| self.core.dialect.parse_command(line).is_ok_and(|it| it == Command::Quit))
            }
            Mind::Ftp(_) => self.input.any_is(ftp::is_quit),
        }
    }

    /// Takes up what waits, after each input.
    fn go_on(&mut self, now: Instant) {
        self.core.has_more = false;
        match &mut self.mind {
            Mind::Words(words) => words.take_commands(&mut self.input, &mut self.core, now),
            Mind::Ftp(ftp) => ftp.take_commands(&mut self.input, &mut self.core, now),
        }
        if self.core.input_ended && self.core.is_ready() && !self.core.outbox.is_full() && !self.core.has_more {
            self.core.close(None, now);
        }
        self.check_invariants();
    }
}
