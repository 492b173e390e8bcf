//! Transfers that share a rate, played with a clock of their own.

use super::*;

fn rate(per_second: u64) -> Rate {
    let mut rate = None;
    Rate::set(&mut rate, Some(per_second));
    rate.unwrap()
}

#[test]
fn the_mean_is_the_rate_however_it_is_taken() {
    for (per_second, piece) in [(1000u64, 7u64), (1000, 100_000), (50 << 20, 256 << 10), (3, 1)] {
        let (mut rate, mut share) = (rate(per_second), Share::default());
        let start = Instant::now();
        let (mut now, mut moved) = (start, 0);
        // Enough that the burst at the beginning does not matter.
        while moved < per_second * 100 {
            match rate.available(&mut share, now) {
                Ok(most) => {
                    let count = piece.min(most as u64);
                    rate.take(&mut share, count);
                    moved += count;
                }
                Err(pause) => now += pause,
            }
        }
        let seconds = (now - start).as_secs_f64();
        assert!((98.0..=101.0).contains(&seconds), "{per_second}/s took {seconds} s for 100 s");
    }
}

#[test]
fn a_rest_saves_no_more_than_the_burst() {
    let (mut rate, mut share) = (rate(1000), Share::default());
    let now = Instant::now();
    assert_eq!(rate.available(&mut share, now), Ok(250));
    rate.rest(&mut share);
    assert_eq!(rate.available(&mut share, now + Duration::from_secs(3600)), Ok(250));
    let mut rate = Some(rate);
    Rate::set(&mut rate, None);
    assert!(rate.is_none());
}

#[test]
fn a_transfer_that_is_dropped_or_has_another_rate_takes_no_part() {
    let mut rate = rate(1000);
    let (mut one, mut two) = (Share::default(), Share::default());
    let now = Instant::now();
    let _ = (rate.available(&mut one, now), rate.available(&mut two, now));
    assert_eq!(rate.members(), 2);
    drop(two);
    assert_eq!(rate.members(), 1);
    let mut lifted = Some(rate);
    Rate::set(&mut lifted, None);
    let mut again = self::rate(500);
    assert_eq!(again.available(&mut one, now), Ok(125));
    assert_eq!(again.members(), 1);
}

/// What bounds a transfer besides the rate.
#[derive(Debug, Clone, Copy)]
enum Peer {
    Fast,
    /// Takes so many bytes per second.
    Slow(f64),
    /// Takes nothing between these seconds.
    Stalls(f64, f64),
    /// So many bytes, then a pause of so many seconds, and so on: small files.
    Files(u64, f64),
}

struct Transfer {
    share: Share,
    peer: Peer,
    /// In seconds: when it is next looked at.
    wake: f64,
    ends: f64,
    moved: u64,
    of_file: u64,
    last_moved: f64,
    longest_silence: f64,
}

/// The bytes of a session by itself, from its start to its end in seconds.
fn transfer(peer: Peer, starts: f64, ends: f64) -> Transfer {
    let share = Share::default();
    Transfer { share, peer, wake: starts, ends, moved: 0, of_file: 0, last_moved: starts, longest_silence: 0.0 }
}

/// A world with a reactor whose timers are late by up to 5 ms.
struct World {
    rate: Rate,
    start: Instant,
    transfers: Vec<Transfer>,
    noise: u64,
}

impl World {
    fn new(per_second: u64, transfers: Vec<Transfer>) -> World {
        World { rate: rate(per_second), start: Instant::now(), transfers, noise: 7 }
    }

    fn late(&mut self) -> f64 {
        self.noise = self.noise.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (self.noise >> 33) as f64 / f64::from(1u32 << 31) * 0.005
    }

    /// Plays until this second; gives what each has moved in all.
    fn until(&mut self, second: f64) -> Vec<u64> {
        loop {
            let wakes = self.transfers.iter().map(|transfer| transfer.wake).enumerate();
            let (next, at) = wakes.min_by(|a, b| a.1.total_cmp(&b.1)).unwrap();
            if at > second {
                return self.transfers.iter().map(|transfer| transfer.moved).collect();
            }
            let late = self.late();
            let now = self.start + Duration::from_secs_f64(at);
            self.transfers[next].run(&mut self.rate, at, now, late);
        }
    }
}

