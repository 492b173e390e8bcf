//! What all parts of the world share: the clock, chance, things to come, disk, ports, and what has been seen.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::time::{Duration, Instant};

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::disk::Disk;
use crate::link::Happening;

/// The world around the sessions.
pub struct Env {
    rng: ChaCha8Rng,
    start: Instant,
    pub now: Instant,
    queue: BinaryHeap<Reverse<(Instant, u64, Scheduled)>>,
    sequence: u64,
    pub faults: Faults,
    pub disk: Disk,
    pub ports: BTreeSet<u16>,
    pub stats: Stats,
    trace: bool,
}

/// Something to come: on which link, and what.
type Scheduled = (usize, Happening);

/// How likely things go wrong, in percent; drawn anew for each seed, and all zero in some.
#[derive(Debug, Default)]
pub struct Faults {
    /// A storage operation fails.
    pub disk: u32,
    /// An answer of the shell takes long.
    pub slow: u32,
    /// A data connection is refused, lost on its way, or breaks.
    pub data: u32,
    /// A peer stops moving bytes for good.
    pub stall: u32,
    /// A control connection is cut.
    pub cut: u32,
    /// A write on the control connection is taken in part.
    pub blocked: u32,
    /// The peer stops reading the control connection: for a while, or for good.
    pub deaf: u32,
    /// A client waits longer than the server likes.
    pub idle: u32,
    /// No data port is free.
    pub ports: u32,
    /// The server ends in the middle.
    pub drain: u32,
}

/// What has been seen, by name.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Stats(BTreeMap<String, u64>);

impl Env {
    pub fn new(seed: u64, trace: bool) -> Env {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let calm = rng.random_range(0..8) == 0;
        let mut level = |most| if calm || rng.random_range(0..3) == 0 { 0 } else { rng.random_range(0..=most) };
        let faults = Faults {
            disk: level(20),
            slow: level(30),
            data: level(15),
            stall: level(5),
            cut: level(60),
            blocked: level(50),
            deaf: level(2),
            idle: level(5),
            ports: level(10),
            drain: level(30),
        };
        let start = Instant::now();
        Env {
            rng,
            start,
            now: start,
            queue: BinaryHeap::new(),
            sequence: 0,
            faults,
            disk: Disk::default(),
            ports: BTreeSet::new(),
            stats: Stats::default(),
            trace,
        }
    }

    /// A number below `end`, which is not 0.
    pub fn below(&mut self, end: usize) -> usize {
        self.rng.random_range(0..end)
    }

    /// Whether something of this percentage happens.
    pub fn chance(&mut self, percent: u32) -> bool {
        percent > 0 && self.rng.random_range(0..100) < percent
    }

    /// Lets something happen on a link, soon.
    pub fn soon(&mut self, link: usize, happening: Happening) {
        let delay = Duration::from_micros(self.rng.random_range(0..2_000));
        self.after(delay, link, happening);
    }

    /// Lets something happen on a link: soon, or, if the shell is slow, much later.
    pub fn sometime(&mut self, link: usize, happening: Happening) {
        let most = if self.chance(self.faults.slow) { 20_000 } else { 5 };
        let delay = Duration::from_millis(self.rng.random_range(0..most));
        self.after(delay, link, happening);
    }

    /// Lets something happen on a link after `delay`.
    pub fn after(&mut self, delay: Duration, link: usize, happening: Happening) {
        self.sequence += 1;
        self.queue.push(Reverse((self.now + delay, self.sequence, (link, happening))));
    }

    /// When the next thing is to come.
    pub fn next_time(&self) -> Option<Instant> {
        self.queue.peek().map(|Reverse((time, ..))| *time)
    }

    /// The next thing to come; the clock is set to its time.
    pub fn pop(&mut self) -> Option<Scheduled> {
        let Reverse((time, _, scheduled)) = self.queue.pop()?;
        self.now = time;
        Some(scheduled)
    }

    /// Counts, and shows when the seed is watched.
    pub fn saw(&mut self, event: impl Into<String>) {
        let event = event.into();
        if self.trace {
            println!("{:>15}  = {event}", "");
        }
        self.stats.saw(event);
    }

    /// Shows when the seed is watched.
    pub fn note(&self, link: usize, what: impl FnOnce() -> String) {
        if self.trace {
            println!("{:>12.3} ms  [{link}] {}", (self.now - self.start).as_secs_f64() * 1e3, what());
        }
    }
}

impl Stats {
    pub fn saw(&mut self, event: impl Into<String>) {
        *self.0.entry(event.into()).or_default() += 1;
    }

    pub fn add(&mut self, other: &Stats) {
        for (event, count) in &other.0 {
            *self.0.entry(event.clone()).or_default() += count;
        }
    }

    pub fn count(&self, event: &str) -> u64 {
        self.0.get(event).copied().unwrap_or_default()
    }
}
