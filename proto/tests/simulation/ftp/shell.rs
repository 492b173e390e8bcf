//! A shell of `ftp` in memory: data connections, files, tasks; each answered in its own time, well or not.

use std::collections::BTreeMap;

use muxftp_proto::representation::entry::{Entry, EntryKind};
use muxftp_proto::server::io::{Effect, Event, OperationId, StoreMode, Task, TaskAnswer, TlsMode, TransferKind};
use muxftp_proto::{Cause, Permission, Permissions};

use crate::env::Stats;

use super::Chance;

/// What a session has made its shell hold.
pub struct Shell {
    files: BTreeMap<Vec<u8>, Vec<u8>>,
    /// How likely things go wrong, in percent.
    trouble: u32,
    permissions: Option<Permissions>,
    tls: TlsMode,
    link: Option<Link>,
    transfer: Option<Transfer>,
    /// Answers that are still to be given, in any order.
    answers: Vec<Event>,
    past: Vec<OperationId>,
    next_port: u16,
    ending: bool,
    /// How each transfer has ended.
    pub results: Vec<Result<(), Option<Cause>>>,
}

struct Link {
    op: OperationId,
    /// The peer knows of it, and may connect.
    is_told: bool,
    port: Option<u16>,
    is_connected: bool,
    is_broken: bool,
    /// What the peer will send, and then close.
    content: Vec<u8>,
}

struct Transfer {
    op: OperationId,
    path: Vec<u8>,
    content: Content,
    is_open: bool,
    moves: Option<Way>,
    bytes: usize,
    is_committed: bool,
}

enum Content {
    Send(Vec<u8>),
    Store(StoreMode, Vec<u8>),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Data,
    Control,
}

impl Shell {
    pub fn new(tls: TlsMode, chance: &mut Chance) -> Shell {
        let files = [(b"a".to_vec(), b"there from the beginning".to_vec()), (b"big".to_vec(), vec![b'b'; 5000])];
        Shell {
            files: files.into(),
            trouble: if chance.of(30) { 0 } else { 10 },
            permissions: None,
            tls,
            link: None,
            transfer: None,
            answers: Vec::new(),
            past: Vec::new(),
            next_port: 20_000,
            ending: false,
            results: Vec::new(),
        }
    }

    pub fn ending(&mut self) {
        assert!(!self.ending, "the end twice");
        self.ending = true;
    }

    pub fn is_ending(&self) -> bool {
        self.ending
    }

    pub fn apply(&mut self, effect: Effect, chance: &mut Chance, stats: &mut Stats) {
        assert!(!self.ending, "{effect:?} after the end");
        match effect {
            Effect::ListenData { op } => {
                assert!(self.link.is_none(), "two data connections at once");
                self.next_port += 1;
                let port = self.next_port;
                let content = vec![b'0' + (port % 10) as u8; chance.below(300)];
                self.link =
                    Some(Link { op, is_told: false, port: Some(port), is_connected: false, is_broken: false, content });
                self.answers.push(match chance.of(self.trouble) {
                    true => Event::DataFailed { op, cause: Cause::NoDataPort },
                    false => Event::DataListening { op, port },
                });
            }
            Effect::ConnectData { op, to } => {
                assert_eq!(to.to_string(), "192.0.2.9:20001", "nobody else is connected to");
                assert!(self.link.is_none(), "two data connections at once");
                let content = vec![b'x'; chance.below(300)];
                self.link = Some(Link { op, is_told: true, port: None, is_connected: true, is_broken: false, content });
                self.answers.push(match chance.of(self.trouble) {
                    true => Event::DataFailed { op, cause: Cause::DataRefused },
                    false => Event::DataConnected { op },
                });
            }
            Effect::CloseData { op } => {
                let link = self.link.take().expect("a data connection to close");
                assert_eq!(link.op, op, "another data connection is closed");
                self.answers.retain(|event| event.op() != op);
                self.past.push(op);
                // Whether the peer has been told of its port or not: it is gone.
                stats.saw("ftp: data connection closed");
            }
            Effect::OpenRead { op, path, part } => {
                self.must_be_allowed(Permission::Read);
                let content = self.files.get(path.as_bytes()).map(|content| {
                    let until = part.until.map_or(content.len(), |until| (until as usize).min(content.len()));
                    content.get(part.from as usize..until).map(<[u8]>::to_vec)
                });
                self.open(op, path.as_bytes(), content.flatten().map(Content::Send), chance);
            }
            Effect::OpenList { op, path, .. } => {
                self.must_be_allowed(Permission::List);
                let names = self.files.keys().flat_map(|name| [name, &b"\r\n"[..]].concat()).collect();
                self.open(op, path.as_bytes(), Some(Content::Send(names)), chance);
            }
            Effect::OpenWrite { op, path, mode, .. } => {
                let needed = if mode == StoreMode::Append { Permission::Append } else { Permission::Write };
                self.must_be_allowed(needed);
                self.open(op, path.as_bytes(), Some(Content::Store(mode, Vec::new())), chance);
            }
            Effect::StartMoving { op, protected, .. } => {
                let fits = match self.tls {
                    TlsMode::Off => !protected,
                    TlsMode::Optional => true,
                    TlsMode::Required | TlsMode::Implicit => protected,
                };
                assert!(fits, "protected: {protected} on a listener with TLS {:?}", self.tls);
                assert!(self.link.as_ref().is_some_and(|link| link.is_connected), "bytes move over nothing");
                self.of(op).moves = Some(Way::Data);
            }
            Effect::MoveToControl { op } => self.of(op).moves = Some(Way::Control),
            Effect::Commit { op } => {
                let failed = chance.of(self.trouble);
                let transfer = self.of(op);
                transfer.moves = None;
                if failed {
                    return self.answers.push(Event::StorageFailed { op, cause: Cause::DiskError });
                }
                transfer.is_committed = true;
                self.commit();
                self.answers.push(Event::Committed { op });
            }
            Effect::Release { op, report } => {
                let transfer = self.transfer.take().expect("a transfer to release");
                assert_eq!(transfer.op, op, "another transfer is released");
                let is_upload = matches!(report.kind, TransferKind::Upload { .. });
                assert!(report.result.is_err() || !is_upload || transfer.is_committed, "confirmed without its commit");
                self.answers.retain(|event| event.op() != op);
                self.past.push(op);
                self.results.push(report.result);
            }
            Effect::Run { op, task } => self.run(op, task, chance),
            Effect::LogOut => {
                assert!(self.permissions.take().is_some(), "nobody was logged in");
            }
            Effect::Secure | Effect::CloseControl { .. } | Effect::DropControl => unreachable!("taken before"),
        }
    }

