//! Failed logins by address: how long the answer to the next one is held back, and whether the address is locked out.
//!
//! It must not know sockets or clocks: time is an argument. An IPv6 peer has a whole /64 to itself and is counted by it.
//!
//! # Invariants
//! - A wrong name and password count once within the window, however often a client repeats them.
//! - A success forgets the failures of its own name only: an account of one's own buys no guesses at others.
//! - No password is kept, only keyed hashes; the key is random and never leaves the process.
//! - At most [`limits::FAILING_ADDRESSES_MAX`] addresses and [`limits::FAILURES_KEPT_MAX`] guesses of each are kept.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::net::{IpAddr, Ipv6Addr};
use std::time::{Duration, Instant};

use crate::config::Logins;
use crate::limits;

/// The failures of all addresses.
#[derive(Debug)]
pub(crate) struct Failures {
    policy: Logins,
    addresses: HashMap<IpAddr, Record>,
    key: RandomState,
}

/// A name and a password that were tried, as keyed hashes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Guess {
    name: u64,
    pair: u64,
}

#[derive(Debug)]
struct Record {
    /// Different guesses.
    guesses: Vec<Guess>,
    /// Guesses for which there was no room.
    beyond: u32,
    /// When the last of them was made.
    last_guess: Instant,
    /// All failures, repetitions too: they decide how long the next answer is held back.
    failures: u32,
    last_failure: Instant,
}

impl Failures {
    pub(crate) fn new(policy: Logins) -> Failures {
        Failures { policy, addresses: HashMap::new(), key: RandomState::new() }
    }

    /// What [`Failures::failed`] and [`Failures::succeeded`] need to know of a name and a password.
    pub(crate) fn guess(&self, name: &[u8], password: &[u8]) -> Guess {
        Guess { name: self.key.hash_one(name), pair: self.key.hash_one((name, password)) }
    }

    /// Counts a failure; gives how long its answer is to be held back: twice as long each time, up to ten times the first.
    pub(crate) fn failed(&mut self, address: IpAddr, guess: Guess, now: Instant) -> Duration {
        if self.is_exempt(address) {
            return Duration::ZERO;
        }
        let key = counted(address);
        if self.addresses.len() >= limits::FAILING_ADDRESSES_MAX && !self.addresses.contains_key(&key) {
            self.make_room(now);
        }
        let record = self.addresses.entry(key).or_insert_with(|| Record::new(now));
        record.count(guess, self.policy.window, now);
        let factor = 1u32.checked_shl(record.failures.saturating_sub(1)).unwrap_or(DELAY_FACTOR_MAX);
        self.policy.delay * factor.clamp(1, DELAY_FACTOR_MAX)
    }

    /// A right password: what came before with this name were typing errors.
    pub(crate) fn succeeded(&mut self, address: IpAddr, guess: Guess) {
        let key = counted(address);
        let Some(record) = self.addresses.get_mut(&key) else { return };
        record.guesses.retain(|kept| kept.name != guess.name);
        record.failures = record.failures.min(record.guesses());
        if record.guesses() == 0 {
            self.addresses.remove(&key);
        }
    }

    /// Whether nobody is let in from there at the moment, whatever the password.
    pub(crate) fn is_locked_out(&self, address: IpAddr, now: Instant) -> bool {
        !self.addresses.is_empty()
            && self.addresses.get(&counted(address)).is_some_and(|record| {
                record.guesses() >= self.policy.failures
                    && now.saturating_duration_since(record.last_guess) < self.policy.lock
            })
    }

    /// Whether failures from there are remembered.
    pub(crate) fn is_suspect(&self, address: IpAddr) -> bool {
        self.addresses.contains_key(&counted(address))
    }

    fn is_exempt(&self, address: IpAddr) -> bool {
        self.policy.exempt.iter().any(|range| range.contains(address))
    }

