//! What the shell holds for the running transfer: its storage, its port, its data connection, and the moving of bytes.
//!
//! It must not know the session but for the names it takes: it does what it was asked for and says what came of it.

use muxftp_proto::server::io::Event;
use muxftp_proto::{Cause, DataPortPolicy, Dialect, ServerSession, VPath};

use crate::env::Env;
use crate::link::{Numbered, Wires, connected};

/// What the shell holds for the running transfer.
pub struct Running {
    pub numbered: Numbered,
    wish: Option<Wish>,
    open: Option<Open>,
    pub port: Option<u16>,
    pub data: Option<usize>,
    pub limit: Option<u64>,
    pub bytes: u64,
    pub committing: bool,
    pub to_control: bool,
    stalled: bool,
}

/// What is to be opened.
pub enum Wish {
    Read(VPath),
    Write(VPath),
    List,
}

enum Open {
    Send(Vec<u8>),
    Upload { temporary: u64, path: VPath },
}

impl Running {
    pub fn new(numbered: Numbered, wish: Wish) -> Running {
        Running {
            numbered,
            wish: Some(wish),
            open: None,
            port: None,
            data: None,
            limit: None,
            bytes: 0,
            committing: false,
            to_control: false,
            stalled: false,
        }
    }

    pub fn opened(&mut self, dialect: Dialect, env: &mut Env) -> Option<Event> {
        let op = self.numbered.op;
        let wish = self.wish.take()?;
        if env.chance(env.faults.disk) {
            return Some(Event::StorageFailed { op, cause: Cause::DiskError });
        }
        let (open, size) = match wish {
            Wish::Read(path) => match env.disk.read(&path) {
                Ok(bytes) => {
                    let size = bytes.len() as u64;
                    (Open::Send(bytes), Some(size))
                }
                Err(cause) => return Some(Event::StorageFailed { op, cause }),
            },
            Wish::Write(path) => (Open::Upload { temporary: env.disk.begin(), path }, None),
            Wish::List => (Open::Send(env.disk.list(dialect)), None),
        };
        self.open = Some(open);
        Some(Event::StorageReady { op, size, name: None })
    }

    pub fn listening(&mut self, policy: DataPortPolicy, wires: &mut Wires, env: &mut Env) -> Option<Event> {
        let op = self.numbered.op;
        if policy == DataPortPolicy::Shared {
            // Each person has an address of his own here: nobody is ever held back.
            self.port = Some(SHARED_PORT);
            return Some(Event::DataListening { op, port: SHARED_PORT });
        }
        let skipped = env.below(10);
        let free = (20_000..20_050).filter(|port| !env.ports.contains(port)).nth(skipped);
        let Some(port) = free.filter(|_| !env.chance(env.faults.ports)) else {
            return Some(Event::DataFailed { op, cause: Cause::NoDataPort });
        };
        env.ports.insert(port);
        self.port = Some(port);
        wires.port = Some(port);
        Some(Event::DataListening { op, port })
    }

    pub fn accepted(&mut self, wires: &mut Wires) -> Option<Event> {
        self.data = Some(wires.waiting.take()?);
        Some(connected(self.numbered))
    }

    pub fn committed(&mut self, env: &mut Env) -> Option<Event> {
        let op = self.numbered.op;
        self.committing = false;
        if env.chance(env.faults.disk) {
            return Some(Event::StorageFailed { op, cause: Cause::DiskError });
        }
        if let Some(Open::Upload { temporary, path }) = self.open.take() {
            env.disk.commit(temporary, &path);
        }
        Some(Event::Committed { op })
    }

    /// A piece of a listing goes behind the replies, while there is room.
    pub fn next_names(&mut self, session: &mut ServerSession, env: &mut Env) -> Option<Event> {
        let (op, bytes) = (self.numbered.op, self.bytes);
        if env.chance(env.faults.disk) {
            return Some(Event::MoveFailed { op, bytes, cause: Cause::DiskError });
        }
        let Some(Open::Send(content)) = &self.open else { panic!("names come from something open") };
        let left = &content[self.bytes as usize..];
        if left.is_empty() {
            return Some(Event::Moved { op, bytes });
        }
        if !session.outbox().is_full() {
            let count = 1 + env.below(left.len());
            session.push_names(&left[..count]);
            self.bytes += count as u64;
        }
        None
    }

    pub fn moves(&mut self, wires: &mut Wires, env: &mut Env) -> Option<Event> {
        let (op, bytes) = (self.numbered.op, self.bytes);
        let data = &mut wires.data[self.data.expect("bytes move on a connection")];
        self.stalled |= env.chance(env.faults.stall);
        if self.stalled {
            // Neither end nor byte: the session's timer has to end it.
            return None;
        }
        if data.broken {
            return Some(Event::MoveFailed { op, bytes, cause: Cause::DataLost });
        }
        if env.chance(env.faults.disk) {
            let cause = if matches!(self.open, Some(Open::Upload { .. })) { Cause::NoSpace } else { Cause::DiskError };
            return Some(Event::MoveFailed { op, bytes, cause });
        }
        match self.open.as_mut().expect("bytes move from or to something open") {
            Open::Send(content) => {
                if data.client_closed {
                    return Some(Event::MoveFailed { op, bytes, cause: Cause::DataLost });
                }
                let left = &content[self.bytes as usize..];
                let room = SOCKET_BYTES.saturating_sub(data.to_client.len()).min(left.len());
                let count = if room == 0 { 0 } else { 1 + env.below(room) };
                data.to_client.extend(&left[..count]);
                self.bytes += count as u64;
                (self.bytes == content.len() as u64).then_some(Event::Moved { op, bytes: self.bytes })
            }
            Open::Upload { temporary, .. } => {
                let wanted = self.limit.map_or(usize::MAX, |limit| (limit - self.bytes) as usize);
                let there = data.to_server.len().min(wanted);
                let count = if there == 0 { 0 } else { 1 + env.below(there) };
                let taken: Vec<u8> = data.to_server.drain(..count).collect();
                env.disk.append(*temporary, &taken);
                self.bytes += count as u64;
                let ended = data.client_closed && data.to_server.is_empty();
                (count == wanted || ended).then_some(Event::Moved { op, bytes: self.bytes })
            }
        }
    }

    pub fn close_data(&mut self, wires: &mut Wires, env: &mut Env) {
        if let Some(data) = self.data.take() {
            wires.data[data].server_closed = true;
        }
        if let Some(waiting) = wires.waiting.take() {
            wires.data[waiting].broken = true;
        }
        if let Some(port) = self.port.take().filter(|port| *port != SHARED_PORT) {
            env.ports.remove(&port);
            wires.port = None;
        }
    }

    pub fn release(&mut self, well: bool, wires: &mut Wires, env: &mut Env) {
        self.close_data(wires, env);
        if let Some(Open::Upload { temporary, path }) = self.open.take() {
            assert!(!well, "an upload was confirmed without its commit");
            // A commit that is with a worker may be done before it hears of the end.
            if self.committing && env.chance(50) {
                env.saw("commit after loss");
                env.disk.commit(temporary, &path);
            } else {
                env.disk.discard(temporary);
            }
        }
    }
}

/// Of the dialects that share one.
const SHARED_PORT: u16 = 5002;

/// What a socket holds for a peer that does not read.
const SOCKET_BYTES: usize = 500;
