//! What a server can answer, as meanings: `dialect` gives them words and numbers.

use super::cause::Cause;

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// The transfer can begin: connect to `port`.
    Opening {
        /// The data port, listening already.
        port: u16,
        /// Bytes that will come, for a download.
        size: Option<u64>,
    },
    /// The transfer can begin: what comes is stored under a name that the server has chosen.
    OpeningNew {
        /// The name, as it is to be shown.
        name: Vec<u8>,
    },
    /// The names of a listing follow, on the control connection.
    NamesFollow,
    /// Those were all.
    NamesComplete,
    /// More would have followed.
    NamesBroken {
        /// Why they do not.
        cause: Cause,
    },
    /// The transfer is whole and, for an upload, in place.
    Complete,
    /// The session ends as asked.
    Goodbye,
    /// No.
    Refused {
        /// Why.
        cause: Cause,
        /// It is a command that stores a file: some dialects number its refusals otherwise.
        upload: bool,
    },
}

impl Reply {
    /// The refusal of a command that does not store a file.
    pub fn refused(cause: Cause) -> Reply {
        Reply::Refused { cause, upload: false }
    }
}

/// A reply as a client reads it: the server's own words are kept, for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer<'a> {
    /// See [`Reply::Opening`].
    Opening {
        /// The data port to connect to.
        port: u16,
        /// Bytes that will come, when the dialect tells.
        size: Option<u64>,
    },
    /// Yes, and no more: [`Reply::NamesFollow`] or [`Reply::Goodbye`], in a dialect that says both alike.
    Accepted,
    /// See [`Reply::Complete`].
    Complete,
    /// See [`Reply::Goodbye`].
    Goodbye,
    /// See [`Reply::Refused`].
    Refused {
        /// The number; 0 in dialects without.
        code: u16,
        /// The words after the number.
        text: &'a [u8],
    },
}

impl Answer<'_> {
    /// Whether a command is answered with it: nothing more will come for that command.
    pub fn is_final(&self) -> bool {
        !matches!(self, Answer::Opening { .. } | Answer::Accepted)
    }
}
