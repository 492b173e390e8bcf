//! Threads for the calls that would block the loop, in lanes that cannot block each other.
//!
//! Must not know what a job does. The loop never waits for a job; a result comes back through
//! the waker.
//!
//! ```text
//!   loop: submit --bounded queue of a lane--> thread: run --results--> loop: woken -> drain
//!                                                \---wake-------------------^
//! ```
//!
//! A lane bounds the jobs that run at once and those that wait, so that a job that hangs keeps a
//! thread of its own lane and no other. A class bounds the threads of all its lanes together.
//! Threads start when a job finds none that is idle, and end after a while without a job.
//!
//! Invariants:
//! - Each job that was taken gives exactly one result, or its panic, to [`Workers::drain`], unless
//!   it hangs.
//! - The jobs of a lane begin in the order in which they were submitted.
//! - Dropping the pool runs the jobs that were taken, but waits only for a bounded time.

use std::any::Any;
use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::hash::Hash;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::Waker;

/// Work for another thread, and its answer.
pub type Job<J> = Box<dyn FnOnce() -> J + Send>;

/// Work without an answer, such as closing a file.
pub type Chore = Box<dyn FnOnce() + Send>;

/// What jobs have in common that may hang together.
pub trait Lane: Copy + Eq + Hash + Send + 'static {
    /// The bounds of this lane: the same for each call.
    fn bounds(self) -> Bounds;
}

/// How much of the pool a lane may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Jobs of this lane that run at once; at least one.
    pub threads: usize,
    /// Jobs of this lane that wait for their turn.
    pub queue: usize,
    /// Lanes of one class share a bound; below [`CLASSES`].
    pub class: usize,
    /// Jobs of all lanes of the class that run at once; at least one.
    pub class_threads: usize,
}

/// The lane has as many jobs waiting as it may, or the system gives no thread: the job comes back.
pub struct QueueFull<J>(pub J);

impl<J> fmt::Debug for QueueFull<J> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("QueueFull")
    }
}

/// A pool of threads whose jobs answer with a `J`.
#[derive(Debug)]
pub struct Workers<L: Lane, J> {
    pool: Arc<Pool<L, J>>,
    results: Receiver<Outcome<J>>,
    pending: usize,
    patience: Duration,
}

/// Gives chores to the pool from anywhere.
pub struct Chores<L: Lane, J>(Arc<Pool<L, J>>);

/// An answer, or what the job panicked with.
type Outcome<J> = Result<J, Box<dyn Any + Send>>;

enum Work<J> {
    Job(Job<J>),
    Chore(Chore),
}

struct Pool<L, J> {
    state: Mutex<State<L, J>>,
    /// Work may have come for an idle thread.
    work: Condvar,
    /// A thread has ended.
    ended: Condvar,
    outbox: Sender<Outcome<J>>,
    waker: Waker,
}

struct State<L, J> {
    lanes: HashMap<L, LaneState<J>>,
    /// The lanes in which work waits, each once; the next turn is the first one's.
    order: VecDeque<L>,
    running: [usize; CLASSES],
    threads: usize,
    idle: usize,
    closing: bool,
}

struct LaneState<J> {
    running: usize,
    waiting: VecDeque<Work<J>>,
}

