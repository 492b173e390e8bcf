//! Hints of the reactor that proved wrong.

use muxftp_reactor::{Key, Reactor, Readiness};

/// Changes the hint of a source that is still there.
pub(super) fn clear<T: Copy>(rx: &mut Reactor<T>, key: Key, change: impl FnOnce(&mut Readiness)) {
    if let Some(readiness) = rx.readiness(key) {
        change(readiness);
    }
}
