//! An upload: a hidden file beside its target that takes the name when it is complete, or a visible file that grows.
//!
//! Invariants:
//! - the target of a hidden one is untouched until [`Upload::commit`], and then replaced at once; dropped without a
//!   commit, or with a failed one, nothing of it remains;
//! - one in place (APPE, STOR after REST) keeps what has arrived, since that is what a client resumes from;
//! - no byte is written that was not charged to the quota before.

use std::fs::File;
use std::io::Write;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use muxftp_proto::Cause;
use rustix::fs::{
    AtFlags, FallocateFlags, FileType, Mode, OFlags, RenameFlags, fallocate, fstat, fstatvfs, fsync, ftruncate, openat,
    renameat, renameat_with, unlinkat,
};
use rustix::io::Errno;

use super::cause::{cause, cause_of};
use super::in_place::{self, Writer};
use super::names::TemporaryNames;
use super::quota::Quota;
use super::tree::size_of;
use super::{Durability, Root};

/// A file on its way. It may move to another thread for its commit.
#[derive(Debug)]
pub struct Upload {
    dir: Arc<OwnedFd>,
    file: File,
    target: Box<[u8]>,
    place: Place,
    durability: Durability,
    quota: Option<Arc<Quota>>,
    /// Where the first byte of this upload stands in the file.
    start: u64,
    written: u64,
    /// Bytes up to which space is to be reserved ahead of the writing; 0 for none.
    reserve: u64,
    /// Bytes up to which it has been.
    reserved: u64,
}

#[derive(Debug)]
enum Place {
    /// Under this name, until the commit.
    Hidden { name: String, at_commit: Commit },
    /// Under its own name, with nobody else writing to it.
    Visible(#[expect(dead_code, reason = "held until the upload is dropped")] Writer),
    /// Has got its name.
    Committed,
}

/// What a commit does to a file of its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Commit {
    Replace,
    /// There must be none.
    New,
}

impl Upload {
    /// Makes the hidden file in `dir`, and sees whether `declared` bytes have a chance. Space is reserved piece by piece
    /// where that helps.
    pub(super) fn begin(
        root: &Root,
        dir: Arc<OwnedFd>,
        target: &[u8],
        at_commit: Commit,
        declared: Option<u64>,
    ) -> Result<Upload, Cause> {
        let (file, name) = create(&dir, &root.temporaries).map_err(cause)?;
        let worth_it = |bytes: &u64| *bytes >= RESERVE_BYTES_MIN;
        let reserve = declared.filter(|_| root.preallocates).filter(worth_it).unwrap_or(0);
        let place = Place::Hidden { name, at_commit };
        let mut upload = Upload::new(root, dir, File::from(file), target, place);
        upload.reserve = reserve;
        // From here on the drop cleans up.
        if let Some(declared) = declared.filter(worth_it) {
            upload.refuse_hopeless(declared)?;
        }
        if let (Some(declared), Some(quota)) = (declared, &root.quota)
            && declared > quota.rest()
        {
            return Err(Cause::QuotaExceeded);
        }
        Ok(upload)
    }

    /// Goes on in a visible file, which is cut at `from` first.
    pub(super) fn go_on(
        root: &Root,
        dir: Arc<OwnedFd>,
        target: &[u8],
        file: OwnedFd,
        writer: Writer,
        from: u64,
    ) -> Result<Upload, Cause> {
        let size = size_of(&fstat(&file).map_err(cause)?);
        if from > size {
            return Err(Cause::BadRestart);
        }
        let mut upload = Upload::new(root, dir, File::from(file), target, Place::Visible(writer));
        upload.start = from;
        if from < size {
            ftruncate(&upload.file, from).map_err(cause)?;
            if let Some(quota) = &upload.quota {
                quota.refund_bytes(size - from);
            }
        }
        std::io::Seek::seek(&mut upload.file, std::io::SeekFrom::Start(from)).map_err(|error| cause_of(&error))?;
        Ok(upload)
    }

    fn new(root: &Root, dir: Arc<OwnedFd>, file: File, target: &[u8], place: Place) -> Upload {
        Upload {
            dir,
            file,
            target: target.into(),
            place,
            durability: root.durability,
            quota: root.quota.clone(),
            start: 0,
            written: 0,
            reserve: 0,
            reserved: 0,
        }
    }