    /// Forgets what no longer counts, or, when all of it does, what is oldest.
    fn make_room(&mut self, now: Instant) {
        let kept = self.policy.window.max(self.policy.lock);
        self.addresses.retain(|_, record| now.saturating_duration_since(record.last_failure) < kept);
        if self.addresses.len() >= limits::FAILING_ADDRESSES_MAX
            && let Some(oldest) =
                self.addresses.iter().min_by_key(|(_, record)| record.last_failure).map(|(key, _)| *key)
        {
            self.addresses.remove(&oldest);
        }
    }
}

impl Record {
    fn new(now: Instant) -> Record {
        Record { guesses: Vec::new(), beyond: 0, last_guess: now, failures: 0, last_failure: now }
    }

    /// A repetition does not move `last_guess`: one forgetful client would keep the failures of all others alive.
    fn count(&mut self, guess: Guess, window: Duration, now: Instant) {
        if now.saturating_duration_since(self.last_failure) > window {
            self.failures = 0;
        }
        self.failures = self.failures.saturating_add(1);
        self.last_failure = now;
        if now.saturating_duration_since(self.last_guess) > window {
            self.guesses.clear();
            self.beyond = 0;
        }
        if self.guesses.contains(&guess) {
            return;
        }
        self.last_guess = now;
        match self.guesses.len() < limits::FAILURES_KEPT_MAX {
            true => self.guesses.push(guess),
            false => self.beyond = self.beyond.saturating_add(1),
        }
    }

    fn guesses(&self) -> u32 {
        (self.guesses.len() as u32).saturating_add(self.beyond)
    }
}

/// The address by which a peer is counted: its IPv4 address, or the /64 that one IPv6 peer has to itself.
pub(crate) fn counted(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX))),
        v4 => v4,
    }
}

