//! Plays a transcript to a session, and holds what comes out against its lines.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use muxftp_proto::client::io::{
    ClientEffect, ClientEvent, ClientTimeouts, DataMode, Extended, Failure, FtpSettings, ListingForm, Operation,
    Outcome, PutMode, Security, Told,
};
use muxftp_proto::{ClientSession, Escaped, Secret};

use crate::said::unescape;

/// How the server's lines arrive.
#[derive(Debug, Clone, Copy)]
pub enum Pieces {
    Lines,
    Bytes,
}

pub struct Player {
    session: ClientSession,
    now: Instant,
    pieces: Pieces,
    /// What the session has said, wanted and concluded since the last input.
    output: Vec<String>,
}

impl Player {
    pub fn play(text: &str, pieces: Pieces, name: &str) {
        let mut player: Option<Player> = None;
        let mut expected: Vec<&str> = Vec::new();
        let mut input = (0, "the start");
        let lines = text.lines().enumerate().filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
        for (number, line) in lines.chain([(usize::MAX - 1, "end")]) {
            if ["C: ", "-> ", "= "].iter().any(|prefix| line.starts_with(prefix)) {
                expected.push(line);
                continue;
            }
            if let Some(player) = &mut player {
                player.compare(&expected, input, name);
            }
            expected.clear();
            input = (number.wrapping_add(1), line);
            match (line.strip_prefix("session"), &mut player) {
                (Some(settings), _) => player = Some(Player::new(settings, pieces)),
                (None, _) if line == "end" => {}
                (None, player) => player.as_mut().expect("a session").give(line),
            }
        }
    }

    /// A session with these settings, behind its log-in if that is one of them.
    pub fn new(words: &str, pieces: Pieces) -> Player {
        let mut settings = FtpSettings::of_user(b"alice", b"secret");
        let mut server: IpAddr = "192.0.2.1".parse().unwrap();
        let mut is_in = false;
        for word in words.split(',').map(str::trim).filter(|word| !word.is_empty()) {
            match word {
                "in" => {
                    is_in = true;
                    settings.ask_features = false;
                }
                "explicit" => settings.security = Security::Explicit { required: true },
                "explicit if offered" => settings.security = Security::Explicit { required: false },
                "implicit" => settings.security = Security::Implicit,
                "data in clear" => settings.protect_data = false,
                "active" => settings.data = DataMode::Active,
                "extended only" => settings.extended = Extended::Only,
                "never extended" => settings.extended = Extended::Never,
                "trusting" => settings.trust_passive_address = true,
                "over IPv6" => server = "2001:db8::1".parse().unwrap(),
                "account" => settings.account = Some(Secret(b"acc".to_vec())),
                "without features" => settings.ask_features = false,
                other => panic!("what is `{other}`?"),
            }
        }
        let session = ClientSession::ftp(Arc::new(settings), server, ClientTimeouts::default());
        let mut player = Player { session, now: Instant::now(), pieces, output: Vec::new() };
        if is_in {
            for line in ["do log in", "S: 220 x", "S: 230 x", "do size x", "S: 200 x", "S: 550 x"] {
                player.give(line);
            }
            assert_eq!(player.output.pop().as_deref(), Some("= refused 550 x"));
            player.output.clear();
        }
        player
    }

    pub fn session(&mut self) -> &mut ClientSession {
        &mut self.session
    }

    /// What has come out since the last call.
    pub fn take_output(&mut self) -> Vec<String> {
        std::mem::take(&mut self.output)
    }

    /// Words, effects and outcomes go different ways, so only the order within each is part of the contract.
    fn compare(&mut self, expected: &[&str], (number, input): (usize, &str), name: &str) {
        for prefix in ["C: ", "-> ", "= "] {
            let wanted: Vec<&str> = expected.iter().copied().filter(|line| line.starts_with(prefix)).collect();
            let got: Vec<&str> =
                self.output.iter().map(String::as_str).filter(|line| line.starts_with(prefix)).collect();
            assert_eq!(got, wanted, "{name}: after line {number}, `{input}`");
        }
        self.output.clear();
    }

    pub fn give(&mut self, line: &str) {
        if let Some(said) = line.strip_prefix("S: ") {
            // Lines that come together.
            let bytes: Vec<u8> =
                said.split(" | ").flat_map(|line| [unescape(line).as_slice(), b"\r\n"].concat()).collect();
            let pieces: Vec<&[u8]> = match self.pieces {
                Pieces::Lines => vec![&bytes],
                Pieces::Bytes => bytes.chunks(1).collect(),
            };
            for piece in pieces {
                self.session.handle_input(piece, self.now);
                self.settle();
            }
            return;
        }
        if let Some(time) = line.strip_prefix("wait ") {
            self.now += Duration::from_secs(time.strip_suffix(" s").unwrap().parse().unwrap());
            self.session.handle_timeout(self.now);
        } else if line == "do abort" {
            self.session.abort(self.now);
        } else if let Some(wish) = line.strip_prefix("do ") {
            self.session.submit(&operation(wish), self.now);
        } else if line == "<- lost" {
            self.session.handle_lost();
        } else {
            let event = event(line.strip_prefix("<- ").unwrap_or_else(|| panic!("what is `{line}`?")));
            self.session.handle_event(event, self.now);
        }
        self.settle();
    }

    fn settle(&mut self) {
        let pending = self.session.outbox().pending().to_vec();
        for line in pending.split_inclusive(|&byte| byte == b'\n') {
            let line = line.strip_suffix(b"\r\n").expect("a line with its end");
            self.output.push(format!("C: {}", Escaped(line)));
        }
        self.session.outbox().consume(pending.len());
        while let Some(effect) = self.session.poll_effect() {
            self.output.push(format!("-> {}", describe(&effect)));
        }
        if let Some(outcome) = self.session.poll_outcome() {
            let closed = if self.session.is_closed() { ", closed" } else { "" };
            self.output.push(format!("= {}{closed}", result(&outcome)));
            assert!(self.session.is_closed() || self.session.is_ready(), "neither over nor ready: {outcome:?}");
        }
    }
}