impl Transfer {
    fn run(&mut self, rate: &mut Rate, at: f64, now: Instant, late: f64) {
        if at >= self.ends {
            self.share = Share::default();
            self.wake = f64::INFINITY;
            return;
        }
        let most = match rate.available(&mut self.share, now) {
            Ok(most) => most as u64,
            Err(pause) => {
                self.wake = at + pause.as_secs_f64() + late;
                return;
            }
        };
        let takes = match self.peer {
            Peer::Fast => most,
            // What it has taken since the last time.
            Peer::Slow(speed) => most.min((speed * (at - self.last_moved)) as u64),
            Peer::Stalls(from, to) => {
                if (from..to).contains(&at) {
                    0
                } else {
                    most
                }
            }
            Peer::Files(size, _) => most.min(size - self.of_file),
        };
        // A turn has its budget.
        let count = takes.min(256 << 10);
        rate.take(&mut self.share, count);
        self.moved += count;
        if count > 0 {
            self.longest_silence = self.longest_silence.max(at - self.last_moved);
            self.last_moved = at;
        }
        self.wake = at + 50e-6;
        match self.peer {
            Peer::Files(size, pause) => {
                self.of_file += count;
                if self.of_file == size {
                    self.of_file = 0;
                    rate.rest(&mut self.share);
                    self.share = Share::default();
                    self.wake = at + pause + late;
                }
            }
            Peer::Slow(_) | Peer::Stalls(..) if takes < most => {
                rate.rest(&mut self.share);
                self.wake = at + 0.02 + late;
            }
            _ => {}
        }
    }
}

fn assert_equal(moved: &[u64], context: &str) {
    let mean = moved.iter().sum::<u64>() as f64 / moved.len() as f64;
    // A rate so low that a byte is a large part of it is no less fair.
    let within = (0.08 * mean).max(2.0);
    assert!(moved.iter().all(|moved| (*moved as f64 - mean).abs() <= within), "{context}: {moved:?}");
}

fn assert_total(moved: &[u64], per_second: u64, seconds: f64, context: &str) {
    let (total, wanted) = (moved.iter().sum::<u64>() as f64, per_second as f64 * seconds);
    let most = wanted + 0.5 * per_second as f64 + 2.0 * moved.len() as f64;
    assert!(total >= 0.95 * wanted - moved.len() as f64, "{context}: {total} of {wanted}");
    assert!(total <= most, "{context}: {total} of {wanted}");
}

#[test]
fn all_transfers_get_the_same() {
    // The first of a hundred needs longer to give back what it found.
    for (count, per_second, seconds) in [
        (2usize, 1000, 4.0),
        (2, 700_000, 4.0),
        (2, 50 << 20, 4.0),
        (3, 700_000, 4.0),
        (5, 1000, 4.0),
        (5, 700_000, 4.0),
        (8, 10_000, 4.0),
        (8, 10 << 20, 4.0),
        (100, 10_000, 60.0),
    ] {
        let fast = (0..count).map(|index| transfer(Peer::Fast, index as f64 * 1e-4, f64::INFINITY)).collect();
        let mut world = World::new(per_second, fast);
        let moved = world.until(seconds);
        let context = format!("{count} at {per_second}/s");
        assert_equal(&moved, &context);
        assert_total(&moved, per_second, seconds, &context);
        let silence = world.transfers.iter().map(|transfer| transfer.longest_silence).fold(0.0, f64::max);
        assert!(silence <= 0.35, "{context}: silent for {silence} s");
    }
}

#[test]
fn who_comes_later_gets_the_same_from_then_on() {
    let starts = [0.0, 0.01, 0.3, 1.0, 2.5];
    let transfers = starts.map(|starts| transfer(Peer::Fast, starts, f64::INFINITY));
    let mut world = World::new(700_000, transfers.into());
    let before = world.until(4.0);
    let after = world.until(8.0);
    let moved: Vec<u64> = after.iter().zip(before).map(|(after, before)| after - before).collect();
    assert_equal(&moved, "from the fourth second on");
    assert_total(&after, 700_000, 8.0, "in all");
}

