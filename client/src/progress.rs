//! What a person sees of a transfer: a bar while it runs, a line when it is done.
//!
//! Invariant: nothing is drawn where there is no terminal.

use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{BinaryBytes, ProgressBar, ProgressDrawTarget, ProgressStyle};

/// The bar of one transfer. It vanishes when it is dropped.
pub(crate) struct Progress {
    bar: ProgressBar,
}

impl Progress {
    /// A bar named `name`, on standard error, if that is a terminal and `wanted`. Without a total there is no time left to
    /// tell, and the time that has passed is shown.
    pub(crate) fn new(name: &str, total: Option<u64>, wanted: bool) -> Progress {
        let target = match wanted && std::io::stderr().is_terminal() {
            true => ProgressDrawTarget::stderr(),
            false => ProgressDrawTarget::hidden(),
        };
        let bar = ProgressBar::with_draw_target(total, target);
        bar.set_style(style(total));
        bar.set_prefix(name.to_owned());
        Progress { bar }
    }

    /// So many bytes have moved; of `total`, when that has become known.
    pub(crate) fn set(&self, bytes: u64, total: Option<u64>) {
        if let (Some(total), None) = (total, self.bar.length()) {
            self.bar.set_style(style(Some(total)));
            self.bar.set_length(total);
        }
        // A transfer that is over before the eye sees it needs no bar.
        if self.bar.elapsed() >= DELAY {
            self.bar.set_position(bytes);
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

fn style(total: Option<u64>) -> ProgressStyle {
    let template = if total.is_some() { WITH_TOTAL } else { WITHOUT_TOTAL };
    ProgressStyle::with_template(template).expect("the template is a constant").progress_chars("=> ")
}

/// `118,601 bytes in 0.02 s (5.66 MiB/s)`.
pub(crate) fn result_line(bytes: u64, took: Duration) -> String {
    let seconds = took.as_secs_f64();
    let rate = BinaryBytes((bytes as f64 / seconds.max(1e-6)) as u64);
    let unit = if bytes == 1 { "byte" } else { "bytes" };
    let bytes = indicatif::HumanCount(bytes);
    match seconds {
        s if s < 0.1 => format!("{bytes} {unit} in {:.1} ms ({rate}/s)", s * 1e3),
        s => format!("{bytes} {unit} in {s:.2} s ({rate}/s)"),
    }
}

const WITH_TOTAL: &str =
    "{prefix} {percent:>3}% [{bar:24}] {binary_bytes}/{binary_total_bytes} {binary_bytes_per_sec} {eta} left";
const WITHOUT_TOTAL: &str = "{prefix} {spinner} {binary_bytes} {binary_bytes_per_sec} {elapsed}";

const DELAY: Duration = Duration::from_millis(150);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_result_has_bytes_time_and_rate() {
        for (bytes, ms, line) in [
            (1, 2000, "1 byte in 2.00 s (0 B/s)"),
            (118_601, 20, "118,601 bytes in 20.0 ms (5.66 MiB/s)"),
            (3 << 30, 1500, "3,221,225,472 bytes in 1.50 s (2.00 GiB/s)"),
        ] {
            assert_eq!(result_line(bytes, Duration::from_millis(ms)), line);
        }
        assert!(result_line(0, Duration::ZERO).starts_with("0 bytes in 0.0 ms"));
    }

    #[test]
    fn the_bars_are_well_formed() {
        for total in [None, Some(10)] {
            Progress::new("x", total, true).set(5, Some(10));
        }
    }
}
