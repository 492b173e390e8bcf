//! A shell that holds nothing: it notes what a session asks for, checks that it may, and draws the answers.

use std::net::IpAddr;

use muxftp_proto::representation::entry::{Entry, EntryKind};
use muxftp_proto::server::io::{Effect, Event, ListForm, OperationId, StoreMode, Task, TaskAnswer, TransferKind};
use muxftp_proto::{Cause, Dialect, Permission, Permissions, VPath};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use crate::parsers::sound;

/// What a session has open, and what it may do.
pub struct Shell {
    dialect: Dialect,
    peer: IpAddr,
    /// Of the guest, or of the user who is logged in.
    permissions: Option<Permissions>,
    transfer: Option<Transfer>,
    data: Option<Data>,
    task: Option<(OperationId, Task)>,
    /// What has ended, whose late answers must do nothing.
    past: Vec<OperationId>,
    /// TLS is to be set up on the control connection.
    pub securing: bool,
    pub end: End,
}

/// How far the session's end is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// It goes on.
    No,
    /// The last replies are on their way.
    Closing,
    /// The control connection is gone.
    Gone,
}

struct Transfer {
    op: OperationId,
    kind: TransferKind,
    path: VPath,
    stage: Stage,
    /// Bytes after which an upload is whole.
    limit: Option<u64>,
    moved: u64,
    new_name: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Opening,
    Open,
    Moving,
    /// All bytes have moved.
    Whole,
    ToControl,
    Committing,
    /// An answer has been given that ends it.
    Failed,
}

struct Data {
    op: OperationId,
    state: DataState,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum DataState {
    Asked,
    Listening,
    Connecting,
    Connected,
    Failed,
}

/// What the shell does next on its own.
pub enum Act {
    Tell(Event),
    /// A line for the control connection.
    Name(Vec<u8>),
}

impl Shell {
    pub fn new(dialect: Dialect, guest: Permissions, peer: IpAddr) -> Shell {
        let permissions = (dialect != Dialect::Ftp).then_some(guest);
        let (past, securing) = (Vec::new(), false);
        Shell { dialect, peer, permissions, transfer: None, data: None, task: None, past, securing, end: End::No }
    }

    /// The session wants something. It may want only what this moment and its rights allow.
    pub fn apply(&mut self, effect: Effect) {
        let may_follow = self.end == End::No || (self.end == End::Closing && effect == Effect::DropControl);
        assert!(may_follow, "{effect:?} after the end");
        if let Some(needed) = needed(&effect) {
            assert!(self.permissions.is_some_and(|had| had.has(needed)), "{effect:?} without {needed:?}");
        }
        match effect {
            Effect::OpenRead { op, path, .. } => self.open(op, path, TransferKind::Download, false),
            Effect::OpenWrite { op, path, size, mode } => {
                self.open(op, path, TransferKind::Upload { declared: size }, matches!(mode, StoreMode::New { .. }));
            }
            Effect::OpenList { op, path, listing } => {
                if let ListForm::Facts { permissions, .. } = listing.form {
                    assert_eq!(Some(permissions), self.permissions, "the facts of another account");
                }
                self.open(op, path, TransferKind::Listing, false);
            }
            Effect::ListenData { op } => self.new_data(op, DataState::Asked),
            Effect::ConnectData { op, to } => {
                assert!(to.ip() == self.peer && to.port() >= 1024, "a bounce to {to}");
                self.new_data(op, DataState::Connecting);
            }
            Effect::StartMoving { op, limit, .. } => {
                assert!(self.data.as_ref().is_some_and(|data| data.state == DataState::Connected), "over what?");
                let transfer = self.at(op, Stage::Open);
                transfer.stage = Stage::Moving;
                transfer.limit = limit;
            }
            Effect::MoveToControl { op } => {
                let transfer = self.at(op, Stage::Open);
                assert_eq!(transfer.kind, TransferKind::Listing, "a file on the control connection");
                transfer.stage = Stage::ToControl;
            }
            Effect::CloseData { op } => {
                let closed = self.data.take().filter(|data| data.op == op);
                assert!(closed.is_some(), "close of {op:?}, which is not open");
                self.past.push(op);
            }
            Effect::Commit { op } => {
                assert!(self.data.is_none(), "a commit before the data connection is closed");
                let transfer = self.at(op, Stage::Whole);
                assert!(matches!(transfer.kind, TransferKind::Upload { .. }), "a commit of a download");
                transfer.stage = Stage::Committing;
            }
            Effect::Release { op, report } => {
                let transfer = self.transfer.take().filter(|transfer| transfer.op == op);
                let transfer = transfer.expect("a release of the running transfer");
                assert!(report.path == transfer.path && report.kind == transfer.kind, "{report:?}");
                assert!(self.data.as_ref().is_none_or(|data| data.op != op), "its data connection is forgotten");
                self.past.push(op);
            }
            Effect::Run { op, task } => self.run(op, task),
            Effect::Secure => {
                assert!(self.transfer.is_none() && self.data.is_none(), "something is left open");
                self.securing = true;
            }
            Effect::LogOut => {
                assert!(self.dialect == Dialect::Ftp && self.permissions.take().is_some(), "nobody is logged in");
            }
            Effect::CloseControl { .. } => {
                assert!(self.transfer.is_none() && self.data.is_none(), "something is left open");
                self.end = End::Closing;
            }
            Effect::DropControl => {
                assert!(self.transfer.is_none() && self.data.is_none(), "something is left open");
                self.end = End::Gone;
            }
        }
    }

