//! Reading the mix of a scenario: its file sets and operations, and what they say of each other.

use muxftp_proto::client::io::ListingForm;

use super::document::{Value, no_such};
use super::model::*;
use super::problems::Collector;
use super::resolve::{directory, file_name};
use super::schema::{Section, distribution, positive, string, whole, word};
use super::units::Unit;
use super::{Distribution, problems};

/// Reads `[[files]]`.
pub(super) fn read_files(sections: Vec<Section<'_>>, problems: &mut Collector) -> Vec<FileSet> {
    let mut sets: Vec<FileSet> = Vec::with_capacity(sections.len());
    for mut section in sections {
        let set = section.require("set", problems, tag).unwrap_or_default();
        if !set.is_empty() && sets.iter().any(|other| other.set == set) {
            section.report("set", problems, format!("there are two sets \"{set}\""));
        }
        sets.push(FileSet {
            set,
            count: section.require("count", problems, whole(1, FILES_MAX)).unwrap_or(1) as usize,
            size: section.require("size", problems, distribution(Unit::Size)).unwrap_or_else(no_size),
            popularity: section.read("popularity", problems, popularity).unwrap_or(Popularity::Uniform),
            directory: section.read("directory", problems, directory).unwrap_or_default(),
        });
        section.finish(problems);
    }
    sets
}

/// Reads `[[operation]]`.
pub(super) fn read_operations(
    sections: Vec<Section<'_>>,
    files: &[FileSet],
    is_ftp: bool,
    problems: &mut Collector,
) -> Vec<Operation> {
    let mut operations: Vec<Operation> = Vec::with_capacity(sections.len());
    for mut section in sections {
        let name = section.require("name", problems, operation_name).unwrap_or_default();
        if !name.is_empty() && operations.iter().any(|other| other.name == name) {
            section.report("name", problems, format!("there are two operations \"{name}\""));
        }
        let action = read_action(&mut section, files, is_ftp, problems);
        operations.push(Operation {
            name,
            action,
            weight: section.read("weight", problems, positive).unwrap_or(1.0),
            expect: match section.read("expect", problems, word(&[("ok", None), ("550", Some(550))])).flatten() {
                None => Expect::Ok,
                Some(code) => Expect::Refusal(code),
            },
        });
        section.finish(problems);
    }
    operations
}

/// The operations of a session of `ftp` beside the mix. They stand behind those that are drawn.
pub(super) fn of_session() -> [Operation; 2] {
    [("login", Action::LogIn), ("logout", Action::LogOut)].map(|(name, action)| Operation {
        name: name.to_owned(),
        action,
        weight: 0.0,
        expect: Expect::Ok,
    })
}

/// What is allowed but probably not meant.
pub(super) fn warnings(scenario: &Scenario) -> Vec<String> {
    let mut warnings = Vec::new();
    for (index, set) in scenario.files.iter().enumerate() {
        let uses = |operation: &Operation| match &operation.action {
            Action::GetFromSet { set } | Action::Stat { set } => *set == index,
            Action::List { path, .. } => *path == set.directory,
            _ => false,
        };
        if !scenario.operations.iter().any(uses) {
            warnings.push(format!("file set \"{}\" is put in place, but no operation uses it", set.set));
        }
        if set.size.max().is_none() {
            warnings.push(format!("file set \"{}\": its sizes have no bound; add `max`", set.set));
        }
    }
    for Operation { name, action, expect, .. } in &scenario.operations {
        match action {
            Action::Put { size, .. } | Action::Append { size } if size.max().is_none() => {
                warnings.push(format!("operation \"{name}\": its sizes have no bound; add `max`"));
            }
            Action::GetPath { .. } if *expect == Expect::Ok && scenario.verify.contents => {
                warnings
                    .push(format!("operation \"{name}\": what its `path` holds is not known, so it is not verified"));
            }
            _ => {}
        }
    }
    warnings
}

#[derive(Clone, Copy)]
enum Verb {
    Get,
    Put,
    List,
    Append,
    Delete,
    Rename,
    MakeDirectory,
    Stat,
}

