//! When the answers to requests are given. Knows nothing of files.

use std::fmt;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::{Operation, Pace};

/// Carries out a request and answers it. Dropped without being called, it answers with `EIO`.
type Answer = Box<dyn FnOnce() + Send>;

pub struct Gate {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    paces: [Pace; Operation::ALL.len()],
    held: Vec<(Operation, Answer)>,
    requests: u64,
    closed: bool,
}

impl Gate {
    pub fn new() -> Gate {
        let state = State { paces: [Pace::Quick; Operation::ALL.len()], held: Vec::new(), requests: 0, closed: false };
        Gate { state: Mutex::new(state), changed: Condvar::new() }
    }

    /// Gives the answer at the pace of its operation.
    pub fn answer(&self, operation: Operation, answer: impl FnOnce() + Send + 'static) {
        let mut state = self.lock();
        state.requests += 1;
        match state.paces[operation as usize] {
            _ if state.closed => {}
            Pace::Quick => {
                drop(state);
                answer();
            }
            Pace::Delayed(delay) => {
                drop(state);
                std::thread::spawn(move || {
                    std::thread::sleep(delay);
                    answer();
                });
            }
            Pace::Never => {
                state.held.push((operation, Box::new(answer)));
                self.changed.notify_all();
            }
        }
    }

    pub fn set(&self, operation: Operation, pace: Pace) {
        let mut state = self.lock();
        state.paces[operation as usize] = pace;
        if pace == Pace::Never {
            return;
        }
        let (released, held) = std::mem::take(&mut state.held).into_iter().partition(|(of, _)| *of == operation);
        state.held = held;
        drop(state);
        let released: Vec<(Operation, Answer)> = released;
        for (_, answer) in released {
            answer();
        }
    }

    /// Answers all that is held, and all that comes, with an error.
    pub fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        let held = std::mem::take(&mut state.held);
        drop(state);
        drop(held);
    }

    pub fn requests(&self) -> u64 {
        self.lock().requests
    }

    pub fn held(&self) -> usize {
        self.lock().held.len()
    }

    /// False if fewer are held when the time is over.
    pub fn wait_for_held(&self, count: usize, patience: Duration) -> bool {
        let end = Instant::now() + patience;
        let mut state = self.lock();
        while state.held.len() < count {
            let Some(left) = end.checked_duration_since(Instant::now()) else { return false };
            state = self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.lock();
        f.debug_struct("Gate").field("paces", &state.paces).field("held", &state.held.len()).finish_non_exhaustive()
    }
}