#[test]
fn who_ends_leaves_its_part_to_the_others() {
    let mut transfers: Vec<Transfer> = (0..3).map(|_| transfer(Peer::Fast, 0.0, f64::INFINITY)).collect();
    transfers.push(transfer(Peer::Fast, 0.0, 1.0));
    let mut world = World::new(700_000, transfers);
    world.until(1.1);
    let before = world.until(1.1);
    let moved: Vec<u64> = world.until(5.1).iter().zip(before).map(|(after, before)| after - before).collect();
    assert_equal(&moved[..3], "three of four");
    assert_total(&moved[..3], 700_000, 4.0, "three of four");
    assert_eq!(moved[3], 0);
}

#[test]
fn who_does_not_read_holds_nothing_back() {
    let stalls = transfer(Peer::Stalls(1.0, 4.0), 0.0, f64::INFINITY);
    let mut world = World::new(700_000, vec![stalls, transfer(Peer::Fast, 0.0, 1e9), transfer(Peer::Fast, 0.0, 1e9)]);
    let before = world.until(1.0);
    let stalled = world.until(4.0);
    let after = world.until(8.0);
    let between = |to: &[u64], from: &[u64]| to.iter().zip(from).map(|(to, from)| to - from).collect::<Vec<u64>>();
    let (during, later) = (between(&stalled, &before), between(&after, &stalled));
    assert!(during[0] < 70_000, "{during:?}");
    assert_equal(&during[1..], "while one stalls");
    assert_total(&during[1..], 700_000, 3.0, "while one stalls");
    assert_equal(&later, "when it reads again");
    assert_total(&later, 700_000, 4.0, "when it reads again");
}

#[test]
fn what_a_slow_peer_leaves_is_shared() {
    let slow = transfer(Peer::Slow(50_000.0), 0.0, f64::INFINITY);
    let mut world = World::new(700_000, vec![slow, transfer(Peer::Fast, 0.0, 1e9), transfer(Peer::Fast, 0.0, 1e9)]);
    let moved = world.until(10.0);
    assert!((450_000..=510_000).contains(&moved[0]), "as fast as its peer: {moved:?}");
    assert_equal(&moved[1..], "the rest");
    assert_total(&moved, 700_000, 10.0, "with a slow peer");
}

#[test]
fn small_files_use_the_rate_up_beside_a_large_one() {
    for (size, pause) in [(5_000, 0.001), (100_000, 0.01), (300, 0.0001)] {
        let mut transfers: Vec<Transfer> = (0..3).map(|_| transfer(Peer::Files(size, pause), 0.0, 1e9)).collect();
        transfers.push(transfer(Peer::Fast, 0.0, 1e9));
        let mut world = World::new(700_000, transfers);
        let moved = world.until(10.0);
        assert_total(&moved, 700_000, 10.0, "small files");
        let least = moved.iter().min().unwrap();
        assert!(*least > 0, "{moved:?}");
    }
    // By themselves, with pauses shorter than what a rest saves.
    let mut world = World::new(700_000, vec![transfer(Peer::Files(70_000, 0.09), 0.0, 1e9)]);
    let moved = world.until(10.0);
    assert_total(&moved, 700_000, 10.0, "one after the other");
}

#[test]
fn nothing_piles_up_when_nobody_uses_the_rate_up() {
    let slow = |from: f64| Peer::Stalls(0.5, from);
    // All are held up, then all move: what they may take at once is bounded.
    let mut world = World::new(700_000, (0..4).map(|_| transfer(slow(9.0), 0.0, 1e9)).collect());
    let before = world.until(8.9);
    let moved: Vec<u64> = world.until(12.0).iter().zip(before).map(|(after, before)| after - before).collect();
    assert_equal(&moved, "after a rest of all");
    assert!(moved.iter().sum::<u64>() as f64 <= 700_000.0 * (3.0 + 0.55), "{moved:?}");
}
