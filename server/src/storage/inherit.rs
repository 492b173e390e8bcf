//! What a new file takes over from the one that it replaces: owner and group, permission bits, ACL, labels, and the
//! attributes of users.
//!
//! Not taken over: what gives a program rights (set-user-ID, set-group-ID, file capabilities) or vouches for the old
//! content (IMA, EVM); the kernel takes that away from a file that is written to as well.

use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{
    Gid, Mode, Stat, Uid, XattrFlags, fchmod, fchown, fremovexattr, fsetxattr, fstat, getxattr, getxattr_query,
    listxattr, listxattr_query,
};
use rustix::io::Errno;

use super::opening::by_descriptor;

/// Makes `new` look like `old`, which may be open with `O_PATH`, as far as this process may.
pub(super) fn inherit(old: &OwnedFd, stat: &Stat, new: impl AsFd) -> Result<(), Errno> {
    let new = new.as_fd();
    let born = fstat(new)?;
    let owner = (stat.st_uid != born.st_uid).then(|| Uid::from_raw(stat.st_uid));
    let group = (stat.st_gid != born.st_gid).then(|| Gid::from_raw(stat.st_gid));
    if (owner.is_some() || group.is_some()) && fchown(new, owner, group).is_err() && group.is_some() {
        // A process without rights may still give it to another of its own groups.
        let _ = fchown(new, None, group);
    }
    let mut mode = stat.st_mode & 0o777;
    if !copy_attributes(old, new) {
        // With an ACL, the bits of the group are its mask, and would give the group more than it had.
        mode &= !0o070;
    }
    match fstat(new)?.st_mode & 0o7777 {
        same if same == mode => Ok(()),
        _ => fchmod(new, Mode::from_raw_mode(mode)),
    }
}

/// Copies the attributes; whether the new file has the ACL of the old one, if there is one.
fn copy_attributes(old: &OwnedFd, new: impl AsFd) -> bool {
    let new = new.as_fd();
    let path = by_descriptor(old);
    let mut names = vec![0; listxattr_query(path.as_str()).unwrap_or(0)];
    // A list that has become longer meanwhile does not fit, and is as good as none.
    let count = if names.is_empty() { 0 } else { listxattr(path.as_str(), &mut names[..]).unwrap_or(0) };
    let mut has_acl = false;
    let mut is_copied = true;
    for name in names[..count].split(|&byte| byte == 0).filter(|name| is_inherited(name)) {
        let copied = copy(&path, name, new);
        if name == ACL {
            has_acl = true;
            is_copied = copied.is_ok();
        }
    }
    if !has_acl {
        // That of a directory's default, which the old file did not have.
        let _ = fremovexattr(new, ACL);
    }
    is_copied
}

fn copy(old: &str, name: &[u8], new: impl AsFd) -> Result<(), Errno> {
    let mut value = vec![0; getxattr_query(old, name)?];
    let size = if value.is_empty() { 0 } else { getxattr(old, name, &mut value[..])? };
    fsetxattr(new, name, &value[..size], XattrFlags::empty())
}

fn is_inherited(name: &[u8]) -> bool {
    name.starts_with(b"user.") || name == ACL || name == b"security.selinux" || name == b"security.SMACK64"
}

const ACL: &[u8] = b"system.posix_acl_access";
