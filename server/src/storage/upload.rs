//! An upload: a hidden file beside its target that takes the name when it is complete, or a visible file that grows.
//!
//! Invariants:
//! - the target of a hidden one is untouched until [`Upload::commit`], and then replaced at once; dropped without a
//!   commit, or with a failed one, nothing of it remains;
//! - one in place (APPE, STOR after REST) keeps what has arrived, since that is what a client resumes from, and what lies
//!   behind it;
//! - no byte is written that was not charged to the quota before;
//! - a hidden file is closed before it takes its name: whoever watches that name sees one event, the new file's arrival.

use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::os::fd::OwnedFd;
use std::sync::Arc;

use muxftp_proto::Cause;
use rustix::fs::{
    AtFlags, FallocateFlags, Mode, OFlags, Stat, fallocate, fstat, fstatvfs, fsync, ftruncate, openat, unlinkat,
};
use rustix::io::Errno;

use super::cause::{cause, cause_of};
use super::in_place::Writer;
use super::quota::Quota;
use super::tree::size_of;
use super::{Durability, Root, disposal, locality, names, reach};

/// A file on its way. It may move to another thread for its commit.
#[derive(Debug)]
pub struct Upload {
    pub(super) dir: Arc<OwnedFd>,
    /// Open until the commit.
    file: Option<File>,
    pub(super) target: Box<[u8]>,
    place: Place,
    durability: Durability,
    pub(super) quota: Option<Arc<Quota>>,
    /// Where the first byte of this upload stands in the file.
    start: u64,
    written: u64,
    /// The size of the file.
    size: u64,
    preallocates: bool,
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
    Visible(Writer),
    /// Has got its name.
    Committed,
}

/// What a commit does to a file of its name.
#[derive(Debug, Clone, Copy)]
pub(super) enum Commit {
    /// Replaces it. There was this one when the upload began.
    Replace(Option<Stat>),
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
        let mode = match at_commit {
            // What is not for everybody's eyes is not shown on its way either.
            Commit::Replace(Some(old)) => Mode::from_raw_mode(old.st_mode & 0o666 | 0o600),
            Commit::Replace(None) | Commit::New => NEW_FILE,
        };
        let (file, name) = names::create_temporary(&dir, mode).map_err(cause)?;
        let worth_it = |bytes: &u64| *bytes >= RESERVE_BYTES_MIN;
        let reserve = declared.filter(|_| !root.is_in_memory).filter(worth_it).unwrap_or(0);
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

    /// Writes to a visible file of `size` bytes, from one of them or from its end on.
    pub(super) fn continue_at(
        root: &Root,
        dir: Arc<OwnedFd>,
        target: &[u8],
        mut file: File,
        writer: Writer,
        from: Option<u64>,
        size: u64,
    ) -> Result<Upload, Cause> {
        let start = from.unwrap_or(size);
        if start > size {
            return Err(Cause::BadRestart);
        }
        file.seek(SeekFrom::Start(start)).map_err(|error| cause_of(&error))?;
        let mut upload = Upload::new(root, dir, file, target, Place::Visible(writer));
        (upload.start, upload.size) = (start, size);
        Ok(upload)
    }

    fn new(root: &Root, dir: Arc<OwnedFd>, file: File, target: &[u8], place: Place) -> Upload {
        Upload {
            dir,
            file: Some(file),
            target: target.into(),
            place,
            durability: root.durability,
            quota: root.quota.clone(),
            start: 0,
            written: 0,
            size: 0,
            preallocates: !root.is_in_memory,
            reserve: 0,
            reserved: 0,
        }
    }

