//! The data ports: which of the configured range are free, which is next, and who may have it.
//!
//! It must not know sockets. It exists because port 0 is never bound: with many TIME_WAIT sockets the kernel's search
//! for a free port costs milliseconds per bind.
//!
//! Nobody may hold more ports than are free. One address alone gets half of the range, two get a third each, and whoever comes
//! next still finds some. An account with a password is bounded in the same way, from however many addresses it is used; the
//! guest is not, since it is many people.
//!
//! # Invariants
//! - A port of the range is either taken or once in the list.
//! - The port that was given back longest ago comes first, so that late packets of an old connection meet nobody.
//! - The counts of addresses and accounts equal the ports that they hold.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::net::IpAddr;

use muxftp_reactor::Key;
use rand::RngExt;

use crate::config::PortRange;
use crate::failures::counted;

/// The free list over a range of ports.
#[derive(Debug)]
pub(crate) struct DataPorts {
    range: PortRange,
    free: VecDeque<u16>,
    taken: HashMap<u16, Holder>,
    by_address: HashMap<IpAddr, usize>,
    by_account: HashMap<Key, usize>,
    /// What an address may hold instead of as many as are free.
    per_address_max: Option<usize>,
}

/// For whom a port is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Holder {
    address: IpAddr,
    account: Option<Key>,
}

impl Holder {
    /// A peer, and its account unless that is the guest's.
    pub(crate) fn new(address: IpAddr, account: Option<Key>) -> Holder {
        Holder { address: counted(address), account }
    }
}

impl DataPorts {
    /// All ports of `range` free, beginning at a random one: a restarted server does not meet the connections of the one
    /// before it, and a stranger cannot guess the next port from the time of the start.
    pub(crate) fn new(range: PortRange, per_address_max: Option<usize>) -> DataPorts {
        let mut free: VecDeque<u16> = range.iter().collect();
        free.rotate_left(rand::rng().random_range(0..free.len()));
        DataPorts {
            range,
            free,
            taken: HashMap::new(),
            by_address: HashMap::new(),
            by_account: HashMap::new(),
            per_address_max,
        }
    }

    /// The port that has been unused for longest; `None` when all are taken, or when this holder has its share.
    pub(crate) fn take(&mut self, holder: Holder) -> Option<u16> {
        if !self.may_take(holder) {
            return None;
        }
        let port = self.free.pop_front()?;
        self.taken.insert(port, holder);
        *self.by_address.entry(holder.address).or_default() += 1;
        if let Some(account) = holder.account {
            *self.by_account.entry(account).or_default() += 1;
        }
        Some(port)
    }

    /// Puts a taken port at the end of the list: after its use, or because it turned out that another program has it.
    ///
    /// A caller that skips ports in use tries at most [`DataPorts::free`] of them.
    pub(crate) fn give_back(&mut self, port: u16) {
        assert!(self.range.contains(port), "port {port} is not of the range {}", self.range);
        let holder = self.taken.remove(&port);
        let holder = holder.unwrap_or_else(|| panic!("port {port} was given back twice"));
        self.free.push_back(port);
        count_out(&mut self.by_address, holder.address);
        if let Some(account) = holder.account {
            count_out(&mut self.by_account, account);
        }
    }

    /// How many ports are free.
    pub(crate) fn free(&self) -> usize {
        self.free.len()
    }

    fn may_take(&self, holder: Holder) -> bool {
        let free = self.free.len();
        let of_address = self.by_address.get(&holder.address).copied().unwrap_or_default();
        let of_account = holder.account.and_then(|account| self.by_account.get(&account).copied()).unwrap_or_default();
        of_address < self.per_address_max.unwrap_or(free) && of_account < free
    }
}

