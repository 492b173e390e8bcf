//! Recording: what the event loop does with each finished operation.
//!
//! Everything here runs on the loop and is cheap: a sample is a handful of counter increments. Nothing is formatted,
//! serialised, cloned or written; full sets of histograms are handed to the reporting thread by swapping.
//!
//! Must not know files, screens or scenarios beyond the number of operations.

mod failures;
mod recorder;
mod sample;
mod series;
mod set;
#[cfg(test)]
mod tests;

pub use failures::{FailureCount, FailureKey, FailureTable, TRANSCRIPTS_MAX};
pub use recorder::{Audit, EndOfRun, Message, Recorder, Stage, Unfinished};
pub use sample::{FailureKind, FailureReport, Phase, Sample, SampleResult};
pub use series::{LONGEST_NS, Measure, Series, TooLong};
pub use set::{Gauges, IntervalSet, OperationCounts, OperationSet};
