//! Conditions on the outcome of a run: `subject.measure[.statistic] op value`.
//!
//! Reads and checks them against the operations of a scenario; evaluating them is the report's work.

use super::document::no_such;
use super::problems::nearest;
use super::units::{self, Unit};
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

impl Threshold {
    /// Reads a condition on the operations with these names, in the scenario's order.
    ///
    /// # Errors
    /// What is wrong with it, for people.
    pub fn parse(text: &str, operations: &[&str]) -> Result<Threshold, String> {
        let text = text.trim();
        parse(text, operations).map_err(|problem| format!("`{text}`: {problem}"))
    }
}

fn parse(text: &str, operations: &[&str]) -> Result<Threshold, String> {
    const FORM: &str = "write SUBJECT.MEASURE[.STATISTIC] OP VALUE, e.g. all.response.p99 < 20ms";
    let at = text.find(['<', '>', '=', '!']).ok_or(FORM)?;
    let (left, rest) = text.split_at(at);
    let length = rest.find(|c| !matches!(c, '<' | '>' | '=' | '!')).unwrap_or(rest.len());
    let (op, value) = rest.split_at(length);
    let op = comparison(op)?;
    let (subject, measure) = left.trim().split_once('.').ok_or(FORM)?;
    let subject = parse_subject(subject, operations)?;
    let metric = parse_metric(subject, measure)?;
    let value = value.trim();
    if value.is_empty() {
        return Err("a value is missing after the comparison".into());
    }
    Ok(Threshold { text: text.to_owned(), subject, metric, op, value: parse_value(metric, value)? })
}

fn comparison(op: &str) -> Result<Comparison, String> {
    Ok(match op {
        "<" => Comparison::Less,
        "<=" => Comparison::LessEqual,
        "==" => Comparison::Equal,
        ">=" => Comparison::GreaterEqual,
        ">" => Comparison::Greater,
        "=" => return Err("`=` is no comparison; did you mean `==`?".into()),
        _ => return Err(format!("`{op}` is no comparison; there are <, <=, ==, >=, >")),
    })
}

fn parse_subject(word: &str, operations: &[&str]) -> Result<Subject, String> {
    if let Some(index) = operations.iter().position(|name| *name == word) {
        return Ok(Subject::Operation(index));
    }
    match word {
        "all" => Ok(Subject::All),
        "verify" => Ok(Subject::Verify),
        "generator" => Ok(Subject::Generator),
        "server" => Ok(Subject::Server),
        _ => {
            let known = || operations.iter().copied().filter(|name| !name.is_empty()).chain(SUBJECTS);
            Err(no_such("operation", word, known))
        }
    }
}

fn parse_metric(subject: Subject, text: &str) -> Result<Metric, String> {
    let (word, statistic) = match text.split_once('.') {
        Some((word, statistic)) => (word, Some(statistic)),
        None => (text, None),
    };
    let metric = match (subject, word) {
        (Subject::All | Subject::Operation(_), "errors") => Metric::Errors,
        (Subject::All | Subject::Operation(_), "error-rate") => Metric::ErrorRate,
        (Subject::All | Subject::Operation(_), "rate") => Metric::Rate,
        (Subject::All | Subject::Operation(_), "throughput") => Metric::Throughput,
        (Subject::Verify, "failures") => Metric::Failures,
        (Subject::Generator, "lag") => return Ok(Metric::Lag(parse_statistic(word, statistic)?)),
        (Subject::Generator | Subject::Server, "cpu") => Metric::Cpu,
        (Subject::Server, "rss") => Metric::Rss,
        (Subject::All | Subject::Operation(_), _) => {
            let measure = parse_measure(word).ok_or_else(|| unknown_measure(subject, word))?;
            return Ok(Metric::Latency { measure, statistic: parse_statistic(word, statistic)? });
        }
        _ => return Err(unknown_measure(subject, word)),
    };
    match statistic {
        Some(statistic) => Err(format!("`{word}` is one figure and has no `{statistic}`")),
        None => Ok(metric),
    }
}

