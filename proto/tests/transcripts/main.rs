//! Golden dialogues of the server session: what is said, and what is asked of the shell, line by line.
//!
//! A transcript is a text file of a dialect:
//!
//! ```text
//! C: GET notes.txt            the client says
//! -> open notes.txt to read   the session wants
//! <- ready 12                 the shell answers
//! S: 200 OK 20001             the server says
//! wait 10 s                   time passes, and the timer fires if it is due
//! ```
//!
//! `\xNN` is a byte, `<5000 times x>` is what it says, and `#` begins a comment line. Each transcript is played with LF
//! and with CRLF as line ends, and with its lines arriving whole and byte by byte: it must always be the same.
#![allow(clippy::unwrap_used, reason = "clippy.toml allows it in test functions, but not in their helpers")]

mod said;

use std::fs;
use std::net::Ipv4Addr;
use std::path::Path;
use std::time::{Duration, Instant};

use muxftp_proto::representation::entry::{Entry, EntryKind};
use muxftp_proto::server::io::{
    Effect, Ends, Event, ListForm, OperationId, Part, SessionConfig, StoreMode, Task, TaskAnswer, TlsMode,
};
use muxftp_proto::{Cause, Dialect, Permissions, ServerSession, VPath};

use said::unescape;

#[test]
fn transcripts_are_played_to_the_letter() {
    for dialect in Dialect::ALL {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/transcripts").join(dialect.word());
        let mut played = 0;
        for entry in fs::read_dir(&directory).unwrap() {
            let path = entry.unwrap().path();
            let text = fs::read_to_string(&path).unwrap();
            for line_end in ["\n", "\r\n"] {
                for pieces in [Pieces::Lines, Pieces::Bytes] {
                    let name = path.file_name().unwrap().to_string_lossy();
                    Player::new(dialect, &text, line_end, pieces)
                        .play(&text, &format!("{name} ({pieces:?}, {line_end:?})"));
                }
            }
            played += 1;
        }
        assert!(played > 0, "no transcript in {}", directory.display());
    }
}

/// How the lines arrive.
#[derive(Debug, Clone, Copy)]
enum Pieces {
    Lines,
    Bytes,
}

struct Player {
    session: ServerSession,
    now: Instant,
    /// The transfer or task that was last asked for.
    op: Option<OperationId>,
    /// The data connection that was last asked for.
    data: Option<OperationId>,
    line_end: &'static str,
    pieces: Pieces,
    /// What the session has said and wanted since the last input.
    output: Vec<String>,
}

impl Player {
    fn new(dialect: Dialect, text: &str, line_end: &'static str, pieces: Pieces) -> Player {
        let guest = !text.lines().any(|line| line == "# guest: read-only");
        let config = SessionConfig {
            permissions: if guest { Permissions::ALL } else { Permissions::READ_ONLY },
            data_connect_timeout: Duration::from_secs(10),
            stall_timeout: Duration::from_secs(60),
            storage_timeout: Duration::from_secs(30),
            idle_timeout: Duration::from_secs(300),
            login_timeout: Duration::from_secs(60),
            tls: tls_mode(text),
        };
        let ends = Ends {
            local: if text.contains("# over IPv6") { "[2001:db8::1]:21" } else { "192.0.2.1:21" }.parse().unwrap(),
            peer: if text.contains("# over IPv6") { "[2001:db8::9]:4000" } else { "192.0.2.9:4000" }.parse().unwrap(),
            public: text.contains("# public address").then_some(Ipv4Addr::new(203, 0, 113, 7)),
        };
        let now = Instant::now();
        let session = ServerSession::new(dialect, config, ends, now);
        let mut player = Player { session, now, op: None, data: None, line_end, pieces, output: Vec::new() };
        player.settle();
        player
    }

    /// Gives each input and holds what follows against the lines that follow.
    fn play(mut self, text: &str, name: &str) {
        let mut expected: Vec<&str> = Vec::new();
        let mut input = (0, "the start");
        let lines = text.lines().enumerate().filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
        for (number, line) in lines {
            if line.starts_with("S: ") || line.starts_with("-> ") {
                expected.push(line);
                continue;
            }
            self.compare(&expected, input, name);
            expected.clear();
            input = (number + 1, line);
            self.give(line);
        }
        self.compare(&expected, input, name);
    }

    /// Effects and replies go different ways, so only the order within each is part of the contract.
    fn compare(&mut self, expected: &[&str], (number, input): (usize, &str), name: &str) {
        for prefix in ["-> ", "S: "] {
            let wanted: Vec<&str> = expected.iter().copied().filter(|line| line.starts_with(prefix)).collect();
            let got: Vec<&str> =
                self.output.iter().map(String::as_str).filter(|line| line.starts_with(prefix)).collect();
            assert_eq!(got, wanted, "{name}: after line {number}, `{input}`");
        }
        self.output.clear();
    }

