//! Conditions on the outcome of a run: `subject.measure[.statistic] op value`.
//!
//! Reads and checks them against the operations of a scenario; evaluating them is the report's work.

use std::fmt;

use crate::record::Phase;

/// One condition, checked against its scenario.
#[derive(Debug, Clone, PartialEq)]
pub struct Threshold {
    /// As written, for people.
    pub text: String,
    /// Whose measure it is.
    pub subject: Subject,
    /// What is compared.
    pub metric: Metric,
    /// How.
    pub op: Comparison,
    /// With what: nanoseconds (latency, lag), a count (errors, failures, the statistic `count`), a share from 0 to 1
    /// and above (error rate, CPU of one core), operations per second (rate), bytes per second (throughput) or bytes
    /// (RSS).
    pub value: f64,
}

/// Whose measure a threshold compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// All operations together.
    All,
    /// One operation: index into `Scenario::operations`.
    Operation(usize),
    /// The verification of contents and listings.
    Verify,
    /// This process.
    Generator,
    /// The server's process.
    Server,
}

/// What a threshold compares.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Metric {
    /// A statistic of a time, in nanoseconds (the statistic `count`: how many), of good operations.
    Latency {
        /// Which time.
        measure: MeasureName,
        /// Which statistic of it.
        statistic: Statistic,
    },
    /// Failed operations.
    Errors,
    /// Failed operations divided by all, 0 to 1.
    ErrorRate,
    /// Good operations per second.
    Rate,
    /// Bytes per second on data connections, both ways.
    Throughput,
    /// Failed verifications.
    Failures,
    /// A statistic of the lag of the generator's loop, in nanoseconds.
    Lag(Statistic),
    /// CPU time divided by measured time: 1 is one core.
    Cpu,
    /// Resident memory at most, in bytes.
    Rss,
}

/// Which time of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MeasureName {
    /// Due until complete.
    Response,
    /// Taken until complete.
    Service,
    /// One phase.
    Phase(Phase),
}

/// Which statistic of a time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Statistic {
    /// In percent, 0 < p < 100.
    Percentile(f64),
    /// The largest.
    Max,
    /// The arithmetic mean.
    Mean,
    /// How many there are.
    Count,
}

/// How a measured value is compared with the threshold's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    /// `<`
    Less,
    /// `<=`
    LessEqual,
    /// `==`
    Equal,
    /// `>=`
    GreaterEqual,
    /// `>`
    Greater,
}

impl Comparison {
    /// Whether `left op right` is true.
    pub fn holds(self, left: f64, right: f64) -> bool {
        match self {
            Comparison::Less => left < right,
            Comparison::LessEqual => left <= right,
            Comparison::Equal => left == right,
            Comparison::GreaterEqual => left >= right,
            Comparison::Greater => left > right,
        }
    }
}