    /// A task that the session has given up at its deadline: its answer comes late.
    pub fn forget(&mut self, awaited: impl Fn(OperationId) -> bool) {
        if let Some((op, _)) = self.task.take_if(|(op, _)| !awaited(*op)) {
            self.past.push(op);
        }
    }

    /// What happens next to what is open, if anything is. `awaited`: whether the session still waits for a task.
    pub fn act(&mut self, awaited: impl Fn(OperationId) -> bool, rng: &mut ChaCha8Rng) -> Option<Act> {
        match rng.random_range(0..3) {
            0 => self.act_on_data(rng).or_else(|| self.act_on_transfer(rng)).or_else(|| self.answer(awaited, rng)),
            1 => self.act_on_transfer(rng).or_else(|| self.act_on_data(rng)).or_else(|| self.answer(awaited, rng)),
            _ => self.answer(awaited, rng).or_else(|| self.act_on_data(rng)).or_else(|| self.act_on_transfer(rng)),
        }
    }

    /// An answer to what has ended.
    pub fn late(&self, rng: &mut ChaCha8Rng) -> Option<Event> {
        let open = [
            self.transfer.as_ref().map(|transfer| transfer.op),
            self.data.as_ref().map(|data| data.op),
            self.task.as_ref().map(|(op, _)| *op),
        ];
        let past: Vec<OperationId> = self.past.iter().copied().filter(|op| !open.contains(&Some(*op))).collect();
        if past.is_empty() {
            return None;
        }
        let op = past[rng.random_range(0..past.len())];
        let (bytes, cause) = (number(rng), cause(rng));
        Some(match rng.random_range(0..11) {
            0 => Event::StorageReady { op, size: Some(bytes), name: None },
            1 => Event::StorageFailed { op, cause },
            2 => Event::DataListening { op, port: 20_001 },
            3 => Event::DataFailed { op, cause },
            4 => Event::DataConnected { op },
            5 => Event::Progress { op, bytes },
            6 => Event::Moved { op, bytes },
            7 => Event::MoveFailed { op, bytes, cause },
            8 => Event::Committed { op },
            9 => Event::TaskProgress { op },
            _ => Event::TaskDone { op, result: Ok(TaskAnswer::LoggedIn(Permissions::ALL)) },
        })
    }

    fn open(&mut self, op: OperationId, path: VPath, kind: TransferKind, new_name: bool) {
        self.check_new(op);
        sound(&path);
        assert!(self.transfer.is_none() && self.task.is_none(), "two things at once");
        let stage = Stage::Opening;
        self.transfer = Some(Transfer { op, kind, path, stage, limit: None, moved: 0, new_name });
    }

    fn new_data(&mut self, op: OperationId, state: DataState) {
        assert!(self.dialect != Dialect::Ftp || self.permissions.is_some(), "a data connection for nobody");
        assert!(self.data.is_none(), "two data connections");
        self.data = Some(Data { op, state });
    }

