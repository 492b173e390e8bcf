//! What a client reads from a listing: lines of MLSD and MLST, of `ls -l`, and of the form that DOS and IIS write.
//!
//! It must not know a connection. Servers differ: whatever a line does not tell stays open, and a line that is none of
//! an entry (`total 12`, a server's remark) is `None`, never an error.

use crate::limits::PATH_BYTES_MAX;

use super::time::{Civil, parse_time_val};

/// A name that a server has listed, and what it told of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// As the server wrote it: it may hold anything but NUL, even a slash.
    pub name: Vec<u8>,
    /// What it is.
    pub kind: ListedKind,
    /// Bytes; of a file only.
    pub size: Option<u64>,
    /// Of the last change, in seconds since 1970. From `ls -l` it is in the server's own zone, and rough.
    pub modified: Option<i64>,
    /// Permission bits.
    pub mode: Option<u32>,
    /// What a link leads to, when it is told.
    pub target: Option<Vec<u8>>,
    /// The same for all names of one file or directory, and for no other (RFC 3659 7.5.2).
    pub unique: Option<Vec<u8>>,
}

impl Listed {
    /// An entry without a name, of which nothing is told.
    pub(crate) const UNKNOWN: Listed = Listed {
        name: Vec::new(),
        kind: ListedKind::Other,
        size: None,
        modified: None,
        mode: None,
        target: None,
        unique: None,
    };
}

/// What a listed name stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListedKind {
    /// A file.
    File,
    /// A directory.
    Directory,
    /// The directory that is listed.
    Current,
    /// The one above it.
    Parent,
    /// A link, to whatever it may be.
    Link,
    /// A device, a socket, a pipe, or what the server has no common word for.
    Other,
}

/// Reads a line of MLSD or MLST without its end: `type=file;size=3; name` (RFC 3659 7.2).
pub fn parse_facts(line: &[u8]) -> Option<Listed> {
    // A fact may not hold a blank, but some servers write a link's target so.
    let facts_end = if line.first() == Some(&b' ') { 0 } else { line.windows(2).position(|two| two == b"; ")? + 1 };
    let (facts, name) = (&line[..facts_end], &line[facts_end + 1..]);
    if !is_name(name) {
        return None;
    }
    let mut listed = Listed { name: name.to_vec(), kind: ListedKind::Other, ..Listed::UNKNOWN };
    for fact in facts.split(|&byte| byte == b';').filter(|fact| !fact.is_empty()) {
        let equals = fact.iter().position(|&byte| byte == b'=')?;
        let (word, value) = (fact[..equals].to_ascii_lowercase(), &fact[equals + 1..]);
        match word.as_slice() {
            b"type" => (listed.kind, listed.target) = kind_of_type(value),
            b"size" => listed.size = number(value),
            b"modify" => listed.modified = parse_time_val(value),
            b"unix.mode" => listed.mode = octal(value),
            b"unique" if !value.is_empty() => listed.unique = Some(value.to_vec()),
            _ => {}
        }
    }
    if listed.kind != ListedKind::File {
        listed.size = None;
    }
    Some(listed)
}

/// Reads a line of LIST without its end, in either form. `now`, in seconds since 1970, tells which year is meant where none
/// is written.
pub fn parse_long(line: &[u8], now: i64) -> Option<Listed> {
    if line.len() > LONG_LINE_BYTES_MAX {
        return None;
    }
    parse_unix(line, now).or_else(|| parse_dos(line)).filter(|listed| is_name(&listed.name))
}

fn is_name(name: &[u8]) -> bool {
    (1..=PATH_BYTES_MAX).contains(&name.len()) && !name.contains(&0)
}

fn kind_of_type(value: &[u8]) -> (ListedKind, Option<Vec<u8>>) {
    let lower = value.to_ascii_lowercase();
    let kind = match lower.as_slice() {
        b"file" => ListedKind::File,
        b"dir" => ListedKind::Directory,
        b"cdir" => ListedKind::Current,
        b"pdir" => ListedKind::Parent,
        // `OS.unix=slink:target`, `OS.unix=symlink`: each server has its own.
        word if word.starts_with(b"os.unix=slink") || word.starts_with(b"os.unix=symlink") => {
            let colon = value.iter().position(|&byte| byte == b':');
            let target = colon.map(|colon| value[colon + 1..].to_vec()).filter(|target| !target.is_empty());
            return (ListedKind::Link, target);
        }
        _ => ListedKind::Other,
    };
    (kind, None)
}

