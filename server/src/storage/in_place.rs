//! Which files are being written in place: APPE, and STOR after REST. At most one transfer writes to a file, and no other
//! command of this process takes the file out of its place meanwhile.
//!
//! Known to the whole process, since several roots may hold the same file. With a quota the lock is held over the operations
//! that take a file out of its place, so that what was charged for its bytes stays exact.

use std::collections::HashSet;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use muxftp_proto::Cause;

use super::beneath;

/// A file of which this is the only writer, until it is dropped.
#[derive(Debug)]
pub(super) struct Writer {
    identity: (u64, u64),
}

/// New writers wait while this is held; `None`: there is no writer.
pub(super) type Exclusion = Option<MutexGuard<'static, HashSet<(u64, u64)>>>;

impl Writer {
    /// # Errors
    /// [`Cause::Busy`]: another transfer writes to it.
    pub(super) fn of(identity: (u64, u64)) -> Result<Writer, Cause> {
        let mut written = lock();
        let is_new = written.insert(identity);
        COUNT.store(written.len(), Ordering::SeqCst);
        if is_new { Ok(Writer { identity }) } else { Err(Cause::Busy) }
    }

    /// Whether `name` still is the file that was written to.
    ///
    /// # Errors
    /// [`Cause::Replaced`]: another program has removed, renamed or replaced it.
    pub(super) fn check_name(&self, dir: &OwnedFd, name: &[u8]) -> Result<(), Cause> {
        match beneath::stat(dir, name) {
            Ok(stat) if (stat.st_dev, stat.st_ino) == self.identity => Ok(()),
            _ => Err(Cause::Replaced),
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        let mut written = lock();
        written.remove(&self.identity);
        COUNT.store(written.len(), Ordering::SeqCst);
    }
}

/// Keeps new writers out while names are taken away. Unless it must be `exact`, this costs nothing while nobody writes; a
/// writer that begins just then sees at its end that its file has gone.
///
/// # Errors
/// [`Cause::Busy`]: a transfer writes to what has one of these names.
pub(super) fn exclude_writers(names: &[(&OwnedFd, &[u8])], exact: bool) -> Result<Exclusion, Cause> {
    if !exact && COUNT.load(Ordering::SeqCst) == 0 {
        return Ok(None);
    }
    let written = lock();
    let is_written = |(dir, name): &(&OwnedFd, &[u8])| {
        beneath::stat(dir, name).is_ok_and(|stat| written.contains(&(stat.st_dev, stat.st_ino)))
    };
    if !written.is_empty() && names.iter().any(is_written) {
        return Err(Cause::Busy);
    }
    Ok(Some(written))
}

/// A panic while it was held leaves a set that is still right.
fn lock() -> MutexGuard<'static, HashSet<(u64, u64)>> {
    WRITTEN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Device and inode.
static WRITTEN: LazyLock<Mutex<HashSet<(u64, u64)>>> = LazyLock::new(Mutex::default);

/// How many they are.
static COUNT: AtomicUsize = AtomicUsize::new(0);
