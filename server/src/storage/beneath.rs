//! Opening by paths that cannot lead out of a directory: the only place that resolves a client's path.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::{AtFlags, Mode, OFlags, ResolveFlags, Stat, openat2, statat};
use rustix::io::Errno;

use super::reach;

/// Opens `path` below `root`; the empty path is the root itself.
pub(super) fn open(root: &OwnedFd, path: &[u8], flags: OFlags) -> Result<OwnedFd, Errno> {
    open_with(root, path, flags, ResolveFlags::empty())
}

/// Like [`open`], through directories of the mount of `root` only: every link on the way is refused, and so is every other
/// file system, which may be one that does not answer.
pub(super) fn open_within_mount(root: &OwnedFd, path: &[u8], flags: OFlags) -> Result<OwnedFd, Errno> {
    open_with(root, path, flags, ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_XDEV)
}

/// The directory above `dir` on the same mount; at the top of all, `dir` again. For no client's path.
pub(super) fn parent_within_mount(dir: &OwnedFd) -> Result<OwnedFd, Errno> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    openat2(dir, "..", flags, Mode::empty(), ResolveFlags::NO_XDEV)
}

/// What stands under one name in `dir`; a link is not followed.
pub(super) fn stat(dir: &OwnedFd, name: &[u8]) -> Result<Stat, Errno> {
    debug_assert!(!name.contains(&b'/'), "a single component");
    statat(dir, name, AtFlags::SYMLINK_NOFOLLOW | reach::stat_flags())
}

/// Whether this system can confine paths at all.
pub(super) fn probe(root: &OwnedFd) -> io::Result<()> {
    match open(root, b"", OFlags::PATH) {
        Ok(_) => Ok(()),
        Err(errno @ (Errno::NOSYS | Errno::PERM)) => Err(io::Error::other(format!(
            "openat2 is refused ({errno}), and without it paths cannot be confined: Linux 5.6 is needed, and a sandbox \
             (seccomp) that allows it"
        ))),
        Err(errno) => Err(errno.into()),
    }
}

fn open_with(root: &OwnedFd, path: &[u8], flags: OFlags, further: ResolveFlags) -> Result<OwnedFd, Errno> {
    let path = if path.is_empty() { b".".as_slice() } else { path };
    let mut resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS | further | reach::resolve_flags();
    if WITHOUT_CACHED.load(Ordering::Relaxed) {
        resolve.remove(ResolveFlags::CACHED);
    }
    let mut attempts = ATTEMPTS_MAX;
    loop {
        match openat2(root, path, flags | OFlags::CLOEXEC, Mode::empty(), resolve) {
            Err(Errno::INVAL) if resolve.contains(ResolveFlags::CACHED) => {
                WITHOUT_CACHED.store(true, Ordering::Relaxed);
                resolve.remove(ResolveFlags::CACHED);
            }
            Err(Errno::AGAIN) if resolve.contains(ResolveFlags::CACHED) => return missed(Errno::AGAIN),
            Err(Errno::AGAIN | Errno::INTR) if attempts > 1 => attempts -= 1,
            Err(errno @ Errno::XDEV) => return missed(errno),
            result => return result,
        }
    }
}

fn missed(errno: Errno) -> Result<OwnedFd, Errno> {
    reach::note(errno);
    Err(errno)
}

/// Linux before 5.12 does not know RESOLVE_CACHED: there the loop may wait for a disk.
static WITHOUT_CACHED: AtomicBool = AtomicBool::new(false);

/// The kernel gives EAGAIN when something was renamed while it followed a `..` of a link, since it cannot tell whether
/// that led out. Somebody who renames without end must not hold the loop.
const ATTEMPTS_MAX: u32 = 16;
