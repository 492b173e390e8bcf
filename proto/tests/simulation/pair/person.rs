//! A person: what is wanted, the bytes for it, and whether what was promised is so.

use std::collections::BTreeMap;

use muxftp_proto::ClientSession;
use muxftp_proto::client::io::{ClientEvent, Failure, ListingForm, LogInPart, Operation, Outcome, PutMode, Told};
use muxftp_proto::representation::listed::{ListedKind, parse_facts, parse_long};

use crate::ftp::Chance;

use super::{Common, Wire};

/// What the person wants still, and has now.
pub struct Person {
    left: usize,
    logged_in: bool,
    /// The working directory, as far as the server has confirmed it.
    directory: Vec<u8>,
    current: Option<Current>,
    uploads: usize,
}

struct Current {
    operation: Operation,
    /// Of an upload: all that is to be sent. Of a download: what has come.
    bytes: Vec<u8>,
    sent: usize,
    /// What was there when it began.
    before: BTreeMap<Vec<u8>, Option<Vec<u8>>>,
    aborted: bool,
}

type Files = BTreeMap<Vec<u8>, Option<Vec<u8>>>;

impl Person {
    pub fn new(world: &mut Common) -> Person {
        let left = 2 + world.chance.below(15);
        Person { left, logged_in: false, directory: b"/".to_vec(), current: None, uploads: 0 }
    }

    pub fn wants_more(&self) -> bool {
        self.left > 0
    }

    pub fn waits(&self) -> bool {
        self.current.is_some()
    }

    pub fn has_unsent(&self) -> bool {
        let is_upload = |current: &&Current| matches!(current.operation, Operation::Put { .. });
        self.current
            .as_ref()
            .filter(is_upload)
            .is_some_and(|current| current.sent < current.bytes.len() || current.sent == 0)
    }

    pub fn begin_anew(&mut self) {
        self.logged_in = false;
        self.directory = b"/".to_vec();
    }

    /// Wants the next thing, or has enough of the present one.
    pub fn act(&mut self, world: &mut Common, client: &mut ClientSession) -> bool {
        if client.is_closed() {
            return false;
        }
        if let Some(current) = &mut self.current {
            if !current.aborted && world.chance.below(250) == 0 {
                world.saw("abort");
                current.aborted = true;
                client.abort(world.now);
                return true;
            }
            return false;
        }
        let operation = match self.logged_in {
            false => Operation::LogIn,
            true if self.left == 0 => Operation::Quit,
            true => self.wish(&mut world.chance),
        };
        self.left = self.left.saturating_sub(1);
        // Longer than the server lets a session be idle.
        if world.chance.of(world.trouble / 4) {
            world.now += std::time::Duration::from_secs(400);
        }
        let mut bytes = Vec::new();
        if let Operation::Put { .. } = operation {
            self.uploads += 1;
            // The first bytes are in no other upload, so that each can be told from all others.
            bytes = format!("{}:", self.uploads).into_bytes();
            bytes.resize(bytes.len() + world.chance.below(1500), b'a' + (self.uploads % 26) as u8);
        }
        world.note(|| format!("person wants {operation:?}"));
        self.current =
            Some(Current { operation: operation.clone(), bytes, sent: 0, before: world.files.clone(), aborted: false });
        client.submit(&operation, world.now);
        true
    }

    fn wish(&self, chance: &mut Chance) -> Operation {
        let name = NAMES[chance.below(NAMES.len())].to_vec();
        let to = NAMES[chance.below(NAMES.len())].to_vec();
        let path = if chance.of(50) { None } else { Some(b"/".to_vec()) };
        match chance.below(24) {
            0..5 => Operation::Get { name, offset: if chance.of(50) { 0 } else { chance.below(40) as u64 } },
            5..8 => Operation::Put { name, size: None, mode: PutMode::Replace },
            8..10 => Operation::Put { name, size: None, mode: PutMode::From(chance.below(20) as u64) },
            10 => Operation::Put { name, size: None, mode: PutMode::Append },
            11 => Operation::Put { name: Vec::new(), size: None, mode: PutMode::Unique },
            12 => Operation::List { path, form: ListingForm::Names },
            13 => {
                let form = if chance.of(50) { ListingForm::Long } else { ListingForm::LongAll };
                Operation::List { path, form }
            }
            14 => Operation::List { path, form: ListingForm::Facts },
            15 => Operation::Stat { name },
            16 => Operation::Size { name },
            17 => Operation::Delete { name },
            18 => Operation::Rename { from: name, to },
            19 => Operation::MakeDirectory { name },
            20 => Operation::RemoveDirectory { name },
            21 => Operation::ChangeDirectory { name: [&b"/dir"[..], b"/"][chance.below(2)].to_vec() },
            22 => Operation::WorkingDirectory,
            _ => Operation::Quote { line: [&b"HELP"[..], b"TYPE A", b"STAT", b"XYZZY"][chance.below(4)].to_vec() },
        }
    }

