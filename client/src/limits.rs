//! Every bound on what a server can make the client hold, and on what one connection may do before the others have their
//! turn, each with its reason.
//!
//! Bounds of the replies stand in [`muxftp_proto::limits`].

/// A listing that is kept whole, to complete a name, to match a pattern, or to compare a directory. A server without end
/// cannot fill the memory.
pub const COLLECTED_BYTES_MAX: usize = 8 << 20;

/// A line of a listing: longer than a path can be.
pub const LISTED_LINE_BYTES_MAX: usize = 64 * 1024;

/// Bytes that a message shows of a reply that makes no sense: a line of a terminal and a half.
pub const SHOWN_BYTES: usize = 120;

/// Sessions of TLS that are kept to be resumed. muxftpd gives 12 at log-in, and two with each download.
pub const TICKETS_MAX: usize = 64;

/// Files that the walker of a mirror is ahead of the workers: none of them waits, and a tree without end is not kept.
pub const WAITING_JOBS: usize = 64;

/// Connections that may wait at a data port. One is expected; a few strangers must not keep it out.
pub const DATA_BACKLOG: i32 = 8;

/// Buffers that one data connection may move before the others have their turn.
pub const BUFFERS_PER_TURN: usize = 4;

/// Strangers at a data port that are closed before other connections have their turn.
pub const STRANGERS_PER_TURN: usize = 8;
