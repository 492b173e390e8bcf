//! What holds for each parser, whatever it is given.

use muxftp_proto::representation::ascii::{FromWire, ToWire};
use muxftp_proto::representation::entry::{Entry, EntryKind, FactSet, Relation, print_facts, print_long};
use muxftp_proto::representation::glob;
use muxftp_proto::representation::listed::{Listed, ListedKind, parse_facts, parse_long};
use muxftp_proto::representation::time::{Civil, parse_time_val, print_time_val};
use muxftp_proto::verbs::{Verb, parse_line};
use muxftp_proto::{Answer, Cause, Command, Dialect, PathError, Permissions, Reply, Request, VPath, limits};
use rand::RngExt;

use crate::case::Case;

/// Whatever is understood can be said again, and is understood in the same way.
pub fn command(case: &Case) {
    for dialect in Dialect::OF_CLIENTS {
        for line in case.bytes.split(|&byte| byte == b'\n') {
            let Ok(command) = dialect.parse_command(line) else { continue };
            let request = match &command {
                Command::Get { path } => Request::Get { name: sound(path).as_bytes() },
                Command::Put { path, size } => Request::Put { name: sound(path).as_bytes(), size: *size },
                Command::List { path } if path.is_root() => Request::List { path: None },
                Command::List { path } => Request::List { path: Some(sound(path).as_bytes()) },
                Command::Ready => Request::Ready,
                Command::Quit => Request::Quit,
            };
            let mut said = Vec::new();
            if dialect.print_request(&request, &mut said).is_ok() {
                let again = said.strip_suffix(b"\n").map(|line| line.strip_suffix(b"\r").unwrap_or(line));
                assert_eq!(dialect.parse_command(again.expect("a line")), Ok(command), "{}", said.escape_ascii());
            }
        }
    }
}

/// A port can be connected to, and what opens a transfer is read as it is printed.
pub fn reply(case: &Case) {
    for dialect in Dialect::OF_CLIENTS {
        for line in case.bytes.split(|&byte| byte == b'\n') {
            match dialect.parse_reply(line) {
                Some(answer @ Answer::Opening { port, size }) => {
                    assert!(port > 0 && !answer.is_final());
                    let mut said = Vec::new();
                    dialect.print_reply(&Reply::Opening { port, size }, &mut said);
                    assert_eq!(dialect.parse_reply(said.trim_ascii_end()), Some(answer));
                }
                Some(Answer::Refused { text, .. }) => {
                    assert!(line.ends_with(text) || line.trim_ascii().ends_with(text))
                }
                _ => {}
            }
        }
    }
}

/// The argument is the end of the line, and the verb's own word before it says the same.
pub fn verb(case: &Case) {
    for line in case.bytes.split(|&byte| byte == b'\n') {
        match parse_line(line) {
            Ok((row, argument)) => {
                assert!(line.ends_with(argument));
                let word = &line.trim_ascii_start()[..4.min(line.trim_ascii_start().len())];
                let site = row.word.starts_with("SITE");
                assert_eq!(site, word.eq_ignore_ascii_case(b"SITE"), "{row:?}");
                let again = [row.word.as_bytes(), b" ", argument].concat();
                let (same, rest) = parse_line(&again).expect("a verb of the table");
                assert!(same.verb == row.verb && (rest == argument || row.verb == Verb::Site));
            }
            Err(cause) => {
                assert!(matches!(cause, Cause::UnknownCommand | Cause::NotFtp | Cause::OtherDialect), "{cause:?}")
            }
        }
    }
}

/// Nothing leads out of the root: a path is what a stack of names would be.
pub fn path(case: &Case) {
    let (base, raw) = case.bytes.split_at(case.chance().random_range(0..=case.bytes.len().min(300)));
    let base = VPath::parse(base).unwrap_or_default();
    let resolved = base.resolve(raw);
    assert_eq!(resolved.clone().map(|path| path.as_bytes().to_vec()), resolved_by_stack(&base, raw));
    if let Ok(path) = &resolved {
        sound(path);
        let absolute = [b"/", path.as_bytes()].concat();
        assert_eq!(base.resolve(&absolute).as_ref(), Ok(path), "an absolute path depends on the directory");
    }
    let parsed = VPath::parse(raw);
    if let Ok(path) = &parsed {
        assert_eq!(VPath::root().resolve(raw).as_ref(), Ok(sound(path)));
        assert!(!raw.starts_with(b"/") && !raw.split(|&byte| byte == b'/').any(|name| name == b".."));
    }
    if let Ok(path) = VPath::parse_file(raw) {
        assert!(!path.is_root() && !raw.ends_with(b"/"));
        assert_eq!(parsed, Ok(path));
    }
}

