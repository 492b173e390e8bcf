//! Files in memory: what is visible, what was visible before, and uploads that are not files yet.

use std::collections::BTreeMap;

use muxftp_proto::{Cause, Dialect, VPath};

/// The names and their contents, and the uploads under way.
#[derive(Default)]
pub struct Disk {
    visible: BTreeMap<Vec<u8>, Vec<u8>>,
    temporaries: BTreeMap<u64, Vec<u8>>,
    next_temporary: u64,
    /// All contents that a name ever had, oldest first.
    history: BTreeMap<Vec<u8>, Vec<Vec<u8>>>,
    /// All uploads that clients with a session have begun: name, content, and whether the size was declared.
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

    /// Whether a name ever had this content.
    pub fn had(&self, name: &[u8], content: &[u8]) -> bool {
        self.times_committed(name, content) > 0
    }

    /// Checks that each content that ever became visible is one that a client meant. Only an upload of unknown size may be
    /// cut short, by a client that died: gives how many were.
    pub fn check_all_were_meant(&self) -> usize {
        let mut parts = 0;
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

    /// Whether this was the list of names at some time. Names are only ever added.
    pub fn had_names(&self, listing: &[u8]) -> bool {
        let names: Vec<&[u8]> = listing.split_inclusive(|&byte| byte == b'\n').collect();
        names.is_sorted_by_key(|line| line.strip_prefix(b"./").unwrap_or(line))
            && names.iter().all(|line| {
                line.strip_suffix(b"\n")
                    .is_some_and(|name| self.visible.contains_key(name.strip_prefix(b"./").unwrap_or(name)))
            })
    }
}
