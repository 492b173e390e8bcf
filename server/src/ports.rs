//! The data ports: which of the configured range are free, and which is next.
//!
//! It must not know sockets. It exists because port 0 is never bound: with many TIME_WAIT sockets the kernel's search
//! for a free port costs milliseconds per bind.
//!
//! Invariants:
//! - a port of the range is either taken or once in the list;
//! - the port that was given back longest ago comes first, so that late packets of an old connection meet nobody.

use std::collections::VecDeque;

use rand::RngExt;

use crate::config::PortRange;

/// The free list over a range of ports.
#[derive(Debug)]
pub struct DataPorts {
    range: PortRange,
    free: VecDeque<u16>,
    /// By offset in the range: whether somebody has the port.
    taken: Vec<bool>,
}

impl DataPorts {
    /// All ports of `range` free, beginning at a random one: a restarted server does not meet the connections of the one
    /// before it, and a stranger cannot guess the next port from the time of the start.
    pub fn new(range: PortRange) -> DataPorts {
        let mut free: VecDeque<u16> = range.iter().collect();
        free.rotate_left(rand::rng().random_range(0..free.len()));
        DataPorts { taken: vec![false; free.len()], range, free }
    }

    /// The port that has been unused for longest; `None` when all are taken.
    pub fn take(&mut self) -> Option<u16> {
        let port = self.free.pop_front()?;
        let slot = self.slot(port);
        self.taken[slot] = true;
        Some(port)
    }

    /// Puts a taken port at the end of the list: after its use, or because it turned out that another program has it.
    ///
    /// A caller that skips ports in use tries at most [`DataPorts::free`] of them.
    pub fn give_back(&mut self, port: u16) {
        let slot = self.slot(port);
        assert!(self.taken[slot], "port {port} was given back twice");
        self.taken[slot] = false;
        self.free.push_back(port);
    }

    /// How many ports are free.
    pub fn free(&self) -> usize {
        self.free.len()
    }

    fn slot(&self, port: u16) -> usize {
        assert!(self.range.contains(port), "port {port} is not of the range {}", self.range);
        usize::from(port - self.range.first())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ports(first: u16, last: u16) -> DataPorts {
        DataPorts::new(PortRange::new(first, last).unwrap())
    }

    #[test]
    fn every_port_comes_once_and_then_none() {
        let mut ports = ports(20000, 20004);
        assert_eq!(ports.free(), 5);
        let mut taken: Vec<u16> = std::iter::from_fn(|| ports.take()).collect();
        assert_eq!(ports.free(), 0);
        taken.sort_unstable();
        assert_eq!(taken, [20000, 20001, 20002, 20003, 20004]);
    }

    #[test]
    fn the_longest_unused_port_comes_first() {
        let mut ports = ports(20000, 20002);
        let order = [ports.take().unwrap(), ports.take().unwrap(), ports.take().unwrap()];
        for port in [order[1], order[0], order[2]] {
            ports.give_back(port);
        }
        let again: Vec<u16> = std::iter::from_fn(|| ports.take()).collect();
        assert_eq!(again, [order[1], order[0], order[2]]);
    }

    #[test]
    fn the_start_is_not_always_the_same() {
        let starts: std::collections::HashSet<u16> = (0..64).filter_map(|_| ports(20000, 21000).take()).collect();
        assert!(starts.len() > 1, "64 lists over 1,001 ports all began at {starts:?}");
    }

    #[test]
    #[should_panic(expected = "given back twice")]
    fn a_port_given_back_twice_is_our_bug() {
        let mut ports = ports(20000, 20001);
        let port = ports.take().unwrap();
        ports.give_back(port);
        ports.give_back(port);
    }
}
