//! Opening files for clients: regular files and directories, and nothing else.
//!
//! Some devices act when they are opened, and a pipe lets its writer go. So it is seen what a name stands for before it is
//! opened.

use std::os::fd::{AsRawFd, OwnedFd};

use muxftp_proto::Cause;
use rustix::fs::{CWD, FileType, Mode, OFlags, Stat, fstat, openat};
use rustix::io::Errno;

use super::beneath;
use super::cause::cause;

/// Opens a regular file below `root`. `look`: a name may be looked at, though that may wait for a disk.
pub(super) fn regular(root: &OwnedFd, path: &[u8], access: OFlags, look: bool) -> Result<(OwnedFd, Stat), Cause> {
    // A name in the root itself needs no second descriptor. Between the look and the opening only another program can put
    // a device there, and only one that was in the tree before.
    if look
        && !path.is_empty()
        && !path.contains(&b'/')
        && is(&beneath::stat(root, path).map_err(cause)?, FileType::RegularFile)
    {
        let file = beneath::open(root, path, access | QUIETLY).map_err(cause)?;
        let stat = fstat(&file).map_err(cause)?;
        refuse_irregular(&stat)?;
        return Ok((file, stat));
    }
    let seen = beneath::open(root, path, OFlags::PATH).map_err(cause)?;
    let stat = fstat(&seen).map_err(cause)?;
    refuse_irregular(&stat)?;
    let file = reopen(&seen, access, |flags| beneath::open(root, path, flags))?;
    Ok((file, stat))
}

/// Opens a regular file by its name in `dir`; a link is not followed.
pub(super) fn regular_at(dir: &OwnedFd, name: &[u8], access: OFlags) -> Result<(OwnedFd, Stat), Cause> {
    let open = |flags| openat(dir, name, flags | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty());
    let seen = open(OFlags::PATH).map_err(cause)?;
    let stat = fstat(&seen).map_err(cause)?;
    refuse_irregular(&stat)?;
    Ok((reopen(&seen, access, open)?, stat))
}

/// Opens a regular file or a directory below `root`.
pub(super) fn plain(root: &OwnedFd, path: &[u8], access: OFlags) -> Result<OwnedFd, Cause> {
    let seen = beneath::open(root, path, OFlags::PATH).map_err(cause)?;
    let stat = fstat(&seen).map_err(cause)?;
    if !is(&stat, FileType::Directory) {
        refuse_irregular(&stat)?;
    }
    reopen(&seen, access, |flags| beneath::open(root, path, flags))
}

/// Opens what has been seen; `again` opens its name, for a system without `/proc`.
fn reopen(
    seen: &OwnedFd,
    access: OFlags,
    again: impl FnOnce(OFlags) -> Result<OwnedFd, Errno>,
) -> Result<OwnedFd, Cause> {
    match openat(CWD, by_descriptor(seen), access | QUIETLY | OFlags::CLOEXEC, Mode::empty()) {
        Err(Errno::NOENT) => {
            let file = again(access | QUIETLY).map_err(cause)?;
            let (first, second) = (fstat(seen).map_err(cause)?, fstat(&file).map_err(cause)?);
            let is_same = (first.st_dev, first.st_ino) == (second.st_dev, second.st_ino);
            if is_same { Ok(file) } else { Err(Cause::NotFound) }
        }
        result => result.map_err(cause),
    }
}

/// A path to what a descriptor holds, also one that was opened with `O_PATH`.
pub(super) fn by_descriptor(file: &OwnedFd) -> String {
    format!("/proc/self/fd/{}", file.as_raw_fd())
}

fn refuse_irregular(stat: &Stat) -> Result<(), Cause> {
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => Ok(()),
        FileType::Directory => Err(Cause::IsDirectory),
        _ => Err(Cause::NotRegular),
    }
}

fn is(stat: &Stat, file_type: FileType) -> bool {
    FileType::from_raw_mode(stat.st_mode) == file_type
}

/// Should it be a pipe or a terminal after all: without waiting for its other end, and without becoming ours.
const QUIETLY: OFlags = OFlags::NONBLOCK.union(OFlags::NOCTTY);
