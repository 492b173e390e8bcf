//! A scenario with every default filled in and every check passed.
//!
//! The rest of loadgen reads only these types: nothing here is optional because
//! the user left it out, only because its absence means something.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use muxftp_proto::client::io::ListingForm;

use super::access::Access;
use super::distribution::Distribution;
use super::threshold::Threshold;

/// A resolved scenario.
#[derive(Debug, Clone)]
pub struct Scenario {
    /// Name of the run: letters, digits, `-`, `_`; part of the results directory's name.
    pub name: String,
    /// One sentence for people; may be empty.
    pub description: String,
    /// The seed of every draw and of all contents.
    pub seed: u64,
    /// `None`: an embedded muxftpd in a process of its own.
    pub target: Option<Target>,
    /// How to log in, when the server speaks `ftp`; `None`: a dialect without a log-in.
    pub access: Option<Access>,
    /// The sessions.
    pub clients: Clients,
    /// When operations are due.
    pub load: Load,
    /// How long.
    pub run: Run,
    /// Files that are put in place before the clock starts.
    pub files: Vec<FileSet>,
    /// The mix; never empty.
    pub operations: Vec<Operation>,
    /// What is checked of each transfer.
    pub verify: Verify,
    /// Evaluated at the end.
    pub thresholds: Vec<Threshold>,
    /// What is written.
    pub report: Report,
    /// The file as it was read, for `scenario.toml`.
    pub source_text: String,
}

/// A server that is already running.
#[derive(Debug, Clone)]
pub struct Target {
    /// `HOST:PORT` as given; resolved when the run starts.
    pub address: String,
    /// The dialect spoken there.
    pub dialect: muxftp_proto::Dialect,
    /// Directory of all names, `/` for the server's root.
    pub directory: String,
    /// The server's process, when it is local and is to be sampled.
    pub pid: TargetPid,
    /// Local addresses that the clients use in turn; empty: the system chooses.
    pub source_addresses: Vec<IpAddr>,
}

/// Which process is sampled as the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TargetPid {
    /// The process that listens on the target's port, when the target is on this machine and may be seen.
    Auto,
    /// This process.
    Pid(u32),
}

/// The sessions of a run.
#[derive(Debug, Clone)]
pub struct Clients {
    /// Active clients, each with one session at a time.
    pub count: usize,
    /// Operations after which a client ends its session and makes a new one; `None`: it keeps it.
    pub operations_per_session: Option<u64>,
    /// New sessions per second at the start; `None`: all at once.
    pub connect_rate: Option<f64>,
    /// Sessions that connect and then stay silent.
    pub idle: usize,
    /// Bytes per second that one client reads or writes at most; `None`: no limit.
    pub bandwidth: Option<u64>,
    /// Time for a TCP connect, control or data.
    pub connect_timeout: Duration,
    /// Time for a reply on the control connection.
    pub reply_timeout: Duration,
    /// Time without a byte moved on a data connection.
    pub stall_timeout: Duration,
}

/// When operations are due. Open loop and stages come with their own fields.
#[derive(Debug, Clone)]
pub struct Load {
    /// Nanoseconds between the end of a client's operation and the due time of its next.
    pub think: Distribution,
}

/// How long a run is.
#[derive(Debug, Clone)]
pub struct Run {
    /// Time at the start that is recorded apart.
    pub warmup: Duration,
    /// Measured time; `None`: only `operations` ends the run.
    pub duration: Option<Duration>,
    /// Measured operations in total; `None`: only `duration` ends the run.
    pub operations: Option<u64>,
    /// How long operations may go on after the end.
    pub drain: Duration,
    /// Length of one row of the interval files.
    pub interval: Duration,
    /// How the loop waits for a due time.
    pub timer: Timer,
}

/// How the loop waits for a due time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Timer {
    /// Sleep on a timerfd: tens of microseconds late, no CPU.
    Timerfd,
    /// Sleep, then poll without sleeping for the last two milliseconds.
    Spin,
}

