//! Runs without operations: made-up samples in, files and summaries out.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use base64::Engine as _;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::Deserializer;
use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};

use super::*;
use crate::record::{Audit, Gauges, Phase, Sample, SampleResult, Stage, Unfinished};

const MS: u64 = 1_000_000;

fn config(out_dir: &Path) -> ReportConfig {
    ReportConfig {
        scenario: fixture::scenario(),
        resolved_toml: "# resolved\n".to_owned(),
        out_dir: out_dir.to_owned(),
        screen: Screen::Quiet,
        server_pid: Some(std::process::id()),
        target_text: "embedded muxftpd  simple 127.0.0.1:40211".to_owned(),
        digest: "00112233445566".to_owned(),
        circumstances: Circumstances::default(),
    }
}

/// A second of warm-up, then three measured seconds of 500 gets and 100 listings, by the made-up clock `at`.
fn made_up_run(recorder: &mut Recorder, at: impl Fn(u64) -> Instant) {
    recorder.enter(Stage::Warmup, at(0));
    for n in 1..=50 {
        recorder.record(&Sample { warmup: true, ..get(n) });
    }
    recorder.enter(Stage::Measure, at(1));
    for second in 0..3 {
        for n in 1..=500 {
            recorder.due(0);
            recorder.started(0);
            recorder.record(&get(500 * second + n));
        }
        for n in 1..=100 {
            let result = SampleResult::Good { contents_verified: false, listing_verified: true };
            recorder.record(&Sample { result, ..fixture::good(1, [0, 0, 0, n * MS, 0, 0, 0, 0], 100) });
        }
        recorder.lag(10_000);
        let gauges = Gauges { sessions_wanted: 1, sessions_open: 1, in_flight: 1, ..Gauges::default() };
        recorder.set_gauges(gauges);
        recorder.hand_over(at(second + 2));
    }
    recorder.enter(Stage::Drain, at(4));
}

fn get(n: u64) -> Sample {
    // The first of a hundred makes its session.
    let connect = if n.is_multiple_of(100) { 70_000 } else { 0 };
    fixture::good(0, [n, connect, connect, 100_000, 50_000, 30_000 + n * 7, n * 1_000, 20_000], 4_096)
}

fn finished_run(out_dir: &Path, end: EndOfRun) -> Summary {
    let (mut recorder, handle) = start(config(out_dir)).unwrap();
    let zero = Instant::now();
    made_up_run(&mut recorder, |seconds| zero + Duration::from_secs(seconds));
    recorder.finish(zero + Duration::from_secs(4));
    handle.end(end)
}

/// The sums of a log's series by tag; the untagged one has the empty tag.
fn read_log(path: &Path) -> BTreeMap<String, Histogram<u64>> {
    let text = fs::read(path).unwrap();
    let mut sums: BTreeMap<String, Histogram<u64>> = BTreeMap::new();
    for entry in IntervalLogIterator::new(&text) {
        let LogEntry::Interval(interval) = entry.unwrap() else { continue };
        let bytes = base64::engine::general_purpose::STANDARD.decode(interval.encoded_histogram()).unwrap();
        let part: Histogram<u64> = Deserializer::new().deserialize(&mut &bytes[..]).unwrap();
        let tag = interval.tag().map_or(String::new(), |tag| tag.as_str().to_owned());
        sums.entry(tag).and_modify(|sum| sum.add(&part).unwrap()).or_insert(part);
    }
    sums
}

