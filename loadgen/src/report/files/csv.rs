//! The tables of a run, a row for each interval, and that of its errors.
//!
//! Must not know how the rows came about. Times of day are UTC; times are nanoseconds; an unknown figure is empty.

use std::fmt::{self, Write as _};
use std::io::{self, Write};

use crate::record::{Gauges, IntervalSet, OperationCounts, Series};
use crate::report::summary::ErrorSummary;
use crate::report::usage::Usage;

/// Head of `intervals.csv`.
pub(crate) const INTERVALS_HEAD: &str = "time_s,length_s,stage,operation,offered,started,done,failed,waiting,in_flight,\
    bytes_in,bytes_out,p50_ns,p90_ns,p99_ns,max_ns";

/// Head of `generator.csv`.
pub(crate) const GENERATOR_HEAD: &str = "time_s,length_s,stage,lag_n,lag_p50_ns,lag_p99_ns,lag_max_ns,turns,\
    turn_p99_ns,turn_max_ns,cpu_ns,rss_bytes,descriptors,threads,context_switches,sessions_open,sessions_lost,\
    late_hand_overs";

/// Head of `server.csv`.
pub(crate) const SERVER_HEAD: &str =
    "time_s,length_s,stage,cpu_ns,rss_bytes,pss_bytes,descriptors,threads,context_switches";

/// When a row's interval began, how long it was, and in which stage.
#[derive(Debug, Clone, Copy)]
pub(crate) struct When {
    /// Seconds since the operations began.
    pub time_s: f64,
    /// Seconds.
    pub length_s: f64,
    /// The word of the stage.
    pub stage: &'static str,
}

/// One operation of one interval.
#[derive(Debug, Clone, Copy)]
pub(crate) struct IntervalRow<'a> {
    /// Its name, or `all`.
    pub operation: &'a str,
    /// Became due.
    pub offered: u64,
    /// Were taken by a session.
    pub started: u64,
    /// What ended.
    pub counts: OperationCounts,
    /// Response times of what ended well.
    pub response: &'a Series,
    /// How things stood; known for all operations together only.
    pub gauges: Option<Gauges>,
}

/// Writes a row of `intervals.csv`.
pub(crate) fn interval(out: &mut impl Write, when: When, row: &IntervalRow<'_>) -> io::Result<()> {
    let IntervalRow { operation, offered, started, counts, response, gauges } = row;
    let waiting = optional(gauges.map(|gauges| gauges.waiting));
    let in_flight = optional(gauges.map(|gauges| gauges.in_flight));
    writeln!(
        out,
        "{when},{operation},{offered},{started},{},{},{waiting},{in_flight},{},{},{},{},{},{}",
        counts.good,
        counts.failed,
        counts.bytes_in,
        counts.bytes_out,
        percentile(response, 50.0),
        percentile(response, 90.0),
        percentile(response, 99.0),
        percentile(response, 100.0),
    )
}

/// Writes a row of `generator.csv`.
pub(crate) fn generator(out: &mut impl Write, when: When, set: &IntervalSet, usage: Option<&Usage>) -> io::Result<()> {
    writeln!(
        out,
        "{when},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{}",
        set.lag.count(),
        percentile(&set.lag, 50.0),
        percentile(&set.lag, 99.0),
        percentile(&set.lag, 100.0),
        set.turns,
        percentile(&set.turn, 99.0),
        percentile(&set.turn, 100.0),
        optional(usage.map(|usage| usage.cpu_ns)),
        optional(usage.map(|usage| usage.now.rss)),
        optional(usage.and_then(|usage| usage.now.descriptors)),
        optional(usage.map(|usage| usage.now.threads)),
        optional(usage.map(|usage| usage.context_switches)),
        set.gauges.sessions_open,
        set.gauges.sessions_lost,
        set.late_hand_overs,
    )
}

/// Writes a row of `server.csv`.
pub(crate) fn server(out: &mut impl Write, when: When, usage: &Usage) -> io::Result<()> {
    writeln!(
        out,
        "{when},{},{},{},{},{},{}",
        usage.cpu_ns,
        usage.now.rss,
        optional(usage.now.pss),
        optional(usage.now.descriptors),
        usage.now.threads,
        usage.context_switches,
    )
}

/// The whole of `errors.csv`.
pub(crate) fn errors(errors: &[ErrorSummary]) -> String {
    let mut out = String::from("kind,code,phase,operation,count,in_warmup,first,last,first_text\n");
    for error in errors {
        let ErrorSummary { kind, code, phase, operation, count, in_warmup, first, last, text } = error;
        let code = optional(code.map(u64::from));
        let text = quoted(text);
        writeln!(out, "{kind},{code},{phase},{operation},{count},{in_warmup},{first},{last},{text}")
            .expect("a string takes all text");
    }
    out
}

impl fmt::Display for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.3},{:.3},{}", self.time_s, self.length_s, self.stage)
    }
}

fn percentile(series: &Series, percent: f64) -> String {
    optional((series.count() > 0).then(|| series.percentile(percent)))
}

fn optional(value: Option<u64>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}

/// A field of any text (RFC 4180).
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::process::Process;
    use crate::record::Stage;
    use crate::report::fixture;
    use crate::report::usage::Watched;

    const WHEN: When = When { time_s: 2.0, length_s: 1.0004, stage: "run" };

    fn columns(line: &str) -> usize {
        line.trim_end().split(',').count()
    }

    #[test]
    fn each_row_has_the_columns_of_its_head() {
        let mut out = Vec::new();
        let mut response = Series::new();
        (1..=100).for_each(|n| response.record(n * 1_000).unwrap());
        let counts = OperationCounts { good: 100, failed: 1, bytes_in: 409_600, ..OperationCounts::default() };
        let row = IntervalRow {
            operation: "get-small",
            offered: 102,
            started: 101,
            counts,
            response: &response,
            gauges: None,
        };
        interval(&mut out, WHEN, &row).unwrap();
        let line = String::from_utf8(std::mem::take(&mut out)).unwrap();
        assert_eq!(columns(&line), columns(INTERVALS_HEAD));
        assert!(line.starts_with("2.000,1.000,run,get-small,102,101,100,1,,,409600,0,50"), "{line}");
        assert!(line.ends_with(",100000\n"), "{line}");

        let set = IntervalSet::new(1, Stage::Measure, Instant::now());
        let usage = Watched::new(Process::own()).look().unwrap();
        generator(&mut out, WHEN, &set, Some(&usage)).unwrap();
        assert_eq!(columns(&String::from_utf8(std::mem::take(&mut out)).unwrap()), columns(GENERATOR_HEAD));
        server(&mut out, WHEN, &usage).unwrap();
        assert_eq!(columns(&String::from_utf8(out).unwrap()), columns(SERVER_HEAD));
    }

    #[test]
    fn words_of_a_server_cannot_break_a_row() {
        let mut error = fixture::failing_summary().errors.remove(0);
        error.text = "no, \"never\"".to_owned();
        assert!(errors(&[error]).ends_with(",\"no, \"\"never\"\"\"\n"));
    }
}
