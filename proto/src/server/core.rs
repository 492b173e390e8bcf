//! What every server session has, whatever its dialect: phase, effects, replies, the running transfer, the timers.
//!
//! It must not know commands: those are the affair of [`super::words`] and [`super::ftp`], which drive it.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::dialect::Dialect;
use crate::limits;
use crate::vocab::cause::Cause;
use crate::vocab::reply::Reply;
use crate::wire::outbox::Outbox;

use super::data::{DataLeg, LegState};
use super::io::{Deadline, Effect, Event, OperationId, SessionConfig, Task};
use super::transfer::{Step, Transfer, TransferSpec};

/// The part of a session that knows no commands.
#[derive(Debug)]
pub(super) struct Core {
    pub(super) dialect: Dialect,
    pub(super) config: SessionConfig,
    pub(super) outbox: Outbox,
    effects: VecDeque<Effect>,
    pub(super) phase: Phase,
    /// The data connection that was agreed on for the next transfer.
    pub(super) agreed: DataLeg,
    last_op: OperationId,
    /// When the last command was taken up.
    pub(super) taken_up: Instant,
    pub(super) last_activity: Instant,
    /// How long transfers have waited for the peer in vain, since something came from it.
    pub(super) silent_for: Duration,
    /// When a session that is not logged in ends.
    pub(super) login_deadline: Deadline,
    pub(super) bad_commands: u32,
    /// The peer sends nothing more.
    pub(super) input_ended: bool,
    /// Commands that may still be taken up before the others have their turn.
    pub(super) budget: u32,
    /// The budget was used up, and bytes wait.
    pub(super) has_more: bool,
    /// The end of the input was announced: the peer has sent QUIT before it.
    pub(super) quit_waits: bool,
    /// No further command is taken: the server is ending.
    pub(super) draining: bool,
}

#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "a box would cost an allocation for each transfer")]
pub(super) enum Phase {
    /// For the next command.
    Ready,
    Transferring(Transfer),
    /// The shell runs a task, or opens a data port.
    Asking(Asked),
    /// TLS is being set up on the control connection, since then.
    Securing(Instant),
    /// The last reply is on its way, since then.
    Closing(Instant),
    Closed,
}

/// What the shell was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) op: OperationId,
    /// When it was asked, or last reported progress.
    pub(super) since: Instant,
}

impl Core {
    pub(super) fn new(dialect: Dialect, config: SessionConfig, now: Instant) -> Core {
        Core {
            dialect,
            config,
            outbox: Outbox::default(),
            effects: VecDeque::new(),
            phase: Phase::Ready,
            agreed: DataLeg::default(),
            last_op: OperationId::default(),
            taken_up: now,
            last_activity: now,
            silent_for: Duration::ZERO,
            login_deadline: None,
            bad_commands: 0,
            input_ended: false,
            budget: limits::COMMANDS_PER_TURN,
            has_more: false,
            quit_waits: false,
            draining: false,
        }
    }

    pub(super) fn is_over(&self) -> bool {
        matches!(self.phase, Phase::Closing(_) | Phase::Closed)
    }

    pub(super) fn is_ready(&self) -> bool {
        matches!(self.phase, Phase::Ready)
    }

    pub(super) fn transfer(&mut self) -> Option<&mut Transfer> {
        match &mut self.phase {
            Phase::Transferring(transfer) => Some(transfer),
            _ => None,
        }
    }

    pub(super) fn next_op(&mut self) -> OperationId {
        self.last_op = OperationId(self.last_op.0.wrapping_add(1));
        self.last_op
    }

    pub(super) fn effect(&mut self, effect: Effect) {
        self.effects.push_back(effect);
    }

    pub(super) fn poll_effect(&mut self) -> Option<Effect> {
        self.effects.pop_front()
    }

    pub(super) fn reply(&mut self, reply: &Reply) {
        self.dialect.print_reply(reply, self.outbox.buffer());
    }

    pub(super) fn refuse(&mut self, cause: Cause) {
        self.reply(&Reply::refused(cause));
    }

    /// Whether a command may be taken up now; `waiting`: bytes that have come.
    pub(super) fn may_take(&mut self, waiting: usize) -> bool {
        self.has_more = self.budget == 0 && waiting > 0;
        self.budget > 0
    }

    /// Counts a line that was no command, and ends a session of nothing else.
    pub(super) fn refuse_line(&mut self, cause: Cause, now: Instant) {
        self.bad_commands += 1;
        self.refuse(cause);
        if self.bad_commands > limits::BAD_COMMANDS_MAX {
            self.close(Some(Cause::TooManyErrors), now);
        }
    }

    /// Has the control connection encrypted.
    pub(super) fn secure(&mut self, now: Instant) {
        self.phase = Phase::Securing(now);
        self.effect(Effect::Secure);
    }

    /// Has something done; its answer ends the phase.
    pub(super) fn ask(&mut self, task: Task) {
        let op = self.next_op();
        self.wait_for(op);
        self.effect(Effect::Run { op, task });
    }

