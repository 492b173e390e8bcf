//! `mirror`: a whole tree from the server to here, or from here to the server, but for what is the same on both sides; and
//! if it is asked for, without what is in the copy only.
//!
//! One session walks the tree, others move the files that it finds; it moves some itself when they are behind, and when the
//! tree is walked. So it works with one session, too, if the server lets no more in. It must not know the terminal.
//!
//! Invariants: what waits to be moved is bounded; links are not followed, on neither side; a file that fails is counted
//! and told, and the rest is done all the same; no file that was found is left out in silence; nothing is deleted where
//! it is not sure what the source has.

mod exclude;
mod job;
mod list;
mod tidy;
mod tree;
mod walk;

use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use muxftp_client::limits;
use muxftp_proto::{Dialect, Escaped};

use crate::args;
use crate::engine::Engine;
use crate::report;
use crate::trouble::{Trouble, report_rest_left};
use exclude::Exclude;
use job::Job;
use tree::Tree;

/// What is to be mirrored, and how.
#[derive(Debug)]
pub(crate) struct Plan {
    /// On the server; relative to the working directory, unless it begins with a slash.
    remote: Vec<u8>,
    /// Here.
    local: PathBuf,
    /// From here to the server.
    is_upload: bool,
    /// Sessions at once.
    parallel: u8,
    /// Name each file.
    verbose: bool,
    /// Delete what is in the copy and not at the source.
    delete: bool,
    /// Change nothing, and name what would be done.
    dry_run: bool,
    /// What is left alone, on both sides.
    exclude: Exclude,
}

impl Plan {
    /// As the command line has it; the places are read by those who know URLs and homes.
    pub(crate) fn new(args: &args::Mirror, remote: Vec<u8>, local: PathBuf) -> Plan {
        Plan {
            remote,
            local,
            is_upload: args.reverse,
            parallel: args.parallel,
            verbose: args.names,
            delete: args.delete,
            dry_run: args.dry_run,
            exclude: Exclude::new(args.exclude.iter().map(|pattern| pattern.as_bytes())),
        }
    }
}

