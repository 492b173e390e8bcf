//! What a client can ask for, in no dialect's words.

use super::path::VPath;

/// A command that was understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Send a file.
    Get {
        /// The file.
        path: VPath,
    },
    /// Take a file. `size: None`: until the peer closes its side.
    Put {
        /// The name it is to have.
        path: VPath,
        /// Bytes that will come, when the peer knows.
        size: Option<u64>,
    },
    /// Send the names in a directory.
    List {
        /// The directory.
        path: VPath,
    },
    /// The peer is ready for the bytes of the download that it asked for.
    Ready,
    /// End the session.
    Quit,
}
