//! From the totals of a run to its [`Summary`].
//!
//! Must not know files or screens.

use std::time::{Duration, Instant, SystemTime};

use jiff::Timestamp;

use crate::record::{EndOfRun, FailureKey, Measure, OperationSet, Series, Stage};
use crate::scenario::model::{Action, Expect, Operation, Scenario};

use super::summary::{
    ErrorSummary, GeneratorSummary, MeasureSummary, OperationSummary, SCHEMA, ServerSummary, Summary, ThresholdResult,
    UnfinishedSummary, Verification, Window, percentile_name,
};
use super::text::numbers;
use super::threshold::{self, Figures};
use super::totals::{Timeline, Totals};
use super::usage::Watched;
use super::verdict::{self, Evidence};

/// All that a summary is made from.
#[derive(Debug)]
pub(super) struct Outcome<'a> {
    pub scenario: &'a Scenario,
    pub target: &'a str,
    pub digest: &'a str,
    pub directory: &'a str,
    /// The same moment on both clocks: when the results' directory was made.
    pub created: (Instant, SystemTime),
    pub timeline: &'a Timeline,
    pub totals: &'a Totals,
    pub generator: &'a Watched,
    pub server: Option<(u32, &'a Watched)>,
    pub cores: Option<u64>,
    pub end: &'a EndOfRun,
    /// When it ended.
    pub now: Instant,
}