#[test]
fn a_run_leaves_all_its_files_and_they_agree() {
    let out = tempfile::tempdir().unwrap();
    let summary = finished_run(out.path(), EndOfRun::default());
    let directory = Path::new(&summary.directory);
    for name in [
        "summary.txt",
        "summary.json",
        "latency.hlog",
        "latency.svg",
        "intervals.csv",
        "generator.csv",
        "server.csv",
        "errors.csv",
        "environment.json",
        "scenario.toml",
        "resolved.toml",
        "hgrm/get.response.hgrm",
        "hgrm/all.response.hgrm",
        "hgrm/list.negotiate.hgrm",
    ] {
        assert!(fs::metadata(directory.join(name)).is_ok_and(|file| file.len() > 0), "{name}");
    }
    assert_eq!((summary.exit_code(), &summary.failed_because), (0, &Vec::new()));
    assert_eq!((summary.all.done, summary.operations[0].done, summary.operations[1].done), (1_800, 1_500, 300));
    assert_eq!((summary.all.rate, summary.operations[0].bytes_in), (Some(600.0), 1_500 * 4_096));
    assert_eq!((summary.verification.transfers, summary.verification.transfers_verified), (1_550, 1_550));
    assert_eq!((summary.verification.listings, summary.verification.listings_verified), (300, 300));
    assert_eq!(summary.generator.lag.as_ref().unwrap().n, 3);
    assert!(summary.server.is_some());

    let json = fs::read_to_string(directory.join("summary.json")).unwrap();
    let read: Summary = serde_json::from_str(&json).unwrap();
    assert_eq!(read, summary);
    let shown = fs::read_to_string(directory.join("summary.txt")).unwrap();
    assert_eq!(text::plain(&read), shown, "the text holds nothing but the summary");

    let intervals = fs::read_to_string(directory.join("intervals.csv")).unwrap();
    let done: u64 = intervals
        .lines()
        .filter(|line| line.contains(",run,get,"))
        .map(|line| line.split(',').nth(6).unwrap().parse::<u64>().unwrap())
        .sum();
    assert_eq!(done, 1_500);
}

#[test]
fn the_log_read_again_equals_the_totals() {
    let out = tempfile::tempdir().unwrap();
    let summary = finished_run(out.path(), EndOfRun::default());
    let log = read_log(&Path::new(&summary.directory).join("latency.hlog"));
    for operation in &summary.operations {
        for (measure, figures) in &operation.measures {
            let series = &log[&format!("{}.{measure}", operation.name)];
            assert_eq!(series.len(), figures.n);
            assert_eq!(series.max(), series.highest_equivalent(figures.max));
            if let Some(median) = figures.percentile(50.0) {
                assert_eq!(series.value_at_percentile(50.0).min(figures.max), median);
            }
        }
    }
    let mut all = log["get.response"].clone();
    all.add(&log["list.response"]).unwrap();
    assert_eq!(log[""], all, "untagged is the response of all");
    assert_eq!(log["warmup.get.response"].len(), 50);
    assert_eq!(log["generator.lag"].len(), 3);
}

#[test]
fn phases_add_up_to_the_response() {
    let out = tempfile::tempdir().unwrap();
    let summary = finished_run(out.path(), EndOfRun::default());
    for operation in &summary.operations {
        let sum = |measure: &str| {
            operation.measures.get(measure).map_or(0, |figures| (figures.mean * figures.n as f64).round() as u64)
        };
        let phases: u64 = Phase::ALL.iter().map(|phase| sum(phase.word())).sum();
        assert_eq!(phases, sum("response"), "{}", operation.name);
        assert_eq!(sum("service") + sum("wait"), sum("response"), "{}", operation.name);
    }
    assert_eq!(summary.operations[0].measures["connect"].n, 15, "only those that connected");
}

