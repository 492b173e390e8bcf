//! The hidden names of uploads on their way: made here, recognised here, refused to clients here.

use std::sync::atomic::{AtomicU64, Ordering};

use muxftp_proto::{Cause, VPath};

/// Gives names for temporaries: `.muxftp-<instance>-<n>.part`.
///
/// The instance is drawn at random, so that two servers on one root do not meet.
#[derive(Debug)]
pub(super) struct TemporaryNames {
    instance: u64,
    next: AtomicU64,
}

impl TemporaryNames {
    pub(super) fn new() -> TemporaryNames {
        TemporaryNames { instance: rand::random(), next: AtomicU64::new(0) }
    }

    /// A name that this process has not given before.
    pub(super) fn next(&self) -> String {
        let n = self.next.fetch_add(1, Ordering::Relaxed);
        format!(".muxftp-{:016x}-{n}.part", self.instance)
    }
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

/// Whether a name has exactly the form that [`TemporaryNames`] gives: only those are ever removed.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn given_names_are_hidden_temporary_and_different() {
        let names = TemporaryNames::new();
        let (first, second) = (names.next(), names.next());
        assert_ne!(first, second);
        for name in [first, second] {
            assert!(is_hidden(name.as_bytes()) && is_temporary(name.as_bytes()), "{name}");
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
        assert!(is_temporary(b".muxftp-0123456789abcdef-1.part"));
    }

    #[test]
    fn hidden_names_are_refused_at_any_depth() {
        for (path, refused) in [(".muxftp-x", true), ("a/.muxftp-x/b", true), (".muxftp", false), ("a/b", false)] {
            assert_eq!(refuse_hidden(&VPath::parse(path.as_bytes()).unwrap()).is_err(), refused, "{path}");
        }
    }
}
