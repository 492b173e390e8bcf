//! The server's shell: files in memory, answers that come late, and its side of the data connection.

use muxftp_proto::representation::entry::{Entry, EntryKind, Relation, print_facts, print_long};
use muxftp_proto::server::io::{Effect, Event, ListForm, ListingSpec, OperationId, StoreMode, Task, TaskAnswer};
use muxftp_proto::{Cause, Permissions, ServerSession, VPath};

use super::{Common, Wire};

/// What the shell of one session holds.
#[derive(Default)]
pub struct Shell {
    /// A hand-shake of TLS is due, behind the replies.
    pub securing: bool,
    answers: Vec<Event>,
    link: Option<Link>,
    transfer: Option<Transfer>,
    ending: bool,
    over: bool,
}

struct Link {
    op: OperationId,
    wire: Option<usize>,
}

struct Transfer {
    op: OperationId,
    path: Vec<u8>,
    content: Content,
    moving: bool,
    bytes: usize,
}

enum Content {
    Send(Vec<u8>),
    Store(Vec<u8>),
}

impl Shell {
    pub fn is_over(&self) -> bool {
        self.over
    }

    pub fn is_ending(&self) -> bool {
        self.ending
    }

    pub fn end(&mut self) {
        self.over = true;
    }

    pub fn check_nothing_is_left(&self) {
        assert!(self.link.is_none(), "a data connection is left");
        assert!(self.transfer.is_none(), "a transfer is left");
    }

    pub fn apply(&mut self, effect: Effect, world: &mut Common) {
        world.note(|| format!("server wants {effect:?}"));
        match effect {
            Effect::ListenData { op } => {
                let port = 20_000 + world.chance.below(1000) as u16;
                self.link = Some(Link { op, wire: None });
                let fails = world.fails();
                world.server_port = (!fails).then_some(port);
                self.answers.push(match fails {
                    true => Event::DataFailed { op, cause: Cause::NoDataPort },
                    false => Event::DataListening { op, port },
                });
            }
            Effect::ConnectData { op, to } => {
                assert_eq!(to.ip(), world.client_address, "nobody else is connected to");
                let reached = world.client_port == Some(to.port()) && !world.fails();
                let wire = reached.then(|| {
                    world.wires.push(Wire::default());
                    world.wires.len() - 1
                });
                world.came_to_client = wire;
                world.client_port = None;
                self.link = Some(Link { op, wire });
                self.answers.push(match reached {
                    true => Event::DataConnected { op },
                    false => Event::DataFailed { op, cause: Cause::DataRefused },
                });
            }
            Effect::CloseData { op } => {
                let link = self.link.take().expect("a data connection to close");
                assert_eq!(link.op, op, "another data connection is closed");
                self.forget(op);
                for wire in link.wire.into_iter().chain(world.came_to_server.take()) {
                    world.wires[wire].server_closed = true;
                    // What was not read makes a reset of the close.
                    world.wires[wire].broken |= !world.wires[wire].to_server.is_empty();
                }
                world.server_port = None;
            }
            Effect::OpenRead { op, path, part } => {
                let content = match world.files.get(&absolute(&path)) {
                    Some(Some(content)) => {
                        content.get(part.from as usize..).map(<[u8]>::to_vec).ok_or(Cause::BadRestart)
                    }
                    Some(None) => Err(Cause::IsDirectory),
                    None => Err(Cause::NotFound),
                };
                self.open(op, &path, content.map(Content::Send), None, world);
            }
            Effect::OpenWrite { op, path, mode, .. } => self.open_write(op, &path, mode, world),
            Effect::OpenList { op, path, listing } => {
                let listing = list(&path, &listing, world);
                self.open(op, &path, Ok(Content::Send(listing)), None, world);
            }
            Effect::StartMoving { op, protected, .. } => {
                assert_eq!(world.protected, protected, "one end encrypts, and the other does not");
                self.of(op).moving = true;
            }
            Effect::Commit { op } => {
                if world.fails() {
                    self.answers.push(Event::StorageFailed { op, cause: Cause::DiskError });
                } else {
                    self.commit(op, world);
                    self.answers.push(Event::Committed { op });
                }
            }
            Effect::Release { op, .. } => {
                assert_eq!(self.transfer.take().map(|transfer| transfer.op), Some(op), "another transfer is released");
                self.forget(op);
            }
            Effect::Run { op, task } => {
                let result = if world.fails() { Err(Cause::DiskError) } else { run(&task, world) };
                let result = match (&task, result) {
                    (Task::LogIn { .. }, Err(_)) => Err(Cause::LoginFailed),
                    (_, result) => result,
                };
                self.answers.push(Event::TaskDone { op, result });
            }
            Effect::LogOut => {}
            Effect::Secure => self.securing = true,
            Effect::CloseControl { .. } => self.ending = true,
            Effect::DropControl => {
                self.over = true;
                world.to_client.ended = true;
            }
            Effect::MoveToControl { .. } => unreachable!("nobody says STAT with a path"),
        }
    }

