//! A scenario file as a tree in which every key and value knows its place, and overrides put into the same tree.
//!
//! Knows TOML and dotted keys, not which keys there are. Invariant: a value that came from an override has its place
//! in that override's text, so that every later message names what the user typed.

use std::collections::BTreeMap;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::problems::{Collector, Place, Source, nearest};

/// A table: keys and what they hold.
#[derive(Debug, Clone)]
pub(super) struct Table {
    /// Its header, or the whole of an inline table.
    pub place: Place,
    pub entries: BTreeMap<String, Entry>,
}

/// A key and its value.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub key_place: Place,
    pub value: Value,
}

/// A value and where it stands.
#[derive(Debug, Clone)]
pub(super) struct Value {
    pub place: Place,
    pub kind: Kind,
}

/// The kinds of TOML that scenarios use.
#[derive(Debug, Clone)]
pub(super) enum Kind {
    String(String),
    Integer(i128),
    Float(f64),
    Boolean(bool),
    Array(Vec<Value>),
    Table(Table),
    /// A date or time, or a number beyond all bounds.
    Other,
}

/// One `key=value` from outside the file.
#[derive(Debug)]
pub(super) struct Assignment {
    pub source: Source,
    /// Words of the dotted key and their spans in the source.
    pub path: Vec<(String, std::ops::Range<usize>)>,
    pub value: Kind,
    pub value_span: std::ops::Range<usize>,
}

impl Kind {
    /// The kind in words, for messages.
    pub fn word(&self) -> &'static str {
        match self {
            Kind::String(_) => "a string",
            Kind::Integer(_) | Kind::Float(_) => "a number",
            Kind::Boolean(_) => "true or false",
            Kind::Array(_) => "an array",
            Kind::Table(_) => "a table",
            Kind::Other => "a date",
        }
    }

    /// Reads a value as it stands after `=` on a command line: TOML, or else plain text.
    pub fn from_argument(text: &str) -> Kind {
        match DeValue::parse(text) {
            Ok(value) => match read_value(&value, 0).kind {
                Kind::Other => Kind::String(text.to_owned()),
                kind => kind,
            },
            Err(_) => Kind::String(text.to_owned()),
        }
    }
}

/// Reads a file's text, source 0 of the collector; syntax errors are reported there, and then the tree is incomplete.
pub(super) fn read(text: &str, collector: &mut Collector) -> Table {
    let (root, errors) = DeTable::parse_recoverable(text);
    for error in errors {
        let span = error.span().unwrap_or(0..0);
        let message = if error.message().starts_with("string values must be quoted") {
            format!("a word or a quantity stands in quotes: write \"{}\"", text.get(span.clone()).unwrap_or(""))
        } else {
            error.message().to_owned()
        };
        collector.report(&Place { source: 0, span }, message);
    }
    read_table(root.get_ref(), 0..0, 0)
}

/// Puts overrides into the tree, each replacing what stood there.
pub(super) fn apply(root: &mut Table, assignments: Vec<Assignment>, collector: &mut Collector) {
    for assignment in assignments {
        let source = collector.add_source(assignment.source);
        let value = relocate(assignment.value, &Place { source, span: assignment.value_span });
        let path: Vec<(String, Place)> =
            assignment.path.into_iter().map(|(word, span)| (word, Place { source, span })).collect();
        set(root, &path, value, collector);
    }
}

/// Puts a value at a path below a table; the tables on the way are made when they are missing.
fn set(table: &mut Table, path: &[(String, Place)], value: Value, collector: &mut Collector) {
    let Some(((key, place), rest)) = path.split_first() else {
        return;
    };
    if rest.is_empty() {
        table.entries.insert(key.clone(), Entry { key_place: place.clone(), value });
        return;
    }
    let entry = table.entries.entry(key.clone()).or_insert_with(|| {
        let made = Table { place: place.clone(), entries: BTreeMap::new() };
        let kind = if NAMED.contains(&key.as_str()) { Kind::Array(Vec::new()) } else { Kind::Table(made) };
        Entry { key_place: place.clone(), value: Value { place: place.clone(), kind } }
    });
    match &mut entry.value.kind {
        Kind::Table(inner) => set(inner, rest, value, collector),
        Kind::Array(elements) => set_in_array(key, elements, rest, value, collector),
        _ => collector.report(&rest[0].1, format!("`{key}` is a value, not a table")),
    }
}

