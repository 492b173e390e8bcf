//! Removes what a crashed server left: temporaries, in every directory of the root.
//!
//! It must run only when no other server lives on the root, since theirs look the same.

use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;

use rustix::fs::{AtFlags, FileType, OFlags, RawDir, unlinkat};
use rustix::io::Errno;

use super::{beneath, names};

/// What became of the temporaries of crashed servers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leftovers {
    /// All directories were looked at.
    Swept {
        /// Files removed.
        removed: usize,
        /// Directories that could not be read, and files that could not be removed.
        failed: usize,
    },
    /// Nothing was touched: another server has this root, or its file system has no locks to tell.
    NotSwept,
}

/// Goes through all directories below `root`; links are not followed.
pub(super) fn sweep(root: &OwnedFd) -> Leftovers {
    let (mut removed, mut failed) = (0, 0);
    // Paths, not descriptors: a deep tree must not use up the descriptors.
    let mut pending: Vec<Vec<u8>> = vec![Vec::new()];
    while let Some(path) = pending.pop() {
        match sweep_directory(root, &path, &mut pending) {
            Ok(outcome) => {
                removed += outcome.removed;
                failed += outcome.failed;
            }
            // Removed or replaced by somebody since it was seen.
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => {}
            Err(_) => failed += 1,
        }
    }
    Leftovers::Swept { removed, failed }
}

#[derive(Default)]
struct Outcome {
    removed: usize,
    failed: usize,
}

fn sweep_directory(root: &OwnedFd, path: &[u8], pending: &mut Vec<Vec<u8>>) -> Result<Outcome, Errno> {
    let dir = beneath::open_without_links(root, path, OFlags::RDONLY | OFlags::DIRECTORY)?;
    let mut outcome = Outcome::default();
    let mut buffer = [const { MaybeUninit::<u8>::uninit() }; 16 * 1024];
    let mut entries = RawDir::new(&dir, &mut buffer);
    while let Some(entry) = entries.next() {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        if matches!(name, b"." | b"..") {
            continue;
        }
        let file_type = match entry.file_type() {
            FileType::Unknown => match beneath::stat(&dir, name) {
                Ok(stat) => FileType::from_raw_mode(stat.st_mode),
                Err(_) => continue,
            },
            known => known,
        };
        match file_type {
            FileType::Directory => pending.push(names::join(path, name)),
            FileType::RegularFile if names::is_temporary(name) => match unlinkat(&dir, name, AtFlags::empty()) {
                Ok(()) => outcome.removed += 1,
                Err(_) => outcome.failed += 1,
            },
            _ => {}
        }
    }
    Ok(outcome)
}