/// What walker and workers share.
#[derive(Debug, Default)]
struct Shared {
    verbose: bool,
    dry_run: bool,
    copied: AtomicU64,
    bytes: AtomicU64,
    same: AtomicU64,
    skipped: AtomicU64,
    deleted: AtomicU64,
    failed: AtomicU64,
    /// What waited for a session that the server did not let in.
    given_back: Mutex<Vec<Job>>,
    /// That the server lets in fewer sessions than were wanted.
    fewer_is_told: AtomicBool,
    /// No more work is to be begun.
    stop: AtomicBool,
    /// The signal that stopped it; 0: none.
    signal: AtomicU8,
    /// Whoever reads our output has enough.
    output_is_closed: AtomicBool,
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
    let tree = Tree::new(plan, &base);
    let shared = Shared { verbose: plan.verbose, dry_run: plan.dry_run, ..Shared::default() };
    let walked = with_workers(engine, plan, &shared, |engine, jobs| walk::walk(engine, plan, &tree, &shared, &jobs))?;
    // In any case: at the prompt, others follow.
    let came_back = if engine.is_open() { list::go_to(engine, &base) } else { Ok(()) };
    engine.begin_in(base);
    if let signal @ 1.. = shared.signal.load(Ordering::SeqCst) {
        return Err(Trouble::Interrupted(signal.into()));
    }
    if shared.output_is_closed.load(Ordering::SeqCst) {
        return Err(Trouble::OutputClosed);
    }
    let walked = walked.and(came_back);
    let line = shared.summary(plan.delete);
    match (walked, shared.failed.load(Ordering::SeqCst)) {
        (Ok(()), 0) => Ok(line),
        (Err(trouble), 0) if shared.is_untouched() => Err(trouble),
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
    let (sender, receiver) = sync_channel(limits::WAITING_JOBS);
    let receiver = Arc::new(Mutex::new(receiver));
    let sessions = if plan.dry_run { 1 } else { plan.parallel };
    let workers: Vec<Engine> = (1..sessions).map(|_| engine.sibling()).collect::<Result<_, _>>()?;
    let walked = thread::scope(|scope| {
        for mut worker in workers {
            let receiver = Arc::clone(&receiver);
            scope.spawn(move || work(&mut worker, plan.is_upload, &receiver, shared));
        }
        // The sender goes with the walk: that ends the workers, when all is moved.
        let walked = walk(engine, sender);
        move_all(engine, plan.is_upload, jobs(&receiver), shared);
        walked
    });
    let given_back = std::mem::take(&mut *shared.given_back.lock().unwrap_or_else(PoisonError::into_inner));
    move_all(engine, plan.is_upload, given_back.into_iter(), shared);
    Ok(walked)
}

/// One worker: it makes its session when there is something to do. Without one, as when the server lets no more in, it leaves
/// the files to the others.
fn work(engine: &mut Engine, is_upload: bool, receiver: &Mutex<Receiver<Job>>, shared: &Shared) {
    let Some(first) = jobs(receiver).next().filter(|_| !shared.is_stopped()) else { return };
    match engine.connect() {
        Ok(()) => move_all(engine, is_upload, std::iter::once(first).chain(jobs(receiver)), shared),
        Err(trouble @ Trouble::Interrupted(_)) => return shared.fail(&trouble),
        Err(trouble) => {
            shared.given_back.lock().unwrap_or_else(PoisonError::into_inner).push(first);
            if !shared.fewer_is_told.swap(true, Ordering::SeqCst) {
                eprintln!("muxftp: note: going on with fewer sessions: {trouble}");
            }
        }
    }
    // The doubts of a worker are those of the session that it is a sibling of.
    let _ = engine.quit();
}

/// What waits to be moved, until no more is to come.
fn jobs(receiver: &Mutex<Receiver<Job>>) -> impl Iterator<Item = Job> {
    std::iter::from_fn(|| receiver.lock().unwrap_or_else(PoisonError::into_inner).recv().ok())
}

/// Moves files, until nothing more is to be begun.
fn move_all(engine: &mut Engine, is_upload: bool, jobs: impl Iterator<Item = Job>, shared: &Shared) {
    for job in jobs.take_while(|_| !shared.is_stopped()) {
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
                    self.say(&job.to_string());
                }
            }
            Err(trouble) => self.fail(&trouble),
        }
    }

    /// Counts a file that would be moved.
    fn would_move(&self, job: &Job) {
        self.copied.fetch_add(1, Ordering::SeqCst);
        self.bytes.fetch_add(job.size, Ordering::SeqCst);
        self.say(&format!("copy {job}"));
    }

    /// Counts what was deleted from the copy, or would be.
    fn deleted(&self, name: &str) {
        self.deleted.fetch_add(1, Ordering::SeqCst);
        if self.dry_run {
            self.say(&format!("delete {name}"));
        } else if self.verbose {
            self.say(&format!("deleted: {name}"));
        }
    }

    /// Prints a line; with nobody left to read it, the work ends.
    fn say(&self, line: &str) {
        if writeln!(io::stdout(), "{line}").is_err() {
            self.output_is_closed.store(true, Ordering::SeqCst);
            self.stop.store(true, Ordering::SeqCst);
        }
    }

    /// Whether it came to an end before anything was found.
    fn is_untouched(&self) -> bool {
        let counts = [&self.copied, &self.same, &self.skipped, &self.deleted];
        counts.iter().all(|count| count.load(Ordering::SeqCst) == 0)
    }

    /// What has been done, or would be.
    fn summary(&self, with_deleted: bool) -> String {
        let [copied, bytes, same, skipped, deleted, failed] =
            [&self.copied, &self.bytes, &self.same, &self.skipped, &self.deleted, &self.failed]
                .map(|count| count.load(Ordering::SeqCst));
        let would = if self.dry_run { "would be " } else { "" };
        let deleted = if with_deleted { format!(", {deleted} {would}deleted") } else { String::new() };
        format!(
            "{copied} files {would}copied ({bytes} bytes), {same} were the same, {skipped} links and devices left out\
             {deleted}, {failed} failed"
        )
    }

    fn fail(&self, trouble: &Trouble) {
        if let Trouble::Interrupted(signal) = trouble {
            self.signal.store(u8::try_from(*signal).unwrap_or(u8::MAX), Ordering::SeqCst);
            self.stop.store(true, Ordering::SeqCst);
            return;
        }
        self.failed.fetch_add(1, Ordering::SeqCst);
        report(trouble);
        if !trouble.spares_the_rest() && !self.stop.swap(true, Ordering::SeqCst) {
            report_rest_left();
        }
    }

    fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::SeqCst)
    }
}

fn cannot(doing: &str, path: &Path, error: io::Error) -> Trouble {
    Trouble::local(doing, Escaped(path.as_os_str().as_bytes()), error)
}

/// Sessions at once, when nobody says how many.
pub(crate) const PARALLEL: u8 = 3;
