//! A whole session on the server's side: bytes in, effects and replies checked, to its end.

use std::time::{Duration, Instant};

use muxftp_proto::server::io::{Ends, Event, SessionConfig, TlsMode};
use muxftp_proto::{Dialect, ServerSession, limits};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use crate::case::Case;
use crate::replies::Replies;
use crate::shell::{Act, End, Shell, permissions};

/// Plays a case in a dialect.
pub fn play(dialect: Dialect, case: &Case) {
    let mut player = Player::new(dialect, case);
    player.settle();
    let mut rest = &case.bytes[..];
    while !rest.is_empty() && player.shell.end == End::No {
        player.step(&mut rest);
    }
    player.finish();
}

struct Player {
    session: ServerSession,
    shell: Shell,
    replies: Replies,
    rng: ChaCha8Rng,
    now: Instant,
    /// In a thousand: what ends a session in the middle.
    ends: u32,
    /// The peer reads nothing for so many steps.
    deaf: u32,
}

impl Player {
    fn new(dialect: Dialect, case: &Case) -> Player {
        let mut rng = case.chance();
        let config = SessionConfig {
            permissions: permissions(&mut rng),
            data_connect_timeout: Duration::from_secs(10),
            stall_timeout: Duration::from_secs(60),
            storage_timeout: Duration::from_secs(30),
            idle_timeout: Duration::from_secs(300),
            login_timeout: Duration::from_secs(60),
            tls: tls_mode(dialect, case),
        };
        let over_ipv6 = rng.random_ratio(1, 8);
        let ends = Ends {
            local: if over_ipv6 { "[2001:db8::1]:21" } else { "192.0.2.1:21" }.parse().unwrap(),
            peer: if over_ipv6 { "[2001:db8::9]:4000" } else { "192.0.2.9:4000" }.parse().unwrap(),
            public: None,
        };
        let now = Instant::now();
        Player {
            session: ServerSession::new(dialect, config, ends, now),
            shell: Shell::new(dialect, config.permissions, ends.peer.ip()),
            replies: Replies::new(dialect),
            now,
            ends: if rng.random_ratio(1, 4) { 10 } else { 0 },
            deaf: 0,
            rng,
        }
    }

    /// One thing happens: mostly bytes come or the shell answers.
    fn step(&mut self, rest: &mut &[u8]) {
        if self.session.has_work() && self.rng.random() {
            self.session.resume(self.now);
            return self.settle();
        }
        if self.rng.random_range(0..1000) < self.ends {
            match self.rng.random_range(0..3) {
                0 => self.session.handle_end_of_input(self.now),
                1 => self.session.handle_lost(self.now),
                _ => self.session.drain(self.now),
            }
            return self.settle();
        }
        match self.rng.random_range(0..100) {
            0..50 => self.input(rest),
            50..94 => self.act(),
            94..97 => self.late(),
            97 => self.deaf = self.rng.random_range(1..30),
            98 => {
                let time = Duration::from_millis(self.rng.random_range(0..5_000));
                self.pass(time);
            }
            _ if self.rng.random_ratio(1, 10) => self.pass_to_timeout(),
            _ => {}
        }
        if !self.session.wants_input() && self.shell.end == End::No {
            // Nothing else brings it forward.
            self.act();
            self.deaf = self.deaf.min(3);
        }
    }

    fn input(&mut self, rest: &mut &[u8]) {
        if !self.session.wants_input() {
            return;
        }
        let most = if self.rng.random_ratio(1, 4) { 5_000 } else { 40 };
        let (piece, tail) = rest.split_at(self.rng.random_range(1..=most).min(rest.len()));
        *rest = tail;
        self.session.handle_input(piece, self.now);
        self.settle();
    }

    fn act(&mut self) {
        if self.shell.securing {
            if self.session.outbox().is_empty() {
                self.shell.securing = false;
                match self.rng.random_ratio(1, 20) {
                    true => self.session.handle_lost(self.now),
                    false => self.session.handle_secured(self.now),
                }
            }
            return self.settle();
        }
        let session = &self.session;
        match self.shell.act(|op| session.awaits(op), &mut self.rng) {
            Some(Act::Tell(event)) => self.tell(event),
            Some(Act::Name(line)) if !self.session.outbox().is_full() => {
                self.replies.expect_name(&line);
                self.session.push_names(&line);
                self.settle();
            }
            _ => self.settle(),
        }
    }

    fn tell(&mut self, event: Event) {
        self.session.handle_event(event, self.now);
        self.settle();
    }

    /// An answer to what has ended must make no difference.
    fn late(&mut self) {
        if let Some(event) = self.shell.late(&mut self.rng) {
            let before = format!("{:?}", self.session);
            self.session.handle_event(event.clone(), self.now);
            assert_eq!(format!("{:?}", self.session), before, "{event:?}, too late, made a difference");
        }
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
        self.session.handle_timeout(self.now);
        self.settle();
    }

    fn pass_to_timeout(&mut self) {
        if let Some(deadline) = self.session.next_timeout() {
            self.pass(deadline.saturating_duration_since(self.now));
        }
    }

    /// The one rule: effects, flush.
    fn settle(&mut self) {
        let session = &self.session;
        self.shell.forget(|op| session.awaits(op));
        loop {
            while let Some(effect) = self.session.poll_effect() {
                self.shell.apply(effect);
            }
            let pending = self.session.outbox().pending();
            assert!(pending.len() <= limits::OUTBOX_BYTES_MAX + REPLY_BYTES_MAX, "{} bytes of replies", pending.len());
            self.deaf = self.deaf.saturating_sub(1);
            if pending.is_empty() || self.deaf > 0 || self.shell.end == End::Gone {
                return;
            }
            let count =
                if self.rng.random_ratio(1, 4) { self.rng.random_range(1..=pending.len()) } else { pending.len() };
            self.replies.take(&pending[..count]);
            self.session.outbox().consume(count);
            if !self.session.outbox().is_empty() {
                return;
            }
            self.session.handle_flushed(self.now);
        }
    }

    /// The peer closes, the shell answers, time passes: then every session ends, and has said all it began.
    fn finish(mut self) {
        if self.shell.end == End::No {
            self.session.handle_end_of_input(self.now);
            self.settle();
        }
        for _ in 0..STEPS_MAX {
            match self.shell.end {
                End::No if self.rng.random_ratio(1, 50) => self.pass_to_timeout(),
                End::No if self.session.has_work() => {
                    self.session.resume(self.now);
                    self.settle();
                }
                End::No => self.act(),
                End::Closing if !self.session.outbox().is_empty() => self.settle(),
                End::Closing => return self.replies.end(),
                End::Gone => break,
            }
        }
        assert_eq!(self.shell.end, End::Gone, "it does not end: {:?}", self.session);
        assert_eq!(self.session.next_timeout(), None, "a timer outlives the session");
    }
}

/// Not drawn with the rest, so that the old regressions stay what they were.
fn tls_mode(dialect: Dialect, case: &Case) -> TlsMode {
    if dialect != Dialect::Ftp {
        return TlsMode::Off;
    }
    match case.chance().random_range(0..8) {
        0 | 1 => TlsMode::Optional,
        2 => TlsMode::Required,
        3 => TlsMode::Implicit,
        _ => TlsMode::Off,
    }
}

/// No reply is longer: one of several lines, with a path of which each byte is told as three.
const REPLY_BYTES_MAX: usize = 4 * limits::PATH_BYTES_MAX;

/// More than any session needs to its end.
const STEPS_MAX: u32 = 100_000;
