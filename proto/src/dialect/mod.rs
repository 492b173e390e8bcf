//! The dialects: the only place that knows wire text (the few words of a refusal are those of its [`Cause`]).
//!
//! A dialect decides how commands and replies are said and how a data connection is agreed ([`DataPlan`]); how a
//! transfer runs is the sessions' affair and the same for all.

use std::fmt;
use std::str::FromStr;

use crate::server::io::TransferKind;
use crate::vocab::cause::Cause;
use crate::vocab::command::Command;
use crate::vocab::reply::{Answer, Reply};

pub(crate) mod foreign;
pub(crate) mod ftp;
mod simple;
mod updown;
mod words;

/// A way of saying commands and replies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// GET, PUT, LS, EXIT; replies 200, 226, 550; a fresh data port per transfer.
    Simple,
    /// UPLOAD, DOWNLOAD, LIST, QUIT; replies OK, DONE, ERROR; one data port for all sessions.
    Updown,
    /// RFC 959 and its extensions; data connections are agreed on before each transfer.
    Ftp,
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
    /// The bytes of a download may come.
    Ready,
    /// End the session.
    Quit,
}

/// The name holds what the dialect's lines cannot carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unsayable;

/// Which ports a dialect's data connections are made to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DataPortPolicy {
    /// A fresh one for each transfer.
    Fresh,
    /// A few for all sessions: which transfer a connection belongs to is told by its peer's address.
    Shared,
}

/// How a dialect agrees on the data connection of a transfer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct DataPlan {
    /// A download's bytes move only after the client's [`Command::Ready`].
    pub(crate) downloads_wait_for_ready: bool,
    /// Listings need no data connection: they come on the control connection.
    pub(crate) listings_on_control: bool,
}

impl Dialect {
    /// All dialects.
    pub const ALL: [Dialect; 3] = [Dialect::Simple, Dialect::Updown, Dialect::Ftp];

    /// Those that [`crate::ClientSession::new`] speaks; for `ftp` there is [`crate::ClientSession::ftp`].
    pub const OF_CLIENTS: [Dialect; 2] = [Dialect::Simple, Dialect::Updown];

    /// Whether [`crate::ClientSession::new`] speaks it.
    pub fn is_of_clients(self) -> bool {
        Dialect::OF_CLIENTS.contains(&self)
    }

    /// The word used in URLs, configuration and scenarios.
    pub fn word(self) -> &'static str {
        match self {
            Dialect::Simple => "simple",
            Dialect::Updown => "updown",
            Dialect::Ftp => "ftp",
        }
    }

    /// Reads a command line without its end. The lines of `ftp` depend on what was said before: see [`ftp::verbs`].
    ///
    /// # Errors
    /// The cause to refuse it with.
    pub fn parse_command(self, line: &[u8]) -> Result<Command, Cause> {
        match self {
            Dialect::Simple => simple::parse_command(line),
            Dialect::Updown => updown::parse_command(line),
            Dialect::Ftp => Err(Cause::UnknownCommand),
        }
    }

    /// Prints a command line with its end.
    ///
    /// # Errors
    /// [`Unsayable`] when a name would not arrive as it is.
    pub fn print_request(self, request: &Request<'_>, out: &mut Vec<u8>) -> Result<(), Unsayable> {
        match self {
            Dialect::Simple => simple::print_request(request, out),
            Dialect::Updown => updown::print_request(request, out),
            Dialect::Ftp => Err(Unsayable),
        }
    }

    /// Prints a reply with its end.
    pub fn print_reply(self, reply: &Reply, out: &mut Vec<u8>) {
        match self {
            Dialect::Simple => simple::print_reply(reply, out),
            Dialect::Updown => updown::print_reply(reply, out),
            Dialect::Ftp => ftp::reply::print_reply(reply, out),
        }
    }

    /// Reads a reply line without its end; `None`: no reply of this dialect.
    pub fn parse_reply(self, line: &[u8]) -> Option<Answer<'_>> {
        match self {
            Dialect::Simple => simple::parse_reply(line),
            Dialect::Updown => updown::parse_reply(line),
            Dialect::Ftp => None,
        }
    }

    /// The verb of a transfer, for logs.
    pub fn verb(self, kind: TransferKind) -> &'static str {
        match self {
            Dialect::Simple => simple::verb(kind),
            Dialect::Updown => updown::verb(kind),
            Dialect::Ftp => ftp::verb(kind),
        }
    }

    /// Prints a line of a listing: a name as it is, or so that it cannot be taken for something else.
    pub fn print_listed(self, name: &[u8], out: &mut Vec<u8>) {
        if self == Dialect::Updown {
            out.extend_from_slice(updown::listing_prefix(name));
        }
        out.extend_from_slice(name);
        out.push(b'\n');
    }

    /// Which ports data connections are made to.
    pub fn data_ports(self) -> DataPortPolicy {
        match self {
            Dialect::Simple | Dialect::Ftp => DataPortPolicy::Fresh,
            Dialect::Updown => DataPortPolicy::Shared,
        }
    }

    pub(crate) fn data_plan(self) -> DataPlan {
        match self {
            Dialect::Simple | Dialect::Ftp => DataPlan { downloads_wait_for_ready: false, listings_on_control: false },
            Dialect::Updown => DataPlan { downloads_wait_for_ready: true, listings_on_control: true },
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