    /// Waits for the shell's answer to `op`, until the storage deadline.
    pub(super) fn wait_for(&mut self, op: OperationId) {
        self.phase = Phase::Asking(Asked { op, since: self.taken_up });
    }

    /// Begins a transfer over the data connection that was agreed on, if one was. `open` makes the effect that opens its
    /// storage.
    pub(super) fn begin(&mut self, spec: TransferSpec, open: impl FnOnce(OperationId) -> Effect, now: Instant) {
        let op = self.next_op();
        let effect = open(op);
        self.effect(effect);
        let leg = std::mem::take(&mut self.agreed);
        self.phase = Phase::Transferring(Transfer::new(op, spec, leg, now));
    }

    /// Gives up what was agreed on.
    pub(super) fn disagree(&mut self) {
        let leg = std::mem::take(&mut self.agreed);
        if leg.is_held() {
            self.effect(Effect::CloseData { op: leg.op });
        }
    }

    /// An event of the running transfer, or of the data connection that waits for one. What comes late is dropped.
    pub(super) fn handle_event(&mut self, event: Event, now: Instant) {
        if let Phase::Transferring(transfer) = &mut self.phase
            && transfer.concerns(&event)
        {
            if matches!(event, Event::DataConnected { .. } | Event::Progress { .. }) {
                self.silent_for = Duration::ZERO;
            }
            let step = transfer.handle(event, now);
            return self.carry_out(step, now);
        }
        if self.agreed.state != LegState::None && event.op() == self.agreed.op {
            self.agreed.handle(&event, now);
            if self.agreed.state == LegState::Failed {
                self.disagree();
            }
        }
    }

    /// Does what the transfer says, until it waits or ends.
    pub(super) fn carry_out(&mut self, mut step: Step, now: Instant) {
        while let Phase::Transferring(transfer) = &mut self.phase {
            let op = transfer.op;
            match step {
                Step::Wait => return,
                Step::ListenData => self.effect(Effect::ListenData { op }),
                Step::ConnectData(to) => {
                    let op = transfer.leg_op();
                    self.effect(Effect::ConnectData { op, to });
                }
                Step::Tell { port, size } => self.reply(&Reply::Opening { port, size }),
                Step::TellNew { name } => self.reply(&Reply::OpeningNew { name }),
                Step::TellNames => self.reply(&Reply::NamesFollow),
                Step::Move { limit, ascii, protected } => {
                    self.effect(Effect::StartMoving { op, limit, ascii, protected });
                }
                Step::MoveToControl => self.effect(Effect::MoveToControl { op }),
                Step::Commit => {
                    let leg = transfer.close_leg();
                    let is_doubtful = transfer.declared().is_none() && self.input_ended && !self.quit_waits;
                    if is_doubtful {
                        transfer.probe(now);
                    }
                    self.effect(Effect::CloseData { op: leg });
                    if is_doubtful {
                        return self.say_of_success(..1);
                    }
                    self.effect(Effect::Commit { op });
                }
                Step::End(result) => return self.end_transfer(result, now),
            }
            let Phase::Transferring(transfer) = &mut self.phase else { return };
            step = transfer.next(now);
        }
    }

    /// Says a part of the reply to a transfer that ended well.
    ///
    /// Its first byte is said before the commit when both connections have ended, since a peer that has closed them resets
    /// the connection then, and one that has closed one direction does not. So a file that was cut short by the death of
    /// its client is told from one whose client reads on.
    fn say_of_success(&mut self, part: impl std::slice::SliceIndex<[u8], Output = [u8]>) {
        let mut reply = Vec::new();
        self.dialect.print_reply(&Reply::Complete, &mut reply);
        self.outbox.buffer().extend_from_slice(&reply[part]);
    }

    /// Ends the running transfer with its final reply.
    pub(super) fn end_transfer(&mut self, result: Result<(), Cause>, now: Instant) {
        let Phase::Transferring(transfer) = std::mem::replace(&mut self.phase, Phase::Ready) else { return };
        let (upload, on_control, told) = (transfer.is_upload(), transfer.is_on_control(), transfer.is_told());
        let has_probed = transfer.has_probed();
        // What was agreed on before a command that came to nothing holds for the next one.
        match transfer.unused_leg() {
            Ok(leg) if leg.op != transfer.op && leg.state != LegState::None => {
                self.agreed = DataLeg { since: Some(now), ..leg };
            }
            Ok(leg) | Err(leg) if leg.is_held() => self.effect(Effect::CloseData { op: leg.op }),
            _ => {}
        }
        self.release(transfer, result.map_err(Some), now);
        if has_probed {
            return match result {
                Ok(()) => self.say_of_success(1..),
                // Its reply has begun as one of success: without an end it is none.
                Err(_) => self.lose(now),
            };
        }
        self.reply(&match result {
            Ok(()) if on_control => Reply::NamesComplete,
            Ok(()) => Reply::Complete,
            Err(cause) if on_control && told => Reply::NamesFailed(cause),
            Err(cause) => Reply::Refused { cause, upload },
        });
        self.last_activity = now;
    }

