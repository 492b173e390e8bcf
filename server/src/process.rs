//! What the process gets from the kernel: descriptors, and signals that must not end it.

use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use rustix::process::{Resource, Rlimit, Signal, geteuid, getrlimit, setrlimit};
use rustix::thread::{CapabilitySet, capabilities, set_capabilities, set_no_new_privs};

use crate::config::Limits;

/// Descriptors that an active session needs: control connection, data connection (or its listener), file.
pub const DESCRIPTORS_PER_SESSION: u64 = 3;

/// Descriptors of the server itself: standard streams, epoll, timers, wakers, listeners, root, workers.
pub const DESCRIPTORS_OF_SERVER: u64 = 64;

/// Raises the soft limit of open descriptors to the hard one and lowers `limits` to what they suffice for.
///
/// Gives the hard limit when it forced `limits.sessions` down, to be told.
pub fn fit_to_descriptors(limits: &mut Limits) -> Option<u64> {
    let now = getrlimit(Resource::Nofile);
    let raised = setrlimit(Resource::Nofile, Rlimit { current: now.maximum, maximum: now.maximum });
    // Refused only when a sandbox forbids the call; then the soft limit is what there is.
    let descriptors = if raised.is_ok() { now.maximum } else { now.current }?;
    let sessions = sessions_within(descriptors);
    if sessions >= u64::from(limits.sessions) {
        return None;
    }
    limits.sessions = u32::try_from(sessions).expect("less than a u32");
    limits.sessions_per_address = limits.sessions_per_address.min(limits.sessions);
    Some(descriptors)
}

/// Makes a write beyond the process's file size limit (`ulimit -f`) the error EFBIG instead of the end of the process.
///
/// # Errors
/// Those of `sigaction`.
pub fn survive_file_size_limit() -> io::Result<()> {
    // The flag is never read: an installed handler is what makes the kernel return the error.
    signal_hook::flag::register(Signal::XFSZ.as_raw(), Arc::new(AtomicBool::new(false))).map(drop)
}

/// Makes sure that no program which this process might be made to start gets more rights than it has (set-user-ID files).
/// Threads inherit it, so it comes before them.
///
/// # Errors
/// The kernel or a sandbox refuses.
pub fn gain_no_privileges() -> io::Result<()> {
    Ok(set_no_new_privs(true)?)
}

/// Whether this process has the rights of root.
pub fn is_root() -> bool {
    geteuid().is_root()
}

/// Gives the right to ports below 1024 back, for this thread and those that it starts. Root keeps it, with all the others.
///
/// # Errors
/// The kernel or a sandbox refuses.
pub(crate) fn give_back_low_ports() -> io::Result<()> {
    let mut sets = capabilities(None)?;
    if is_root() || !sets.permitted.contains(CapabilitySet::NET_BIND_SERVICE) {
        return Ok(());
    }
    for set in [&mut sets.effective, &mut sets.permitted, &mut sets.inheritable] {
        set.remove(CapabilitySet::NET_BIND_SERVICE);
    }
    Ok(set_capabilities(None, sets)?)
}

/// How many sessions fit, at least one.
fn sessions_within(descriptors: u64) -> u64 {
    (descriptors.saturating_sub(DESCRIPTORS_OF_SERVER) / DESCRIPTORS_PER_SESSION).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_follow_the_descriptors() {
        for (descriptors, sessions) in [(0, 1), (64, 1), (1024, 320), (20_000, 6645)] {
            assert_eq!(sessions_within(descriptors), sessions);
        }
    }

    #[test]
    fn limits_are_lowered_only_when_they_do_not_fit() {
        let limits = |sessions| Limits { sessions, sessions_per_address: sessions, data_ports_per_address: None };
        let mut few = limits(1);
        assert_eq!(fit_to_descriptors(&mut few), None);
        assert_eq!(few, limits(1));

        let now = getrlimit(Resource::Nofile);
        assert_eq!(now.current, now.maximum, "the soft limit was raised");
        if let Some(hard) = now.maximum {
            let mut many = limits(u32::MAX);
            assert_eq!(fit_to_descriptors(&mut many), Some(hard));
            assert_eq!(u64::from(many.sessions), sessions_within(hard));
            assert_eq!(many.sessions_per_address, many.sessions);
        }
    }
}
