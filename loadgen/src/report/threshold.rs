//! Thresholds against what was measured.
//!
//! Must not know how thresholds are written.
//!
//! Invariant: a threshold whose value does not exist is broken, never kept by silence.

use crate::record::{Measure, OperationSet, Series};
use crate::scenario::threshold::{Comparison, MeasureName, Metric, Statistic, Subject, Threshold};

use super::summary::{ThresholdResult, Unit};
use super::text::numbers;
use super::totals::Totals;
use super::usage::WindowUsage;

/// What thresholds are compared with.
#[derive(Debug, Clone, Copy)]
pub(super) struct Figures<'a> {
    pub totals: &'a Totals,
    /// Seconds measured.
    pub window_s: f64,
    /// Failed verifications, those found by reading back included.
    pub verification_failures: u64,
    pub generator: Option<WindowUsage>,
    pub server: Option<WindowUsage>,
    /// Bytes resident at most.
    pub server_rss_max: Option<u64>,
    /// Bytes resident at most.
    pub generator_rss_max: Option<u64>,
}

/// What became of a threshold.
pub(super) fn evaluate(threshold: &Threshold, figures: &Figures<'_>) -> ThresholdResult {
    let value = value_of(threshold, figures);
    let kept = value.is_some_and(|value| threshold.op.holds(value, threshold.value));
    let unit = unit_of(threshold.metric);
    ThresholdResult {
        that: threshold.text.clone(),
        value,
        limit: threshold.value,
        unit,
        kept,
        margin: value.and_then(|value| margin(threshold, value)),
        note: note(threshold, figures, value, kept),
    }
}

fn value_of(threshold: &Threshold, figures: &Figures<'_>) -> Option<f64> {
    let set = operation_set(threshold.subject, figures.totals);
    let per_second = |count: f64| (figures.window_s > 0.0).then(|| count / figures.window_s);
    match threshold.metric {
        Metric::Latency { measure, statistic } => statistic_of(set?.series(measure_of(measure)), statistic),
        Metric::Errors => Some(set?.counts.failed as f64),
        Metric::ErrorRate => {
            let counts = set?.counts;
            let finished = counts.good + counts.failed;
            (finished > 0).then(|| counts.failed as f64 / finished as f64)
        }
        Metric::Rate => per_second(set?.counts.good as f64),
        Metric::Throughput => per_second((set?.counts.bytes_in + set?.counts.bytes_out) as f64),
        Metric::Failures => Some(figures.verification_failures as f64),
        Metric::Lag(statistic) => statistic_of(Some(&figures.totals.lag), statistic),
        Metric::Cpu if threshold.subject == Subject::Server => figures.server.map(|usage| usage.cpu),
        Metric::Cpu => figures.generator.map(|usage| usage.cpu),
        Metric::Rss if threshold.subject == Subject::Server => figures.server_rss_max.map(|bytes| bytes as f64),
        Metric::Rss => figures.generator_rss_max.map(|bytes| bytes as f64),
    }
}

fn operation_set(subject: Subject, totals: &Totals) -> Option<&OperationSet> {
    match subject {
        Subject::All => Some(&totals.all),
        Subject::Operation(index) => totals.measured.get(index),
        Subject::Verify | Subject::Generator | Subject::Server => None,
    }
}

fn statistic_of(series: Option<&Series>, statistic: Statistic) -> Option<f64> {
    let values = series.filter(|series| series.count() > 0);
    match statistic {
        Statistic::Count => Some(values.map_or(0, Series::count) as f64),
        Statistic::Percentile(percent) => Some(values?.percentile(percent) as f64),
        Statistic::Max => Some(values?.max() as f64),
        Statistic::Mean => Some(values?.mean()),
    }
}

fn measure_of(name: MeasureName) -> Measure {
    match name {
        MeasureName::Response => Measure::Response,
        MeasureName::Service => Measure::Service,
        MeasureName::Phase(phase) => Measure::Phase(phase),
    }
}