    fn run(&mut self, op: OperationId, task: Task, chance: &mut Chance) {
        assert!(self.transfer.is_none(), "a task beside a transfer");
        let failed = chance.of(self.trouble);
        let entry = |kind| {
            TaskAnswer::Entry(Entry { name: b"", kind, size: 5, modified: 0, mode: 0o644, links: 1, unique: (0, 0) })
        };
        let result = match task {
            Task::LogIn { .. } => {
                assert!(self.permissions.is_none(), "a login on top of another");
                let permissions = match chance.below(4) {
                    0 => Permissions::READ_ONLY,
                    1 => Permissions::ALL.iter().filter(|right| *right != Permission::Append).collect(),
                    _ => Permissions::ALL,
                };
                self.permissions = (!failed).then_some(permissions);
                if failed { Err(Cause::LoginFailed) } else { Ok(TaskAnswer::LoggedIn(permissions)) }
            }
            task => {
                if let Some(needed) = needed_for(&task) {
                    self.must_be_allowed(needed);
                }
                match task {
                    _ if failed => Err(Cause::NotFound),
                    Task::Examine(path) if path.as_bytes() == b"dir" || path.is_root() => {
                        Ok(entry(EntryKind::Directory))
                    }
                    Task::Examine(_) => Ok(entry(EntryKind::File)),
                    Task::AsciiSize(_) | Task::Available => Ok(TaskAnswer::Number(7)),
                    Task::Hash { .. } => Ok(TaskAnswer::Digest { digest: vec![1, 2], range: (0, 4) }),
                    _ => Ok(TaskAnswer::Done),
                }
            }
        };
        self.answers.push(Event::TaskDone { op, result });
    }

    fn must_be_allowed(&self, needed: Permission) {
        assert!(self.permissions.is_some_and(|permissions| permissions.has(needed)), "without the right {needed:?}");
    }

    fn open(&mut self, op: OperationId, path: &[u8], content: Option<Content>, chance: &mut Chance) {
        assert!(self.transfer.is_none(), "two transfers at once");
        let failed = content.is_none() || chance.of(self.trouble);
        self.answers.push(match failed {
            true => Event::StorageFailed { op, cause: Cause::NotFound },
            false => Event::StorageReady { op, size: None, name: None },
        });
        let content = content.unwrap_or(Content::Send(Vec::new()));
        self.transfer = Some(Transfer {
            op,
            path: path.to_vec(),
            content,
            is_open: !failed,
            moves: None,
            bytes: 0,
            is_committed: false,
        });
    }

    fn of(&mut self, op: OperationId) -> &mut Transfer {
        let transfer = self.transfer.as_mut().filter(|transfer| transfer.op == op && transfer.is_open);
        transfer.expect("an effect of the running transfer")
    }

    fn commit(&mut self) {
        let Some(Transfer { path, content: Content::Store(mode, bytes), .. }) = &self.transfer else { return };
        let file = self.files.entry(path.clone()).or_default();
        match mode {
            StoreMode::Append => file.extend_from_slice(bytes),
            StoreMode::Restart { from, .. } => {
                file.truncate(*from as usize);
                file.extend_from_slice(bytes);
            }
            StoreMode::Replace | StoreMode::New { .. } => *file = bytes.clone(),
        }
    }

    /// One of the answers that are due.
    pub fn next_answer(&mut self, chance: &mut Chance) -> Option<Event> {
        if self.answers.is_empty() {
            return None;
        }
        let index = chance.below(self.answers.len());
        let event = self.answers.swap_remove(index);
        if let Event::DataFailed { op, .. } = event
            && let Some(link) = self.link.as_mut().filter(|link| link.op == op)
        {
            link.is_broken = true;
        }
        Some(event)
    }