impl Outcome<'_> {
    /// The figures.
    pub fn summary(&self) -> Summary {
        let window = self.window();
        let operations: Vec<OperationSummary> = (self.scenario.operations.iter().zip(&self.totals.measured))
            .map(|(operation, set)| self.operation(&operation.name, operation.action.word(), set, window))
            .collect();
        let all = self.operation("all", "mix", &self.totals.all, window);
        let generator = self.generator();
        let verification = self.verification();
        let thresholds = self.thresholds(window, verification.failures);
        let evidence = Evidence { generator: &generator, all: &all, window, clock_shift_s: self.clock_shift_s() };
        let verdict = verdict::judge(&evidence);
        let failed_because = self.failed_because(&thresholds, &verification, &all);
        Summary {
            schema: SCHEMA,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            name: self.scenario.name.clone(),
            description: self.scenario.description.clone(),
            seed: self.scenario.seed,
            digest: self.digest.to_owned(),
            target: self.target.to_owned(),
            load: load_text(self.scenario),
            started: self.utc(self.timeline.zero()),
            ended: self.utc(self.now),
            window,
            interrupted: self.end.interrupted,
            passed: failed_because.is_empty(),
            failed_because,
            verdict,
            thresholds,
            percentiles: self.scenario.report.percentiles.clone(),
            operations,
            all,
            verification,
            errors: self.errors(),
            unfinished: self.unfinished(),
            generator,
            server: self.server(),
            notes: self.notes(),
            directory: self.directory.to_owned(),
        }
    }

    fn window(&self) -> Window {
        let seconds = |stage| self.timeline.length(stage, self.now).as_secs_f64();
        Window { warmup_s: seconds(Stage::Warmup), measured_s: seconds(Stage::Measure), drain_s: seconds(Stage::Drain) }
    }

    fn operation(&self, name: &str, action: &str, set: &OperationSet, window: Window) -> OperationSummary {
        let counts = set.counts;
        // A window of no length has no rate.
        let per_second = |count: u64| (window.measured_s > 0.0).then(|| count as f64 / window.measured_s);
        OperationSummary {
            name: name.to_owned(),
            action: action.to_owned(),
            done: counts.good,
            failed: counts.failed,
            rate: per_second(counts.good),
            bytes_in: counts.bytes_in,
            bytes_out: counts.bytes_out,
            throughput: per_second(counts.bytes_in + counts.bytes_out),
            measures: Measure::all()
                .filter_map(|measure| Some((measure.word().to_owned(), self.measure(set.series(measure)?)?)))
                .collect(),
        }
    }

    /// `None` when there is no value.
    fn measure(&self, series: &Series) -> Option<MeasureSummary> {
        // The verdict and the phases need p50 and p99 whatever the tables show.
        let mut wanted = self.scenario.report.percentiles.clone();
        wanted.extend(ALWAYS);
        (series.count() > 0).then(|| MeasureSummary {
            n: series.count(),
            min: series.min(),
            mean: series.mean(),
            max: series.max(),
            percentiles: wanted.iter().map(|p| (percentile_name(*p), series.supported_percentile(*p))).collect(),
        })
    }

    fn thresholds(&self, window: Window, verification_failures: u64) -> Vec<ThresholdResult> {
        let figures = Figures {
            totals: self.totals,
            window_s: window.measured_s,
            verification_failures,
            generator: self.generator.window(),
            server: self.server.and_then(|(_, server)| server.window()),
            server_rss_max: self.server.and_then(|(_, server)| server.rss_max()),
            generator_rss_max: self.generator.rss_max(),
        };
        self.scenario.thresholds.iter().map(|threshold| threshold::evaluate(threshold, &figures)).collect()
    }

    fn generator(&self) -> GeneratorSummary {
        let totals = self.totals;
        GeneratorSummary {
            lag: self.measure(&totals.lag),
            turn: self.measure(&totals.turn),
            turns: totals.turns,
            cpu: self.generator.window().map(|usage| usage.cpu),
            rss_max: self.generator.rss_max(),
            sessions_wanted: totals.gauges.sessions_wanted,
            sessions_reached: totals.sessions_reached,
            sessions_lost: totals.gauges.sessions_lost,
            unrecordable: totals.unrecordable,
            cores: self.cores,
        }
    }

    fn server(&self) -> Option<ServerSummary> {
        let (pid, server) = self.server?;
        Some(ServerSummary {
            pid,
            cpu_ns: server.window().map(|usage| usage.cpu_ns),
            cpu: server.window().map(|usage| usage.cpu),
            rss_max: server.rss_max()?,
            descriptors_max: server.descriptors_max(),
        })
    }

    fn verification(&self) -> Verification {
        let mut verification = Verification {
            read_back: self.end.audit.read_back,
            read_back_failed: self.end.audit.failed,
            failures: self.totals.failures.verification(),
            ..Verification::default()
        };
        for sets in [&self.totals.measured, &self.totals.warmup] {
            for (operation, set) in self.scenario.operations.iter().zip(sets) {
                verification.bytes += set.counts.bytes_in + set.counts.bytes_out;
                if operation.expect != Expect::Ok {
                    continue;
                }
                if is_listing(operation) {
                    verification.listings += set.counts.good;
                    verification.listings_verified += set.counts.listings_verified;
                } else {
                    verification.transfers += set.counts.good;
                    verification.transfers_verified += set.counts.contents_verified;
                }
            }
        }
        verification
    }

    fn errors(&self) -> Vec<ErrorSummary> {
        let mut errors: Vec<ErrorSummary> = (self.totals.failures.rows())
            .map(|(key, row)| ErrorSummary {
                kind: key.kind.word().to_owned(),
                code: key.code,
                phase: key.phase().word().to_owned(),
                operation: self.scenario.operations[key.operation].name.clone(),
                count: row.count,
                in_warmup: row.in_warmup,
                first: self.utc(self.created.0 + row.first),
                last: self.utc(self.created.0 + row.last),
                text: row.text.clone(),
            })
            .collect();
        errors.sort_by_key(|error| std::cmp::Reverse(error.count));
        errors
    }

    fn unfinished(&self) -> Vec<UnfinishedSummary> {
        let mut unfinished = self.end.unfinished.clone();
        unfinished.sort_by_key(|operation| std::cmp::Reverse(operation.age));
        unfinished
            .iter()
            .map(|operation| UnfinishedSummary {
                operation: self.scenario.operations[operation.operation].name.clone(),
                age_s: operation.age.as_secs_f64(),
            })
            .collect()
    }

    fn failed_because(
        &self,
        thresholds: &[ThresholdResult],
        verification: &Verification,
        all: &OperationSummary,
    ) -> Vec<String> {
        let mut reasons: Vec<String> = self.end.lost_target.iter().cloned().collect();
        let broken = thresholds.iter().filter(|threshold| !threshold.kept).count();
        if broken > 0 {
            reasons.push(format!("{broken} of {} broken", numbers::things(thresholds.len() as u64, "threshold")));
        }
        if verification.failures > 0 {
            reasons.push(format!("{} failed", numbers::things(verification.failures, "verification")));
        }
        let failures = self.totals.failures.operations();
        if failures > 0 {
            reasons.push(format!("{} failed", numbers::things(failures, "operation")));
        }
        if !self.end.unfinished.is_empty() && !self.end.interrupted {
            reasons.push(format!("{} did not end", numbers::things(self.end.unfinished.len() as u64, "operation")));
        }
        if all.done == 0 {
            reasons.push("nothing was measured".to_owned());
        }
        reasons
    }

    fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        if self.server.is_some() && self.cores == Some(2) {
            notes.push("generator and server shared two cores with all else on this machine".to_owned());
        }
        if self.totals.lag.count() == 0 {
            notes.push("no operation had a due time of its own, so the generator's lag says nothing".to_owned());
        }
        notes
    }

    fn clock_shift_s(&self) -> f64 {
        let monotonic = self.created.0.elapsed().as_secs_f64();
        let system = match SystemTime::now().duration_since(self.created.1) {
            Ok(later) => later.as_secs_f64(),
            Err(earlier) => -earlier.duration().as_secs_f64(),
        };
        system - monotonic
    }

    fn utc(&self, at: Instant) -> String {
        utc(self.created.1 + at.saturating_duration_since(self.created.0))
    }
}

/// RFC 3339 in UTC, to the millisecond.
pub(super) fn utc(at: SystemTime) -> String {
    let since_epoch = at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO);
    match i64::try_from(since_epoch.as_millis()).ok().and_then(|ms| Timestamp::from_millisecond(ms).ok()) {
        Some(timestamp) => format!("{timestamp:.3}"),
        None => String::new(),
    }
}

/// The load model in words.
pub(super) fn load_text(scenario: &Scenario) -> String {
    let mut text = format!("closed loop, {}", numbers::things(scenario.clients.count as u64, "client"));
    if scenario.clients.idle > 0 {
        text += &format!(", {} idle", numbers::count(scenario.clients.idle as u64));
    }
    text
}

/// The failure's place among transcripts: `get-small-refused-550`.
pub(super) fn failure_stem(scenario: &Scenario, key: &FailureKey) -> String {
    let mut stem = format!("{}-{}", scenario.operations[key.operation].name, key.kind.word().replace(' ', "-"));
    if let Some(code) = key.code {
        stem += &format!("-{code}");
    }
    stem
}

fn is_listing(operation: &Operation) -> bool {
    matches!(operation.action, Action::List { .. })
}

/// Percentiles that are in every summary.
const ALWAYS: [f64; 2] = [50.0, 99.0];
