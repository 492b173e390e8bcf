//! The contract between a server session and its shell: what the session asks for, and what it is told.
//!
//! Everything that is answered later carries the number of the operation it belongs to; an answer that comes after its
//! operation has ended is dropped by the session. Bytes of files never pass here.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use crate::representation::entry::FactSet;
use crate::vocab::cause::Cause;
use crate::vocab::path::VPath;
use crate::vocab::permission::Permissions;

pub use super::task::{HashAlgorithm, Task, TaskAnswer};

/// The number of a transfer, a data connection or a task within its session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct OperationId(pub(crate) u32);

/// What the session wants done, in this order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Open a file to send. Answer: [`Event::StorageReady`] or [`Event::StorageFailed`].
    OpenRead {
        /// The transfer.
        op: OperationId,
        /// The file.
        path: VPath,
        /// Which of its bytes.
        part: Part,
    },
    /// Open a hidden file that is to become `path`. Answer as above.
    OpenWrite {
        /// The transfer.
        op: OperationId,
        /// The name it is to have.
        path: VPath,
        /// Bytes that will come, when known.
        size: Option<u64>,
        /// What becomes of a file that is there.
        mode: StoreMode,
    },
    /// Open a directory to list. Answer as above.
    OpenList {
        /// The transfer.
        op: OperationId,
        /// The directory; for some forms also a file, which is then the one entry.
        path: VPath,
        /// Which names, and how they are written.
        listing: ListingSpec,
    },
    /// Listen on a data port. Answer: [`Event::DataListening`] or [`Event::DataFailed`]; later [`Event::DataConnected`].
    ListenData {
        /// The data connection.
        op: OperationId,
    },
    /// Make the data connection. Answer: [`Event::DataConnected`] or [`Event::DataFailed`].
    ConnectData {
        /// The data connection.
        op: OperationId,
        /// Where the peer listens.
        to: SocketAddr,
    },
    /// Move the bytes between the open storage and the data connection: all of a file or listing, or up to `limit` bytes
    /// of an upload. Answer: [`Event::Progress`] as they move; then [`Event::Moved`] or [`Event::MoveFailed`].
    StartMoving {
        /// The transfer.
        op: OperationId,
        /// Bytes after which an upload is whole; `None`: when the peer closes its side.
        limit: Option<u64>,
        /// Convert line ends on the way (RFC 959 3.1.1.1).
        ascii: bool,
        /// Encrypt the data connection first, in the control connection's TLS session. A hand-shake that fails is
        /// [`Event::MoveFailed`].
        protected: bool,
    },
    /// Write the open listing to the control connection, by [`crate::ServerSession::push_names`]. Answered as
    /// [`Effect::StartMoving`] is.
    MoveToControl {
        /// The transfer.
        op: OperationId,
    },
    /// Close the data connection, or give up the wish for one.
    CloseData {
        /// The data connection.
        op: OperationId,
    },
    /// Give the upload its name. Answer: [`Event::Committed`] or [`Event::StorageFailed`].
    Commit {
        /// The transfer.
        op: OperationId,
    },
    /// The transfer is over, well or not: let go of its storage. An upload that was not committed
    /// vanishes without trace.
    Release {
        /// The transfer.
        op: OperationId,
        /// For the log.
        report: TransferReport,
    },
    /// Do something without a data connection. Answer: [`Event::TaskDone`].
    Run {
        /// The task.
        op: OperationId,
        /// What.
        task: Task,
    },
    /// The user has logged out: nothing further happens in his name.
    LogOut,
    /// Encrypt the control connection, once the replies so far are written. Answer:
    /// [`crate::ServerSession::handle_secured`], or the connection is lost.
    Secure,
    /// Close the control connection once the replies are written.
    CloseControl {
        /// Why, when it was not the peer's wish.
        cause: Option<Cause>,
    },
    /// Close the control connection at once: the peer is gone or does not read.
    DropControl,
}

/// What became of a transfer, for the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransferReport {
    /// What it was.
    pub kind: TransferKind,
    /// The verb that began it.
    pub verb: &'static str,
    /// The file or directory.
    pub path: VPath,
    /// Bytes moved on the data connection.
    pub bytes: u64,
    /// Command to end.
    pub duration: Duration,
    /// How it ended; `Err(None)`: the peer went away.
    pub result: Result<(), Option<Cause>>,
}

/// The kinds of transfer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TransferKind {
    /// A file to the peer.
    Download,
    /// A file from the peer, with its size when it was declared.
    Upload {
        /// Bytes that the peer said would come.
        declared: Option<u64>,
    },
    /// Names to the peer.
    Listing,
}

