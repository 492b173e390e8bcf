//! An upload: a hidden file beside its target, which takes the name when it is whole.
//!
//! Invariant: dropped before [`Upload::commit`] has succeeded, it leaves nothing behind and the target as it was.

use std::fs::File;
use std::io::Write;
use std::os::fd::OwnedFd;

use muxftp_proto::Cause;
use rustix::fs::{
    AtFlags, FallocateFlags, FileType, Mode, OFlags, fallocate, fsync, ftruncate, openat, renameat, statat, unlinkat,
};
use rustix::io::Errno;

use super::errno::{cause, cause_of};
use crate::config::Durability;

/// A file that is being received.
#[derive(Debug)]
pub struct Upload {
    file: File,
    parent: OwnedFd,
    name: Vec<u8>,
    /// Empty once it has become the target.
    temporary: String,
    written: u64,
    /// More room may be set aside than was written.
    allocated: bool,
    durability: Durability,
}

impl Upload {
    pub(super) fn begin(
        parent: OwnedFd,
        name: Vec<u8>,
        temporary: String,
        declared: Option<u64>,
        durability: Durability,
    ) -> Result<Upload, Cause> {
        refuse_directory(&parent, &name)?;
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = openat(&parent, &temporary, flags, Mode::from_raw_mode(0o666)).map_err(cause)?;
        let file = File::from(file);
        let mut upload = Upload { file, parent, name, temporary, written: 0, allocated: false, durability };
        upload.allocate(declared)?;
        Ok(upload)
    }

    /// Takes the next bytes, all of them.
    ///
    /// # Errors
    /// For the peer: the disk is full, for example.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), Cause> {
        self.file.write_all(bytes).map_err(|error| cause_of(&error))?;
        self.written += bytes.len() as u64;
        Ok(())
    }

    /// Gives it its name, in place of what had it; flushed to disk before, if the server was told to.
    ///
    /// # Errors
    /// For the peer; then nothing has changed.
    pub fn commit(mut self) -> Result<(), Cause> {
        if self.allocated {
            // Room beyond the end would stay taken, unseen.
            ftruncate(&self.file, self.written).map_err(cause)?;
        }
        if self.durability == Durability::Fsync {
            fsync(&self.file).map_err(cause)?;
        }
        renameat(&self.parent, &self.temporary, &self.parent, &self.name).map_err(cause)?;
        self.temporary.clear();
        if self.durability == Durability::Fsync {
            // The name is part of the directory. The parent was opened without the right to read: ask for it anew.
            super::reopen(std::os::fd::AsFd::as_fd(&self.parent)).and_then(fsync).map_err(cause)?;
        }
        Ok(())
    }

    /// Sets room aside, so that a disk that is too full says so now rather than in the middle.
    fn allocate(&mut self, declared: Option<u64>) -> Result<(), Cause> {
        let Some(size) = declared.filter(|&size| size > WITHOUT_ALLOCATION_MAX) else { return Ok(()) };
        match fallocate(&self.file, FallocateFlags::KEEP_SIZE, 0, size) {
            Ok(()) => self.allocated = true,
            // A file system that cannot: the disk will tell in the middle.
            Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INTR | Errno::INVAL) => {}
            Err(errno) => return Err(cause(errno)),
        }
        Ok(())
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        if !self.temporary.is_empty() {
            // What cannot be removed now is swept at the next start.
            let _ = unlinkat(&self.parent, &self.temporary, AtFlags::empty());
        }
    }
}

/// A directory cannot be replaced by a file: better said before the bytes than after.
fn refuse_directory(parent: &OwnedFd, name: &[u8]) -> Result<(), Cause> {
    match statat(parent, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) if FileType::from_raw_mode(stat.st_mode) == FileType::Directory => Err(Cause::IsDirectory),
        Ok(_) | Err(Errno::NOENT) => Ok(()),
        Err(errno) => Err(cause(errno)),
    }
}

/// Below this setting room aside costs more than it saves: the bytes come with the next read.
const WITHOUT_ALLOCATION_MAX: u64 = 256 * 1024;
