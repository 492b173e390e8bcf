//! What one interval recorded: the unit that the loop hands to the reporter.
//!
//! Must not know where it goes.
//!
//! Invariant: a histogram exists once its measure was used, and is then kept for all later intervals, so the steady
//! state allocates nothing.

use std::time::Instant;

use super::failures::FailureTable;
use super::recorder::Stage;
use super::sample::{Phase, Sample, SampleResult};
use super::series::{Measure, Series};

/// One interval.
#[derive(Debug)]
pub struct IntervalSet {
    /// The stage it belongs to.
    pub stage: Stage,
    /// When it began.
    pub from: Instant,
    /// When it was handed over.
    pub to: Instant,
    /// Operations due after the warm-up, by index.
    pub measured: Vec<OperationSet>,
    /// Operations due in the warm-up, by index.
    pub warmup: Vec<OperationSet>,
    /// Operations that became due, by index.
    pub due: Vec<u64>,
    /// Operations that a session took, by index.
    pub started: Vec<u64>,
    /// How late the loop served due times.
    pub lag: Series,
    /// How long the loop was busy in turns that had work.
    pub turn: Series,
    /// All turns.
    pub turns: u64,
    /// Values above the longest that is recorded.
    pub unrecordable: u64,
    /// Times that the reporter had no empty set ready, so that this interval is longer.
    pub late_hand_overs: u64,
    /// Failures.
    pub failures: FailureTable,
    /// How things stood when it was handed over.
    pub gauges: Gauges,
}

/// One operation in one interval.
#[derive(Debug, Default)]
pub struct OperationSet {
    series: [Option<Box<Series>>; Measure::COUNT],
    /// What was counted.
    pub counts: OperationCounts,
}

/// Counts of finished operations.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct OperationCounts {
    /// Ended as expected.
    pub good: u64,
    /// Did not.
    pub failed: u64,
    /// Bytes received on data connections.
    pub bytes_in: u64,
    /// Bytes sent on data connections.
    pub bytes_out: u64,
    /// Good ones whose every byte was compared.
    pub contents_verified: u64,
    /// Good ones whose listing was compared and whole.
    pub listings_verified: u64,
}

/// How things stand at one moment. The counters are since the start of the run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Gauges {
    /// Operations under way.
    pub in_flight: u64,
    /// Operations that are due and wait for a session.
    pub waiting: u64,
    /// Sessions that the scenario asks for, idle ones included.
    pub sessions_wanted: u64,
    /// Sessions that are open; one that ended as planned and is being made anew counts.
    pub sessions_open: u64,
    /// Sessions that ended without being asked to (counter).
    pub sessions_lost: u64,
    /// Files put in place before the clock starts, and after the run: uploads read back (counter of the stage).
    pub steps_done: u64,
    /// How many of them there are.
    pub steps_total: u64,
}

impl IntervalSet {
    /// An empty set for so many operations.
    pub fn new(operations: usize, stage: Stage, now: Instant) -> IntervalSet {
        let sets = || (0..operations).map(|_| OperationSet::default()).collect();
        IntervalSet {
            stage,
            from: now,
            to: now,
            measured: sets(),
            warmup: sets(),
            due: vec![0; operations],
            started: vec![0; operations],
            lag: Series::new(),
            turn: Series::new(),
            turns: 0,
            unrecordable: 0,
            late_hand_overs: 0,
            failures: FailureTable::default(),
            gauges: Gauges::default(),
        }
    }

    /// Counts a finished operation, all but its failure's report.
    pub(crate) fn record(&mut self, sample: &Sample) {
        let half = if sample.warmup { &mut self.warmup } else { &mut self.measured };
        self.unrecordable += half[sample.operation].record(sample);
    }

    /// Empties it and keeps its memory.
    pub fn reset(&mut self) {
        for operation in self.measured.iter_mut().chain(&mut self.warmup) {
            operation.reset();
        }
        self.due.fill(0);
        self.started.fill(0);
        self.lag.reset();
        self.turn.reset();
        self.turns = 0;
        self.unrecordable = 0;
        self.late_hand_overs = 0;
        self.failures = FailureTable::default();
    }
}

impl OperationSet {
    /// The values of a measure, when there was one ever.
    pub fn series(&self, measure: Measure) -> Option<&Series> {
        self.series[measure.index()].as_deref()
    }

    /// Adds another set's counts and values.
    pub fn add(&mut self, other: &OperationSet) {
        self.counts.add(&other.counts);
        for (total, part) in self.series.iter_mut().zip(&other.series) {
            if let Some(part) = part.as_deref().filter(|part| part.count() > 0) {
                total.get_or_insert_default().add(part);
            }
        }
    }

    /// Returns how many values were too long to be recorded.
    fn record(&mut self, sample: &Sample) -> u64 {
        let counts = &mut self.counts;
        counts.bytes_in += sample.bytes_in;
        counts.bytes_out += sample.bytes_out;
        match &sample.result {
            SampleResult::Failed(_) => {
                counts.failed += 1;
                self.record_value(Measure::Failed, sample.response())
            }
            SampleResult::Good { contents_verified, listing_verified } => {
                counts.good += 1;
                counts.contents_verified += u64::from(*contents_verified);
                counts.listings_verified += u64::from(*listing_verified);
                self.record_good(sample)
            }
        }
    }

    fn record_good(&mut self, sample: &Sample) -> u64 {
        let mut too_long = self.record_value(Measure::Response, sample.response());
        too_long += self.record_value(Measure::Service, sample.service());
        for phase in Phase::ALL {
            let ns = sample.phases[phase as usize];
            // No wait is a value; any other phase of no length did not take place.
            if ns > 0 || phase == Phase::Wait {
                too_long += self.record_value(Measure::Phase(phase), ns);
            }
        }
        too_long
    }

    fn record_value(&mut self, measure: Measure, ns: u64) -> u64 {
        let series = self.series[measure.index()].get_or_insert_default();
        u64::from(series.record(ns).is_err())
    }

    fn reset(&mut self) {
        self.counts = OperationCounts::default();
        for series in self.series.iter_mut().flatten() {
            if series.count() > 0 {
                series.reset();
            }
        }
    }
}

impl OperationCounts {
    /// Adds other counts.
    pub fn add(&mut self, other: &OperationCounts) {
        self.good += other.good;
        self.failed += other.failed;
        self.bytes_in += other.bytes_in;
        self.bytes_out += other.bytes_out;
        self.contents_verified += other.contents_verified;
        self.listings_verified += other.listings_verified;
    }
}
