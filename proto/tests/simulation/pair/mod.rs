//! Both ends of `ftp`: the client's session, its driver and a person, the server's session and its shell, and all that can
//! go wrong between them. Of TLS it is played who wants it and when; a hand-shake is done as soon as it is wanted.
//!
//! Held at each outcome: what is complete is done, byte for byte; what is refused, given up or broken has changed nothing (or
//! is whole, when the last word was lost); a session that is not over can be used.

mod driver;
mod person;
mod shell;

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use muxftp_proto::client::io::{ClientTimeouts, DataMode, Extended, FtpSettings, Security};
use muxftp_proto::server::io::{Ends, SessionConfig, TlsMode};
use muxftp_proto::{ClientSession, Dialect, ServerSession};

use crate::env::Stats;
use crate::ftp::{Chance, config};
use driver::Driver;
use person::Person;
use shell::Shell;

/// One person, one server, and as many sessions as the person needs.
pub struct PairWorld {
    world: Common,
    client: ClientSession,
    server: ServerSession,
    driver: Driver,
    person: Person,
    shell: Shell,
}

/// What both ends share.
pub struct Common {
    pub chance: Chance,
    pub now: Instant,
    pub stats: Stats,
    /// How likely things go wrong, in percent.
    pub trouble: u32,
    /// Both directions of the control connection.
    pub to_server: Pipe,
    pub to_client: Pipe,
    pub wires: Vec<Wire>,
    /// The port that the server listens at, and whom it waits for.
    pub server_port: Option<u16>,
    /// The port that the client listens at.
    pub client_port: Option<u16>,
    /// The client has begun its hand-shake.
    pub client_shakes: bool,
    /// Whether the client means its data connection to be encrypted.
    pub protected: bool,
    /// Connections that nobody has taken yet.
    pub came_to_server: Option<usize>,
    pub came_to_client: Option<usize>,
    /// Names, and what they hold; `None`: a directory.
    pub files: BTreeMap<Vec<u8>, Option<Vec<u8>>>,
    pub server_address: IpAddr,
    pub client_address: IpAddr,
    start: Instant,
    trace: bool,
}

#[derive(Default)]
pub struct Pipe {
    pub bytes: VecDeque<u8>,
    pub ended: bool,
    /// The reader has heard of the end.
    pub end_told: bool,
}

/// A data connection.
#[derive(Default)]
pub struct Wire {
    pub to_client: VecDeque<u8>,
    pub to_server: VecDeque<u8>,
    pub client_closed: bool,
    pub server_closed: bool,
    pub broken: bool,
    /// Nothing moves any more, and nobody hears of it.
    pub stalled: bool,
}

impl Common {
    pub fn saw(&mut self, event: impl AsRef<str>) {
        self.note(|| format!("   = {}", event.as_ref()));
        self.stats.saw(format!("pair: {}", event.as_ref()));
    }

    pub fn note(&self, what: impl FnOnce() -> String) {
        if self.trace {
            println!("{:>12.3} ms  {}", (self.now - self.start).as_secs_f64() * 1e3, what());
        }
    }

    /// Whether something goes wrong now.
    pub fn fails(&mut self) -> bool {
        let trouble = self.trouble;
        self.chance.of(trouble)
    }
}

impl PairWorld {
    pub fn new(seed: u64, trace: bool) -> PairWorld {
        let mut chance = Chance::new(seed);
        let trouble = if chance.of(30) { 0 } else { 1 + chance.below(12) as u32 };
        let v6 = chance.of(20);
        let address = |v4: &str, v6_text: &str| if v6 { v6_text } else { v4 }.parse().expect("an address");
        let (server_address, client_address) =
            (address("192.0.2.1", "2001:db8::1"), address("192.0.2.9", "2001:db8::9"));
        let now = Instant::now();
        let files = [
            (b"/a".to_vec(), Some(b"there from the beginning".to_vec())),
            (b"/big".to_vec(), Some((0..5000u32).map(|i| (i % 251) as u8).collect())),
            (b"/empty".to_vec(), Some(Vec::new())),
            (b"/dir".to_vec(), None),
        ];
        let mut world = Common {
            trouble,
            chance,
            now,
            stats: Stats::default(),
            to_server: Pipe::default(),
            to_client: Pipe::default(),
            wires: Vec::new(),
            server_port: None,
            client_port: None,
            client_shakes: false,
            protected: false,
            came_to_server: None,
            came_to_client: None,
            files: files.into(),
            server_address,
            client_address,
            start: now,
            trace,
        };
        let (client, server) = sessions(&mut world);
        let person = Person::new(&mut world);
        PairWorld { client, server, driver: Driver::default(), person, shell: Shell::default(), world }
    }

