//! The data ports that all sessions of a dialect share: which transfer waits at which port.
//!
//! A data connection that comes to such a port says only from which address it is. So at most one transfer of an address
//! waits at a port; the next of that address is held back until one is free. It must not know sockets or sessions.
//!
//! A connection that comes to a port belongs to the transfer whose client has been told this port, and to no other: a
//! port is first granted, and told when everything that had come to it before is dealt with.
//!
//! # Invariants
//! - Each port is taken by at most one session for each address of peers.
//! - A session is held back only while all ports that it may use are taken by one of its address.
//! - First asked, first served.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;

use muxftp_reactor::Key;

/// The ports, and which sessions use them.
#[derive(Debug, Default)]
pub(crate) struct SharedPorts {
    ports: Vec<(IpAddr, u16)>,
    /// Port (by index) and peer's address -> the session that has taken it.
    taken: HashMap<(usize, IpAddr), Taker>,
    /// Where a session waits, or that it is held back.
    places: HashMap<Key, Place>,
    /// Our address and the peer's -> sessions that are held back.
    held: HashMap<(IpAddr, IpAddr), VecDeque<Key>>,
    /// Sessions that have got a port, and have yet to be told which.
    granted: VecDeque<Key>,
}

#[derive(Debug, Clone, Copy)]
struct Taker {
    session: Key,
    /// The session's client knows the port: what comes to it now belongs to the session.
    is_told: bool,
}

#[derive(Debug, Clone, Copy)]
enum Place {
    Port { port: usize, local: IpAddr, peer: IpAddr },
    Held { local: IpAddr, peer: IpAddr },
}

impl SharedPorts {
    /// Adds a port that listens on `address`; gives its index.
    pub(crate) fn add(&mut self, address: IpAddr, port: u16) -> usize {
        self.ports.push((address, port));
        self.ports.len() - 1
    }

    /// A transfer of `session` wants a connection from `peer` to our address `local`. Its port comes by
    /// [`SharedPorts::grant`]: soon, or when one is free for its address.
    pub(crate) fn ask(&mut self, session: Key, local: IpAddr, peer: IpAddr) {
        let (local, peer) = (local.to_canonical(), peer.to_canonical());
        if !self.place(session, local, peer) {
            self.places.insert(session, Place::Held { local, peer });
            self.held.entry((local, peer)).or_default().push_back(session);
        }
    }

    /// A connection from `peer` has come to the port: the session that it belongs to.
    pub(crate) fn connected(&mut self, port: usize, peer: IpAddr) -> Option<Key> {
        let taker = self.taken.get(&(port, peer.to_canonical())).filter(|taker| taker.is_told)?;
        let session = taker.session;
        self.give_up(session);
        Some(session)
    }

