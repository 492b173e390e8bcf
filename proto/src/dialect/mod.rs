//! The dialects: the only place that knows wire text.
//!
//! A dialect decides how commands and replies are said and how a data connection is agreed ([`DataPlan`]); how a
//! transfer runs is the sessions' affair and the same for all.

use std::fmt;
use std::str::FromStr;

use crate::server::io::TransferKind;
use crate::vocab::cause::Cause;
use crate::vocab::command::Command;
use crate::vocab::reply::{Answer, Reply};

mod simple;

/// A way of saying commands and replies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// GET, PUT, LS, EXIT; replies 200, 226, 550; a fresh data port per transfer.
    Simple,
}

/// What a client says, with the name as the user gave it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Request<'a> {
    /// Download a file.
    Get {
        /// The file's name.
        name: &'a [u8],
    },
    /// Upload a file.
    Put {
        /// The name it is to have.
        name: &'a [u8],
        /// Bytes that will come, when known.
        size: Option<u64>,
    },
    /// List a directory; `None`: the root.
    List {
        /// The directory's name.
        path: Option<&'a [u8]>,
    },
    /// End the session.
    Quit,
}

/// The name holds what the dialect's lines cannot carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unsayable;

/// How a dialect agrees on the data connection of a transfer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DataPlan {
    /// The server binds a fresh port once the file is ready and names it in the first reply.
    FreshPort,
}

impl Dialect {
    /// All dialects.
    pub const ALL: [Dialect; 1] = [Dialect::Simple];

    /// The word used in URLs, configuration and scenarios.
    pub fn word(self) -> &'static str {
        match self {
            Dialect::Simple => "simple",
        }
    }

    /// Reads a command line without its end.
    ///
    /// # Errors
    /// The cause to refuse it with.
    pub fn parse_command(self, line: &[u8]) -> Result<Command, Cause> {
        match self {
            Dialect::Simple => simple::parse_command(line),
        }
    }

    /// Prints a command line with its end.
    ///
    /// # Errors
    /// [`Unsayable`] when a name would not arrive as it is.
    pub fn print_request(self, request: &Request<'_>, out: &mut Vec<u8>) -> Result<(), Unsayable> {
        match self {
            Dialect::Simple => simple::print_request(request, out),
        }
    }

    /// Prints a reply with its end.
    pub fn print_reply(self, reply: Reply, out: &mut Vec<u8>) {
        match self {
            Dialect::Simple => simple::print_reply(reply, out),
        }
    }

    /// Reads a reply line without its end; `None`: no reply of this dialect.
    pub fn parse_reply(self, line: &[u8]) -> Option<Answer<'_>> {
        match self {
            Dialect::Simple => simple::parse_reply(line),
        }
    }

    /// The verb of a transfer, for logs.
    pub fn verb(self, kind: TransferKind) -> &'static str {
        match self {
            Dialect::Simple => simple::verb(kind),
        }
    }

    /// The words of a refusal without its number, for logs.
    pub fn words(self, cause: Cause) -> &'static str {
        match self {
            Dialect::Simple => simple::words(cause),
        }
    }

    /// The end of each name in a listing.
    pub fn listing_line_end(self) -> &'static [u8] {
        match self {
            Dialect::Simple => b"\n",
        }
    }

    pub(crate) fn data_plan(self) -> DataPlan {
        match self {
            Dialect::Simple => DataPlan::FreshPort,
        }
    }
}

impl fmt::Display for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// The word names no dialect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnknownDialect;

impl FromStr for Dialect {
    type Err = UnknownDialect;

    fn from_str(word: &str) -> Result<Dialect, UnknownDialect> {
        Dialect::ALL.into_iter().find(|dialect| dialect.word().eq_ignore_ascii_case(word)).ok_or(UnknownDialect)
    }
}
