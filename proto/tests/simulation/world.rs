//! The world: links, the order of things, and the checks at the end.

use std::time::{Duration, Instant};

use muxftp_proto::Dialect;

use crate::client::ClientSide;
use crate::env::{Env, Stats};
use crate::link::{Attempt, Data, Happening, Wires};
use crate::raw::RawSide;
use crate::server::ServerSide;

/// Some people, one server.
pub struct World {
    env: Env,
    dialect: Dialect,
    links: Vec<Link>,
    draining: bool,
}

struct Link {
    wires: Wires,
    server: ServerSide,
    peer: Peer,
}

enum Peer {
    Client(Box<ClientSide>),
    Raw(RawSide),
}

/// Whose timer it is.
enum Timer {
    Server(usize),
    Client(usize),
}

impl World {
    pub fn new(seed: u64, dialect: Dialect, trace: bool) -> World {
        let mut world = World { env: Env::new(seed, trace), dialect, links: Vec::new(), draining: false };
        for name in ["a", "b.txt"] {
            world.env.disk.put(name.as_bytes(), b"there from the beginning");
        }
        for person in 0..1 + world.env.below(4) {
            let left = 2 + world.env.below(12);
            world.add(Peer::Client(Box::new(ClientSide::new(dialect, person, left))));
        }
        if world.env.chance(50) {
            let raw = RawSide::new(dialect, &mut world.env);
            world.add(Peer::Raw(raw));
        }
        if world.env.chance(world.env.faults.drain) {
            let time = Duration::from_millis(world.env.below(200) as u64);
            world.env.after(time, 0, Happening::Drain);
        }
        world
    }

    /// Lets all of it happen, and checks that nothing is left.
    pub fn run(mut self) -> Stats {
        for _ in 0..STEPS_MAX {
            match (self.env.next_time(), self.next_timer()) {
                (None, None) => return self.finish(),
                (next, Some((time, timer))) if next.is_none_or(|next| time <= next) => self.fire(time, &timer),
                _ => self.step(),
            }
        }
        panic!("this world does not end");
    }

    fn add(&mut self, peer: Peer) {
        let link = self.links.len();
        let server = ServerSide::new(self.dialect, self.env.now);
        self.links.push(Link { wires: Wires { link, ..Wires::default() }, server, peer });
        self.env.soon(link, Happening::Begin);
        if self.env.chance(self.env.faults.cut) {
            let time = Duration::from_micros(self.env.below(100_000) as u64);
            self.env.after(time, link, Happening::Cut);
        }
    }

    fn next_timer(&self) -> Option<(Instant, Timer)> {
        let servers = self.links.iter().enumerate().map(|(i, link)| (link.server.next_timeout(), Timer::Server(i)));
        let clients = self.links.iter().enumerate().map(|(i, link)| match &link.peer {
            Peer::Client(client) => (client.next_timeout(), Timer::Client(i)),
            Peer::Raw(_) => (None, Timer::Client(i)),
        });
        let armed = servers.chain(clients).filter_map(|(time, timer)| Some((time?, timer)));
        armed.min_by_key(|(time, _)| *time)
    }

    fn fire(&mut self, time: Instant, timer: &Timer) {
        assert!(time >= self.env.now, "a timer in the past");
        self.env.now = time;
        let (index, after) = match *timer {
            Timer::Server(index) => {
                let Link { wires, server, .. } = &mut self.links[index];
                server.timeout(wires, &mut self.env);
                (index, server.next_timeout())
            }
            Timer::Client(index) => {
                let Link { wires, peer, .. } = &mut self.links[index];
                let Peer::Client(client) = peer else { unreachable!("only sessions have timers") };
                client.timeout(wires, &mut self.env);
                (index, client.next_timeout())
            }
        };
        assert!(after.is_none_or(|after| after > time), "a timer that fires for ever");
        self.follow_up(index);
    }

