//! Reports: the screens and files of a run, written by a thread of its own.
//!
//! The loop gets a [`Recorder`] and never waits for this side. Everything that costs time (adding, serialising, writing,
//! drawing, looking at `/proc`) happens here.
//!
//! Must not know how operations are made.
//!
//! Invariants: a directory that cannot be written is told before the run starts; a write that fails later is told
//! at the end and does not stop the measurement; the files of a killed run hold all but its last interval.

mod files;
mod journal;
mod outcome;
mod screen;
mod summary;
mod text;
mod thread;
mod threshold;
mod totals;
mod usage;
mod verdict;

#[cfg(test)]
pub(crate) mod fixture;
#[cfg(test)]
mod tests;

pub use summary::{
    ErrorSummary, GeneratorSummary, MeasureSummary, OperationSummary, ServerSummary, Summary, ThresholdResult, Trust,
    UnfinishedSummary, Unit, Verdict, Verification, Window, percentile_name,
};

use std::fmt;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Sender};
use std::thread::JoinHandle;
use std::time::{Instant, SystemTime};

use crate::record::{EndOfRun, Message, Recorder};
use crate::scenario::model::Scenario;

use files::directory::ResultsDirectory;
use files::environment::Environment;
use journal::RunFiles;
use thread::Start;

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
    screen: Screen,
    to_reporter: Sender<Message>,
    thread: JoinHandle<Option<Summary>>,
}

/// Makes the directory of the results and starts the reporter.
///
/// # Errors
/// When the directory or one of its files cannot be made: nothing should be run then.
pub fn start(config: ReportConfig) -> Result<(Recorder, ReporterHandle), FileError> {
    let created = (Instant::now(), SystemTime::now());
    let scenario = &config.scenario;
    let directory = ResultsDirectory::create(&config.out_dir, &scenario.name, scenario.seed, created.1)?;
    let environment = Environment::gather(outcome::utc(created.1), &config.target_text, &config.circumstances);
    directory.write_first("environment.json", &environment.to_json())?;
    directory.write_first("scenario.toml", &scenario.source_text)?;
    directory.write_first("resolved.toml", &config.resolved_toml)?;
    let files = RunFiles::open(&directory, config.server_pid.is_some())?;

    let (to_reporter, messages) = mpsc::channel();
    let (give_back, from_reporter) = mpsc::channel();
    let recorder = Recorder::new(scenario, to_reporter.clone(), from_reporter, created.0);
    let (path, screen) = (directory.path().to_owned(), config.screen);
    let start = Start { config, directory, files, created, messages, give_back };
    let thread = std::thread::Builder::new()
        .name("reporter".to_owned())
        .spawn(move || thread::run(start))
        .map_err(|source| FileError { path: path.clone(), source })?;
    Ok((recorder, ReporterHandle { directory: path, screen, to_reporter, thread }))
}

impl ReporterHandle {
    /// The directory of the results.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Ends the report, after [`Recorder::finish`]: writes what is left and shows the result.
    ///
    /// # Panics
    /// When the reporting thread panicked, with its panic.
    pub fn finish(self, end: EndOfRun) -> Summary {
        let screen = self.screen;
        let summary = self.end(end);
        show_result(screen, &summary);
        summary
    }

    /// Ends without a report, since nothing was measured: the directory goes too.
    pub fn abandon(self) {
        let ReporterHandle { directory, to_reporter, thread, .. } = self;
        drop(to_reporter);
        let _ = thread.join();
        let _ = std::fs::remove_dir_all(directory);
    }

    fn end(self, end: EndOfRun) -> Summary {
        // A thread that is gone shows in the join.
        let _ = self.to_reporter.send(Message::End(end, Instant::now()));
        match self.thread.join() {
            Ok(summary) => summary.expect("the end was sent"),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }
}

fn show_result(screen: Screen, summary: &Summary) {
    let mut stdout = io::stdout().lock();
    let text = match screen {
        Screen::Json => summary.to_json(),
        _ if stdout.is_terminal() && screen::colours_wanted() => text::coloured(summary),
        _ => text::plain(summary),
    };
    // A reader that went away has seen what it wanted; the files are written.
    let _ = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
}
