//! Reports: the screens and files of a run, written by a thread of its own.
//!
//! The loop gets a [`Recorder`] and never waits for this side. Everything that costs time (adding, serialising, writing,
//! drawing, looking at `/proc`) happens here.
//!
//! Must not know how operations are made.
//!
//! Invariants: a directory that cannot be written is told before the run starts; a write that fails later is told
//! at the end and does not stop the measurement; the files of a killed run hold all but its last interval.

mod summary;

pub use summary::{
    ErrorSummary, GeneratorSummary, MeasureSummary, OperationSummary, ServerSummary, Summary, ThresholdResult, Trust,
    UnfinishedSummary, Unit, Verdict, Verification, Window, percentile_name,
};

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use crate::record::{EndOfRun, Recorder};
use crate::scenario::model::Scenario;

/// What a run's report is made of, as far as it is known before the run.
#[derive(Debug, Clone)]
pub struct ReportConfig {
    /// The scenario.
    pub scenario: Scenario,
    /// It with all defaults and overrides, for `resolved.toml`.
    pub resolved_toml: String,
    /// The directory under which the run gets its own.
    pub out_dir: PathBuf,
    /// What is shown while it runs.
    pub screen: Screen,
    /// The server's process, when it is on this machine and may be seen.
    pub server_pid: Option<u32>,
    /// The target in words: `embedded muxftpd  simple 127.0.0.1:40211`.
    pub target_text: String,
    /// Digest of the list of operations.
    pub digest: String,
    /// What else is recorded of the circumstances.
    pub circumstances: Circumstances,
}

/// What only the caller knows of the circumstances; goes to `environment.json`.
#[derive(Debug, Clone, Default)]
pub struct Circumstances {
    /// What the target said first, when it did.
    pub greeting: Option<String>,
    /// Time of a TCP connect to the target, in nanoseconds.
    pub rtt_ns: Option<u64>,
    /// The type of the file system of the embedded server's root.
    pub root_file_system: Option<String>,
}

/// What is shown while a run goes on. Progress goes to standard error, the result to standard output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Screen {
    /// Redrawn in place each second.
    Live,
    /// One line every five seconds.
    Plain,
    /// Nothing but the result.
    Quiet,
    /// Nothing but `summary.json` on standard output.
    Json,
}

/// A file of the results could not be written.
#[derive(Debug)]
pub struct FileError {
    /// Which.
    pub path: PathBuf,
    /// Why.
    pub source: io::Error,
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path.display(), self.source)
    }
}

impl std::error::Error for FileError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.source)
    }
}

/// The reporter's end that the driver of a run holds.
#[derive(Debug)]
pub struct ReporterHandle {
    directory: PathBuf,
}

/// Makes the directory of the results and starts the reporter.
///
/// # Errors
/// When the directory or one of its files cannot be made: nothing should be run then.
pub fn start(config: ReportConfig) -> Result<(Recorder, ReporterHandle), FileError> {
    let _ = config;
    todo!()
}

impl ReporterHandle {
    /// The directory of the results.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Ends the report, after [`Recorder::finish`]: writes what is left and shows the result.
    pub fn finish(self, end: EndOfRun) -> Summary {
        let _ = end;
        todo!()
    }
}
