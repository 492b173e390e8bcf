//! Lets go of large files on a thread of its own.
//!
//! When the last reference to a file without a name is dropped, the kernel frees its pages and blocks before the call
//! returns: half a second for 5 GiB in memory, ten for a fragmented file on a slow disk. Whoever takes a name away
//! therefore holds the file over it ([`hold`]) and gives the descriptor to this thread ([`let_go`]).
//!
//! Invariant: nothing waits here without bound. At most [`WAITING_MAX`] descriptors wait; beyond that, without a
//! descriptor to hold a file by, and without the thread, files are let go of where they are, as small ones are.

use std::fs::File;
use std::ops::Deref;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Condvar, LazyLock, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use rustix::fs::{Mode, OFlags, Stat, fstat, openat};

use super::tree::size_of;

/// A file open for reading. It may lose its name meanwhile, and is then let go of here.
#[derive(Debug)]
pub struct SourceFile {
    /// Always there until the drop.
    file: Option<File>,
    is_large: bool,
    /// Its file system has no disk.
    is_in_memory: bool,
}

impl SourceFile {
    pub(super) fn new(file: File, stat: &Stat, is_in_memory: bool) -> SourceFile {
        SourceFile { file: Some(file), is_large: is_large(stat), is_in_memory }
    }

    /// Whether no read of it waits for a disk.
    pub fn is_in_memory(&self) -> bool {
        self.is_in_memory
    }

    /// Another descriptor of the same open file.
    ///
    /// # Errors
    /// No descriptor is left.
    pub fn try_clone(&self) -> std::io::Result<SourceFile> {
        let file = Some(self.deref().try_clone()?);
        Ok(SourceFile { file, is_large: self.is_large, is_in_memory: self.is_in_memory })
    }
}

impl From<File> for SourceFile {
    fn from(file: File) -> SourceFile {
        let is_large = fstat(&file).is_ok_and(|stat| is_large(&stat));
        SourceFile { file: Some(file), is_large, is_in_memory: false }
    }
}

impl Deref for SourceFile {
    type Target = File;

    fn deref(&self) -> &File {
        self.file.as_ref().expect("taken by the drop only")
    }
}

impl Drop for SourceFile {
    fn drop(&mut self) {
        if let Some(file) = self.file.take().filter(|_| self.is_large) {
            close(file.into());
        }
    }
}

/// Closes a file, on the thread if that would free much.
pub(super) fn close(file: OwnedFd) {
    match fstat(&file) {
        Ok(stat) if stat.st_nlink == 0 && is_large(&stat) => let_go(file),
        _ => drop(file),
    }
}

/// Holds the file that is about to lose its only name, if freeing it takes long.
pub(super) fn hold(dir: impl AsFd, name: &[u8], stat: &Stat) -> Option<OwnedFd> {
    if stat.st_nlink != 1 || !is_large(stat) {
        return None;
    }
    openat(dir, name, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty()).ok()
}

/// Drops a reference that is perhaps the last one.
pub(super) fn let_go(file: OwnedFd) {
    let bytes = fstat(&file).map_or(0, |stat| allocated(&stat));
    let Some(queue) = &*QUEUE else { return drop(file) };
    lock().add(bytes);
    match queue.try_send((file, bytes)) {
        Ok(()) => {}
        Err(TrySendError::Full((file, bytes)) | TrySendError::Disconnected((file, bytes))) => {
            drop(file);
            lock().done(bytes);
        }
    }
}

/// Bytes that are about to be free.
pub(super) fn pending_bytes() -> u64 {
    lock().bytes
}

/// Waits for files that are being freed; whether there were any. Only where a disk is full without them.
pub(super) fn wait_for_space() -> bool {
    let pending = lock();
    if pending.files == 0 {
        return false;
    }
    let waited = FREED.wait_timeout_while(pending, WAIT_MAX, |pending| pending.files > 0);
    drop(waited.unwrap_or_else(PoisonError::into_inner));
    true
}

/// Whether freeing a file is worth the way to the thread.
pub(super) fn is_large(stat: &Stat) -> bool {
    size_of(stat).max(allocated(stat)) >= LARGE_BYTES
}

#[derive(Default)]
struct Pending {
    files: usize,
    bytes: u64,
}

impl Pending {
    fn add(&mut self, bytes: u64) {
        self.files += 1;
        self.bytes += bytes;
    }

    fn done(&mut self, bytes: u64) {
        self.files -= 1;
        self.bytes -= bytes;
    }
}

fn start() -> Option<SyncSender<(OwnedFd, u64)>> {
    let (queue, waiting) = sync_channel(WAITING_MAX);
    thread::Builder::new().name("disposal".to_owned()).spawn(move || run(&waiting)).ok().map(|_| queue)
}

fn run(waiting: &Receiver<(OwnedFd, u64)>) {
    for (file, bytes) in waiting {
        drop(file);
        lock().done(bytes);
        FREED.notify_all();
    }
}

fn allocated(stat: &Stat) -> u64 {
    u64::try_from(stat.st_blocks).unwrap_or(0).saturating_mul(512)
}

/// A panic while it was held leaves counts that are still right.
fn lock() -> MutexGuard<'static, Pending> {
    PENDING.lock().unwrap_or_else(PoisonError::into_inner)
}

static PENDING: Mutex<Pending> = Mutex::new(Pending { files: 0, bytes: 0 });
static FREED: Condvar = Condvar::new();
static QUEUE: LazyLock<Option<SyncSender<(OwnedFd, u64)>>> = LazyLock::new(start);

/// Freeing a MiB takes some 0.1 ms in memory, as long as a few small transfers.
pub(super) const LARGE_BYTES: u64 = 1024 * 1024;

/// Files that wait to be freed. Each holds a descriptor, of which sessions need some too.
const WAITING_MAX: usize = 256;

/// What a writer waits on a full disk while files are being freed: as long as a removal took when the writer's thread did it.
const WAIT_MAX: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_a_name_is_freed_elsewhere() {
        let file = tempfile::tempfile().unwrap();
        file.set_len(LARGE_BYTES).unwrap();
        let held = rustix::io::fcntl_dupfd_cloexec(&file, 0).unwrap();
        close(held);
        while wait_for_space() {}
        assert_eq!(pending_bytes(), 0);
        let small = SourceFile::from(tempfile::tempfile().unwrap());
        assert!(!small.is_large);
    }
}
