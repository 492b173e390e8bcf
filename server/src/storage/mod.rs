//! Files below one confined root: reading, listing, and uploads that are whole or not there.
//!
//! It must not know sessions, sockets or replies: it gets a [`VPath`] and gives a file or a [`Cause`]. Everything that a
//! session does with files goes through [`Root`], so that another store can take its place.
//!
//! Invariants:
//! - no path leads out of the root, whatever links it holds and however they change meanwhile: the kernel resolves each
//!   one by `openat2` with `RESOLVE_BENEATH`;
//! - a name is either the old file or the whole new one; what is on its way has a hidden name that no client can use;
//! - nothing blocks on a pipe or a device: only regular files and directories are opened for clients.

mod beneath;
mod cause;
mod listing;
mod names;
mod sweep;
#[cfg(test)]
mod tests;
mod upload;

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;

use muxftp_proto::{Cause, VPath};
use rustix::fs::{FileType, FlockOperation, Mode, OFlags, flock, fstat, fstatfs};
use rustix::io::Errno;

use cause::cause;
pub use cause::cause_of;
pub use listing::{ListProgress, Listing};
use names::TemporaryNames;
pub use sweep::Leftovers;
pub use upload::Upload;

/// One confined directory. Several servers may have the same one.
#[derive(Debug)]
pub struct Root {
    dir: Arc<OwnedFd>,
    durability: Durability,
    temporaries: TemporaryNames,
    preallocates: bool,
    leftovers: Leftovers,
}

/// When an upload counts as stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// When the kernel has it: a crash of the machine may lose the last seconds.
    None,
    /// When the disk has it: file and directory are flushed before the upload is reported as stored.
    Fsync,
}

/// A file open for reading.
#[derive(Debug)]
pub struct ReadFile {
    /// The file, at its beginning.
    pub file: File,
    /// Its size in bytes when it was opened.
    pub size: u64,
}

impl Root {
    /// Opens the directory `path`, making it if it is missing, and removes what a crashed server left in it.
    ///
    /// # Errors
    /// Those of making and opening it, and of a kernel (or sandbox) without `openat2`.
    pub fn open(path: &Path, durability: Durability) -> io::Result<Root> {
        std::fs::create_dir_all(path)?;
        let dir = rustix::fs::open(path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
        beneath::probe(&dir)?;
        let leftovers = sweep_if_alone(&dir);
        let preallocates = fstatfs(&dir).is_ok_and(|fs| fs.f_type != TMPFS_MAGIC);
        Ok(Root { dir: Arc::new(dir), durability, temporaries: TemporaryNames::new(), preallocates, leftovers })
    }

    /// What [`Root::open`] found of crashed servers.
    pub fn leftovers(&self) -> Leftovers {
        self.leftovers
    }

    /// Opens a file for reading.
    ///
    /// # Errors
    /// [`Cause::IsDirectory`], [`Cause::NotRegular`], [`Cause::BadName`] for a hidden name, and those of the system.
    pub fn open_read(&self, path: &VPath) -> Result<ReadFile, Cause> {
        names::refuse_hidden(path)?;
        // Non-blocking, because opening a pipe that nobody writes would stop the whole server.
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY;
        let file = beneath::open(&self.dir, path.as_bytes(), flags).map_err(cause)?;
        let stat = fstat(&file).map_err(cause)?;
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => {}
            FileType::Directory => return Err(Cause::IsDirectory),
            _ => return Err(Cause::NotRegular),
        }
        Ok(ReadFile { file: File::from(file), size: u64::try_from(stat.st_size).unwrap_or(0) })
    }

    /// Opens a directory to list it.
    ///
    /// # Errors
    /// [`Cause::NotDirectory`], [`Cause::BadName`] for a hidden name, and those of the system.
    pub fn open_list(&self, path: &VPath) -> Result<Listing, Cause> {
        names::refuse_hidden(path)?;
        let dir = beneath::open(&self.dir, path.as_bytes(), OFlags::RDONLY | OFlags::DIRECTORY).map_err(cause)?;
        Ok(Listing::new(dir))
    }

    /// Begins an upload of `declared` bytes (when known) to the name `path`. The name is untouched until the commit.
    ///
    /// # Errors
    /// What would make the commit fail and can be seen now: [`Cause::IsDirectory`], [`Cause::NotRegular`],
    /// [`Cause::BadLink`], [`Cause::BadName`] for a hidden name, a missing directory, no space; and those of the system.
    pub fn open_write(&self, path: &VPath, declared: Option<u64>) -> Result<Upload, Cause> {
        names::refuse_hidden(path)?;
        let (parent, name) = path.split_last().ok_or(Cause::IsDirectory)?;
        let dir = match parent {
            b"" => Arc::clone(&self.dir),
            _ => Arc::new(beneath::open(&self.dir, parent, self.parent_flags()).map_err(cause)?),
        };
        self.refuse_target(path, &dir, name)?;
        let reserve = declared.filter(|_| self.preallocates);
        Upload::begin(dir, name, &self.temporaries, self.durability, declared, reserve)
    }

    /// How the directory of an upload is opened: without the right to read it, unless it must be flushed.
    fn parent_flags(&self) -> OFlags {
        let access = match self.durability {
            Durability::None => OFlags::PATH,
            Durability::Fsync => OFlags::RDONLY,
        };
        access | OFlags::DIRECTORY
    }

    /// An upload replaces a regular file or a link, and nothing else; a link only if it stays below the root.
    fn refuse_target(&self, path: &VPath, dir: &OwnedFd, name: &[u8]) -> Result<(), Cause> {
        let stat = match beneath::stat(dir, name) {
            Err(Errno::NOENT) => return Ok(()),
            other => other.map_err(cause)?,
        };
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => Ok(()),
            FileType::Directory => Err(Cause::IsDirectory),
            FileType::Symlink => match beneath::open(&self.dir, path.as_bytes(), OFlags::PATH) {
                Err(Errno::NOENT) => Ok(()),
                Err(errno) => Err(cause(errno)),
                Ok(file) => match FileType::from_raw_mode(fstat(&file).map_err(cause)?.st_mode) {
                    FileType::Directory => Err(Cause::IsDirectory),
                    _ => Ok(()),
                },
            },
            _ => Err(Cause::NotRegular),
        }
    }
}

/// Takes the lock that says "a server lives here" and sweeps first if no other server has it.
///
/// The lock belongs to the descriptor: it goes with the process, however that ends.
fn sweep_if_alone(dir: &OwnedFd) -> Leftovers {
    let alone = flock(dir, FlockOperation::NonBlockingLockExclusive).is_ok();
    let leftovers = if alone { sweep::sweep(dir) } else { Leftovers::NotSwept };
    // Waits while another server sweeps. A file system without locks refuses; then nobody ever sweeps there.
    match flock(dir, FlockOperation::LockShared) {
        Ok(()) => leftovers,
        Err(_) => Leftovers::NotSwept,
    }
}

/// `f_type` of tmpfs (see `statfs(2)`). Its pages have no place on a disk, so reserving them early only
/// costs time: a tenth of an upload of 256 MiB.
const TMPFS_MAGIC: rustix::fs::FsWord = 0x0102_1994;