const DELAY_FACTOR_MAX: u32 = 10;

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn failures() -> (Failures, Instant) {
        failures_with(&[])
    }

    fn failures_with(exempt: &[&str]) -> (Failures, Instant) {
        let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
        let exempt = exempt.iter().map(|range| range.parse().unwrap()).collect();
        let policy =
            Logins { failures: 3, delay: Duration::from_secs(1), window: minutes(10), lock: minutes(15), exempt };
        (Failures::new(policy), Instant::now())
    }

    /// A failure of this name and password.
    fn fail(failures: &mut Failures, from: &str, name: &str, password: &str, now: Instant) -> u64 {
        let guess = failures.guess(name.as_bytes(), password.as_bytes());
        failures.failed(address(from), guess, now).as_secs()
    }

    fn succeed(failures: &mut Failures, from: &str, name: &str) {
        let guess = failures.guess(name.as_bytes(), b"right");
        failures.succeeded(address(from), guess);
    }

    const HERE: &str = "192.0.2.1";

    #[test]
    fn each_failure_is_answered_later_up_to_a_bound() {
        for passwords in [40, 1] {
            let (mut failures, now) = failures();
            let mut delay = |n: u32| fail(&mut failures, HERE, "bob", &(n % passwords).to_string(), now);
            let delays: Vec<u64> = (0..40).map(&mut delay).collect();
            assert_eq!(delays[..6], [1, 2, 4, 8, 10, 10], "{passwords} different passwords");
            assert_eq!(delays[39], 10);
        }
    }

    #[test]
    fn an_address_is_locked_out_for_a_while() {
        let (mut failures, now) = failures();
        let locked = |failures: &Failures, from: &str, seconds| {
            failures.is_locked_out(address(from), now + Duration::from_secs(seconds))
        };
        for password in ["1", "2"] {
            fail(&mut failures, HERE, "bob", password, now);
            assert!(!locked(&failures, HERE, 0));
        }
        fail(&mut failures, "::ffff:192.0.2.1", "bob", "3", now);
        assert!(locked(&failures, HERE, 0) && !locked(&failures, "192.0.2.2", 0));
        assert!(locked(&failures, HERE, 15 * 60 - 1));
        assert!(!locked(&failures, HERE, 15 * 60));
    }

    #[test]
    fn the_same_wrong_pair_counts_once() {
        let (mut failures, now) = failures();
        for second in 0..500 {
            fail(&mut failures, HERE, "cam", "old", now + Duration::from_secs(second));
        }
        let later = now + Duration::from_secs(500);
        assert!(!failures.is_locked_out(address(HERE), later));
        fail(&mut failures, HERE, "cam", "older", later);
        assert!(!failures.is_locked_out(address(HERE), later));
        fail(&mut failures, HERE, "dan", "old", later);
        assert!(failures.is_locked_out(address(HERE), later), "two passwords of one name and one of another");
    }

    #[test]
    fn a_repeated_failure_keeps_no_others_alive() {
        let (mut failures, now) = failures();
        let at = |minute: u64| now + Duration::from_secs(60 * minute);
        for minute in 0..200 {
            fail(&mut failures, HERE, "cam", "old", at(minute));
            // Typing errors of others at the same address, far between.
            if minute % 60 == 30 {
                fail(&mut failures, HERE, "dan", &minute.to_string(), at(minute));
            }
            assert!(!failures.is_locked_out(address(HERE), at(minute)), "minute {minute}");
        }
    }

    #[test]
    fn a_success_forgets_only_the_failures_of_its_own_name() {
        let (mut failures, now) = failures();
        for round in 0..3 {
            fail(&mut failures, HERE, "victim", &round.to_string(), now);
            fail(&mut failures, HERE, "mallory", "typo", now);
            assert_eq!(failures.is_locked_out(address(HERE), now), round >= 1, "round {round}");
            succeed(&mut failures, HERE, "mallory");
        }
        assert!(failures.is_locked_out(address(HERE), now), "three guesses at the victim are left");
    }

    #[test]
    fn failures_of_long_ago_and_before_a_success_do_not_count() {
        let (mut failures, now) = failures();
        let here = "2001:db8::1";
        let later = now + Duration::from_secs(601);
        fail(&mut failures, here, "bob", "1", now);
        fail(&mut failures, here, "bob", "2", now);
        assert_eq!(fail(&mut failures, here, "bob", "3", later), 1);
        fail(&mut failures, here, "bob", "4", later);
        assert!(failures.is_suspect(address(here)));
        succeed(&mut failures, "2001:db8::ffff", "bob");
        assert!(!failures.is_suspect(address(here)));
        assert_eq!(fail(&mut failures, here, "bob", "5", later), 1, "one /64 is one peer");
        assert!(failures.addresses.len() == 1);
    }

    #[test]
    fn an_exempt_address_is_neither_locked_out_nor_delayed() {
        let (mut failures, now) = failures_with(&["127.0.0.0/8", "2001:db8::/32"]);
        for n in 0..100 {
            for from in ["127.0.0.1", "::ffff:127.1.2.3", "2001:db8::7"] {
                assert_eq!(fail(&mut failures, from, "bob", &n.to_string(), now), 0);
                assert!(!failures.is_locked_out(address(from), now));
            }
        }
        assert!(failures.addresses.is_empty());
        assert_eq!(fail(&mut failures, HERE, "bob", "1", now), 1, "others are not exempt");
    }

    #[test]
    fn no_more_than_so_many_addresses_and_guesses_are_kept() {
        let (mut failures, now) = failures();
        for n in 0..limits::FAILING_ADDRESSES_MAX as u32 + 100 {
            let guess = failures.guess(b"bob", b"1");
            failures.failed(IpAddr::from(n.to_be_bytes()), guess, now + Duration::from_millis(u64::from(n)));
        }
        assert_eq!(failures.addresses.len(), limits::FAILING_ADDRESSES_MAX);
        assert!(!failures.addresses.contains_key(&address("0.0.0.1")), "the oldest has gone");

        failures.policy.failures = limits::FAILURES_KEPT_MAX as u32 + 50;
        for n in 0..failures.policy.failures {
            assert!(!failures.is_locked_out(address(HERE), now), "{n}");
            fail(&mut failures, HERE, "bob", &n.to_string(), now);
        }
        assert_eq!(failures.addresses[&address(HERE)].guesses.len(), limits::FAILURES_KEPT_MAX);
        assert!(failures.is_locked_out(address(HERE), now), "those for which there was no room count too");
    }
}
