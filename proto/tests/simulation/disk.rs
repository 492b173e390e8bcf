//! Files in memory: what is visible, what was visible before, and uploads that are not files yet.

use std::collections::{BTreeMap, BTreeSet};

use muxftp_proto::{Cause, Dialect, VPath};

/// The names and their contents, and the uploads under way.
#[derive(Default)]
pub struct Disk {
    visible: BTreeMap<Vec<u8>, Vec<u8>>,
    temporaries: BTreeMap<u64, Vec<u8>>,
    next_temporary: u64,
    /// All contents that a name ever had, oldest first.
    history: BTreeMap<Vec<u8>, Vec<Vec<u8>>>,
    /// What was there, and all uploads that clients with a session have begun: name, content, and whether the size was declared.
    pub attempts: Vec<(Vec<u8>, Vec<u8>, bool)>,
}

impl Disk {
    pub fn read(&self, path: &VPath) -> Result<Vec<u8>, Cause> {
        self.visible.get(path.as_bytes()).cloned().ok_or(Cause::NotFound)
    }

    /// One name per line, sorted.
    pub fn list(&self, dialect: Dialect) -> Vec<u8> {
        let mut listing = Vec::new();
        self.visible.keys().for_each(|name| dialect.print_listed(name, &mut listing));
        listing
    }

    /// A file that no session has brought.
    pub fn put(&mut self, name: &[u8], content: &[u8]) {
        self.attempts.push((name.to_vec(), content.to_vec(), true));
        self.history.insert(name.to_vec(), vec![content.to_vec()]);
        self.visible.insert(name.to_vec(), content.to_vec());
    }

    pub fn begin(&mut self) -> u64 {
        self.next_temporary += 1;
        self.temporaries.insert(self.next_temporary, Vec::new());
        self.next_temporary
    }

    pub fn append(&mut self, temporary: u64, bytes: &[u8]) {
        self.temporaries.get_mut(&temporary).expect("it was begun and has not ended").extend_from_slice(bytes);
    }

    pub fn commit(&mut self, temporary: u64, path: &VPath) {
        let content = self.temporaries.remove(&temporary).expect("it was begun and has not ended");
        self.history.entry(path.as_bytes().to_vec()).or_default().push(content.clone());
        self.visible.insert(path.as_bytes().to_vec(), content);
    }

    pub fn discard(&mut self, temporary: u64) {
        self.temporaries.remove(&temporary);
    }

    pub fn temporaries(&self) -> usize {
        self.temporaries.len()
    }

    /// How often a name has had this content.
    pub fn times_committed(&self, name: &[u8], content: &[u8]) -> usize {
        self.history.get(name).map_or(0, |versions| versions.iter().filter(|version| *version == content).count())
    }

    /// How many contents a name has had.
    pub fn versions(&self, name: &[u8]) -> usize {
        self.history.get(name).map_or(0, Vec::len)
    }

    /// Whether a name had this content at some time since it had had `versions` of them.
    pub fn had_since(&self, versions: usize, name: &[u8], content: &[u8]) -> bool {
        let history = self.history.get(name).map_or(&[][..], Vec::as_slice);
        history.iter().skip(versions.saturating_sub(1)).any(|version| version == content)
    }

    /// All visible names.
    pub fn names(&self) -> BTreeSet<Vec<u8>> {
        self.visible.keys().cloned().collect()
    }

    /// Checks that each content that ever became visible is one that a client meant. Only an upload of unknown size may be
    /// cut short, by a client that died: gives how many were.
    pub fn check_all_were_meant(&self) -> usize {
        let mut parts = 0;
        // Peers without a session declare one of these sizes, and send what they like.
        for version in self.history.get(b"raw".as_slice()).into_iter().flatten() {
            assert!(matches!(version.len(), 0 | 10), "an upload of another size than declared: {version:?}");
        }
        for (name, versions) in self.history.iter().filter(|(name, _)| *name != b"raw") {
            for version in versions {
                let meant = |(n, content, declared): &(Vec<u8>, Vec<u8>, bool)| {
                    n == name && (content == version || (!declared && content.starts_with(version)))
                };
                assert!(self.attempts.iter().any(meant), "nobody meant {name:?} to be {version:?}");
                parts += usize::from(!self.attempts.iter().any(|(n, content, _)| n == name && content == version));
            }
        }
        parts
    }

    /// Whether this was the list of names at some time since `before` were all. Names are only ever added.
    pub fn had_names_since(&self, before: &BTreeSet<Vec<u8>>, listing: &[u8]) -> bool {
        let Some(listing) = listing.strip_suffix(b"\n") else { return before.is_empty() && listing.is_empty() };
        let lines = listing.split(|&byte| byte == b'\n');
        let names: Vec<&[u8]> = lines.map(|line| line.strip_prefix(b"./").unwrap_or(line)).collect();
        names.is_sorted()
            && names.iter().all(|name| self.visible.contains_key(*name))
            && before.iter().all(|name| names.contains(&name.as_slice()))
    }
}
