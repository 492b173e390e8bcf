//! The names in a directory, sorted, in bounded memory, a piece at a time.
//!
//! A directory that fits is read once. A larger one is read in passes: each keeps the smallest names that are greater than
//! the last one given out. So the order is whole and the memory bounded, whatever the directory holds.
//!
//! It must not know who reads the names. It never builds the whole listing, and it reads a bounded number of entries in
//! one call.
//!
//! Invariant: names come in rising order of their bytes, each at most once; one that was there all the time comes exactly
//! once, whatever is made or removed meanwhile.

use std::os::fd::OwnedFd;

use muxftp_proto::Cause;
use rustix::fs::{AtFlags, FileType, RawDir, SeekFrom, seek, statat};

use super::errno::cause;
use super::is_hidden;

/// A directory that is being listed.
#[derive(Debug)]
pub struct Listing {
    directory: OwnedFd,
    batch: Batch,
    state: State,
}

/// Whether more comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListProgress {
    /// Call again.
    More,
    /// All names were given.
    End,
}

#[derive(Debug)]
enum State {
    /// Entries are read into the batch.
    Reading,
    /// The batch is sorted and given out, from this index on.
    Giving(usize),
}

/// Names of one pass: the smallest above `after`, at most twice `most` of them at a time.
#[derive(Debug)]
struct Batch {
    bytes: Vec<u8>,
    /// Where each name is in `bytes`; a directory's ends in a slash.
    index: Vec<(u32, u16)>,
    most: usize,
    /// The last name of the pass before.
    after: Option<Vec<u8>>,
    /// Names from here on belong to a later pass.
    ceiling: Option<Vec<u8>>,
    /// There are names for a later pass.
    more: bool,
}

impl Listing {
    pub(super) fn new(directory: OwnedFd) -> Listing {
        Listing::with_batch(directory, NAMES_PER_PASS)
    }

    fn with_batch(directory: OwnedFd, most: usize) -> Listing {
        let batch = Batch { bytes: Vec::new(), index: Vec::new(), most, after: None, ceiling: None, more: false };
        Listing { directory, batch, state: State::Reading }
    }

    /// Adds names to `out`, each with `line_end`, until it holds about `max` bytes; or reads on in the directory without
    /// adding any, if that takes longer than one call should.
    ///
    /// # Errors
    /// The directory cannot be read.
    pub fn fill(&mut self, out: &mut Vec<u8>, max: usize, line_end: &[u8]) -> Result<ListProgress, Cause> {
        if matches!(self.state, State::Reading) {
            if !self.read()? {
                return Ok(ListProgress::More);
            }
            self.batch.sort();
            self.state = State::Giving(0);
        }
        if let State::Giving(next) = &mut self.state {
            while let Some(name) = self.batch.get(*next) {
                if out.len() >= max {
                    return Ok(ListProgress::More);
                }
                out.extend_from_slice(name);
                out.extend_from_slice(line_end);
                *next += 1;
            }
        }
        if !self.batch.next_pass() {
            return Ok(ListProgress::End);
        }
        seek(&self.directory, SeekFrom::Start(0)).map_err(cause)?;
        self.state = State::Reading;
        Ok(ListProgress::More)
    }