/// `-rw-r--r--  1 owner group  5000 Nov 21 05:45 name`: the owner, the group or both may be missing or have blanks, so the
/// month is looked for.
fn parse_unix(line: &[u8], now: i64) -> Option<Listed> {
    let (letter, bits) = (*line.first()?, line.get(1..10)?);
    if !b"-dlbcps".contains(&letter) || !bits.iter().all(|byte| b"rwxsStTlL-".contains(byte)) {
        return None;
    }
    let words = words(line);
    let date = (2..words.len().min(DATE_WORDS_MAX)).find_map(|at| Some((at, Date::parse(&words[at..], line, now)?)));
    let (at, date) = date?;
    let size = number(words[at - 1].of(line));
    // A device has two numbers and no size.
    if size.is_none() && !matches!(letter, b'b' | b'c') {
        return None;
    }
    // Just one blank stands before the name: others belong to it.
    let name = line.get(date.end + 1..)?;
    let (name, target) = match name.windows(4).position(|four| four == b" -> ").filter(|_| letter == b'l') {
        Some(arrow) => (&name[..arrow], Some(name[arrow + 4..].to_vec())),
        None => (name, None),
    };
    let kind = match (letter, name) {
        (b'd', b".") => ListedKind::Current,
        (b'd', b"..") => ListedKind::Parent,
        (b'd', _) => ListedKind::Directory,
        (b'-', _) => ListedKind::File,
        (b'l', _) => ListedKind::Link,
        _ => ListedKind::Other,
    };
    Some(Listed {
        name: name.to_vec(),
        kind,
        size: size.filter(|_| kind == ListedKind::File),
        modified: date.seconds,
        mode: Some(mode(bits)),
        target,
        unique: None,
    })
}

/// `11-21-26  05:45AM       <DIR>          name` and `11-21-2026  17:45   1234 name`.
fn parse_dos(line: &[u8]) -> Option<Listed> {
    let words = words(line);
    let [date, time, what, ..] = words[..] else { return None };
    let seconds = dos_time(date.of(line), time.of(line))?;
    let what_is_said = what.of(line);
    let (kind, size, name) = match number(&without_commas(what_is_said)) {
        Some(size) => (ListedKind::File, Some(size), line.get(what.end + 1..)?),
        None => {
            let kind = match what_is_said {
                b"<DIR>" => ListedKind::Directory,
                word if word.starts_with(b"<") && word.ends_with(b">") => ListedKind::Link,
                _ => return None,
            };
            // In the place of the size stand blanks.
            (kind, None, line[what.end..].trim_ascii_start())
        }
    };
    Some(Listed { name: name.to_vec(), kind, size, modified: Some(seconds), ..Listed::UNKNOWN })
}

/// The last three words before a name: `Nov 21 05:45`, `Nov 21 2026`; or two: `2026-11-21 05:45`.
struct Date {
    /// `None`: there is no such day.
    seconds: Option<i64>,
    end: usize,
}

impl Date {
    fn parse(words: &[Word], line: &[u8], now: i64) -> Option<Date> {
        let &[first, second, ..] = words else { return None };
        if let Some((year, month, day)) = iso_day(first.of(line)) {
            let (hour, minute, _) = clock(second.of(line))?;
            return Some(Date { seconds: unix(year, month, day, hour, minute), end: second.end });
        }
        let third = *words.get(2)?;
        let month = month(first.of(line))?;
        let day = small(second.of(line)).filter(|day| (1..=31).contains(day))?;
        let seconds = match clock(third.of(line)) {
            Some((hour, minute, _)) => recent(now, month, day, hour, minute),
            None => unix(small(third.of(line)).filter(|_| third.of(line).len() == 4)?, month, day, 0, 0),
        };
        Some(Date { seconds, end: third.end })
    }
}

/// The last such time that is not in the future; a day of difference may be one of zones.
fn recent(now: i64, month: u32, day: u32, hour: u32, minute: u32) -> Option<i64> {
    let this_year = Civil::of(now.saturating_add(A_DAY)).year;
    // A 29 February may be eight years back (1896 to 1904).
    (this_year.saturating_sub(8)..=this_year)
        .rev()
        .filter_map(|year| unix(year, month, day, hour, minute))
        .find(|&seconds| seconds <= now.saturating_add(A_DAY))
}

fn unix(year: u32, month: u32, day: u32, hour: u32, minute: u32) -> Option<i64> {
    Civil { year, month, day, hour, minute, second: 0 }.to_unix()
}

