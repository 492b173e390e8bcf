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
//! A [`DataPlan`] may ask for one thing more (the peer's word that it is ready) or less (a listing on the control
//! connection needs no data connection). The data connection may have been agreed on before the command: see [`super::data`].
//!
//! It must not know wire text, sockets or files. Its one output is the [`Step`] that comes next.

use std::net::SocketAddr;
use std::time::Instant;

use crate::dialect::DataPlan;
use crate::limits;
use crate::vocab::cause::Cause;
use crate::vocab::path::VPath;

use super::data::{DataLeg, LegState};
use super::io::{Deadline, Event, OperationId, SessionConfig, TransferKind, TransferReport};

/// What a command asks for.
#[derive(Debug)]
pub(super) struct TransferSpec {
    pub(super) kind: TransferKind,
    pub(super) verb: &'static str,
    pub(super) path: VPath,
    pub(super) plan: DataPlan,
    /// Line ends are converted.
    pub(super) ascii: bool,
    /// The data connection is encrypted.
    pub(super) protected: bool,
}

/// A transfer that is under way.
#[derive(Debug)]
pub(super) struct Transfer {
    pub(super) op: OperationId,
    spec: TransferSpec,
    leg: DataLeg,
    started: Instant,
    bytes: u64,
    has_probed: bool,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    Joining(Join),
    /// Bytes move; the time is that of the last progress.
    Moving(Instant),
    /// The first byte of the final reply was given, then: it shows whether the peer is there.
    Probing(Instant),
    /// The upload is being given its name, since then.
    Committing(Instant),
}

/// What has come together so far, besides the data connection.
#[derive(Debug)]
struct Join {
    /// When the storage was asked for or last reported progress; once it is open, when the data port was asked for.
    asked: Instant,
    /// The storage is open.
    storage: Option<Opened>,
    /// The first reply was given, then.
    told: Option<Instant>,
    /// The peer has said that it is ready.
    ready: bool,
}

#[derive(Debug)]
struct Opened {
    /// Bytes of a file to send.
    size: Option<u64>,
    /// The name that was chosen for the file.
    name: Option<Vec<u8>>,
}

/// What is to be done next for a transfer.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Wait for an event.
    Wait,
    ListenData,
    /// Connect to the peer.
    ConnectData(SocketAddr),
    /// Give the first reply.
    Tell {
        port: u16,
        size: Option<u64>,
    },
    /// Give it, with the name that was chosen.
    TellNew {
        name: Vec<u8>,
    },
    /// Say that the names follow.
    TellNames,
    /// `limit`: bytes after which an upload is whole.
    Move {
        limit: Option<u64>,
        ascii: bool,
        protected: bool,
    },
    MoveToControl,
    Commit,
    /// It is over: well, or refused.
    End(Result<(), Cause>),
}

impl Transfer {
    /// `leg`: the data connection that was agreed on before, or one that is to be asked for.
    pub(super) fn new(op: OperationId, spec: TransferSpec, leg: DataLeg, now: Instant) -> Transfer {
        let join = Join { asked: now, storage: None, told: None, ready: false };
        Transfer { op, spec, leg, started: now, bytes: 0, has_probed: false, stage: Stage::Joining(join) }
    }

    /// Whether the event is about this transfer or its data connection.
    pub(super) fn concerns(&self, event: &Event) -> bool {
        match event {
            Event::DataListening { op, .. } | Event::DataConnected { op } | Event::DataFailed { op, .. } => {
                *op == self.leg.op && self.leg.state != LegState::None
            }
            event => event.op() == self.op,
        }
    }

