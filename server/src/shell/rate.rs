//! A bound on bytes per second that several transfers share: a bucket that fills with time.
//!
//! It must not know transfers; time is an argument. What is taken at once may make it owe: the next one then waits longer,
//! and the mean holds.

use std::time::{Duration, Instant};

/// Bytes per second, and how many of them may be taken now.
#[derive(Debug)]
pub(super) struct Rate {
    per_second: u64,
    /// May be below zero: then so much was taken ahead.
    tokens: f64,
    filled: Option<Instant>,
}

impl Rate {
    /// Sets, changes or lifts a bound.
    pub(super) fn set(rate: &mut Option<Rate>, per_second: Option<u64>) {
        match (rate.as_mut(), per_second) {
            (Some(rate), Some(per_second)) => rate.per_second = per_second,
            (None, Some(per_second)) => *rate = Some(Rate { per_second, tokens: 0.0, filled: None }),
            (_, None) => *rate = None,
        }
    }

    /// How many bytes may move now.
    ///
    /// # Errors
    /// None: how long to wait.
    pub(super) fn available(&mut self, now: Instant) -> Result<usize, Duration> {
        let rate = self.per_second as f64;
        let most = (rate * BURST.as_secs_f64()).max(1.0);
        self.tokens = match self.filled {
            Some(filled) => most.min(self.tokens + rate * now.saturating_duration_since(filled).as_secs_f64()),
            None => most,
        };
        self.filled = Some(now);
        if self.tokens >= 1.0 {
            return Ok(self.tokens as usize);
        }
        // Long enough that it is worth its while, and a slow one still moves several times in a second.
        let wanted = (rate * PAUSE.as_secs_f64()).max(1.0);
        // A fraction that is lost in rounding must not make it a pause of nothing.
        Err(Duration::from_secs_f64((wanted - self.tokens) / rate).max(PAUSE_MIN))
    }

    /// Bytes have moved.
    pub(super) fn take(&mut self, count: u64) {
        self.tokens -= count as f64;
    }
}

/// What may come at once after a rest.
const BURST: Duration = Duration::from_millis(250);

const PAUSE: Duration = Duration::from_millis(50);

const PAUSE_MIN: Duration = Duration::from_millis(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mean_is_the_rate_however_it_is_taken() {
        for (per_second, piece) in [(1000u64, 7u64), (1000, 100_000), (50 << 20, 256 << 10), (3, 1)] {
            let mut rate = None;
            Rate::set(&mut rate, Some(per_second));
            let rate = rate.as_mut().unwrap();
            let start = Instant::now();
            let (mut now, mut moved) = (start, 0);
            // Enough that the burst at the beginning does not matter.
            while moved < per_second * 100 {
                match rate.available(now) {
                    Ok(most) => {
                        let count = piece.min(most as u64);
                        rate.take(count);
                        moved += count;
                    }
                    Err(pause) => now += pause,
                }
            }
            let seconds = (now - start).as_secs_f64();
            assert!((98.0..=101.0).contains(&seconds), "{per_second}/s took {seconds} s for 100 s");
        }
    }

    #[test]
    fn a_rest_saves_no_more_than_the_burst() {
        let mut rate = None;
        Rate::set(&mut rate, Some(1000));
        let now = Instant::now();
        assert_eq!(rate.as_mut().unwrap().available(now), Ok(250));
        assert_eq!(rate.as_mut().unwrap().available(now + Duration::from_secs(3600)), Ok(250));
        Rate::set(&mut rate, None);
        assert!(rate.is_none());
    }
}