    /// An answer to something that has ended: it must do nothing.
    pub fn late_answer(&mut self, chance: &mut Chance) -> Option<Event> {
        if self.past.is_empty() {
            return None;
        }
        let op = self.past[chance.below(self.past.len())];
        Some(match chance.below(6) {
            0 => Event::StorageReady { op, size: Some(7), name: None },
            1 => Event::DataConnected { op },
            2 => Event::Moved { op, bytes: 7 },
            3 => Event::MoveFailed { op, bytes: 7, cause: Cause::DataLost },
            4 => Event::Committed { op },
            _ => Event::TaskDone { op, result: Err(Cause::NotFound) },
        })
    }

    /// The client has heard a final reply: perhaps that of PASV or EPSV.
    pub fn told(&mut self, line: &str) {
        if let Some(link) = self.link.as_mut()
            && let Some(port) = link.port
        {
            let pasv = format!("({},{})", port >> 8, port & 255);
            let port_of_pasv = line.starts_with("227") && line.contains(&pasv[1..pasv.len() - 1]);
            link.is_told |= port_of_pasv || line.contains(&format!("|||{port}|"));
        }
    }

    /// The client comes to the port that it was told, before or after its command.
    pub fn client_connects(&mut self, chance: &mut Chance) -> Option<Event> {
        let comes = chance.of(70);
        let link = self.link.as_mut().filter(|link| link.is_told && !link.is_connected && !link.is_broken && comes)?;
        link.is_connected = true;
        Some(Event::DataConnected { op: link.op })
    }

    pub fn break_data(&mut self) {
        if let Some(link) = &mut self.link {
            link.is_broken = true;
        }
    }

    /// Names for the control connection.
    pub fn next_names(&mut self, chance: &mut Chance) -> Option<Vec<u8>> {
        let transfer = self.transfer.as_mut().filter(|transfer| transfer.moves == Some(Way::Control))?;
        let Content::Send(names) = &transfer.content else { return None };
        let lines: Vec<&[u8]> = names[transfer.bytes..].split_inclusive(|&byte| byte == b'\n').collect();
        let count = chance.below(lines.len() + 1);
        let piece = lines[..count].concat();
        transfer.bytes += piece.len();
        Some(piece)
    }

    /// Some bytes of the running transfer.
    pub fn moves(&mut self, chance: &mut Chance) -> Vec<Event> {
        let Some(transfer) = self.transfer.as_mut() else { return Vec::new() };
        let Some(way) = transfer.moves else { return Vec::new() };
        let op = transfer.op;
        let trouble = chance.of(self.trouble / 2);
        if way == Way::Data {
            let Some(link) = &mut self.link else { panic!("bytes move over nothing") };
            if link.is_broken || trouble {
                transfer.moves = None;
                let cause = match (&transfer.content, link.is_broken) {
                    (_, true) => Cause::DataLost,
                    (Content::Store(..), false) => Cause::QuotaExceeded,
                    (Content::Send(_), false) => Cause::DiskError,
                };
                return vec![Event::MoveFailed { op, bytes: transfer.bytes as u64, cause }];
            }
            let total = match &mut transfer.content {
                Content::Send(content) => content.len(),
                Content::Store(_, received) => {
                    let count = chance.below(link.content.len() + 1);
                    received.extend(link.content.drain(..count));
                    transfer.bytes = received.len();
                    transfer.bytes + link.content.len()
                }
            };
            if let Content::Send(_) = transfer.content {
                transfer.bytes += chance.below(total - transfer.bytes + 1);
            }
            let bytes = transfer.bytes as u64;
            if transfer.bytes == total {
                transfer.moves = None;
                return vec![Event::Progress { op, bytes }, Event::Moved { op, bytes }];
            }
            return vec![Event::Progress { op, bytes }];
        }
        let Content::Send(names) = &transfer.content else { return Vec::new() };
        let bytes = transfer.bytes as u64;
        if transfer.bytes < names.len() {
            return vec![Event::Progress { op, bytes }];
        }
        transfer.moves = None;
        vec![Event::Moved { op, bytes }]
    }

    /// Whether nothing of its own is to come.
    pub fn is_idle(&self) -> bool {
        self.answers.is_empty()
    }

    pub fn check_nothing_is_left(&self) {
        assert!(self.link.is_none(), "a data connection is left");
        assert!(self.transfer.is_none(), "a transfer is left");
    }
}

/// The right that a task needs, as far as the task tells.
fn needed_for(task: &Task) -> Option<Permission> {
    match task {
        Task::MakeDirectory(_) => Some(Permission::Mkdir),
        Task::RemoveDirectory(_) | Task::RemoveFile(_) => Some(Permission::Delete),
        Task::Rename { .. } => Some(Permission::Rename),
        Task::SetMode(..) | Task::SetModified(..) => Some(Permission::Write),
        Task::Hash { .. } => Some(Permission::Read),
        Task::LogIn { .. } | Task::Examine(_) | Task::AsciiSize(_) | Task::Available => None,
    }
}