impl<L: Lane, J: Send + 'static> Workers<L, J> {
    /// A pool without threads yet, whose jobs wake the loop when they are done.
    pub fn new(waker: &Waker) -> Self {
        let (outbox, results) = mpsc::channel();
        let state = State {
            lanes: HashMap::new(),
            order: VecDeque::new(),
            running: [0; CLASSES],
            threads: 0,
            idle: 0,
            closing: false,
        };
        let (work, ended) = (Condvar::new(), Condvar::new());
        let pool = Pool { state: Mutex::new(state), work, ended, outbox, waker: waker.clone() };
        Self { pool: Arc::new(pool), results, pending: 0, patience: PATIENCE }
    }

    /// Puts a job at the end of its lane. Never waits.
    ///
    /// # Errors
    /// The lane is full; the caller answers its peer with "busy", or tries again later.
    pub fn submit(&mut self, lane: L, job: Job<J>) -> Result<(), QueueFull<Job<J>>> {
        match Pool::submit(&self.pool, lane, Work::Job(job)) {
            Ok(()) => {
                self.pending += 1;
                Ok(())
            }
            Err(Work::Job(job)) => Err(QueueFull(job)),
            Err(Work::Chore(_)) => unreachable!("it was a job"),
        }
    }

    /// A handle for chores: work that nobody waits for.
    pub fn chores(&self) -> Chores<L, J> {
        Chores(Arc::clone(&self.pool))
    }

    /// Takes one result, if one is there. Called in [`Handler::woken`](crate::Handler::woken)
    /// until there is none: one wake-up may stand for several results.
    ///
    /// # Panics
    /// With a job's own panic: it is a bug of the program, and must not pass unseen.
    pub fn next_result(&mut self) -> Option<J> {
        let outcome = self.results.try_recv().ok()?;
        match outcome {
            Ok(result) => {
                self.pending -= 1;
                Some(result)
            }
            Err(panic) => {
                self.pending = self.pending.saturating_sub(1);
                resume_unwind(panic)
            }
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

    /// The drop will not wait for anything.
    pub fn abandon(&mut self) {
        self.patience = Duration::ZERO;
    }
}

impl<L: Lane, J> Drop for Workers<L, J> {
    /// Threads that hang cannot be ended; they keep the pool's state, and the work that waits in it, until the
    /// process ends.
    fn drop(&mut self) {
        let deadline = Instant::now() + self.patience;
        let mut state = self.pool.lock();
        state.closing = true;
        self.pool.work.notify_all();
        while state.threads > 0 {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            state = self.pool.ended.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

impl<L: Lane, J: Send + 'static> Chores<L, J> {
    /// Puts a chore at the end of its lane. Never waits.
    ///
    /// # Errors
    /// The lane is full, or the pool has ended.
    pub fn submit(&self, lane: L, chore: Chore) -> Result<(), QueueFull<Chore>> {
        match Pool::submit(&self.0, lane, Work::Chore(chore)) {
            Ok(()) => Ok(()),
            Err(Work::Chore(chore)) => Err(QueueFull(chore)),
            Err(Work::Job(_)) => unreachable!("it was a chore"),
        }
    }
}

impl<L: Lane, J> Clone for Chores<L, J> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<L: Lane, J> fmt::Debug for Chores<L, J> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Chores")
    }
}

impl<L: Lane, J> fmt::Debug for Pool<L, J> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pool")
    }
}

impl<L: Lane, J> Pool<L, J> {
    fn lock(&self) -> MutexGuard<'_, State<L, J>> {
        // Nothing panics while it is held.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<L: Lane, J: Send + 'static> Pool<L, J> {
    fn submit(pool: &Arc<Self>, lane: L, work: Work<J>) -> Result<(), Work<J>> {
        let mut state = pool.lock();
        if state.closing {
            return Err(work);
        }
        state.push(lane, work)?;
        if Self::summon(pool, &mut state) || state.threads > 0 { Ok(()) } else { state.take_back(lane) }
    }

    /// Wakes or starts a thread, if there is work that may begin. `false`: the system gives no thread.
    fn summon(pool: &Arc<Self>, state: &mut State<L, J>) -> bool {
        if state.next().is_none() {
            return true;
        }
        if state.idle > 0 {
            pool.work.notify_one();
            return true;
        }
        let thread = thread::Builder::new().name("worker".into()).stack_size(STACK_BYTES);
        let its_pool = Arc::clone(pool);
        let started = thread.spawn(move || Self::run(&its_pool)).is_ok();
        state.threads += usize::from(started);
        started
    }

