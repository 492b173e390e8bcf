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
//!
//! After the outbox has been emptied call [`ServerSession::handle_flushed`], since commands may have waited for it.
//!
//! # Invariants
//! - Every line is answered by exactly one final reply, in order, unless the session ends first.
//! - At most one transfer at a time; lines that come meanwhile wait, and beyond a bound are not read.
//! - An upload is confirmed only after [`Event::Committed`].
//! - After `CloseControl` there is no further effect but `DropControl`, and after that there is none.

mod invariants;
pub mod io;
mod transfer;

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::dialect::Dialect;
use crate::limits;
use crate::vocab::cause::Cause;
use crate::vocab::command::Command;
use crate::vocab::path::VPath;
use crate::vocab::reply::Reply;
use crate::wire::line::{Line, LineBuffer};
use crate::wire::outbox::Outbox;

use io::{Deadline, Effect, Event, OperationId, SessionConfig, TransferKind};
use transfer::{Step, Transfer};

/// The state of one control connection.
#[derive(Debug)]
pub struct ServerSession {
    dialect: Dialect,
    config: SessionConfig,
    input: LineBuffer,
    outbox: Outbox,
    effects: VecDeque<Effect>,
    phase: Phase,
    last_op: OperationId,
    last_activity: Instant,
    bad_commands: u32,
    /// A download has ended before its READY was read: one that crossed the reply on its way belongs to nothing.
    ready_may_come: bool,
    /// The peer sends nothing more.
    input_ended: bool,
    /// No further command is taken: the server is ending.
    draining: bool,
}

#[derive(Debug)]
enum Phase {
    Ready,
    Transferring(Transfer),
    /// The last reply is on its way, since then.
    Closing(Instant),
    Closed,
}

impl ServerSession {
    /// A session of a peer that has just connected.
    pub fn new(dialect: Dialect, config: SessionConfig, now: Instant) -> ServerSession {
        ServerSession {
            dialect,
            config,
            input: LineBuffer::default(),
            outbox: Outbox::default(),
            effects: VecDeque::new(),
            phase: Phase::Ready,
            last_op: OperationId::default(),
            last_activity: now,
            bad_commands: 0,
            ready_may_come: false,
            input_ended: false,
            draining: false,
        }
    }

    /// Bytes came on the control connection. Not to be called while [`ServerSession::wants_input`] is false.
    pub fn handle_input(&mut self, bytes: &[u8], now: Instant) {
        if matches!(self.phase, Phase::Closing(_) | Phase::Closed) {
            return;
        }
        self.last_activity = now;
        self.input.push(bytes);
        self.take_commands(now);
        self.check_invariants();
    }

    /// The peer has closed its side of the control connection: lines already here are still answered.
    pub fn handle_end_of_input(&mut self, now: Instant) {
        self.input_ended = true;
        if let Phase::Transferring(transfer) = &self.phase
            && !transfer.survives_end_of_input()
        {
            return self.handle_lost(now);
        }
        self.take_commands(now);
        self.check_invariants();
    }

    /// The control connection is broken: nobody will read a reply.
    pub fn handle_lost(&mut self, now: Instant) {
        if matches!(self.phase, Phase::Closed) {
            return;
        }
        if let Phase::Transferring(transfer) = std::mem::replace(&mut self.phase, Phase::Closed) {
            self.release(transfer, Err(None), now);
        }
        self.effects.push_back(Effect::DropControl);
        self.check_invariants();
    }

    /// Something happened to a transfer. Late news of one that has ended is dropped.
    pub fn handle_event(&mut self, event: Event, now: Instant) {
        let plan = self.dialect.data_plan();
        let Phase::Transferring(transfer) = &mut self.phase else { return };
        if operation(event) != transfer.op {
            return;
        }
        let step = transfer.handle(event, plan, now);
        self.carry_out(step, now);
        self.take_commands(now);
        self.check_invariants();
    }

    /// The outbox has been emptied.
    pub fn handle_flushed(&mut self, now: Instant) {
        self.take_commands(now);
        self.check_invariants();
    }

