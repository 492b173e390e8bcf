//! One measurement: scratch directory, server, probe, and for how long the load runs.

use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::args::Args;
use crate::probe::{Figures, Probe};
use crate::server::{Options, Server, scratch};

pub struct Run<'a> {
    pub args: &'a Args,
    program: &'a Path,
    interrupted: &'a Arc<AtomicBool>,
    scratch: TempDir,
    root: PathBuf,
    figures: Cell<Option<Figures>>,
}

/// How long the load runs: ends early when the server no longer answers, or at Ctrl-C.
#[derive(Debug, Clone)]
pub struct Until {
    end: Instant,
    stop: Arc<AtomicBool>,
    interrupted: Arc<AtomicBool>,
}

impl Until {
    pub fn lasts(&self) -> bool {
        !self.stop.load(Ordering::Relaxed) && !self.interrupted.load(Ordering::Relaxed) && Instant::now() < self.end
    }

    pub fn wait(&self) {
        while self.lasts() {
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl<'a> Run<'a> {
    pub fn new(args: &'a Args, program: &'a Path, interrupted: &'a Arc<AtomicBool>) -> Result<Run<'a>, String> {
        let scratch = scratch()?;
        let root = scratch.path().join("root");
        std::fs::create_dir(&root).map_err(|error| format!("{}: {error}", root.display()))?;
        Ok(Run { args, program, interrupted, scratch, root, figures: Cell::default() })
    }

    /// The directory that is served, in memory.
    pub fn root(&self) -> &Path {
        &self.root
    }

    pub fn server(&self) -> Result<Server, String> {
        self.server_with(self.options())
    }

    pub fn options(&self) -> Options<'_> {
        Options { root: &self.root, log_unread: false, config: "" }
    }

    pub fn server_with(&self, options: Options<'_>) -> Result<Server, String> {
        Server::start(self.program, self.scratch.path(), options)
    }

    /// Probes while the load runs, and until the time is over. Call it when all is prepared.
    pub fn measure(&self, server: &Server, load: impl FnOnce(&Until) -> Result<(), String>) -> Result<(), String> {
        let stop = Arc::new(AtomicBool::new(false));
        let probe = Probe::start(server.ftp, self.args.patience(), Arc::clone(&stop))?;
        let until =
            Until { end: Instant::now() + self.args.load_time(), stop, interrupted: Arc::clone(self.interrupted) };
        let result = load(&until);
        until.wait();
        self.figures.set(Some(probe.finish()));
        result
    }

    pub fn finish(self) -> Option<Figures> {
        self.figures.take()
    }
}