    fn run(&mut self, op: OperationId, task: Task) {
        self.check_new(op);
        assert!(self.transfer.is_none() && self.task.is_none(), "two things at once");
        let logs_in = matches!(task, Task::LogIn { .. });
        assert!(logs_in != self.permissions.is_some(), "{task:?} with {:?}", self.permissions);
        for path in paths(&task) {
            sound(path);
        }
        self.task = Some((op, task));
    }

    fn check_new(&self, op: OperationId) {
        assert!(!self.past.contains(&op), "{op:?} for the second time");
    }

    fn at(&mut self, op: OperationId, stage: Stage) -> &mut Transfer {
        let transfer = self.transfer.as_mut().filter(|transfer| transfer.op == op).expect("the running transfer");
        assert_eq!(transfer.stage, stage);
        transfer
    }

    fn act_on_transfer(&mut self, rng: &mut ChaCha8Rng) -> Option<Act> {
        let transfer = self.transfer.as_mut()?;
        let op = transfer.op;
        let fails = rng.random_ratio(1, 6);
        let cause = cause(rng);
        let event = match transfer.stage {
            Stage::Failed | Stage::Whole => return None,
            Stage::Opening | Stage::Committing | Stage::Open if fails => {
                transfer.stage = Stage::Failed;
                Event::StorageFailed { op, cause }
            }
            Stage::Opening => {
                transfer.stage = Stage::Open;
                let size = Some(number(rng)).filter(|_| transfer.kind == TransferKind::Download && rng.random());
                let name = transfer.new_name.then(|| b"ftp-1".to_vec());
                Event::StorageReady { op, size, name }
            }
            Stage::Open => return None,
            Stage::Moving | Stage::ToControl if fails => {
                transfer.stage = Stage::Failed;
                Event::MoveFailed { op, bytes: transfer.moved, cause }
            }
            Stage::Moving if rng.random() => {
                transfer.moved = (transfer.moved + number(rng) % 5_000).min(transfer.limit.unwrap_or(u64::MAX));
                Event::Progress { op, bytes: transfer.moved }
            }
            Stage::ToControl if rng.random() => return Some(Act::Name(name(self.dialect, rng))),
            Stage::Moving | Stage::ToControl => {
                let whole = transfer.limit.filter(|_| rng.random());
                transfer.moved = whole.unwrap_or(transfer.moved);
                transfer.stage = Stage::Whole;
                Event::Moved { op, bytes: transfer.moved }
            }
            Stage::Committing => Event::Committed { op },
        };
        Some(Act::Tell(event))
    }

    fn act_on_data(&mut self, rng: &mut ChaCha8Rng) -> Option<Act> {
        let moving = self.transfer.as_ref().is_some_and(|transfer| transfer.stage == Stage::Moving);
        let data = self.data.as_mut()?;
        let op = data.op;
        if data.state == DataState::Failed || moving {
            return None;
        }
        let event = match data.state {
            _ if rng.random_ratio(1, 8) => {
                data.state = DataState::Failed;
                Event::DataFailed { op, cause: cause(rng) }
            }
            DataState::Asked => {
                data.state = DataState::Listening;
                Event::DataListening { op, port: rng.random_range(1..=u16::MAX) }
            }
            DataState::Listening | DataState::Connecting => {
                data.state = DataState::Connected;
                Event::DataConnected { op }
            }
            DataState::Connected | DataState::Failed => return None,
        };
        Some(Act::Tell(event))
    }

    fn answer(&mut self, awaited: impl Fn(OperationId) -> bool, rng: &mut ChaCha8Rng) -> Option<Act> {
        let (op, task) = self.task.take()?;
        self.past.push(op);
        let result = if rng.random_ratio(1, 8) { Err(cause(rng)) } else { self.done(&task, awaited(op), rng) };
        Some(Act::Tell(Event::TaskDone { op, result }))
    }

