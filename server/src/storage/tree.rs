//! What changes the tree or tells of it, besides the content of files: making, removing, renaming, examining, setting.
//!
//! Each acts on one name in an opened directory, which the kernel has confined: a link that is put in its place meanwhile
//! is acted on itself, never what it points to.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

use muxftp_proto::representation::entry::{Entry, EntryKind};
use muxftp_proto::{Cause, VPath};
use rustix::fs::{
    AtFlags, FileType, Mode, OFlags, RawDir, RenameFlags, Stat, Timespec, Timestamps, UTIME_OMIT, fchmod, fstat,
    fstatvfs, futimens, mkdirat, renameat, renameat_with, unlinkat,
};
use rustix::io::Errno;

use super::cause::cause;
use super::quota::Usage;
use super::{Root, beneath, disposal, in_place, names, opening};

impl Root {
    /// What is known of a name; a link is followed as long as it stays below the root. The name is left empty.
    ///
    /// # Errors
    /// [`Cause::BadName`] for a hidden name, and those of the system.
    pub fn examine(&self, path: &VPath) -> Result<Entry<'static>, Cause> {
        names::refuse_hidden(path)?;
        let file = beneath::open(&self.dir, path.as_bytes(), OFlags::PATH).map_err(cause)?;
        Ok(entry_of(&fstat(&file).map_err(cause)?))
    }

    /// Makes a directory.
    ///
    /// # Errors
    /// [`Cause::Exists`], and those of the system.
    pub fn make_dir(&self, path: &VPath) -> Result<(), Cause> {
        let (dir, name) = self.parent_of(path)?;
        mkdirat(&dir, name, Mode::from_raw_mode(0o777)).map_err(cause)
    }

    /// Removes an empty directory.
    ///
    /// # Errors
    /// [`Cause::NotEmpty`], [`Cause::NotDirectory`], and those of the system.
    pub fn remove_dir(&self, path: &VPath) -> Result<(), Cause> {
        let (dir, name) = self.parent_of(path)?;
        unlinkat(&dir, name, AtFlags::REMOVEDIR).map_err(cause)
    }

    /// Removes a file, or a link itself.
    ///
    /// # Errors
    /// [`Cause::IsDirectory`]; [`Cause::Busy`]: a transfer writes to it in place; and those of the system.
    pub fn remove_file(&self, path: &VPath) -> Result<(), Cause> {
        let (dir, name) = self.parent_of(path)?;
        let stat = beneath::stat(&dir, name).map_err(cause)?;
        if FileType::from_raw_mode(stat.st_mode) == FileType::Directory {
            return Err(Cause::IsDirectory);
        }
        let _writers = in_place::exclude_writers(&[(&dir, name)], self.quota.is_some())?;
        if self.quota.is_none() {
            let held = disposal::hold(&dir, name, &stat);
            unlinkat(&dir, name, AtFlags::empty()).map_err(cause)?;
            if let Some(held) = held {
                disposal::let_go(held);
            }
            return Ok(());
        }
        let taken = names::next_temporary();
        renameat(&dir, name, &dir, &taken).map_err(cause)?;
        self.discard(&dir, taken.as_bytes())
    }

    /// Renames a file or directory. A file that has the new name is replaced if `may_replace`.
    ///
    /// # Errors
    /// [`Cause::NotAllowed`] when a file has the new name and may not be replaced; [`Cause::Exists`] when a directory has the
    /// new name; [`Cause::Busy`]: a transfer writes to one of both in place; and those of the system.
    pub fn rename(&self, from: &VPath, to: &VPath, may_replace: bool) -> Result<(), Cause> {
        let (from_dir, from_name) = self.parent_of(from)?;
        let (to_dir, to_name) = self.parent_of(to)?;
        let names: [(&OwnedFd, &[u8]); 2] = [(&from_dir, from_name), (&to_dir, to_name)];
        let _writers = in_place::exclude_writers(&names, self.quota.is_some())?;
        for _ in 0..ATTEMPTS_MAX {
            match renameat_with(&from_dir, from_name, &to_dir, to_name, RenameFlags::NOREPLACE) {
                Ok(()) => return Ok(()),
                Err(Errno::EXIST) => {}
                Err(errno) => return Err(cause(errno)),
            }
            let is_dir = |stat: &Stat| FileType::from_raw_mode(stat.st_mode) == FileType::Directory;
            let there = match beneath::stat(&to_dir, to_name) {
                Ok(stat) => stat,
                Err(Errno::NOENT) => continue,
                Err(errno) => return Err(cause(errno)),
            };
            let ours = beneath::stat(&from_dir, from_name).map_err(cause)?;
            if (ours.st_dev, ours.st_ino) == (there.st_dev, there.st_ino) {
                // Both are names of one file: there is nothing to replace, and nothing to give back.
                return Ok(());
            }
            if is_dir(&there) || is_dir(&ours) {
                return Err(Cause::Exists);
            }
            if !may_replace {
                return Err(Cause::NotAllowed);
            }
            if self.quota.is_none() {
                let held = disposal::hold(&to_dir, to_name, &there);
                renameat(&from_dir, from_name, &to_dir, to_name).map_err(cause)?;
                if let Some(held) = held {
                    disposal::let_go(held);
                }
                return Ok(());
            }
            match self.replace_counted((&from_dir, from_name), (&to_dir, to_name)) {
                Err(Cause::NotFound) => {}
                result => return result,
            }
        }
        Err(Cause::Busy)
    }

    /// Sets the permission bits of a file or directory.
    ///
    /// # Errors
    /// Those of opening and of the system.
    pub fn set_mode(&self, path: &VPath, mode: u32) -> Result<(), Cause> {
        // What a user may give away are rights; the bits that give a program the rights of its owner are not among them.
        fchmod(self.open_plain(path)?, Mode::from_raw_mode(mode & 0o777)).map_err(cause)
    }

    /// Sets the time of change of a file or directory, in seconds since 1970 (UTC).
    ///
    /// # Errors
    /// Those of opening and of the system.
    pub fn set_modified(&self, path: &VPath, seconds: i64) -> Result<(), Cause> {
        let times = Timestamps {
            last_access: Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT },
            last_modification: Timespec { tv_sec: seconds, tv_nsec: 0 },
        };
        futimens(self.open_plain(path)?, &times).map_err(cause)
    }

    /// Bytes that may still be written: what the quota leaves, and the disk.
    ///
    /// # Errors
    /// Those of the system.
    pub fn available(&self) -> Result<u64, Cause> {
        let disk = fstatvfs(&self.dir).map_err(cause)?;
        let free = disk.f_bavail.saturating_mul(disk.f_frsize);
        Ok(self.quota.as_ref().map_or(free, |quota| quota.rest().min(free)))
    }

    /// Counts what is there, in the whole tree, without other file systems that are mounted in it. It takes its time: not for the thread of the sockets.
    pub fn measure(&self) -> Usage {
        let mut usage = Usage::default();
        let mut pending: Vec<Vec<u8>> = vec![Vec::new()];
        while let Some(path) = pending.pop() {
            // Removed or replaced by somebody since it was seen, or not readable for us: then it is nobody's upload.
            let _ = self.measure_directory(&path, &mut usage, &mut pending);
        }
        usage
    }

    fn measure_directory(&self, path: &[u8], usage: &mut Usage, pending: &mut Vec<Vec<u8>>) -> Result<(), Errno> {
        let dir = beneath::open_within_mount(&self.dir, path, OFlags::RDONLY | OFlags::DIRECTORY)?;
        let mut buffer = [const { std::mem::MaybeUninit::<u8>::uninit() }; 16 * 1024];
        let mut entries = RawDir::new(&dir, &mut buffer);
        while let Some(entry) = entries.next() {
            let entry = entry?;
            let name = entry.file_name().to_bytes();
            if matches!(name, b"." | b"..") || names::is_hidden(name) {
                continue;
            }
            // Not even asked what it is: it may be a mount that does not answer.
            if entry.file_type() == FileType::Directory {
                pending.push(names::join(path, name));
                continue;
            }
            let Ok(stat) = beneath::stat(&dir, name) else { continue };
            match FileType::from_raw_mode(stat.st_mode) {
                FileType::Directory => pending.push(names::join(path, name)),
                FileType::RegularFile => {
                    usage.files += 1;
                    usage.bytes += size_of(&stat);
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Opens the directory of a path for an operation on its last component.
    pub(super) fn parent_of<'a>(&self, path: &'a VPath) -> Result<(Arc<OwnedFd>, &'a [u8]), Cause> {
        names::refuse_hidden(path)?;
        let (parent, name) = path.split_last().ok_or(Cause::BadName)?;
        let dir = match parent {
            b"" => Arc::clone(&self.dir),
            _ => Arc::new(beneath::open(&self.dir, parent, self.parent_flags()).map_err(cause)?),
        };
        Ok((dir, name))
    }

    fn open_plain(&self, path: &VPath) -> Result<OwnedFd, Cause> {
        names::refuse_hidden(path)?;
        opening::plain(&self.dir, path.as_bytes(), OFlags::RDONLY)
    }

    /// Puts one file in another's place, takes the other away and gives its room back.
    fn replace_counted(&self, from: (&OwnedFd, &[u8]), to: (&OwnedFd, &[u8])) -> Result<(), Cause> {
        renameat_with(from.0, from.1, to.0, to.1, RenameFlags::EXCHANGE).map_err(cause)?;
        let taken = names::next_temporary();
        renameat(from.0, from.1, from.0, &taken).map_err(cause)?;
        self.discard(from.0, taken.as_bytes())
    }

    /// Removes a file that has been taken out of everybody's sight, and gives its room back.
    pub(super) fn discard(&self, dir: &OwnedFd, hidden: &[u8]) -> Result<(), Cause> {
        let stat = beneath::stat(dir, hidden).map_err(cause)?;
        let held = disposal::hold(dir, hidden, &stat);
        unlinkat(dir, hidden, AtFlags::empty()).map_err(cause)?;
        if let Some(held) = held {
            disposal::let_go(held);
        }
        let is_file = FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile;
        if let Some(quota) = self.quota.as_ref().filter(|_| is_file) {
            quota.refund_bytes(size_of(&stat));
            quota.refund_file();
        }
        Ok(())
    }
}

/// What a `stat` tells; a link is only told of as such.
#[allow(clippy::unnecessary_cast, reason = "the number of links has another type on other machines")]
pub(super) fn entry_of(stat: &Stat) -> Entry<'static> {
    let kind = match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => EntryKind::File,
        FileType::Directory => EntryKind::Directory,
        FileType::Symlink => EntryKind::Link(b""),
        _ => EntryKind::Other,
    };
    Entry {
        name: b"",
        kind,
        size: size_of(stat),
        modified: stat.st_mtime,
        mode: stat.st_mode & 0o7777,
        links: stat.st_nlink as u64,
        unique: (stat.st_dev, stat.st_ino),
    }
}

pub(super) fn size_of(stat: &Stat) -> u64 {
    u64::try_from(stat.st_size).unwrap_or(0)
}

/// Device and inode.
pub(super) fn identity(file: impl AsFd) -> Result<(u64, u64), Errno> {
    fstat(file).map(|stat| (stat.st_dev, stat.st_ino))
}

/// Others may make and remove the name while it is looked at; who does so without end must not hold the loop.
const ATTEMPTS_MAX: u32 = 16;
