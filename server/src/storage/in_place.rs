//! Which files are being written in place: APPE, and STOR after REST. At most one transfer writes to a file.
//!
//! Known to the whole process, since several roots may hold the same file. The lock is held over the operations that would
//! take a file out of its place, so that what was charged for its bytes stays exact.

use std::collections::HashSet;
use std::os::fd::OwnedFd;
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use muxftp_proto::Cause;

use super::beneath;

/// A file of which this is the only writer, until it is dropped.
#[derive(Debug)]
pub(super) struct Writer {
    identity: (u64, u64),
}

impl Writer {
    /// # Errors
    /// [`Cause::Busy`]: another transfer writes to it.
    pub(super) fn of(identity: (u64, u64)) -> Result<Writer, Cause> {
        if lock().insert(identity) { Ok(Writer { identity }) } else { Err(Cause::Busy) }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        lock().remove(&self.identity);
    }
}

/// Keeps new writers out while a name is taken away.
///
/// # Errors
/// [`Cause::Busy`]: a transfer writes to what has this name.
pub(super) fn refuse_written(dir: &OwnedFd, name: &[u8]) -> Result<MutexGuard<'static, HashSet<(u64, u64)>>, Cause> {
    let written = lock();
    match beneath::stat(dir, name) {
        Ok(stat) if written.contains(&(stat.st_dev, stat.st_ino)) => Err(Cause::Busy),
        _ => Ok(written),
    }
}

/// A panic while it was held leaves a set that is still right.
fn lock() -> MutexGuard<'static, HashSet<(u64, u64)>> {
    WRITTEN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Device and inode.
static WRITTEN: LazyLock<Mutex<HashSet<(u64, u64)>>> = LazyLock::new(Mutex::default);