    fn step(&mut self) {
        let Some((index, happening)) = self.env.pop() else { return };
        self.env.note(index, || format!("{happening:?}"));
        let World { env, links, .. } = self;
        let Link { wires, server, peer } = &mut links[index];
        match happening {
            Happening::Begin => peer.begin(wires, env),
            Happening::ToServer => server.control(wires, env),
            Happening::ToClient => peer.control(wires, env),
            Happening::Flush => server.flush(wires, env),
            Happening::Answer(answer) => server.answer(answer, wires, env),
            Happening::ServerMoves(number) => server.moves(number, wires, env),
            Happening::Connect(port, attempt) => {
                let data = wires.data.len();
                wires.data.push(Data::default());
                let taken = server.peer_at_port(port, data, wires, env);
                if !taken {
                    wires.data.pop();
                }
                env.soon(index, Happening::Connected(attempt, taken.then_some(data)));
            }
            Happening::Connected(attempt, data) => peer.connected(attempt, data, wires, env),
            Happening::ClientMoves(data) => {
                if let Peer::Client(client) = peer {
                    client.moves(data, wires, env);
                }
            }
            Happening::Cut => {
                env.saw("control cut");
                wires.cut();
                peer.lost(wires, env);
                // The end of a data connection may overtake the news.
                let most = if env.chance(50) { 1_000 } else { 5 };
                let delay = Duration::from_millis(env.below(most) as u64);
                env.after(delay, index, Happening::ServerHearsOfCut);
            }
            Happening::ServerHearsOfCut => server.lost(wires, env),
            Happening::Drain => {
                self.draining = true;
                for Link { wires, server, .. } in links {
                    server.drain(wires, env);
                }
            }
        }
        self.follow_up(index);
    }

    /// A person whose session is gone makes a new one, unless there is no server to have it with.
    fn follow_up(&mut self, index: usize) {
        let Peer::Client(client) = &mut self.links[index].peer else { return };
        if client.closed && client.left > 0 && !self.draining {
            let (person, left) = (client.person(), std::mem::take(&mut client.left));
            self.add(Peer::Client(Box::new(ClientSide::new(self.dialect, person, left))));
        }
    }

    fn finish(self) -> Stats {
        let World { mut env, links, .. } = self;
        for (index, link) in links.iter().enumerate() {
            assert_eq!(link.server.held(), None, "left over on link {index}");
            let closed = match &link.peer {
                Peer::Client(client) => client.closed,
                Peer::Raw(raw) => raw.closed,
            };
            assert!(closed, "the peer of link {index} still waits");
            for data in &link.wires.data {
                assert!(data.server_closed || data.broken, "the server of link {index} holds a data connection");
                let held = matches!(link.peer, Peer::Client(_)) && !data.client_closed;
                assert!(!held, "the client of link {index} holds a data connection");
            }
        }
        assert!(env.ports.is_empty(), "ports are left: {:?}", env.ports);
        assert_eq!(env.disk.temporaries(), 0, "uploads are left");
        let parts = env.disk.check_all_were_meant();
        for _ in 0..parts {
            env.saw("part of an undeclared upload");
        }
        env.stats
    }
}

impl Peer {
    fn begin(&mut self, wires: &mut Wires, env: &mut Env) {
        match self {
            Peer::Client(client) => client.begin(wires, env),
            Peer::Raw(raw) => raw.begin(wires, env),
        }
    }

    fn control(&mut self, wires: &mut Wires, env: &mut Env) {
        match self {
            Peer::Client(client) => client.control(wires, env),
            Peer::Raw(raw) => raw.control(wires, env),
        }
    }

    fn connected(&mut self, attempt: Attempt, data: Option<usize>, wires: &mut Wires, env: &mut Env) {
        match self {
            Peer::Client(client) => client.connected(attempt, data, wires, env),
            Peer::Raw(raw) => raw.connected(data, wires, env),
        }
    }

    fn lost(&mut self, wires: &mut Wires, env: &mut Env) {
        match self {
            Peer::Client(client) => client.lost(wires, env),
            Peer::Raw(raw) => raw.lost(),
        }
    }
}

/// A world that needs more than this waits for something that never comes.
const STEPS_MAX: usize = 200_000;