fn count_out<K: Hash + Eq>(counts: &mut HashMap<K, usize>, key: K) {
    if let Some(count) = counts.get_mut(&key) {
        *count -= 1;
        if *count == 0 {
            counts.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use muxftp_reactor::Table;

    use super::*;

    /// Ports without a bound for each address.
    fn ports(first: u16, last: u16) -> DataPorts {
        DataPorts::new(PortRange::new(first, last).unwrap(), Some(usize::from(u16::MAX)))
    }

    /// Ports that are shared.
    fn shared(count: u16) -> DataPorts {
        DataPorts::new(PortRange::new(20000, 20000 + count - 1).unwrap(), None)
    }

    fn guest(last: u8) -> Holder {
        Holder::new(IpAddr::from([192, 0, 2, last]), None)
    }

    /// Takes all that the holder may have; gives how many these are.
    fn take_all(ports: &mut DataPorts, holder: Holder) -> usize {
        std::iter::from_fn(|| ports.take(holder)).count()
    }

    #[test]
    fn every_port_comes_once_and_then_none() {
        let mut ports = ports(20000, 20004);
        assert_eq!(ports.free(), 5);
        let mut taken: Vec<u16> = std::iter::from_fn(|| ports.take(guest(1))).collect();
        assert_eq!(ports.free(), 0);
        taken.sort_unstable();
        assert_eq!(taken, [20000, 20001, 20002, 20003, 20004]);
    }

    #[test]
    fn the_longest_unused_port_comes_first() {
        let mut ports = ports(20000, 20002);
        let order = [(); 3].map(|()| ports.take(guest(1)).unwrap());
        for port in [order[1], order[0], order[2]] {
            ports.give_back(port);
        }
        let again: Vec<u16> = std::iter::from_fn(|| ports.take(guest(1))).collect();
        assert_eq!(again, [order[1], order[0], order[2]]);
    }

    #[test]
    fn one_address_leaves_ports_for_the_others() {
        for (range, expected) in [
            (1, &[1, 0][..]),
            (2, &[1, 1, 0]),
            (8, &[4, 2, 1, 1, 0]),
            (200, &[100, 50, 25, 13]),
            (1001, &[501, 250, 125, 63, 31]),
        ] {
            let mut ports = shared(range);
            let taken: Vec<usize> = (1..=expected.len() as u8).map(|last| take_all(&mut ports, guest(last))).collect();
            assert_eq!(taken, expected, "of {range}");
        }
    }

    #[test]
    fn addresses_that_want_all_come_to_the_same_share() {
        let mut ports = shared(1000);
        let mut held: Vec<VecDeque<u16>> = vec![VecDeque::new(); 4];
        for round in 0..20_000 {
            let index = round % held.len();
            // Each gives one back and takes two, if it may.
            if let Some(port) = held[index].pop_front() {
                ports.give_back(port);
            }
            for _ in 0..2 {
                held[index].extend(ports.take(guest(index as u8)));
            }
        }
        let counts: Vec<usize> = held.iter().map(VecDeque::len).collect();
        assert!(counts.iter().all(|count| (190..=210).contains(count)), "a fifth each, and one is free: {counts:?}");
    }

    #[test]
    fn an_account_has_one_share_from_all_addresses_and_the_guest_has_none() {
        let mut table = Table::new();
        let (alice, bob) = (table.insert(()), table.insert(()));
        let of = |last: u8, account| Holder::new(IpAddr::from([192, 0, 2, last]), Some(account));
        let mut ports = shared(80);
        let by_alice: usize = (0..50).map(|last| take_all(&mut ports, of(last, alice))).sum();
        assert_eq!(by_alice, 40);
        assert_eq!(take_all(&mut ports, of(60, bob)), 20);
        let by_guests: usize = (100..200).map(|last| take_all(&mut ports, guest(last))).sum();
        assert_eq!((by_guests, ports.free()), (20, 0), "many people have what is left");
    }

    #[test]
    fn an_ipv6_network_is_one_address() {
        let mut ports = shared(8);
        let holder = |text: &str| Holder::new(text.parse().unwrap(), None);
        let taken: usize = (1..100).map(|n| take_all(&mut ports, holder(&format!("2001:db8::{n:x}")))).sum();
        assert_eq!(taken, 4);
        assert!(ports.take(holder("2001:db8:0:1::1")).is_some());
    }

    #[test]
    fn what_is_given_back_is_counted_out() {
        let mut ports = shared(8);
        let mut table = Table::new();
        let holder = Holder::new(IpAddr::from([192, 0, 2, 1]), Some(table.insert(())));
        for _ in 0..100 {
            let taken: Vec<u16> = std::iter::from_fn(|| ports.take(holder)).collect();
            assert_eq!(taken.len(), 4);
            taken.into_iter().for_each(|port| ports.give_back(port));
        }
        assert!(ports.taken.is_empty() && ports.by_address.is_empty() && ports.by_account.is_empty());
    }

    #[test]
    fn the_start_is_not_always_the_same() {
        let starts: std::collections::HashSet<u16> =
            (0..64).filter_map(|_| ports(20000, 21000).take(guest(1))).collect();
        assert!(starts.len() > 1, "64 lists over 1,001 ports all began at {starts:?}");
    }

    #[test]
    #[should_panic(expected = "given back twice")]
    fn a_port_given_back_twice_is_our_bug() {
        let mut ports = ports(20000, 20001);
        let port = ports.take(guest(1)).unwrap();
        ports.give_back(port);
        ports.give_back(port);
    }
}