    /// Moves some bytes; `None`: there is nothing to move.
    pub fn moves(&mut self, wire: &mut Wire, chance: &mut Chance) -> Option<ClientEvent> {
        let current = self.current.as_mut().expect("bytes move for an operation");
        if wire.broken {
            return Some(ClientEvent::DataFailed);
        }
        if let Operation::Put { .. } = current.operation {
            if wire.server_closed {
                return Some(ClientEvent::DataFailed);
            }
            let left = current.bytes.len() - current.sent;
            let count = 1 + chance.below(left);
            wire.to_server.extend(&current.bytes[current.sent..current.sent + count]);
            current.sent += count;
            let bytes = current.sent as u64;
            return Some(if count == left { ClientEvent::Moved { bytes } } else { ClientEvent::Progress });
        }
        match wire.to_client.len() {
            0 if wire.server_closed => Some(ClientEvent::Moved { bytes: current.bytes.len() as u64 }),
            0 => None,
            there => {
                current.bytes.extend(wire.to_client.drain(..1 + chance.below(there)));
                Some(ClientEvent::Progress)
            }
        }
    }

    /// Holds the outcome against what has really happened.
    pub fn conclude(&mut self, outcome: Outcome, closed: bool, world: &mut Common) {
        let Current { operation, bytes, sent, before, aborted } =
            self.current.take().expect("one outcome for each operation");
        world.note(|| format!("outcome: {outcome:?}"));
        let word = format!("{operation:?}").split([' ', '{']).next().unwrap_or_default().to_owned();
        let after = wanted(&operation, &bytes, &before);
        match &outcome {
            Outcome::Complete | Outcome::Told(_) => {
                self.check_done(&operation, &outcome, &bytes, &before, world);
                match (&operation, &after) {
                    (Operation::Put { mode: PutMode::Unique, .. }, _) => {}
                    (_, Some(after)) => assert!(world.files == *after, "{operation:?} is not done"),
                    (_, None) => panic!("{operation:?} cannot be done"),
                }
                world.saw(format!("{word} complete"));
            }
            Outcome::Refused { code, .. } => {
                assert!(world.files == before, "{operation:?} has changed something: {outcome:?}");
                world.saw(format!("{word} refused {code}"));
            }
            Outcome::LogInRefused { part, .. } => {
                assert!(closed && operation == Operation::LogIn);
                let part = if *part == LogInPart::Credentials { "credentials" } else { "before them" };
                world.saw(format!("log-in refused: {part}"));
            }
            Outcome::Aborted { .. } | Outcome::DataFailed { .. } | Outcome::Failed { .. } => {
                let unique = matches!(operation, Operation::Put { mode: PutMode::Unique, .. });
                let is_whole =
                    after.as_ref() == Some(&world.files) || unique && has_one_more(&before, &world.files, &bytes);
                // Who has sent all of an upload cannot know whether the server had not put it in place already.
                let is_whole = is_whole && sent == bytes.len();
                assert!(world.files == before || is_whole, "{operation:?} has left a part: {outcome:?}");
                if let Outcome::Failed { failure, .. } = &outcome {
                    assert!(closed, "it goes on after {outcome:?}");
                    assert!(
                        !matches!(failure, Failure::UnexpectedReply(_) | Failure::Tls | Failure::ClearBeforeTls),
                        "the ends do not understand each other: {outcome:?}"
                    );
                    world.saw(format!("failed {}", format!("{failure:?}").split('(').next().unwrap_or_default()));
                } else {
                    world.saw(format!("{word} {}", format!("{outcome:?}").split(' ').next().unwrap_or_default()));
                }
            }
            Outcome::Unsayable => panic!("{operation:?} cannot be said"),
        }
        assert!(aborted || !matches!(outcome, Outcome::Aborted { .. }), "nobody has given it up");
        if world.trouble == 0 && !aborted {
            let fair = matches!(outcome, Outcome::Refused { code: 550 | 553 | 554, .. } | Outcome::LogInRefused { .. });
            assert!(fair || outcome.is_success(), "nothing went wrong, and yet: {outcome:?}");
        }
        assert!(closed || !matches!(outcome, Outcome::Failed { .. }));
    }

