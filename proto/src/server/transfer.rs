//! One transfer on the server's side, from its command to its final reply. The same for all dialects.
//!
//! A transfer joins three things that may come in any order: the storage is open, the data connection is there, the first
//! reply is given. Then bytes move; an upload is committed at the end.
//!
//! ```text
//!             storage ready --.
//!   command -> data connected --+-> Moving --+----------------------> over
//!             first reply ----'             '-> Committing (upload) -> over
//! ```
//!
//! A dialect's [`DataPlan`] may ask for one thing more (the peer's word that it is ready) or less (a listing on the control
//! connection needs no data connection).
//!
//! It must not know wire text, sockets or files. Its one output is the [`Step`] that comes next.

use std::time::Instant;

use crate::dialect::DataPlan;
use crate::vocab::cause::Cause;
use crate::vocab::path::VPath;

use super::io::{Deadline, Event, OperationId, SessionConfig, TransferKind, TransferReport};

/// A transfer that is under way.
#[derive(Debug)]
pub(super) struct Transfer {
    pub(super) op: OperationId,
    kind: TransferKind,
    path: VPath,
    started: Instant,
    bytes: u64,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    Joining(Join),
    /// Bytes move; the time is that of the last progress.
    Moving(Instant),
    Committing,
}

/// What has come together so far.
#[derive(Debug, Default)]
struct Join {
    /// The storage is open; the size of a file to send.
    storage: Option<Option<u64>>,
    data: DataLeg,
    /// The first reply was given, then.
    told: Option<Instant>,
    /// The peer has said that it is ready.
    ready: bool,
}

#[derive(Debug, Default)]
enum DataLeg {
    #[default]
    None,
    Asked,
    /// The peer may connect.
    Listening(u16),
    Connected(u16),
}

/// What is to be done next for a transfer.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Wait for an event.
    Wait,
    ListenData,
    /// Give the first reply.
    Tell {
        port: u16,
        size: Option<u64>,
    },
    /// Say that the names follow.
    TellNames,
    /// `limit`: bytes after which an upload is whole.
    Move {
        limit: Option<u64>,
    },
    MoveToControl,
    Commit,
    /// It is over: well, or refused.
    End(Result<(), Cause>),
}

impl Transfer {
    pub(super) fn new(op: OperationId, kind: TransferKind, path: VPath, now: Instant) -> Transfer {
        Transfer { op, kind, path, started: now, bytes: 0, stage: Stage::Joining(Join::default()) }
    }

    /// Takes an event of this operation.
    pub(super) fn handle(&mut self, event: Event, plan: DataPlan, now: Instant) -> Step {
        match (event, &mut self.stage) {
            (Event::StorageReady { size, .. }, Stage::Joining(join)) => join.storage = Some(size),
            (Event::DataListening { port, .. }, Stage::Joining(join)) => join.data = DataLeg::Listening(port),
            (Event::DataConnected { .. }, Stage::Joining(join)) => {
                if let DataLeg::Listening(port) = join.data {
                    join.data = DataLeg::Connected(port);
                }
            }
            (Event::Progress { bytes, .. }, Stage::Moving(progress)) => {
                self.bytes = bytes;
                *progress = now;
                return Step::Wait;
            }
            (Event::Moved { bytes, .. }, Stage::Moving(_)) => return self.moved(bytes),
            (Event::MoveFailed { bytes, cause, .. }, Stage::Moving(_)) => {
                self.bytes = bytes;
                return Step::End(Err(cause));
            }
            (Event::Committed { .. }, Stage::Committing) => return Step::End(Ok(())),
            (Event::StorageFailed { cause, .. } | Event::DataFailed { cause, .. }, _) => return Step::End(Err(cause)),
            (event, stage) => {
                debug_assert!(false, "{event:?} in {stage:?}");
                return Step::Wait;
            }
        }
        self.next(plan, now)
    }

    /// Whether the peer has been told of the transfer and has yet to say that it is ready.
    pub(super) fn waits_for_ready(&self, plan: DataPlan) -> bool {
        let Stage::Joining(join) = &self.stage else { return false };
        self.needs_ready(plan) && join.told.is_some() && !join.ready
    }

    /// The peer is ready.
    pub(super) fn ready(&mut self, plan: DataPlan, now: Instant) -> Step {
        if let Stage::Joining(join) = &mut self.stage {
            join.ready = true;
        }
        self.next(plan, now)
    }

