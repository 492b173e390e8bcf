//! The terminal from which the server was started, if it was: when that is gone, SIGHUP means the end.

use std::os::fd::BorrowedFd;

use rustix::process::Signal;
use rustix::termios::{isatty, tcgetattr};

/// The standard streams that were a terminal at the start.
#[derive(Debug)]
pub(crate) struct Terminal(Vec<BorrowedFd<'static>>);

impl Terminal {
    /// `None` without a terminal, and under `nohup`, which has SIGHUP ignored: then SIGHUP does not come from one.
    pub(crate) fn of_this_process() -> Option<Terminal> {
        let streams = [rustix::stdio::stdin(), rustix::stdio::stderr()];
        let terminals: Vec<_> = streams.into_iter().filter(|stream| isatty(stream)).collect();
        (!terminals.is_empty() && !ignores_hangup()).then_some(Terminal(terminals))
    }

    /// Whether it has been hung up: the window was closed, or the connection of ssh was lost.
    pub(crate) fn is_gone(&self) -> bool {
        self.0.iter().any(|stream| tcgetattr(stream).is_err())
    }
}

fn ignores_hangup() -> bool {
    std::fs::read_to_string("/proc/self/status").is_ok_and(|status| is_ignored(&status, Signal::HUP.as_raw()))
}

/// Whether a signal is in the mask `SigIgn` of a status file of /proc.
fn is_ignored(status: &str, signal: i32) -> bool {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask >> (signal - 1) & 1 == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ignored_signals_are_read_from_the_mask() {
        let status = "SigBlk:\t0000000000000001\nSigIgn:\t0000000000001001\nSigCgt:\t0000000000004002\n";
        let ignored: Vec<i32> = (1..=64).filter(|&signal| is_ignored(status, signal)).collect();
        assert_eq!(ignored, [Signal::HUP.as_raw(), Signal::PIPE.as_raw()]);
        assert!(!is_ignored("", 1) && !is_ignored("SigIgn:\tx\n", 1));
    }
}
