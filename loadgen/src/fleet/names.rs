//! The names that the server has acknowledged, and the check of a listing against them.
//!
//! Invariant: names are only ever added, in the order of their acknowledgement; a listing must hold all that were there
//! when it was asked for, and may hold more.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use muxftp_proto::client::io::ListingForm;
use muxftp_proto::representation::listed;

/// The acknowledged names of all directories. Shared by the clients of one loop.
#[derive(Debug, Clone, Default)]
pub(super) struct KnownNames {
    directories: Rc<RefCell<HashMap<String, Directory>>>,
}

#[derive(Debug, Default)]
struct Directory {
    numbers: HashMap<Box<[u8]>, usize>,
    names: Vec<Box<[u8]>>,
}

/// A listing as it streams in.
#[derive(Debug)]
pub(super) struct ListingCheck {
    known: KnownNames,
    directory: String,
    /// How many of the known names must be there.
    expected: usize,
    seen: Vec<u64>,
    seen_count: usize,
    /// The beginning of a name whose end has not come yet.
    partial: Vec<u8>,
    form: ListingForm,
}

impl KnownNames {
    /// The server has acknowledged this file.
    pub(super) fn add(&self, path: &str) {
        let (directory, name) = path.rsplit_once('/').unwrap_or(("", path));
        let mut directories = self.directories.borrow_mut();
        if !directories.contains_key(directory) {
            directories.insert(directory.to_owned(), Directory::default());
        }
        let Some(entry) = directories.get_mut(directory) else { return };
        if !entry.numbers.contains_key(name.as_bytes()) {
            entry.numbers.insert(name.as_bytes().into(), entry.names.len());
            entry.names.push(name.as_bytes().into());
        }
    }

    /// A check of a listing that is asked for now.
    pub(super) fn check(&self, directory: &str, form: ListingForm) -> ListingCheck {
        let expected = self.directories.borrow().get(directory).map_or(0, |entry| entry.names.len());
        ListingCheck {
            known: self.clone(),
            directory: directory.to_owned(),
            expected,
            seen: vec![0; expected.div_ceil(64)],
            seen_count: 0,
            partial: Vec::new(),
            form,
        }
    }
}

impl ListingCheck {
    /// Takes the next bytes of the listing.
    pub(super) fn receive(&mut self, mut bytes: &[u8]) {
        let known = self.known.clone();
        let directories = known.directories.borrow();
        let Some(directory) = directories.get(&self.directory) else { return };
        while let Some(end) = bytes.iter().position(|&byte| byte == b'\n') {
            if self.partial.is_empty() {
                self.see(directory, &bytes[..end]);
            } else {
                self.partial.extend_from_slice(&bytes[..end]);
                let name = std::mem::take(&mut self.partial);
                self.see(directory, &name);
            }
            bytes = &bytes[end + 1..];
        }
        // A server that never ends a name does not fill our memory.
        if self.partial.len() + bytes.len() <= NAME_BYTES_MAX {
            self.partial.extend_from_slice(bytes);
        }
    }

    /// The listing has ended: `Err` tells of a name that is missing.
    pub(super) fn finish(&mut self) -> Result<(), String> {
        if !self.partial.is_empty() {
            self.receive(b"\n");
        }
        if self.seen_count == self.expected {
            return Ok(());
        }
        let directories = self.known.directories.borrow();
        let names = directories.get(&self.directory).map_or(&[][..], |directory| &directory.names[..self.expected]);
        let missing = names.iter().enumerate().find(|(number, _)| self.seen[number / 64] & (1 << (number % 64)) == 0);
        let missing = missing.map_or_else(String::new, |(_, name)| String::from_utf8_lossy(name).into_owned());
        Err(format!("{} of {} acknowledged names; missing: {missing}", self.seen_count, self.expected))
    }

    fn see(&mut self, directory: &Directory, name: &[u8]) {
        let line = name.strip_suffix(b"\r").unwrap_or(name);
        let parsed = match self.form {
            ListingForm::Names => None,
            ListingForm::Long | ListingForm::LongAll => listed::parse_long(line, NO_MATTER_WHEN),
            ListingForm::Facts => listed::parse_facts(line),
        };
        let name = parsed.as_ref().map_or(line, |entry| &entry.name[..]);
        // NLST of a directory names its files as they can be fetched: behind the directory.
        let name = name.iter().rposition(|&byte| byte == b'/').map_or(name, |slash| &name[slash + 1..]);
        let Some(&number) = directory.numbers.get(name).filter(|&&number| number < self.expected) else { return };
        let (word, bit) = (&mut self.seen[number / 64], 1 << (number % 64));
        self.seen_count += usize::from(*word & bit == 0);
        *word |= bit;
    }
}

/// Lines of `ls -l` lack the year; here only names are looked at.
const NO_MATTER_WHEN: i64 = 0;
/// No file system has longer names; a CR may follow.
const NAME_BYTES_MAX: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    fn known(paths: &[&str]) -> KnownNames {
        let known = KnownNames::default();
        paths.iter().for_each(|path| known.add(path));
        known
    }

    #[test]
    fn a_whole_listing_passes_however_it_is_cut() {
        let known = known(&["a", "b c", "d/x", "a"]);
        let text = b"a\r\nb c\nd/\nunknown\n";
        for size in 1..text.len() {
            let mut check = known.check("", ListingForm::Names);
            text.chunks(size).for_each(|piece| check.receive(piece));
            assert_eq!(check.finish(), Ok(()), "pieces of {size}");
        }
        for listing in [&b"x"[..], b"d/x\r\n", b"/pub/d/x\r\n"] {
            let mut check = known.check("d", ListingForm::Names);
            check.receive(listing);
            assert_eq!(
                check.finish(),
                Ok(()),
                "the last name may lack its end, and each may stand behind its directory"
            );
        }
    }

    #[test]
    fn names_are_found_in_the_longer_forms() {
        let long: &[u8] = b"-rw-r--r-- 1 ftp ftp 1 Jan  1 00:00 a\r\n-rw-r--r-- 1 ftp ftp 1 Jan  1 00:00 b c\r\n";
        let facts: &[u8] = b"type=file;size=1; a\r\ntype=file;size=1; b c\r\n";
        for (form, text) in [(ListingForm::Long, long), (ListingForm::Facts, facts)] {
            let mut check = known(&["a", "b c"]).check("", form);
            check.receive(text);
            assert_eq!(check.finish(), Ok(()), "{form:?}");
            let mut check = known(&["a", "b"]).check("", form);
            check.receive(text);
            assert!(check.finish().is_err(), "{form:?}: `b c` is not `b`");
        }
    }

    #[test]
    fn a_missing_name_is_told() {
        let mut check = known(&["a", "b"]).check("", ListingForm::Names);
        check.receive(b"a\na\n");
        assert_eq!(check.finish(), Err("1 of 2 acknowledged names; missing: b".to_owned()));
    }

    #[test]
    fn names_acknowledged_later_may_be_there_or_not() {
        let known = known(&["a"]);
        let mut early = known.check("", ListingForm::Names);
        let mut late = known.check("", ListingForm::Names);
        known.add("b");
        early.receive(b"a\n");
        late.receive(b"a\nb\n");
        assert_eq!(early.finish(), Ok(()));
        assert_eq!(late.finish(), Ok(()));
    }
}
