//! What the loop knows of its own speed.
//!
//! Must not know who reads it. Invariant: recording never allocates.

use std::time::Duration;

use hdrhistogram::Histogram;

/// Counts of the loop's turns. All times are nanoseconds, kept to 1% and up to 60 s.
#[derive(Debug, Clone)]
pub struct TurnStats {
    /// All turns, also those that found nothing to do.
    pub turns: u64,
    /// For each turn that had work: the time from the end of its poll to its own end, which is
    /// how long a newly ready source could have had to wait.
    pub busy: Histogram<u64>,
    /// For each timeout: how long after its deadline it was called.
    pub timer_lag: Histogram<u64>,
}

impl TurnStats {
    /// Empty counts (about 60 KiB of memory, allocated here once).
    pub fn new() -> Self {
        Self { turns: 0, busy: nanoseconds(), timer_lag: nanoseconds() }
    }

    /// Empties the counts and keeps their memory.
    pub fn clear(&mut self) {
        self.turns = 0;
        self.busy.reset();
        self.timer_lag.reset();
    }

    pub(crate) fn record_busy(&mut self, busy: Duration) {
        self.busy.saturating_record(to_nanoseconds(busy));
    }

    pub(crate) fn record_lag(&mut self, lag: Duration) {
        self.timer_lag.saturating_record(to_nanoseconds(lag));
    }
}

impl Default for TurnStats {
    fn default() -> Self {
        Self::new()
    }
}

fn nanoseconds() -> Histogram<u64> {
    Histogram::new_with_bounds(1, LONGEST_NS, 2).expect("constant bounds within the crate's limits")
}

fn to_nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

const LONGEST_NS: u64 = 60_000_000_000;
