//! The contract between a client session and its driver.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use crate::representation::listed::Listed;

pub use super::settings::{DataMode, Extended, FtpSettings, Security};

/// What a client does: one at a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operation {
    /// Log in, and agree on TLS before. It is the first operation in `ftp`; the other dialects have no log-in, and it is
    /// complete at once.
    LogIn,
    /// Download a file.
    Get {
        /// Its name on the server.
        name: Vec<u8>,
        /// Bytes at its beginning that are not wanted; 0 in dialects other than `ftp`.
        offset: u64,
    },
    /// Upload a file.
    Put {
        /// The name it is to have on the server; not said in [`PutMode::Unique`].
        name: Vec<u8>,
        /// Bytes that will be sent; `None`: until the data connection is closed.
        size: Option<u64>,
        /// What becomes of a file that is there.
        mode: PutMode,
    },
    /// List a directory; `None`: the working directory, in dialects without one the root.
    List {
        /// Its name on the server.
        path: Option<Vec<u8>>,
        /// How.
        form: ListingForm,
    },
    /// What is known of one name? Answer: [`Told::Entry`]. By MLST; from a server without it SIZE and MDTM, of a file only.
    Stat {
        /// The name.
        name: Vec<u8>,
    },
    /// How many bytes has a file? Answer: [`Told::Size`].
    Size {
        /// The file.
        name: Vec<u8>,
    },
    /// When was it changed? Answer: [`Told::Modified`].
    ModifiedTime {
        /// The file.
        name: Vec<u8>,
    },
    /// Say that it was changed then (MFMT).
    SetModifiedTime {
        /// The file.
        name: Vec<u8>,
        /// Seconds since 1970 (UTC).
        modified: i64,
    },
    /// Set permission bits (SITE CHMOD).
    SetMode {
        /// The file or directory.
        name: Vec<u8>,
        /// The bits, `0o7777` at most.
        mode: u32,
    },
    /// Remove a file.
    Delete {
        /// The file.
        name: Vec<u8>,
    },
    /// Rename a file or directory.
    Rename {
        /// Its name.
        from: Vec<u8>,
        /// The name it is to have.
        to: Vec<u8>,
    },
    /// Make a directory.
    MakeDirectory {
        /// The directory.
        name: Vec<u8>,
    },
    /// Remove an empty directory.
    RemoveDirectory {
        /// The directory.
        name: Vec<u8>,
    },
    /// Go to a directory.
    ChangeDirectory {
        /// The directory.
        name: Vec<u8>,
    },
    /// In which directory are we? Answer: [`Told::Path`].
    WorkingDirectory,
    /// Say a line as a person wrote it. Answer: [`Told::Reply`]. Lines that begin a transfer, TLS or another log-in do not
    /// belong here: the session would not know what they lead to, and ends when a reply has no place.
    Quote {
        /// Without its end.
        line: Vec<u8>,
    },
    /// Nothing: the server is to see that we are there.
    Noop,
    /// End the session.
    Quit,
}

/// What an upload does to a file that is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PutMode {
    /// It is replaced.
    #[default]
    Replace,
    /// It is written from this byte on (REST).
    From(u64),
    /// It grows (APPE).
    Append,
    /// The server chooses a name that is not there (STOU). Answer: [`Told::Name`], when it tells.
    Unique,
}

/// How names are written in a listing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ListingForm {
    /// One name per line (NLST; the one form of the dialects other than `ftp`).
    #[default]
    Names,
    /// For people, mostly as of `ls -l` (LIST); see [`crate::representation::listed::parse_long`].
    Long,
    /// As `Long`, with the names that begin with a dot (LIST -a): some servers keep them back from who does not ask, and
    /// some take the `-a` for a name.
    LongAll,
    /// For programs (MLSD); see [`crate::representation::listed::parse_facts`].
    Facts,
}

/// What the session wants done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClientEffect {
    /// Begin TLS on the control connection, once the outbox is written. Answer: [`ClientEvent::TlsDone`] or
    /// [`ClientEvent::TlsFailed`]; no input before it.
    StartTls,
    /// Connect to the server for data. Answer: [`ClientEvent::DataConnected`] or [`ClientEvent::DataFailed`].
    ConnectData {
        /// The server's data port.
        port: u16,
        /// The server's address for data; `None`: that of the control connection.
        address: Option<IpAddr>,
        /// With TLS. The connection counts as made when TCP has made it: some servers begin TLS only after they have
        /// answered the command, which in turn is said only when the connection is there, and some cannot take it before.
        /// So the driver shakes hands on [`ClientEffect::StartMoving`]; when that fails, it is [`ClientEvent::DataFailed`].
        protected: bool,
    },
    /// Listen for the server's data connection, at the local address of the control connection; take one only from the
    /// server's address. Answer: [`ClientEvent::DataListening`] or [`ClientEvent::DataFailed`]; later
    /// [`ClientEvent::DataConnected`].
    ListenData {
        /// As above; the client's side of TLS is always ours.
        protected: bool,
    },
    /// Take lines of a listing that came on the control connection; none yet, when it has only begun. No answer.
    TakeNames {
        /// Whole lines, each with its LF.
        lines: Vec<u8>,
    },
    /// Move the bytes of the operation. Answer: [`ClientEvent::Progress`], then [`ClientEvent::Moved`] or
    /// [`ClientEvent::DataFailed`].
    StartMoving {
        /// Bytes that will come, when the server told. In `ftp` a hint for people, and no promise.
        expected: Option<u64>,
    },
    /// Send no more bytes of an upload, but leave the data connection open: the server must not take what it has for the
    /// whole. No answer.
    StopMoving,
    /// Close the data connection at once, or give up the wish for one: the operation is over. An upload that is not whole is
    /// reset (SO_LINGER of 0), or cut without TLS's close_notify: else its end would be that of the file.
    AbandonData,
    /// Close the control connection: the session is over.
    CloseControl,
}