    fn open_write(&mut self, op: OperationId, path: &VPath, mode: StoreMode, world: &mut Common) {
        let mut name = absolute(path);
        let is_directory = path.is_root() || world.files.get(&name) == Some(&None);
        let there = world.files.get(&name).cloned().flatten().unwrap_or_default();
        let content = match mode {
            StoreMode::New { .. } => {
                let number = (1..).find(|number| !world.files.contains_key(format!("/unique.{number}").as_bytes()));
                name = format!("/unique.{}", number.expect("there are enough numbers")).into_bytes();
                Ok(Vec::new())
            }
            _ if is_directory => Err(Cause::IsDirectory),
            StoreMode::Replace => Ok(Vec::new()),
            StoreMode::Append => Ok(there),
            StoreMode::Restart { from, .. } => there.get(..from as usize).map(<[u8]>::to_vec).ok_or(Cause::BadRestart),
        };
        let chosen = matches!(mode, StoreMode::New { .. }).then(|| name[1..].to_vec());
        let path = VPath::root().resolve(&name).expect("a path");
        self.open(op, &path, content.map(Content::Store), chosen, world);
    }

    fn open(
        &mut self,
        op: OperationId,
        path: &VPath,
        content: Result<Content, Cause>,
        name: Option<Vec<u8>>,
        world: &mut Common,
    ) {
        assert!(self.transfer.is_none(), "two transfers at once");
        let content = if world.fails() { Err(Cause::DiskError) } else { content };
        self.answers.push(match &content {
            Ok(Content::Send(content)) => Event::StorageReady { op, size: Some(content.len() as u64), name },
            Ok(Content::Store(_)) => Event::StorageReady { op, size: None, name },
            Err(cause) => Event::StorageFailed { op, cause: *cause },
        });
        let content = content.unwrap_or(Content::Send(Vec::new()));
        self.transfer = Some(Transfer { op, path: absolute(path), content, moving: false, bytes: 0 });
    }

    fn of(&mut self, op: OperationId) -> &mut Transfer {
        self.transfer.as_mut().filter(|transfer| transfer.op == op).expect("an effect of the running transfer")
    }

    fn commit(&mut self, op: OperationId, world: &mut Common) {
        let transfer = self.of(op);
        if let Content::Store(content) = &transfer.content {
            world.files.insert(transfer.path.clone(), Some(content.clone()));
        }
    }

    fn forget(&mut self, op: OperationId) {
        self.answers.retain(|event| event.op() != op);
    }

    /// Does one thing, if there is one.
    pub fn act(&mut self, world: &mut Common, server: &mut ServerSession) -> bool {
        if !self.answers.is_empty() && world.chance.of(60) {
            let event = self.answers.swap_remove(world.chance.below(self.answers.len()));
            world.note(|| format!("server hears {event:?}"));
            server.handle_event(event, world.now);
            return true;
        }
        if let Some(link) = self.link.as_mut().filter(|link| link.wire.is_none())
            && let Some(wire) = world.came_to_server.take()
        {
            link.wire = Some(wire);
            server.handle_event(Event::DataConnected { op: link.op }, world.now);
            return true;
        }
        match self.moves(world) {
            Some(event) => {
                server.handle_event(event, world.now);
                true
            }
            None => !self.answers.is_empty(),
        }
    }

