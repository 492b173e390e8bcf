//! A few threads for the calls that would block the loop: fsync, password hashing.
//!
//! Must not know what a job does. The loop never waits for a job; a result comes back through
//! the waker.
//!
//! ```text
//!   loop: submit --bounded queue--> worker: run --results--> loop: woken -> drain
//!                                              \---wake--------^
//! ```
//!
//! Invariants:
//! - Each job that was taken gives exactly one result, or its panic, to [`Workers::drain`].
//! - Dropping the pool finishes the jobs that were taken, then joins the threads.

use std::any::Any;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::mpsc::{self, Receiver, Sender, SyncSender, TrySendError};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use crate::Waker;

/// Work for another thread, and its answer.
pub type Job<J> = Box<dyn FnOnce() -> J + Send>;

/// An answer, or what the job panicked with.
type Outcome<J> = Result<J, Box<dyn Any + Send>>;

/// A pool of threads whose jobs answer with a `J`.
#[derive(Debug)]
pub struct Workers<J> {
    /// Taken only on drop: its end is the threads' sign to end.
    jobs: Option<SyncSender<Job<J>>>,
    results: Receiver<Outcome<J>>,
    threads: Vec<JoinHandle<()>>,
    pending: usize,
}

/// The pool has as many jobs waiting as it may: the job comes back.
pub struct QueueFull<J>(pub Job<J>);

impl<J> std::fmt::Debug for QueueFull<J> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("QueueFull")
    }
}

impl<J: Send + 'static> Workers<J> {
    /// Starts `threads` threads (1 is a good default: a disk has one queue) that wake the loop
    /// after each job; at most `queue` jobs wait.
    ///
    /// # Errors
    /// The system refuses a thread.
    pub fn new(waker: &Waker, threads: usize, queue: usize) -> io::Result<Self> {
        let (jobs, inbox) = mpsc::sync_channel(queue);
        let (outbox, results) = mpsc::channel();
        let inbox = Arc::new(Mutex::new(inbox));
        let mut pool = Self {
            jobs: Some(jobs),
            results,
            threads: Vec::with_capacity(threads),
            pending: 0,
        };
        for number in 0..threads {
            let (inbox, outbox, waker) = (Arc::clone(&inbox), outbox.clone(), waker.clone());
            let thread = thread::Builder::new()
                .name(format!("worker-{number}"))
                .spawn(move || work(&inbox, &outbox, &waker))?;
            pool.threads.push(thread);
        }
        Ok(pool)
    }

    /// Hands a job to the next free thread. Never waits.
    ///
    /// # Errors
    /// The queue is full; the caller answers its peer with "busy", or tries again later.
    pub fn submit(&mut self, job: Job<J>) -> Result<(), QueueFull<J>> {
        let jobs = self.jobs.as_ref().expect("taken only on drop");
        match jobs.try_send(job) {
            Ok(()) => {
                self.pending += 1;
                Ok(())
            }
            Err(TrySendError::Full(job) | TrySendError::Disconnected(job)) => Err(QueueFull(job)),
        }
    }

    /// Takes one result, if one is there. Called in [`Handler::woken`](crate::Handler::woken)
    /// until there is none: one wake-up may stand for several results.
    ///
    /// # Panics
    /// With a job's own panic: it is a bug of the program, and must not pass unseen.
    pub fn next_result(&mut self) -> Option<J> {
        let outcome = self.results.try_recv().ok()?;
        self.pending -= 1;
        match outcome {
            Ok(result) => Some(result),
            Err(panic) => resume_unwind(panic),
        }
    }

    /// Gives all results that are there to `take`.
    ///
    /// # Panics
    /// As [`Workers::next_result`].
    pub fn drain(&mut self, mut take: impl FnMut(J)) {
        while let Some(result) = self.next_result() {
            take(result);
        }
    }

    /// Jobs that were taken and whose results have not been given out.
    pub fn pending(&self) -> usize {
        self.pending
    }
}

impl<J> Drop for Workers<J> {
    fn drop(&mut self) {
        self.jobs = None;
        for thread in self.threads.drain(..) {
            // A worker cannot panic: it catches the panics of its jobs.
            let _ = thread.join();
        }
    }
}

fn work<J>(inbox: &Mutex<Receiver<Job<J>>>, outbox: &Sender<Outcome<J>>, waker: &Waker) {
    loop {
        let next = inbox.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(job) = next else { return };
        // The pool may be gone already; then nobody waits for the result.
        let _ = outbox.send(catch_unwind(AssertUnwindSafe(job)));
        let _ = waker.wake();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
}