    /// Appends all of `bytes`.
    ///
    /// # Errors
    /// Those of the disk and of the quota: after one the upload can only be dropped.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), Cause> {
        let count = bytes.len() as u64;
        let end = self.written + count;
        if end > self.reserved && self.reserved < self.reserve {
            self.reserve_ahead(end)?;
        }
        if let Some(quota) = &self.quota {
            quota.charge_bytes(count)?;
        }
        if let Err(error) = self.file.write_all(bytes) {
            self.recount(count);
            return Err(cause_of(&error));
        }
        self.written = end;
        Ok(())
    }

    /// Bytes written so far.
    pub fn written(&self) -> u64 {
        self.written
    }

    /// The name that it has, or is to have, in its directory.
    pub fn name(&self) -> &[u8] {
        &self.target
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
        if let Place::Hidden { name, at_commit } = &self.place {
            match (at_commit, &self.quota) {
                (Commit::Replace, None) => renameat(&self.dir, name, &self.dir, &*self.target).map_err(cause)?,
                (Commit::New, None) => self.take_new_name(name)?,
                (Commit::New, Some(quota)) => self.charged(quota, || self.take_new_name(name))?,
                (Commit::Replace, Some(quota)) => self.replace_counted(name, quota)?,
            }
            self.place = Place::Committed;
        }
        if self.needs_sync() {
            fsync(&self.dir).map_err(cause)?;
        }
        Ok(())
    }

    fn take_new_name(&self, hidden: &str) -> Result<(), Cause> {
        renameat_with(&self.dir, hidden, &self.dir, &*self.target, RenameFlags::NOREPLACE).map_err(cause)
    }

    /// Counts one file more, if `step` makes one.
    fn charged(&self, quota: &Quota, step: impl FnOnce() -> Result<(), Cause>) -> Result<(), Cause> {
        quota.charge_file()?;
        step().inspect_err(|_| quota.refund_file())
    }

    /// Takes the name, and gives back the room of what had it. It is known only once it is out of its place: two commits
    /// at once would otherwise both count the same old file.
    fn replace_counted(&self, hidden: &str, quota: &Quota) -> Result<(), Cause> {
        for _ in 0..ATTEMPTS_MAX {
            let _writers = in_place::refuse_written(&self.dir, &self.target)?;
            match renameat_with(&self.dir, hidden, &self.dir, &*self.target, RenameFlags::EXCHANGE) {
                Ok(()) => {
                    let old = super::beneath::stat(&self.dir, hidden.as_bytes()).map_err(cause)?;
                    unlinkat(&self.dir, hidden, AtFlags::empty()).map_err(cause)?;
                    // What was replaced may have been a link, which was never counted.
                    if FileType::from_raw_mode(old.st_mode) == FileType::RegularFile {
                        quota.refund_bytes(size_of(&old));
                        return Ok(());
                    }
                    return quota.charge_file();
                }
                Err(Errno::NOENT) => {}
                Err(errno) => return Err(cause(errno)),
            }
            match self.charged(quota, || self.take_new_name(hidden)) {
                Err(Cause::Exists) => {}
                result => return result,
            }
        }
        Err(Cause::Busy)
    }

    /// After a failed write: what was charged and did not become part of the file is given back.
    fn recount(&self, charged: u64) {
        let Some(quota) = &self.quota else { return };
        let size = fstat(&self.file).map_or(0, |stat| size_of(&stat));
        let arrived = size.saturating_sub(self.start + self.written).min(charged);
        quota.refund_bytes(charged - arrived);
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
        if let Place::Hidden { name, .. } = &self.place {
            let size = self.quota.as_ref().and_then(|_| fstat(&self.file).ok()).map_or(0, |stat| size_of(&stat));
            // Nobody is left to tell; the next start removes what could not be removed now.
            let _ = unlinkat(&self.dir, name, AtFlags::empty());
            if let Some(quota) = &self.quota {
                quota.refund_bytes(size);
            }
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

/// Others may make and remove the name meanwhile; who does so without end must not hold the loop.
const ATTEMPTS_MAX: u32 = 16;