/// The invariants of a path; `Some` of the same.
pub fn sound(path: &VPath) -> &VPath {
    let bytes = path.as_bytes();
    assert!(bytes.len() <= limits::PATH_BYTES_MAX, "{path}");
    for name in bytes.split(|&byte| byte == b'/').filter(|_| !path.is_root()) {
        assert!(!matches!(name, b"" | b"." | b"..") && name.len() <= limits::NAME_BYTES_MAX, "{path}");
        assert!(!name.iter().any(|byte| matches!(byte, 0 | b'\r' | b'\n')), "{path}");
    }
    assert_eq!(VPath::parse(bytes).as_ref(), Ok(path), "it is not what it is read as");
    assert!(!path.to_string().chars().any(char::is_control), "a log would be moved by {path}");
    if let Some((directory, name)) = path.split_last() {
        let separator: &[u8] = if directory.is_empty() { b"" } else { b"/" };
        assert_eq!([directory, separator, name].concat(), bytes);
    }
    path
}

fn resolved_by_stack(base: &VPath, raw: &[u8]) -> Result<Vec<u8>, PathError> {
    if raw.iter().any(|byte| b"\0\r\n".contains(byte)) {
        return Err(PathError::BadByte);
    }
    let start: &[u8] = if raw.starts_with(b"/") { b"" } else { base.as_bytes() };
    let mut names: Vec<&[u8]> = start.split(|&byte| byte == b'/').filter(|name| !name.is_empty()).collect();
    for name in raw.split(|&byte| byte == b'/') {
        match name {
            b"" | b"." => {}
            b".." => drop(names.pop()),
            name if name.len() > limits::NAME_BYTES_MAX => return Err(PathError::TooLong),
            name => names.push(name),
        }
    }
    let path = names.join(&b'/');
    if path.len() > limits::PATH_BYTES_MAX { Err(PathError::TooLong) } else { Ok(path) }
}

/// Cuts make no difference, sizes are right, no LF goes over the wire alone, and a text comes back.
pub fn ascii(case: &Case) {
    let content = &case.bytes;
    let mut wire = Vec::new();
    ToWire::default().convert(content, &mut wire);
    assert!((0..wire.len()).all(|at| wire[at] != b'\n' || (at > 0 && wire[at - 1] == b'\r')), "an LF alone");

    let (mut encoder, mut counter, mut again, mut count) = (ToWire::default(), ToWire::default(), Vec::new(), 0);
    let (mut decoder, mut back) = (FromWire::default(), Vec::new());
    for piece in pieces(content, case) {
        encoder.convert(piece, &mut again);
        count += counter.count(piece);
    }
    assert!(again == wire && count == wire.len() as u64, "{count} bytes counted, {} in pieces", again.len());
    for piece in pieces(&wire, case) {
        decoder.convert(piece, &mut back);
    }
    decoder.finish(&mut back);
    let local = content.windows(2).all(|pair| pair != b"\r\n");
    assert!(!local || back == *content, "a text of this system does not come back");

    let at = case.chance().random_range(0..=content.len());
    let mut head = Vec::new();
    ToWire::default().convert(&content[..at], &mut head);
    let mut middle = ToWire::from_middle(head.last() == Some(&b'\r'));
    middle.convert(&content[at..], &mut head);
    assert_eq!(head, wire, "from the middle it is another text");
}

fn pieces<'a>(mut rest: &'a [u8], case: &Case) -> Vec<&'a [u8]> {
    let (mut chance, mut pieces) = (case.chance(), Vec::new());
    while !rest.is_empty() {
        let (piece, tail) = rest.split_at(chance.random_range(1..=rest.len().min(40)));
        pieces.push(piece);
        rest = tail;
    }
    pieces
}

