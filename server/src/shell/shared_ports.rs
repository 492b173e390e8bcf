//! The data ports that all sessions of a dialect share: which transfer waits at which port.
//!
//! A data connection that comes to such a port says only from which address it is. So at most one transfer of an address
//! waits at a port; the next of that address is held back until one is free. It must not know sockets or sessions.
//!
//! # Invariants
//! - At each port there waits at most one session for each address of peers.
//! - A session is held back only while all ports that it may use have one of its address.
//! - First asked, first served.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;

use muxftp_reactor::Key;

/// The ports, and who waits at them.
#[derive(Debug, Default)]
pub(crate) struct SharedPorts {
    ports: Vec<(IpAddr, u16)>,
    /// Port (by index) and peer's address -> the session that waits.
    waiting: HashMap<(usize, IpAddr), Key>,
    /// Where a session waits, or that it is held back.
    places: HashMap<Key, Place>,
    /// Our address and the peer's -> sessions that are held back.
    held: HashMap<(IpAddr, IpAddr), VecDeque<Key>>,
    /// Held sessions that have got their port meanwhile, and have yet to be told.
    granted: VecDeque<(Key, u16)>,
}

#[derive(Debug, Clone, Copy)]
enum Place {
    Waiting { port: usize, local: IpAddr, peer: IpAddr },
    Held { local: IpAddr, peer: IpAddr },
}

impl SharedPorts {
    /// Adds a port that listens on `address`; gives its index.
    pub(crate) fn add(&mut self, address: IpAddr, port: u16) -> usize {
        self.ports.push((address, port));
        self.ports.len() - 1
    }

    /// A transfer of `session` wants a connection from `peer` to our address `local`: the port to name, or `None` when it
    /// is held back; then it comes by [`SharedPorts::next_granted`].
    pub(crate) fn ask(&mut self, session: Key, local: IpAddr, peer: IpAddr) -> Option<u16> {
        let (local, peer) = (local.to_canonical(), peer.to_canonical());
        let port = self.place(session, local, peer);
        if port.is_none() {
            self.places.insert(session, Place::Held { local, peer });
            self.held.entry((local, peer)).or_default().push_back(session);
        }
        port
    }

    /// A connection from `peer` has come to the port: the session that it belongs to.
    pub(crate) fn connected(&mut self, port: usize, peer: IpAddr) -> Option<Key> {
        let session = *self.waiting.get(&(port, peer.to_canonical()))?;
        self.give_up(session);
        Some(session)
    }

    /// The session wants no connection any more.
    pub(crate) fn give_up(&mut self, session: Key) {
        self.granted.retain(|(granted, _)| *granted != session);
        match self.places.remove(&session) {
            None => {}
            Some(Place::Held { local, peer }) => {
                if let Some(queue) = self.held.get_mut(&(local, peer)) {
                    queue.retain(|held| *held != session);
                    if queue.is_empty() {
                        self.held.remove(&(local, peer));
                    }
                }
            }
            Some(Place::Waiting { port, local, peer }) => {
                self.waiting.remove(&(port, peer));
                self.grant_next(local, peer);
            }
        }
    }

    /// A session that was held back, and the port that it is to be told, once each.
    pub(crate) fn next_granted(&mut self) -> Option<(Key, u16)> {
        self.granted.pop_front()
    }

    fn grant_next(&mut self, local: IpAddr, peer: IpAddr) {
        let Some(queue) = self.held.get_mut(&(local, peer)) else { return };
        let next = queue.pop_front();
        if queue.is_empty() {
            self.held.remove(&(local, peer));
        }
        if let Some(session) = next
            && let Some(port) = self.place(session, local, peer)
        {
            self.granted.push_back((session, port));
        }
    }

    fn place(&mut self, session: Key, local: IpAddr, peer: IpAddr) -> Option<u16> {
        let usable = |address: IpAddr| address == local || address.is_unspecified();
        let free = (0..self.ports.len())
            .find(|port| usable(self.ports[*port].0) && !self.waiting.contains_key(&(*port, peer)))?;
        self.waiting.insert((free, peer), session);
        self.places.insert(session, Place::Waiting { port: free, local, peer });
        Some(self.ports[free].1)
    }
}

#[cfg(test)]
mod tests {
    use muxftp_reactor::Table;

    use super::*;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    fn peer(last: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, last])
    }

    fn keys(count: usize) -> Vec<Key> {
        let mut table = Table::new();
        (0..count).map(|_| table.insert(())).collect()
    }

    fn with_ports(ports: &[u16]) -> SharedPorts {
        let mut shared = SharedPorts::default();
        for port in ports {
            shared.add(HERE, *port);
        }
        shared
    }

    #[test]
    fn two_of_one_address_wait_one_after_the_other() {
        let (mut shared, keys) = (with_ports(&[5002]), keys(3));
        assert_eq!(shared.ask(keys[0], HERE, peer(1)), Some(5002));
        assert_eq!(shared.ask(keys[1], HERE, peer(1)), None);
        assert_eq!(shared.ask(keys[2], HERE, peer(2)), Some(5002), "another address waits beside it");
        assert_eq!(shared.next_granted(), None);
        assert_eq!(shared.connected(0, peer(1)), Some(keys[0]));
        assert_eq!(shared.next_granted(), Some((keys[1], 5002)));
        assert_eq!(shared.connected(0, peer(1)), Some(keys[1]));
        assert_eq!(shared.connected(0, peer(1)), None, "nobody of this address waits");
        assert_eq!(shared.connected(0, peer(2)), Some(keys[2]));
    }

    #[test]
    fn several_ports_serve_as_many_of_one_address() {
        let (mut shared, keys) = (with_ports(&[5002, 5003]), keys(3));
        assert_eq!(shared.ask(keys[0], HERE, peer(1)), Some(5002));
        assert_eq!(shared.ask(keys[1], HERE, peer(1)), Some(5003));
        assert_eq!(shared.ask(keys[2], HERE, peer(1)), None);
        assert_eq!(shared.connected(1, peer(1)), Some(keys[1]), "by its port");
        assert_eq!(shared.next_granted(), Some((keys[2], 5003)));
    }

    #[test]
    fn who_gives_up_makes_room_wherever_it_was() {
        let (mut shared, keys) = (with_ports(&[5002]), keys(4));
        for key in &keys {
            shared.ask(*key, HERE, peer(1));
        }
        shared.give_up(keys[1]);
        shared.give_up(keys[0]);
        assert_eq!(shared.next_granted(), Some((keys[2], 5002)), "the held one that gave up is passed over");
        shared.give_up(keys[2]);
        shared.give_up(keys[3]);
        assert_eq!(shared.next_granted(), None, "granted, but given up before it was told");
        assert!(shared.waiting.is_empty() && shared.places.is_empty() && shared.held.is_empty());
    }

    #[test]
    fn a_port_of_another_of_our_addresses_is_not_named() {
        let mut shared = SharedPorts::default();
        shared.add(IpAddr::from([127, 0, 0, 9]), 5002);
        let keys = keys(2);
        assert_eq!(shared.ask(keys[0], HERE, peer(1)), None);
        shared.add(IpAddr::from([0, 0, 0, 0]), 5003);
        assert_eq!(shared.ask(keys[1], HERE, peer(1)), Some(5003));
    }
}