    /// The time of [`ServerSession::next_timeout`] has come; too early a call does nothing.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.next_timeout().is_none_or(|deadline| now < deadline) {
            return;
        }
        match &self.phase {
            Phase::Ready => self.close(Some(Cause::IdleTimeout), now),
            Phase::Transferring(transfer) => {
                let cause = transfer.timeout_cause();
                self.carry_out(Step::End(Err(cause)), now);
                self.take_commands(now);
            }
            Phase::Closing(_) | Phase::Closed => self.handle_lost(now),
        }
        self.check_invariants();
    }

    /// The server is ending: a running transfer may finish, nothing new begins.
    pub fn drain(&mut self, now: Instant) {
        self.draining = true;
        if matches!(self.phase, Phase::Ready) {
            self.close(Some(Cause::ShuttingDown), now);
        }
        self.check_invariants();
    }

    /// Ends the session with a word to the peer.
    pub fn refuse(&mut self, cause: Cause, now: Instant) {
        if matches!(self.phase, Phase::Ready) {
            self.close(Some(cause), now);
        }
        self.check_invariants();
    }

    /// The next thing to do, if any.
    pub fn poll_effect(&mut self) -> Option<Effect> {
        self.effects.pop_front()
    }

    /// Replies to be written.
    pub fn outbox(&mut self) -> &mut Outbox {
        &mut self.outbox
    }

    /// Puts lines of a listing behind the replies, after [`Effect::MoveToControl`]; while the outbox
    /// [is full](Outbox::is_full) it is to be written first.
    pub fn push_names(&mut self, lines: &[u8]) {
        self.outbox.buffer().extend_from_slice(lines);
    }

    /// When [`ServerSession::handle_timeout`] is to be called.
    pub fn next_timeout(&self) -> Deadline {
        match &self.phase {
            Phase::Ready => Some(self.last_activity + self.config.idle_timeout),
            Phase::Transferring(transfer) => transfer.deadline(&self.config),
            Phase::Closing(since) => Some(*since + LINGER),
            Phase::Closed => None,
        }
    }

    /// Whether bytes of the control connection may be read. When not, TCP holds the peer back.
    pub fn wants_input(&self) -> bool {
        !self.input_ended
            && self.input.waiting() < limits::INPUT_BYTES_MAX
            && matches!(self.phase, Phase::Ready | Phase::Transferring(_))
    }

    /// Whether no transfer is running.
    pub fn is_idle(&self) -> bool {
        !matches!(self.phase, Phase::Transferring(_))
    }

    /// Takes up waiting lines while there is nothing to wait for but a line.
    fn take_commands(&mut self, now: Instant) {
        loop {
            let ready = matches!(self.phase, Phase::Ready);
            if ready && self.draining {
                return self.close(Some(Cause::ShuttingDown), now);
            }
            if self.outbox.is_full() {
                return;
            }
            if !ready && !self.waits_for_ready() {
                break;
            }
            let parsed = match self.input.next_line() {
                Some(Line::Complete(line)) => self.dialect.parse_command(line),
                Some(Line::TooLong) => Err(Cause::LineTooLong),
                None => break,
            };
            let may_come = std::mem::take(&mut self.ready_may_come);
            match parsed {
                Ok(Command::Ready) if !ready => self.take_ready(now),
                Ok(Command::Ready) if may_come => {}
                parsed => {
                    self.give_up_unready(now);
                    match parsed {
                        // What was given up may have been all that a server that is ending waited for.
                        _ if self.draining => {}
                        Ok(command) => self.begin(command, now),
                        Err(cause) => self.refuse_command(cause, now),
                    }
                }
            }
        }
        if self.input_ended && matches!(self.phase, Phase::Ready) {
            self.phase = Phase::Closing(now);
            self.effects.push_back(Effect::CloseControl { cause: None });
        }
    }

    fn waits_for_ready(&self) -> bool {
        matches!(&self.phase, Phase::Transferring(transfer) if transfer.waits_for_ready(self.dialect.data_plan()))
    }

    fn take_ready(&mut self, now: Instant) {
        let plan = self.dialect.data_plan();
        if let Phase::Transferring(transfer) = &mut self.phase {
            let step = transfer.ready(plan, now);
            self.carry_out(step, now);
        }
    }

    fn begin(&mut self, command: Command, now: Instant) {
        let (kind, path, allowed) = match command {
            Command::Get { path } => (TransferKind::Download, path, self.config.may_read),
            Command::Put { path, size } => (TransferKind::Upload { declared: size }, path, self.config.may_write),
            Command::List { path } => (TransferKind::Listing, path, self.config.may_read),
            Command::Ready => return self.refuse_command(Cause::BadSequence, now),
            Command::Quit => {
                self.reply(Reply::Goodbye);
                return self.close(None, now);
            }
        };
        self.bad_commands = 0;
        if !allowed {
            return self.reply(Reply::Refused(Cause::NotAllowed));
        }
        self.last_op = OperationId(self.last_op.0.wrapping_add(1));
        self.effects.push_back(open_effect(self.last_op, kind, path.clone()));
        self.phase = Phase::Transferring(Transfer::new(self.last_op, kind, path, now));
    }

    /// A peer that says something else in place of its readiness does not want the download any more.
    fn give_up_unready(&mut self, now: Instant) {
        if self.waits_for_ready() {
            self.end_transfer(Err(Cause::BadSequence), now);
            self.ready_may_come = false;
        }
    }

    fn refuse_command(&mut self, cause: Cause, now: Instant) {
        self.bad_commands += 1;
        self.reply(Reply::Refused(cause));
        if self.bad_commands > limits::BAD_COMMANDS_MAX {
            self.close(Some(Cause::TooManyErrors), now);
        }
    }

    /// Does what the transfer says, until it waits or ends.
    fn carry_out(&mut self, mut step: Step, now: Instant) {
        let plan = self.dialect.data_plan();
        while let Phase::Transferring(transfer) = &mut self.phase {
            let op = transfer.op;
            match step {
                Step::Wait => return,
                Step::ListenData => self.effects.push_back(Effect::ListenData { op }),
                Step::Tell { port, size } => {
                    self.dialect.print_reply(Reply::Opening { port, size }, self.outbox.buffer())
                }
                Step::TellNames => self.dialect.print_reply(Reply::NamesFollow, self.outbox.buffer()),
                Step::Move { limit } => self.effects.push_back(Effect::StartMoving { op, limit }),
                Step::MoveToControl => self.effects.push_back(Effect::MoveToControl { op }),
                Step::Commit => {
                    self.effects.push_back(Effect::CloseData { op });
                    self.effects.push_back(Effect::Commit { op });
                }
                Step::End(result) => return self.end_transfer(result, now),
            }
            step = transfer.next(plan, now);
        }
    }

    fn end_transfer(&mut self, result: Result<(), Cause>, now: Instant) {
        self.ready_may_come = self.waits_for_ready();
        if let Phase::Transferring(transfer) = std::mem::replace(&mut self.phase, Phase::Ready) {
            self.release(transfer, result.map_err(Some), now);
            self.reply(match result {
                Ok(()) => Reply::Complete,
                Err(cause) => Reply::Refused(cause),
            });
            self.last_activity = now;
        }
    }

    fn release(&mut self, transfer: Transfer, result: Result<(), Option<Cause>>, now: Instant) {
        let op = transfer.op;
        self.effects.push_back(Effect::Release { op, report: transfer.report(result, now) });
    }

    /// Says why, when it is not the peer's wish, and closes after the last reply.
    fn close(&mut self, cause: Option<Cause>, now: Instant) {
        if let Some(cause) = cause {
            self.reply(Reply::Refused(cause));
        }
        self.phase = Phase::Closing(now);
        self.effects.push_back(Effect::CloseControl { cause });
    }

    fn reply(&mut self, reply: Reply) {
        self.dialect.print_reply(reply, self.outbox.buffer());
    }
}

fn open_effect(op: OperationId, kind: TransferKind, path: VPath) -> Effect {
    match kind {
        TransferKind::Download => Effect::OpenRead { op, path },
        TransferKind::Upload { declared } => Effect::OpenWrite { op, path, size: declared },
        TransferKind::Listing => Effect::OpenList { op, path },
    }
}

fn operation(event: Event) -> OperationId {
    match event {
        Event::StorageReady { op, .. }
        | Event::StorageFailed { op, .. }
        | Event::DataListening { op, .. }
        | Event::DataFailed { op, .. }
        | Event::DataConnected { op }
        | Event::Progress { op, .. }
        | Event::Moved { op, .. }
        | Event::MoveFailed { op, .. }
        | Event::Committed { op } => op,
    }
}

/// How long the last reply may take to leave.
const LINGER: Duration = Duration::from_secs(5);
