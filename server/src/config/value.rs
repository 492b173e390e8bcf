//! The values of single settings, as both the file and the command line write them: one parser and one printer each.
//!
//! An error is a sentence part that says what would be right; the caller adds the place.

use std::time::Duration;

use muxftp_proto::Permissions;
pub use muxftp_proto::server::io::TlsMode;
use tracing::level_filters::LevelFilter;

use super::Durability;

/// What a client without an account of its own may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GuestAccess {
    /// Nothing.
    Off,
    /// Get and list.
    ReadOnly,
    /// Everything, below its root.
    ReadWrite,
}

impl GuestAccess {
    /// The rights that it stands for.
    pub fn permissions(self) -> Permissions {
        match self {
            GuestAccess::Off => Permissions::NONE,
            GuestAccess::ReadOnly => Permissions::READ_ONLY,
            GuestAccess::ReadWrite => Permissions::ALL,
        }
    }
}

/// What an account may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Allowance {
    /// Bytes of all its files together.
    pub quota_bytes: Option<u64>,
    /// Files.
    pub quota_files: Option<u64>,
    /// Bytes per second that it may send, in all its sessions together.
    pub rate_up: Option<u64>,
    /// Bytes per second that it may fetch, in all its sessions together.
    pub rate_down: Option<u64>,
    /// Sessions at once.
    pub sessions: Option<u32>,
    /// Sessions at once from one address.
    pub sessions_per_address: Option<u32>,
}

/// The form of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// One line for people.
    Text,
    /// One JSON object per line.
    Json,
}

/// The oldest version of TLS that is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TlsVersion {
    /// TLS 1.2 and 1.3.
    V1_2,
    /// TLS 1.3 only.
    V1_3,
}

/// What becomes of a data connection that does not resume the TLS session of its control connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionReuse {
    /// Nothing.
    Off,
    /// It is told in the log.
    Log,
    /// The transfer is refused.
    Require,
}

/// What becomes of an upload over TLS whose data connection ends without close_notify.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum UploadsWithoutClose {
    /// It is refused: somebody on the way may have cut it off.
    #[default]
    Refuse,
    /// It is stored, with a warning in the log.
    Keep,
}

/// A set of words, each with its meaning: parsed, printed and suggested from one table.
pub(crate) trait Words: Copy + PartialEq + 'static {
    /// All words, in the order of the documentation.
    const WORDS: &'static [(&'static str, Self)];

    /// The word of a meaning.
    fn word(self) -> &'static str {
        let entry = Self::WORDS.iter().find(|(_, meaning)| *meaning == self);
        entry.expect("every value of the type stands in WORDS").0
    }

    /// The meaning of a word.
    fn parse(text: &str) -> Result<Self, String> {
        match Self::WORDS.iter().find(|(word, _)| *word == text) {
            Some((_, meaning)) => Ok(*meaning),
            None => Err(wrong_word(text, Self::WORDS.iter().map(|(word, _)| *word))),
        }
    }
}

impl Words for GuestAccess {
    const WORDS: &'static [(&'static str, GuestAccess)] =
        &[("off", GuestAccess::Off), ("read-only", GuestAccess::ReadOnly), ("read-write", GuestAccess::ReadWrite)];
}

impl Words for TlsMode {
    const WORDS: &'static [(&'static str, TlsMode)] = &[
        ("off", TlsMode::Off),
        ("optional", TlsMode::Optional),
        ("required", TlsMode::Required),
        ("implicit", TlsMode::Implicit),
    ];
}

impl Words for TlsVersion {
    const WORDS: &'static [(&'static str, TlsVersion)] = &[("1.2", TlsVersion::V1_2), ("1.3", TlsVersion::V1_3)];
}

impl Words for SessionReuse {
    const WORDS: &'static [(&'static str, SessionReuse)] =
        &[("off", SessionReuse::Off), ("log", SessionReuse::Log), ("require", SessionReuse::Require)];
}

impl Words for UploadsWithoutClose {
    const WORDS: &'static [(&'static str, UploadsWithoutClose)] =
        &[("refuse", UploadsWithoutClose::Refuse), ("keep", UploadsWithoutClose::Keep)];
}

impl Words for LogFormat {
    const WORDS: &'static [(&'static str, LogFormat)] = &[("text", LogFormat::Text), ("json", LogFormat::Json)];
}

impl Words for Durability {
    const WORDS: &'static [(&'static str, Durability)] = &[("none", Durability::None), ("fsync", Durability::Fsync)];
}

impl Words for LevelFilter {
    const WORDS: &'static [(&'static str, LevelFilter)] = &[
        ("off", LevelFilter::OFF),
        ("error", LevelFilter::ERROR),
        ("warn", LevelFilter::WARN),
        ("info", LevelFilter::INFO),
        ("debug", LevelFilter::DEBUG),
        ("trace", LevelFilter::TRACE),
    ];
}

