//! Files below one confined root: reading, listing, and uploads that are whole or not there.
//!
//! It must not know sessions, sockets or replies: it gets a [`VPath`] and gives a file or a [`Cause`]. Everything that a
//! session does with files goes through [`Root`], so that another store can take its place.
//!
//! Invariants:
//! - no path leads out of the root, whatever links it holds and however they change meanwhile: the kernel resolves each
//!   one by `openat2` with `RESOLVE_BENEATH`;
//! - a name is either the old file or the whole new one; what is on its way has a hidden name that no client can use;
//! - only regular files and directories are opened for clients: no pipe blocks, and no device acts.

mod beneath;
mod cached;
mod cause;
mod disposal;
mod in_place;
mod inherit;
mod listing;
mod locality;
mod names;
mod opening;
mod publish;
mod quota;
mod reach;
mod survey;
mod sweep;
mod sweeper;
mod target;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_of_sweeps;
#[cfg(test)]
mod tests_of_trees;
#[cfg(test)]
mod tests_of_uploads;
mod tree;
mod upload;

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;

use muxftp_proto::limits::NAME_BYTES_MAX;
use muxftp_proto::{Cause, VPath};
use rustix::fs::{Mode, OFlags, fstat, fstatfs, openat};
use rustix::io::Errno;

pub use cached::{is_cached, read_cached};
use cause::cause;
pub use cause::cause_of;
pub use disposal::SourceFile;
use in_place::Writer;
pub use listing::{ListProgress, Listed, Listing};
pub use quota::{Quota, Usage};
pub use reach::{Farther, Reach, may_leave_mount, within};
pub use survey::{AsciiPosition, Found, Survey, SurveyProgress};
use target::Target;
use upload::Commit;
pub use upload::Upload;

/// One confined directory. Several servers may have the same one.
#[derive(Debug)]
pub struct Root {
    dir: Arc<OwnedFd>,
    durability: Durability,
    /// Its file system is a tmpfs: nothing waits for a disk, and space has no place there to be reserved.
    is_in_memory: bool,
    /// Each call may wait for another machine or program.
    is_remote: bool,
    /// What may be kept here, when there is a bound.
    quota: Option<Arc<Quota>>,
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
    pub file: SourceFile,
    /// Its size in bytes when it was opened.
    pub size: u64,
    /// As [`Root::is_remote`], of the file system that it is on.
    pub is_remote: bool,
}