#[test]
fn failures_break_the_run_and_leave_their_dialogue() {
    let out = tempfile::tempdir().unwrap();
    let (mut recorder, handle) = start(config(out.path())).unwrap();
    let zero = Instant::now();
    made_up_run(&mut recorder, |seconds| zero + Duration::from_secs(seconds));
    (0..50).for_each(|_| recorder.record(&fixture::failed(0)));
    recorder.lost_upload(1, &fixture::lost_upload());
    recorder.finish(zero + Duration::from_secs(4));
    let summary = handle.end(EndOfRun {
        audit: Audit { read_back: 10, failed: 1 },
        unfinished: vec![Unfinished { operation: 1, age: Duration::from_secs(12) }],
        ..EndOfRun::default()
    });
    assert_eq!(summary.exit_code(), 1);
    assert_eq!(
        summary.failed_because,
        ["1 of 2 thresholds broken", "1 verification failed", "50 operations failed", "1 operation did not end"]
    );
    let counts: Vec<_> = summary.errors.iter().map(|error| (error.kind.as_str(), error.count)).collect();
    assert_eq!(counts, [("refused", 50), ("upload lost", 1)]);
    let directory = Path::new(&summary.directory);
    let transcripts = fs::read_dir(directory.join("errors")).unwrap().count();
    assert!((1..=crate::record::TRANSCRIPTS_MAX).contains(&transcripts));
    let first = fs::read_to_string(directory.join("errors/01-get-refused-550.txt")).unwrap();
    assert_eq!(first, "C: GET x\nS: 550 no such file\n");
    assert!(fs::read_to_string(directory.join("errors.csv")).unwrap().contains("refused,550,negotiate,get,50,0,"));
    let failed = summary.operations[0].measures["failed"].n;
    assert_eq!((failed, summary.operations[0].measures["response"].n), (50, 1_500));
}

#[test]
fn an_interrupted_run_is_reported_and_has_its_own_exit_code() {
    let out = tempfile::tempdir().unwrap();
    let summary = finished_run(out.path(), EndOfRun { interrupted: true, ..EndOfRun::default() });
    assert_eq!((summary.exit_code(), summary.all.done), (130, 1_800));
}

#[test]
fn a_run_that_measured_nothing_has_no_rates_and_fails() {
    let out = tempfile::tempdir().unwrap();
    let (recorder, handle) = start(config(out.path())).unwrap();
    recorder.finish(Instant::now());
    let summary = handle.end(EndOfRun { interrupted: true, ..EndOfRun::default() });
    assert_eq!((summary.all.rate, summary.passed), (None, false));
    assert_eq!(summary.verdict.trust, Trust::Invalid);
}

#[test]
fn a_killed_run_leaves_its_whole_intervals() {
    let out = tempfile::tempdir().unwrap();
    let (mut recorder, handle) = start(config(out.path())).unwrap();
    let zero = Instant::now();
    made_up_run(&mut recorder, |seconds| zero + Duration::from_secs(seconds));
    drop(recorder);
    let ReporterHandle { directory, to_reporter, thread, .. } = handle;
    drop(to_reporter);
    assert_eq!(thread.join().unwrap(), None, "there was no end");
    assert_eq!(read_log(&directory.join("latency.hlog"))["get.response"].len(), 1_500);
    assert!(fs::read_to_string(directory.join("intervals.csv")).unwrap().ends_with('\n'));
    assert!(!directory.join("summary.json").exists());
}

#[test]
fn a_directory_that_cannot_be_written_stops_the_run_before_it_starts() {
    let out = tempfile::NamedTempFile::new().unwrap();
    let error = start(config(out.path())).unwrap_err();
    assert!(error.to_string().contains(out.path().to_str().unwrap()), "{error}");
}

#[test]
fn files_that_cannot_be_written_at_the_end_are_told_and_cost_no_figures() {
    let out = tempfile::tempdir().unwrap();
    let (mut recorder, handle) = start(config(out.path())).unwrap();
    // No directory can be made where a file is.
    fs::write(handle.directory().join("hgrm"), "").unwrap();
    let zero = Instant::now();
    made_up_run(&mut recorder, |seconds| zero + Duration::from_secs(seconds));
    recorder.finish(zero + Duration::from_secs(4));
    let summary = handle.end(EndOfRun::default());
    assert_eq!((summary.exit_code(), summary.all.done), (0, 1_800));
    let told = summary.notes.iter().filter(|note| note.contains("not written in full")).count();
    assert_eq!(told, 4, "three files and how many more: {:?}", summary.notes);
    let shown = fs::read_to_string(Path::new(&summary.directory).join("summary.txt")).unwrap();
    assert!(shown.contains("get.response.hgrm: "), "{shown}");
}