/// A pattern matches what its parts mean, one by one. (An exponential matcher would not come back.)
pub fn glob(case: &Case) {
    let at = case.chance().random_range(0..=case.bytes.len().min(limits::PATH_BYTES_MAX));
    let (pattern, name) = case.bytes.split_at(at);
    let name = &name[..name.len().min(limits::NAME_BYTES_MAX)];
    for name in [name, pattern] {
        let name = &name[..name.len().min(limits::NAME_BYTES_MAX)];
        let hidden = name.first() == Some(&b'.') && pattern.first() != Some(&b'.');
        assert_eq!(glob::matches(pattern, name), !hidden && means(&tokens(pattern), name));
    }
    if !glob::has_wildcards(pattern) && !pattern.contains(&b'\\') {
        assert_eq!(glob::matches(pattern, name), pattern == name, "no wildcards, and yet another name");
    }
}

enum Token {
    Star,
    /// One of these bytes.
    Byte(Box<[bool; 256]>),
}

fn tokens(mut rest: &[u8]) -> Vec<Token> {
    let mut tokens = Vec::new();
    let closed = rest.iter().rposition(|&byte| byte == b']').map(|at| rest.len() - at);
    while let Some((&first, tail)) = rest.split_first() {
        let set = if first == b'[' && closed.is_some_and(|end| end < rest.len()) { bracket(tail) } else { None };
        let (token, len) = match (first, tail.first(), set) {
            (b'*', ..) => (Token::Star, 1),
            (b'?', ..) => (Token::Byte(Box::new([true; 256])), 1),
            (b'\\', Some(&literal), _) => (Token::Byte(Box::new(only(literal))), 2),
            (_, _, Some((bytes, len))) => (Token::Byte(Box::new(bytes)), 1 + len),
            _ => (Token::Byte(Box::new(only(first))), 1),
        };
        tokens.push(token);
        rest = &rest[len..];
    }
    tokens
}

/// What stands behind `[`, and its length with the `]`.
fn bracket(tail: &[u8]) -> Option<([bool; 256], usize)> {
    let negated = matches!(tail.first(), Some(b'!' | b'^'));
    let start = usize::from(negated);
    let (mut at, mut bytes) = (start, [false; 256]);
    while at == start || *tail.get(at)? != b']' {
        let low = *tail.get(at)?;
        let high = match tail.get(at + 1..at + 3) {
            Some(&[b'-', high]) if high != b']' => Some(high),
            _ => None,
        };
        (low..=high.unwrap_or(low)).for_each(|byte| bytes[usize::from(byte)] = true);
        at += if high.is_some() { 3 } else { 1 };
    }
    Some((bytes.map(|is| is != negated), at + 1))
}

fn only(byte: u8) -> [bool; 256] {
    std::array::from_fn(|index| index == usize::from(byte))
}

/// All prefixes of the name that the pattern so far can match, part by part.
fn means(tokens: &[Token], name: &[u8]) -> bool {
    let mut reach = vec![false; name.len() + 1];
    reach[0] = true;
    for token in tokens {
        match token {
            Token::Star => {
                let first = reach.iter().position(|is| *is).unwrap_or(reach.len());
                reach[first..].fill(true);
            }
            Token::Byte(bytes) => {
                for at in (0..name.len()).rev() {
                    reach[at + 1] = reach[at] && bytes[usize::from(name[at])];
                }
                reach[0] = false;
            }
        }
    }
    reach[name.len()]
}

/// What is read is printed as it was, and every number of seconds has a date.
pub fn time(case: &Case) {
    for text in case.bytes.split(|&byte| matches!(byte, b'\n' | b' ')) {
        let Some(seconds) = parse_time_val(text) else { continue };
        let printed = time_val(seconds);
        assert_eq!(parse_time_val(&printed), Some(seconds));
        assert!(text.starts_with(&printed) || &text[12..14] == b"60", "{}", printed.escape_ascii());
    }
    for bytes in case.bytes.windows(8).take(64) {
        let seconds = i64::from_le_bytes(bytes.try_into().unwrap()) >> (bytes[0] % 40);
        let unix = Civil::of(seconds).to_unix().expect("a date that exists");
        assert!(unix == seconds || time_val(unix) == time_val(seconds), "{seconds}");
        assert_eq!(time_val(seconds).len(), 14, "{seconds}");
    }
}

fn time_val(seconds: i64) -> Vec<u8> {
    let mut printed = Vec::new();
    print_time_val(seconds, &mut printed);
    printed
}

