//! How a finished upload takes its name.
//!
//! A name that nothing has is taken with `RENAME_NOREPLACE`. Otherwise the new file takes over what belongs to the old one,
//! is closed, and then replaces it; with a quota the two are exchanged, since what is charged for the old one is known only
//! once it is out of its place: two commits at once would otherwise both count the same old file.

use std::fs::File;
use std::os::fd::OwnedFd;

use muxftp_proto::Cause;
use rustix::fs::{
    AtFlags, FileType, Mode, OFlags, RenameFlags, Stat, fstat, openat, renameat, renameat_with, unlinkat,
};
use rustix::io::Errno;

use super::cause::cause;
use super::quota::Quota;
use super::tree::size_of;
use super::upload::{Commit, Upload};
use super::{beneath, disposal, in_place, inherit};

/// What has the name, held over the replacement.
struct Old {
    held: OwnedFd,
    stat: Stat,
}

impl Upload {
    /// Gives the hidden file the name of the upload.
    pub(super) fn publish(&self, mut file: Option<File>, hidden: &str, at_commit: &Commit) -> Result<(), Cause> {
        if !matches!(at_commit, Commit::Replace(Some(_))) {
            drop(file.take());
            match (self.take_free_name(hidden), at_commit) {
                (Err(Cause::Exists), Commit::Replace(_)) => {}
                (result, _) => return result,
            }
        }
        for _ in 0..ATTEMPTS_MAX {
            if let Some(old) = self.old()? {
                if self.replace(hidden, file.take(), old)? {
                    return Ok(());
                }
            } else {
                drop(file.take());
                match self.take_free_name(hidden) {
                    Err(Cause::Exists) => {}
                    result => return result,
                }
            }
        }
        Err(Cause::Busy)
    }

    fn take_free_name(&self, hidden: &str) -> Result<(), Cause> {
        if let Some(quota) = &self.quota {
            quota.charge_file()?;
        }
        let taken = match renameat_with(&self.dir, hidden, &self.dir, &*self.target, RenameFlags::NOREPLACE) {
            // A file system without such flags, where another program must be trusted not to make the name just now.
            Err(Errno::INVAL | Errno::NOSYS) if matches!(beneath::stat(&self.dir, &self.target), Err(Errno::NOENT)) => {
                renameat(&self.dir, hidden, &self.dir, &*self.target)
            }
            other => other,
        };
        taken.map_err(|errno| {
            if let Some(quota) = &self.quota {
                quota.refund_file();
            }
            cause(errno)
        })
    }

    fn old(&self) -> Result<Option<Old>, Cause> {
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        match openat(&self.dir, &*self.target, flags, Mode::empty()) {
            Err(Errno::NOENT) => Ok(None),
            Err(errno) => Err(cause(errno)),
            Ok(held) => fstat(&held).map(|stat| Some(Old { held, stat })).map_err(cause),
        }
    }

    /// Whether the old file was replaced; not if it has gone meanwhile.
    fn replace(&self, hidden: &str, file: Option<File>, old: Old) -> Result<bool, Cause> {
        match FileType::from_raw_mode(old.stat.st_mode) {
            FileType::RegularFile => {
                let file = match file {
                    Some(file) => OwnedFd::from(file),
                    None => {
                        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
                        openat(&self.dir, hidden, flags, Mode::empty()).map_err(cause)?
                    }
                };
                inherit::inherit(&old.held, &old.stat, &file).map_err(cause)?;
            }
            // Made since the upload began: it is replaced itself, wherever it leads.
            FileType::Symlink => drop(file),
            FileType::Directory => return Err(Cause::IsDirectory),
            _ => return Err(Cause::NotRegular),
        }
        let _writers = in_place::exclude_writers(&[(&self.dir, &self.target)], self.quota.is_some())?;
        if let Some(quota) = &self.quota {
            return self.exchange(hidden, quota);
        }
        renameat(&self.dir, hidden, &self.dir, &*self.target).map_err(cause)?;
        if disposal::is_large(&old.stat) {
            disposal::let_go(old.held);
        }
        Ok(true)
    }

    /// Whether there was a file to exchange with. Its room is given back.
    fn exchange(&self, hidden: &str, quota: &Quota) -> Result<bool, Cause> {
        let exchange = || renameat_with(&self.dir, hidden, &self.dir, &*self.target, RenameFlags::EXCHANGE);
        match exchange() {
            Ok(()) => {}
            Err(Errno::NOENT) => return Ok(false),
            Err(errno) => return Err(cause(errno)),
        }
        let old = beneath::stat(&self.dir, hidden.as_bytes()).map_err(cause)?;
        let file_type = FileType::from_raw_mode(old.st_mode);
        if file_type == FileType::Directory {
            // Put there by another program between the look and the exchange.
            exchange().map_err(cause)?;
            return Err(Cause::IsDirectory);
        }
        let held = disposal::hold(&self.dir, hidden.as_bytes(), &old);
        unlinkat(&self.dir, hidden, AtFlags::empty()).map_err(cause)?;
        if let Some(held) = held {
            disposal::let_go(held);
        }
        // What was replaced may have been a link, which was never counted.
        if file_type != FileType::RegularFile {
            return quota.charge_file().map(|()| true);
        }
        quota.refund_bytes(size_of(&old));
        Ok(true)
    }
}

/// Others may make and remove the name meanwhile; who does so without end must not hold the loop.
const ATTEMPTS_MAX: u32 = 16;
