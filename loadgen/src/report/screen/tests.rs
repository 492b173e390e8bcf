//! A made-up run for the tests of the screens.

use std::time::Instant;

use super::*;
use crate::record::{Gauges, IntervalSet};
use crate::report::fixture;

/// A run of which each second is like the one before: 100 gets of 0.01 ms to 1 ms, and a failed one.
pub(super) struct Scene {
    scenario: Scenario,
    totals: Totals,
    interval: IntervalSet,
    response: Series,
    history: History,
    thresholds: Vec<ThresholdResult>,
}

impl Scene {
    pub fn new() -> Scene {
        Scene {
            scenario: fixture::scenario(),
            totals: Totals::new(2),
            interval: IntervalSet::new(2, Stage::Measure, Instant::now()),
            response: Series::new(),
            history: History::default(),
            thresholds: fixture::failing_summary().thresholds,
        }
    }

    pub fn run_a_second(&mut self) {
        self.interval.reset();
        self.response.reset();
        for n in 1..=100 {
            let sample = fixture::good(0, [0, 0, 0, n * 10_000, 0, 0, 0, 0], 40_000);
            fixture::record(&mut self.interval, &sample);
            self.response.record(sample.response()).unwrap();
        }
        let failed = fixture::failed(0);
        fixture::record(&mut self.interval, &failed);
        if let crate::record::SampleResult::Failed(report) = &failed.result {
            self.interval.failures.record(0, false, report, Default::default(), false);
        }
        self.interval.lag.record(50_000).unwrap();
        self.interval.gauges = Gauges { sessions_wanted: 3, sessions_open: 3, ..Gauges::default() };
        self.totals.add(&mut self.interval);
        self.history.add(100.0, 990_000.0);
    }

    pub fn view(&self, time_s: f64) -> View<'_> {
        View {
            scenario: &self.scenario,
            target: "simple 127.0.0.1:2121",
            stage: Stage::Measure,
            stage_s: time_s,
            time_s,
            totals: &self.totals,
            interval: &self.interval,
            interval_s: 1.0,
            response: &self.response,
            history: &self.history,
            generator: None,
            server: None,
            thresholds: &self.thresholds,
        }
    }
}