    fn give(&mut self, line: &str) {
        if let Some(said) = line.strip_prefix("C: ").or(line.strip_prefix("C:")) {
            let bytes = [unescape(said).as_slice(), self.line_end.as_bytes()].concat();
            let pieces: Vec<&[u8]> = match self.pieces {
                Pieces::Lines => vec![&bytes],
                Pieces::Bytes => bytes.chunks(1).collect(),
            };
            for piece in pieces {
                self.session.handle_input(piece, self.now);
                self.settle();
            }
        } else if let Some(lines) = line.strip_prefix("<- names ") {
            let lines: String = lines.split(' ').map(|name| format!("{name}\n")).collect();
            self.session.push_names(lines.as_bytes());
            self.settle();
        } else if let Some(time) = line.strip_prefix("wait ") {
            let seconds: f64 = time.strip_suffix(" s").unwrap().parse().unwrap();
            self.now += Duration::from_secs_f64(seconds);
            self.session.handle_timeout(self.now);
            self.settle();
        } else {
            match line.strip_prefix("<- ").unwrap_or_else(|| panic!("what is `{line}`?")) {
                "end of input" => self.session.handle_end_of_input(self.now),
                "lost" => self.session.handle_lost(self.now),
                "drain" => self.session.drain(self.now),
                "cut" => self.session.cut(self.now),
                "secured" => self.session.handle_secured(self.now),
                answer => {
                    let event = self.event(answer);
                    self.session.handle_event(event, self.now);
                }
            }
            self.settle();
        }
    }

    fn event(&self, answer: &str) -> Event {
        let op = self.op.unwrap_or_default();
        let data = self.data.unwrap_or_default();
        let done = |answer| Event::TaskDone { op, result: Ok(answer) };
        let (word, rest) = answer.split_once(' ').unwrap_or((answer, ""));
        let number = || rest.parse::<u64>().unwrap();
        match word {
            "ready" if rest.starts_with("as ") => {
                Event::StorageReady { op, size: None, name: Some(rest.as_bytes()[3..].to_vec()) }
            }
            "ready" => Event::StorageReady { op, size: rest.parse().ok(), name: None },
            "listening" => Event::DataListening { op: data, port: rest.parse().unwrap() },
            "connected" => Event::DataConnected { op: data },
            "progress" => Event::Progress { op, bytes: number() },
            "moved" => Event::Moved { op, bytes: number() },
            "committed" => Event::Committed { op },
            "working" => Event::TaskProgress { op },
            "no-storage" => Event::StorageFailed { op, cause: cause(rest) },
            "no-data" => Event::DataFailed { op: data, cause: cause(rest) },
            "done" => done(TaskAnswer::Done),
            "number" => done(TaskAnswer::Number(number())),
            "welcome" if rest == "read-only" => done(TaskAnswer::LoggedIn(Permissions::READ_ONLY)),
            "welcome" => done(TaskAnswer::LoggedIn(Permissions::ALL)),
            "directory" => done(TaskAnswer::Entry(entry(EntryKind::Directory, 0))),
            "file" => done(TaskAnswer::Entry(entry(EntryKind::File, number()))),
            "digest" => done(TaskAnswer::Digest { digest: vec![0xCB, 0xF4, 0x39, 0x26], range: (0, 8) }),
            "no" => Event::TaskDone { op, result: Err(cause(rest)) },
            "broken" => {
                let (bytes, why) = rest.split_once(' ').unwrap();
                Event::MoveFailed { op, bytes: bytes.parse().unwrap(), cause: cause(why) }
            }
            other => panic!("what is `{other}`?"),
        }
    }

    fn settle(&mut self) {
        loop {
            while let Some(effect) = self.session.poll_effect() {
                let line = self.describe(effect);
                self.output.push(format!("-> {line}"));
            }
            let pending = self.session.outbox().pending().to_vec();
            if pending.is_empty() {
                if !self.session.has_work() {
                    return;
                }
                self.session.resume(self.now);
                continue;
            }
            self.output.extend(String::from_utf8(pending.clone()).unwrap().lines().map(|line| format!("S: {line}")));
            self.session.outbox().consume(pending.len());
            self.session.handle_flushed(self.now);
        }
    }

