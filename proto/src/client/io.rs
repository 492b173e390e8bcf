//! The contract between a client session and its driver.

use std::time::Duration;

/// What a client does: one at a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operation {
    /// Download a file.
    Get {
        /// Its name on the server.
        name: Vec<u8>,
    },
    /// Upload a file.
    Put {
        /// The name it is to have on the server.
        name: Vec<u8>,
        /// Bytes that will be sent; `None`: until the data connection is closed.
        size: Option<u64>,
    },
    /// List a directory; `None`: the root.
    List {
        /// Its name on the server.
        path: Option<Vec<u8>>,
    },
    /// End the session.
    Quit,
}

/// What the session wants done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClientEffect {
    /// Connect to this port of the server for data. Answer: [`ClientEvent::DataConnected`] or
    /// [`ClientEvent::DataFailed`].
    ConnectData {
        /// The server's data port.
        port: u16,
        /// Bytes that will come, when the server told.
        expected: Option<u64>,
    },
    /// Take lines of a listing that came on the control connection; none yet, when it has only begun. No answer.
    TakeNames {
        /// Whole lines, each with its LF.
        lines: Vec<u8>,
    },
    /// Move the bytes of the operation. Answer: [`ClientEvent::Progress`], then [`ClientEvent::Moved`] or
    /// [`ClientEvent::DataFailed`].
    StartMoving,
    /// Close the data connection at once: the operation is over.
    AbandonData,
    /// Close the control connection: the session is over.
    CloseControl,
}

/// What the driver has to tell of the data connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientEvent {
    /// The data connection is made.
    DataConnected,
    /// Bytes have moved.
    Progress,
    /// All bytes have moved: the end of the download was read, or all of the upload was written and the side closed.
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
    /// The server said no, in these words. The session goes on.
    Refused {
        /// The reply's number; 0 in dialects without.
        code: u16,
        /// The reply's words, as they came.
        text: Vec<u8>,
    },
    /// The name cannot be said in this dialect; nothing was sent. The session goes on.
    Unsayable,
    /// It broke at this step; the session is over.
    Failed {
        /// Where.
        step: ClientStep,
        /// How.
        failure: Failure,
    },
}

/// How an operation can break.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// Nothing came in time.
    TimedOut,
    /// The server closed the control connection, or it broke.
    ControlLost,
    /// The data connection could not be made.
    DataConnect,
    /// The data connection broke, or ended too early by the server's own word.
    DataLost,
    /// A line that is no reply, or none that can come here.
    UnexpectedReply(Vec<u8>),
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
