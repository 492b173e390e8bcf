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
    /// Starts `threads` threads, at least one (a good default: a disk has one queue), that
    /// wake the loop after each job; at most `queue` jobs wait.
    ///
    /// # Errors
    /// The system refuses a thread.
    pub fn new(waker: &Waker, threads: usize, queue: usize) -> io::Result<Self> {
        let (jobs, inbox) = mpsc::sync_channel(queue);
        let (outbox, results) = mpsc::channel();
        let inbox = Arc::new(Mutex::new(inbox));
        let mut pool = Self { jobs: Some(jobs), results, threads: Vec::with_capacity(threads), pending: 0 };
        for number in 0..threads.max(1) {
            let (inbox, outbox, waker) = (Arc::clone(&inbox), outbox.clone(), waker.clone());
            let thread =
                thread::Builder::new().name(format!("worker-{number}")).spawn(move || work(&inbox, &outbox, &waker))?;
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
    use crate::{Again, Clock, Handler, Key, Reactor, Readiness};

    struct Owner {
        workers: Workers<u32>,
        results: Vec<u32>,
    }

    impl Handler<()> for Owner {
        fn ready(&mut self, _: &mut Reactor<()>, _: Key, (): (), _: Readiness) -> Again {
            Again::No
        }

        fn timeout(&mut self, _: &mut Reactor<()>, _: Key, (): ()) {}

        fn woken(&mut self, _: &mut Reactor<()>) {
            self.workers.drain(|result| self.results.push(result));
        }
    }

    fn pool(threads: usize, queue: usize) -> (Reactor<()>, Owner) {
        let reactor = Reactor::new(Clock::Poll).unwrap();
        let workers = Workers::new(&reactor.waker(), threads, queue).unwrap();
        let results = Vec::new();
        (reactor, Owner { workers, results })
    }

    fn finish(reactor: &mut Reactor<()>, owner: &mut Owner) {
        while owner.workers.pending() > 0 {
            reactor.turn(owner, None).unwrap();
        }
    }

    #[test]
    fn each_job_gives_one_result() {
        let (mut reactor, mut owner) = pool(3, 100);
        for number in 0..100 {
            owner.workers.submit(Box::new(move || number)).unwrap();
        }
        finish(&mut reactor, &mut owner);
        owner.results.sort_unstable();
        assert!(owner.results.iter().copied().eq(0..100));
    }

    #[test]
    fn one_thread_keeps_the_order() {
        let (mut reactor, mut owner) = pool(1, 100);
        for number in 0..100 {
            owner.workers.submit(Box::new(move || number)).unwrap();
        }
        finish(&mut reactor, &mut owner);
        assert!(owner.results.iter().copied().eq(0..100));
    }

    #[test]
    fn a_full_queue_gives_the_job_back() {
        let (mut reactor, mut owner) = pool(1, 1);
        let (started, wait_for_start) = mpsc::channel();
        let (release, wait_for_release) = mpsc::channel::<()>();
        let busy = move || {
            started.send(()).unwrap();
            wait_for_release.recv().unwrap();
            1
        };
        owner.workers.submit(Box::new(busy)).unwrap();
        wait_for_start.recv().unwrap();
        owner.workers.submit(Box::new(|| 2)).unwrap();

        let QueueFull(job) = owner.workers.submit(Box::new(|| 3)).unwrap_err();
        release.send(()).unwrap();
        finish(&mut reactor, &mut owner);
        owner.workers.submit(job).unwrap();
        finish(&mut reactor, &mut owner);
        assert_eq!(owner.results, [1, 2, 3]);
    }

    #[test]
    fn a_panic_reaches_the_loop() {
        let (mut reactor, mut owner) = pool(1, 2);
        owner.workers.submit(Box::new(|| panic!("a bug"))).unwrap();
        owner.workers.submit(Box::new(|| 7)).unwrap();

        let turns = AssertUnwindSafe(|| finish(&mut reactor, &mut owner));
        let panic = catch_unwind(turns).unwrap_err();
        assert_eq!(panic.downcast_ref(), Some(&"a bug"));

        // The thread has survived.
        owner.workers.submit(Box::new(|| 8)).unwrap();
        finish(&mut reactor, &mut owner);
        assert_eq!(owner.results, [7, 8]);
    }

    #[test]
    fn dropping_the_pool_finishes_what_was_taken() {
        let (_reactor, mut owner) = pool(2, 50);
        let (report, reports) = mpsc::channel();
        for number in 0..50 {
            let report = report.clone();
            let job = move || {
                report.send(number).unwrap();
                number
            };
            owner.workers.submit(Box::new(job)).unwrap();
        }
        drop((owner, report));
        assert_eq!(reports.try_iter().count(), 50);
    }
}
