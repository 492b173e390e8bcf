//! Failed log-ins by address: what the next one costs, and whether the address is heard at all.
//!
//! It must not know sockets or clocks: time is an argument. An IPv6 peer has a whole /64 to itself and is counted by it.
//!
//! Invariant: at most [`limits::FAILING_ADDRESSES_MAX`] addresses are kept.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::time::{Duration, Instant};

use crate::config::Logins;
use crate::limits;

/// The failures of all addresses.
#[derive(Debug)]
pub(crate) struct Failures {
    policy: Logins,
    addresses: HashMap<IpAddr, Record>,
}

#[derive(Debug, Clone, Copy)]
struct Record {
    count: u32,
    last: Instant,
}

impl Failures {
    pub(crate) fn new(policy: Logins) -> Failures {
        Failures { policy, addresses: HashMap::new() }
    }

    /// Counts a failure; gives how long its answer is to be held back: twice as long each time, up to ten times the first.
    pub(crate) fn failed(&mut self, address: IpAddr, now: Instant) -> Duration {
        let key = counted(address);
        if self.addresses.len() >= limits::FAILING_ADDRESSES_MAX && !self.addresses.contains_key(&key) {
            self.make_room(now);
        }
        let window = self.policy.window;
        let record = self.addresses.entry(key).or_insert(Record { count: 0, last: now });
        if now.saturating_duration_since(record.last) > window {
            record.count = 0;
        }
        record.count += 1;
        record.last = now;
        let factor =
            1u32.checked_shl(record.count - 1).map_or(DELAY_FACTOR_MAX, |factor| factor.clamp(1, DELAY_FACTOR_MAX));
        self.policy.delay * factor
    }

    /// A right password: what came before were typing errors.
    pub(crate) fn succeeded(&mut self, address: IpAddr) {
        self.addresses.remove(&counted(address));
    }

    /// Whether nobody is let in from there at the moment, whatever the password.
    pub(crate) fn is_locked_out(&self, address: IpAddr, now: Instant) -> bool {
        self.addresses.get(&counted(address)).is_some_and(|record| {
            record.count >= self.policy.failures && now.saturating_duration_since(record.last) < self.policy.lock
        })
    }

    /// Forgets what no longer counts, or, when all of it does, what is oldest.
    fn make_room(&mut self, now: Instant) {
        let kept = self.policy.window.max(self.policy.lock);
        self.addresses.retain(|_, record| now.saturating_duration_since(record.last) < kept);
        if self.addresses.len() >= limits::FAILING_ADDRESSES_MAX
            && let Some(oldest) = self.addresses.iter().min_by_key(|(_, record)| record.last).map(|(key, _)| *key)
        {
            self.addresses.remove(&oldest);
        }
    }
}

fn counted(address: IpAddr) -> IpAddr {
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
        let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
        let policy = Logins { failures: 3, delay: Duration::from_secs(1), window: minutes(10), lock: minutes(15) };
        (Failures::new(policy), Instant::now())
    }

    #[test]
    fn each_failure_costs_twice_as_much_up_to_a_bound() {
        let (mut failures, now) = failures();
        let costs: Vec<u64> = (0..40).map(|_| failures.failed(address("192.0.2.1"), now).as_secs()).collect();
        assert_eq!(costs[..6], [1, 2, 4, 8, 10, 10]);
        assert_eq!(costs[39], 10);
    }

    #[test]
    fn an_address_is_locked_out_for_a_while() {
        let (mut failures, now) = failures();
        let (here, there) = (address("192.0.2.1"), address("192.0.2.2"));
        for _ in 0..2 {
            failures.failed(here, now);
            assert!(!failures.is_locked_out(here, now));
        }
        failures.failed(address("::ffff:192.0.2.1"), now);
        assert!(failures.is_locked_out(here, now) && !failures.is_locked_out(there, now));
        assert!(failures.is_locked_out(here, now + Duration::from_secs(15 * 60 - 1)));
        assert!(!failures.is_locked_out(here, now + Duration::from_secs(15 * 60)));
    }

    #[test]
    fn failures_of_long_ago_and_before_a_success_do_not_count() {
        let (mut failures, now) = failures();
        let here = address("2001:db8::1");
        failures.failed(here, now);
        failures.failed(here, now);
        assert_eq!(failures.failed(here, now + Duration::from_secs(601)).as_secs(), 1);
        failures.failed(here, now + Duration::from_secs(601));
        failures.succeeded(address("2001:db8::ffff"));
        assert_eq!(failures.failed(here, now + Duration::from_secs(602)).as_secs(), 1, "one /64 is one peer");
        assert!(failures.addresses.len() == 1);
    }

    #[test]
    fn no_more_than_so_many_addresses_are_kept() {
        let (mut failures, now) = failures();
        for n in 0..limits::FAILING_ADDRESSES_MAX as u32 + 100 {
            failures.failed(IpAddr::from(n.to_be_bytes()), now + Duration::from_millis(u64::from(n)));
        }
        assert_eq!(failures.addresses.len(), limits::FAILING_ADDRESSES_MAX);
        assert!(!failures.addresses.contains_key(&address("0.0.0.1")), "the oldest has gone");
    }
}
