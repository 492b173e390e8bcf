//! What the loop is doing, written where a watching thread can read it while the loop hangs.
//!
//! The loop is the only writer. A step costs it one plain store; a turn, one more that is ordered.
//!
//! Invariant: while the loop waits for events, [`Pulse::look`] says [`Step::Waiting`].

use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// The state of one loop; clones show the same.
#[derive(Debug, Clone, Default)]
pub struct Pulse(Arc<Beats>);

#[derive(Debug, Default)]
struct Beats {
    /// Counts the callbacks (and the other steps) of the loop.
    steps: AtomicU64,
    /// A [`Step`], a kind and a number; see [`Look`].
    place: AtomicU64,
    /// Whether a watcher sleeps and wants to be woken when the next turn begins.
    wanted: AtomicBool,
}

/// What the loop is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Step {
    /// In the kernel, until there is something to do.
    Waiting = 0,
    /// [`Handler::signal`](crate::Handler::signal).
    Signal,
    /// [`Handler::woken`](crate::Handler::woken).
    Woken,
    /// [`Handler::ready`](crate::Handler::ready).
    Ready,
    /// [`Handler::timeout`](crate::Handler::timeout).
    Timeout,
    /// The end of a turn.
    End,
}

/// Where the loop was at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    /// Another number means that it has moved on, or has come back to the same place.
    pub steps: u64,
    /// What it is in.
    pub step: Step,
    /// [`Handler::kind`](crate::Handler::kind) of the source that is being worked on, else 0.
    pub kind: u8,
    /// What the owner noted in this step with [`Pulse::note`], else 0.
    pub number: u64,
}

impl Pulse {
    /// The loop begins a step.
    pub fn enter(&self, step: Step, kind: u8) {
        self.0.place.store(u64::from(step as u8) << STEP_SHIFT | u64::from(kind) << KIND_SHIFT, Ordering::Relaxed);
        self.0.steps.store(self.0.steps.load(Ordering::Relaxed) + 1, Ordering::Release);
    }

    /// The loop has found out more about this step, such as the number of a session (48 bits of it).
    pub fn note(&self, number: u64) {
        let place = self.0.place.load(Ordering::Relaxed);
        self.0.place.store(place & !NUMBER_MASK | number & NUMBER_MASK, Ordering::Relaxed);
    }

    /// The loop has something to do again. True if a watcher wants to hear of it.
    pub(crate) fn wake_up(&self) -> bool {
        self.0.steps.store(self.0.steps.load(Ordering::Relaxed) + 1, Ordering::SeqCst);
        self.0.wanted.load(Ordering::SeqCst) && self.0.wanted.swap(false, Ordering::SeqCst)
    }

    /// Where the loop is now.
    pub fn look(&self) -> Look {
        let steps = self.0.steps.load(Ordering::SeqCst);
        let place = self.0.place.load(Ordering::Relaxed);
        let step = match place >> STEP_SHIFT {
            0 => Step::Waiting,
            1 => Step::Signal,
            2 => Step::Woken,
            3 => Step::Ready,
            4 => Step::Timeout,
            _ => Step::End,
        };
        Look { steps, step, kind: (place >> KIND_SHIFT) as u8, number: place & NUMBER_MASK }
    }

    /// Asks for a wake at the next turn; false if it has begun already since `seen`.
    pub fn want_wake(&self, seen: Look) -> bool {
        self.0.wanted.store(true, Ordering::SeqCst);
        let is_still = self.look().steps == seen.steps;
        if !is_still {
            self.0.wanted.store(false, Ordering::SeqCst);
        }
        is_still
    }
}

/// Wakes a watcher of a [`Pulse`] by a byte.
#[derive(Debug)]
pub(crate) struct Watcher(pub(crate) UnixStream);

impl Watcher {
    /// A byte that finds no room follows others that wake as well.
    pub(crate) fn wake(&self) {
        let _ = std::io::Write::write(&mut &self.0, &[Pulse::WAKE]);
    }
}

impl Pulse {
    /// The byte that a watcher gets when it is woken.
    pub const WAKE: u8 = b'w';
}

const STEP_SHIFT: u32 = 56;
const KIND_SHIFT: u32 = 48;
const NUMBER_MASK: u64 = (1 << KIND_SHIFT) - 1;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_look_shows_step_kind_and_number() {
        let pulse = Pulse::default();
        assert_eq!(pulse.look().step, Step::Waiting);
        for (step, kind) in
            [(Step::Ready, 3), (Step::Timeout, 255), (Step::End, 0), (Step::Signal, 1), (Step::Woken, 0)]
        {
            let before = pulse.look().steps;
            pulse.enter(step, kind);
            pulse.note(7);
            pulse.note(1 << 48 | 8);
            let expected = Look { steps: before + 1, step, kind, number: 8 };
            assert_eq!(pulse.look(), expected);
        }
    }

    #[test]
    fn a_watcher_is_woken_once_and_not_when_the_loop_was_faster() {
        let pulse = Pulse::default();
        assert!(!pulse.wake_up());
        let seen = pulse.look();
        assert!(pulse.want_wake(seen));
        assert!(pulse.wake_up());
        assert!(!pulse.wake_up());
        assert!(!pulse.want_wake(seen));
        assert!(!pulse.wake_up());
    }
}
