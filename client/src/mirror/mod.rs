//! `mirror`: a whole tree from the server to here, or from here to the server, but for what is the same on both sides.
//!
//! One session walks the tree, others move the files that it finds; it moves some itself when they are behind, and when the
//! tree is walked. So it works with one session, too, if the server lets no more in. It must not know the terminal.
//!
//! Invariants: what waits to be moved is bounded; links are not followed, on neither side; a file that fails is counted
//! and told, and the rest is done all the same; no file that was found is left out in silence.

mod job;
mod walk;

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use muxftp_proto::Dialect;

use crate::engine::Engine;
use crate::report;
use crate::trouble::Trouble;
use job::Job;

/// What is to be mirrored, and how.
#[derive(Debug)]
pub(crate) struct Plan {
    /// On the server; relative to the working directory, unless it begins with a slash.
    pub(crate) remote: Vec<u8>,
    /// Here.
    pub(crate) local: PathBuf,
    /// From here to the server.
    pub(crate) is_upload: bool,
    /// Sessions at once.
    pub(crate) parallel: u8,
    /// Name each file.
    pub(crate) verbose: bool,
}

/// What walker and workers share.
#[derive(Debug, Default)]
struct Shared {
    verbose: bool,
    copied: AtomicU64,
    bytes: AtomicU64,
    same: AtomicU64,
    skipped: AtomicU64,
    failed: AtomicU64,
    /// That the server lets in fewer sessions than were wanted.
    fewer_is_told: AtomicBool,
    /// No more work is to be begun.
    stop: AtomicBool,
    /// The signal that stopped it; 0: none.
    signal: AtomicU8,
}

/// Mirrors a tree; gives the line that says so.
///
/// # Errors
/// Some files failed, each of which was told; or there is no session, or a signal came.
pub(crate) fn run(engine: &mut Engine, plan: &Plan) -> Result<String, Trouble> {
    let dialect = engine.server().dialect;
    if dialect != Dialect::Ftp {
        return Err(Trouble::Usage(format!("mirror: {dialect} has no directories to walk; ftp has")));
    }
    let base = engine.remember_directory()?;
    let shared = Shared { verbose: plan.verbose, ..Shared::default() };
    let walked = with_workers(engine, plan, &shared, |engine, jobs| {
        walk::walk(engine, plan, &job::join(&base, &plan.remote), &shared, &jobs)
    })?;
    if let signal @ 1.. = shared.signal.load(Ordering::SeqCst) {
        return Err(Trouble::Interrupted(signal.into()));
    }
    let walked = walked.and_then(|()| walk::go_to(engine, &base));
    let [copied, bytes, same, skipped, failed] =
        [&shared.copied, &shared.bytes, &shared.same, &shared.skipped, &shared.failed]
            .map(|count| count.load(Ordering::SeqCst));
    let line = format!(
        "{copied} files copied ({bytes} bytes), {same} were the same, {skipped} links and devices left out, {failed} failed"
    );
    match (walked, failed) {
        (Ok(()), 0) => Ok(line),
        (walked, _) => {
            println!("{line}");
            Err(walked.err().unwrap_or(Trouble::Reported(1)))
        }
    }
}

fn with_workers<T>(
    engine: &mut Engine,
    plan: &Plan,
    shared: &Shared,
    walk: impl FnOnce(&mut Engine, SyncSender<Job>) -> T,
) -> Result<T, Trouble> {
    let (sender, receiver) = sync_channel(WAITING_JOBS);
    let receiver = Arc::new(Mutex::new(receiver));
    let workers: Vec<Engine> = (1..plan.parallel).map(|_| engine.sibling()).collect::<Result<_, _>>()?;
    Ok(thread::scope(|scope| {
        for mut worker in workers {
            let receiver = Arc::clone(&receiver);
            scope.spawn(move || work(&mut worker, plan.is_upload, &receiver, shared));
        }
        // The sender goes with the walk: that ends the workers, when all is moved.
        let walked = walk(engine, sender);
        move_all(engine, plan.is_upload, &receiver, shared);
        walked
    }))
}

/// One worker. Without a session, as when the server lets no more in, it leaves the files to the others.
fn work(engine: &mut Engine, is_upload: bool, jobs: &Mutex<Receiver<Job>>, shared: &Shared) {
    match engine.connect() {
        Ok(()) => move_all(engine, is_upload, jobs, shared),
        Err(trouble @ Trouble::Interrupted(_)) => return shared.fail(&trouble),
        Err(trouble) if !shared.fewer_is_told.swap(true, Ordering::SeqCst) => {
            eprintln!("muxftp: note: going on with fewer sessions: {trouble}");
        }
        Err(_) => {}
    }
    engine.quit();
}

/// Moves files until no more are to come.
fn move_all(engine: &mut Engine, is_upload: bool, jobs: &Mutex<Receiver<Job>>, shared: &Shared) {
    loop {
        let next = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(job) = next else { break };
        if shared.is_stopped() {
            break;
        }
        shared.move_file(&job, engine, is_upload);
    }
}

impl Shared {
    /// Moves a file, and counts what became of it.
    fn move_file(&self, job: &Job, engine: &mut Engine, is_upload: bool) {
        match if is_upload { job.upload(engine) } else { job.download(engine) } {
            Ok(bytes) => {
                self.copied.fetch_add(1, Ordering::SeqCst);
                self.bytes.fetch_add(bytes, Ordering::SeqCst);
                if self.verbose {
                    println!("{job}");
                }
            }
            Err(trouble) => self.fail(&trouble),
        }
    }

    fn fail(&self, trouble: &Trouble) {
        if let Trouble::Interrupted(signal) = trouble {
            self.signal.store(u8::try_from(*signal).unwrap_or(u8::MAX), Ordering::SeqCst);
            self.stop.store(true, Ordering::SeqCst);
            return;
        }
        // Without a server, file after file would fail for the same reason.
        if !trouble.spares_the_rest() {
            self.stop.store(true, Ordering::SeqCst);
        }
        self.failed.fetch_add(1, Ordering::SeqCst);
        report(trouble);
    }

    fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::SeqCst)
    }
}

/// Files that the walker is ahead of the workers.
const WAITING_JOBS: usize = 64;

/// Sessions at once, when nobody says how many.
pub(crate) const PARALLEL: u8 = 3;
