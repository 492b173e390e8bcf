//! One session that sends NOOP every 2 ms and records how long each reply takes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use crate::client::Ftp;

/// What one measurement has found.
#[derive(Debug, Clone)]
pub struct Figures {
    pub count: u64,
    pub p50: Duration,
    pub p99: Duration,
    pub max: Duration,
    /// Round trips above [`STALL`].
    pub stalls: u64,
    /// False if a reply did not come within the patience, or the session was closed.
    pub answered: bool,
}

#[derive(Debug)]
pub struct Probe {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Figures>,
}

impl Probe {
    /// Logs in and begins. `stop` becomes true by itself when the server does not answer.
    pub fn start(port: u16, patience: Duration, stop: Arc<AtomicBool>) -> Result<Probe, String> {
        let ftp = Ftp::guest(port)?;
        let flag = Arc::clone(&stop);
        let thread = std::thread::spawn(move || measure(ftp, patience, &flag));
        Ok(Probe { stop, thread })
    }

    pub fn finish(self) -> Figures {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().expect("the probe does not panic")
    }
}

fn measure(mut ftp: Ftp, patience: Duration, stop: &AtomicBool) -> Figures {
    ftp.set_patience(patience);
    let mut trips: Histogram<u64> = Histogram::new_with_bounds(1, 3_600_000_000, 3).expect("bounds of an hour");
    let mut answered = true;
    while answered && !stop.load(Ordering::Relaxed) {
        let start = Instant::now();
        answered = ftp.command("NOOP").is_ok_and(|reply| reply.starts_with("200"));
        trips.saturating_record(start.elapsed().as_micros() as u64);
        std::thread::sleep(INTERVAL.saturating_sub(start.elapsed()));
    }
    stop.store(true, Ordering::Relaxed);
    let at = |share| Duration::from_micros(trips.value_at_quantile(share));
    Figures {
        count: trips.len(),
        p50: at(0.5),
        p99: at(0.99),
        max: Duration::from_micros(trips.max()),
        stalls: trips.count_between(STALL.as_micros() as u64, u64::MAX),
        answered,
    }
}

const INTERVAL: Duration = Duration::from_millis(2);
/// A person does not notice a shorter one.
pub const STALL: Duration = Duration::from_millis(50);
