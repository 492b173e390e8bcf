//! The event loop: one turn at a time, in a fixed order.
//!
//! Must not know what a source is for; that is the owner's `T`, given back with every call.
//!
//! ```text
//!            +--------------------------------------------------------------------+
//!            |                                                                    |
//!            v                                                                    |
//!   1 wait   epoll_wait; does not block while a queue holds anything              |
//!   2 mark   event -> hints of the slot, key -> ready queue, unless it is queued  |
//!   3 notice Handler::signal, once per delivery; Handler::woken, once             |
//!   4 run    Handler::ready for the keys that are queued now, once each: first    |
//!            the ready queue, then the backlog, each for a slice of time          |
//!            Again::Yes -> to the back of the backlog                             |
//!   5 timers Handler::timeout for passed deadlines, at most TIMERS_PER_TURN and   |
//!            for a slice of time                                                  |
//!   6 end    Handler::end_of_turn                                                 |
//!   7 free   released slots are given back; only now can an index be reused ------+
//! ```
//!
//! The ready queue holds what an event, a timeout or [`Reactor::queue`] has brought; the backlog holds what has used up a
//! budget. So a source that becomes ready waits for the others that became ready and for one slice of the backlog,
//! however long that is. What the slice of the ready queue leaves goes to the front of the backlog.
//!
//! Who may do what:
//! - The owner keeps the socket and drops it when it likes, after [`Reactor::release`]. Closing
//!   takes it out of epoll by itself.
//! - The owner may register, release, queue and arm any key in any callback.
//! - The loop alone frees slots, and only in step 7: within a turn, two keys that are both
//!   known never share a slot.
//!
//! Invariants:
//! - A key is in one of the queues at most once.
//! - Each turn makes progress in both queues; within each, first queued is first served.
//! - A released or stale key gets no callback.
//! - Each source is registered once, edge-triggered, for reading and writing; what it can do is
//!   kept in [`Readiness`].
//! - The steady state does not allocate.

use std::collections::VecDeque;
use std::io;
use std::mem;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use mio::event::Source;
use mio::{Events, Interest, Poll};

use crate::clock::{Clock, Waiter};
use crate::key::{Key, Mark};
use crate::pulse::{Pulse, Step, Watcher};
use crate::signals::Signals;
use crate::slot::{Readiness, Slot};
use crate::stats::TurnStats;
use crate::table::Table;
use crate::timers::Timers;

/// Whether a source has work left.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use]
pub enum Again {
    /// Nothing can be done before the next event, timeout or [`Reactor::queue`].
    No,
    /// The budget is used up: to the back of the backlog.
    Yes,
}

/// What the owner of the loop does with its sources.
pub trait Handler<T: Copy> {
    /// Works on a source, within a budget of the handler's choice.
    ///
    /// `readiness` is a copy; a hint that proved wrong is cleared by [`Reactor::readiness`].
    /// A handler that stops with a hint set and work left must answer [`Again::Yes`]: the
    /// kernel will not tell a second time.
    fn ready(&mut self, rx: &mut Reactor<T>, key: Key, owner: T, readiness: Readiness) -> Again;

    /// The deadline of `key` has passed; it is no longer armed.
    fn timeout(&mut self, rx: &mut Reactor<T>, key: Key, owner: T);

    /// A [`Waker`] was used, once or more often.
    fn woken(&mut self, _rx: &mut Reactor<T>) {}

    /// A watched signal was delivered.
    fn signal(&mut self, _rx: &mut Reactor<T>, _signal: i32) {}

    /// A number for the kind of a source, which a [`Pulse`] shows while the source is worked on.
    fn kind(&self, _owner: T) -> u8 {
        0
    }

    /// All work of the turn is done; nothing has been freed yet.
    fn end_of_turn(&mut self, _rx: &mut Reactor<T>) {}
}

/// Wakes the loop from any thread: the next turn calls [`Handler::woken`].
#[derive(Clone, Debug)]
pub struct Waker(Arc<mio::Waker>);

impl Waker {
    /// Wakes the loop. Several calls before the loop wakes count as one.
    ///
    /// # Errors
    /// What the kernel says to a write to an eventfd: none are known in practice.
    pub fn wake(&self) -> io::Result<()> {
        self.0.wake()
    }
}

