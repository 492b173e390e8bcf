//! The figures of a run: what `summary.json` holds, and the only source of every other view of the end result.
//!
//! Must not know how it is shown.
//!
//! Invariants: times are nanoseconds unless the name says otherwise; a figure that cannot be had is `null`, never
//! zero; a percentile that fewer than ten values lie above is `null`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// All figures of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// Version of this layout.
    pub schema: u32,
    /// Version of loadgen.
    pub version: String,
    /// The scenario's name.
    pub name: String,
    /// Its sentence.
    pub description: String,
    /// Its seed.
    pub seed: u64,
    /// Digest of the list of operations: equal digests, equal lists.
    pub digest: String,
    /// The target, in words.
    pub target: String,
    /// The load model, in words: `closed loop, 3 clients`.
    pub load: String,
    /// When the run started, UTC, RFC 3339.
    pub started: String,
    /// When it ended, UTC, RFC 3339.
    pub ended: String,
    /// Lengths of the stages.
    pub window: Window,
    /// Whether the user stopped it.
    pub interrupted: bool,
    /// Whether all went as it should.
    pub passed: bool,
    /// What did not, in words; empty when it passed.
    pub failed_because: Vec<String>,
    /// Whether the figures can be trusted.
    pub verdict: Verdict,
    /// The thresholds, in the scenario's order.
    pub thresholds: Vec<ThresholdResult>,
    /// The percentiles of all tables, in percent.
    pub percentiles: Vec<f64>,
    /// The operations, in the scenario's order.
    pub operations: Vec<OperationSummary>,
    /// All operations together.
    pub all: OperationSummary,
    /// What was checked.
    pub verification: Verification,
    /// Failures, most frequent first.
    pub errors: Vec<ErrorSummary>,
    /// Operations that had not ended at the end of the drain.
    pub unfinished: Vec<UnfinishedSummary>,
    /// The generator's own figures.
    pub generator: GeneratorSummary,
    /// The server's, when its process could be seen.
    pub server: Option<ServerSummary>,
    /// What else a reader must know, in sentences.
    pub notes: Vec<String>,
    /// The directory of the results.
    pub directory: String,
}

/// Lengths of the stages, in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Window {
    /// Recorded apart.
    pub warmup_s: f64,
    /// Measured: what every rate is divided by.
    pub measured_s: f64,
    /// Until the last operation had ended.
    pub drain_s: f64,
}

/// How far the figures can be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Trust {
    /// Nothing speaks against them.
    Trustworthy,
    /// Something may have distorted them.
    Doubtful,
    /// They do not show what the scenario asks for.
    Invalid,
}

impl Trust {
    /// The word of reports.
    pub fn word(self) -> &'static str {
        match self {
            Trust::Trustworthy => "trustworthy",
            Trust::Doubtful => "doubtful",
            Trust::Invalid => "invalid",
        }
    }
}

/// How far the figures can be trusted, and why not further.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// The worst of all reasons.
    pub trust: Trust,
    /// Reasons in words, the worst first; empty when trustworthy.
    pub reasons: Vec<String>,
}

/// A threshold and what became of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ThresholdResult {
    /// As written.
    pub that: String,
    /// The value measured; `null` when there is none, which breaks it.
    pub value: Option<f64>,
    /// What it was compared with.
    pub limit: f64,
    /// The unit of both.
    pub unit: Unit,
    /// Whether it was kept.
    pub kept: bool,
    /// How far the value is from the limit, as a share of the limit, negative when broken; `null` when the limit is
    /// zero or there is no value.
    pub margin: Option<f64>,
    /// What a reader must know of it; empty: nothing.
    pub note: String,
}

/// The unit of a threshold's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unit {
    /// Nanoseconds.
    Nanoseconds,
    /// A number of things.
    Count,
    /// A share of one.
    Share,
    /// Things per second.
    PerSecond,
    /// Bytes per second.
    BytesPerSecond,
    /// Bytes.
    Bytes,
}

/// One operation, or all.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OperationSummary {
    /// Its name, or `all`.
    pub name: String,
    /// `get`, `put`, `ls`, or `mix`.
    pub action: String,
    /// Ended as expected, measured.
    pub done: u64,
    /// Did not.
    pub failed: u64,
    /// `done` per second; `null` when the window has no length.
    pub rate: Option<f64>,
    /// Bytes received on data connections.
    pub bytes_in: u64,
    /// Bytes sent on data connections.
    pub bytes_out: u64,
    /// Both per second; `null` when the window has no length.
    pub throughput: Option<f64>,
    /// The measures by name; those without a value are left out.
    pub measures: BTreeMap<String, MeasureSummary>,
}