/// Only facts that were named are told; each line of a listing is one line.
pub fn facts(case: &Case) {
    let facts = FactSet::parse(&case.bytes);
    let mut selected = Vec::new();
    facts.print_selected(&mut selected);
    assert_eq!(FactSet::parse(&selected), facts);
    let asked = case.bytes.to_ascii_lowercase();
    for fact in selected.to_ascii_lowercase().split(|&byte| byte == b';').filter(|fact| !fact.is_empty()) {
        assert!(asked.windows(fact.len()).any(|word| word == fact), "{} was not asked for", fact.escape_ascii());
    }
    let mut chance = case.chance();
    let kinds = [EntryKind::File, EntryKind::Directory, EntryKind::Link(b"target"), EntryKind::Other];
    let entry = Entry {
        name: b"a name",
        kind: kinds[chance.random_range(0..kinds.len())],
        size: chance.random(),
        modified: chance.random::<i64>() >> chance.random_range(0..40),
        mode: chance.random(),
        links: chance.random(),
        unique: (chance.random(), chance.random()),
    };
    let (mut line, mut long) = (Vec::new(), Vec::new());
    print_facts(&entry, facts, Permissions::ALL, Relation::Child, &mut line);
    let told = line.strip_suffix(b" a name").expect("the name behind a blank");
    let told = told.split(|&byte| byte == b';').filter(|fact| !fact.is_empty());
    for fact in told {
        let (word, _) = fact.split_at(fact.iter().position(|&byte| byte == b'=').expect("word=value"));
        assert!(selected.split(|&byte| byte == b';').any(|selected| selected == word), "{}", word.escape_ascii());
    }
    print_long(&entry, chance.random_range(0..4_000_000_000), &mut long);
    assert!(long.ends_with(b"\r\n") && !long[..long.len() - 2].iter().any(u8::is_ascii_control));
}

/// The name is the end of the line, and what is understood is understood again when our server says it.
pub fn listed_facts(case: &Case) {
    for line in case.bytes.split(|&byte| byte == b'\n') {
        let Some(listed) = parse_facts(line) else { continue };
        assert!(line.ends_with(&listed.name), "{listed:?}");
        said_again(&listed, |entry| {
            let mut said = Vec::new();
            print_facts(entry, FactSet::default(), Permissions::ALL, Relation::Child, &mut said);
            parse_facts(&said)
        });
    }
}

/// The same for lines of LIST; a time without a year is none of the future.
pub fn listed_long(case: &Case) {
    let now = case.chance().random_range(-1_000_000_000..10_000_000_000);
    for line in case.bytes.split(|&byte| byte == b'\n') {
        let Some(listed) = parse_long(line, now) else { continue };
        let end = listed.target.as_ref().map_or(listed.name.len(), |target| listed.name.len() + 4 + target.len());
        assert!(line[line.len() - end..].starts_with(&listed.name), "{listed:?}");
        said_again(&listed, |entry| {
            let mut said = Vec::new();
            print_long(entry, now, &mut said);
            parse_long(said.strip_suffix(b"\r\n").expect("a line"), now)
        });
    }
}

fn said_again(listed: &Listed, read: impl Fn(&Entry<'_>) -> Option<Listed>) {
    assert!(!listed.name.is_empty() && !listed.name.contains(&0), "{listed:?}");
    assert!(listed.size.is_none() || listed.kind == ListedKind::File, "{listed:?}");
    let kind = match listed.kind {
        ListedKind::File => EntryKind::File,
        ListedKind::Directory | ListedKind::Current | ListedKind::Parent => EntryKind::Directory,
        // What a link's name is cannot be told from its target when both have an arrow.
        ListedKind::Link => return,
        ListedKind::Other => EntryKind::Other,
    };
    // `ls` writes no year of three digits so that it could be told from a day.
    let (size, modified) = (listed.size.unwrap_or_default(), listed.modified.unwrap_or_default().max(0));
    let entry = Entry { name: &listed.name, kind, size, modified, mode: 0o640, links: 1, unique: (1, 2) };
    let again = read(&entry).unwrap_or_else(|| panic!("{listed:?} is not read again"));
    assert_eq!((again.name.as_slice(), again.mode), (entry.name, Some(0o640)));
    assert_eq!(again.size, (kind == EntryKind::File).then_some(size));
}
