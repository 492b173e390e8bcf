//! Made-up samples and summaries for tests. None of the figures were measured.

use std::collections::BTreeMap;

use crate::record::{FailureKind, FailureReport, IntervalSet, Phase, Sample, SampleResult};
use crate::scenario::{self, Scenario};

use super::summary::{
    ErrorSummary, GeneratorSummary, MeasureSummary, OperationSummary, ServerSummary, Summary, ThresholdResult, Trust,
    UnfinishedSummary, Unit, Verdict, Verification, Window, percentile_name,
};
use super::threshold::Figures;
use super::totals::Totals;

/// A small scenario: two operations (`get`, `ls`) and two thresholds.
pub(crate) fn scenario() -> Scenario {
    const TEXT: &str = r#"
        schema = 1
        name = "made-up"
        [run]
        warmup = "1s"
        duration = "3s"
        [[files]]
        set = "small"
        count = 10
        size = "4KiB"
        [[operation]]
        name = "get"
        do = "get"
        files = "small"
        [[operation]]
        name = "list"
        do = "ls"
        [[threshold]]
        that = "all.errors == 0"
        [[threshold]]
        that = "get.response.p99 < 20ms"
    "#;
    scenario::load_text("made-up.toml", TEXT, &scenario::Overrides::default()).expect("the text is right").scenario
}

/// A get that went well.
pub(crate) fn good(operation: usize, phases: [u64; 8], bytes_in: u64) -> Sample {
    let result = SampleResult::Good { contents_verified: true, listing_verified: false };
    Sample { operation, warmup: false, phases, bytes_in, bytes_out: 0, result }
}

/// A get that was refused after a millisecond.
pub(crate) fn failed(operation: usize) -> Sample {
    let report = FailureReport {
        kind: FailureKind::Refused,
        phase: Phase::Negotiate,
        code: Some(550),
        text: "550 no such file".to_owned(),
        transcript: vec!["C: GET x".to_owned(), "S: 550 no such file".to_owned()],
    };
    let result = SampleResult::Failed(Box::new(report));
    Sample { result, ..good(operation, [0, 0, 0, 1_000_000, 0, 0, 0, 0], 0) }
}

/// An upload that was not there any more.
pub(crate) fn lost_upload() -> FailureReport {
    FailureReport {
        kind: FailureKind::LostUpload,
        phase: Phase::Negotiate,
        code: Some(550),
        text: "x: refused: no such file".to_owned(),
        transcript: Vec::new(),
    }
}

/// Records as the recorder does, without its channel.
pub(crate) fn record(set: &mut IntervalSet, sample: &Sample) {
    set.record(sample);
}

/// Figures of ten seconds without processes.
pub(super) fn figures(totals: &Totals) -> Figures<'_> {
    Figures {
        totals,
        window_s: 10.0,
        verification_failures: 0,
        generator: None,
        server: None,
        server_rss_max: None,
        generator_rss_max: None,
    }
}

/// A quiet run that passed.
pub(crate) fn summary() -> Summary {
    Summary {
        schema: 1,
        version: "0.1.0".to_owned(),
        name: "mixed3".to_owned(),
        description: "three clients, mixed GET, PUT and LS, as fast as they can".to_owned(),
        seed: 42,
        digest: "3f9c0b1d5e7788a1".to_owned(),
        target: "embedded muxftpd  simple 127.0.0.1:40211".to_owned(),
        load: "closed loop, 3 clients".to_owned(),
        started: "2026-11-20T21:08:06.000Z".to_owned(),
        ended: "2026-11-20T21:08:28.012Z".to_owned(),
        window: Window { warmup_s: 2.0, measured_s: 20.0, drain_s: 0.01 },
        interrupted: false,
        passed: true,
        failed_because: Vec::new(),
        verdict: Verdict { trust: Trust::Trustworthy, reasons: Vec::new() },
        thresholds: vec![
            threshold("all.errors == 0", 0.0, 0.0, Unit::Count, true),
            threshold("get-small.response.p99 < 20ms", 870_000.0, 2e7, Unit::Nanoseconds, true),
        ],
        percentiles: vec![50.0, 90.0, 99.0, 99.9],
        operations: vec![
            operation("get-small", "get", 116_902, [190_000, 310_000, 870_000, 3_020_000], 11_400_000),
            operation("put", "put", 81_835, [270_000, 490_000, 1_600_000, 4_410_000], 12_700_000),
            operation("ls", "ls", 23_381, [220_000, 360_000, 950_000, 2_880_000], 9_900_000),
        ],
        all: operation("all", "mix", 222_118, [230_000, 640_000, 7_020_000, 10_900_000], 14_300_000),
        verification: Verification {
            transfers: 210_428,
            transfers_verified: 210_428,
            bytes: 57_600_000_000,
            listings: 23_381,
            listings_verified: 23_381,
            read_back: 206,
            ..Verification::default()
        },
        errors: Vec::new(),
        unfinished: Vec::new(),
        generator: GeneratorSummary {
            lag: Some(measure(1_000, [20_000, 40_000, 80_000, 95_000], 99_000)),
            turn: Some(measure(90_000, [30_000, 60_000, 210_000, 400_000], 900_000)),
            turns: 95_000,
            cpu: Some(0.63),
            rss_max: Some(30 << 20),
            sessions_wanted: 3,
            sessions_reached: 3,
            sessions_lost: 0,
            unrecordable: 0,
            cores: Some(4),
        },
        server: Some(ServerSummary {
            pid: 4711,
            cpu_ns: Some(19_400_000_000),
            cpu: Some(0.97),
            rss_max: 6_396_313,
            descriptors_max: Some(41),
        }),
        notes: Vec::new(),
        directory: "results/mixed3-20261120T210806Z-s42".to_owned(),
    }
}