    /// Reads some entries; `true`: the pass is at its end.
    fn read(&mut self) -> Result<bool, Cause> {
        let mut buffer = Vec::with_capacity(READ_BYTES);
        let mut entries = RawDir::new(&self.directory, buffer.spare_capacity_mut());
        while let Some(entry) = entries.next() {
            let entry = entry.map_err(cause)?;
            let name = entry.file_name().to_bytes();
            if is_listed(name) {
                let directory = match entry.file_type() {
                    FileType::Directory => true,
                    FileType::Unknown => is_directory(&self.directory, name),
                    _ => false,
                };
                self.batch.offer(name, directory);
            }
            // What the kernel has given must be used up: it will not be given again.
            if entries.is_buffer_empty() {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

impl Batch {
    /// Takes a name, if it belongs to this pass.
    fn offer(&mut self, name: &[u8], directory: bool) {
        // Compared as they will be given, or the order would differ between passes.
        let start = self.bytes.len();
        self.bytes.extend_from_slice(name);
        if directory {
            self.bytes.push(b'/');
        }
        let given = &self.bytes[start..];
        let passed = self.after.as_deref().is_some_and(|after| given <= after);
        let later = self.ceiling.as_deref().is_some_and(|ceiling| given >= ceiling);
        self.more |= later;
        let fits = u32::try_from(start).ok().zip(u16::try_from(given.len()).ok());
        match fits {
            Some(place) if !passed && !later => self.index.push(place),
            _ => self.bytes.truncate(start),
        }
        if self.index.len() >= 2 * self.most {
            self.keep_smallest();
        }
    }

    /// The larger half goes to a later pass.
    fn keep_smallest(&mut self) {
        let bytes = &self.bytes;
        let (_, ceiling, _) =
            self.index.select_nth_unstable_by(self.most, |a, b| slice(bytes, *a).cmp(slice(bytes, *b)));
        self.ceiling = Some(slice(bytes, *ceiling).to_vec());
        self.index.truncate(self.most);
        self.more = true;
        let mut kept = Vec::with_capacity(self.bytes.len());
        for place in &mut self.index {
            let name = slice(&self.bytes, *place);
            *place = (kept.len() as u32, place.1);
            kept.extend_from_slice(name);
        }
        self.bytes = kept;
    }

    fn sort(&mut self) {
        let bytes = &self.bytes;
        self.index.sort_unstable_by(|a, b| slice(bytes, *a).cmp(slice(bytes, *b)));
    }

    fn get(&self, number: usize) -> Option<&[u8]> {
        self.index.get(number).map(|place| slice(&self.bytes, *place))
    }

    /// Prepares for the names that this pass has left; `false`: there are none.
    fn next_pass(&mut self) -> bool {
        // Everything below the ceiling has been given, so the next pass begins there.
        if !std::mem::take(&mut self.more) {
            return false;
        }
        if let Some(last) = self.index.last() {
            self.after = Some(slice(&self.bytes, *last).to_vec());
        }
        self.ceiling = None;
        self.bytes.clear();
        self.index.clear();
        true
    }
}

fn slice(bytes: &[u8], (start, length): (u32, u16)) -> &[u8] {
    &bytes[start as usize..start as usize + usize::from(length)]
}

/// Whether a name is shown: not the directory itself, not an unfinished upload, and nothing that a line cannot carry.
fn is_listed(name: &[u8]) -> bool {
    !matches!(name, b"." | b"..") && !is_hidden(name) && !name.iter().any(|byte| matches!(byte, b'\r' | b'\n'))
}

/// For file systems that do not say in the directory what an entry is.
fn is_directory(directory: &OwnedFd, name: &[u8]) -> bool {
    statat(directory, name, AtFlags::SYMLINK_NOFOLLOW)
        .is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::Directory)
}

/// Names that are sorted at a time; twice as many are held at the most, some 100 bytes each.
const NAMES_PER_PASS: usize = 16_384;

/// Entries that are read in one call: some hundreds, a fraction of a millisecond.
const READ_BYTES: usize = 32 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(path: &std::path::Path, most: usize, max: usize) -> Vec<String> {
        let mut listing = Listing::with_batch(super::super::tests::open_directory(path), most);
        let mut text = Vec::new();
        loop {
            let mut out = Vec::new();
            let progress = listing.fill(&mut out, max, b"\n").unwrap();
            assert!(out.len() < max + 300, "a piece is bounded");
            assert!(listing.batch.index.len() < 2 * most.max(1));
            text.extend(out);
            if progress == ListProgress::End {
                break;
            }
        }
        String::from_utf8(text).unwrap().lines().map(str::to_owned).collect()
    }

    #[test]
    fn names_are_sorted_and_directories_marked_whatever_the_size_of_a_pass() {
        let root = tempfile::tempdir().unwrap();
        let mut expected: Vec<_> = (0..1000).map(|number| format!("{:03}", number * 7919 % 1000)).collect();
        for name in &expected {
            std::fs::write(root.path().join(name), b"").unwrap();
        }
        for name in ["sub", "a dir"] {
            std::fs::create_dir(root.path().join(name)).unwrap();
            expected.push(format!("{name}/"));
        }
        std::fs::write(root.path().join(".muxftp-x.part"), b"").unwrap();
        std::fs::write(root.path().join("line\nbreak"), b"").unwrap();
        expected.sort();
        for most in [1, 2, 7, 100, 501, 1002, 5000] {
            assert_eq!(listed(root.path(), most, 100), expected, "{most} names in a pass");
        }
    }

    #[test]
    fn an_empty_directory_is_an_empty_listing() {
        let root = tempfile::tempdir().unwrap();
        assert_eq!(listed(root.path(), 10, 100), Vec::<String>::new());
    }

    #[test]
    fn what_was_there_all_the_time_comes_once_though_others_come_and_go() {
        let root = tempfile::tempdir().unwrap();
        let stays = |number: usize| format!("stays-{number:04}");
        for number in 0..500 {
            std::fs::write(root.path().join(stays(number)), b"").unwrap();
            std::fs::write(root.path().join(format!("goes-{number}")), b"").unwrap();
        }
        let mut listing = Listing::with_batch(super::super::tests::open_directory(root.path()), 50);
        let (mut text, mut round) = (Vec::new(), 0);
        while listing.fill(&mut text, usize::MAX, b"\n").unwrap() == ListProgress::More {
            let _ = std::fs::remove_file(root.path().join(format!("goes-{round}")));
            std::fs::write(root.path().join(format!("comes-{round}")), b"").unwrap();
            round += 1;
        }
        let names = String::from_utf8(text).unwrap();
        let kept: Vec<_> = names.lines().filter(|name| name.starts_with("stays")).collect();
        assert_eq!(kept, (0..500).map(stays).collect::<Vec<_>>());
    }
}
