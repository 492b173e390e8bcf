//! A process short of descriptors: peers are answered or wait, the loop does not spin, and a
//! loop that ends gives all of its descriptors back.
//!
//! The only test of its file: it lowers a limit of the whole process.

#![allow(clippy::unwrap_used, reason = "clippy.toml allows it in test functions, but not in their helpers")]

use std::fs::File;
use std::io::Read;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

use muxftp_reactor::listen::{Accept, PAUSE, Reserve, accept, listen_tcp};
use muxftp_reactor::{Again, Clock, Handler, Key, Reactor, Readiness};
use rustix::process::{Resource, Rlimit, Signal, getrlimit, setrlimit};

const FAREWELL: &[u8] = b"too many connections\r\n";

/// Accepts one connection per turn; gives two descriptors back when its pause is over.
struct Doorman {
    listener: mio::net::TcpListener,
    reserve: Reserve,
    fillers: Vec<File>,
    attempts: u32,
    drained: u32,
    pauses: u32,
    turned_away: Vec<SocketAddr>,
    accepted: Option<mio::net::TcpStream>,
}

impl Handler<()> for Doorman {
    fn ready(&mut self, rx: &mut Reactor<()>, key: Key, (): (), _: Readiness) -> Again {
        self.attempts += 1;
        match accept(&self.listener, &mut self.reserve, FAREWELL).unwrap() {
            Accept::Stream(stream, _) => self.accepted = Some(stream),
            Accept::TurnedAway(peer) => self.turned_away.push(peer),
            Accept::Lost => {}
            Accept::Drained => {
                self.drained += 1;
                return Again::No;
            }
            Accept::Pause(_) => {
                self.pauses += 1;
                rx.arm(key, Some(rx.now() + PAUSE));
                return Again::No;
            }
        }
        Again::Yes
    }

    fn timeout(&mut self, rx: &mut Reactor<()>, key: Key, (): ()) {
        self.fillers.truncate(self.fillers.len() - 2);
        rx.queue(key);
    }
}

/// A client's socket, made while there are descriptors, to be connected when there are none.
fn client() -> socket2::Socket {
    socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap()
}

fn fill(fillers: &mut Vec<File>) {
    while let Ok(file) = File::open("/dev/null") {
        fillers.push(file);
    }
}

#[test]
fn a_shortage_of_descriptors_is_answered_and_never_spins() {
    let hard = getrlimit(Resource::Nofile).maximum;
    let few = Rlimit { current: Some(64), maximum: hard };
    setrlimit(Resource::Nofile, few).unwrap();

    loops_come_and_go();

    let mut reactor = Reactor::new(Clock::Poll).unwrap();
    let mut listener = listen_tcp((Ipv4Addr::LOCALHOST, 0).into(), 16).unwrap();
    let address = listener.local_addr().unwrap();
    reactor.register(&mut listener, ()).unwrap();
    let mut doorman = Doorman {
        listener,
        reserve: Reserve::new(),
        fillers: Vec::new(),
        attempts: 0,
        drained: 0,
        pauses: 0,
        turned_away: Vec::new(),
        accepted: None,
    };

    let clients = [client(), client(), client()];
    for client in clients {
        // Also what the client before has given back.
        fill(&mut doorman.fillers);
        client.connect(&address.into()).unwrap();
        let mut client = TcpStream::from(client);
        while doorman.turned_away.last() != Some(&client.local_addr().unwrap()) {
            reactor.turn(&mut doorman, None).unwrap();
        }
        let mut heard = Vec::new();
        client.read_to_end(&mut heard).unwrap();
        assert_eq!(heard, FAREWELL);
    }
    // Nobody waits now: that is found out with no descriptor left, and without a pause.
    fill(&mut doorman.fillers);
    reactor.turn(&mut doorman, Some(Duration::ZERO)).unwrap();
    assert_eq!((doorman.drained, doorman.pauses), (1, 0));

    // Now the reserve is gone too: the peer waits, and the loop waits with it.
    doorman.fillers.pop();
    let late = client();
    fill(&mut doorman.fillers);
    doorman.reserve = Reserve::new();
    fill(&mut doorman.fillers);
    doorman.attempts = 0;
    late.connect(&address.into()).unwrap();
    while doorman.pauses == 0 {
        reactor.turn(&mut doorman, None).unwrap();
    }
    while doorman.accepted.is_none() {
        reactor.turn(&mut doorman, None).unwrap();
    }
    reactor.turn(&mut doorman, Some(Duration::ZERO)).unwrap();
    assert_eq!(doorman.pauses, 1);
    assert_eq!(doorman.drained, 2);
    assert_eq!(doorman.attempts, 3, "one to pause, one to accept, one to drain");
}

/// More loops, one after the other, than there are descriptors.
fn loops_come_and_go() {
    for _ in 0..100 {
        let mut reactor = Reactor::<()>::new(Clock::Timerfd).unwrap();
        reactor.watch_signals(&[Signal::USR1.as_raw()]).unwrap();
    }
}