    /// Nobody is there any more to be told.
    pub(super) fn lose(&mut self, now: Instant) {
        if let Phase::Transferring(transfer) = std::mem::replace(&mut self.phase, Phase::Closed) {
            if let Ok(leg) | Err(leg) = transfer.unused_leg()
                && leg.is_held()
            {
                self.effect(Effect::CloseData { op: leg.op });
            }
            self.release(transfer, Err(None), now);
        }
        self.disagree();
        self.effect(Effect::DropControl);
    }

    /// Says why, when it is not the peer's wish, and closes after the last reply.
    pub(super) fn close(&mut self, cause: Option<Cause>, now: Instant) {
        if let Some(cause) = cause {
            self.refuse(cause);
        }
        self.close_after_reply(cause, now);
    }

    /// Closes after the replies that are given already.
    fn close_after_reply(&mut self, cause: Option<Cause>, now: Instant) {
        self.disagree();
        self.phase = Phase::Closing(now);
        self.effect(Effect::CloseControl { cause });
    }

    /// Whether transfers in a row have waited for the peer in vain for longer than a session may be silent: lines that
    /// wait do not keep a session whose peer is gone.
    pub(super) fn is_deserted(&self) -> bool {
        self.is_ready() && self.silent_for >= self.config.idle_timeout
    }

    pub(super) fn next_timeout(&self) -> Deadline {
        [self.phase_deadline(), self.agreed.deadline(&self.config)].into_iter().flatten().min()
    }

    /// Gives up what was agreed on, when it was not used in time.
    pub(super) fn expire_agreed(&mut self, now: Instant) {
        if self.agreed.deadline(&self.config).is_some_and(|deadline| deadline <= now) {
            self.disagree();
        }
    }

    /// When the phase ends by itself.
    pub(super) fn phase_deadline(&self) -> Deadline {
        match &self.phase {
            Phase::Ready => {
                let idle = self.last_activity + self.config.idle_timeout;
                Some(self.login_deadline.map_or(idle, |login| idle.min(login)))
            }
            Phase::Transferring(transfer) => transfer.deadline(&self.config),
            Phase::Asking(asked) => Some(asked.since + self.config.storage_timeout),
            Phase::Securing(since) => Some(*since + self.config.login_timeout),
            Phase::Closing(since) => Some(*since + limits::LINGER),
            Phase::Closed => None,
        }
    }

    /// The time of [`Core::next_timeout`] has come.
    pub(super) fn handle_timeout(&mut self, now: Instant) {
        self.expire_agreed(now);
        if self.phase_deadline().is_none_or(|deadline| now < deadline) {
            return;
        }
        if let Phase::Transferring(transfer) = &mut self.phase
            && transfer.ends_probe(now)
        {
            let op = transfer.op;
            return self.effect(Effect::Commit { op });
        }
        match &self.phase {
            Phase::Ready => self.close(Some(Cause::IdleTimeout), now),
            Phase::Transferring(transfer) => {
                let cause = transfer.timeout_cause();
                self.silent_for += match cause {
                    Cause::DataTimeout => self.config.data_connect_timeout,
                    Cause::DataStalled => self.config.stall_timeout,
                    Cause::NoDataPort => self.config.idle_timeout,
                    _ => Duration::ZERO,
                };
                self.carry_out(Step::End(Err(cause)), now);
            }
            // Nobody could read why.
            Phase::Securing(_) | Phase::Closing(_) => self.lose(now),
            // What the question was about, only the commands know.
            Phase::Asking(_) | Phase::Closed => {}
        }
    }

    /// Ends the session, and before it what runs, with a reply that says so.
    pub(super) fn cut(&mut self, now: Instant) {
        self.draining = true;
        match &self.phase {
            Phase::Closing(_) | Phase::Closed => {}
            // The replies cannot be read before the handshake, or one has begun that cannot be ended.
            Phase::Securing(_) => self.lose(now),
            Phase::Transferring(transfer) if transfer.has_probed() => self.lose(now),
            // The refusal of the transfer is the last reply: a second one would answer nothing.
            Phase::Transferring(transfer) if !(transfer.is_on_control() && transfer.is_told()) => {
                self.end_transfer(Err(Cause::ShuttingDown), now);
                self.close_after_reply(Some(Cause::ShuttingDown), now);
            }
            Phase::Transferring(_) => {
                self.end_transfer(Err(Cause::ShuttingDown), now);
                self.close(Some(Cause::ShuttingDown), now);
            }
            Phase::Ready | Phase::Asking(_) => self.close(Some(Cause::ShuttingDown), now),
        }
    }

    fn release(&mut self, transfer: Transfer, result: Result<(), Option<Cause>>, now: Instant) {
        let op = transfer.op;
        self.effect(Effect::Release { op, report: transfer.report(result, now) });
    }
}