    /// Lets it happen until the person has had enough, and checks that nothing is left.
    pub fn run(mut self) -> Stats {
        self.settle();
        for _ in 0..STEPS_MAX {
            if self.client.is_closed() && self.shell.is_over() {
                self.check_nothing_is_left();
                if !self.person.wants_more() {
                    return self.world.stats;
                }
                self.connect_again();
            } else {
                self.step();
            }
            self.settle();
        }
        panic!("this world does not end");
    }

    fn connect_again(&mut self) {
        let (client, server) = sessions(&mut self.world);
        (self.client, self.server) = (client, server);
        (self.driver, self.shell) = (Driver::default(), Shell::default());
        self.person.begin_anew();
    }

    fn step(&mut self) {
        let luck = self.world.chance.below(1000) as u32;
        if luck < self.world.trouble / 3 {
            return self.something_breaks();
        }
        // Each has its chance; those who have nothing to do pass it on.
        let first = self.world.chance.below(ACTIONS.len());
        let done = (0..ACTIONS.len()).any(|offset| ACTIONS[(first + offset) % ACTIONS.len()](self));
        if done {
            self.world.now += Duration::from_micros(self.world.chance.below(2000) as u64);
        } else {
            let timers = [self.client.next_timeout(), self.server.next_timeout().filter(|_| !self.shell.is_over())];
            let next = timers.into_iter().flatten().min().expect("nothing to do, and nothing to wait for");
            self.world.note(|| "time passes".to_owned());
            self.world.now = self.world.now.max(next);
        }
        self.fire_timers();
    }

    fn fire_timers(&mut self) {
        let now = self.world.now;
        if self.client.next_timeout().is_some_and(|timer| timer <= now) {
            self.world.saw("client's timer fired");
            self.client.handle_timeout(now);
            assert!(self.client.next_timeout().is_none_or(|timer| timer > now), "a timer fires for ever");
            self.settle();
        }
        if !self.shell.is_over() && self.server.next_timeout().is_some_and(|timer| timer <= now) {
            self.world.saw("server's timer fired");
            self.server.handle_timeout(now);
        }
    }

    fn something_breaks(&mut self) {
        match self.world.chance.below(10) {
            0..5 => {
                if let Some(wire) = self.world.wires.last_mut() {
                    wire.broken = true;
                    self.world.saw("data connection broke");
                }
            }
            5..7 => {
                if let Some(wire) = self.world.wires.last_mut() {
                    wire.stalled = true;
                    self.world.saw("data connection stalled");
                }
            }
            7..9 => {
                self.world.saw("control connection cut");
                for pipe in [&mut self.world.to_server, &mut self.world.to_client] {
                    pipe.bytes.clear();
                    (pipe.ended, pipe.end_told) = (true, true);
                }
                self.client.handle_lost();
                self.settle();
                if !self.shell.is_over() {
                    self.server.handle_lost(self.world.now);
                }
            }
            _ if !self.shell.is_over() => {
                self.world.saw("server drained");
                self.server.drain(self.world.now);
            }
            _ => {}
        }
    }

    /// Bytes go from one end to the other, in pieces of any size.
    fn server_hears(&mut self) -> bool {
        let PairWorld { world, server, shell, .. } = self;
        if shell.is_over() || !server.wants_input() {
            return false;
        }
        match take(&mut world.to_server, &mut world.chance) {
            Some(Some(bytes)) => server.handle_input(&bytes, world.now),
            Some(None) => server.handle_end_of_input(world.now),
            None => return false,
        }
        true
    }

    fn client_hears(&mut self) -> bool {
        let PairWorld { world, client, driver, .. } = self;
        // What comes now is for the hand-shake, or encrypted.
        if driver.is_shaking() {
            return false;
        }
        match take(&mut world.to_client, &mut world.chance) {
            Some(Some(bytes)) => client.handle_input(&bytes, world.now),
            Some(None) => client.handle_lost(),
            None => return false,
        }
        true
    }

    fn shell_acts(&mut self) -> bool {
        !self.shell.is_over() && self.shell.act(&mut self.world, &mut self.server)
    }

    fn driver_acts(&mut self) -> bool {
        self.driver.act(&mut self.world, &mut self.client, &mut self.person)
    }

    fn person_acts(&mut self) -> bool {
        self.person.act(&mut self.world, &mut self.client)
    }