    fn done(&mut self, task: &Task, awaited: bool, rng: &mut ChaCha8Rng) -> Result<TaskAnswer, Cause> {
        Ok(match task {
            // No account has such a name.
            Task::LogIn { name, .. } if !name.iter().all(u8::is_ascii_graphic) => return Err(Cause::LoginFailed),
            Task::LogIn { .. } => {
                let permissions = permissions(rng);
                if awaited {
                    self.permissions = Some(permissions);
                }
                TaskAnswer::LoggedIn(permissions)
            }
            Task::Examine(_) => TaskAnswer::Entry(entry(rng)),
            Task::AsciiSize(_) | Task::Available => TaskAnswer::Number(number(rng)),
            Task::Hash { range, .. } => TaskAnswer::Digest { digest: vec![0xAB; 32], range: range.unwrap_or((0, 9)) },
            Task::MakeDirectory(_)
            | Task::RemoveDirectory(_)
            | Task::RemoveFile(_)
            | Task::Rename { .. }
            | Task::SetMode(..)
            | Task::SetModified(..) => TaskAnswer::Done,
        })
    }
}

/// Mostly all, often those of a guest, sometimes any.
pub fn permissions(rng: &mut ChaCha8Rng) -> Permissions {
    match rng.random_range(0..6) {
        0..3 => Permissions::ALL,
        3..5 => Permissions::READ_ONLY,
        _ => Permission::ALL.into_iter().filter(|_| rng.random()).collect(),
    }
}

/// The right without which this must not be asked for.
fn needed(effect: &Effect) -> Option<Permission> {
    Some(match effect {
        Effect::OpenRead { .. } | Effect::Run { task: Task::Hash { .. }, .. } => Permission::Read,
        Effect::OpenWrite { mode: StoreMode::Append, .. } => Permission::Append,
        Effect::OpenWrite { .. } | Effect::Run { task: Task::SetMode(..) | Task::SetModified(..), .. } => {
            Permission::Write
        }
        Effect::OpenList { .. } | Effect::Run { task: Task::AsciiSize(_), .. } => Permission::List,
        Effect::Run { task: Task::MakeDirectory(_), .. } => Permission::Mkdir,
        Effect::Run { task: Task::RemoveDirectory(_) | Task::RemoveFile(_), .. } => Permission::Delete,
        Effect::Run { task: Task::Rename { .. }, .. } => Permission::Rename,
        _ => return None,
    })
}

fn paths(task: &Task) -> Vec<&VPath> {
    match task {
        Task::LogIn { .. } | Task::Available => Vec::new(),
        Task::Rename { from, to, .. } => vec![from, to],
        Task::Examine(path)
        | Task::AsciiSize(path)
        | Task::MakeDirectory(path)
        | Task::RemoveDirectory(path)
        | Task::RemoveFile(path)
        | Task::SetMode(path, _)
        | Task::SetModified(path, _)
        | Task::Hash { path, .. } => vec![path],
    }
}

fn cause(rng: &mut ChaCha8Rng) -> Cause {
    Cause::ALL[rng.random_range(0..Cause::ALL.len())]
}

fn number(rng: &mut ChaCha8Rng) -> u64 {
    rng.random::<u64>() >> rng.random_range(0..64)
}

fn entry(rng: &mut ChaCha8Rng) -> Entry<'static> {
    let kinds = [EntryKind::Directory, EntryKind::Directory, EntryKind::File, EntryKind::Link(b"x"), EntryKind::Other];
    Entry {
        name: b"",
        kind: kinds[rng.random_range(0..kinds.len())],
        size: number(rng),
        modified: rng.random::<i64>() >> rng.random_range(0..40),
        mode: rng.random(),
        links: number(rng),
        unique: (number(rng), number(rng)),
    }
}

/// A line of a listing on the control connection; some names look like replies.
fn name(dialect: Dialect, rng: &mut ChaCha8Rng) -> Vec<u8> {
    let names: [&[u8]; 6] = [b"a", b"DONE", b"ERROR x", b"226 x", b"213 End", &[b'n'; 255]];
    let name = names[rng.random_range(0..names.len())];
    let mut line = Vec::new();
    match dialect {
        Dialect::Ftp => line.extend([b"-rw-r--r--    1 ftp ftp 5 Nov 21 05:45 ", name, b"\r\n"].concat()),
        Dialect::Simple | Dialect::Updown => dialect.print_listed(name, &mut line),
    }
    line
}
