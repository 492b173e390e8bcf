//! One name of a directory, as LIST, MLSD and MLST write it.
//!
//! It must not know the file system or an account: both come as values.

use crate::vocab::permission::{Permission, Permissions};

use super::time::{Civil, print_time_val};

/// A name, and what is known of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry<'a> {
    /// Without a slash at its end.
    pub name: &'a [u8],
    /// What it is.
    pub kind: EntryKind<'a>,
    /// Bytes.
    pub size: u64,
    /// Of the last change, in seconds since 1970 (UTC).
    pub modified: i64,
    /// Permission bits.
    pub mode: u32,
    /// Names that it has.
    pub links: u64,
    /// The same for all names of one file: device and inode.
    pub unique: (u64, u64),
}

/// What a name stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EntryKind<'a> {
    /// A file.
    File,
    /// A directory.
    Directory,
    /// A link, to this.
    Link(&'a [u8]),
    /// A device, a socket, a pipe.
    Other,
}

/// How a name stands to the directory that is listed (RFC 3659 7.5.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relation {
    /// It stands in it.
    Child,
    /// It is it.
    Current,
}

/// Which facts MLSD and MLST tell (RFC 3659 7.9).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FactSet(u8);

/// The facts, in the order in which they are told.
const FACTS: [&str; 6] = ["type", "size", "modify", "perm", "unique", "UNIX.mode"];

impl Default for FactSet {
    /// All of them.
    fn default() -> FactSet {
        FactSet((1 << FACTS.len()) - 1)
    }
}

impl FactSet {
    /// Reads `type;size;`; what is not known is left out (RFC 3659 7.9).
    pub fn parse(text: &[u8]) -> FactSet {
        let words = text.split(|&byte| byte == b';');
        FactSet(words.fold(0, |set, word| {
            let known = FACTS.iter().position(|fact| fact.as_bytes().eq_ignore_ascii_case(word));
            known.map_or(set, |index| set | 1 << index)
        }))
    }

    /// As in the reply to OPTS MLST.
    pub fn print_selected(self, out: &mut Vec<u8>) {
        for (index, fact) in FACTS.iter().enumerate().filter(|(index, _)| self.has(*index)) {
            debug_assert!(index < 8);
            out.extend_from_slice(format!("{fact};").as_bytes());
        }
    }

    /// As in FEAT: all of them, a star at those that are told.
    pub fn print_feature(self, out: &mut Vec<u8>) {
        for (index, fact) in FACTS.iter().enumerate() {
            out.extend_from_slice(format!("{fact}{};", if self.has(index) { "*" } else { "" }).as_bytes());
        }
    }

    fn has(self, index: usize) -> bool {
        self.0 & 1 << index != 0
    }
}

/// Prints a line as of `ls -l`, with its end. `now`, in seconds since 1970, says whether the hour or the year is told.
pub fn print_long(entry: &Entry<'_>, now: i64, out: &mut Vec<u8>) {
    let letter = match entry.kind {
        EntryKind::File => '-',
        EntryKind::Directory => 'd',
        EntryKind::Link(_) => 'l',
        EntryKind::Other => 's',
    };
    let time = Civil::of(entry.modified);
    let recent = (now - HALF_A_YEAR..=now + A_DAY).contains(&entry.modified);
    let hour_or_year =
        if recent { format!("{:02}:{:02}", time.hour, time.minute) } else { format!("{:>5}", time.year) };
    let line = format!(
        "{letter}{} {:>4} ftp      ftp      {:>12} {} {:>2} {hour_or_year} ",
        Bits(entry.mode),
        entry.links,
        entry.size,
        time.month_name(),
        time.day
    );
    out.extend_from_slice(line.as_bytes());
    out.extend_from_slice(entry.name);
    if let EntryKind::Link(target) = entry.kind {
        out.extend_from_slice(b" -> ");
        out.extend_from_slice(target);
    }
    out.extend_from_slice(b"\r\n");
}

/// Prints facts and name (RFC 3659 7.2) without a line end. `permissions` are the account's.
pub fn print_facts(entry: &Entry<'_>, facts: FactSet, permissions: Permissions, relation: Relation, out: &mut Vec<u8>) {
    for (index, fact) in FACTS.iter().enumerate().filter(|(index, _)| facts.has(*index)) {
        let start = out.len();
        out.extend_from_slice(fact.as_bytes());
        out.push(b'=');
        let value = out.len();
        match index {
            0 => out.extend_from_slice(type_word(entry.kind, relation).as_bytes()),
            1 if entry.kind == EntryKind::File => out.extend_from_slice(entry.size.to_string().as_bytes()),
            2 => print_time_val(entry.modified, out),
            3 => print_perm(entry.kind, permissions, out),
            4 => out.extend_from_slice(format!("{:x}g{:x}", entry.unique.0, entry.unique.1).as_bytes()),
            5 => out.extend_from_slice(format!("{:04o}", entry.mode & 0o7777).as_bytes()),
            _ => {}
        }
        // A directory has no size; an empty perm says that nothing may be done.
        if out.len() == value && index == 1 {
            out.truncate(start);
        } else {
            out.push(b';');
        }
    }
    out.push(b' ');
    out.extend_from_slice(entry.name);
}

