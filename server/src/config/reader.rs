//! Reading a TOML file of ours: every problem that can be found at once, each with its place.
//!
//! A walk over the parsed table instead of a derived reader, because a derived one ends at its first error. What the
//! walk has asked for is what the file may say: the rest is unknown, and the nearest right key is suggested.

use std::ops::Range;
use std::path::PathBuf;
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::value::{Allowance, DURATION_EXAMPLES, did_you_mean, parse_duration, parse_size};
use super::{AddressRange, Problem};

/// A file's name and text: what a problem needs to show its place.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Source<'a> {
    pub(crate) name: &'a str,
    pub(crate) text: &'a str,
}

impl Source<'_> {
    pub(crate) fn problem(&self, span: Range<usize>, message: impl Into<String>) -> Problem {
        Problem::at(self.name, self.text, span, message)
    }
}

/// Parses a file's text; empty after a syntax error, which then stands among the problems.
pub(crate) fn parse_table<'a>(source: Source<'a>, problems: &mut Vec<Problem>) -> DeTable<'a> {
    let (table, errors) = DeTable::parse_recoverable(source.text);
    if errors.is_empty() {
        return table.into_inner();
    }
    // What follows a syntax error may be misread: its errors would only confuse.
    problems.extend(errors.iter().map(|error| source.problem(error.span().unwrap_or(0..0), error.message())));
    DeTable::new()
}

/// What walks over a table.
pub(crate) struct Reader<'a> {
    pub(crate) source: Source<'a>,
    pub(crate) problems: &'a mut Vec<Problem>,
}

impl Reader<'_> {
    /// Takes a table out of its parent; an empty one when it is absent or wrong.
    pub(crate) fn section<'t>(&mut self, parent: &mut Section<'t>, name: &'static str) -> Section<'t> {
        let Some(value) = parent.take(name) else {
            return Section::new(name, DeTable::new());
        };
        let span = value.span();
        match value.into_inner() {
            DeValue::Table(table) => Section::new(name, table),
            _ => {
                let _: Option<()> = self.refuse(span, format!("`{name}` is a table: [{name}]"));
                Section::new(name, DeTable::new())
            }
        }
    }

    /// What is left of a section is unknown.
    pub(crate) fn finish(&mut self, section: Section<'_>) {
        for key in section.table.keys() {
            let path = if section.name.is_empty() { String::new() } else { format!("{}.", section.name) };
            let known = section.known.iter().copied();
            let message = match did_you_mean(key.get_ref(), known.clone()) {
                nothing if nothing.is_empty() => {
                    format!("unknown key `{path}{}`; known here: {}", key.get_ref(), section.known.join(", "))
                }
                suggestion => format!("unknown key `{path}{}`{suggestion}", key.get_ref()),
            };
            self.problems.push(self.source.problem(key.span(), message));
        }
    }

    pub(crate) fn string<T>(
        &mut self,
        value: &Spanned<DeValue<'_>>,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        let result = match value.get_ref() {
            DeValue::String(text) => parse(text),
            other => Err(format!("must be a string in quotes; this is of type {}", other.type_str())),
        };
        match result {
            Ok(value) => Some(value),
            Err(message) => self.refuse(value.span(), message),
        }
    }

    /// As [`Reader::string`], with its place for problems that show later.
    pub(crate) fn spanned<T>(
        &mut self,
        value: &Spanned<DeValue<'_>>,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<Spanned<T>> {
        self.string(value, parse).map(|parsed| Spanned::new(value.span(), parsed))
    }

    pub(crate) fn duration(&mut self, value: &Spanned<DeValue<'_>>) -> Option<Duration> {
        match value.get_ref() {
            DeValue::Integer(_) | DeValue::Float(_) => {
                self.refuse(value.span(), format!("a time needs its unit, in quotes, {DURATION_EXAMPLES}"))
            }
            _ => self.string(value, parse_duration),
        }
    }

    /// A number of bytes: a whole number, or one with its unit in quotes.
    pub(crate) fn size(&mut self, value: &Spanned<DeValue<'_>>) -> Option<u64> {
        if let Some(number) = value.get_ref().as_integer() {
            let size = u64::from_str_radix(number.as_str(), number.radix()).ok().filter(|size| *size > 0);
            return size.or_else(|| self.refuse(value.span(), "must be more than zero"));
        }
        self.string(value, parse_size)
    }

    /// The bounds of an account, which users and the guest write alike.
    pub(crate) fn allowance(&mut self, section: &mut Section<'_>) -> Allowance {
        Allowance {
            quota_bytes: section.take("quota_bytes").and_then(|value| self.size(&value)),
            quota_files: section.take("quota_files").and_then(|value| self.count(&value)).map(u64::from),
            rate_up: section.take("rate_up").and_then(|value| self.size(&value)),
            rate_down: section.take("rate_down").and_then(|value| self.size(&value)),
            sessions: section.take("sessions").and_then(|value| self.count(&value)),
            sessions_per_address: section.take("sessions_per_address").and_then(|value| self.count(&value)),
        }
    }

    /// A whole number from 1.
    pub(crate) fn count(&mut self, value: &Spanned<DeValue<'_>>) -> Option<u32> {
        let number = value.get_ref().as_integer();
        let count = number.and_then(|number| u32::from_str_radix(number.as_str(), number.radix()).ok());
        match count {
            Some(count) if count > 0 => Some(count),
            _ => self.refuse(value.span(), format!("must be a whole number from 1 to {}, without quotes", u32::MAX)),
        }
    }

    /// Ranges of addresses: a string, or an array of strings.
    pub(crate) fn addresses(&mut self, value: &Spanned<DeValue<'_>>) -> Option<Vec<AddressRange>> {
        let words = self.words(value)?;
        let parsed: Result<Vec<_>, String> = words.iter().map(|word| word.parse()).collect();
        parsed.map_or_else(|message| self.refuse(value.span(), message), Some)
    }

    /// A string, or an array of strings.
    pub(crate) fn words(&mut self, value: &Spanned<DeValue<'_>>) -> Option<Vec<String>> {
        match value.get_ref() {
            DeValue::Array(values) => {
                values.iter().map(|value| self.string(value, |text| Ok(text.to_owned()))).collect()
            }
            _ => self.string(value, |text| Ok(vec![text.to_owned()])),
        }
    }

    pub(crate) fn refuse<T>(&mut self, span: Range<usize>, message: impl Into<String>) -> Option<T> {
        self.problems.push(self.source.problem(span, message));
        None
    }
}

/// A table that is being read: what was asked for, and what nobody has asked for yet.
pub(crate) struct Section<'t> {
    name: &'static str,
    table: DeTable<'t>,
    known: Vec<&'static str>,
}

impl<'t> Section<'t> {
    pub(crate) fn new(name: &'static str, table: DeTable<'t>) -> Section<'t> {
        Section { name, table, known: Vec::new() }
    }

    pub(crate) fn take(&mut self, key: &'static str) -> Option<Spanned<DeValue<'t>>> {
        self.known.push(key);
        self.table.remove(key)
    }
}

pub(crate) fn directory_path(text: &str) -> Result<PathBuf, String> {
    if text.is_empty() { Err("must name a directory".to_owned()) } else { Ok(PathBuf::from(text)) }
}

pub(crate) fn file_path(text: &str) -> Result<PathBuf, String> {
    if text.is_empty() { Err("must name a file".to_owned()) } else { Ok(PathBuf::from(text)) }
}