    /// Writes all of `bytes` behind what was written before.
    ///
    /// # Errors
    /// Those of the disk and of the quota: after one the upload can only be dropped.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), Cause> {
        let written = self.written + bytes.len() as u64;
        if written > self.reserved && self.reserved < self.reserve {
            self.reserve_ahead(written)?;
        }
        // Bytes in place of others take no room.
        let end = self.start + written;
        let growth = end.saturating_sub(self.size);
        if let Some(quota) = &self.quota {
            quota.charge_bytes(growth)?;
        }
        if let Err(error) = self.write_out(bytes) {
            self.recount(growth);
            return Err(cause_of(&error));
        }
        (self.written, self.size) = (written, end.max(self.size));
        Ok(())
    }

    fn write_out(&mut self, mut bytes: &[u8]) -> std::io::Result<()> {
        let Some(file) = &mut self.file else { return Err(Errno::BADF.into()) };
        let mut may_wait = true;
        while !bytes.is_empty() {
            match file.write(bytes) {
                Ok(0) => return Err(std::io::ErrorKind::WriteZero.into()),
                Ok(count) => bytes = &bytes[count..],
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) if may_wait && is_full(&error) && disposal::wait_for_space() => may_wait = false,
                Err(error) => return Err(error),
            }
        }
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

    /// As [`Root::is_remote`], of the file system that it is on.
    pub fn is_remote(&self, root: &Root) -> bool {
        root.is_remote() || reach::may_leave_mount() && locality::is_remote(&self.dir)
    }

    /// Whether [`Upload::commit`] waits for the disk, and so does not belong on the thread of the sockets: it flushes, or the
    /// file system begins to write a large file out before that takes another's name (ext4 does).
    pub fn needs_disk(&self) -> bool {
        let replaces = matches!(self.place, Place::Hidden { at_commit: Commit::Replace(Some(_)), .. });
        self.is_flushed() || (replaces && self.preallocates && self.is_large())
    }

    fn is_flushed(&self) -> bool {
        self.durability == Durability::Fsync
    }

    fn is_large(&self) -> bool {
        self.written.max(self.reserved) >= disposal::LARGE_BYTES
    }

    /// Gives the file its name, in place of an old file of that name, whose mode, owner and attributes it takes over.
    ///
    /// # Errors
    /// Those of the disk and of the name; the old file is then still there. [`Cause::Busy`]: a transfer writes to the old
    /// file in place. [`Cause::Replaced`]: this one was written in place, and another program has taken its name away.
    /// Only if the very last step fails, flushing the directory, the new file has its name although an error is given:
    /// then only its durability is in doubt.
    pub fn commit(mut self) -> Result<(), Cause> {
        let file = self.file.as_ref().ok_or(Cause::DiskError)?;
        if self.reserved > self.written {
            ftruncate(file, self.written).map_err(cause)?;
        }
        if self.is_flushed() {
            fsync(file).map_err(cause)?;
        }
        match &self.place {
            Place::Visible(writer) => writer.check_name(&self.dir, &self.target)?,
            Place::Hidden { name, at_commit } => {
                let file = self.file.take();
                self.publish(file, name, at_commit)?;
                self.place = Place::Committed;
            }
            Place::Committed => {}
        }
        if self.is_flushed() {
            fsync(&self.dir).map_err(cause)?;
        }
        Ok(())
    }

    /// After a failed write: what was charged and did not become part of the file is given back.
    fn recount(&self, charged: u64) {
        let Some(quota) = &self.quota else { return };
        let size = self.file.as_ref().and_then(|file| fstat(file).ok()).map_or(0, |stat| size_of(&stat));
        let arrived = size.saturating_sub(self.size).min(charged);
        quota.refund_bytes(charged - arrived);
    }

    /// An early answer for what cannot fit. The space may still be gone when it is needed: that is an error then.
    fn refuse_hopeless(&self, declared: u64) -> Result<(), Cause> {
        if i64::try_from(declared).is_err() {
            return Err(Cause::FileTooLarge);
        }
        // Some network file systems know no sizes and say 0 of 0 blocks.
        let Ok(fs) = fstatvfs(&self.dir) else { return Ok(()) };
        let free = fs.f_bfree.saturating_mul(fs.f_frsize).saturating_add(disposal::pending_bytes());
        if fs.f_blocks > 0 && free < declared { Err(Cause::NoSpace) } else { Ok(()) }
    }

    /// Reserves the piece that holds byte `end`, without a change of the visible size: a crash shows how far it came.
    fn reserve_ahead(&mut self, end: u64) -> Result<(), Cause> {
        let until = self.reserve.min(end.next_multiple_of(RESERVE_BYTES_STEP));
        if until <= self.reserved {
            return Ok(());
        }
        let Some(file) = &self.file else { return Ok(()) };
        let reserve = || fallocate(file, FallocateFlags::KEEP_SIZE, self.reserved, until - self.reserved);
        let reserved = match reserve() {
            Err(Errno::NOSPC | Errno::DQUOT) if disposal::wait_for_space() => reserve(),
            other => other,
        };
        match reserved {
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
            // A commit that failed may have closed it.
            let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let file =
                self.file.take().map(OwnedFd::from).or_else(|| openat(&self.dir, name, flags, Mode::empty()).ok());
            // Nobody is left to tell; a later sweep removes what could not be removed now.
            let _ = unlinkat(&self.dir, name, AtFlags::empty());
            if let Some(quota) = &self.quota {
                let size = file.as_ref().and_then(|file| fstat(file).ok()).map_or(0, |stat| size_of(&stat));
                quota.refund_bytes(size);
            }
            match file {
                Some(file) if self.is_large() => disposal::let_go(file),
                _ => {}
            }
        } else if let Some(file) = self.file.take() {
            // Another program may have removed it while it was written in place.
            if self.size >= disposal::LARGE_BYTES {
                disposal::close(file.into())
            }
        }
    }
}

fn is_full(error: &std::io::Error) -> bool {
    matches!(Errno::from_io_error(error), Some(Errno::NOSPC | Errno::DQUOT))
}

/// The umask takes away what this process's owner does not want to give.
const NEW_FILE: Mode = Mode::from_raw_mode(0o666);

/// Below this size neither reserving space nor asking for it is worth its system call: a small file is written by one
/// or two calls, and learns of a full disk there.
const RESERVE_BYTES_MIN: u64 = 256 * 1024;

/// Space is reserved in pieces: one call for 32 MiB was seen to take 11 ms on ext4, and all sessions wait for it.
const RESERVE_BYTES_STEP: u64 = 8 * 1024 * 1024;
