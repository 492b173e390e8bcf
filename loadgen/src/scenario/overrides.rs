//! What the environment and the command line change in a scenario.
//!
//! Only gathers and splits; where a key belongs and whether its value is right is checked like the file's.

use std::ops::Range;

use super::document::{Assignment, Kind};
use super::problems::Source;

/// Changes to a scenario. Each wins over those before it: environment, `--set` in the order given, named flags.
#[derive(Debug, Clone, Default)]
pub struct Overrides {
    /// The value of `LOADGEN_SET`: `key=value`, separated by commas or line ends.
    pub environment: Option<String>,
    /// Each `--set key=value`.
    pub sets: Vec<String>,
    /// `--target`: `HOST:PORT` or `DIALECT://HOST:PORT[/DIRECTORY]`.
    pub target: Option<String>,
    /// `--seed`.
    pub seed: Option<u64>,
    /// `--out`: the directory under which the run gets its own.
    pub out: Option<String>,
}

impl Overrides {
    /// All assignments in the order in which they are made; and each text that is none, with what is wrong with it.
    pub(super) fn assignments(&self) -> (Vec<Assignment>, Vec<(Source, String)>) {
        let environment = split_list(self.environment.as_deref().unwrap_or("")).into_iter();
        let texts =
            environment.map(|text| ("LOADGEN_SET", text)).chain(self.sets.iter().map(|text| ("--set", &**text)));
        let mut made = Vec::new();
        let mut wrong = Vec::new();
        for (origin, text) in texts {
            match assignment(origin, text) {
                Ok(assignment) => made.push(assignment),
                Err(message) => wrong.push((source(origin, text), message)),
            }
        }
        if let Some(target) = &self.target {
            made.extend(target_assignments(target));
        }
        if let Some(seed) = self.seed {
            made.push(flag("--seed", &seed.to_string(), &["seed"], Kind::Integer(seed.into())));
        }
        if let Some(out) = &self.out {
            made.push(flag("--out", out, &["report", "directory"], Kind::String(out.clone())));
        }
        (made, wrong)
    }
}

/// `key=value`, spaces around both allowed.
fn assignment(origin: &str, text: &str) -> Result<Assignment, String> {
    let (key, _) = text.split_once('=').ok_or("write key=value, e.g. clients.count=50")?;
    let mut path = Vec::new();
    let mut start = 0;
    for word in key.split('.') {
        let indent = word.len() - word.trim_start().len();
        let trimmed = word.trim();
        if trimmed.is_empty() {
            return Err("a word of the dotted key is missing".into());
        }
        path.push((trimmed.to_owned(), start + indent..start + indent + trimmed.len()));
        start += word.len() + 1;
    }
    let value_span = trimmed_span(text, key.len() + 1);
    let value = Kind::from_argument(&text[value_span.clone()]);
    Ok(Assignment { source: source(origin, text), path, value, value_span })
}

/// `HOST:PORT` or `DIALECT://HOST:PORT[/DIRECTORY]`: up to three keys of `[target]`.
fn target_assignments(target: &str) -> Vec<Assignment> {
    let shown = without_password(target);
    let key = |key: &str, value: &str| flag("--target", &shown, &["target", key], Kind::String(value.to_owned()));
    let Some((scheme, rest)) = target.split_once("://") else {
        return vec![key("address", target)];
    };
    let (authority, directory) = rest.split_once('/').unwrap_or((rest, ""));
    let is_ftp = ["ftp", "ftps"].contains(&scheme);
    let (who, host) = match authority.rsplit_once('@') {
        Some((who, host)) if is_ftp => (Some(who), host),
        _ => (None, authority),
    };
    let is_without_port = is_ftp && host.rsplit(']').next().is_some_and(|end| !end.contains(':'));
    let port = if scheme == "ftps" { 990 } else { 21 };
    let address = if is_without_port { format!("{host}:{port}") } else { host.to_owned() };
    let mut made = vec![key("dialect", if is_ftp { "ftp" } else { scheme }), key("address", &address)];
    if scheme == "ftps" {
        made.push(key("tls", "implicit"));
    }
    if let Some(who) = who {
        let (user, password) = who.split_once(':').map_or((who, None), |(user, password)| (user, Some(password)));
        made.push(key("user", user));
        made.extend(password.map(|password| key("password", password)));
    }
    if !directory.is_empty() {
        made.push(key("directory", &format!("/{directory}")));
    }
    made
}

