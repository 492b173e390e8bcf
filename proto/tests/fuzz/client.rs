//! A whole client session of `ftp` against a server that says anything, and a driver that tells anything.

use std::sync::Arc;
use std::time::{Duration, Instant};

use muxftp_proto::ClientSession;
use muxftp_proto::client::io::{
    ClientEffect, ClientEvent, ClientTimeouts, DataMode, FtpSettings, ListingForm, Operation, PutMode, Security,
};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use crate::case::Case;

/// One outcome for each operation, no effect behind the end, whole lines, no password in the dialogue.
pub fn play(case: &Case) {
    let mut rng = case.chance();
    let mut player = Player::new(&mut rng);
    let mut rest = case.bytes.as_slice();
    while !player.session.is_closed() && (!rest.is_empty() || player.busy) {
        player.submit(&mut rng);
        match rng.random_range(0..4) {
            0 => player.session.handle_event(event(&mut rng), player.now),
            1 if rng.random_ratio(1, 20) => player.session.abort(player.now),
            2 if rest.is_empty() => {
                let timer = player.session.next_timeout();
                player.now = timer.map_or(player.now, |timer| timer.max(player.now));
                player.session.handle_timeout(player.now);
                assert!(player.session.next_timeout().is_none_or(|next| next > player.now), "a timer fires for ever");
            }
            _ if !rest.is_empty() => {
                let (piece, tail) = rest.split_at(rng.random_range(1..=rest.len().min(200)));
                player.session.handle_input(piece, player.now);
                rest = tail;
            }
            _ => player.now += Duration::from_secs(1),
        }
        player.settle();
    }
    player.session.handle_lost();
    player.settle();
    assert!(player.session.is_closed() && !player.busy, "an operation goes on after the end");
}

struct Player {
    session: ClientSession,
    now: Instant,
    busy: bool,
    over: bool,
    holds_data: bool,
}

impl Player {
    fn new(rng: &mut ChaCha8Rng) -> Player {
        let mut settings = FtpSettings::of_user(b"alice", SECRET);
        settings.security = match rng.random_range(0..4) {
            0 => Security::Explicit { required: rng.random() },
            1 => Security::Implicit,
            _ => Security::None,
        };
        settings.data = if rng.random() { DataMode::Passive } else { DataMode::Active };
        settings.trust_passive_address = rng.random();
        let server = if rng.random_ratio(1, 4) { "2001:db8::1" } else { "192.0.2.1" };
        let server = server.parse().expect("an address");
        let session = ClientSession::ftp(Arc::new(settings), server, ClientTimeouts::default());
        Player { session, now: Instant::now(), busy: false, over: false, holds_data: false }
    }

    fn submit(&mut self, rng: &mut ChaCha8Rng) {
        if self.busy || !self.session.is_ready() {
            return;
        }
        let operation = if rng.random_ratio(1, 3) { Operation::LogIn } else { operation(rng) };
        self.busy = true;
        self.session.submit(&operation, self.now);
        self.settle();
    }

    fn settle(&mut self) {
        let said = self.session.outbox().pending().to_vec();
        self.session.outbox().consume(said.len());
        assert!(said.is_empty() || said.ends_with(b"\r\n") && !said.contains(&0), "{}", said.escape_ascii());
        while let Some(effect) = self.session.poll_effect() {
            assert!(!self.over, "{effect:?} after the end");
            match effect {
                ClientEffect::ConnectData { port, .. } => {
                    assert!(port > 0 && !self.holds_data);
                    self.holds_data = true;
                }
                ClientEffect::ListenData { .. } => {
                    assert!(!self.holds_data);
                    self.holds_data = true;
                }
                ClientEffect::StartMoving { .. } | ClientEffect::StopMoving => assert!(self.holds_data),
                ClientEffect::AbandonData => assert!(std::mem::take(&mut self.holds_data)),
                ClientEffect::CloseControl => self.over = true,
                ClientEffect::StartTls | ClientEffect::TakeNames { .. } => {}
            }
        }
        if self.session.poll_outcome().is_some() {
            assert!(std::mem::take(&mut self.busy), "an outcome of nothing");
            // Of a complete transfer the driver has closed it itself.
            self.holds_data = false;
            assert!(self.session.is_ready() || self.session.is_closed());
        }
        assert_eq!(self.over, self.session.is_closed());
        assert_eq!(self.busy, self.session.next_timeout().is_some(), "who waits has a timer, and nobody else");
        let dialogue = self.session.dialogue();
        assert!(dialogue.len() < 20_000 && !dialogue.windows(SECRET.len()).any(|part| part == SECRET));
    }
}

fn event(rng: &mut ChaCha8Rng) -> ClientEvent {
    match rng.random_range(0..8) {
        0 => ClientEvent::TlsDone,
        1 => ClientEvent::TlsFailed,
        2 => ClientEvent::DataListening { address: "192.0.2.9:20001".parse().expect("an address") },
        3 => ClientEvent::Progress,
        4 => ClientEvent::Moved { bytes: 3 },
        5 => ClientEvent::DataFailed,
        _ => ClientEvent::DataConnected,
    }
}

fn operation(rng: &mut ChaCha8Rng) -> Operation {
    let names: [&[u8]; 6] = [b"a", b" b", b"-c", b"\xff\xf4", b"", b"two\nlines"];
    let name = names[rng.random_range(0..names.len())].to_vec();
    match rng.random_range(0..16) {
        0..3 => Operation::Get { name, offset: rng.random_range(0..2) },
        3 => Operation::Put { name, size: None, mode: PutMode::Replace },
        4 => Operation::Put { name, size: None, mode: PutMode::From(7) },
        5 => Operation::Put { name, size: None, mode: PutMode::Unique },
        6 => Operation::List { path: None, form: ListingForm::Long },
        7 => Operation::List { path: Some(name), form: ListingForm::Facts },
        8 => Operation::Stat { name },
        9 => Operation::Size { name },
        10 => Operation::ModifiedTime { name },
        11 => Operation::Rename { from: name.clone(), to: name },
        12 => Operation::WorkingDirectory,
        13 => Operation::SetMode { name, mode: 0o640 },
        14 => Operation::Quote { line: name },
        _ => {
            if rng.random_ratio(1, 8) {
                Operation::Quit
            } else {
                Operation::Noop
            }
        }
    }
}

const SECRET: &[u8] = b"xyzzy";