fn parse_measure(word: &str) -> Option<MeasureName> {
    match word {
        "response" => Some(MeasureName::Response),
        "service" => Some(MeasureName::Service),
        _ => Phase::ALL.into_iter().find(|phase| phase.word() == word).map(MeasureName::Phase),
    }
}

fn unknown_measure(subject: Subject, word: &str) -> String {
    let known: Vec<&str> = match subject {
        Subject::All | Subject::Operation(_) => ["response", "service"]
            .into_iter()
            .chain(Phase::ALL.into_iter().map(Phase::word))
            .chain(["errors", "error-rate", "rate", "throughput"])
            .collect(),
        Subject::Verify => vec!["failures"],
        Subject::Generator => vec!["lag", "cpu"],
        Subject::Server => vec!["cpu", "rss"],
    };
    match nearest(word, known.iter().copied()) {
        Some(right) => format!("unknown measure `{word}`; did you mean `{right}`?"),
        None => format!("unknown measure `{word}`; there are {}", known.join(", ")),
    }
}

fn parse_statistic(measure: &str, word: Option<&str>) -> Result<Statistic, String> {
    match word {
        None => Err(format!("`{measure}` needs a statistic: write for example {measure}.p99 or {measure}.max")),
        Some("max") => Ok(Statistic::Max),
        Some("mean") => Ok(Statistic::Mean),
        Some("count") => Ok(Statistic::Count),
        Some(word) => match word.strip_prefix('p').map(str::parse::<f64>) {
            Some(Ok(percent)) if percent > 0.0 && percent < 100.0 => Ok(Statistic::Percentile(percent)),
            Some(Ok(_)) => Err(format!("`{word}`: a percentile is above 0 and below 100; the largest is `max`")),
            _ => Err(match nearest(word, ["max", "mean", "count"]) {
                Some(right) => format!("unknown statistic `{word}`; did you mean `{right}`?"),
                None => format!("unknown statistic `{word}`; there are p50 to p99.99, max, mean, count"),
            }),
        },
    }
}

fn parse_value(metric: Metric, text: &str) -> Result<f64, String> {
    match metric {
        Metric::Latency { statistic: Statistic::Count, .. } | Metric::Lag(Statistic::Count) => parse_count(text),
        Metric::Latency { .. } | Metric::Lag(_) => Unit::Time.parse(text).map(|ns| ns as f64),
        Metric::Errors | Metric::Failures => parse_count(text),
        Metric::ErrorRate | Metric::Cpu => units::parse_share(text),
        Metric::Rate => units::parse_rate(text),
        Metric::Throughput => units::parse_bandwidth(text).map(|bytes| bytes as f64),
        Metric::Rss => Unit::Size.parse(text).map(|bytes| bytes as f64),
    }
}

fn parse_count(text: &str) -> Result<f64, String> {
    let digits = text.replace('_', "");
    digits.parse::<u32>().map(f64::from).map_err(|_| format!("`{text}` is not a count: write a whole number"))
}

/// Subjects that are no operation, and that no operation may be called.
pub(super) const SUBJECTS: [&str; 4] = ["all", "verify", "generator", "server"];

#[cfg(test)]
mod tests {
    use super::*;

    const OPERATIONS: [&str; 4] = ["get-small", "get-large", "put", "ls"];

    fn latency(measure: MeasureName, statistic: Statistic) -> Metric {
        Metric::Latency { measure, statistic }
    }