    /// Takes an event that [concerns](Transfer::concerns) it.
    pub(super) fn handle(&mut self, event: Event, now: Instant) -> Step {
        match (event, &mut self.stage) {
            (Event::StorageReady { size, name, .. }, Stage::Joining(join)) => {
                join.storage = Some(Opened { size, name });
                join.asked = now;
            }
            (event @ (Event::DataListening { .. } | Event::DataConnected { .. }), Stage::Joining(_)) => {
                self.leg.handle(&event, now);
            }
            (Event::Progress { bytes, .. }, Stage::Moving(progress)) => {
                self.bytes = bytes;
                *progress = now;
                return Step::Wait;
            }
            (Event::TaskProgress { .. }, Stage::Joining(Join { asked: since, .. }) | Stage::Committing(since)) => {
                *since = now;
                return Step::Wait;
            }
            (Event::Moved { bytes, .. }, Stage::Moving(_)) => return self.moved(bytes, now),
            (Event::MoveFailed { bytes, cause, .. }, Stage::Moving(_)) => {
                self.bytes = bytes;
                return Step::End(Err(cause));
            }
            (Event::Committed { .. }, Stage::Committing(_)) => return Step::End(Ok(())),
            (Event::StorageFailed { cause, .. }, _) => return Step::End(Err(cause)),
            (Event::DataFailed { cause, .. }, _) => {
                self.leg.state = LegState::Failed;
                return Step::End(Err(cause));
            }
            (event, stage) => {
                debug_assert!(false, "{event:?} in {stage:?}");
                return Step::Wait;
            }
        }
        self.next(now)
    }

    /// Whether the peer has been told of the transfer and has yet to say that it is ready.
    pub(super) fn waits_for_ready(&self) -> bool {
        let Stage::Joining(join) = &self.stage else { return false };
        self.needs_ready() && join.told.is_some() && !join.ready
    }

    /// The peer is ready.
    pub(super) fn ready(&mut self, now: Instant) -> Step {
        if let Stage::Joining(join) = &mut self.stage {
            join.ready = true;
        }
        self.next(now)
    }

    /// What is to be done next; called until it says [`Step::Wait`].
    pub(super) fn next(&mut self, now: Instant) -> Step {
        let on_control = self.is_on_control();
        let needs_ready = self.needs_ready();
        let Stage::Joining(join) = &mut self.stage else { return Step::Wait };
        let Some(opened) = &mut join.storage else { return Step::Wait };
        let first = join.told.is_none();
        match self.leg.state {
            _ if on_control && first => {
                join.told = Some(now);
                Step::TellNames
            }
            _ if on_control => {
                self.stage = Stage::Moving(now);
                Step::MoveToControl
            }
            LegState::None => {
                self.leg = DataLeg { op: self.op, state: LegState::Asked, since: Some(now) };
                Step::ListenData
            }
            LegState::Asked => Step::Wait,
            LegState::Listening(port) | LegState::Connected(port) if first => {
                join.told = Some(now);
                tell(port, opened)
            }
            LegState::Target(_) if first => {
                join.told = Some(now);
                tell(0, opened)
            }
            LegState::Target(to) => {
                self.leg.state = LegState::Connecting;
                Step::ConnectData(to)
            }
            LegState::Connected(_) if join.ready || !needs_ready => {
                self.stage = Stage::Moving(now);
                Step::Move { limit: self.declared(), ascii: self.spec.ascii, protected: self.spec.protected }
            }
            LegState::Listening(_) | LegState::Connecting | LegState::Connected(_) | LegState::Failed => Step::Wait,
        }
    }

    /// When it is to be given up, and why.
    pub(super) fn deadline(&self, config: &SessionConfig) -> Deadline {
        match &self.stage {
            Stage::Joining(Join { storage: None, asked: since, .. }) | Stage::Committing(since) => {
                Some(*since + config.storage_timeout)
            }
            Stage::Probing(since) => Some(*since + limits::PROBE_TIME),
            Stage::Joining(Join { told: Some(since), .. }) => Some(*since + config.data_connect_timeout),
            Stage::Moving(progress) => Some(*progress + config.stall_timeout),
            // It is held back: others of its address use the shared ports. Its session is as silent as an idle one.
            Stage::Joining(Join { asked: since, .. }) => Some(*since + config.idle_timeout),
        }
    }

    /// Why it is given up at its deadline.
    pub(super) fn timeout_cause(&self) -> Cause {
        match self.stage {
            Stage::Moving(_) | Stage::Probing(_) => Cause::DataStalled,
            Stage::Joining(Join { storage: None, .. }) | Stage::Committing(_) => Cause::StorageTimeout,
            Stage::Joining(Join { told: None, .. }) => Cause::NoDataPort,
            Stage::Joining(_) => Cause::DataTimeout,
        }
    }

