//! The TOML file: from text to settings that may be absent, with every problem that can be found at once.
//!
//! A walk over the parsed table instead of a derived reader, because a derived one ends at its first error. What the
//! walk has asked for is what the file may say: the rest is unknown, and the nearest right key is suggested.

use std::ops::Range;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeTable, DeValue};
use tracing::level_filters::LevelFilter;

use super::value::{DURATION_EXAMPLES, ListenSpec, Words, did_you_mean, parse_dialect, parse_duration};
use super::{Durability, GuestAccess, LogFormat, PortRange, Problem};

/// What a file says; `None` where it says nothing.
#[derive(Debug, Default, PartialEq)]
pub(super) struct FileSettings {
    pub(super) root: Option<PathBuf>,
    pub(super) listen: Option<Vec<Spanned<ListenSpec>>>,
    pub(super) data_ports: Option<PortRange>,
    pub(super) updown_data_ports: Option<PortRange>,
    pub(super) guest: Option<GuestAccess>,
    pub(super) sessions: Option<u32>,
    pub(super) sessions_per_address: Option<u32>,
    pub(super) data_connect: Option<Duration>,
    pub(super) stall: Option<Duration>,
    pub(super) idle: Option<Duration>,
    pub(super) shutdown: Option<Duration>,
    pub(super) durability: Option<Durability>,
    pub(super) log_level: Option<LevelFilter>,
    pub(super) log_format: Option<LogFormat>,
}

/// A file's name and text: what a problem needs to show its place.
#[derive(Debug, Clone, Copy)]
pub(super) struct Source<'a> {
    pub(super) name: &'a str,
    pub(super) text: &'a str,
}

impl Source<'_> {
    pub(super) fn problem(&self, span: Range<usize>, message: impl Into<String>) -> Problem {
        Problem::at(self.name, self.text, span, message)
    }
}

/// Reads a file's text. Settings that are wrong are `None` and stand among the problems.
pub(super) fn parse(source: Source<'_>, problems: &mut Vec<Problem>) -> FileSettings {
    let (table, errors) = DeTable::parse_recoverable(source.text);
    if !errors.is_empty() {
        // What follows a syntax error may be misread: its errors would only confuse.
        problems.extend(errors.iter().map(|error| source.problem(error.span().unwrap_or(0..0), error.message())));
        return FileSettings::default();
    }
    let mut reader = Reader { source, problems };
    let mut settings = FileSettings::default();
    reader.top(table.into_inner(), &mut settings);
    settings
}

struct Reader<'a> {
    source: Source<'a>,
    problems: &'a mut Vec<Problem>,
}

