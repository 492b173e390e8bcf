//! The dialects: the only place that knows wire text.

use std::fmt;
use std::str::FromStr;

/// A way of saying commands and replies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// GET, PUT, LS, EXIT; replies 200, 226, 550; a fresh data port per transfer.
    Simple,
}

impl Dialect {
    /// All dialects.
    pub const ALL: [Dialect; 1] = [Dialect::Simple];

    /// The word used in URLs, configuration and scenarios.
    pub fn word(self) -> &'static str {
        match self {
            Dialect::Simple => "simple",
        }
    }
}

impl fmt::Display for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// The word names no dialect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnknownDialect;

impl FromStr for Dialect {
    type Err = UnknownDialect;

    fn from_str(word: &str) -> Result<Dialect, UnknownDialect> {
        Dialect::ALL.into_iter().find(|dialect| dialect.word().eq_ignore_ascii_case(word)).ok_or(UnknownDialect)
    }
}