    /// The data connection, when the transfer ends: `Err` when it has been used, or told of, or has failed, and must go.
    pub(super) fn unused_leg(&self) -> Result<DataLeg, DataLeg> {
        if self.is_told() || self.leg.state == LegState::Failed { Err(self.leg) } else { Ok(self.leg) }
    }

    /// Whether the upload is being given its name, which cannot be taken back.
    pub(super) fn is_committing(&self) -> bool {
        matches!(self.stage, Stage::Probing(_) | Stage::Committing(_))
    }

    /// The first byte of the final reply is being given before the commit.
    pub(super) fn probe(&mut self, now: Instant) {
        self.has_probed = true;
        self.stage = Stage::Probing(now);
    }

    /// Whether the final reply has begun.
    pub(super) fn has_probed(&self) -> bool {
        self.has_probed
    }

    /// At its deadline: whether the transfer has waited for the peer's reset, and can be committed.
    pub(super) fn ends_probe(&mut self, now: Instant) -> bool {
        let probes = matches!(self.stage, Stage::Probing(_));
        if probes {
            self.stage = Stage::Committing(now);
        }
        probes
    }

    /// Whether the first reply was given.
    pub(super) fn is_told(&self) -> bool {
        !matches!(self.stage, Stage::Joining(Join { told: None, .. }))
    }

    pub(super) fn leg_op(&self) -> OperationId {
        self.leg.op
    }

    /// The data connection is closed: an upload needs it no more.
    pub(super) fn close_leg(&mut self) -> OperationId {
        self.leg.state = LegState::None;
        self.leg.op
    }

    pub(super) fn is_upload(&self) -> bool {
        matches!(self.spec.kind, TransferKind::Upload { .. })
    }

    /// Whether it is a listing that comes on the control connection.
    pub(super) fn is_on_control(&self) -> bool {
        self.spec.plan.listings_on_control && matches!(self.spec.kind, TransferKind::Listing)
    }

    /// For the reply to STAT.
    pub(super) fn describe(&self) -> (&'static str, &VPath, u64) {
        (self.spec.verb, &self.spec.path, self.bytes)
    }

    /// What must hold between two inputs, whatever the peer and the shell say.
    pub(super) fn check_invariants(&self) {
        match &self.stage {
            Stage::Joining(join) => {
                let asked_for_it = self.leg.op == self.op && self.leg.state != LegState::None;
                debug_assert!(!asked_for_it || join.storage.is_some(), "a data connection for nothing to move");
                debug_assert!(!join.ready || join.told.is_some(), "the peer is ready for what it was not told");
                debug_assert!(self.bytes == 0, "bytes have moved before all has come together");
            }
            Stage::Moving(_) => {}
            Stage::Probing(_) | Stage::Committing(_) => {
                debug_assert!(self.is_upload(), "only an upload is committed");
                debug_assert!(self.declared().is_none_or(|size| size == self.bytes), "a commit of another size");
            }
        }
    }

    /// The line for the log.
    pub(super) fn report(self, result: Result<(), Option<Cause>>, now: Instant) -> TransferReport {
        TransferReport {
            kind: self.spec.kind,
            verb: self.spec.verb,
            path: self.spec.path,
            bytes: self.bytes,
            duration: now.saturating_duration_since(self.started),
            result,
        }
    }

    fn moved(&mut self, bytes: u64, now: Instant) -> Step {
        self.bytes = bytes;
        match self.spec.kind {
            TransferKind::Download | TransferKind::Listing => Step::End(Ok(())),
            TransferKind::Upload { declared: Some(size) } if bytes < size => Step::End(Err(Cause::ShortUpload)),
            TransferKind::Upload { .. } => {
                self.stage = Stage::Committing(now);
                Step::Commit
            }
        }
    }

    fn needs_ready(&self) -> bool {
        self.spec.plan.downloads_wait_for_ready && matches!(self.spec.kind, TransferKind::Download)
    }

    pub(super) fn declared(&self) -> Option<u64> {
        match self.spec.kind {
            TransferKind::Upload { declared } => declared,
            TransferKind::Download | TransferKind::Listing => None,
        }
    }
}

fn tell(port: u16, opened: &mut Opened) -> Step {
    match opened.name.take() {
        Some(name) => Step::TellNew { name },
        None => Step::Tell { port, size: opened.size },
    }
}