fn operation(wish: &str) -> Operation {
    let (word, rest) = wish.split_once(' ').unwrap_or((wish, ""));
    let name = || unescape(rest);
    let two = || rest.split_once(' ').map(|(a, b)| (unescape(a), unescape(b))).unwrap();
    let path = || (!rest.is_empty()).then(|| unescape(rest));
    match word {
        "log" => Operation::LogIn,
        "get" => match rest.split_once(" from ") {
            Some((name, offset)) => Operation::Get { name: unescape(name), offset: offset.parse().unwrap() },
            None => Operation::Get { name: name(), offset: 0 },
        },
        "put" => Operation::Put { name: name(), size: None, mode: PutMode::Replace },
        "continue" => {
            let (offset, name) = two();
            let offset = String::from_utf8(offset).unwrap().parse().unwrap();
            Operation::Put { name, size: None, mode: PutMode::From(offset) }
        }
        "append" => Operation::Put { name: name(), size: None, mode: PutMode::Append },
        "unique" => Operation::Put { name: Vec::new(), size: None, mode: PutMode::Unique },
        "names" => Operation::List { path: path(), form: ListingForm::Names },
        "list" => Operation::List { path: path(), form: ListingForm::Long },
        "list-all" => Operation::List { path: path(), form: ListingForm::LongAll },
        "facts" => Operation::List { path: path(), form: ListingForm::Facts },
        "stat" => Operation::Stat { name: name() },
        "size" => Operation::Size { name: name() },
        "time" => Operation::ModifiedTime { name: name() },
        "set-time" => Operation::SetModifiedTime { name: name(), modified: 951_782_400 },
        "chmod" => Operation::SetMode { name: name(), mode: 0o640 },
        "delete" => Operation::Delete { name: name() },
        "rename" => {
            let (from, to) = two();
            Operation::Rename { from, to }
        }
        "mkdir" => Operation::MakeDirectory { name: name() },
        "rmdir" => Operation::RemoveDirectory { name: name() },
        "cd" => Operation::ChangeDirectory { name: name() },
        "pwd" => Operation::WorkingDirectory,
        "quote" => Operation::Quote { line: name() },
        "noop" => Operation::Noop,
        "quit" => Operation::Quit,
        other => panic!("what is `{other}`?"),
    }
}

fn event(text: &str) -> ClientEvent {
    match text {
        "TLS" => ClientEvent::TlsDone,
        "no TLS" => ClientEvent::TlsFailed,
        "connected" => ClientEvent::DataConnected,
        "progress" => ClientEvent::Progress,
        "moved" => ClientEvent::Moved { bytes: 3 },
        "no data" => ClientEvent::DataFailed,
        other => {
            let address = other.strip_prefix("listening at ").unwrap_or_else(|| panic!("what is `{other}`?"));
            ClientEvent::DataListening { address: address.parse().unwrap() }
        }
    }
}

fn describe(effect: &ClientEffect) -> String {
    let with_tls = |protected: &bool| if *protected { ", with TLS" } else { "" };
    match effect {
        ClientEffect::StartTls => "start TLS".to_owned(),
        ClientEffect::ConnectData { port, address: None, protected } => {
            format!("connect to port {port}{}", with_tls(protected))
        }
        ClientEffect::ConnectData { port, address: Some(address), protected } => {
            format!("connect to {address} port {port}{}", with_tls(protected))
        }
        ClientEffect::ListenData { protected } => format!("listen{}", with_tls(protected)),
        ClientEffect::StartMoving { expected: None } => "move".to_owned(),
        ClientEffect::StartMoving { expected: Some(bytes) } => format!("move {bytes} bytes"),
        ClientEffect::StopMoving => "stop moving".to_owned(),
        ClientEffect::AbandonData => "abandon data".to_owned(),
        ClientEffect::CloseControl => "close control".to_owned(),
        ClientEffect::TakeNames { .. } => panic!("names on the control connection"),
    }
}

fn result(outcome: &Outcome) -> String {
    let text = |text: &[u8]| Escaped(text).to_string();
    match outcome {
        Outcome::Complete => "complete".to_owned(),
        Outcome::Told(Told::Reply { code, text: words }) => format!("reply {code} {}", text(words)),
        Outcome::Told(Told::Path(path)) => format!("path {}", text(path)),
        Outcome::Told(Told::Name(name)) => format!("name {}", text(name)),
        Outcome::Told(Told::Size(bytes)) => format!("{bytes} bytes"),
        Outcome::Told(Told::Modified(time)) => format!("time {time}"),
        Outcome::Told(Told::Entry(entry)) => {
            format!("{:?} {}, {:?} bytes, time {:?}", entry.kind, text(&entry.name), entry.size, entry.modified)
        }
        Outcome::Refused { code, text: words } => format!("refused {code} {}", text(words)),
        Outcome::LogInRefused { part, code, text: words } => format!("not let in: {part:?} {code} {}", text(words)),
        Outcome::Unsayable => "unsayable".to_owned(),
        Outcome::DataFailed { step } => format!("data failed: {step:?}"),
        Outcome::Aborted { code } => format!("aborted {code}"),
        Outcome::Failed { failure: Failure::OutOfStep { command, reply }, .. } => match command {
            Some(command) => format!("out of step: {} to {}", text(reply), text(command)),
            None => format!("out of step: {} unasked", text(reply)),
        },
        Outcome::Failed { step, failure } => format!("failed: {step:?} {failure:?}"),
    }
}