/// What the shell has to tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// File or directory is open.
    StorageReady {
        /// The transfer.
        op: OperationId,
        /// Bytes that will be sent, when it is a file and they are known.
        size: Option<u64>,
        /// The name that was chosen, for [`StoreMode::New`].
        name: Option<Vec<u8>>,
    },
    /// It could not be opened, or a commit failed.
    StorageFailed {
        /// The transfer.
        op: OperationId,
        /// Why.
        cause: Cause,
    },
    /// A data port listens.
    DataListening {
        /// The data connection.
        op: OperationId,
        /// Its number.
        port: u16,
    },
    /// No data port, or no data connection, could be had.
    DataFailed {
        /// The data connection.
        op: OperationId,
        /// Why.
        cause: Cause,
    },
    /// The data connection is made.
    DataConnected {
        /// The data connection.
        op: OperationId,
    },
    /// Bytes have moved.
    Progress {
        /// The transfer.
        op: OperationId,
        /// In total so far.
        bytes: u64,
    },
    /// All bytes have moved: the file or listing is sent, or the upload's limit or its end is reached.
    Moved {
        /// The transfer.
        op: OperationId,
        /// In total.
        bytes: u64,
    },
    /// The bytes stopped moving.
    MoveFailed {
        /// The transfer.
        op: OperationId,
        /// In total.
        bytes: u64,
        /// Why.
        cause: Cause,
    },
    /// The upload has its name.
    Committed {
        /// The transfer.
        op: OperationId,
    },
    /// A task, or the opening of a transfer, has made progress: its deadline starts again.
    TaskProgress {
        /// The task or the transfer.
        op: OperationId,
    },
    /// A task has ended.
    TaskDone {
        /// The task.
        op: OperationId,
        /// What came of it.
        result: Result<TaskAnswer, Cause>,
    },
}

impl Event {
    /// What it belongs to.
    pub fn op(&self) -> OperationId {
        match *self {
            Event::StorageReady { op, .. }
            | Event::StorageFailed { op, .. }
            | Event::DataListening { op, .. }
            | Event::DataFailed { op, .. }
            | Event::DataConnected { op }
            | Event::Progress { op, .. }
            | Event::Moved { op, .. }
            | Event::MoveFailed { op, .. }
            | Event::Committed { op }
            | Event::TaskProgress { op }
            | Event::TaskDone { op, .. } => op,
        }
    }
}

/// Which bytes of a file a download is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Part {
    /// The first one, counted as they go over the wire (RFC 3659 5.3).
    pub from: u64,
    /// The first one that does not belong to it; `None`: the end of the file.
    pub until: Option<u64>,
    /// Line ends are converted.
    pub ascii: bool,
}

/// What an upload does to a file that is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum StoreMode {
    /// It stays until the upload is whole, and is then replaced.
    #[default]
    Replace,
    /// It grows.
    Append,
    /// It is cut here, and grows from there: byte of the file as it goes over the wire.
    Restart {
        /// The position.
        from: u64,
        /// Line ends are converted.
        ascii: bool,
    },
    /// The path is that of a directory, in which a name is chosen that is not there; or, unless `in_directory`, what the
    /// name begins with.
    New {
        /// The path is written as that of a directory, with a slash at its end.
        in_directory: bool,
    },
}

/// Which names a listing has, and how they are written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListingSpec {
    /// How.
    pub form: ListForm,
    /// When there is no such directory or file: the names beside it that match its last component as a pattern.
    pub glob: bool,
    /// Only a directory will do: the argument ends in a slash.
    pub directory: bool,
    /// What the argument names if its leading words are not options (`LIST -backup`). The first of these that exists is
    /// listed in place of the path; there are at most [`limits::OPTION_WORDS_MAX`](crate::limits::OPTION_WORDS_MAX).
    pub literal: Vec<LiteralName>,
}

/// A name that an argument may stand for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiteralName {
    /// The name.
    pub path: VPath,
    /// As the peer has written it.
    pub argument: Vec<u8>,
}

/// How names are written in a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ListForm {
    /// As [`crate::Dialect::print_listed`] does; directories end in `/`.
    Plain,
    /// NLST: names, each after the directory as the peer has written it in this argument.
    Names(Vec<u8>),
    /// LIST: as of `ls -l`.
    Long,
    /// MLSD: facts.
    Facts {
        /// Which.
        facts: FactSet,
        /// Of the account, for the fact `perm`.
        permissions: Permissions,
    },
}

/// What a session is told at its beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionConfig {
    /// What may be done without a login, in the dialects that have none.
    pub permissions: Permissions,
    /// How long a peer may take to make the data connection.
    pub data_connect_timeout: Duration,
    /// How long a data connection may go without a byte.
    pub stall_timeout: Duration,
    /// How long the shell may take to answer a task, to open what a transfer moves, or to give an upload its name.
    pub storage_timeout: Duration,
    /// How long a session may be silent.
    pub idle_timeout: Duration,
    /// How long a log-in may take from the connection on, in the dialect that has one; and a hand-shake of TLS.
    pub login_timeout: Duration,
    /// Whether connections are encrypted.
    pub tls: TlsMode,
}

/// Whether control and data connections are encrypted, in the dialect that can (RFC 4217).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TlsMode {
    /// Never.
    #[default]
    Off,
    /// When the peer asks for it.
    Optional,
    /// The peer has to ask for it before it logs in, for data connections too.
    Required,
    /// From the first byte on; data connections too.
    Implicit,
}

/// The two ends of a control connection, as far as replies tell of them and data connections are bound by them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ends {
    /// Ours.
    pub local: SocketAddr,
    /// The peer's.
    pub peer: SocketAddr,
    /// The address that PASV tells, when it is not ours.
    pub public: Option<Ipv4Addr>,
}

/// The time at which something is to happen, if it is.
pub(crate) type Deadline = Option<Instant>;