impl Root {
    /// Opens the directory `path`, making it if it is missing. What a crashed server left in it is removed in the background, once
    /// per process.
    ///
    /// # Errors
    /// Those of making and opening it, and of a kernel (or sandbox) without `openat2`.
    pub fn open(path: &Path, durability: Durability) -> io::Result<Root> {
        std::fs::create_dir_all(path)?;
        let dir = rustix::fs::open(path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
        beneath::probe(&dir)?;
        let is_remote = locality::is_remote(&dir);
        let is_in_memory = fstatfs(&dir).is_ok_and(|fs| fs.f_type == TMPFS_MAGIC);
        let dir = Arc::new(dir);
        sweeper::request(&dir, path);
        Ok(Root { dir, durability, is_in_memory, is_remote, quota: None })
    }

    /// Holds everything that is written from now on against a quota.
    #[must_use]
    pub fn with_quota(mut self, quota: Arc<Quota>) -> Root {
        self.quota = Some(quota);
        self
    }

    /// Whether its file system may wait for another machine or program in each call, even for what is in memory.
    pub fn is_remote(&self) -> bool {
        self.is_remote
    }

    /// Opens a file for reading.
    ///
    /// # Errors
    /// [`Cause::IsDirectory`], [`Cause::NotRegular`], [`Cause::BadName`] for a hidden name, and those of the system.
    pub fn open_read(&self, path: &VPath) -> Result<ReadFile, Cause> {
        names::refuse_hidden(path)?;
        let is_in_memory = self.is_in_memory && !reach::may_leave_mount();
        let look = is_in_memory || !reach::is_memory();
        let (file, stat) = opening::regular(&self.dir, path.as_bytes(), OFlags::RDONLY, look)?;
        let is_remote = self.is_remote || reach::may_leave_mount() && locality::is_remote(&file);
        let file = SourceFile::new(File::from(file), &stat, is_in_memory);
        Ok(ReadFile { file, size: tree::size_of(&stat), is_remote })
    }

    /// Opens a directory to list it.
    ///
    /// # Errors
    /// [`Cause::NotDirectory`], [`Cause::BadName`] for a hidden name, and those of the system.
    pub fn open_list(&self, path: &VPath) -> Result<Listing, Cause> {
        names::refuse_hidden(path)?;
        let dir = beneath::open(&self.dir, path.as_bytes(), OFlags::RDONLY | OFlags::DIRECTORY).map_err(cause)?;
        Ok(Listing::new(dir, Arc::clone(&self.dir), path.as_bytes()))
    }

    /// Like [`Root::open_list`], of what stands beside `path`: a name itself, or, for a pattern, those that match it.
    ///
    /// # Errors
    /// As [`Root::open_list`]; [`Cause::NotFound`] for a name that is not there.
    pub fn open_list_of(&self, path: &VPath, is_pattern: bool) -> Result<Listing, Cause> {
        names::refuse_hidden(path)?;
        let (parent, name) = path.split_last().ok_or(Cause::NotDirectory)?;
        let dir = beneath::open(&self.dir, parent, OFlags::RDONLY | OFlags::DIRECTORY).map_err(cause)?;
        if !is_pattern {
            beneath::stat(&dir, name).map_err(cause)?;
        }
        Ok(Listing::new(dir, Arc::clone(&self.dir), parent).only(name, is_pattern))
    }

    /// Begins an upload of `declared` bytes (when known) to the name `path`, or to what a link of that name points to. The
    /// name is untouched until the commit.
    ///
    /// # Errors
    /// What would make the commit fail and can be seen now: [`Cause::IsDirectory`], [`Cause::NotRegular`],
    /// [`Cause::BadLink`], [`Cause::Busy`] when a transfer writes to the file in place, [`Cause::BadName`] for a hidden name, a
    /// missing directory, no space; and those of the system.
    pub fn open_write(&self, path: &VPath, declared: Option<u64>) -> Result<Upload, Cause> {
        if path.is_root() {
            return Err(Cause::IsDirectory);
        }
        let Target { dir, name, old } = self.target(path)?;
        // At the commit it is looked at again; but a client need not send all for this answer.
        drop(in_place::exclude_writers(&[(&dir, &name)], false)?);
        if old.is_none() && self.quota.as_ref().is_some_and(|quota| !quota.has_room_for_file()) {
            return Err(Cause::QuotaExceeded);
        }
        Upload::begin(self, dir, &name, Commit::Replace(old), declared)
    }

    /// Begins an upload under a name that is not there: in the directory `path`, or where there is none, one that begins
    /// with the name `path`.
    ///
    /// # Errors
    /// As [`Root::open_write`].
    pub fn open_new(&self, path: &VPath) -> Result<Upload, Cause> {
        names::refuse_hidden(path)?;
        let (dir, wish) = match beneath::open(&self.dir, path.as_bytes(), self.parent_flags()) {
            Ok(dir) => (Arc::new(dir), &b"stou"[..]),
            Err(Errno::NOENT | Errno::NOTDIR) => self.parent_of(path)?,
            Err(errno) => return Err(cause(errno)),
        };
        if self.quota.as_ref().is_some_and(|quota| !quota.has_room_for_file()) {
            return Err(Cause::QuotaExceeded);
        }
        // 64 random bits: that two meet is refused at the commit, and will not be seen.
        let name = [wish, format!("-{:016x}", rand::random::<u64>()).as_bytes()].concat();
        if name.len() > NAME_BYTES_MAX {
            return Err(Cause::NameTooLong);
        }
        Upload::begin(self, dir, &name, Commit::New, None)
    }

    /// Writes to a visible file in place: after its end (`None`; the file is made if it is missing), or from one of its
    /// bytes on. What lies behind the bytes that are sent stays.
    ///
    /// # Errors
    /// [`Cause::Busy`]: another transfer writes to it. [`Cause::BadRestart`]: it has not so many bytes. And those of
    /// [`Root::open_write`].
    pub fn open_in_place(&self, path: &VPath, from: Option<u64>) -> Result<Upload, Cause> {
        let Target { dir, name, old } = self.target(path)?;
        if old.is_none() {
            match from {
                None => self.make_empty(&dir, &name)?,
                Some(0) => return Err(Cause::NotFound),
                Some(_) => return Err(Cause::BadRestart),
            }
        }
        let (file, _) = opening::regular_at(&dir, &name, OFlags::WRONLY)?;
        let writer = Writer::of(tree::identity(&file).map_err(cause)?)?;
        let stat = fstat(&file).map_err(cause)?;
        if stat.st_nlink == 0 {
            // From now on no command takes it away; but one may just have.
            return Err(Cause::NotFound);
        }
        Upload::continue_at(self, dir, &name, File::from(file), writer, from, tree::size_of(&stat))
    }

    /// For APPE to a name that is not there.
    fn make_empty(&self, dir: &OwnedFd, name: &[u8]) -> Result<(), Cause> {
        if let Some(quota) = &self.quota {
            quota.charge_file()?;
        }
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let made = openat(dir, name, flags, Mode::from_raw_mode(0o666));
        if let (Err(_), Some(quota)) = (&made, &self.quota) {
            quota.refund_file();
        }
        match made {
            Ok(_) | Err(Errno::EXIST) => Ok(()),
            Err(errno) => Err(cause(errno)),
        }
    }

    /// How the directory of an upload is opened: without the right to read it, unless it must be flushed.
    fn parent_flags(&self) -> OFlags {
        let access = match self.durability {
            Durability::None => OFlags::PATH,
            Durability::Fsync => OFlags::RDONLY,
        };
        access | OFlags::DIRECTORY
    }
}

/// `f_type` of tmpfs (see `statfs(2)`). Its pages have no place on a disk, so reserving them early only
/// costs time: a tenth of an upload of 256 MiB.
const TMPFS_MAGIC: rustix::fs::FsWord = 0x0102_1994;
