//! Reading one table of a scenario: each key that is asked for is a key that exists.
//!
//! Invariant: a wrong value is reported and then treated as absent, so that one reading finds all problems. What is
//! made of stand-ins is never seen, since any problem stops the loading.

use super::document::{Kind, Table, Value};
use super::problems::{Collector, nearest};
use super::units::Unit;
use super::{Distribution, units};

/// A table being read.
#[derive(Debug)]
pub(super) struct Section<'a> {
    /// As in messages: `[clients]`, `[[operation]] "put"`; empty: the top of the file.
    title: String,
    /// `None`: the file does not have it.
    table: Option<&'a Table>,
    asked: Vec<&'static str>,
}

impl<'a> Section<'a> {
    pub fn new(title: impl Into<String>, table: Option<&'a Table>) -> Section<'a> {
        Section { title: title.into(), table, asked: Vec::new() }
    }

    /// The value of a key.
    pub fn value(&mut self, key: &'static str) -> Option<&'a Value> {
        self.asked.push(key);
        Some(&self.table?.entries.get(key)?.value)
    }

    /// The value of a key as `parse` reads it.
    pub fn read<T>(
        &mut self,
        key: &'static str,
        problems: &mut Collector,
        parse: impl FnOnce(&Value) -> Result<T, String>,
    ) -> Option<T> {
        let value = self.value(key)?;
        match parse(value) {
            Ok(read) => Some(read),
            Err(message) => {
                problems.report(&value.place, message);
                None
            }
        }
    }

    /// The same for a key that must be there.
    pub fn require<T>(
        &mut self,
        key: &'static str,
        problems: &mut Collector,
        parse: impl FnOnce(&Value) -> Result<T, String>,
    ) -> Option<T> {
        if let Some(table) = self.table
            && !table.entries.contains_key(key)
        {
            problems.report(&table.place, format!("`{key}` is missing{}", self.here()));
        }
        self.read(key, problems, parse)
    }

    /// A table below this one; when it is missing all its keys are absent.
    pub fn section(&mut self, key: &'static str, problems: &mut Collector) -> Section<'a> {
        let table = self.value(key).and_then(|value| as_table(value, key, problems));
        Section::new(format!("[{key}]"), table)
    }

    /// The elements of an array of tables; `name_key` is the key that names one in messages.
    pub fn sections(&mut self, key: &'static str, name_key: &str, problems: &mut Collector) -> Vec<Section<'a>> {
        let Some(value) = self.value(key) else {
            return Vec::new();
        };
        let Kind::Array(elements) = &value.kind else {
            problems.report(&value.place, format!("`{key}` is a list of tables: write [[{key}]]"));
            return Vec::new();
        };
        let titled = |element: &'a Value| {
            let table = as_table(element, key, problems)?;
            let name = match table.entries.get(name_key).map(|entry| &entry.value.kind) {
                Some(Kind::String(name)) => format!(" \"{name}\""),
                _ => String::new(),
            };
            Some(Section::new(format!("[[{key}]]{name}"), Some(table)))
        };
        elements.iter().filter_map(titled).collect()
    }

    /// Reports a problem with a key of this table, or with the table when the key is absent.
    pub fn report(&self, key: &str, problems: &mut Collector, message: impl Into<String>) {
        if let Some(table) = self.table {
            let place = table.entries.get(key).map_or(&table.place, |entry| &entry.value.place);
            problems.report(place, message);
        }
    }

    /// Reports a key that is there although it has no meaning here.
    pub fn refuse(&mut self, key: &'static str, problems: &mut Collector, belongs_to: &str) {
        self.asked.push(key);
        if let Some(entry) = self.table.and_then(|table| table.entries.get(key)) {
            problems.report(&entry.key_place, format!("`{key}`{}: only with {belongs_to}", self.here()));
        }
    }

    /// Whether the file has this table.
    pub fn is_present(&self) -> bool {
        self.table.is_some()
    }

    /// Reports the keys that nobody asked for.
    pub fn finish(self, problems: &mut Collector) {
        let Some(table) = self.table else {
            return;
        };
        for (key, entry) in &table.entries {
            if !self.asked.contains(&key.as_str()) {
                let hint = match nearest(key, self.asked.iter().copied()) {
                    Some(right) => format!("did you mean `{right}`?"),
                    None => format!("the keys are `{}`", self.asked.join("`, `")),
                };
                problems.report(&entry.key_place, format!("unknown key `{key}`{}; {hint}", self.here()));
            }
        }
    }

    fn here(&self) -> String {
        if self.title.is_empty() { String::new() } else { format!(" in {}", self.title) }
    }
}

/// A string of one line: what it holds is shown on terminals and in tables.
pub(super) fn string(value: &Value) -> Result<String, String> {
    match &value.kind {
        Kind::String(text) if text.contains(char::is_control) => {
            Err("a string here is one line, without control characters".into())
        }
        Kind::String(text) => Ok(text.clone()),
        Kind::Integer(number) => Err(format!("a string is expected here: write \"{number}\"")),
        other => Err(format!("a string is expected here, not {}", other.word())),
    }
}

pub(super) fn boolean(value: &Value) -> Result<bool, String> {
    match &value.kind {
        Kind::Boolean(value) => Ok(*value),
        other => Err(format!("true or false is expected here, not {}", other.word())),
    }
}

/// A whole number within bounds.
pub(super) fn whole(min: u64, max: u64) -> impl Fn(&Value) -> Result<u64, String> {
    move |value| {
        let number = match &value.kind {
            Kind::Integer(number) => *number,
            Kind::String(text) if text.parse::<u64>().is_ok() => return Err(format!("write {text} without quotes")),
            other => return Err(format!("a whole number is expected here, not {}", other.word())),
        };
        match u64::try_from(number) {
            Ok(number) if (min..=max).contains(&number) => Ok(number),
            _ if max == u64::MAX => Err(format!("{number} is too small: at least {min}")),
            _ => Err(format!("{number} is out of range: from {min} to {max}")),
        }
    }
}

/// A number above zero.
pub(super) fn positive(value: &Value) -> Result<f64, String> {
    let number = match &value.kind {
        Kind::Integer(number) => *number as f64,
        Kind::Float(number) => *number,
        other => return Err(format!("a number is expected here, not {}", other.word())),
    };
    if number > 0.0 && number.is_finite() { Ok(number) } else { Err(format!("{number} must be above 0")) }
}

/// A quantity with a unit. A bare number is passed on as well: its message names the unit that is missing.
pub(super) fn quantity<T>(parse: impl Fn(&str) -> Result<T, String>) -> impl Fn(&Value) -> Result<T, String> {
    move |value| match &value.kind {
        Kind::String(text) => parse(text),
        Kind::Integer(number) => parse(&number.to_string()),
        Kind::Float(number) => parse(&number.to_string()),
        other => Err(format!("a quantity with its unit is expected here, not {}", other.word())),
    }
}

pub(super) fn duration(value: &Value) -> Result<std::time::Duration, String> {
    quantity(units::parse_duration)(value)
}

pub(super) fn distribution(unit: Unit) -> impl Fn(&Value) -> Result<Distribution, String> {
    quantity(move |text| Distribution::parse(text, unit))
}

/// One of a few words.
pub(super) fn word<T: Copy>(words: &'static [(&'static str, T)]) -> impl Fn(&Value) -> Result<T, String> {
    move |value| {
        let text = string(value)?;
        if let Some((_, meaning)) = words.iter().find(|(word, _)| *word == text) {
            return Ok(*meaning);
        }
        let known = words.iter().map(|(word, _)| *word);
        match nearest(&text, known.clone()) {
            Some(right) => Err(format!("\"{text}\" is unknown here; did you mean \"{right}\"?")),
            None => {
                let all: Vec<String> = known.map(|word| format!("\"{word}\"")).collect();
                Err(format!("\"{text}\" is unknown here; write {}", all.join(" or ")))
            }
        }
    }
}

fn as_table<'a>(value: &'a Value, key: &str, problems: &mut Collector) -> Option<&'a Table> {
    match &value.kind {
        Kind::Table(table) => Some(table),
        Kind::Array(_) => {
            problems.report(&value.place, format!("`{key}` is one table: write [{key}]"));
            None
        }
        other => {
            problems.report(&value.place, format!("`{key}` is a table, not {}", other.word()));
            None
        }
    }
}
