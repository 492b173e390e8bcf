//! How the loop waits: for events, and for the next deadline, by one of three clocks.
//!
//! Must not know whose deadline it is.
//!
//! Invariant: a wait never ends later than the deadline by the clock's own doing, except for
//! [`Clock::Poll`], which is late by up to one millisecond.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::{Duration, Instant};

use mio::unix::SourceFd;
use mio::{Events, Interest, Poll};
use rustix::time::{
    ClockId, Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, clock_gettime, timerfd_create,
    timerfd_settime,
};

use crate::key::Mark;

/// How a deadline is waited for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Clock {
    /// By the timeout of `epoll_wait`: no further system call, late by up to 1 ms.
    #[default]
    Poll,
    /// By a timerfd in the poll: one system call for each change of the earliest deadline,
    /// late by the kernel's wake-up time (tens of microseconds).
    Timerfd,
    /// By a timerfd until 2 ms before the deadline, then by polling without a pause:
    /// the most exact, at the cost of a busy core.
    Spin,
}

#[derive(Debug)]
pub(crate) struct Waiter {
    clock: Clock,
    timer: Option<Timer>,
}

impl Waiter {
    pub(crate) fn new(clock: Clock, poll: &Poll) -> io::Result<Self> {
        let timer = match clock {
            Clock::Poll => None,
            Clock::Timerfd | Clock::Spin => Some(Timer::new(poll)?),
        };
        Ok(Self { clock, timer })
    }

    /// Waits for events, for `deadline`, or for `max_wait`, whichever comes first.
    pub(crate) fn wait(
        &mut self,
        poll: &mut Poll,
        events: &mut Events,
        deadline: Option<Instant>,
        max_wait: Option<Duration>,
    ) -> io::Result<()> {
        let Some(deadline) = deadline else {
            return poll_once(poll, events, max_wait);
        };
        let now = Instant::now();
        let left = deadline.saturating_duration_since(now);
        if left.is_zero() {
            return poll_once(poll, events, Some(Duration::ZERO));
        }
        if self.clock == Clock::Spin && left <= SPIN_FOR {
            let end = now + max_wait.map_or(left, |max| max.min(left));
            return poll_until(poll, events, end);
        }
        match &mut self.timer {
            None => poll_once(poll, events, Some(max_wait.map_or(left, |max| max.min(left)))),
            Some(timer) => {
                let early = if self.clock == Clock::Spin { SPIN_FOR } else { Duration::ZERO };
                timer.set(deadline - early)?;
                poll_once(poll, events, max_wait)
            }
        }
    }

    /// The timerfd has reported: it must be set again before it can report again.
    pub(crate) fn on_timer(&mut self) {
        if let Some(timer) = &mut self.timer {
            timer.set_to = None;
        }
    }
}

/// A timerfd, set by absolute times.
///
/// It is never read: each expiry is a new edge, and setting it takes back an old one.
#[derive(Debug)]
struct Timer {
    descriptor: OwnedFd,
    set_to: Option<Instant>,
    /// The same moment on both scales, since an `Instant` cannot be asked for its value.
    origin: (Instant, Duration),
}

impl Timer {
    fn new(poll: &Poll) -> io::Result<Self> {
        let descriptor = timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK)?;
        poll.registry().register(&mut SourceFd(&descriptor.as_raw_fd()), Mark::Timer.to_token(), Interest::READABLE)?;
        // The Instant is taken first, so that a conversion is never early.
        let instant = Instant::now();
        let value = Duration::try_from(clock_gettime(ClockId::Monotonic)).expect("the monotonic clock is not negative");
        Ok(Self { descriptor, set_to: None, origin: (instant, value) })
    }

    fn set(&mut self, deadline: Instant) -> io::Result<()> {
        if self.set_to == Some(deadline) {
            return Ok(());
        }
        let (origin, value) = self.origin;
        let at = value + deadline.saturating_duration_since(origin);
        let spec = Itimerspec {
            it_interval: Timespec::default(),
            it_value: Timespec::try_from(at).map_err(|_| io::ErrorKind::InvalidInput)?,
        };
        timerfd_settime(&self.descriptor, TimerfdTimerFlags::ABSTIME, &spec)?;
        self.set_to = Some(deadline);
        Ok(())
    }
}

/// One `epoll_wait`; an interruption by a signal counts as no events.
fn poll_once(poll: &mut Poll, events: &mut Events, timeout: Option<Duration>) -> io::Result<()> {
    match poll.poll(events, timeout) {
        Err(error) if error.kind() == io::ErrorKind::Interrupted => {
            events.clear();
            Ok(())
        }
        result => result,
    }
}

fn poll_until(poll: &mut Poll, events: &mut Events, end: Instant) -> io::Result<()> {
    loop {
        poll_once(poll, events, Some(Duration::ZERO))?;
        if !events.is_empty() || Instant::now() >= end {
            return Ok(());
        }
        std::hint::spin_loop();
    }
}

/// Longer than any usual wake-up delay of an idle core.
const SPIN_FOR: Duration = Duration::from_millis(2);
