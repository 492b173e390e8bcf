//! Removes what a crash left of unfinished uploads.
//!
//! Invariant: only regular files with the hidden prefix are removed, and no link is followed.

use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, openat, statat, unlinkat};

use super::{is_hidden, reopen};

/// Removes all leftovers at and below `root`; how many.
pub(super) fn sweep(root: BorrowedFd<'_>) -> io::Result<usize> {
    let mut removed = 0;
    // Descriptors, not paths: nobody can move a directory under our feet. As many as the tree is deep at the most.
    let mut open = vec![Dir::new(reopen(root)?)?];
    while let Some(directory) = open.last_mut() {
        let Some(entry) = directory.next() else {
            open.pop();
            continue;
        };
        let entry = entry?;
        let name = entry.file_name();
        let below = match kind(directory.fd()?, name, entry.file_type()) {
            FileType::RegularFile if is_hidden(name.to_bytes()) => {
                removed += usize::from(unlinkat(directory.fd()?, name, AtFlags::empty()).is_ok());
                None
            }
            // A directory that may not be read holds no upload of ours.
            FileType::Directory if !matches!(name.to_bytes(), b"." | b"..") => descend(directory.fd()?, name),
            _ => None,
        };
        open.extend(below);
    }
    Ok(removed)
}

fn descend(parent: BorrowedFd<'_>, name: &std::ffi::CStr) -> Option<Dir> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let directory: OwnedFd = openat(parent, name, flags, Mode::empty()).ok()?;
    Dir::new(directory).ok()
}

/// The kind of an entry; asked for where the directory does not say.
fn kind(parent: BorrowedFd<'_>, name: &std::ffi::CStr, listed: FileType) -> FileType {
    match listed {
        FileType::Unknown => statat(parent, name, AtFlags::SYMLINK_NOFOLLOW)
            .map_or(FileType::Unknown, |stat| FileType::from_raw_mode(stat.st_mode)),
        listed => listed,
    }
}