/// The event loop. `T` is the owner's name for a source.
#[derive(Debug)]
pub struct Reactor<T> {
    poll: Poll,
    events: Events,
    waiter: Waiter,
    waker: Waker,
    woken: bool,
    signals: Signals,
    slots: Table<Slot<T>>,
    queue: VecDeque<Key>,
    /// Keys that have used up their budget.
    backlog: VecDeque<Key>,
    timers: Timers,
    released: Vec<Key>,
    now: Instant,
    stats: TurnStats,
    pulse: Pulse,
    watcher: Option<Watcher>,
}

impl<T: Copy> Reactor<T> {
    /// A loop without sources.
    ///
    /// # Errors
    /// The process or the system is out of descriptors or memory.
    pub fn new(clock: Clock) -> io::Result<Self> {
        let poll = Poll::new()?;
        let waiter = Waiter::new(clock, &poll)?;
        let waker = mio::Waker::new(poll.registry(), Mark::Waker.to_token())?;
        Ok(Self {
            poll,
            events: Events::with_capacity(EVENTS_PER_TURN),
            waiter,
            waker: Waker(Arc::new(waker)),
            woken: false,
            signals: Signals::default(),
            slots: Table::new(),
            queue: VecDeque::new(),
            backlog: VecDeque::new(),
            timers: Timers::default(),
            released: Vec::new(),
            now: Instant::now(),
            stats: TurnStats::new(),
            pulse: Pulse::default(),
            watcher: None,
        })
    }

    /// Adds a source, without hints: its first event comes with the next turn.
    ///
    /// # Errors
    /// The kernel refuses it (a regular file: `EPERM`), or is out of memory or watches.
    pub fn register(&mut self, source: &mut impl Source, owner: T) -> io::Result<Key> {
        self.register_assuming(source, owner, Readiness::default())
    }

    /// Adds a source whose state is known better, such as a socket that was just accepted
    /// and has been written to.
    ///
    /// # Errors
    /// As [`Reactor::register`].
    pub fn register_assuming(&mut self, source: &mut impl Source, owner: T, readiness: Readiness) -> io::Result<Key> {
        let key = self.slots.insert(Slot::new(owner, readiness));
        let interest = Interest::READABLE | Interest::WRITABLE;
        let registered = self.poll.registry().register(source, key.to_token(), interest);
        match registered {
            Ok(()) => Ok(key),
            Err(error) => {
                self.slots.remove(key);
                Err(error)
            }
        }
    }

    /// Adds a key without a socket, for a timer or for work that is only queued.
    pub fn add_timer(&mut self, owner: T) -> Key {
        self.slots.insert(Slot::new(owner, Readiness::default()))
    }

    /// Lets go of a key: it gets no more callbacks, and its slot is freed when the turn ends.
    ///
    /// The caller drops the socket; closing its last descriptor takes it out of epoll.
    pub fn release(&mut self, key: Key) {
        if let Some(slot) = self.slots.get_mut(key).filter(|slot| !slot.released) {
            slot.released = true;
            self.released.push(key);
            self.timers.forget(&mut self.slots, key);
        }
    }

    /// Gives a source to another owner, with its hints and its deadline.
    pub fn hand_over(&mut self, key: Key, owner: T) {
        if let Some(slot) = self.slots.get_mut(key) {
            slot.owner = owner;
        }
    }

    /// The hints of a source, to be cleared when an attempt answered `WouldBlock`.
    pub fn readiness(&mut self, key: Key) -> Option<&mut Readiness> {
        self.slots.get_mut(key).filter(|slot| !slot.released).map(|slot| &mut slot.readiness)
    }

    /// Puts a key at the back of the ready queue, unless it is queued: it runs without an event,
    /// in this turn if step 4 is still to come, else in the next.
    pub fn queue(&mut self, key: Key) {
        if let Some(slot) = self.slots.get_mut(key).filter(|slot| !slot.released) {
            enqueue(&mut self.queue, key, slot);
        }
    }