    fn run(pool: &Arc<Self>) {
        let mut state = pool.lock();
        loop {
            if let Some((lane, work)) = state.take() {
                // One end may have let two lanes go on.
                Self::summon(pool, &mut state);
                drop(state);
                pool.carry_out(work);
                state = pool.lock();
                state.finished(lane);
                continue;
            }
            if state.closing {
                break;
            }
            state.idle += 1;
            let waited = pool.work.wait_timeout(state, IDLE).unwrap_or_else(PoisonError::into_inner);
            state = waited.0;
            state.idle -= 1;
            if waited.1.timed_out() && state.next().is_none() {
                break;
            }
        }
        state.threads -= 1;
        pool.ended.notify_all();
    }

    fn carry_out(&self, work: Work<J>) {
        let outcome = match work {
            Work::Job(job) => catch_unwind(AssertUnwindSafe(job)),
            Work::Chore(chore) => match catch_unwind(AssertUnwindSafe(chore)) {
                Ok(()) => return,
                Err(panic) => Err(panic),
            },
        };
        // The pool may be gone already; then nobody waits for the result.
        let _ = self.outbox.send(outcome);
        let _ = self.waker.wake();
    }
}

impl<L: Lane, J> State<L, J> {
    fn push(&mut self, lane: L, work: Work<J>) -> Result<(), Work<J>> {
        let bounds = lane.bounds();
        let place = self.lanes.entry(lane).or_insert_with(|| LaneState { running: 0, waiting: VecDeque::new() });
        let free = bounds.threads.max(1).saturating_sub(place.running);
        if place.waiting.len() >= bounds.queue.saturating_add(free) {
            return Err(work);
        }
        if place.waiting.is_empty() {
            self.order.push_back(lane);
        }
        place.waiting.push_back(work);
        Ok(())
    }

    /// Undoes the last push into a lane.
    fn take_back(&mut self, lane: L) -> Result<(), Work<J>> {
        let Some(place) = self.lanes.get_mut(&lane) else { return Ok(()) };
        let Some(work) = place.waiting.pop_back() else { return Ok(()) };
        if place.waiting.is_empty() {
            self.order.retain(|other| *other != lane);
        }
        self.forget_if_empty(lane);
        Err(work)
    }

    /// The place in the order of the first lane whose work may begin.
    fn next(&self) -> Option<usize> {
        self.order.iter().position(|lane| {
            let bounds = lane.bounds();
            let running = self.lanes.get(lane).map_or(0, |place| place.running);
            running < bounds.threads.max(1) && self.running[bounds.class] < bounds.class_threads.max(1)
        })
    }

    fn take(&mut self) -> Option<(L, Work<J>)> {
        let lane = self.order.remove(self.next()?)?;
        let place = self.lanes.get_mut(&lane)?;
        let work = place.waiting.pop_front()?;
        place.running += 1;
        self.running[lane.bounds().class] += 1;
        if !place.waiting.is_empty() {
            self.order.push_back(lane);
        }
        Some((lane, work))
    }

    fn finished(&mut self, lane: L) {
        self.running[lane.bounds().class] -= 1;
        if let Some(place) = self.lanes.get_mut(&lane) {
            place.running -= 1;
        }
        self.forget_if_empty(lane);
    }

    fn forget_if_empty(&mut self, lane: L) {
        if self.lanes.get(&lane).is_some_and(|place| place.running == 0 && place.waiting.is_empty()) {
            self.lanes.remove(&lane);
        }
    }
}

/// Kinds of lanes with a common bound.
pub const CLASSES: usize = 8;

/// Only what is touched of it takes memory; the deepest calls are those of a name resolver.
const STACK_BYTES: usize = 512 * 1024;

/// After it a thread that nobody needed ends: starting one costs some 30 microseconds.
const IDLE: Duration = Duration::from_secs(10);

/// What a drop waits for uploads that are being flushed; what takes longer hangs, for all anyone can tell.
const PATIENCE: Duration = Duration::from_secs(1);

#[cfg(test)]
#[path = "workers_tests.rs"]
mod tests;
