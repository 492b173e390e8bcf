//! What the event loop tells the recorder of one finished operation.
//!
//! Invariant: the phases of a sample add up to its response time, to the nanosecond.

/// The consecutive phases of one operation, in order. A phase that an operation did not have is zero long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Phase {
    /// From due until a session took it.
    Wait,
    /// TCP connect of the control connection, when the session had to be made.
    Connect,
    /// Greeting and log-in, when the session had to be made.
    Login,
    /// Command sent until the reply that names the data port.
    Negotiate,
    /// TCP connect of the data connection.
    DataConnect,
    /// Data connection made until the first byte moved (or the end of an empty file).
    FirstByte,
    /// First byte to last byte (get, ls: end of file seen; put: last byte handed to the kernel and side closed).
    Transfer,
    /// Last byte to final reply.
    Complete,
}

impl Phase {
    /// All phases, in order.
    pub const ALL: [Phase; 8] = [
        Phase::Wait,
        Phase::Connect,
        Phase::Login,
        Phase::Negotiate,
        Phase::DataConnect,
        Phase::FirstByte,
        Phase::Transfer,
        Phase::Complete,
    ];

    /// The word used in tags, thresholds and columns.
    pub fn word(self) -> &'static str {
        match self {
            Phase::Wait => "wait",
            Phase::Connect => "connect",
            Phase::Login => "login",
            Phase::Negotiate => "negotiate",
            Phase::DataConnect => "data-connect",
            Phase::FirstByte => "first-byte",
            Phase::Transfer => "transfer",
            Phase::Complete => "complete",
        }
    }
}

/// One finished operation.
#[derive(Debug, Clone)]
pub struct Sample {
    /// Index into `Scenario::operations`.
    pub operation: usize,
    /// Due in the warm-up: recorded apart.
    pub warmup: bool,
    /// Nanoseconds of each phase, indexed by `Phase as usize`.
    pub phases: [u64; 8],
    /// Bytes received on the data connection.
    pub bytes_in: u64,
    /// Bytes sent on the data connection.
    pub bytes_out: u64,
    /// What became of it.
    pub result: SampleResult,
}

impl Sample {
    /// Due until complete, in nanoseconds: the sum of all phases.
    pub fn response(&self) -> u64 {
        self.phases.iter().sum()
    }

    /// Taken until complete, in nanoseconds: the response without the wait.
    pub fn service(&self) -> u64 {
        self.response() - self.phases[Phase::Wait as usize]
    }
}

/// What became of an operation.
#[derive(Debug, Clone)]
pub enum SampleResult {
    /// As expected. `contents_verified`: every byte of the transfer was compared; `listing_verified`: the listing was
    /// compared with the acknowledged names.
    Good {
        /// Every byte of the transfer was compared (a put: was generated, and is read back after the run).
        contents_verified: bool,
        /// The listing was compared with the acknowledged names and was whole.
        listing_verified: bool,
    },
    /// Not as expected.
    Failed(Box<FailureReport>),
}

/// An operation that did not go as expected.
#[derive(Debug, Clone)]
pub struct FailureReport {
    /// What kind.
    pub kind: FailureKind,
    /// Where.
    pub phase: Phase,
    /// The reply's code, when a reply was the failure.
    pub code: Option<u16>,
    /// The server's own words, or the system's, for people; control characters already escaped.
    pub text: String,
    /// The control dialogue of the operation so far, one line each (`C: …`, `S: …`); control characters already escaped.
    pub transcript: Vec<String>,
}

/// The kinds of failure that are counted apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum FailureKind {
    /// The control or data connection could not be made.
    Connect,
    /// The server refused (550 …).
    Refused,
    /// A reply that the dialect does not allow there.
    UnexpectedReply,
    /// The operation went well where a refusal was expected.
    UnexpectedSuccess,
    /// Nothing came in time.
    Timeout,
    /// A connection was closed or reset in the middle.
    Closed,
    /// Fewer or more bytes than the file has.
    WrongLength,
    /// A byte that differs.
    WrongContents,
    /// A listing without a name that had been acknowledged.
    WrongListing,
    /// An acknowledged upload that was not there, or not the same, when it was read back after the run.
    LostUpload,
    /// This machine: no descriptor, no port, no memory.
    Local,
}

impl FailureKind {
    /// The word used in `errors.csv` and in the summary.
    pub fn word(self) -> &'static str {
        match self {
            FailureKind::Connect => "connect failed",
            FailureKind::Refused => "refused",
            FailureKind::UnexpectedReply => "unexpected reply",
            FailureKind::UnexpectedSuccess => "unexpected success",
            FailureKind::Timeout => "timed out",
            FailureKind::Closed => "connection closed",
            FailureKind::WrongLength => "wrong length",
            FailureKind::WrongContents => "wrong contents",
            FailureKind::WrongListing => "incomplete listing",
            FailureKind::LostUpload => "upload lost",
            FailureKind::Local => "local error",
        }
    }

    /// Whether it counts as a failed verification (`verify.failures`).
    pub fn is_verification(self) -> bool {
        matches!(
            self,
            FailureKind::WrongLength | FailureKind::WrongContents | FailureKind::WrongListing | FailureKind::LostUpload
        )
    }
}