/// As it may be shown in messages.
fn without_password(target: &str) -> String {
    let start = target.find("://").map_or(0, |at| at + 3);
    let authority = target[start..].split('/').next().unwrap_or_default();
    match authority.rfind('@').and_then(|end| Some((authority[..end].find(':')?, end))) {
        Some((begin, end)) => format!("{}:***{}", &target[..start + begin], &target[start + end..]),
        None => target.to_owned(),
    }
}

fn flag(origin: &str, text: &str, path: &[&str], value: Kind) -> Assignment {
    let whole = 0..text.len();
    let path = path.iter().map(|word| ((*word).to_owned(), whole.clone())).collect();
    Assignment { source: source(origin, text), path, value, value_span: whole }
}

fn source(origin: &str, text: &str) -> Source {
    Source { name: origin.to_owned(), text: text.to_owned(), is_file: false }
}

fn trimmed_span(text: &str, start: usize) -> Range<usize> {
    let rest = &text[start..];
    let from = start + rest.len() - rest.trim_start().len();
    from..from + rest.trim().len()
}

/// Parts between commas or line ends, but not the commas of `uniform(a, b)`, `[1, 2]` or a quoted string.
fn split_list(text: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut start, mut depth, mut quote) = (0, 0u32, None);
    for (index, c) in text.char_indices() {
        match (c, quote) {
            ('"' | '\'', None) => quote = Some(c),
            (_, Some(open)) if c == open => quote = None,
            (_, Some(_)) => {}
            ('(' | '[' | '{', None) => depth += 1,
            (')' | ']' | '}', None) => depth = depth.saturating_sub(1),
            (',' | '\n', None) if depth == 0 => {
                parts.push(&text[start..index]);
                start = index + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts.into_iter().map(str::trim).filter(|part| !part.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_split_at_commas_that_are_not_part_of_a_value() {
        let text = "a=1, files.small.size=uniform(1KiB, 2KiB)\nreport.percentiles=[50, 99],description=\"x, y\",";
        assert_eq!(
            split_list(text),
            ["a=1", "files.small.size=uniform(1KiB, 2KiB)", "report.percentiles=[50, 99]", "description=\"x, y\""]
        );
        assert!(split_list(" \n,").is_empty());
    }

    #[test]
    fn an_assignment_knows_the_places_of_its_words() {
        let text = "operation.put . weight = 10 ";
        let made = assignment("--set", text).unwrap();
        let words: Vec<&str> = made.path.iter().map(|(_, span)| &text[span.clone()]).collect();
        assert_eq!(words, ["operation", "put", "weight"]);
        assert_eq!(&text[made.value_span], "10");
        assert!(matches!(made.value, Kind::Integer(10)));
    }

    #[test]
    fn a_target_is_an_address_or_a_url() {
        let keys = |target: &str| -> Vec<(String, String)> {
            let text = |made: Assignment| match made.value {
                Kind::String(value) => (made.path[1].0.clone(), value),
                other => panic!("{other:?}"),
            };
            target_assignments(target).into_iter().map(text).collect()
        };
        let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        assert_eq!(keys("[::1]:21"), [pair("address", "[::1]:21")]);
        assert_eq!(keys("simple://h:21/"), [pair("dialect", "simple"), pair("address", "h:21")]);
        let directory = pair("directory", "/a/b");
        assert_eq!(keys("simple://h:21/a/b"), [pair("dialect", "simple"), pair("address", "h:21"), directory.clone()]);
        let who = [pair("user", "u"), pair("password", "p:w@x")];
        let ftp = pair("dialect", "ftp");
        assert_eq!(
            keys("ftp://u:p:w@x@h/a/b"),
            [&[ftp.clone(), pair("address", "h:21")], &who[..], &[directory]].concat()
        );
        assert_eq!(keys("ftps://[::1]"), [ftp, pair("address", "[::1]:990"), pair("tls", "implicit")]);
    }

    #[test]
    fn a_password_in_a_target_is_not_shown() {
        for made in target_assignments("ftp://user:hidden@host:21/a:b@c") {
            assert_eq!(made.source.text, "ftp://user:***@host:21/a:b@c");
            assert!(made.value_span.end <= made.source.text.len());
        }
    }
}
