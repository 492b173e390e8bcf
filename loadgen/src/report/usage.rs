//! What a watched process used: in the last interval, in the measured window, and at most.
//!
//! Must not know which process it is.

use std::time::Instant;

use crate::process::{Process, ProcessSample};

/// A process under watch.
#[derive(Debug)]
pub(super) struct Watched {
    process: Process,
    last: Option<(Instant, ProcessSample)>,
    window_from: Option<(Instant, ProcessSample)>,
    window: Option<WindowUsage>,
    rss_max: u64,
    descriptors_max: Option<u64>,
}

/// One interval of a watched process.
#[derive(Debug, Clone, Copy)]
pub(super) struct Usage {
    /// How it stands.
    pub now: ProcessSample,
    /// Nanoseconds of CPU since the look before.
    pub cpu_ns: u64,
    /// Share of a core since the look before.
    pub cpu: f64,
    /// Context switches since the look before.
    pub context_switches: u64,
}

/// One interval of both processes; `None` for one that is gone or was never seen.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Usages {
    pub generator: Option<Usage>,
    pub server: Option<Usage>,
}

/// The measured window of a watched process.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct WindowUsage {
    /// Nanoseconds of CPU.
    pub cpu_ns: u64,
    /// Share of a core.
    pub cpu: f64,
}

impl Watched {
    pub fn new(process: Process) -> Watched {
        let mut watched =
            Watched { process, last: None, window_from: None, window: None, rss_max: 0, descriptors_max: None };
        watched.look();
        watched
    }

    /// Looks at it; `None` when it is gone.
    pub fn look(&mut self) -> Option<Usage> {
        let sample = self.process.sample()?;
        let at = Instant::now();
        let (before_at, before) = self.last.replace((at, sample)).unwrap_or((at, sample));
        self.rss_max = self.rss_max.max(sample.rss);
        self.descriptors_max = self.descriptors_max.max(sample.descriptors);
        // A thread that ended takes its part of the sum away.
        let cpu_ns = sample.cpu_ns.saturating_sub(before.cpu_ns);
        Some(Usage {
            now: sample,
            cpu_ns,
            cpu: share(cpu_ns, before_at, at),
            context_switches: sample.context_switches.saturating_sub(before.context_switches),
        })
    }

    /// The measured window begins.
    pub fn begin_window(&mut self) {
        self.look();
        self.window_from = self.last;
    }

    /// The measured window ends.
    pub fn end_window(&mut self) {
        self.look();
        self.window = self.window_so_far();
    }

    /// The measured window, or as much of it as there is.
    pub fn window(&self) -> Option<WindowUsage> {
        self.window.or_else(|| self.window_so_far())
    }

    /// Bytes resident at most; `None` when it was never seen.
    pub fn rss_max(&self) -> Option<u64> {
        self.last.map(|_| self.rss_max)
    }

    /// Descriptors at most.
    pub fn descriptors_max(&self) -> Option<u64> {
        self.descriptors_max
    }

    fn window_so_far(&self) -> Option<WindowUsage> {
        let ((from, before), (to, after)) = (self.window_from?, self.last?);
        let cpu_ns = after.cpu_ns.saturating_sub(before.cpu_ns);
        (to > from).then(|| WindowUsage { cpu_ns, cpu: share(cpu_ns, from, to) })
    }
}

fn share(cpu_ns: u64, from: Instant, to: Instant) -> f64 {
    let elapsed = to.saturating_duration_since(from).as_nanos();
    if elapsed == 0 { 0.0 } else { cpu_ns as f64 / elapsed as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_holds_what_was_used_in_it() {
        // A process with one thread: the sum over this one's threads falls when a test beside this one ends.
        let busy = ["-c", "while :; do :; done"];
        let mut child = std::process::Command::new("sh").args(busy).spawn().unwrap();
        let mut watched = Watched::new(Process::new(child.id()));
        assert_eq!(watched.window(), None);
        watched.begin_window();
        let mut used = 0;
        while used < 5_000_000 {
            used += watched.look().unwrap().cpu_ns;
        }
        watched.end_window();
        let window = watched.window().unwrap();
        assert!(window.cpu_ns >= used && window.cpu > 0.0);
        while watched.look().unwrap().cpu_ns == 0 {}
        assert_eq!(watched.window(), Some(window), "later use does not count");
        assert!(watched.rss_max().unwrap() > 0);
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