/// Goes on in the element of an array of tables that has the name which the path asks for.
fn set_in_array(key: &str, elements: &mut [Value], path: &[(String, Place)], value: Value, collector: &mut Collector) {
    let Some(((wanted, place), rest)) = path.split_first() else {
        return;
    };
    let names: Vec<Option<String>> = elements.iter().map(|element| name_of(element).map(str::to_owned)).collect();
    let found = names.iter().position(|name| name.as_deref() == Some(wanted));
    match found.map(|index| &mut elements[index].kind) {
        Some(Kind::Table(_)) if rest.is_empty() => {
            collector.report(place, format!("a key of [[{key}]] \"{wanted}\" is missing after its name"));
        }
        Some(Kind::Table(table)) => set(table, rest, value, collector),
        _ if names.iter().all(Option::is_none) => {
            let reason = if names.is_empty() { "there are none" } else { "they have no names" };
            collector.report(place, format!("no [[{key}]] \"{wanted}\": {reason}"));
        }
        _ => {
            let known = || names.iter().flatten().map(String::as_str);
            collector.report(place, no_such(&format!("[[{key}]]"), wanted, known));
        }
    }
}

/// `no WHAT "wrong"; did you mean "right"?`, or all that there are.
pub(super) fn no_such<'a, I>(what: &str, wrong: &str, known: impl Fn() -> I) -> String
where
    I: Iterator<Item = &'a str>,
{
    if let Some(right) = nearest(wrong, known()) {
        return format!("no {what} \"{wrong}\"; did you mean \"{right}\"?");
    }
    let all: Vec<String> = known().take(LISTED_MAX).map(|name| format!("\"{name}\"")).collect();
    match all.len() {
        0 => format!("no {what} \"{wrong}\"; there are none"),
        1 => format!("no {what} \"{wrong}\"; there is {}", all[0]),
        _ => format!("no {what} \"{wrong}\"; there are {}", all.join(", ")),
    }
}

/// What an element of an array of tables is called.
fn name_of(element: &Value) -> Option<&str> {
    let Kind::Table(table) = &element.kind else {
        return None;
    };
    let entry = table.entries.get("name").or_else(|| table.entries.get("set"))?;
    match &entry.value.kind {
        Kind::String(name) => Some(name),
        _ => None,
    }
}

/// A value of an override, all of it at the override's place.
fn relocate(kind: Kind, place: &Place) -> Value {
    let kind = match kind {
        Kind::Array(elements) => {
            Kind::Array(elements.into_iter().map(|element| relocate(element.kind, place)).collect())
        }
        Kind::Table(table) => {
            let move_entry = |(key, entry): (String, Entry)| {
                (key, Entry { key_place: place.clone(), value: relocate(entry.value.kind, place) })
            };
            Kind::Table(Table { place: place.clone(), entries: table.entries.into_iter().map(move_entry).collect() })
        }
        other => other,
    };
    Value { place: place.clone(), kind }
}

fn read_table(table: &DeTable<'_>, span: std::ops::Range<usize>, source: usize) -> Table {
    let read_entry = |(key, value): (&Spanned<_>, &Spanned<DeValue<'_>>)| {
        let key: &Spanned<std::borrow::Cow<'_, str>> = key;
        let entry = Entry { key_place: Place { source, span: key.span() }, value: read_value(value, source) };
        (key.get_ref().to_string(), entry)
    };
    Table { place: Place { source, span }, entries: table.iter().map(read_entry).collect() }
}

fn read_value(value: &Spanned<DeValue<'_>>, source: usize) -> Value {
    let kind = match value.get_ref() {
        DeValue::String(text) => Kind::String(text.to_string()),
        DeValue::Integer(number) => {
            i128::from_str_radix(number.as_str(), number.radix()).map_or(Kind::Other, Kind::Integer)
        }
        DeValue::Float(number) => number.as_str().parse().map_or(Kind::Other, Kind::Float),
        DeValue::Boolean(value) => Kind::Boolean(*value),
        DeValue::Datetime(_) => Kind::Other,
        DeValue::Array(elements) => Kind::Array(elements.iter().map(|element| read_value(element, source)).collect()),
        DeValue::Table(table) => Kind::Table(read_table(table, value.span(), source)),
    };
    Value { place: Place { source, span: value.span() }, kind }
}

/// Arrays of tables, whose elements an override addresses by name.
const NAMED: [&str; 3] = ["files", "operation", "threshold"];
/// Names that a message lists at most.
const LISTED_MAX: usize = 10;