    #[test]
    fn conditions_are_read() {
        use Comparison::*;
        use MeasureName::*;
        let p99 = Statistic::Percentile(99.0);
        for (text, subject, metric, op, value) in [
            ("all.errors == 0", Subject::All, Metric::Errors, Equal, 0.0),
            ("verify.failures == 0", Subject::Verify, Metric::Failures, Equal, 0.0),
            ("get-small.response.p99 < 20ms", Subject::Operation(0), latency(Response, p99), Less, 2e7),
            (
                "put.first-byte.p99.9<=500ms",
                Subject::Operation(2),
                latency(MeasureName::Phase(crate::record::Phase::FirstByte), Statistic::Percentile(99.9)),
                LessEqual,
                5e8,
            ),
            ("ls.service.mean < 1us", Subject::Operation(3), latency(Service, Statistic::Mean), Less, 1_000.0),
            ("all.response.count >= 1_000", Subject::All, latency(Response, Statistic::Count), GreaterEqual, 1_000.0),
            ("all.error-rate < 0.1%", Subject::All, Metric::ErrorRate, Less, 0.001),
            ("all.rate > 500/s", Subject::All, Metric::Rate, Greater, 500.0),
            ("get-large.throughput > 50MB/s", Subject::Operation(1), Metric::Throughput, Greater, 5e7),
            ("generator.lag.p99 < 1ms", Subject::Generator, Metric::Lag(p99), Less, 1e6),
            ("generator.cpu < 80%", Subject::Generator, Metric::Cpu, Less, 0.8),
            ("server.rss < 16MiB", Subject::Server, Metric::Rss, Less, 16_777_216.0),
        ] {
            let read = Threshold::parse(text, &OPERATIONS);
            assert_eq!(read, Ok(Threshold { text: text.to_owned(), subject, metric, op, value }));
        }
    }

    #[test]
    fn every_phase_can_be_compared() {
        for phase in Phase::ALL {
            let read = Threshold::parse(&format!("all.{}.max < 1s", phase.word()), &OPERATIONS).unwrap();
            assert_eq!(read.metric, latency(MeasureName::Phase(phase), Statistic::Max));
        }
    }

    #[test]
    fn wrong_conditions_say_what_would_be_right() {
        for (text, message) in [
            ("get-small.response.p99 < 20", "a time needs a unit: write 20s or 20ms"),
            ("get-smal.response.p99 < 20ms", "no operation \"get-smal\"; did you mean \"get-small\"?"),
            (
                "download.response.p99 < 20ms",
                "no operation \"download\"; there are \"get-small\", \"get-large\", \"put\", \"ls\", \"all\", \
                 \"verify\", \"generator\", \"server\"",
            ),
            ("put.respnse.p99 < 20ms", "unknown measure `respnse`; did you mean `response`?"),
            ("server.lag.p99 < 20ms", "unknown measure `lag`; there are cpu, rss"),
            ("put.response < 20ms", "`response` needs a statistic: write for example response.p99 or response.max"),
            ("put.response.p100 < 20ms", "`p100`: a percentile is above 0 and below 100; the largest is `max`"),
            ("put.response.maen < 20ms", "unknown statistic `maen`; did you mean `mean`?"),
            ("put.response.q < 20ms", "unknown statistic `q`; there are p50 to p99.99, max, mean, count"),
            ("all.errors.max == 0", "`errors` is one figure and has no `max`"),
            ("all.errors = 0", "`=` is no comparison; did you mean `==`?"),
            ("all.errors != 0", "`!=` is no comparison; there are <, <=, ==, >=, >"),
            ("all.errors == none", "`none` is not a count: write a whole number"),
            ("all.errors ==", "a value is missing after the comparison"),
            ("all.error-rate < 1", "a share needs a unit: write 1%"),
            ("errors", "write SUBJECT.MEASURE[.STATISTIC] OP VALUE, e.g. all.response.p99 < 20ms"),
            ("errors == 0", "write SUBJECT.MEASURE[.STATISTIC] OP VALUE, e.g. all.response.p99 < 20ms"),
        ] {
            assert_eq!(Threshold::parse(text, &OPERATIONS), Err(format!("`{text}`: {message}")));
        }
    }

    #[test]
    fn a_comparison_holds_as_it_is_written() {
        use Comparison::*;
        for (op, below, same, above) in [
            (Less, true, false, false),
            (LessEqual, true, true, false),
            (Equal, false, true, false),
            (GreaterEqual, false, true, true),
            (Greater, false, false, true),
        ] {
            assert_eq!([op.holds(1.0, 2.0), op.holds(2.0, 2.0), op.holds(3.0, 2.0)], [below, same, above], "{op:?}");
            assert!(!op.holds(f64::NAN, 2.0), "nothing measured keeps no promise");
        }
    }
}