    /// The session wants no connection any more.
    pub(crate) fn give_up(&mut self, session: Key) {
        self.granted.retain(|granted| *granted != session);
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
            Some(Place::Port { port, local, peer }) => {
                self.taken.remove(&(port, peer));
                self.grant_next(local, peer);
            }
        }
    }

    /// The port (by index) that is to be told next. Connections that have come to it so far are to be taken off it before
    /// [`SharedPorts::grant`]: they belong to others, or to nobody.
    pub(crate) fn next_port(&self) -> Option<usize> {
        self.granted.front().and_then(|session| self.port_of(*session))
    }

    /// The session that is told this port now, and its number; `None`: another one is to be told next.
    pub(crate) fn grant(&mut self, port: usize) -> Option<(Key, u16)> {
        let session = *self.granted.front().filter(|session| self.port_of(**session) == Some(port))?;
        self.granted.pop_front();
        let Some(Place::Port { peer, .. }) = self.places.get(&session) else { return None };
        let taker = self.taken.get_mut(&(port, *peer))?;
        taker.is_told = true;
        Some((session, self.ports[port].1))
    }

    fn port_of(&self, session: Key) -> Option<usize> {
        match self.places.get(&session) {
            Some(Place::Port { port, .. }) => Some(*port),
            Some(Place::Held { .. }) | None => None,
        }
    }

    fn grant_next(&mut self, local: IpAddr, peer: IpAddr) {
        let Some(queue) = self.held.get_mut(&(local, peer)) else { return };
        let next = queue.pop_front();
        if queue.is_empty() {
            self.held.remove(&(local, peer));
        }
        if let Some(session) = next {
            let has_port = self.place(session, local, peer);
            debug_assert!(has_port, "one has just become free");
        }
    }

    /// Takes a free port for a session, if there is one.
    fn place(&mut self, session: Key, local: IpAddr, peer: IpAddr) -> bool {
        let usable = |address: IpAddr| address == local || address.is_unspecified();
        let free =
            (0..self.ports.len()).find(|port| usable(self.ports[*port].0) && !self.taken.contains_key(&(*port, peer)));
        let Some(port) = free else { return false };
        self.taken.insert((port, peer), Taker { session, is_told: false });
        self.places.insert(session, Place::Port { port, local, peer });
        self.granted.push_back(session);
        true
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

    /// The session that is told next, and its port.
    fn told(shared: &mut SharedPorts) -> Option<(Key, u16)> {
        let port = shared.next_port()?;
        shared.grant(port)
    }

    #[test]
    fn two_of_one_address_wait_one_after_the_other() {
        let (mut shared, keys) = (with_ports(&[5002]), keys(3));
        shared.ask(keys[0], HERE, peer(1));
        shared.ask(keys[1], HERE, peer(1));
        shared.ask(keys[2], HERE, peer(2));
        assert_eq!(told(&mut shared), Some((keys[0], 5002)));
        assert_eq!(told(&mut shared), Some((keys[2], 5002)), "another address waits beside it");
        assert_eq!(told(&mut shared), None);
        assert_eq!(shared.connected(0, peer(1)), Some(keys[0]));
        assert_eq!(told(&mut shared), Some((keys[1], 5002)));
        assert_eq!(shared.connected(0, peer(1)), Some(keys[1]));
        assert_eq!(shared.connected(0, peer(1)), None, "nobody of this address waits");
        assert_eq!(shared.connected(0, peer(2)), Some(keys[2]));
    }

    #[test]
    fn a_connection_that_comes_before_the_port_was_told_belongs_to_nobody() {
        let (mut shared, keys) = (with_ports(&[5002]), keys(2));
        shared.ask(keys[0], HERE, peer(1));
        assert_eq!(shared.connected(0, peer(1)), None, "granted, and not told");
        assert_eq!(told(&mut shared), Some((keys[0], 5002)));
        shared.ask(keys[1], HERE, peer(1));
        assert_eq!(shared.connected(0, peer(1)), Some(keys[0]));
        assert_eq!(shared.connected(0, peer(1)), None, "the one that was held back has been told nothing");
        assert_eq!(told(&mut shared), Some((keys[1], 5002)), "and still gets its turn");
        assert_eq!(shared.connected(0, peer(1)), Some(keys[1]));
        assert!(shared.taken.is_empty() && shared.places.is_empty() && shared.granted.is_empty());
    }

    #[test]
    fn several_ports_serve_as_many_of_one_address() {
        let (mut shared, keys) = (with_ports(&[5002, 5003]), keys(3));
        for key in &keys {
            shared.ask(*key, HERE, peer(1));
        }
        assert_eq!(told(&mut shared), Some((keys[0], 5002)));
        assert_eq!(told(&mut shared), Some((keys[1], 5003)));
        assert_eq!(told(&mut shared), None);
        assert_eq!(shared.connected(1, peer(1)), Some(keys[1]), "by its port");
        assert_eq!(told(&mut shared), Some((keys[2], 5003)));
    }

    #[test]
    fn who_gives_up_makes_room_wherever_it_was() {
        let (mut shared, keys) = (with_ports(&[5002]), keys(4));
        for key in &keys {
            shared.ask(*key, HERE, peer(1));
        }
        shared.give_up(keys[1]);
        shared.give_up(keys[0]);
        assert_eq!(told(&mut shared), Some((keys[2], 5002)), "the held one that gave up is passed over");
        shared.give_up(keys[2]);
        shared.give_up(keys[3]);
        assert_eq!(told(&mut shared), None, "granted, but given up before it was told");
        assert!(shared.taken.is_empty() && shared.places.is_empty() && shared.held.is_empty());
    }

    #[test]
    fn a_grant_is_for_the_port_that_was_looked_at() {
        let (mut shared, keys) = (with_ports(&[5002, 5003]), keys(2));
        shared.ask(keys[0], HERE, peer(1));
        shared.ask(keys[1], HERE, peer(1));
        let looked_at = shared.next_port().unwrap();
        // What was taken off the port meanwhile has made the first session give up.
        shared.give_up(keys[0]);
        assert_eq!(shared.grant(looked_at), None);
        assert_eq!(told(&mut shared), Some((keys[1], 5003)));
    }

    #[test]
    fn a_port_of_another_of_our_addresses_is_not_named() {
        let mut shared = SharedPorts::default();
        shared.add(IpAddr::from([127, 0, 0, 9]), 5002);
        let keys = keys(2);
        shared.ask(keys[0], HERE, peer(1));
        assert_eq!(told(&mut shared), None);
        shared.add(IpAddr::from([0, 0, 0, 0]), 5003);
        shared.ask(keys[1], HERE, peer(1));
        assert_eq!(told(&mut shared), Some((keys[1], 5003)));
    }
}