    /// Puts a key at the back of the backlog, unless it is queued: for a source that has more work than its budget
    /// allows, as [`Again::Yes`] does.
    pub fn defer(&mut self, key: Key) {
        if let Some(slot) = self.slots.get_mut(key).filter(|slot| !slot.released) {
            enqueue(&mut self.backlog, key, slot);
        }
    }

    /// Calls [`Handler::woken`] in the next turn too, since it has left something.
    pub fn wake_again(&mut self) {
        self.woken = true;
    }

    /// Sets the one deadline of a key; `None` cancels it. Moving it later costs nothing.
    pub fn arm(&mut self, key: Key, deadline: Option<Instant>) {
        self.timers.arm(&mut self.slots, key, deadline);
    }

    /// Brings each delivery of these signals to [`Handler::signal`] instead of its usual effect.
    ///
    /// # Errors
    /// The number is no signal, or descriptors are used up.
    ///
    /// # Panics
    /// The signal must not be caught (`SIGKILL`, `SIGSEGV`, ...): asking for it is a bug.
    pub fn watch_signals(&mut self, signals: &[i32]) -> io::Result<()> {
        signals.iter().try_for_each(|&signal| self.signals.watch(self.poll.registry(), signal))
    }

    /// Makes one turn. Waits at most `max_wait` (rounded up to milliseconds), if one is given.
    ///
    /// # Errors
    /// The poll itself failed, which no later turn can mend. An interrupted poll is no error.
    pub fn turn(&mut self, handler: &mut impl Handler<T>, max_wait: Option<Duration>) -> io::Result<()> {
        self.pulse.enter(Step::Waiting, 0);
        self.wait(max_wait)?;
        self.wake_watcher();
        let start = self.refresh_now();
        let mut worked = self.mark();
        worked |= self.give_notice(handler);
        worked |= self.run_queue(handler);
        worked |= self.run_timers(handler);
        self.pulse.enter(Step::End, 0);
        handler.end_of_turn(self);
        self.free_released();
        self.stats.turns += 1;
        if worked {
            let busy = self.refresh_now() - start;
            self.stats.record_busy(busy);
        }
        Ok(())
    }

    /// The time of this turn: of the end of its poll, or later if it was refreshed.
    pub fn now(&self) -> Instant {
        self.now
    }

    /// Looks at the clock again, for a measurement in the middle of a turn.
    pub fn refresh_now(&mut self) -> Instant {
        self.now = Instant::now();
        self.now
    }

    /// What this loop is doing, for another thread to look at.
    pub fn pulse(&self) -> &Pulse {
        &self.pulse
    }

    /// Sends [`Pulse::WAKE`] to `watcher`, a non-blocking socket, at the first turn after [`Pulse::want_wake`].
    pub fn set_watcher(&mut self, watcher: UnixStream) {
        self.watcher = Some(Watcher(watcher));
    }

    /// A handle that wakes this loop from another thread.
    pub fn waker(&self) -> Waker {
        self.waker.clone()
    }

    /// The counts since the start, or since they were last taken.
    pub fn stats(&self) -> &TurnStats {
        &self.stats
    }

    /// Hands the counts over without copying them, and goes on with `fresh` (see
    /// [`TurnStats::clear`]).
    pub fn take_stats(&mut self, fresh: TurnStats) -> TurnStats {
        mem::replace(&mut self.stats, fresh)
    }

    fn wait(&mut self, max_wait: Option<Duration>) -> io::Result<()> {
        let (deadline, max_wait) = if self.queue.is_empty() && self.backlog.is_empty() && !self.woken {
            (self.timers.next(&mut self.slots), max_wait)
        } else {
            (None, Some(Duration::ZERO))
        };
        self.waiter.wait(&mut self.poll, &mut self.events, deadline, max_wait)
    }

    fn wake_watcher(&self) {
        if self.pulse.wake_up()
            && let Some(watcher) = &self.watcher
        {
            watcher.wake();
        }
    }

    /// Turns events into hints and queue entries. An expiry of the timerfd alone is no work.
    fn mark(&mut self) -> bool {
        let mut worked = false;
        for event in &self.events {
            let mark = Mark::from_token(event.token());
            worked |= mark != Mark::Timer;
            match mark {
                Mark::Source(key) => {
                    if let Some(slot) = self.slots.get_mut(key).filter(|slot| !slot.released) {
                        slot.readiness.add(event);
                        enqueue(&mut self.queue, key, slot);
                    }
                }
                Mark::Waker => self.woken = true,
                Mark::Timer => self.waiter.on_timer(),
                Mark::Signal(signal) => self.signals.on_readable(signal),
            }
        }
        worked
    }