/// A time with its unit: `500ms`, `10s`, `5m`, `1h`; above zero, at most a day.
pub(super) fn parse_duration(text: &str) -> Result<Duration, String> {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = text.split_at(digits);
    let unit_ms = DURATION_UNITS.iter().find(|(word, _)| *word == unit.trim()).map(|(_, ms)| *ms);
    let ms = unit_ms.and_then(|unit_ms| number.parse::<u64>().ok()?.checked_mul(unit_ms));
    match ms.map(Duration::from_millis) {
        None => Err(format!("`{text}` is not a time: write a whole number and its unit, {DURATION_EXAMPLES}")),
        Some(time) if time.is_zero() => Err("must be more than zero".to_owned()),
        Some(time) if time > DURATION_MAX => Err(format!("`{text}` is more than a day")),
        Some(time) => Ok(time),
    }
}

/// The shortest text that [`parse_duration`] reads as `time` (in whole milliseconds).
pub(super) fn show_duration(time: Duration) -> String {
    let ms = u64::try_from(time.as_millis()).expect("a configured time is at most a day");
    let (word, unit_ms) = DURATION_UNITS.iter().find(|(_, unit_ms)| ms % unit_ms == 0).expect("1 ms divides all");
    format!("{}{word}", ms / unit_ms)
}

/// A number of bytes: `1000`, `64 KiB`, `1.5 GiB` is not among them.
pub(crate) fn parse_size(text: &str) -> Result<u64, String> {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = text.split_at(digits);
    let unit = SIZE_UNITS.iter().find(|(word, _)| word.eq_ignore_ascii_case(unit.trim())).map(|(_, bytes)| *bytes);
    match unit.and_then(|unit| number.parse::<u64>().ok()?.checked_mul(unit)) {
        None => Err(format!(
            "`{text}` is not a number of bytes: write a whole number, perhaps with KiB, MiB, GiB, TiB, kB, MB, GB or TB"
        )),
        Some(0) => Err("must be more than zero".to_owned()),
        Some(size) => Ok(size),
    }
}

/// The shortest text that [`parse_size`] reads as `size`.
pub(crate) fn show_size(size: u64) -> String {
    let fitting = SIZE_UNITS.iter().filter(|(_, unit)| size.is_multiple_of(*unit));
    let (word, unit) = fitting.max_by_key(|(_, unit)| *unit).expect("1 byte divides all");
    format!("{} {word}", size / unit)
}

/// "`x` is not one of a, b, c", with the nearest when it is near.
pub(super) fn wrong_word(text: &str, words: impl Iterator<Item = &'static str> + Clone) -> String {
    let all = words.clone().collect::<Vec<_>>().join(", ");
    format!("`{text}` is not one of {all}{}", did_you_mean(text, words))
}

/// `; did you mean "x"?` for the nearest word, or nothing when none is near.
pub(crate) fn did_you_mean<'a>(text: &str, words: impl Iterator<Item = &'a str>) -> String {
    let scored = words.map(|word| (strsim::damerau_levenshtein(&text.to_lowercase(), word), word));
    match scored.min() {
        // A third of the letters may be wrong; beyond that a suggestion misleads more than it helps.
        Some((distance, word)) if distance <= word.len().div_ceil(3) => format!("; did you mean `{word}`?"),
        _ => String::new(),
    }
}

/// Examples for a duration in error texts.
pub(super) const DURATION_EXAMPLES: &str = "such as \"500ms\", \"10s\", \"5m\" or \"1h\"";

const SIZE_UNITS: &[(&str, u64)] = &[
    ("TiB", 1 << 40),
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("TB", 1_000_000_000_000),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("kB", 1_000),
    // The printer takes the last of the equal ones.
    ("", 1),
    ("B", 1),
];

/// Longest unit first, so that the printer finds the shortest text.
const DURATION_UNITS: &[(&str, u64)] = &[("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

const DURATION_MAX: Duration = Duration::from_secs(24 * 60 * 60);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_need_a_unit_and_print_as_they_parse() {
        for (text, ms) in [("500ms", 500), ("10s", 10_000), ("5m", 300_000), ("1h", 3_600_000), ("1500ms", 1500)] {
            let time = parse_duration(text).unwrap();
            assert_eq!((time, show_duration(time).as_str()), (Duration::from_millis(ms), text));
        }
        assert_eq!(show_duration(Duration::from_secs(120)), "2m");
        for wrong in ["", "10", "s", "-1s", "1.5s", "10 seconds", "0s", "25h", "99999999999999999999s"] {
            assert!(parse_duration(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn sizes_print_as_they_parse() {
        for (text, bytes) in
            [("1 B", 1), ("10 GiB", 10 << 30), ("64 KiB", 64 << 10), ("3 kB", 3000), ("2 TB", 2_000_000_000_000)]
        {
            assert_eq!((parse_size(text), show_size(bytes).as_str()), (Ok(bytes), text));
        }
        assert_eq!((parse_size("5mib"), parse_size("5MiB"), parse_size("7")), (Ok(5 << 20), Ok(5 << 20), Ok(7)));
        for wrong in ["", "0", "-1", "1.5 GiB", "GiB", "10 PiB", "99999999999 TiB"] {
            assert!(parse_size(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_near_miss_is_suggested_and_a_far_one_is_not() {
        assert!(GuestAccess::parse("readonly").unwrap_err().ends_with("did you mean `read-only`?"));
        assert_eq!(GuestAccess::parse("x").unwrap_err(), "`x` is not one of off, read-only, read-write");
        assert_eq!(GuestAccess::ReadOnly.word(), "read-only");
    }
}