    fn check_done(
        &mut self,
        operation: &Operation,
        outcome: &Outcome,
        bytes: &[u8],
        before: &Files,
        world: &mut Common,
    ) {
        match operation {
            Operation::LogIn => self.logged_in = true,
            Operation::Get { name, offset } => {
                let content = before[name].as_ref().expect("a file");
                assert!(bytes == &content[*offset as usize..], "another content of {name:?}");
            }
            Operation::Put { mode: PutMode::Unique, .. } => {
                let Outcome::Told(Told::Name(name)) = outcome else { panic!("no name") };
                assert!(has_one_more(before, &world.files, bytes));
                assert_eq!(world.files.get(&[b"/", name.as_slice()].concat()), Some(&Some(bytes.to_vec())));
            }
            Operation::List { form, path } => {
                let directory = path.as_deref().unwrap_or(&self.directory);
                check_listing(*form, directory, bytes, before);
            }
            Operation::Stat { name } => {
                let Outcome::Told(Told::Entry(entry)) = outcome else { panic!("no entry") };
                let content = before[name].as_ref();
                assert_eq!(entry.size, content.map(|content| content.len() as u64));
                assert_eq!(entry.kind == ListedKind::Directory, content.is_none());
                // Without MLST the time is a question of its own, which may fail alone.
                let is_known = entry.mode.is_some() || entry.modified.is_some();
                assert_eq!(entry.modified, is_known.then_some(super::shell::MODIFIED));
            }
            Operation::Size { name } => {
                let size = before[name].as_ref().expect("a file").len() as u64;
                assert_eq!(*outcome, Outcome::Told(Told::Size(size)));
            }
            Operation::ChangeDirectory { name } => self.directory = name.clone(),
            Operation::WorkingDirectory => {
                assert_eq!(*outcome, Outcome::Told(Told::Path(self.directory.clone())));
            }
            _ => {}
        }
    }
}

/// What is there when an operation is done; `None`: it cannot be.
fn wanted(operation: &Operation, bytes: &[u8], before: &Files) -> Option<Files> {
    let mut files = before.clone();
    match operation {
        Operation::Put { name, mode, .. } => {
            let mut content = match mode {
                PutMode::Replace | PutMode::Unique => Vec::new(),
                PutMode::Append => before.get(name).cloned().flatten().unwrap_or_default(),
                PutMode::From(offset) => {
                    let content = before.get(name).cloned().flatten().unwrap_or_default();
                    content.get(..*offset as usize)?.to_vec()
                }
            };
            content.extend_from_slice(bytes);
            files.insert(name.clone(), Some(content));
        }
        Operation::Delete { name } | Operation::RemoveDirectory { name } => {
            files.remove(name)?;
        }
        Operation::MakeDirectory { name } => {
            files.insert(name.clone(), None);
        }
        Operation::Rename { from, to } => {
            let content = files.remove(from)?;
            files.insert(to.clone(), content);
        }
        _ => {}
    }
    Some(files)
}

fn has_one_more(before: &Files, after: &Files, bytes: &[u8]) -> bool {
    after.iter().filter(|(name, _)| !before.contains_key(*name)).all(|(_, content)| content.as_deref() == Some(bytes))
        && after.len() == before.len() + 1
}

/// Each name is there, with its kind and size as far as they are told.
fn check_listing(form: ListingForm, directory: &[u8], bytes: &[u8], before: &Files) {
    let names: Vec<&[u8]> = match directory {
        b"/" => before.keys().map(|name| &name[1..]).collect(),
        _ => Vec::new(),
    };
    let lines: Vec<&[u8]> = bytes.split(|&byte| byte == b'\n').filter_map(|line| line.strip_suffix(b"\r")).collect();
    if form == ListingForm::Names {
        return assert_eq!(lines, names);
    }
    let listed = lines.iter().map(|line| match form {
        ListingForm::Facts => parse_facts(line),
        _ => parse_long(line, super::shell::MODIFIED + 1000),
    });
    let listed: Vec<_> = listed.map(|entry| entry.expect("a line that is understood")).collect();
    assert_eq!(listed.iter().map(|entry| entry.name.as_slice()).collect::<Vec<_>>(), names);
    for entry in listed {
        let content = before[&[b"/", entry.name.as_slice()].concat()].as_ref();
        assert_eq!(entry.size, content.map(|content| content.len() as u64));
        assert_eq!(entry.kind == ListedKind::Directory, content.is_none());
    }
}

const NAMES: [&[u8]; 8] = [b"/a", b"/big", b"/empty", b"/new", b"/ two  words", b"/dir", b"/nope", b"/b \xff\xf4\"q\""];