    fn moves(&mut self, world: &mut Common) -> Option<Event> {
        let transfer = self.transfer.as_mut().filter(|transfer| transfer.moving)?;
        let wire = self.link.as_ref().and_then(|link| link.wire).expect("bytes move over a connection");
        let wire = &mut world.wires[wire];
        let (op, bytes) = (transfer.op, transfer.bytes as u64);
        if wire.stalled {
            return None;
        }
        let failed = |transfer: &mut Transfer, cause| {
            transfer.moving = false;
            Some(Event::MoveFailed { op, bytes, cause })
        };
        if wire.broken {
            return failed(transfer, Cause::DataLost);
        }
        if world.chance.of(world.trouble / 3) {
            return failed(transfer, Cause::DiskError);
        }
        let is_whole = match &mut transfer.content {
            Content::Send(_) if wire.client_closed => return failed(transfer, Cause::DataLost),
            Content::Send(content) => {
                let room = SOCKET_BYTES.saturating_sub(wire.to_client.len()).min(content.len() - transfer.bytes);
                if room == 0 && transfer.bytes < content.len() {
                    return None;
                }
                let count = world.chance.below(room + 1);
                wire.to_client.extend(&content[transfer.bytes..transfer.bytes + count]);
                transfer.bytes += count;
                transfer.bytes == content.len()
            }
            Content::Store(content) => {
                let there = wire.to_server.len();
                if there == 0 && !wire.client_closed {
                    return None;
                }
                let count = world.chance.below(there + 1);
                content.extend(wire.to_server.drain(..count));
                transfer.bytes += count;
                wire.client_closed && wire.to_server.is_empty()
            }
        };
        transfer.moving = !is_whole;
        let bytes = transfer.bytes as u64;
        Some(if is_whole { Event::Moved { op, bytes } } else { Event::Progress { op, bytes } })
    }
}

fn run(task: &Task, world: &mut Common) -> Result<TaskAnswer, Cause> {
    let files = &mut world.files;
    match task {
        Task::LogIn { name, password } => {
            assert_eq!((name.as_slice(), password.0.as_slice()), (&b"alice"[..], &b"secret"[..]));
            Ok(TaskAnswer::LoggedIn(Permissions::ALL))
        }
        Task::Examine(path) if path.is_root() => Ok(TaskAnswer::Entry(entry(b"", None))),
        Task::Examine(path) => match files.get(&absolute(path)) {
            Some(content) => Ok(TaskAnswer::Entry(entry(b"", content.as_deref()))),
            None => Err(Cause::NotFound),
        },
        Task::MakeDirectory(path) if files.contains_key(&absolute(path)) => Err(Cause::Exists),
        Task::MakeDirectory(path) => {
            files.insert(absolute(path), None);
            Ok(TaskAnswer::Done)
        }
        Task::RemoveDirectory(path) | Task::RemoveFile(path) => {
            let is_directory = files.get(&absolute(path)).ok_or(Cause::NotFound)?.is_none();
            match (task, is_directory) {
                (Task::RemoveFile(_), true) => return Err(Cause::IsDirectory),
                (Task::RemoveDirectory(_), false) => return Err(Cause::NotDirectory),
                _ => files.remove(&absolute(path)),
            };
            Ok(TaskAnswer::Done)
        }
        Task::Rename { from, to, may_replace } => {
            if files.contains_key(&absolute(to)) && !may_replace {
                return Err(Cause::NotAllowed);
            }
            let content = files.remove(&absolute(from)).ok_or(Cause::NotFound)?;
            files.insert(absolute(to), content);
            Ok(TaskAnswer::Done)
        }
        task => unreachable!("nobody asks for {task:?}"),
    }
}

fn list(path: &VPath, listing: &ListingSpec, world: &Common) -> Vec<u8> {
    let mut out = Vec::new();
    let names = world.files.iter().filter(|_| path.is_root());
    for (name, content) in names {
        let entry = entry(&name[1..], content.as_deref());
        match &listing.form {
            ListForm::Long => print_long(&entry, MODIFIED + 1000, &mut out),
            ListForm::Facts { facts, permissions } => {
                print_facts(&entry, *facts, *permissions, Relation::Child, &mut out);
                out.extend_from_slice(b"\r\n");
            }
            ListForm::Names(_) | ListForm::Plain => out.extend([&name[1..], b"\r\n"].concat()),
        }
    }
    out
}

fn entry<'a>(name: &'a [u8], content: Option<&[u8]>) -> Entry<'a> {
    let kind = if content.is_some() { EntryKind::File } else { EntryKind::Directory };
    let size = content.map_or(4096, |content| content.len() as u64);
    Entry { name, kind, size, modified: MODIFIED, mode: 0o644, links: 1, unique: (1, 2) }
}

fn absolute(path: &VPath) -> Vec<u8> {
    [b"/", path.as_bytes()].concat()
}

/// Of all files.
pub const MODIFIED: i64 = 1_795_239_960;

/// What a socket holds for a peer that does not read.
const SOCKET_BYTES: usize = 500;