/// One measure, in nanoseconds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MeasureSummary {
    /// How many values.
    pub n: u64,
    /// The smallest, exactly.
    pub min: u64,
    /// The mean, exactly.
    pub mean: f64,
    /// The greatest, exactly.
    pub max: u64,
    /// The percentiles by name (`p99.9`).
    pub percentiles: BTreeMap<String, Option<u64>>,
}

impl MeasureSummary {
    /// A percentile of the table; `None` when it is not in it or stands on too few values.
    pub fn percentile(&self, percent: f64) -> Option<u64> {
        self.percentiles.get(&percentile_name(percent)).copied().flatten()
    }
}

/// What was checked, warm-up included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Verification {
    /// Transfers that ended well.
    pub transfers: u64,
    /// Of these, the ones whose every byte was compared.
    pub transfers_verified: u64,
    /// Bytes of all transfers that ended well or not.
    pub bytes: u64,
    /// Listings that ended well.
    pub listings: u64,
    /// Of these, the ones that were compared and whole.
    pub listings_verified: u64,
    /// Uploads read back after the run.
    pub read_back: u64,
    /// Of these, the ones that were not what had been acknowledged.
    pub read_back_failed: u64,
    /// Wrong contents, lengths and listings, those read back included.
    pub failures: u64,
}

/// Equal failures.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ErrorSummary {
    /// The kind, in words.
    pub kind: String,
    /// The reply's code, when a reply was the failure.
    pub code: Option<u16>,
    /// The phase.
    pub phase: String,
    /// The operation's name.
    pub operation: String,
    /// How many.
    pub count: u64,
    /// How many of them were due in the warm-up.
    pub in_warmup: u64,
    /// The first, UTC, RFC 3339.
    pub first: String,
    /// The last, UTC, RFC 3339.
    pub last: String,
    /// The words of the first.
    pub text: String,
}

/// An operation that had not ended at the end of the drain.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct UnfinishedSummary {
    /// The operation's name.
    pub operation: String,
    /// Since it was due.
    pub age_s: f64,
}

/// The generator's own figures, of the measured window.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GeneratorSummary {
    /// How late due times were served; `null` when there were none to serve.
    pub lag: Option<MeasureSummary>,
    /// How long the loop was busy in one turn.
    pub turn: Option<MeasureSummary>,
    /// Turns of the loop.
    pub turns: u64,
    /// Share of a core; `null` when it could not be read.
    pub cpu: Option<f64>,
    /// Bytes resident at most; `null` when they could not be read.
    pub rss_max: Option<u64>,
    /// Sessions that the scenario asks for.
    pub sessions_wanted: u64,
    /// Sessions open at most.
    pub sessions_reached: u64,
    /// Sessions that ended without being asked to.
    pub sessions_lost: u64,
    /// Values above one hour, which are in no figure.
    pub unrecordable: u64,
    /// Cores that this process may use.
    pub cores: Option<u64>,
}

/// The server process.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ServerSummary {
    /// Its number.
    pub pid: u32,
    /// Nanoseconds of CPU in the measured window.
    pub cpu_ns: Option<u64>,
    /// Share of a core in the measured window.
    pub cpu: Option<f64>,
    /// Bytes resident at most.
    pub rss_max: u64,
    /// Descriptors at most.
    pub descriptors_max: Option<u64>,
}

impl Summary {
    /// The exit code of `loadgen run`: 0 when it passed, 1 when it did not, 130 when it was interrupted.
    pub fn exit_code(&self) -> u8 {
        match (self.interrupted, self.passed) {
            (true, _) => EXIT_INTERRUPTED,
            (false, true) => 0,
            (false, false) => EXIT_FAILED,
        }
    }

    /// The text of `summary.json`.
    pub fn to_json(&self) -> String {
        let mut json = serde_json::to_string_pretty(self).expect("plain values have a JSON form");
        json.push('\n');
        json
    }
}

/// The name of a percentile in all reports: `p50`, `p99.9`.
pub fn percentile_name(percent: f64) -> String {
    format!("p{percent}")
}

/// The layout of `summary.json`.
pub const SCHEMA: u32 = 1;

const EXIT_FAILED: u8 = 1;

/// 128 and the number of SIGINT, as shells have it.
const EXIT_INTERRUPTED: u8 = 130;