    fn give_notice(&mut self, handler: &mut impl Handler<T>) -> bool {
        let mut worked = false;
        while let Some(signal) = self.signals.take() {
            self.pulse.enter(Step::Signal, 0);
            handler.signal(self, signal);
            worked = true;
        }
        if mem::take(&mut self.woken) {
            self.pulse.enter(Step::Woken, 0);
            handler.woken(self);
            worked = true;
        }
        worked
    }

    fn run_queue(&mut self, handler: &mut impl Handler<T>) -> bool {
        let (ready, waiting) = (self.queue.len(), self.backlog.len());
        let left = self.run_slice(handler, ready, READY_SLICE, |rx| rx.queue.pop_front());
        // Counted before: what runs out of its budget in this turn has its next call in another.
        self.run_slice(handler, waiting, BACKLOG_SLICE, |rx| rx.backlog.pop_front());
        // Behind them stand those that were queued meanwhile, for the next turn.
        for key in self.queue.drain(..left).rev() {
            self.backlog.push_front(key);
        }
        ready + waiting > 0
    }

    /// Runs up to `count` keys for as long as the slice lasts, at least one; gives how many are left.
    fn run_slice(
        &mut self,
        handler: &mut impl Handler<T>,
        count: usize,
        slice: Duration,
        next: impl Fn(&mut Self) -> Option<Key>,
    ) -> usize {
        let end = Instant::now() + slice;
        for ran in 0..count {
            // A look at the clock costs much less than any call.
            if ran > 0 && Instant::now() >= end {
                return count - ran;
            }
            let Some(key) = next(self) else { break };
            let Some(slot) = self.slots.get_mut(key).filter(|slot| !slot.released) else {
                continue;
            };
            slot.queued = false;
            let (owner, readiness) = (slot.owner, slot.readiness);
            self.pulse.enter(Step::Ready, handler.kind(owner));
            if handler.ready(self, key, owner, readiness) == Again::Yes {
                self.defer(key);
            }
        }
        0
    }

    fn run_timers(&mut self, handler: &mut impl Handler<T>) -> bool {
        if self.timers.is_empty() {
            return false;
        }
        let mut fired = 0;
        let mut end = None;
        while fired < TIMERS_PER_TURN {
            // Each timeout looks at the clock, or the lag of a batch would hide in its length.
            let now = self.refresh_now();
            if *end.get_or_insert(now + TIMERS_SLICE) <= now {
                break;
            }
            let Some(due) = self.timers.pop_due(&mut self.slots, now) else {
                break;
            };
            fired += 1;
            self.stats.record_lag(now - due.deadline);
            self.pulse.enter(Step::Timeout, handler.kind(due.owner));
            handler.timeout(self, due.key, due.owner);
        }
        fired > 0
    }

    fn free_released(&mut self) {
        while let Some(key) = self.released.pop() {
            self.slots.remove(key);
        }
    }
}

fn enqueue<T>(queue: &mut VecDeque<Key>, key: Key, slot: &mut Slot<T>) {
    if !mem::replace(&mut slot.queued, true) {
        queue.push_back(key);
    }
}

/// More than are usually ready at once; what does not fit comes with the next poll.
const EVENTS_PER_TURN: usize = 1024;

/// Bounds the turn when many deadlines pass together; the rest follow in the next turn.
const TIMERS_PER_TURN: usize = 256;

/// How long the sources that became ready may take in one turn: some hundred of them, each within its budget.
const READY_SLICE: Duration = Duration::from_millis(4);

/// How long those that have used up their budget may take in one turn. It is what a source that becomes ready waits for
/// behind them; a poll costs less than a thousandth of it.
const BACKLOG_SLICE: Duration = Duration::from_millis(1);

/// How long the timeouts of one turn may take; the rest follow in the next turn.
const TIMERS_SLICE: Duration = Duration::from_millis(2);