fn unit_of(metric: Metric) -> Unit {
    match metric {
        Metric::Latency { statistic: Statistic::Count, .. } | Metric::Lag(Statistic::Count) => Unit::Count,
        Metric::Latency { .. } | Metric::Lag(_) => Unit::Nanoseconds,
        Metric::Errors | Metric::Failures => Unit::Count,
        Metric::ErrorRate | Metric::Cpu => Unit::Share,
        Metric::Rate => Unit::PerSecond,
        Metric::Throughput => Unit::BytesPerSecond,
        Metric::Rss => Unit::Bytes,
    }
}

fn margin(threshold: &Threshold, value: f64) -> Option<f64> {
    if threshold.value == 0.0 {
        return None;
    }
    let below = (threshold.value - value) / threshold.value;
    match threshold.op {
        Comparison::Less | Comparison::LessEqual => Some(below),
        Comparison::Greater | Comparison::GreaterEqual => Some(-below),
        Comparison::Equal => Some(-below.abs()),
    }
}

/// What explains the value: that it does not exist, stands on little, or is mostly waiting.
fn note(threshold: &Threshold, figures: &Figures<'_>, value: Option<f64>, kept: bool) -> String {
    if value.is_none() {
        return missing(threshold.metric).to_owned();
    }
    let Metric::Latency { measure, statistic: statistic @ Statistic::Percentile(percent) } = threshold.metric else {
        return String::new();
    };
    let Some(set) = operation_set(threshold.subject, figures.totals) else { return String::new() };
    let Some(series) = set.series(measure_of(measure)) else { return String::new() };
    if series.supported_percentile(percent).is_none() {
        return format!("stands on {} values only", numbers::count(series.count()));
    }
    let service = statistic_of(set.series(Measure::Service), statistic).unwrap_or(0.0);
    if !kept && measure == MeasureName::Response && value.is_some_and(|response| service < response / 2.0) {
        let service = numbers::duration(service as u64);
        return format!("service time {service}: the rest is waiting for a free session");
    }
    String::new()
}

