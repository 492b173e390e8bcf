//! Files below one confined root.
//!
//! It must not know sockets, sessions or dialects. Every path goes to the kernel with `RESOLVE_BENEATH`, so that no link,
//! whoever made it and whenever, leads out of the root.
//!
//! # Invariants
//! - A name shows either the old contents or the whole new ones ([`Upload`]).
//! - Names of unfinished uploads are neither listed nor opened.
//! - Only regular files are read or written; opening never waits (a pipe without a writer).

mod errno;
mod listing;
mod sweep;
mod upload;

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use muxftp_proto::{Cause, VPath};
use rustix::fs::{CWD, FileType, FlockOperation, Mode, OFlags, ResolveFlags, flock, fstat, openat, openat2};
use rustix::io::Errno;

pub use errno::cause_of;
pub use listing::{ListProgress, Listing};
pub use upload::Upload;

use crate::config::Durability;
use errno::cause;

/// One root directory. Held for as long as it is served.
#[derive(Debug)]
pub struct Root {
    directory: OwnedFd,
    durability: Durability,
    leftovers: Leftovers,
    /// Differs from that of every other root that ever had uploads here.
    instance: u64,
    uploads: AtomicU64,
}

/// What became of uploads that a crash broke off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leftovers {
    /// So many files were removed.
    Swept(usize),
    /// Another server uses this root, or the file system has no locks: nothing was touched.
    NotSwept,
}

/// A file that is to be sent.
#[derive(Debug)]
pub struct ReadFile {
    /// Open for reading, at its start.
    pub file: File,
    /// Bytes when it was opened.
    pub size: u64,
}

impl Root {
    /// Opens a root, and makes it if it is missing. Leftovers of uploads that a crash broke off are removed, unless
    /// another server uses this root at the moment.
    ///
    /// # Errors
    /// It cannot be made or opened, or the kernel cannot confine paths (Linux before 5.6).
    pub fn open(path: &Path, durability: Durability) -> io::Result<Root> {
        std::fs::create_dir_all(path)?;
        let directory = openat(CWD, path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
        let (instance, uploads) = (rand::random(), AtomicU64::new(0));
        let mut root = Root { directory, durability, leftovers: Leftovers::NotSwept, instance, uploads };
        root.beneath(b".", OFlags::PATH | OFlags::DIRECTORY).map_err(|errno| match errno {
            Errno::NOSYS | Errno::PERM => {
                io::Error::other("this kernel refuses openat2, which confines paths: Linux 5.6 or newer is needed")
            }
            errno => errno.into(),
        })?;
        root.leftovers = root.sweep_when_alone()?;
        Ok(root)
    }

    /// What the sweep at the start has done.
    pub fn leftovers(&self) -> Leftovers {
        self.leftovers
    }

    /// Opens a file to send it.
    ///
    /// # Errors
    /// For the peer.
    pub fn open_read(&self, path: &VPath) -> Result<ReadFile, Cause> {
        refuse_hidden(path)?;
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY;
        let file = self.beneath(path.as_bytes(), flags).map_err(cause)?;
        let stat = fstat(&file).map_err(cause)?;
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => {
                let size = u64::try_from(stat.st_size).map_err(|_| Cause::DiskError)?;
                Ok(ReadFile { file: file.into(), size })
            }
            FileType::Directory => Err(Cause::IsDirectory),
            _ => Err(Cause::NotRegular),
        }
    }

    /// Opens a directory to list it.
    ///
    /// # Errors
    /// For the peer.
    pub fn open_list(&self, path: &VPath) -> Result<Listing, Cause> {
        refuse_hidden(path)?;
        let name = if path.is_root() { b"." } else { path.as_bytes() };
        let directory = self.beneath(name, OFlags::RDONLY | OFlags::DIRECTORY).map_err(cause)?;
        Ok(Listing::new(directory))
    }

    /// Begins an upload. `declared`: its size in bytes, when it is known.
    ///
    /// # Errors
    /// For the peer.
    pub fn open_write(&self, path: &VPath, declared: Option<u64>) -> Result<Upload, Cause> {
        refuse_hidden(path)?;
        let (directory, name) = path.split_last().ok_or(Cause::IsDirectory)?;
        let parent = match directory {
            b"" => None,
            directory => Some(self.beneath(directory, OFlags::PATH | OFlags::DIRECTORY).map_err(cause)?),
        };
        let number = self.uploads.fetch_add(1, Ordering::Relaxed);
        let temporary = format!("{HIDDEN_PREFIX}{:016x}-{number}.part", self.instance);
        let parent = match parent {
            Some(parent) => parent,
            // A descriptor of its own, so that an upload may be finished on another thread.
            None => self.directory.try_clone().map_err(|error| cause_of(&error))?,
        };
        Upload::begin(parent, name.to_vec(), temporary, declared, self.durability)
    }

    /// Opens a path that the kernel keeps below the root, whatever links lie on it.
    fn beneath(&self, path: &[u8], flags: OFlags) -> Result<OwnedFd, Errno> {
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
        for _ in 0..RACES_MAX {
            match openat2(&self.directory, path, flags | OFlags::CLOEXEC, Mode::empty(), resolve) {
                // Something on the way was renamed meanwhile: the kernel cannot tell whether it still is beneath.
                Err(Errno::AGAIN | Errno::INTR) => {}
                result => return result,
            }
        }
        Err(Errno::NOENT)
    }

    /// The lock on the root is exclusive while it is swept and shared while it is served.
    fn sweep_when_alone(&self) -> io::Result<Leftovers> {
        match flock(&self.directory, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {
                let removed = sweep::sweep(self.directory.as_fd())?;
                flock(&self.directory, FlockOperation::LockShared)?;
                Ok(Leftovers::Swept(removed))
            }
            Err(Errno::WOULDBLOCK) => {
                flock(&self.directory, FlockOperation::LockShared)?;
                Ok(Leftovers::NotSwept)
            }
            // A file system without locks is served all the same.
            Err(_) => Ok(Leftovers::NotSwept),
        }
    }
}

/// Refuses names that belong to unfinished uploads.
fn refuse_hidden(path: &VPath) -> Result<(), Cause> {
    if path.as_bytes().split(|&byte| byte == b'/').any(is_hidden) { Err(Cause::BadName) } else { Ok(()) }
}

/// Whether a name may be that of an unfinished upload.
fn is_hidden(name: &[u8]) -> bool {
    name.starts_with(HIDDEN_PREFIX.as_bytes())
}

/// Where directories are read: a descriptor of its own, since reading moves its position.
fn reopen(directory: BorrowedFd<'_>) -> Result<OwnedFd, Errno> {
    openat(directory, c".", OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
}

/// How the names of unfinished uploads begin.
const HIDDEN_PREFIX: &str = ".muxftp-";

/// Attempts against somebody who keeps renaming: each is a system call on the loop.
const RACES_MAX: usize = 16;

#[cfg(test)]
mod tests;
