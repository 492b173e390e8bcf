//! Figures as people read them.
//!
//! Must not know what they measure.

use crate::report::summary::Unit;

/// `1,234,567`.
pub(crate) fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 session`, `4 sessions`.
pub(crate) fn things(n: u64, thing: &str) -> String {
    format!("{} {thing}{}", count(n), if n == 1 { "" } else { "s" })
}

/// `11,690.5`: always one decimal, so that columns line up.
pub(crate) fn rate(per_second: f64) -> String {
    let tenths = (per_second * 10.0).round() as u64;
    format!("{}.{}", count(tenths / 10), tenths % 10)
}

/// Milliseconds without their unit, to some three digits: `0.19`, `11.4`, `1,203`.
pub(crate) fn ms(ns: u64) -> String {
    let ms = ns as f64 / 1e6;
    match ns {
        0 => "0".to_owned(),
        1..9_995 => format!("{ms:.3}"),
        9_995..9_995_000 => format!("{ms:.2}"),
        9_995_000..99_950_000 => format!("{ms:.1}"),
        _ => count(ms.round() as u64),
    }
}

/// Milliseconds without their unit, `-` when there is no figure.
pub(crate) fn ms_or_dash(ns: Option<u64>) -> String {
    ns.map_or_else(|| "-".to_owned(), ms)
}

/// A duration with its unit: `85 µs`, `0.87 ms`, `31.4 s`.
pub(crate) fn duration(ns: u64) -> String {
    match ns {
        0 => "0 ms".to_owned(),
        1..99_500 => format!("{} µs", short(ns as f64 / 1e3)),
        99_500..9_999_500_000 => format!("{} ms", ms(ns)),
        _ => format!("{:.1} s", ns as f64 / 1e9),
    }
}

/// Seconds: `20.0 s`.
pub(crate) fn seconds(s: f64) -> String {
    format!("{s:.1} s")
}

/// Bytes in powers of 1,000, as files and throughput are counted: `57.6 GB`.
pub(crate) fn bytes(n: u64) -> String {
    scaled(n as f64, 1000.0, &["B", "kB", "MB", "GB", "TB", "PB"])
}

/// Bytes in powers of 1,024, as memory is counted: `6.1 MiB`.
pub(crate) fn memory(n: u64) -> String {
    scaled(n as f64, 1024.0, &["B", "KiB", "MiB", "GiB", "TiB", "PiB"])
}

/// `63 %`, and `0.4 %` below ten.
pub(crate) fn percent(share: f64) -> String {
    format!("{} %", percent_number(share))
}

/// A value with its unit, as thresholds show it.
pub(crate) fn with_unit(value: f64, unit: Unit) -> String {
    match unit {
        Unit::Nanoseconds => duration(value.round() as u64),
        Unit::Count => count(value.round() as u64),
        Unit::Share => percent(value),
        Unit::PerSecond => format!("{}/s", rate(value)),
        Unit::BytesPerSecond => format!("{}/s", bytes(value.round() as u64)),
        Unit::Bytes => memory(value.round() as u64),
    }
}

fn percent_number(share: f64) -> String {
    let percent = share * 100.0;
    match percent {
        0.0 => "0".to_owned(),
        p if p < 0.1 => format!("{p:.3}"),
        p if p < 9.95 => format!("{p:.1}"),
        p => count(p.round() as u64),
    }
}

/// Three digits: `9.1`, `85`.
fn short(value: f64) -> String {
    if value < 9.95 { format!("{value:.1}") } else { count(value.round() as u64) }
}

fn scaled(mut value: f64, step: f64, units: &[&str]) -> String {
    let mut unit = 0;
    while value >= step * 0.9995 && unit + 1 < units.len() {
        value /= step;
        unit += 1;
    }
    if unit == 0 { format!("{value} {}", units[0]) } else { format!("{value:.1} {}", units[unit]) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_have_the_digits_that_matter() {
        for (ns, text) in [
            (0, "0"),
            (940, "0.001"),
            (9_000, "0.009"),
            (190_000, "0.19"),
            (9_994_000, "9.99"),
            (9_996_000, "10.0"),
            (14_300_000, "14.3"),
            (99_949_999, "99.9"),
            (99_960_000, "100"),
            (1_203_400_000, "1,203"),
        ] {
            assert_eq!(ms(ns), text, "{ns} ns");
        }
        for (ns, text) in [
            (0, "0 ms"),
            (940, "0.9 µs"),
            (85_200, "85 µs"),
            (99_600, "0.10 ms"),
            (312_000_000, "312 ms"),
            (10_007_000_000, "10.0 s"),
        ] {
            assert_eq!(duration(ns), text, "{ns} ns");
        }
    }

    #[test]
    fn thousands_are_set_apart() {
        for (n, text) in [(0, "0"), (999, "999"), (1_000, "1,000"), (233_809, "233,809"), (1_000_000, "1,000,000")] {
            assert_eq!(count(n), text);
        }
        assert_eq!([things(1, "session"), things(1_000, "session")], ["1 session", "1,000 sessions"]);
        assert_eq!(rate(11_690.46), "11,690.5");
        assert_eq!(rate(0.96), "1.0");
    }

    #[test]
    fn bytes_and_shares_carry_their_unit() {
        assert_eq!(bytes(999), "999 B");
        assert_eq!(bytes(57_612_345_678), "57.6 GB");
        assert_eq!(bytes(999_999), "1.0 MB");
        assert_eq!(memory(6_396_313), "6.1 MiB");
        for (share, text) in [(0.0, "0 %"), (0.0004, "0.040 %"), (0.004, "0.4 %"), (0.63, "63 %"), (1.2, "120 %")] {
            assert_eq!(percent(share), text);
        }
        assert_eq!(with_unit(870_000.0, Unit::Nanoseconds), "0.87 ms");
        assert_eq!(with_unit(2_701_300_000.0, Unit::BytesPerSecond), "2.7 GB/s");
    }
}
