//! Quantities with their units, as they stand in a scenario: read, and written back exactly.
//!
//! Invariants: a bare number is refused with a hint; what is printed reads back as the same value.

use std::time::Duration;

/// What a quantity measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Nanoseconds.
    Time,
    /// Bytes.
    Size,
}

impl Unit {
    /// Reads one quantity in nanoseconds or bytes.
    ///
    /// # Errors
    /// What is wrong with it, for people.
    pub fn parse(self, text: &str) -> Result<u64, String> {
        self.scale().parse_whole(text)
    }

    /// Writes a value with the largest unit that divides it.
    pub fn print(self, value: u64) -> String {
        let (suffixes, zero) = match self {
            Unit::Time => (TIMES, "0s"),
            Unit::Size => (SIZES, "0B"),
        };
        if value == 0 {
            return zero.to_owned();
        }
        let divides = |&&(_, factor): &&(&str, u64)| value.is_multiple_of(factor);
        let (suffix, factor) =
            suffixes.iter().filter(divides).max_by_key(|(_, factor)| *factor).expect("the smallest unit is 1");
        format!("{}{suffix}", value / factor)
    }

    fn scale(self) -> &'static Scale {
        match self {
            Unit::Time => &TIME,
            Unit::Size => &SIZE,
        }
    }
}

/// Reads a time such as `250ms`.
///
/// # Errors
/// What is wrong with it, for people.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    Unit::Time.parse(text).map(Duration::from_nanos)
}

/// Writes a time so that [`parse_duration`] reads the same.
pub fn print_duration(duration: Duration) -> String {
    Unit::Time.print(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX))
}

/// Reads a rate such as `200/s`, in events per second.
///
/// # Errors
/// What is wrong with it, for people.
pub fn parse_rate(text: &str) -> Result<f64, String> {
    RATE.parse(text)
}

/// Reads a bandwidth such as `50MB/s`, in bytes per second.
///
/// # Errors
/// What is wrong with it, for people.
pub fn parse_bandwidth(text: &str) -> Result<u64, String> {
    BANDWIDTH.parse_whole(text)
}

/// Reads a share such as `0.1%`, as a fraction of one.
///
/// # Errors
/// What is wrong with it, for people.
pub fn parse_share(text: &str) -> Result<f64, String> {
    SHARE.parse(text).map(|percent| percent / 100.0)
}

/// A family of units: what it is called and what its suffixes are worth.
struct Scale {
    what: &'static str,
    suffixes: &'static [(&'static str, u64)],
    /// Two suffixes for the hint.
    examples: [&'static str; 2],
    /// Suffixes that are divided by instead of multiplied with.
    per: bool,
}

impl Scale {
    fn parse(&self, text: &str) -> Result<f64, String> {
        let (number, factor) = self.split(text)?;
        let value: f64 = number.parse().map_err(|_| self.complain(text))?;
        let factor = factor as f64;
        Ok(if self.per { value / factor } else { value * factor })
    }

    fn parse_whole(&self, text: &str) -> Result<u64, String> {
        let (number, factor) = self.split(text)?;
        let too_large = || format!("`{}` is too large", text.trim());
        match number.parse::<u64>() {
            Ok(whole) => whole.checked_mul(factor).ok_or_else(too_large),
            Err(_) => {
                let value: f64 = number.parse().map_err(|_| self.complain(text))?;
                let value = (value * factor as f64).round();
                // Above this an f64 cannot hold every whole number.
                if value < (1u64 << 53) as f64 { Ok(value as u64) } else { Err(too_large()) }
            }
        }
    }

    /// The digits without `_`, and the worth of the suffix.
    fn split(&self, text: &str) -> Result<(String, u64), String> {
        let trimmed = text.trim();
        let end = trimmed.find(|c: char| !(c.is_ascii_digit() || matches!(c, '.' | '_'))).unwrap_or(trimmed.len());
        let (number, suffix) = trimmed.split_at(end);
        let suffix = suffix.trim_start();
        if !number.starts_with(|c: char| c.is_ascii_digit()) || number.ends_with(['.', '_']) {
            return Err(self.complain(text));
        }
        match self.suffixes.iter().find(|(name, _)| *name == suffix) {
            Some((_, factor)) => Ok((number.replace('_', ""), *factor)),
            None if suffix.is_empty() => {
                let [first, second] = self.examples.map(|example| format!("{number}{example}"));
                let or = if first == second { String::new() } else { format!(" or {second}") };
                Err(format!("{} needs a unit: write {first}{or}", self.what))
            }
            None => Err(self.unknown_suffix(number, suffix)),
        }
    }

