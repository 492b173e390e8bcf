//! The commands of the dialects that say everything in one line: `simple` and `updown`.
//!
//! A transfer is a command of its own; nothing is agreed on before it, and nothing is kept from one to the next.

use std::time::Instant;

use crate::dialect::foreign::{is_foreign, is_foreign_start};
use crate::vocab::cause::Cause;
use crate::vocab::command::Command;
use crate::vocab::permission::Permission;
use crate::vocab::reply::Reply;
use crate::wire::line::{Line, LineBuffer};

use super::core::{Core, Phase};
use super::io::{Effect, Event, ListForm, ListingSpec, Part, StoreMode, TransferKind};
use super::transfer::{Step, TransferSpec};

/// What is kept between lines.
#[derive(Debug, Default)]
pub(super) struct Words {
    /// A download has ended before its READY was read: one that crossed the reply on its way belongs to nothing.
    pub(super) ready_may_come: bool,
}

impl Words {
    /// Takes up waiting lines while there is nothing to wait for but a line.
    pub(super) fn take_commands(&mut self, input: &mut LineBuffer, core: &mut Core, now: Instant) {
        loop {
            let ready = core.is_ready();
            if ready && core.draining {
                return core.close(Some(Cause::ShuttingDown), now);
            }
            if core.is_deserted() {
                return core.close(Some(Cause::IdleTimeout), now);
            }
            if core.outbox.is_full() || !(ready || waits_for_ready(core)) || !core.may_take(input.waiting()) {
                return;
            }
            let is_tls = input.starts(is_foreign_start);
            let parsed = match input.next_line() {
                Some(Line::Complete(line)) if is_foreign(line) => Err(Cause::NotFtp),
                Some(Line::Complete(line)) => core.dialect.parse_command(line),
                Some(Line::TooLong) => Err(Cause::LineTooLong),
                None if is_tls => Err(Cause::NotFtp),
                // READY can come no more.
                None if core.input_ended && !ready => {
                    core.carry_out(Step::End(Err(Cause::Aborted)), now);
                    continue;
                }
                None => return,
            };
            core.budget -= 1;
            let may_come = std::mem::take(&mut self.ready_may_come);
            match parsed {
                Ok(Command::Ready) if !ready => take_ready(core, now),
                Ok(Command::Ready) if may_come => {}
                parsed => {
                    give_up_unready(core, now);
                    match parsed {
                        // What was given up may have been all that a server that is ending waited for.
                        _ if core.draining => {}
                        Ok(command) => begin(core, command, now),
                        // What follows may be commands that a web page has put into the request.
                        Err(Cause::NotFtp) => return core.close(Some(Cause::NotFtp), now),
                        Err(cause) => core.refuse_line(cause, now),
                    }
                }
            }
        }
    }

    pub(super) fn handle_event(&mut self, core: &mut Core, event: Event, now: Instant) {
        let waited = waits_for_ready(core);
        core.handle_event(event, now);
        self.note_end(core, waited);
    }

    pub(super) fn handle_timeout(&mut self, core: &mut Core, now: Instant) {
        let waited = waits_for_ready(core);
        core.handle_timeout(now);
        self.note_end(core, waited);
    }

    /// A transfer that has ended while it waited for READY.
    fn note_end(&mut self, core: &Core, waited: bool) {
        self.ready_may_come |= waited && core.is_ready();
    }
}

fn begin(core: &mut Core, command: Command, now: Instant) {
    let (kind, path, needed) = match command {
        Command::Get { path } => (TransferKind::Download, path, Permission::Read),
        Command::Put { path, size } => (TransferKind::Upload { declared: size }, path, Permission::Write),
        Command::List { path } => (TransferKind::Listing, path, Permission::List),
        Command::Ready => return core.refuse_line(Cause::BadSequence, now),
        Command::Quit => {
            core.reply(&Reply::Goodbye);
            return core.close(None, now);
        }
    };
    core.bad_commands = 0;
    if !core.config.permissions.has(needed) {
        return core.refuse(Cause::NotAllowed);
    }
    let spec = TransferSpec {
        kind,
        verb: core.dialect.verb(kind),
        path: path.clone(),
        plan: core.dialect.data_plan(),
        ascii: false,
        protected: false,
    };
    let open = |op| match kind {
        TransferKind::Download => Effect::OpenRead { op, path, part: Part::default() },
        TransferKind::Upload { declared } => Effect::OpenWrite { op, path, size: declared, mode: StoreMode::Replace },
        TransferKind::Listing => Effect::OpenList {
            op,
            path,
            listing: ListingSpec { form: ListForm::Plain, glob: false, directory: true, literal: Vec::new() },
        },
    };
    core.begin(spec, open, now);
}

pub(super) fn waits_for_ready(core: &Core) -> bool {
    matches!(&core.phase, Phase::Transferring(transfer) if transfer.waits_for_ready())
}

fn take_ready(core: &mut Core, now: Instant) {
    if let Some(transfer) = core.transfer() {
        let step = transfer.ready(now);
        core.carry_out(step, now);
    }
}

/// A peer that says something else in place of its readiness does not want the download any more.
fn give_up_unready(core: &mut Core, now: Instant) {
    if waits_for_ready(core) {
        core.carry_out(Step::End(Err(Cause::BadSequence)), now);
    }
}