fn type_word(kind: EntryKind<'_>, relation: Relation) -> &'static str {
    match (kind, relation) {
        (EntryKind::File, _) => "file",
        (EntryKind::Directory, Relation::Child) => "dir",
        (EntryKind::Directory, Relation::Current) => "cdir",
        (EntryKind::Link(_), _) => "OS.unix=symlink",
        (EntryKind::Other, _) => "OS.unix=special",
    }
}

/// RFC 3659 7.5.5.
fn print_perm(kind: EntryKind<'_>, permissions: Permissions, out: &mut Vec<u8>) {
    let letters: &[(u8, Option<Permission>)] = match kind {
        EntryKind::Directory => &[
            (b'c', Some(Permission::Write)),
            (b'd', Some(Permission::Delete)),
            (b'e', None),
            (b'f', Some(Permission::Rename)),
            (b'l', Some(Permission::List)),
            (b'm', Some(Permission::Mkdir)),
            (b'p', Some(Permission::Delete)),
        ],
        EntryKind::File => &[
            (b'a', Some(Permission::Append)),
            (b'd', Some(Permission::Delete)),
            (b'f', Some(Permission::Rename)),
            (b'r', Some(Permission::Read)),
            (b'w', Some(Permission::Write)),
        ],
        EntryKind::Link(_) | EntryKind::Other => &[(b'd', Some(Permission::Delete)), (b'f', Some(Permission::Rename))],
    };
    let granted = letters.iter().filter(|(_, needed)| needed.is_none_or(|needed| permissions.has(needed)));
    out.extend(granted.map(|(letter, _)| letter));
}

/// `rwxr-xr-x`.
struct Bits(u32);

impl std::fmt::Display for Bits {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (index, letter) in "rwxrwxrwx".chars().enumerate() {
            let set = self.0 & (0o400 >> index) != 0;
            std::fmt::Write::write_char(f, if set { letter } else { '-' })?;
        }
        Ok(())
    }
}

const A_DAY: i64 = 24 * 60 * 60;
const HALF_A_YEAR: i64 = 182 * A_DAY;

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_795_239_991; // 2026-11-21 05:46:31

    fn entry(kind: EntryKind<'static>) -> Entry<'static> {
        Entry {
            name: b"my file",
            kind,
            size: 5_000_000_000,
            modified: NOW - 60,
            mode: 0o644,
            links: 1,
            unique: (0xfe, 0x1a),
        }
    }

    fn long(entry: Entry<'_>) -> String {
        let mut out = Vec::new();
        print_long(&entry, NOW, &mut out);
        String::from_utf8(out).unwrap()
    }

    fn facts(entry: Entry<'_>, set: FactSet, permissions: Permissions, relation: Relation) -> String {
        let mut out = Vec::new();
        print_facts(&entry, set, permissions, relation, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn long_lines_have_the_form_of_ls() {
        assert_eq!(
            long(entry(EntryKind::File)),
            "-rw-r--r--    1 ftp      ftp        5000000000 Nov 21 05:45 my file\r\n"
        );
        let old = Entry { modified: 951_782_400, mode: 0o755, size: 0, links: 2, ..entry(EntryKind::Directory) };
        assert_eq!(long(old), "drwxr-xr-x    2 ftp      ftp                 0 Feb 29  2000 my file\r\n");
        let link = Entry { mode: 0o777, size: 4, ..entry(EntryKind::Link(b"a b")) };
        assert_eq!(long(link), "lrwxrwxrwx    1 ftp      ftp                 4 Nov 21 05:45 my file -> a b\r\n");
        for age in [-2 * A_DAY, 0, HALF_A_YEAR - 1, HALF_A_YEAR + 1] {
            let line = long(Entry { modified: NOW - age, ..entry(EntryKind::File) });
            assert_eq!(line.split_ascii_whitespace().count(), 10, "eight fields and a name of two words: {line}");
            assert_eq!(line.contains(':'), (0..=HALF_A_YEAR).contains(&age), "{line}");
        }
    }

    #[test]
    fn facts_tell_what_is_known_and_what_may_be_done() {
        assert_eq!(
            facts(entry(EntryKind::File), FactSet::default(), Permissions::ALL, Relation::Child),
            "type=file;size=5000000000;modify=20261121054531;perm=adfrw;unique=feg1a;UNIX.mode=0644; my file"
        );
        assert_eq!(
            facts(entry(EntryKind::Directory), FactSet::default(), Permissions::READ_ONLY, Relation::Current),
            "type=cdir;modify=20261121054531;perm=el;unique=feg1a;UNIX.mode=0644; my file"
        );
        let two = FactSet::parse(b"TYPE;size;nonsense;");
        assert_eq!(
            facts(entry(EntryKind::File), two, Permissions::NONE, Relation::Child),
            "type=file;size=5000000000; my file"
        );
        let none = FactSet::parse(b"");
        assert_eq!(facts(entry(EntryKind::Other), none, Permissions::NONE, Relation::Child), " my file");
    }

    #[test]
    fn the_selection_is_told_in_both_forms() {
        let (mut selected, mut feature) = (Vec::new(), Vec::new());
        let set = FactSet::parse(b"size;UNIX.mode;");
        set.print_selected(&mut selected);
        set.print_feature(&mut feature);
        assert_eq!(selected, b"size;UNIX.mode;");
        assert_eq!(feature, b"type;size*;modify;perm;unique;UNIX.mode*;");
    }
}