    fn describe(&mut self, effect: Effect) -> String {
        match effect {
            Effect::OpenRead { op, path, part: Part { from, until, ascii } } => {
                self.op = Some(op);
                let until = until.map_or(String::new(), |until| format!(" until {until}"));
                let from = if from > 0 { format!(" from {from}") } else { String::new() };
                format!("open {path} to read{from}{until}{}", if ascii { ", ascii" } else { "" })
            }
            Effect::OpenWrite { op, path, size, mode } => {
                self.op = Some(op);
                let size = size.map_or("unknown size".to_owned(), |size| format!("{size} bytes"));
                let how = match mode {
                    StoreMode::Replace => String::new(),
                    StoreMode::Append => ", append".to_owned(),
                    StoreMode::New { .. } => ", new name".to_owned(),
                    StoreMode::Restart { from, ascii } => {
                        format!(", from {from}{}", if ascii { ", ascii" } else { "" })
                    }
                };
                format!("open {} to write, {size}{how}", shown(&path))
            }
            Effect::OpenList { op, path, listing } => {
                self.op = Some(op);
                let form = match listing.form {
                    ListForm::Plain => String::new(),
                    ListForm::Names(argument) => format!(", names of `{}`", String::from_utf8(argument).unwrap()),
                    ListForm::Long => ", long".to_owned(),
                    ListForm::Facts { .. } => ", facts".to_owned(),
                };
                let glob = if listing.glob { ", glob" } else { "" };
                let literal: String = listing.literal.iter().map(|name| format!(", or {}", name.path)).collect();
                format!("open {} to list{form}{glob}{literal}", shown(&path))
            }
            Effect::Run { op, task } => {
                self.op = Some(op);
                format!("run {}", task_line(&task))
            }
            Effect::LogOut => "log out".to_owned(),
            Effect::Secure => "secure".to_owned(),
            Effect::ListenData { op } => {
                self.data = Some(op);
                "listen".to_owned()
            }
            Effect::ConnectData { op, to } => {
                self.data = Some(op);
                format!("connect to {to}")
            }
            Effect::StartMoving { limit, ascii, protected, .. } => {
                let limit = limit.map_or(String::new(), |limit| format!(" {limit}"));
                let (ascii, protected) =
                    (if ascii { ", ascii" } else { "" }, if protected { ", encrypted" } else { "" });
                format!("move{limit}{ascii}{protected}")
            }
            Effect::MoveToControl { .. } => "move to control".to_owned(),
            Effect::CloseData { .. } => "close data".to_owned(),
            Effect::Commit { .. } => "commit".to_owned(),
            Effect::Release { report, .. } => {
                let result = match report.result {
                    Ok(()) => "well".to_owned(),
                    Err(None) => "peer gone".to_owned(),
                    Err(Some(cause)) => format!("{cause:?}"),
                };
                format!("release, {} bytes, {result}", report.bytes)
            }
            Effect::CloseControl { .. } => "close control".to_owned(),
            Effect::DropControl => "drop control".to_owned(),
        }
    }
}

/// `# tls: required` and the like.
fn tls_mode(text: &str) -> TlsMode {
    let word = text.lines().find_map(|line| line.strip_prefix("# tls: "));
    match word {
        None => TlsMode::Off,
        Some("optional") => TlsMode::Optional,
        Some("required") => TlsMode::Required,
        Some("implicit") => TlsMode::Implicit,
        Some(other) => panic!("no mode `{other}`"),
    }
}

fn shown(path: &VPath) -> String {
    if path.is_root() { "/".to_owned() } else { path.to_string() }
}

fn task_line(task: &Task) -> String {
    match task {
        Task::LogIn { name, password } => {
            format!("log in {} with `{}`", String::from_utf8_lossy(name), String::from_utf8_lossy(&password.0))
        }
        Task::Examine(path) => format!("examine {}", shown(path)),
        Task::AsciiSize(path) => format!("ascii size of {path}"),
        Task::MakeDirectory(path) => format!("mkdir {path}"),
        Task::RemoveDirectory(path) => format!("rmdir {path}"),
        Task::RemoveFile(path) => format!("remove {path}"),
        Task::Rename { from, to, may_replace: true } => format!("rename {from} to {to}"),
        Task::Rename { from, to, may_replace: false } => format!("rename {from} to {to}, replacing nothing"),
        Task::SetMode(path, mode) => format!("chmod {mode:o} {path}"),
        Task::SetModified(path, time) => format!("set time of {path} to {time}"),
        Task::Hash { path, algorithm, range: None } => format!("hash {path} by {}", algorithm.word()),
        Task::Hash { path, algorithm, range: Some((first, last)) } => {
            format!("hash {path} {first}-{last} by {}", algorithm.word())
        }
        Task::Available => "available".to_owned(),
    }
}

fn entry(kind: EntryKind<'static>, size: u64) -> Entry<'static> {
    Entry { name: b"", kind, size, modified: 1_795_239_991, mode: 0o644, links: 1, unique: (1, 2) }
}

fn cause(name: &str) -> Cause {
    match name {
        "NotFound" => Cause::NotFound,
        "NoSpace" => Cause::NoSpace,
        "NoDataPort" => Cause::NoDataPort,
        "DataLost" => Cause::DataLost,
        "DiskError" => Cause::DiskError,
        "LoginFailed" => Cause::LoginFailed,
        "LockedOut" => Cause::LockedOut,
        "Exists" => Cause::Exists,
        "NotEmpty" => Cause::NotEmpty,
        "DataRefused" => Cause::DataRefused,
        "QuotaExceeded" => Cause::QuotaExceeded,
        "IsDirectory" => Cause::IsDirectory,
        "TlsNotResumed" => Cause::TlsNotResumed,
        "StorageTimeout" => Cause::StorageTimeout,
        "TlsTruncated" => Cause::TlsTruncated,
        other => panic!("add `{other}` here"),
    }
}
