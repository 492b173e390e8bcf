//! Where an upload goes: the directory and the name in it that its path stands for.
//!
//! A link is followed, as every program that opens a file for writing follows it: the upload replaces what it points to, or
//! makes it if it is missing, and the link stays. Each directory on the way is opened below the root by the kernel; a link
//! that leads out is refused.

use std::borrow::Cow;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use muxftp_proto::{Cause, VPath};
use rustix::fs::{FileType, OFlags, Stat, readlinkat};
use rustix::io::Errno;

use super::cause::cause;
use super::{Root, beneath, names};

/// A name for an upload, which is not a link.
pub(super) struct Target<'a> {
    pub(super) dir: Arc<OwnedFd>,
    pub(super) name: Cow<'a, [u8]>,
    /// The regular file that has the name now.
    pub(super) old: Option<Stat>,
}

impl Root {
    /// # Errors
    /// [`Cause::IsDirectory`], [`Cause::NotRegular`], [`Cause::BadLink`], [`Cause::BadName`] for a hidden name, and those of
    /// the system.
    pub(super) fn target<'a>(&self, path: &'a VPath) -> Result<Target<'a>, Cause> {
        let (dir, name) = self.parent_of(path)?;
        match seen(&dir, name)? {
            Seen::File(old) => Ok(Target { dir, name: Cow::Borrowed(name), old }),
            Seen::Link => self.follow(path, dir),
        }
    }

    fn follow(&self, path: &VPath, mut dir: Arc<OwnedFd>) -> Result<Target<'static>, Cause> {
        let (parent, name) = path.split_last().ok_or(Cause::BadName)?;
        let (mut parent, mut name) = (parent.to_vec(), name.to_vec());
        for _ in 0..LINKS_MAX {
            match seen(&dir, &name)? {
                Seen::File(old) => return Ok(Target { dir, name: Cow::Owned(name), old }),
                Seen::Link => {}
            }
            let link = readlinkat(&dir, &name, Vec::new()).map_err(cause)?.into_bytes();
            if link.starts_with(b"/") {
                return Err(Cause::BadLink);
            }
            if link.split(|&byte| byte == b'/').any(names::is_hidden) {
                return Err(Cause::BadName);
            }
            let cut = link.iter().rposition(|&byte| byte == b'/').map_or(0, |slash| slash + 1);
            let (between, last) = link.split_at(cut);
            if matches!(last, b"" | b"." | b"..") {
                // A directory, if it is there at all.
                beneath::open(&self.dir, &names::join(&parent, &link), OFlags::PATH).map_err(cause)?;
                return Err(Cause::IsDirectory);
            }
            if !between.is_empty() {
                parent = names::join(&parent, &between[..cut - 1]);
                dir = Arc::new(beneath::open(&self.dir, &parent, self.parent_flags()).map_err(cause)?);
            }
            name = last.to_vec();
        }
        Err(Cause::BadLink)
    }
}

enum Seen {
    /// A regular file, or none.
    File(Option<Stat>),
    Link,
}

fn seen(dir: &OwnedFd, name: &[u8]) -> Result<Seen, Cause> {
    let stat = match beneath::stat(dir, name) {
        Err(Errno::NOENT) => return Ok(Seen::File(None)),
        other => other.map_err(cause)?,
    };
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => Ok(Seen::File(Some(stat))),
        FileType::Symlink => Ok(Seen::Link),
        FileType::Directory => Err(Cause::IsDirectory),
        _ => Err(Cause::NotRegular),
    }
}

/// As many as the kernel follows in one path.
const LINKS_MAX: u32 = 40;