fn dos_time(date: &[u8], time: &[u8]) -> Option<i64> {
    let (hour, minute, half) = clock(time)?;
    let hour = match half {
        None => hour,
        Some(_) if !(1..=12).contains(&hour) => return None,
        Some(Half::Am) => hour % 12,
        Some(Half::Pm) => hour % 12 + 12,
    };
    let (year, month, day) = iso_day(date).or_else(|| {
        let [month, day, year] = numbers(date)?;
        // Two digits of a year mean the one that is nearer to the time of the protocol's servers.
        let year = match year.of(date).len() {
            2 => small(year.of(date)).map(|year| if year < 70 { 2000 + year } else { 1900 + year }),
            4 => small(year.of(date)),
            _ => None,
        };
        Some((year?, small(month.of(date))?, small(day.of(date))?))
    })?;
    unix(year, month, day, hour, minute)
}

/// `2026-11-21`.
fn iso_day(date: &[u8]) -> Option<(u32, u32, u32)> {
    let [year, month, day] = numbers(date)?;
    let four_digits = year.of(date).len() == 4;
    Some((small(year.of(date)).filter(|_| four_digits)?, small(month.of(date))?, small(day.of(date))?))
}

/// Three numbers with hyphens between them.
fn numbers(date: &[u8]) -> Option<[Word; 3]> {
    let mut start = 0;
    let mut words = date.split(|&byte| byte == b'-').map(|word| {
        let place = Word { start, end: start + word.len() };
        start = place.end + 1;
        place
    });
    let three = [words.next()?, words.next()?, words.next()?];
    words.next().is_none().then_some(three)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Half {
    Am,
    Pm,
}

/// `05:45`, `5:45`, `05:45AM`, `05:45:07`.
fn clock(word: &[u8]) -> Option<(u32, u32, Option<Half>)> {
    let upper = word.to_ascii_uppercase();
    let (digits, half) = match (upper.strip_suffix(b"AM"), upper.strip_suffix(b"PM")) {
        (Some(digits), _) => (digits, Some(Half::Am)),
        (_, Some(digits)) => (digits, Some(Half::Pm)),
        _ => (&upper[..], None),
    };
    let mut parts = digits.split(|&byte| byte == b':');
    let (hour, minute) = (small(parts.next()?)?, small(parts.next()?)?);
    let rest_is_seconds = parts.next().is_none_or(|seconds| small(seconds).is_some()) && parts.next().is_none();
    (hour < 24 && minute < 60 && rest_is_seconds).then_some((hour, minute, half))
}

fn month(word: &[u8]) -> Option<u32> {
    let is = |month: &u32| {
        let civil = Civil { year: 0, month: *month, day: 1, hour: 0, minute: 0, second: 0 };
        civil.month_name().as_bytes().eq_ignore_ascii_case(word)
    };
    (1..=12).find(is)
}

/// A word's place in its line.
#[derive(Debug, Clone, Copy)]
struct Word {
    start: usize,
    end: usize,
}

impl Word {
    fn of(self, line: &[u8]) -> &[u8] {
        &line[self.start..self.end]
    }
}

/// The first words of a line: as many as can stand before a name, and a few more.
fn words(line: &[u8]) -> Vec<Word> {
    let mut words = Vec::new();
    let mut at = 0;
    while words.len() < DATE_WORDS_MAX + 3 {
        let Some(start) = line[at..].iter().position(|&byte| byte != b' ').map(|skipped| at + skipped) else { break };
        let end = line[start..].iter().position(|&byte| byte == b' ').map_or(line.len(), |len| start + len);
        words.push(Word { start, end });
        at = end;
    }
    words
}

fn number(digits: &[u8]) -> Option<u64> {
    let all_digits = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(digits).ok().filter(|_| all_digits)?.parse().ok()
}

fn small(digits: &[u8]) -> Option<u32> {
    number(digits).and_then(|number| u32::try_from(number).ok())
}

fn octal(digits: &[u8]) -> Option<u32> {
    let text = std::str::from_utf8(digits).ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()))?;
    u32::from_str_radix(text, 8).ok().filter(|mode| *mode <= 0o7777)
}

fn without_commas(word: &[u8]) -> Vec<u8> {
    word.iter().copied().filter(|&byte| byte != b',').collect()
}

/// The bits of `rwsr-xr-t`.
fn mode(letters: &[u8]) -> u32 {
    let mut mode = 0;
    for (index, &letter) in letters.iter().enumerate() {
        let bit = 1 << (8 - index);
        let special = 0o4000 >> (index / 3);
        mode |= match letter {
            b'r' | b'w' | b'x' => bit,
            b's' | b't' => bit | special,
            b'S' | b'T' => special,
            _ => 0,
        };
    }
    mode
}

/// A name, a link's target, and what stands before them.
const LONG_LINE_BYTES_MAX: usize = 2 * PATH_BYTES_MAX + 256;

/// Where a date may begin at the latest: permissions, links, owner, group and size, with some words more.
const DATE_WORDS_MAX: usize = 10;

const A_DAY: i64 = 86_400;

#[cfg(test)]
mod tests;