/// Files that are put in place before the clock starts.
#[derive(Debug, Clone)]
pub struct FileSet {
    /// The set's name, used by operations and as the stem of its files' names.
    pub set: String,
    /// How many files.
    pub count: usize,
    /// Bytes of each.
    pub size: Distribution,
    /// Which of them a draw takes.
    pub popularity: Popularity,
    /// Directory below the target's; empty: the target's own.
    pub directory: String,
}

/// Which file of a set a draw takes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Popularity {
    /// Each alike.
    Uniform,
    /// By Zipf's law with this exponent, the first file being the most popular.
    Zipf(f64),
}

/// One kind of operation in the mix.
#[derive(Debug, Clone)]
pub struct Operation {
    /// `[a-z0-9-]+`, unique: a tag in every report.
    pub name: String,
    /// What is done.
    pub action: Action,
    /// Its share of the mix, above zero; zero: it is not drawn, but belongs to the session.
    pub weight: f64,
    /// The reply that counts as success.
    pub expect: Expect,
}

/// What an operation does.
#[derive(Debug, Clone)]
pub enum Action {
    /// Download a file drawn from a set (index into `Scenario::files`).
    GetFromSet {
        /// Index into `Scenario::files`.
        set: usize,
    },
    /// Download one name, whatever it holds (for operations that expect a refusal).
    GetPath {
        /// The name below the target's directory.
        path: String,
    },
    /// Upload a file of a drawn size.
    Put {
        /// Bytes.
        size: Distribution,
        /// A client's uploads take this many names in turn, then replace its oldest.
        names: u64,
    },
    /// List a directory.
    List {
        /// Directory below the target's; empty: the target's own.
        path: String,
        /// How names are written; other than by name only in `ftp`.
        form: ListingForm,
    },
    /// Upload at the end of a file of the client's own, which begins anew after a few times. Of `ftp`.
    Append {
        /// Bytes.
        size: Distribution,
    },
    /// Delete a file that was put there for it. Of `ftp`.
    Delete,
    /// Rename a file of the client's own, there and back. Of `ftp`.
    Rename,
    /// Make a directory; it is removed afterwards. Of `ftp`.
    MakeDirectory,
    /// Ask for what is known of a file drawn from a set. Of `ftp`.
    Stat {
        /// Index into `Scenario::files`.
        set: usize,
    },
    /// Make a session of `ftp` and log in: when there is none, never drawn.
    LogIn,
    /// End a session of `ftp` in order: after its number of operations, never drawn.
    LogOut,
}

impl Action {
    /// Whether it is of the session, and so in no mix.
    pub fn is_of_session(&self) -> bool {
        matches!(self, Action::LogIn | Action::LogOut)
    }

    /// The word of the scenario file, such as `get`, `put` or `ls`.
    pub fn word(&self) -> &'static str {
        match self {
            Action::GetFromSet { .. } | Action::GetPath { .. } => "get",
            Action::Put { .. } => "put",
            Action::List { .. } => "ls",
            Action::Append { .. } => "append",
            Action::Delete => "delete",
            Action::Rename => "rename",
            Action::MakeDirectory => "mkdir",
            Action::Stat { .. } => "stat",
            Action::LogIn => "login",
            Action::LogOut => "logout",
        }
    }
}

/// The reply that counts as success.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expect {
    /// The operation completes.
    Ok,
    /// The server refuses with this code (`550`).
    Refusal(u16),
}

/// What is checked of each transfer.
#[derive(Debug, Clone, Copy)]
pub struct Verify {
    /// Every byte of every download, and after the run what the last uploads left on the server.
    pub contents: bool,
    /// Every listing shows all names acknowledged before it was asked for.
    pub listings: bool,
}

/// What is written.
#[derive(Debug, Clone)]
pub struct Report {
    /// Directory under which each run gets its own.
    pub directory: PathBuf,
    /// Percentiles of the tables, in percent, rising.
    pub percentiles: Vec<f64>,
}
