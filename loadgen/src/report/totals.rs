//! The sums of all intervals.
//!
//! Must not know files or screens.
//!
//! Invariant: memory is that of one interval, however long the run is.

use std::time::{Duration, Instant};

use crate::record::{FailureTable, Gauges, IntervalSet, Measure, OperationSet, Series, Stage};

/// The sums of all intervals so far.
#[derive(Debug)]
pub(super) struct Totals {
    /// Operations due after the warm-up, by index.
    pub measured: Vec<OperationSet>,
    /// Operations due in the warm-up, by index.
    pub warmup: Vec<OperationSet>,
    /// All operations due after the warm-up.
    pub all: OperationSet,
    /// How late due times were served in the measured window.
    pub lag: Series,
    /// How long the loop was busy in a turn, in the measured window.
    pub turn: Series,
    /// Turns in the measured window.
    pub turns: u64,
    /// Values above the longest that is recorded.
    pub unrecordable: u64,
    /// Failures, those of the warm-up included.
    pub failures: FailureTable,
    /// Sessions open at most.
    pub sessions_reached: u64,
    /// How things stood at the last hand-over.
    pub gauges: Gauges,
}

impl Totals {
    pub fn new(operations: usize) -> Totals {
        let sets = || (0..operations).map(|_| OperationSet::default()).collect();
        Totals {
            measured: sets(),
            warmup: sets(),
            all: OperationSet::default(),
            lag: Series::new(),
            turn: Series::new(),
            turns: 0,
            unrecordable: 0,
            failures: FailureTable::default(),
            sessions_reached: 0,
            gauges: Gauges::default(),
        }
    }

    /// Adds an interval; takes its failures away.
    pub fn add(&mut self, interval: &mut IntervalSet) {
        for (total, part) in self.measured.iter_mut().zip(&interval.measured) {
            total.add(part);
            self.all.add(part);
        }
        for (total, part) in self.warmup.iter_mut().zip(&interval.warmup) {
            total.add(part);
        }
        if interval.stage == Stage::Measure {
            self.lag.add(&interval.lag);
            self.turn.add(&interval.turn);
            self.turns += interval.turns;
        }
        self.unrecordable += interval.unrecordable;
        self.failures.take_in(&mut interval.failures);
        self.sessions_reached = self.sessions_reached.max(interval.gauges.sessions_open);
        self.gauges = interval.gauges;
    }

    /// Operations finished, measured ones: good and failed.
    pub fn finished(&self) -> (u64, u64) {
        (self.all.counts.good, self.all.counts.failed)
    }
}

/// Response times of one interval, warm-up included.
#[derive(Debug)]
pub(super) struct Responses {
    /// Of each operation, by index.
    pub each: Vec<Series>,
    /// Of all.
    pub all: Series,
}

impl Responses {
    pub fn new(operations: usize) -> Responses {
        Responses { each: (0..operations).map(|_| Series::new()).collect(), all: Series::new() }
    }

    /// Forgets the interval before and takes in this one.
    pub fn take_in(&mut self, interval: &IntervalSet) {
        self.all.reset();
        for (index, response) in self.each.iter_mut().enumerate() {
            response.reset();
            for half in [&interval.measured[index], &interval.warmup[index]] {
                if let Some(series) = half.series(Measure::Response) {
                    response.add(series);
                }
            }
            self.all.add(response);
        }
    }
}

/// When the stages of the run began.
#[derive(Debug, Clone, Copy)]
pub(super) struct Timeline {
    created: Instant,
    begun: [Option<Instant>; 5],
    ended: Option<Instant>,
}

impl Timeline {
    pub fn new(now: Instant) -> Timeline {
        let mut begun = [None; 5];
        begun[Stage::Preload as usize] = Some(now);
        Timeline { created: now, begun, ended: None }
    }

    pub fn enter(&mut self, stage: Stage, at: Instant) {
        self.begun[stage as usize] = Some(at);
    }

    pub fn end(&mut self, at: Instant) {
        self.ended = Some(at);
    }

    /// When a stage began.
    pub fn begun(&self, stage: Stage) -> Option<Instant> {
        self.begun[stage as usize]
    }

    /// When the operations began: zero of the interval files.
    pub fn zero(&self) -> Instant {
        self.begun(Stage::Warmup).or(self.begun(Stage::Measure)).unwrap_or(self.created)
    }

    /// Length of a stage until the next one, the end, or `now`; zero when it did not take place.
    pub fn length(&self, stage: Stage, now: Instant) -> Duration {
        let Some(begun) = self.begun(stage) else { return Duration::ZERO };
        let later = self.begun[stage as usize + 1..].iter().flatten().next().copied();
        later.or(self.ended).unwrap_or(now).saturating_duration_since(begun)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stage_lasts_until_the_next_that_took_place() {
        let zero = Instant::now();
        let at = |seconds| zero + Duration::from_secs(seconds);
        let mut timeline = Timeline::new(zero);
        timeline.enter(Stage::Measure, at(3));
        assert_eq!(timeline.length(Stage::Preload, at(9)), Duration::from_secs(3));
        assert_eq!(timeline.length(Stage::Warmup, at(9)), Duration::ZERO);
        assert_eq!(timeline.length(Stage::Measure, at(9)), Duration::from_secs(6));
        timeline.enter(Stage::Drain, at(10));
        timeline.end(at(12));
        assert_eq!(timeline.length(Stage::Measure, at(99)), Duration::from_secs(7));
        assert_eq!(timeline.length(Stage::Drain, at(99)), Duration::from_secs(2));
        assert_eq!(timeline.zero(), at(3));
    }
}
