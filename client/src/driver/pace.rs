//! A limit on the bytes per second of one transfer.

use std::time::{Duration, Instant};

/// Says how much may move now, and when more may.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    bytes_per_second: u64,
    started: Instant,
    moved: u64,
}

impl Pace {
    pub(super) fn new(bytes_per_second: u64, now: Instant) -> Pace {
        Pace { bytes_per_second: bytes_per_second.max(1), started: now, moved: 0 }
    }

    /// Bytes that may move now; 0 while less than a worthwhile piece is allowed.
    pub(super) fn allowance(&self, now: Instant) -> usize {
        let earned = self.earned(now.saturating_duration_since(self.started));
        let allowed = earned.saturating_sub(self.moved);
        if allowed < self.piece() { 0 } else { usize::try_from(allowed).unwrap_or(usize::MAX) }
    }

    /// When [`Pace::allowance`] will be above 0.
    pub(super) fn next(&self) -> Instant {
        let nanoseconds =
            u128::from(self.moved + self.piece()) * NANOSECONDS_PER_SECOND / u128::from(self.bytes_per_second);
        self.started + Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX)) + Duration::from_nanos(1)
    }

    pub(super) fn moved(&mut self, bytes: usize) {
        self.moved += bytes as u64;
    }

    fn earned(&self, elapsed: Duration) -> u64 {
        let bytes = elapsed.as_nanos() * u128::from(self.bytes_per_second) / NANOSECONDS_PER_SECOND;
        u64::try_from(bytes).unwrap_or(u64::MAX)
    }

    /// A fiftieth of a second's worth: steps small enough to look steady, large enough to be worth a system call.
    fn piece(&self) -> u64 {
        (self.bytes_per_second / 50).max(1)
    }
}

const NANOSECONDS_PER_SECOND: u128 = 1_000_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_gives_the_rate_and_no_more() {
        for rate in [1, 7, 1_000, 1_000_000_000] {
            let start = Instant::now();
            let mut pace = Pace::new(rate, start);
            let (mut now, mut total) = (start, 0u64);
            while now <= start + Duration::from_secs(1) {
                let allowed = pace.allowance(now);
                pace.moved(allowed);
                total += allowed as u64;
                let next = pace.next();
                assert!(next > now, "time goes on");
                now = next;
                assert!(pace.allowance(now) > 0, "the wait is long enough at {rate}/s");
            }
            assert!(total <= rate && (total + pace.piece()) * 100 >= rate * 97, "{total} of {rate}");
        }
    }
}