fn read_action(section: &mut Section<'_>, files: &[FileSet], is_ftp: bool, problems: &mut Collector) -> Action {
    const VERBS: &[(&str, Verb)] = &[("get", Verb::Get), ("put", Verb::Put), ("ls", Verb::List)];
    const OF_FTP: &[(&str, Verb)] = &[
        ("get", Verb::Get),
        ("put", Verb::Put),
        ("ls", Verb::List),
        ("append", Verb::Append),
        ("delete", Verb::Delete),
        ("rename", Verb::Rename),
        ("mkdir", Verb::MakeDirectory),
        ("stat", Verb::Stat),
    ];
    const FORMS: &[(&str, ListingForm)] = &[
        ("names", ListingForm::Names),
        ("long", ListingForm::Long),
        ("long-all", ListingForm::LongAll),
        ("facts", ListingForm::Facts),
    ];
    let verb = section.require("do", problems, word(if is_ftp { OF_FTP } else { VERBS }));
    if !(is_ftp && matches!(verb, Some(Verb::List))) {
        section.refuse("form", problems, "do = \"ls\" and dialect = \"ftp\"");
    }
    match verb {
        Some(Verb::Get) => {
            refuse_put_keys(section, problems);
            read_get(section, files, problems)
        }
        Some(Verb::Put) => {
            section.refuse("files", problems, "do = \"get\"");
            section.refuse("path", problems, "do = \"get\" or do = \"ls\"");
            let size = section.require("size", problems, distribution(Unit::Size)).unwrap_or_else(no_size);
            Action::Put { size, names: section.read("names", problems, whole(1, UPLOAD_NAMES_MAX)).unwrap_or(64) }
        }
        Some(Verb::List) => {
            section.refuse("files", problems, "do = \"get\"");
            refuse_put_keys(section, problems);
            let form = if is_ftp { section.read("form", problems, word(FORMS)) } else { None };
            let path = section.read("path", problems, directory).unwrap_or_default();
            Action::List { path, form: form.unwrap_or_default() }
        }
        None => {
            // What belongs to which verb cannot be said: only make these keys known.
            for key in ["files", "path", "size", "names"] {
                section.value(key);
            }
            Action::Delete
        }
        Some(Verb::Append) => {
            for key in ["files", "path", "names"] {
                section.refuse(key, problems, "other operations");
            }
            Action::Append { size: section.require("size", problems, distribution(Unit::Size)).unwrap_or_else(no_size) }
        }
        Some(Verb::Stat) => {
            refuse_put_keys(section, problems);
            section.refuse("path", problems, "do = \"get\" or do = \"ls\"");
            section.require("files", problems, string);
            match read_get(section, files, problems) {
                Action::GetFromSet { set } => Action::Stat { set },
                _ => Action::Stat { set: 0 },
            }
        }
        Some(verb @ (Verb::Delete | Verb::Rename | Verb::MakeDirectory)) => {
            for key in ["files", "path", "size", "names"] {
                section.refuse(key, problems, "other operations");
            }
            match verb {
                Verb::Delete => Action::Delete,
                Verb::Rename => Action::Rename,
                _ => Action::MakeDirectory,
            }
        }
    }
}

fn refuse_put_keys(section: &mut Section<'_>, problems: &mut Collector) {
    section.refuse("size", problems, "do = \"put\"");
    section.refuse("names", problems, "do = \"put\"");
}

fn read_get(section: &mut Section<'_>, files: &[FileSet], problems: &mut Collector) -> Action {
    let named = |value: &Value| {
        let name = string(value)?;
        let known = || files.iter().map(|set| set.set.as_str());
        files.iter().position(|set| set.set == name).ok_or_else(|| no_such("file set", &name, known))
    };
    let is_set = section.value("files").is_some();
    let is_path = section.value("path").is_some();
    let set = section.read("files", problems, named);
    let path = section.read("path", problems, file_name);
    match (is_set, is_path) {
        (false, false) => section.report("", problems, "a get needs `files` (a set) or `path` (one name)"),
        (true, true) => section.report("path", problems, "a get has either `files` or `path`, not both"),
        _ => {}
    }
    match path {
        Some(path) => Action::GetPath { path },
        None => Action::GetFromSet { set: set.unwrap_or(0) },
    }
}

/// A name that becomes a tag or part of a file's name.
fn tag(value: &Value) -> Result<String, String> {
    let name = string(value)?;
    let good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if !name.is_empty() && name.len() <= TAG_MAX && name.chars().all(good) {
        return Ok(name);
    }
    Err(format!("\"{name}\": a name here has 1 to {TAG_MAX} small letters, digits and `-`"))
}

fn operation_name(value: &Value) -> Result<String, String> {
    let name = tag(value)?;
    if ["login", "logout"].contains(&name.as_str()) {
        return Err(format!("\"{name}\" is measured by itself with dialect = \"ftp\": take another name"));
    }
    if super::threshold::SUBJECTS.contains(&name.as_str()) {
        return Err(format!("\"{name}\" has a meaning of its own in thresholds: take another name"));
    }
    Ok(name)
}

fn popularity(value: &Value) -> Result<Popularity, String> {
    let text = string(value)?;
    if text == "uniform" {
        return Ok(Popularity::Uniform);
    }
    let exponent = text.strip_prefix("zipf(").and_then(|rest| rest.strip_suffix(')'));
    match exponent.map(|exponent| exponent.trim().parse::<f64>()) {
        Some(Ok(exponent)) if (0.0..=ZIPF_MAX).contains(&exponent) => Ok(Popularity::Zipf(exponent)),
        Some(_) => Err(format!("the exponent of zipf is a number from 0 to {ZIPF_MAX}, e.g. \"zipf(1.0)\"")),
        None => match problems::nearest(&text, ["uniform"]) {
            Some(right) => Err(format!("\"{text}\" is unknown here; did you mean \"{right}\"?")),
            None => Err(format!("\"{text}\" is unknown here; write \"uniform\" or \"zipf(1.0)\"")),
        },
    }
}

/// Stands in for a size that was reported as wrong.
fn no_size() -> Distribution {
    Distribution::constant(0, Unit::Size)
}

/// Files of a set: their names and keys are kept in memory.
const FILES_MAX: u64 = 10_000_000;
/// Names of a client's uploads. Below five digits, so that no upload can have the name of a preloaded file.
const UPLOAD_NAMES_MAX: u64 = 10_000;
/// Bytes of an operation's or set's name.
const TAG_MAX: usize = 40;
/// Beyond this all draws are the first file.
const ZIPF_MAX: f64 = 10.0;