fn missing(metric: Metric) -> &'static str {
    match metric {
        Metric::Cpu | Metric::Rss => "the process could not be sampled",
        Metric::Lag(_) => "there were no due times to be late for",
        _ => "nothing was measured",
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::record::{IntervalSet, Phase, Sample, SampleResult, Stage};
    use crate::report::fixture;

    const MS: u64 = 1_000_000;

    fn totals() -> Totals {
        let mut set = IntervalSet::new(2, Stage::Measure, Instant::now());
        for n in 1..=1_000 {
            fixture::record(&mut set, &fixture::good(0, [0, 0, 0, n * MS / 100, 0, 0, 0, 0], 1_000));
        }
        // Operation 1 waited for most of its time.
        for _ in 0..1_000 {
            fixture::record(&mut set, &fixture::good(1, [90 * MS, 0, 0, 10 * MS, 0, 0, 0, 0], 0));
        }
        fixture::record(&mut set, &fixture::failed(1));
        let mut totals = Totals::new(2);
        totals.add(&mut set);
        totals
    }

    fn threshold(subject: Subject, metric: Metric, op: Comparison, value: f64) -> Threshold {
        Threshold { text: "as written".to_owned(), subject, metric, op, value }
    }

    fn latency(measure: MeasureName, statistic: Statistic) -> Metric {
        Metric::Latency { measure, statistic }
    }

    #[test]
    fn each_metric_has_its_value_and_unit() {
        let totals = totals();
        let figures = Figures {
            totals: &totals,
            window_s: 10.0,
            verification_failures: 3,
            generator: Some(WindowUsage { cpu_ns: 1, cpu: 0.63 }),
            server: None,
            server_rss_max: None,
            generator_rss_max: Some(4096),
        };
        let response = |statistic| latency(MeasureName::Response, statistic);
        let one = Subject::Operation(0);
        use Comparison::{Equal, Greater, Less};
        let table = [
            (one, response(Statistic::Max), Equal, 1e7, true, Unit::Nanoseconds),
            (one, response(Statistic::Count), Equal, 1000.0, true, Unit::Count),
            (one, response(Statistic::Mean), Equal, 5_005_000.0, true, Unit::Nanoseconds),
            (one, response(Statistic::Percentile(50.0)), Less, 5_010_000.0, true, Unit::Nanoseconds),
            (one, response(Statistic::Percentile(50.0)), Less, 4_900_000.0, false, Unit::Nanoseconds),
            (one, latency(MeasureName::Phase(Phase::Negotiate), Statistic::Max), Equal, 1e7, true, Unit::Nanoseconds),
            (one, latency(MeasureName::Phase(Phase::Connect), Statistic::Max), Less, 1e9, false, Unit::Nanoseconds),
            (one, Metric::Errors, Equal, 0.0, true, Unit::Count),
            (Subject::All, Metric::Errors, Equal, 0.0, false, Unit::Count),
            (Subject::All, Metric::ErrorRate, Less, 0.001, true, Unit::Share),
            (Subject::All, Metric::Rate, Equal, 200.0, true, Unit::PerSecond),
            (Subject::All, Metric::Throughput, Equal, 100_000.0, true, Unit::BytesPerSecond),
            (Subject::Verify, Metric::Failures, Equal, 0.0, false, Unit::Count),
            (Subject::Generator, Metric::Cpu, Less, 0.8, true, Unit::Share),
            (Subject::Generator, Metric::Rss, Greater, 4095.0, true, Unit::Bytes),
            (Subject::Generator, Metric::Lag(Statistic::Percentile(99.0)), Less, 1e6, false, Unit::Nanoseconds),
            (Subject::Server, Metric::Cpu, Less, 0.8, false, Unit::Share),
            (Subject::Server, Metric::Rss, Less, 1e9, false, Unit::Bytes),
        ];
        for (subject, metric, op, value, kept, unit) in table {
            let result = evaluate(&threshold(subject, metric, op, value), &figures);
            assert_eq!((result.kept, result.unit), (kept, unit), "{metric:?}: {result:?}");
            assert_eq!(result.value.is_none(), !result.note.is_empty(), "{result:?}");
        }
    }

    #[test]
    fn a_broken_response_says_how_much_was_waiting() {
        let totals = totals();
        let figures = fixture::figures(&totals);
        let metric = latency(MeasureName::Response, Statistic::Percentile(99.0));
        let result = evaluate(&threshold(Subject::Operation(1), metric, Comparison::Less, 5e7), &figures);
        assert!(!result.kept && result.note.contains("waiting for a free session"), "{result:?}");
        assert!((result.margin.unwrap() + 1.0).abs() < 0.01, "100 ms against 50 ms is one limit too much");
    }

    #[test]
    fn a_percentile_of_few_values_is_marked() {
        let totals = totals();
        let metric = latency(MeasureName::Response, Statistic::Percentile(99.9));
        let result =
            evaluate(&threshold(Subject::Operation(0), metric, Comparison::Less, 1e9), &fixture::figures(&totals));
        assert!(result.kept && result.note == "stands on 1,000 values only", "{result:?}");
    }

    #[test]
    fn samples_of_the_warmup_are_not_compared() {
        let mut set = IntervalSet::new(1, Stage::Warmup, Instant::now());
        let sample = Sample { warmup: true, ..fixture::good(0, [MS; 8], 0) };
        assert!(matches!(sample.result, SampleResult::Good { .. }));
        fixture::record(&mut set, &sample);
        let mut totals = Totals::new(1);
        totals.add(&mut set);
        let metric = latency(MeasureName::Response, Statistic::Count);
        let result = evaluate(&threshold(Subject::All, metric, Comparison::Equal, 0.0), &fixture::figures(&totals));
        assert_eq!(result.value, Some(0.0));
    }
}
