//! What is written of each interval as the run goes: the latency log and the tables.
//!
//! Must not know totals, screens or what comes at the end.
//!
//! Invariant: all its times count from the start of the operations.

use std::fmt;
use std::io::Write;
use std::time::{Instant, SystemTime};

use hdrhistogram::serialization::V2DeflateSerializer;

use crate::record::{IntervalSet, Measure, OperationCounts, OperationSet, Series};
use crate::scenario::model::Scenario;

use super::FileError;
use super::files::csv::{self, IntervalRow, When};
use super::files::directory::{ResultsDirectory, RunFile};
use super::files::hlog::{LatencyLog, Span};
use super::totals::Responses;
use super::usage::Usages;

/// The files that are written as the run goes.
#[derive(Debug)]
pub(super) struct RunFiles {
    latency: RunFile,
    intervals: RunFile,
    generator: RunFile,
    server: Option<RunFile>,
}

impl RunFiles {
    /// Makes them, with their heads.
    ///
    /// # Errors
    /// When one cannot be made.
    pub fn open(directory: &ResultsDirectory, server: bool) -> Result<RunFiles, FileError> {
        let table = |name: &str, head: &str| {
            let mut file = directory.open(name)?;
            writeln!(file, "{head}").expect(TAKES_ALL);
            Ok(file)
        };
        Ok(RunFiles {
            latency: directory.open("latency.hlog")?,
            intervals: table("intervals.csv", csv::INTERVALS_HEAD)?,
            generator: table("generator.csv", csv::GENERATOR_HEAD)?,
            server: if server { Some(table("server.csv", csv::SERVER_HEAD)?) } else { None },
        })
    }
}

/// The files while intervals are added.
pub(super) struct Journal<'a> {
    scenario: &'a Scenario,
    zero: Instant,
    log: LatencyLog<'a, RunFile>,
    intervals: &'a mut RunFile,
    generator: &'a mut RunFile,
    server: Option<&'a mut RunFile>,
    /// The log's tags, made once: by operation and measure.
    measured_tags: Vec<Vec<String>>,
    warmup_tags: Vec<Vec<String>>,
    /// The response of all operations of one interval.
    all: Series,
}

impl<'a> Journal<'a> {
    /// Begins to write; `zero` is the start of the operations on both clocks.
    pub fn begin(
        files: &'a mut RunFiles,
        serializer: &'a mut V2DeflateSerializer,
        scenario: &'a Scenario,
        zero: (Instant, SystemTime),
    ) -> Journal<'a> {
        let comment = format!("{}: values in ns; untagged: response of all good operations", scenario.name);
        let log = LatencyLog::begin(&mut files.latency, serializer, &comment, zero.1).expect(TAKES_ALL);
        Journal {
            scenario,
            zero: zero.0,
            log,
            intervals: &mut files.intervals,
            generator: &mut files.generator,
            server: files.server.as_mut(),
            measured_tags: tags(scenario, ""),
            warmup_tags: tags(scenario, "warmup."),
            all: Series::new(),
        }
    }

    /// Adds an interval; `response` holds its response times, `usage` what the processes used in it.
    pub fn add(&mut self, set: &IntervalSet, response: &Responses, usage: &Usages) {
        self.add_to_log(set);
        let time_s = set.from.saturating_duration_since(self.zero).as_secs_f64();
        let when = When { time_s, length_s: seconds(set), stage: set.stage.word() };
        self.add_rows(set, response, when);
        csv::generator(self.generator, when, set, usage.generator.as_ref()).expect(TAKES_ALL);
        if let (Some(out), Some(usage)) = (self.server.as_deref_mut(), &usage.server) {
            csv::server(out, when, usage).expect(TAKES_ALL);
        }
    }

    fn add_to_log(&mut self, set: &IntervalSet) {
        let start = set.from.saturating_duration_since(self.zero);
        let span = Span { start, length: set.to.saturating_duration_since(set.from) };
        self.all.reset();
        for response in set.measured.iter().filter_map(|operation| operation.series(Measure::Response)) {
            self.all.add(response);
        }
        self.log.add(self.all.histogram(), span, None);
        self.add_operations(&set.measured, span, false);
        self.add_operations(&set.warmup, span, true);
        self.log.add(set.lag.histogram(), span, Some("generator.lag"));
        self.log.add(set.turn.histogram(), span, Some("generator.turn"));
    }

    fn add_operations(&mut self, operations: &[OperationSet], span: Span, warmup: bool) {
        let tags = if warmup { &self.warmup_tags } else { &self.measured_tags };
        for (operation, tags) in operations.iter().zip(tags) {
            for (measure, tag) in Measure::all().zip(tags) {
                if let Some(series) = operation.series(measure) {
                    self.log.add(series.histogram(), span, Some(tag));
                }
            }
        }
    }

    fn add_rows(&mut self, set: &IntervalSet, response: &Responses, when: When) {
        let mut all = IntervalRow {
            operation: "all",
            offered: set.due.iter().sum(),
            started: set.started.iter().sum(),
            counts: OperationCounts::default(),
            response: &response.all,
            gauges: Some(set.gauges),
        };
        for (index, operation) in self.scenario.operations.iter().enumerate() {
            let mut counts = set.measured[index].counts;
            counts.add(&set.warmup[index].counts);
            all.counts.add(&counts);
            let row = IntervalRow {
                operation: &operation.name,
                offered: set.due[index],
                started: set.started[index],
                counts,
                response: &response.each[index],
                gauges: None,
            };
            csv::interval(self.intervals, when, &row).expect(TAKES_ALL);
        }
        csv::interval(self.intervals, when, &all).expect(TAKES_ALL);
    }
}

impl fmt::Debug for Journal<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Journal").field("scenario", &self.scenario.name).finish_non_exhaustive()
    }
}

/// The length of an interval in seconds.
pub(super) fn seconds(set: &IntervalSet) -> f64 {
    set.to.saturating_duration_since(set.from).as_secs_f64()
}

fn tags(scenario: &Scenario, prefix: &str) -> Vec<Vec<String>> {
    let of = |name: &str| Measure::all().map(|measure| format!("{prefix}{name}.{}", measure.word())).collect();
    scenario.operations.iter().map(|operation| of(&operation.name)).collect()
}

/// Why writing to a [`RunFile`] cannot fail.
const TAKES_ALL: &str = "a RunFile takes all bytes and keeps its failure to itself";