/// A run that broke a threshold, had failures, and whose generator was too busy.
pub(crate) fn failing_summary() -> Summary {
    let broken = ThresholdResult {
        note: "service time 41.0 ms: the rest is waiting for a free session".to_owned(),
        ..threshold("get-small.response.p99 < 100ms", 3.12e8, 1e8, Unit::Nanoseconds, false)
    };
    let mut summary = summary();
    summary.operations[1].failed = 118;
    summary.all.failed = 118;
    Summary {
        passed: false,
        failed_because: vec!["1 of 2 thresholds broken".to_owned(), "121 operations failed".to_owned()],
        verdict: Verdict {
            trust: Trust::Doubtful,
            reasons: vec!["generator CPU 99 % of a core: it may be the bottleneck".to_owned()],
        },
        thresholds: vec![threshold("verify.failures == 0", 0.0, 0.0, Unit::Count, true), broken],
        errors: vec![
            error("refused", Some(550), "data-connect", 118, "550 cannot open a data connection"),
            error("timed out", None, "complete", 3, "10 s after the last byte"),
        ],
        unfinished: vec![
            UnfinishedSummary { operation: "put".to_owned(), age_s: 31.4 },
            UnfinishedSummary { operation: "ls".to_owned(), age_s: 12.0 },
        ],
        generator: GeneratorSummary { cpu: Some(0.99), lag: None, ..summary.generator },
        server: None,
        notes: vec!["no operation had a due time of its own, so the generator's lag says nothing".to_owned()],
        ..summary
    }
}

fn threshold(that: &str, value: f64, limit: f64, unit: Unit, kept: bool) -> ThresholdResult {
    ThresholdResult {
        that: that.to_owned(),
        value: Some(value),
        limit,
        unit,
        kept,
        margin: (limit != 0.0).then(|| (limit - value) / limit),
        note: String::new(),
    }
}

fn operation(name: &str, action: &str, done: u64, percentiles: [u64; 4], max: u64) -> OperationSummary {
    let bytes = done * 4_096;
    let mut measures = BTreeMap::from([
        ("response".to_owned(), measure(done, percentiles, max)),
        ("wait".to_owned(), measure(done, [0, 0, 3_000, 10_000], 20_000)),
        ("negotiate".to_owned(), measure(done, [40_000, 90_000, 210_000, 800_000], 2_000_000)),
        ("transfer".to_owned(), measure(done, [10_000, 20_000, 50_000, 90_000], 7_000_000)),
    ]);
    if action == "ls" {
        // Too few for a p99.
        let mut few = measure(99, [50_000, 60_000, 0, 0], 100_000);
        few.percentiles.insert("p99".to_owned(), None);
        measures.insert("negotiate".to_owned(), few);
    }
    OperationSummary {
        name: name.to_owned(),
        action: action.to_owned(),
        done,
        failed: 0,
        rate: Some(done as f64 / 20.0),
        bytes_in: bytes,
        bytes_out: 0,
        throughput: Some(bytes as f64 / 20.0),
        measures,
    }
}

fn measure(n: u64, percentiles: [u64; 4], max: u64) -> MeasureSummary {
    let names = [50.0, 90.0, 99.0, 99.9].map(percentile_name);
    let percentiles = names.into_iter().zip(percentiles.map(Some)).collect();
    MeasureSummary { n, min: 1_000, mean: 250_000.5, max, percentiles }
}

fn error(kind: &str, code: Option<u16>, phase: &str, count: u64, text: &str) -> ErrorSummary {
    ErrorSummary {
        kind: kind.to_owned(),
        code,
        phase: phase.to_owned(),
        operation: "put".to_owned(),
        count,
        in_warmup: 2,
        first: "2026-11-20T21:10:04.212Z".to_owned(),
        last: "2026-11-20T21:10:14.900Z".to_owned(),
        text: text.to_owned(),
    }
}
