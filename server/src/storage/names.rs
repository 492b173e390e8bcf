//! The hidden names of uploads on their way: made here, recognised here, refused to clients here.

use std::os::fd::OwnedFd;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

use muxftp_proto::{Cause, VPath};
use rustix::fs::{AtFlags, FlockOperation, Mode, OFlags, flock, openat, unlinkat};
use rustix::io::Errno;

/// A name that this process has not used before: `.muxftp-<instance>-<n>.part`.
///
/// The instance is drawn at random, so that two servers on one tree do not meet.
pub(super) fn next_temporary() -> String {
    let n = NEXT.fetch_add(1, Ordering::Relaxed);
    format!(".muxftp-{:016x}-{n}.part", *INSTANCE)
}

/// Makes a temporary in `dir` and locks it: as long as the file is open, no sweep of another process takes it away.
pub(super) fn create_temporary(dir: &OwnedFd, mode: Mode) -> Result<(OwnedFd, String), Errno> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    for _ in 0..ATTEMPTS_MAX {
        let name = next_temporary();
        let file = openat(dir, &name, flags, mode)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            // A sweep looks at it at this very moment.
            Err(Errno::WOULDBLOCK) => drop(unlinkat(dir, &name, AtFlags::empty())),
            // Without locks no sweep removes anything.
            Ok(()) | Err(_) => return Ok((file, name)),
        }
    }
    Err(Errno::AGAIN)
}

/// Whether a temporary is one of this process.
pub(super) fn is_own(name: &[u8]) -> bool {
    name.strip_prefix(PREFIX).is_some_and(|rest| rest.starts_with(format!("{:016x}-", *INSTANCE).as_bytes()))
}

/// Whether a name belongs to the server: clients neither see nor use it.
pub(super) fn is_hidden(name: &[u8]) -> bool {
    name.starts_with(PREFIX)
}

/// Refuses a path with a component that belongs to the server.
pub(super) fn refuse_hidden(path: &VPath) -> Result<(), Cause> {
    match path.as_bytes().split(|&byte| byte == b'/').any(is_hidden) {
        true => Err(Cause::BadName),
        false => Ok(()),
    }
}

/// Whether a name has exactly the form that [`next_temporary`] gives: only those are ever removed.
pub(super) fn is_temporary(name: &[u8]) -> bool {
    let Some(middle) = name.strip_prefix(PREFIX).and_then(|rest| rest.strip_suffix(SUFFIX)) else {
        return false;
    };
    let Some((instance, number)) = middle.split_at_checked(INSTANCE_DIGITS) else {
        return false;
    };
    let Some(digits) = number.strip_prefix(b"-") else {
        return false;
    };
    instance.iter().all(u8::is_ascii_hexdigit) && !digits.is_empty() && digits.iter().all(u8::is_ascii_digit)
}

/// A path, and a name in it.
pub(super) fn join(parent: &[u8], name: &[u8]) -> Vec<u8> {
    if parent.is_empty() { name.to_vec() } else { [parent, b"/", name].concat() }
}

const PREFIX: &[u8] = b".muxftp-";
const SUFFIX: &[u8] = b".part";
const INSTANCE_DIGITS: usize = 16;

static INSTANCE: LazyLock<u64> = LazyLock::new(rand::random);
static NEXT: AtomicU64 = AtomicU64::new(0);

/// Sweeps that may meet an upload just when it begins.
const ATTEMPTS_MAX: u32 = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn given_names_are_hidden_temporary_and_different() {
        let (first, second) = (next_temporary(), next_temporary());
        assert_ne!(first, second);
        for name in [first, second] {
            let name = name.as_bytes();
            assert!(is_hidden(name) && is_temporary(name) && is_own(name), "{name:?}");
        }
    }

    #[test]
    fn only_the_exact_form_is_temporary() {
        for name in [
            ".muxftp-",
            ".muxftp-.part",
            ".muxftp-0123456789abcdef-.part",
            ".muxftp-0123456789abcdef-1.par",
            ".muxftp-0123456789abcdef-1x.part",
            ".muxftp-0123456789abcdeg-1.part",
            "x.muxftp-0123456789abcdef-1.part",
            "notes.part",
        ] {
            assert!(!is_temporary(name.as_bytes()), "{name}");
        }
        assert!(is_temporary(b".muxftp-0123456789abcdef-1.part") && !is_own(b".muxftp-0123456789abcdef-1.part"));
    }

    #[test]
    fn hidden_names_are_refused_at_any_depth() {
        for (path, refused) in [(".muxftp-x", true), ("a/.muxftp-x/b", true), (".muxftp", false), ("a/b", false)] {
            assert_eq!(refuse_hidden(&VPath::parse(path.as_bytes()).unwrap()).is_err(), refused, "{path}");
        }
    }
}
