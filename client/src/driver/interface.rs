//! What a connection is given by its owner, and what it gives back.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use muxftp_proto::Dialect;
use muxftp_proto::client::io::{ClientTimeouts, FtpSettings, Outcome};

use super::{Timeline, TlsTrust};

/// Where to connect, and how.
#[derive(Debug, Clone)]
pub struct Endpoint {
    /// The control connection's address; data connections go to the same host.
    pub server: SocketAddr,
    /// The local address to connect from; `None`: the system's choice.
    pub source: Option<IpAddr>,
    /// What is spoken there.
    pub speech: Speech,
    /// How long to wait.
    pub timeouts: ClientTimeouts,
    /// Bytes per second of each transfer at most; `None`: no limit.
    pub bandwidth: Option<u64>,
    /// Do not let the system wait with its acknowledgement of replies behind which more is to come. Who measures what users
    /// of common clients see does not set it.
    pub acknowledges_at_once: bool,
}

/// What is said, and as whom.
#[derive(Debug, Clone)]
pub enum Speech {
    /// A dialect without a log-in ([`Dialect::is_of_clients`]).
    Line(Dialect),
    /// `ftp`, the first operation of which is [`muxftp_proto::client::io::Operation::LogIn`].
    Ftp {
        /// Who logs in, and how.
        settings: Arc<FtpSettings>,
        /// For TLS; without it a hand-shake fails.
        tls: Option<Arc<TlsTrust>>,
    },
}

/// The owner's names for the two sources of a connection.
#[derive(Debug, Clone, Copy)]
pub struct Owners<T> {
    /// The control connection, and the timer.
    pub control: T,
    /// The data connection.
    pub data: T,
}

/// How an operation ended.
#[derive(Debug)]
pub struct Finished<B> {
    /// What became of it.
    pub result: OperationResult,
    /// When its parts happened.
    pub timeline: Timeline,
    /// Bytes moved on its data connection.
    pub bytes: u64,
    /// The body that was given.
    pub body: B,
}

/// What became of an operation.
#[derive(Debug)]
pub enum OperationResult {
    /// The control connection could not be made.
    ConnectFailed(io::Error),
    /// The session's outcome; with the system's word, when it had one.
    Ended(Outcome, Option<io::Error>),
    /// The body could not take or give bytes.
    BodyFailed(io::Error),
}
