//! How far a thread may follow paths: the loop only as far as the kernel need not wait, a lane only within its mount.
//!
//! The reach belongs to the thread and holds for everything that [`within`] calls, since each path is resolved in one
//! place (`beneath.rs`) but asked for in many. A path that leads farther fails there, and [`within`] gives [`Farther`]
//! instead of what the caller made of that failure.

use std::cell::Cell;

use muxftp_proto::Cause;
use rustix::fs::{AtFlags, ResolveFlags};
use rustix::io::Errno;

/// How far paths are followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// Only through what the kernel has in memory, and within the mount. For the loop.
    Memory,
    /// Within the mount of the root: what is mounted below it may not answer.
    Mount,
    /// Wherever a path below the root leads.
    Anywhere,
}

/// A path that leads farther than it may be followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Farther {
    /// The kernel would have to wait, for a disk perhaps.
    Waits,
    /// Into another mount; or out of the root, which the kernel does not tell apart.
    OtherMount,
}

thread_local! {
    static REACH: Cell<Reach> = const { Cell::new(Reach::Anywhere) };
    static MISSED: Cell<Option<Farther>> = const { Cell::new(None) };
}

/// Does something with no more than this reach.
///
/// # Errors
/// A path leads farther. What has been done before that path was asked for is done.
pub fn within<T>(reach: Reach, work: impl FnOnce() -> Result<T, Cause>) -> Result<Result<T, Cause>, Farther> {
    /// Also if the work panics.
    struct Restore(Reach);
    impl Drop for Restore {
        fn drop(&mut self) {
            REACH.set(self.0);
        }
    }
    let _restore = Restore(REACH.replace(reach));
    MISSED.set(None);
    let result = work();
    match MISSED.take() {
        Some(farther) => Err(farther),
        None => Ok(result),
    }
}

/// What a path must not do at present.
pub(super) fn resolve_flags() -> ResolveFlags {
    match REACH.get() {
        Reach::Memory => ResolveFlags::CACHED | ResolveFlags::NO_XDEV,
        Reach::Mount => ResolveFlags::NO_XDEV,
        Reach::Anywhere => ResolveFlags::empty(),
    }
}

/// How a name is looked at: what is mounted over it is not asked, unless it may be reached.
pub(super) fn stat_flags() -> AtFlags {
    match REACH.get() {
        Reach::Memory | Reach::Mount => AtFlags::STATX_DONT_SYNC | AtFlags::NO_AUTOMOUNT,
        Reach::Anywhere => AtFlags::empty(),
    }
}

/// Whether the thread must not wait.
pub(super) fn is_memory() -> bool {
    REACH.get() == Reach::Memory
}

/// Whether what is opened may be on another file system than the root.
pub fn may_leave_mount() -> bool {
    REACH.get() == Reach::Anywhere
}

/// Takes note of a path that could not be followed.
pub(super) fn note(errno: Errno) {
    let farther = match (REACH.get(), errno) {
        (Reach::Memory, Errno::AGAIN) => Farther::Waits,
        (Reach::Memory | Reach::Mount, Errno::XDEV) => Farther::OtherMount,
        _ => return,
    };
    MISSED.set(Some(farther));
}

/// Whether a path has led too far since [`within`] began.
pub(super) fn has_missed() -> bool {
    MISSED.get().is_some()
}
