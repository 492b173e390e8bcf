//! The same for `ftp`, where a client says what it likes, as far ahead as it likes: one session, a shell that answers late or
//! never well, a client that sends lines without waiting, connects early, late or not at all, and goes away.
//!
//! After each step: effects name only what is there, and each is ended once; nothing is done that the account may not do;
//! every line has exactly one final reply, of a kind that belongs to it; a confirmed upload was committed, and no other one.

mod client;
mod shell;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use muxftp_proto::server::io::{Effect, Ends, Event, SessionConfig, TlsMode};
use muxftp_proto::{Cause, Dialect, Permissions, ServerSession, limits};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::env::Stats;
use client::Client;
use shell::Shell;

/// One session and all around it.
pub struct FtpWorld {
    chance: Chance,
    now: Instant,
    session: ServerSession,
    shell: Shell,
    client: Client,
    /// The hand-shake of TLS is under way.
    securing: bool,
    /// The peer reads no replies for so many steps.
    deaf: u32,
    draining: bool,
    over: bool,
    stats: Stats,
    trace: bool,
}

/// Where all that is drawn comes from.
pub struct Chance(ChaCha8Rng);

impl Chance {
    pub fn new(seed: u64) -> Chance {
        Chance(ChaCha8Rng::seed_from_u64(seed))
    }

    pub fn of(&mut self, percent: u32) -> bool {
        self.0.random_range(0..100) < percent
    }

    pub fn below(&mut self, end: usize) -> usize {
        self.0.random_range(0..end)
    }
}

impl FtpWorld {
    pub fn new(seed: u64, trace: bool) -> FtpWorld {
        let mut chance = Chance::new(seed);
        let now = Instant::now();
        let tls = [TlsMode::Off, TlsMode::Optional, TlsMode::Required, TlsMode::Implicit][chance.below(4)];
        let address: SocketAddr = "192.0.2.1:21".parse().expect("an address");
        let ends = Ends { local: address, peer: "192.0.2.9:4000".parse().expect("an address"), public: None };
        FtpWorld {
            session: ServerSession::new(Dialect::Ftp, SessionConfig { tls, ..config() }, ends, now),
            shell: Shell::new(tls, &mut chance),
            client: Client::new(tls, &mut chance),
            securing: false,
            chance,
            now,
            deaf: 0,
            draining: false,
            over: false,
            stats: Stats::default(),
            trace,
        }
    }

    /// Lets it happen until the session is over, and checks that nothing is left.
    pub fn run(mut self) -> Stats {
        self.settle();
        for _ in 0..STEPS_MAX {
            if self.over {
                return self.finish();
            }
            self.step();
            self.settle();
        }
        panic!("this world does not end");
    }

    fn step(&mut self) {
        self.deaf = self.deaf.saturating_sub(1);
        if self.session.has_work() && self.chance.of(50) {
            self.saw("commands wait for their turn");
            return self.session.resume(self.now);
        }
        match self.chance.below(100) {
            0..30 => self.client_speaks(),
            30..55 => self.shell_answers(),
            55..65 => self.client_connects(),
            65..95 => self.bytes_move(),
            95..98 => self.time_passes(),
            _ => self.something_breaks(),
        }
    }

    fn client_speaks(&mut self) {
        if !self.session.wants_input() {
            return;
        }
        match self.client.next_bytes(&mut self.chance) {
            Some(bytes) => {
                self.note(|| format!("C: {}", bytes.escape_ascii()));
                self.session.handle_input(&bytes, self.now);
            }
            None if self.client.has_said_all() && self.chance.of(5) => {
                self.saw("client has closed its side");
                self.session.handle_end_of_input(self.now);
            }
            None => {}
        }
    }

    fn shell_answers(&mut self) {
        if self.securing && self.session.outbox().is_empty() {
            self.securing = false;
            if self.chance.of(90) {
                self.saw("control connection encrypted");
                self.session.handle_secured(self.now);
            } else {
                self.saw("hand-shake failed");
                self.session.handle_lost(self.now);
            }
            return;
        }
        if let Some(event) = self.shell.next_answer(&mut self.chance) {
            self.tell(event);
        } else if let Some(event) = self.shell.late_answer(&mut self.chance) {
            self.saw("late answer");
            let before = format!("{:?}", self.session);
            self.session.handle_event(event, self.now);
            assert_eq!(format!("{:?}", self.session), before, "a late answer made a difference");
        }
    }

