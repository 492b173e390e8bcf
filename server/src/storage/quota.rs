//! How much an account may keep: a bound on bytes and on files that holds whatever happens at once.
//!
//! It must not know files: [`super::Root`] and [`super::Upload`] charge before they write and give back after they have
//! removed. A replaced file counts until it is gone: while both exist, both take room on the disk.
//!
//! Invariants:
//! - what was charged and not given back is never above the bound;
//! - every operation of the server keeps the usage exact, by taking a file out of its place before it is measured and
//!   removed; what other programs do to the tree is seen by the next [`Quota::reset`].

use std::sync::atomic::{AtomicU64, Ordering};

use muxftp_proto::Cause;

/// Bytes and files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// Sizes of all files, added.
    pub bytes: u64,
    /// Regular files.
    pub files: u64,
}

/// A bound that all sessions of an account share.
#[derive(Debug)]
pub struct Quota {
    bytes: Meter,
    files: Meter,
}

#[derive(Debug)]
struct Meter {
    used: AtomicU64,
    most: AtomicU64,
}

impl Quota {
    /// Nothing used yet; `None`: without bound.
    pub fn new(bytes_max: Option<u64>, files_max: Option<u64>) -> Quota {
        Quota { bytes: Meter::new(bytes_max), files: Meter::new(files_max) }
    }

    /// Other bounds from now on; what is there stays.
    pub fn set_bounds(&self, bytes_max: Option<u64>, files_max: Option<u64>) {
        self.bytes.most.store(bytes_max.unwrap_or(u64::MAX), Ordering::Relaxed);
        self.files.most.store(files_max.unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// Sets the usage to what was measured. Only while nothing is charged: no session, no upload.
    pub fn reset(&self, usage: Usage) {
        self.bytes.used.store(usage.bytes, Ordering::Relaxed);
        self.files.used.store(usage.files, Ordering::Relaxed);
    }

    /// What is charged.
    pub fn usage(&self) -> Usage {
        Usage { bytes: self.bytes.used.load(Ordering::Relaxed), files: self.files.used.load(Ordering::Relaxed) }
    }

    /// Bytes that may still be charged.
    pub fn rest(&self) -> u64 {
        self.bytes.rest()
    }

    /// Takes bytes before they are written.
    ///
    /// # Errors
    /// [`Cause::QuotaExceeded`]: there is no room for all of them; none is taken.
    pub(super) fn charge_bytes(&self, count: u64) -> Result<(), Cause> {
        self.bytes.charge(count)
    }

    pub(super) fn refund_bytes(&self, count: u64) {
        self.bytes.refund(count);
    }

    /// Takes one file.
    ///
    /// # Errors
    /// As [`Quota::charge_bytes`].
    pub(super) fn charge_file(&self) -> Result<(), Cause> {
        self.files.charge(1)
    }

    pub(super) fn refund_file(&self) {
        self.files.refund(1);
    }

    /// Whether one more file has room now.
    pub(super) fn has_room_for_file(&self) -> bool {
        self.files.rest() > 0
    }
}

impl Meter {
    fn new(most: Option<u64>) -> Meter {
        Meter { used: AtomicU64::new(0), most: AtomicU64::new(most.unwrap_or(u64::MAX)) }
    }

    fn rest(&self) -> u64 {
        self.most.load(Ordering::Relaxed).saturating_sub(self.used.load(Ordering::Relaxed))
    }

    fn charge(&self, count: u64) -> Result<(), Cause> {
        let most = self.most.load(Ordering::Relaxed);
        let room = |used: u64| used.checked_add(count).filter(|sum| *sum <= most);
        self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, room).map(drop).map_err(|_| Cause::QuotaExceeded)
    }

    /// What another program has removed was not counted out, so it may be less than was charged.
    fn refund(&self, count: u64) {
        let less = |used: u64| Some(used.saturating_sub(count));
        let _ = self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_byte_beyond_the_bound_is_charged() {
        let quota = Quota::new(Some(10), Some(1));
        assert_eq!(quota.charge_bytes(11), Err(Cause::QuotaExceeded));
        assert_eq!(quota.charge_bytes(u64::MAX), Err(Cause::QuotaExceeded));
        assert_eq!(quota.charge_bytes(10), Ok(()));
        assert_eq!((quota.charge_bytes(1), quota.rest()), (Err(Cause::QuotaExceeded), 0));
        quota.refund_bytes(4);
        assert_eq!((quota.charge_bytes(4), quota.charge_file()), (Ok(()), Ok(())));
        assert_eq!(quota.charge_file(), Err(Cause::QuotaExceeded));
        assert_eq!(quota.usage(), Usage { bytes: 10, files: 1 });
    }

    #[test]
    fn a_bound_that_is_lowered_lets_nothing_more_in() {
        let quota = Quota::new(None, None);
        quota.reset(Usage { bytes: 100, files: 3 });
        quota.set_bounds(Some(50), None);
        assert_eq!((quota.rest(), quota.charge_bytes(1)), (0, Err(Cause::QuotaExceeded)));
        assert_eq!(quota.charge_bytes(0), Err(Cause::QuotaExceeded));
        quota.refund_bytes(1000);
        assert_eq!(quota.usage().bytes, 0);
    }
}
