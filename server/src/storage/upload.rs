//! An upload: a hidden file beside its target that takes the name when it is complete.
//!
//! Invariants:
//! - the target is untouched until [`Upload::commit`], and then replaced at once;
//! - dropped without a commit, or with a failed one, nothing of the upload remains.

use std::fs::File;
use std::io::Write;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use muxftp_proto::Cause;
use rustix::fs::{
    AtFlags, FallocateFlags, Mode, OFlags, fallocate, fstatvfs, fsync, ftruncate, openat, renameat, unlinkat,
};
use rustix::io::Errno;

use super::Durability;
use super::cause::{cause, cause_of};
use super::names::TemporaryNames;

/// A file on its way to its name. It may move to another thread for its commit.
#[derive(Debug)]
pub struct Upload {
    dir: Arc<OwnedFd>,
    file: File,
    temporary: String,
    target: Box<[u8]>,
    durability: Durability,
    written: u64,
    /// Bytes up to which space is to be reserved ahead of the writing; 0 for none.
    reserve: u64,
    /// Bytes up to which it has been.
    reserved: u64,
    has_its_name: bool,
}

impl Upload {
    /// Makes the hidden file in `dir`, and sees whether `declared` bytes have a chance. Space is reserved piece by
    /// piece up to `reserve` bytes.
    pub(super) fn begin(
        dir: Arc<OwnedFd>,
        target: &[u8],
        names: &TemporaryNames,
        durability: Durability,
        declared: Option<u64>,
        reserve: Option<u64>,
    ) -> Result<Upload, Cause> {
        let (file, temporary) = create(&dir, names).map_err(cause)?;
        let worth_it = |bytes: &u64| *bytes >= RESERVE_BYTES_MIN;
        let upload = Upload {
            dir,
            file: File::from(file),
            temporary,
            target: target.into(),
            durability,
            written: 0,
            reserve: reserve.filter(worth_it).unwrap_or(0),
            reserved: 0,
            has_its_name: false,
        };
        // From here on the drop cleans up.
        if let Some(declared) = declared.filter(worth_it) {
            upload.refuse_hopeless(declared)?;
        }
        Ok(upload)
    }

    /// Appends all of `bytes`.
    ///
    /// # Errors
    /// Those of the disk: after one the upload can only be dropped.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), Cause> {
        let end = self.written + bytes.len() as u64;
        if end > self.reserved && self.reserved < self.reserve {
            self.reserve_ahead(end)?;
        }
        self.file.write_all(bytes).map_err(|error| cause_of(&error))?;
        self.written = end;
        Ok(())
    }

    /// Bytes written so far.
    pub fn written(&self) -> u64 {
        self.written
    }

    /// Whether [`Upload::commit`] waits for the disk, and so does not belong on the thread of the sockets.
    pub fn needs_sync(&self) -> bool {
        self.durability == Durability::Fsync
    }

    /// Gives the file its name, in place of an old file of that name.
    ///
    /// # Errors
    /// Those of the disk and of the name; the old file is then still there. Only if the very last step fails, flushing
    /// the directory, the new file has its name although an error is given: then only its durability is in doubt.
    pub fn commit(mut self) -> Result<(), Cause> {
        if self.reserved > self.written {
            ftruncate(&self.file, self.written).map_err(cause)?;
        }
        if self.needs_sync() {
            fsync(&self.file).map_err(cause)?;
        }
        renameat(&self.dir, &self.temporary, &self.dir, &*self.target).map_err(cause)?;
        self.has_its_name = true;
        if self.needs_sync() {
            fsync(&self.dir).map_err(cause)?;
        }
        Ok(())
    }

    /// An early answer for what cannot fit. The space may still be gone when it is needed: that is an error then.
    fn refuse_hopeless(&self, declared: u64) -> Result<(), Cause> {
        if i64::try_from(declared).is_err() {
            return Err(Cause::FileTooLarge);
        }
        // Some network file systems know no sizes and say 0 of 0 blocks.
        match fstatvfs(&self.file) {
            Ok(fs) if fs.f_blocks > 0 && fs.f_bfree.saturating_mul(fs.f_frsize) < declared => Err(Cause::NoSpace),
            _ => Ok(()),
        }
    }

    /// Reserves the piece that holds byte `end`, without a change of the visible size: a crash shows how far it came.
    fn reserve_ahead(&mut self, end: u64) -> Result<(), Cause> {
        let until = self.reserve.min(end.next_multiple_of(RESERVE_BYTES_STEP));
        if until <= self.reserved {
            return Ok(());
        }
        match fallocate(&self.file, FallocateFlags::KEEP_SIZE, self.reserved, until - self.reserved) {
            Ok(()) => self.reserved = until,
            Err(errno @ (Errno::NOSPC | Errno::DQUOT | Errno::FBIG)) => return Err(cause(errno)),
            // A file system that cannot reserve (EOPNOTSUPP): nothing is lost but the neighbourhood of the blocks.
            Err(_) => self.reserve = 0,
        }
        Ok(())
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        if !self.has_its_name {
            // Nobody is left to tell; the next start removes what could not be removed now.
            let _ = unlinkat(&self.dir, &self.temporary, AtFlags::empty());
        }
    }
}

fn create(dir: &OwnedFd, names: &TemporaryNames) -> Result<(OwnedFd, String), Errno> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let name = names.next();
    // The umask takes away what this process's owner does not want to give.
    openat(dir, &name, flags, Mode::from_raw_mode(0o666)).map(|file| (file, name))
}

/// Below this size neither reserving space nor asking for it is worth its system call: a small file is written by one
/// or two calls, and learns of a full disk there.
const RESERVE_BYTES_MIN: u64 = 256 * 1024;

/// Space is reserved in pieces: one call for 32 MiB was seen to take 11 ms on ext4, and all sessions wait for it.
const RESERVE_BYTES_STEP: u64 = 8 * 1024 * 1024;