    fn client_connects(&mut self) {
        if let Some(event) = self.shell.client_connects(&mut self.chance) {
            self.saw("data connection made");
            self.tell(event);
        }
    }

    fn bytes_move(&mut self) {
        if let Some(names) = self.shell.next_names(&mut self.chance)
            && !self.session.outbox().is_full()
        {
            self.session.push_names(&names);
        }
        for event in self.shell.moves(&mut self.chance) {
            self.tell(event);
        }
    }

    /// A little; or, when nothing else can happen, as much as the session's timer waits for.
    fn time_passes(&mut self) {
        let Some(timer) = self.session.next_timeout() else { return };
        if self.chance.of(10) || self.shell.is_idle() && self.client.waits() {
            self.saw("timer fired");
            self.now = self.now.max(timer);
        } else {
            self.now += Duration::from_millis(100);
        }
        let due = self.session.next_timeout().is_some_and(|timer| timer <= self.now);
        self.session.handle_timeout(self.now);
        assert!(!due || self.session.next_timeout().is_none_or(|timer| timer > self.now), "a timer fires for ever");
    }

    fn something_breaks(&mut self) {
        match self.chance.below(60) {
            0..10 => {
                self.saw("client is deaf");
                self.deaf = 200;
            }
            10..50 => {
                self.saw("data connection broke");
                self.shell.break_data();
            }
            50..52 => {
                self.saw("control connection lost");
                self.session.handle_lost(self.now);
            }
            52 => {
                self.saw("server drained");
                self.draining = true;
                self.session.drain(self.now);
            }
            _ => {}
        }
    }

    fn tell(&mut self, event: Event) {
        self.note(|| format!("   {event:?}"));
        if let Event::MoveFailed { cause: Cause::QuotaExceeded, .. } = event {
            self.saw("quota exceeded");
        }
        self.session.handle_event(event, self.now);
    }

    fn settle(&mut self) {
        loop {
            while let Some(effect) = self.session.poll_effect() {
                self.note(|| format!("-> {effect:?}"));
                assert!(!self.over, "{effect:?} after the end");
                match effect {
                    Effect::CloseControl { .. } => self.shell.ending(),
                    Effect::Secure => {
                        assert!(!self.session.wants_input(), "what is in the clear would be taken for encrypted");
                        self.securing = true;
                    }
                    Effect::DropControl => {
                        self.over = true;
                        self.client.lost = true;
                    }
                    effect => self.shell.apply(effect, &mut self.chance, &mut self.stats),
                }
            }
            let pending = self.session.outbox().pending().to_vec();
            assert!(pending.len() <= limits::OUTBOX_BYTES_MAX + REPLY_BYTES_MAX, "replies without bound");
            if pending.is_empty() || self.deaf > 0 {
                break;
            }
            let count = if self.chance.of(20) { 1 + self.chance.below(pending.len()) } else { pending.len() };
            self.note(|| format!("S: {}", pending[..count].escape_ascii()));
            self.client.hear(&pending[..count], &mut self.shell);
            self.session.outbox().consume(count);
            if count == pending.len() {
                self.session.handle_flushed(self.now);
            }
        }
        if self.shell.is_ending() && self.session.outbox().is_empty() {
            self.over = true;
        }
    }

    fn finish(mut self) -> Stats {
        // What the shell gives back when it removes a session.
        self.shell.check_nothing_is_left();
        self.client.check_answers(&self.shell.results, self.draining, &mut self.stats);
        self.stats
    }

    fn saw(&mut self, event: &str) {
        self.note(|| format!("   = {event}"));
        self.stats.saw(format!("ftp: {event}"));
    }

    fn note(&self, what: impl FnOnce() -> String) {
        if self.trace {
            println!("{}", what());
        }
    }
}

/// Of a server's session; who may do what is told at the log-in.
pub fn config() -> SessionConfig {
    let seconds = Duration::from_secs;
    SessionConfig {
        permissions: Permissions::NONE,
        data_connect_timeout: seconds(10),
        stall_timeout: seconds(60),
        storage_timeout: seconds(30),
        idle_timeout: seconds(300),
        login_timeout: seconds(60),
        tls: TlsMode::Off,
    }
}

/// A world that needs more than this waits for something that never comes.
const STEPS_MAX: usize = 200_000;

/// FEAT and HELP are the longest.
const REPLY_BYTES_MAX: usize = 20_000;
