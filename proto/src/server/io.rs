//! The contract between a server session and its shell: what the session asks for, and what it is told.
//!
//! Everything that is answered later carries the number of the operation it belongs to; an answer that comes after its
//! operation has ended is dropped by the session. Bytes of files never pass here.

use std::time::{Duration, Instant};

use crate::vocab::cause::Cause;
use crate::vocab::path::VPath;

/// The number of a transfer within its session.
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
    },
    /// Open a hidden file that is to become `path`. Answer as above.
    OpenWrite {
        /// The transfer.
        op: OperationId,
        /// The name it is to have.
        path: VPath,
        /// Bytes that will come, when known.
        size: Option<u64>,
    },
    /// Open a directory to list. Answer as above.
    OpenList {
        /// The transfer.
        op: OperationId,
        /// The directory.
        path: VPath,
    },
    /// Listen on a data port. Answer: [`Event::DataListening`] or [`Event::DataFailed`]; later [`Event::DataConnected`].
    ListenData {
        /// The transfer.
        op: OperationId,
    },
    /// Move the bytes between the open storage and the data connection: all of a file or listing, or up to `limit` bytes
    /// of an upload. Answer: [`Event::Progress`] as they move; then [`Event::Moved`] or [`Event::MoveFailed`].
    StartMoving {
        /// The transfer.
        op: OperationId,
        /// Bytes after which an upload is whole; `None`: when the peer closes its side.
        limit: Option<u64>,
    },
    /// Write the open listing to the control connection, by [`crate::ServerSession::push_names`]. Answered as
    /// [`Effect::StartMoving`] is.
    MoveToControl {
        /// The transfer.
        op: OperationId,
    },
    /// Close the data connection: all bytes have moved.
    CloseData {
        /// The transfer.
        op: OperationId,
    },
    /// Give the upload its name. Answer: [`Event::Committed`] or [`Event::StorageFailed`].
    Commit {
        /// The transfer.
        op: OperationId,
    },
    /// The transfer is over, well or not: let go of all that still belongs to it. An upload that was not committed
    /// vanishes without trace.
    Release {
        /// The transfer.
        op: OperationId,
        /// For the log.
        report: TransferReport,
    },
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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// File or directory is open; `size` in bytes, when it is a file to send.
    StorageReady {
        /// The transfer.
        op: OperationId,
        /// Bytes of the file.
        size: Option<u64>,
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
        /// The transfer.
        op: OperationId,
        /// Its number.
        port: u16,
    },
    /// No data port could be had.
    DataFailed {
        /// The transfer.
        op: OperationId,
        /// Why.
        cause: Cause,
    },
    /// The peer has made the data connection.
    DataConnected {
        /// The transfer.
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
}

/// What a session is told at its beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionConfig {
    /// Files and names may be read.
    pub may_read: bool,
    /// Files may be written.
    pub may_write: bool,
    /// How long a peer may take to make the data connection.
    pub data_connect_timeout: Duration,
    /// How long a data connection may go without a byte.
    pub stall_timeout: Duration,
    /// How long a session may be silent.
    pub idle_timeout: Duration,
}

/// The time at which something is to happen, if it is.
pub(crate) type Deadline = Option<Instant>;