    /// What is to be done next; called until it says [`Step::Wait`].
    pub(super) fn next(&mut self, plan: DataPlan, now: Instant) -> Step {
        let on_control = plan.listings_on_control && matches!(self.kind, TransferKind::Listing);
        let needs_ready = self.needs_ready(plan);
        let Stage::Joining(join) = &mut self.stage else { return Step::Wait };
        let Some(size) = join.storage else { return Step::Wait };
        let first = join.told.is_none();
        match join.data {
            _ if on_control && first => {
                join.told = Some(now);
                Step::TellNames
            }
            _ if on_control => {
                self.stage = Stage::Moving(now);
                Step::MoveToControl
            }
            DataLeg::None => {
                join.data = DataLeg::Asked;
                Step::ListenData
            }
            DataLeg::Listening(port) | DataLeg::Connected(port) if first => {
                join.told = Some(now);
                Step::Tell { port, size }
            }
            DataLeg::Connected(_) if join.ready || !needs_ready => {
                self.stage = Stage::Moving(now);
                Step::Move { limit: self.declared() }
            }
            DataLeg::Asked | DataLeg::Listening(_) | DataLeg::Connected(_) => Step::Wait,
        }
    }

    /// When it is to be given up, and why.
    pub(super) fn deadline(&self, config: &SessionConfig) -> Deadline {
        match &self.stage {
            Stage::Joining(Join { told: Some(since), .. }) => Some(*since + config.data_connect_timeout),
            Stage::Moving(progress) => Some(*progress + config.stall_timeout),
            Stage::Joining(_) | Stage::Committing => None,
        }
    }

    /// Why it is given up at its deadline.
    pub(super) fn timeout_cause(&self) -> Cause {
        match self.stage {
            Stage::Moving(_) => Cause::DataStalled,
            Stage::Joining(_) | Stage::Committing => Cause::DataTimeout,
        }
    }

    /// Whether it can still end well without a word from the control connection, whose peer has closed its side.
    ///
    /// Not before bytes move (nobody will connect any more), and not when only the peer's close marks the end of an
    /// upload (its death looks the same).
    pub(super) fn survives_end_of_input(&self) -> bool {
        match self.stage {
            Stage::Joining(_) => false,
            Stage::Moving(_) => !matches!(self.kind, TransferKind::Upload { declared: None }),
            Stage::Committing => true,
        }
    }

    /// What must hold between two inputs, whatever the peer and the shell say.
    pub(super) fn check_invariants(&self) {
        match &self.stage {
            Stage::Joining(join) => {
                let asked = !matches!(join.data, DataLeg::None);
                debug_assert!(!asked || join.storage.is_some(), "a data connection for nothing to move");
                debug_assert!(join.told.is_none() || asked, "the peer was told before there was a port");
                debug_assert!(!join.ready || join.told.is_some(), "the peer is ready for what it was not told");
                debug_assert!(self.bytes == 0, "bytes have moved before all has come together");
            }
            Stage::Moving(_) => {}
            Stage::Committing => {
                debug_assert!(matches!(self.kind, TransferKind::Upload { .. }), "only an upload is committed");
                debug_assert!(self.declared().is_none_or(|size| size == self.bytes), "a commit of another size");
            }
        }
    }

    /// The line for the log.
    pub(super) fn report(self, result: Result<(), Option<Cause>>, now: Instant) -> TransferReport {
        TransferReport {
            kind: self.kind,
            path: self.path,
            bytes: self.bytes,
            duration: now.saturating_duration_since(self.started),
            result,
        }
    }

    fn moved(&mut self, bytes: u64) -> Step {
        self.bytes = bytes;
        match self.kind {
            TransferKind::Download | TransferKind::Listing => Step::End(Ok(())),
            TransferKind::Upload { declared: Some(size) } if bytes < size => Step::End(Err(Cause::ShortUpload)),
            TransferKind::Upload { .. } => {
                self.stage = Stage::Committing;
                Step::Commit
            }
        }
    }

    fn needs_ready(&self, plan: DataPlan) -> bool {
        plan.downloads_wait_for_ready && matches!(self.kind, TransferKind::Download)
    }

    fn declared(&self) -> Option<u64> {
        match self.kind {
            TransferKind::Upload { declared } => declared,
            TransferKind::Download | TransferKind::Listing => None,
        }
    }
}