    fn unknown_suffix(&self, number: &str, suffix: &str) -> String {
        let right = self.suffixes.iter().map(|(name, _)| *name);
        let same = |name: &&str| name.eq_ignore_ascii_case(suffix);
        let nearest =
            right.clone().find(same).or_else(|| right.clone().find(|name| name.strip_suffix("/s") == Some(suffix)));
        match nearest {
            Some(name) => format!("`{number}{suffix}`: unknown unit `{suffix}`; did you mean `{name}`?"),
            None => {
                let all: Vec<&str> = right.collect();
                format!("`{number}{suffix}`: unknown unit `{suffix}`; {} takes {}", self.what, all.join(", "))
            }
        }
    }

    fn complain(&self, text: &str) -> String {
        let [first, _] = self.examples;
        format!("`{}` is not {}: write for example 20{first}", text.trim(), self.what)
    }
}

const TIMES: &[(&str, u64)] = &[
    ("ns", 1),
    ("us", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
];
const SIZES: &[(&str, u64)] = &[
    ("B", 1),
    ("KB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
];
const TIME: Scale = Scale { what: "a time", suffixes: TIMES, examples: ["s", "ms"], per: false };
const SIZE: Scale = Scale { what: "a size", suffixes: SIZES, examples: ["B", "KiB"], per: false };
const RATE: Scale = Scale { what: "a rate", suffixes: &[("/s", 1), ("/m", 60)], examples: ["/s", "/m"], per: true };
const SHARE: Scale = Scale { what: "a share", suffixes: &[("%", 1)], examples: ["%", "%"], per: false };
const BANDWIDTHS: &[(&str, u64)] = &[
    ("B/s", 1),
    ("KB/s", 1_000),
    ("MB/s", 1_000_000),
    ("GB/s", 1_000_000_000),
    ("KiB/s", 1 << 10),
    ("MiB/s", 1 << 20),
    ("GiB/s", 1 << 30),
];
const BANDWIDTH: Scale = Scale { what: "a bandwidth", suffixes: BANDWIDTHS, examples: ["MB/s", "MiB/s"], per: false };

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_read() {
        for (text, value) in [
            ("0s", 0),
            ("7ns", 7),
            ("250us", 250_000),
            ("20ms", 20_000_000),
            ("1.5s", 1_500_000_000),
            ("2m", 120_000_000_000),
            ("1h", 3_600_000_000_000),
            ("1_000 ms", 1_000_000_000),
        ] {
            assert_eq!(Unit::Time.parse(text), Ok(value), "{text}");
        }
        for (text, value) in
            [("0B", 0), ("4KiB", 4096), ("4KB", 4000), ("1.5MiB", 1_572_864), ("2GB", 2_000_000_000), ("1GiB", 1 << 30)]
        {
            assert_eq!(Unit::Size.parse(text), Ok(value), "{text}");
        }
        assert_eq!(parse_rate("200/s"), Ok(200.0));
        assert_eq!(parse_rate("30/m"), Ok(0.5));
        assert_eq!(parse_bandwidth("50MB/s"), Ok(50_000_000));
        assert_eq!(parse_share("2%"), Ok(0.02));
    }

    #[test]
    fn wrong_quantities_say_what_would_be_right() {
        let time = |text| parse_duration(text).unwrap_err();
        assert_eq!(time("30"), "a time needs a unit: write 30s or 30ms");
        assert_eq!(time("30S"), "`30S`: unknown unit `S`; did you mean `s`?");
        assert_eq!(time("30 days"), "`30days`: unknown unit `days`; a time takes ns, us, ms, s, m, h");
        assert_eq!(time("soon"), "`soon` is not a time: write for example 20s");
        assert_eq!(time("-3s"), "`-3s` is not a time: write for example 20s");
        assert_eq!(time("99999999999h"), "`99999999999h` is too large");
        assert_eq!(time("1.5.2s"), "`1.5.2s` is not a time: write for example 20s");
        assert_eq!(Unit::Size.parse("4kib").unwrap_err(), "`4kib`: unknown unit `kib`; did you mean `KiB`?");
        assert_eq!(parse_rate("200").unwrap_err(), "a rate needs a unit: write 200/s or 200/m");
        assert_eq!(parse_share("2").unwrap_err(), "a share needs a unit: write 2%");
        assert_eq!(parse_bandwidth("50MB").unwrap_err(), "`50MB`: unknown unit `MB`; did you mean `MB/s`?");
        assert_eq!(parse_bandwidth("50").unwrap_err(), "a bandwidth needs a unit: write 50MB/s or 50MiB/s");
    }

    #[test]
    fn what_is_printed_reads_back() {
        for value in [0, 1, 999, 1_000, 1_024, 4_096, 90_000_000_000, 3_600_000_000_000, 1 << 30, 123_456_789, u64::MAX]
        {
            for unit in [Unit::Time, Unit::Size] {
                assert_eq!(unit.parse(&unit.print(value)), Ok(value));
            }
        }
        assert_eq!(Unit::Time.print(90_000_000_000), "90s");
        assert_eq!(Unit::Size.print(64 << 10), "64KiB");
        assert_eq!(Unit::Size.print(64_000), "64KB");
    }
}
