//! Removes what crashed servers left: temporaries that no running upload holds, in every directory below a root.
//!
//! Each upload holds a lock on its temporary for as long as it lives (`names::create`), so a temporary that can be locked
//! belongs to no upload of any process. Between its creation and its lock, and between the close of the finished file and
//! its rename, an upload holds none for an instant: only what is found free twice, [`PAUSE`] apart, is removed.
//!
//! Invariants:
//! - nothing of this process is touched, and nothing that another process holds;
//! - on a file system without locks nothing is removed;
//! - no other file system is entered: one that does not answer cannot hold the sweep.

use std::ffi::CString;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::fs::{AtFlags, FileType, FlockOperation, Mode, OFlags, RawDir, flock, fstat, openat, unlinkat};
use rustix::io::Errno;

use super::{beneath, names};

/// What became of the temporaries below a root.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Swept {
    /// Files removed.
    pub(super) removed: usize,
    /// Files that an upload of another process holds, or that cannot be locked here.
    pub(super) held: usize,
    /// Directories that could not be read, and files that could not be removed.
    pub(super) failed: usize,
}

/// A temporary that was free when it was first seen.
struct Candidate {
    parent: Vec<u8>,
    name: CString,
    identity: (u64, u64),
}

/// Goes through all directories below `root`; links are not followed. It takes its time: not for the loop.
pub(super) fn sweep(root: &OwnedFd, pause: Duration) -> Swept {
    let mut swept = Swept::default();
    let mut candidates = Vec::new();
    // Paths, not descriptors: a deep tree must not use up the descriptors.
    let mut pending: Vec<Vec<u8>> = vec![Vec::new()];
    while let Some(path) = pending.pop() {
        match look_at(root, &path, &mut pending, &mut candidates, &mut swept) {
            // Removed, replaced or covered by a mount since it was seen.
            Ok(()) | Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::XDEV) => {}
            Err(_) => swept.failed += 1,
        }
        if candidates.len() >= CANDIDATES_MAX {
            remove_free(root, &mut candidates, pause, &mut swept);
        }
    }
    remove_free(root, &mut candidates, pause, &mut swept);
    swept
}

fn look_at(
    root: &OwnedFd,
    path: &[u8],
    pending: &mut Vec<Vec<u8>>,
    candidates: &mut Vec<Candidate>,
    swept: &mut Swept,
) -> Result<(), Errno> {
    let dir = beneath::open_within_mount(root, path, OFlags::RDONLY | OFlags::DIRECTORY)?;
    let mut buffer = [const { MaybeUninit::<u8>::uninit() }; 16 * 1024];
    let mut entries = RawDir::new(&dir, &mut buffer);
    while let Some(entry) = entries.next() {
        let entry = entry?;
        let name = entry.file_name();
        if matches!(name.to_bytes(), b"." | b"..") {
            continue;
        }
        let file_type = match entry.file_type() {
            FileType::Unknown => match beneath::stat(&dir, name.to_bytes()) {
                Ok(stat) => FileType::from_raw_mode(stat.st_mode),
                Err(_) => continue,
            },
            known => known,
        };
        match file_type {
            FileType::Directory => pending.push(names::join(path, name.to_bytes())),
            FileType::RegularFile if names::is_temporary(name.to_bytes()) && !names::is_own(name.to_bytes()) => {
                match take(&dir, name.to_bytes()) {
                    Ok(Taken { identity, .. }) => {
                        candidates.push(Candidate { parent: path.to_vec(), name: name.to_owned(), identity });
                    }
                    Err(Errno::NOENT) => {}
                    Err(errno) if is_refused_lock(errno) => swept.held += 1,
                    Err(_) => swept.failed += 1,
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// Removes the candidates that are still there and still free.
fn remove_free(root: &OwnedFd, candidates: &mut Vec<Candidate>, pause: Duration, swept: &mut Swept) {
    if candidates.is_empty() {
        return;
    }
    std::thread::sleep(pause);
    for candidate in candidates.drain(..) {
        match remove(root, &candidate) {
            Ok(true) => swept.removed += 1,
            Ok(false) | Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::XDEV) => {}
            Err(errno) if is_refused_lock(errno) => swept.held += 1,
            Err(_) => swept.failed += 1,
        }
    }
}

/// Whether it was removed; not if the name belongs to another file by now.
fn remove(root: &OwnedFd, candidate: &Candidate) -> Result<bool, Errno> {
    let dir = beneath::open_within_mount(root, &candidate.parent, OFlags::PATH | OFlags::DIRECTORY)?;
    let name = candidate.name.to_bytes();
    // Held until the name is gone: an upload that is just about to lock it sees that it has lost it.
    let taken = take(&dir, name)?;
    if taken.identity != candidate.identity {
        return Ok(false);
    }
    unlinkat(&dir, name, AtFlags::empty()).map(|()| true)
}

struct Taken {
    identity: (u64, u64),
    _locked: OwnedFd,
}

/// Locks a temporary, if no upload holds it.
fn take(dir: &OwnedFd, name: &[u8]) -> Result<Taken, Errno> {
    let open = |access| {
        let flags = access | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        openat(dir, name, flags, Mode::empty())
    };
    // Network file systems lock exclusively only what is open for writing.
    let file = match open(OFlags::WRONLY) {
        Err(Errno::ACCESS) => open(OFlags::RDONLY)?,
        other => other?,
    };
    flock(&file, FlockOperation::NonBlockingLockExclusive)?;
    let stat = fstat(&file)?;
    Ok(Taken { identity: (stat.st_dev, stat.st_ino), _locked: file })
}

/// Another process holds it, or this file system has no locks to tell.
fn is_refused_lock(errno: Errno) -> bool {
    matches!(errno, Errno::WOULDBLOCK | Errno::NOLCK | Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL)
}

/// Longer than an upload is without its lock, unless its process is stopped just there: then that upload fails.
pub(super) const PAUSE: Duration = Duration::from_secs(1);

/// Candidates that are remembered at once: half a MiB or so.
const CANDIDATES_MAX: usize = 4096;