/// What the driver has to tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientEvent {
    /// TLS protects the control connection.
    TlsDone,
    /// It could not be had.
    TlsFailed,
    /// The server can connect to this address.
    DataListening {
        /// As the server sees it.
        address: SocketAddr,
    },
    /// The data connection is made.
    DataConnected,
    /// Bytes have moved.
    Progress,
    /// All bytes have moved: the end of the download was read, or all of the upload was written, its end (with TLS:
    /// close_notify) too.
    Moved {
        /// How many.
        bytes: u64,
    },
    /// The data connection could not be made, or broke.
    DataFailed,
}

/// How an operation ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// As asked.
    Complete,
    /// As asked, and the server told this.
    Told(Told),
    /// The server refused, in these words, or its answer has no value that can be read. The session continues.
    Refused {
        /// The reply's number; 0 in dialects without.
        code: u16,
        /// The reply's words, as they came.
        text: Vec<u8>,
    },
    /// The server did not let us in, in these words; the session is over.
    LogInRefused {
        /// What it did not like.
        part: LogInPart,
        /// The reply's number.
        code: u16,
        /// The reply's words, as they came.
        text: Vec<u8>,
    },
    /// The name, or the operation, cannot be said in this dialect; nothing was sent. The session goes on.
    Unsayable,
    /// The data connection could not be made ([`ClientStep::DataConnect`]) or broke ([`ClientStep::Transfer`]), and the
    /// server has nothing more to say of it. The session goes on. Only in `ftp`.
    DataFailed {
        /// Where.
        step: ClientStep,
    },
    /// It was given up by [`crate::ClientSession::abort`]. The session goes on in `ftp`, and is over in the others.
    Aborted {
        /// The number with which the server ended the transfer; 0: it did not come to one. An upload whose bytes had all been
        /// sent may be in place, after 2xx it is: it was whole before the server heard of the abort.
        code: u16,
    },
    /// It broke at this step; the session is over.
    Failed {
        /// Where.
        step: ClientStep,
        /// How.
        failure: Failure,
    },
}

impl Outcome {
    /// Whether it was done as asked.
    pub fn is_success(&self) -> bool {
        matches!(self, Outcome::Complete | Outcome::Told(_))
    }
}

/// What a server has told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// Bytes of a file.
    Size(u64),
    /// When it was changed, in seconds since 1970 (UTC).
    Modified(i64),
    /// A directory.
    Path(Vec<u8>),
    /// The name that an upload was given.
    Name(Vec<u8>),
    /// What is known of a name.
    Entry(Listed),
    /// A reply to a person's line.
    Reply {
        /// Its number.
        code: u16,
        /// Its words; lines end in LF but for the last.
        text: Vec<u8>,
    },
}

/// The parts of a log-in that a server can refuse.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogInPart {
    /// The connection itself.
    Greeting,
    /// TLS, or the protection of data.
    Security,
    /// The user, the password or the account.
    Credentials,
}

/// How an operation can break.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// Nothing came in time.
    TimedOut,
    /// The server closed the control connection, or it broke.
    ControlLost,
    /// TLS could not be had on the control connection.
    Tls,
    /// The server, or somebody on the way, spoke in the clear where TLS was to begin: it must not count as the server's word.
    ClearBeforeTls,
    /// The server ended the session (421), in these words.
    Farewell(Vec<u8>),
    /// The data connection could not be made.
    DataConnect,
    /// The data connection broke, or ended too early by the server's own word.
    DataLost,
    /// A line that is no reply, or none that can come here.
    UnexpectedReply(Vec<u8>),
    /// A reply that its command cannot have: it belongs to another one, and no later reply can be attributed. Whether the
    /// command was done is not known. Only in `ftp`.
    OutOfStep {
        /// The line that it came after, without a password. `None`: it came unasked before the next line, which was not sent.
        command: Option<Vec<u8>>,
        /// Its number and its words, as they came.
        reply: Vec<u8>,
    },
}

/// The steps of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientStep {
    /// From the command to the first reply.
    Negotiate,
    /// Until the data connection is made.
    DataConnect,
    /// Until all bytes have moved.
    Transfer,
    /// Until the final reply.
    Complete,
}

/// How long a client waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientTimeouts {
    /// For a TCP connect.
    pub connect: Duration,
    /// For a reply.
    pub reply: Duration,
    /// For a byte on the data connection.
    pub stall: Duration,
}

impl Default for ClientTimeouts {
    /// Ten seconds to connect, thirty for a reply, sixty without a byte.
    fn default() -> ClientTimeouts {
        ClientTimeouts {
            connect: Duration::from_secs(10),
            reply: Duration::from_secs(30),
            stall: Duration::from_secs(60),
        }
    }
}