    /// The one rule, at both ends: effects, flush, outcome.
    fn settle(&mut self) {
        let PairWorld { world, client, server, driver, person, shell } = self;
        loop {
            let said = client.outbox().pending().to_vec();
            client.outbox().consume(said.len());
            if !said.is_empty() {
                world.note(|| format!("C: {}", said.escape_ascii()));
                if !world.to_server.ended {
                    world.to_server.bytes.extend(&said);
                }
            }
            while let Some(effect) = client.poll_effect() {
                driver.apply(effect, world, person);
            }
            if let Some(outcome) = client.poll_outcome() {
                let closed = client.is_closed();
                assert!(closed || client.is_ready(), "neither over nor ready");
                assert!(!driver.holds_data(), "a data connection is left behind {outcome:?}");
                person.conclude(outcome, closed, world);
            }
            while let Some(effect) = server.poll_effect() {
                shell.apply(effect, world);
            }
            let said = server.outbox().pending().to_vec();
            if said.is_empty() && shell.securing && std::mem::take(&mut world.client_shakes) {
                shell.securing = false;
                world.saw("control connection encrypted");
                server.handle_secured(world.now);
                continue;
            }
            if said.is_empty() && server.has_work() && !shell.is_over() {
                server.resume(world.now);
                continue;
            }
            if said.is_empty() || shell.is_over() {
                break;
            }
            world.note(|| format!("S: {}", said.escape_ascii()));
            server.outbox().consume(said.len());
            if !world.to_client.ended {
                world.to_client.bytes.extend(&said);
            }
            server.handle_flushed(world.now);
        }
        if shell.is_ending() {
            shell.end();
            world.to_client.ended = true;
        }
    }

    fn check_nothing_is_left(&mut self) {
        self.shell.check_nothing_is_left();
        assert!(!self.driver.holds_data(), "the client holds a data connection");
        assert!(!self.person.waits(), "an operation without an outcome");
        self.world.wires.clear();
        (self.world.server_port, self.world.client_port) = (None, None);
        (self.world.came_to_server, self.world.came_to_client) = (None, None);
    }
}

/// What can happen next; each tells whether it did.
const ACTIONS: [fn(&mut PairWorld) -> bool; 5] = [
    PairWorld::server_hears,
    PairWorld::client_hears,
    PairWorld::shell_acts,
    PairWorld::driver_acts,
    PairWorld::person_acts,
];

/// Bytes, or the end.
fn take(pipe: &mut Pipe, chance: &mut Chance) -> Option<Option<Vec<u8>>> {
    match pipe.bytes.len() {
        0 if pipe.ended && !pipe.end_told => {
            pipe.end_told = true;
            Some(None)
        }
        0 => None,
        waiting => {
            let count = if chance.of(30) { 1 } else { 1 + chance.below(waiting) };
            Some(Some(pipe.bytes.drain(..count).collect()))
        }
    }
}

/// Two ends of a control connection that has just been made.
fn sessions(world: &mut Common) -> (ClientSession, ServerSession) {
    (world.to_server, world.to_client) = (Pipe::default(), Pipe::default());
    world.client_shakes = false;
    let chance = &mut world.chance;
    let mut settings = FtpSettings::of_user(b"alice", b"secret");
    settings.data = if chance.of(60) { DataMode::Passive } else { DataMode::Active };
    settings.extended = [Extended::Preferred, Extended::Only, Extended::Never][chance.below(3)];
    settings.ask_features = chance.of(70);
    settings.trust_passive_address = chance.of(20);
    let (security, tls) = match chance.below(10) {
        0..5 => (Security::None, if chance.of(50) { TlsMode::Off } else { TlsMode::Optional }),
        5 => (Security::None, TlsMode::Required),
        6 => (Security::Explicit { required: chance.of(50) }, TlsMode::Off),
        7 => (Security::Explicit { required: chance.of(50) }, TlsMode::Optional),
        8 => (Security::Explicit { required: true }, TlsMode::Required),
        _ => (Security::Implicit, TlsMode::Implicit),
    };
    settings.security = security;
    settings.protect_data = tls != TlsMode::Optional || chance.of(50);
    let ends = Ends {
        local: SocketAddr::new(world.server_address, 21),
        peer: SocketAddr::new(world.client_address, 4000),
        public: None,
    };
    let client = ClientSession::ftp(Arc::new(settings), world.server_address, ClientTimeouts::default());
    (client, ServerSession::new(Dialect::Ftp, SessionConfig { tls, ..config() }, ends, world.now))
}

/// A world that needs more than this waits for something that never comes.
const STEPS_MAX: usize = 200_000;