impl Reader<'_> {
    fn top(&mut self, table: DeTable<'_>, settings: &mut FileSettings) {
        let mut top = Section::new("", table);
        settings.root = top.take("root").and_then(|value| self.string(&value, root_path));
        settings.data_ports = top.take("data_ports").and_then(|value| self.string(&value, PortRange::from_str));
        settings.updown_data_ports =
            top.take("updown_data_ports").and_then(|value| self.string(&value, PortRange::from_str));
        settings.listen = top.take("listen").and_then(|value| self.listeners(value));

        let mut guest = self.section(&mut top, "guest");
        settings.guest = guest.take("access").and_then(|value| self.string(&value, GuestAccess::parse));
        self.finish(guest);

        let mut limits = self.section(&mut top, "limits");
        settings.sessions = limits.take("sessions").and_then(|value| self.count(&value));
        settings.sessions_per_address = limits.take("sessions_per_address").and_then(|value| self.count(&value));
        self.finish(limits);

        let mut timeouts = self.section(&mut top, "timeouts");
        settings.data_connect = timeouts.take("data_connect").and_then(|value| self.duration(&value));
        settings.stall = timeouts.take("stall").and_then(|value| self.duration(&value));
        settings.idle = timeouts.take("idle").and_then(|value| self.duration(&value));
        settings.shutdown = timeouts.take("shutdown").and_then(|value| self.duration(&value));
        self.finish(timeouts);

        let mut files = self.section(&mut top, "files");
        settings.durability = files.take("durability").and_then(|value| self.string(&value, Durability::parse));
        self.finish(files);

        let mut log = self.section(&mut top, "log");
        settings.log_level = log.take("level").and_then(|value| self.string(&value, LevelFilter::parse));
        settings.log_format = log.take("format").and_then(|value| self.string(&value, LogFormat::parse));
        self.finish(log);

        self.finish(top);
    }

    /// `[[listen]]`, all of them; `None` when one of them is wrong.
    fn listeners(&mut self, value: Spanned<DeValue<'_>>) -> Option<Vec<Spanned<ListenSpec>>> {
        let span = value.span();
        let tables = match value.into_inner() {
            DeValue::Array(tables) if !tables.is_empty() => tables,
            _ => return self.refuse(span, "listeners are written as [[listen]], each with `dialect` and `address`"),
        };
        let specs: Vec<_> = tables.into_iter().map(|table| self.listener(table)).collect();
        specs.into_iter().collect()
    }

    fn listener(&mut self, value: Spanned<DeValue<'_>>) -> Option<Spanned<ListenSpec>> {
        let span = value.span();
        let DeValue::Table(table) = value.into_inner() else {
            return self.refuse(span, "a listener is a table: [[listen]] with `dialect` and `address`");
        };
        let mut section = Section::new("listen", table);
        let (dialect, address) = (section.take("dialect"), section.take("address"));
        self.finish(section);
        let (Some(dialect), Some(address)) = (&dialect, &address) else {
            return self.refuse(span, "a listener needs both `dialect` and `address`");
        };
        let address_span = address.span();
        let dialect = self.string(dialect, parse_dialect);
        let address = self.string(address, |text| Ok(text.to_owned()));
        Some(Spanned::new(address_span, ListenSpec { dialect: dialect?, address: address? }))
    }

    /// Takes a table out of its parent; an empty one when it is absent or wrong.
    fn section<'t>(&mut self, parent: &mut Section<'t>, name: &'static str) -> Section<'t> {
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
    fn finish(&mut self, section: Section<'_>) {
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

    fn string<T>(&mut self, value: &Spanned<DeValue<'_>>, parse: impl FnOnce(&str) -> Result<T, String>) -> Option<T> {
        let result = match value.get_ref() {
            DeValue::String(text) => parse(text),
            other => Err(format!("must be a string in quotes; this is of type {}", other.type_str())),
        };
        match result {
            Ok(value) => Some(value),
            Err(message) => self.refuse(value.span(), message),
        }
    }

    fn duration(&mut self, value: &Spanned<DeValue<'_>>) -> Option<Duration> {
        match value.get_ref() {
            DeValue::Integer(_) | DeValue::Float(_) => {
                self.refuse(value.span(), format!("a time needs its unit, in quotes, {DURATION_EXAMPLES}"))
            }
            _ => self.string(value, parse_duration),
        }
    }

    /// A whole number from 1.
    fn count(&mut self, value: &Spanned<DeValue<'_>>) -> Option<u32> {
        let number = value.get_ref().as_integer();
        let count = number.and_then(|number| u32::from_str_radix(number.as_str(), number.radix()).ok());
        match count {
            Some(count) if count > 0 => Some(count),
            _ => self.refuse(value.span(), format!("must be a whole number from 1 to {}, without quotes", u32::MAX)),
        }
    }

    fn refuse<T>(&mut self, span: Range<usize>, message: impl Into<String>) -> Option<T> {
        self.problems.push(self.source.problem(span, message));
        None
    }
}

/// A table that is being read: what was asked for, and what nobody has asked for yet.
struct Section<'t> {
    name: &'static str,
    table: DeTable<'t>,
    known: Vec<&'static str>,
}

impl<'t> Section<'t> {
    fn new(name: &'static str, table: DeTable<'t>) -> Section<'t> {
        Section { name, table, known: Vec::new() }
    }

    fn take(&mut self, key: &'static str) -> Option<Spanned<DeValue<'t>>> {
        self.known.push(key);
        self.table.remove(key)
    }
}

fn root_path(text: &str) -> Result<PathBuf, String> {
    if text.is_empty() { Err("must name a directory".to_owned()) } else { Ok(PathBuf::from(text)) }
}
