//! What a running transfer holds: its storage, its data port, its data connection, and the moving of the bytes.
//!
//! It must not know the control connection or the session's rules: it does what it is told and says what happened.
//!
//! # Invariants
//! - The port goes back to the free list exactly once, in [`DataPlane::release`].
//! - Only the control connection's peer gets a data connection; anyone else at the port is closed.
//! - A step moves a bounded number of bytes.

use std::io;
use std::net::{IpAddr, SocketAddr};

use mio::net::{TcpListener, TcpStream};
use muxftp_proto::server::io::{Event, OperationId};
use muxftp_proto::{Cause, Dialect, VPath};
use muxftp_reactor::pump::{self, PumpError, Step};
use muxftp_reactor::{Job, Key, QueueFull, Reactor, listen};

use super::{Owner, Shared, WorkDone};
use crate::storage::{self, ListProgress, Listing, ReadFile, Upload};

/// The data side of one transfer.
pub(super) struct DataPlane {
    op: OperationId,
    storage: Storage,
    connection: Connection,
    /// The port that is to be given back.
    port: Option<u16>,
    bytes: u64,
    limit: Option<u64>,
}

enum Storage {
    Read {
        file: std::fs::File,
        size: u64,
    },
    Write(Upload),
    List(Names),
    /// Committed, or on its way to it.
    Gone,
}

/// A directory being sent: the names that are read but not yet written.
struct Names {
    listing: Listing,
    dialect: Dialect,
    pending: Vec<u8>,
    sent: usize,
    complete: bool,
}

enum Connection {
    None,
    Listening(TcpListener, Key),
    /// Wanted on a port that all sessions share.
    Shared,
    /// Accepted; in the reactor only once there is something to wait for.
    Connected(TcpStream, Option<Key>),
}

/// What comes after a step.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// An event.
    Wait,
    /// Another step, when the others have had theirs.
    Again,
    /// All bytes have moved.
    Moved,
    /// None will move any more.
    Failed(Cause),
}

impl DataPlane {
    /// Opens a file to send; gives its size too.
    pub(super) fn read(op: OperationId, shared: &Shared, path: &VPath) -> Result<(DataPlane, Option<u64>), Cause> {
        let ReadFile { file, size } = shared.root.open_read(path)?;
        Ok((DataPlane::new(op, Storage::Read { file, size }), Some(size)))
    }

    /// Opens a hidden file that is to become `path`.
    pub(super) fn write(
        op: OperationId,
        shared: &Shared,
        path: &VPath,
        size: Option<u64>,
    ) -> Result<(DataPlane, Option<u64>), Cause> {
        let upload = shared.root.open_write(path, size)?;
        Ok((DataPlane::new(op, Storage::Write(upload)), None))
    }

    /// Opens a directory to list.
    pub(super) fn list(
        op: OperationId,
        shared: &Shared,
        path: &VPath,
        dialect: Dialect,
    ) -> Result<(DataPlane, Option<u64>), Cause> {
        let listing = shared.root.open_list(path)?;
        let names = Names { listing, dialect, pending: Vec::new(), sent: 0, complete: false };
        Ok((DataPlane::new(op, Storage::List(names)), None))
    }

    fn new(op: OperationId, storage: Storage) -> DataPlane {
        DataPlane { op, storage, connection: Connection::None, port: None, bytes: 0, limit: None }
    }

    pub(super) fn op(&self) -> OperationId {
        self.op
    }

    /// Bytes moved on the data connection.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The data connection's key, once it is in the reactor.
    pub(super) fn key(&self) -> Option<Key> {
        match self.connection {
            Connection::Connected(_, key) => key,
            _ => None,
        }
    }

    /// Whether the server is the one that writes.
    pub(super) fn sends(&self) -> bool {
        !matches!(self.storage, Storage::Write(_))
    }

    /// Whether only the peer's close marks the end of what it sends.
    pub(super) fn ends_by_close(&self) -> bool {
        !self.sends() && self.limit.is_none()
    }

    /// Reads the next piece of a listing, for the control connection.
    pub(super) fn next_names(&mut self) -> Next {
        let Storage::List(names) = &mut self.storage else { return Next::Wait };
        if names.complete {
            names.pending.clear();
            return Next::Moved;
        }
        match names.read(CONTROL_PIECE_BYTES) {
            Ok(()) => {
                self.bytes += names.pending.len() as u64;
                Next::Again
            }
            Err(cause) => Next::Failed(cause),
        }
    }

    /// What [`DataPlane::next_names`] has read.
    pub(super) fn names(&self) -> &[u8] {
        match &self.storage {
            Storage::List(names) => &names.pending,
            _ => &[],
        }
    }

    /// Asks for one of the ports that all sessions share; `None`: it comes later.
    pub(super) fn share(&mut self, shared: &mut Shared, session: Key, local: IpAddr, peer: IpAddr) -> Option<u16> {
        self.connection = Connection::Shared;
        shared.shared_ports.ask(session, local, peer)
    }

    /// Takes a data connection that came to a shared port.
    pub(super) fn take(&mut self, stream: TcpStream) {
        self.connection = Connection::Connected(stream, None);
    }

    /// Listens on a free port.
    pub(super) fn listen(
        &mut self,
        shared: &mut Shared,
        rx: &mut Reactor<Owner>,
        session: Key,
        address: IpAddr,
    ) -> Result<u16, Cause> {
        for _ in 0..shared.ports.free() {
            let Some(port) = shared.ports.take() else { break };
            match listen::listen_tcp(SocketAddr::new(address, port), DATA_BACKLOG) {
                Ok(mut listener) => {
                    self.port = Some(port);
                    let key =
                        rx.register(&mut listener, Owner::DataListener(session)).map_err(|_| Cause::OutOfResources)?;
                    self.connection = Connection::Listening(listener, key);
                    return Ok(port);
                }
                Err(error) => {
                    shared.ports.give_back(port);
                    // Another program has this port: the next one may be free.
                    if error.kind() != io::ErrorKind::AddrInUse {
                        return Err(Cause::OutOfResources);
                    }
                }
            }
        }
        Err(Cause::NoDataPort)
    }

    /// Takes the peer's data connection, if it is there.
    ///
    /// # Errors
    /// There is no descriptor for it.
    pub(super) fn accept(&mut self, rx: &mut Reactor<Owner>, peer: SocketAddr) -> Result<bool, Cause> {
        let Connection::Listening(listener, key) = &self.connection else { return Ok(false) };
        for _ in 0..STRANGERS_PER_TURN {
            match listener.accept() {
                Ok((stream, from)) if from.ip().to_canonical() == peer.ip().to_canonical() => {
                    rx.release(*key);
                    self.connection = Connection::Connected(stream, None);
                    return Ok(true);
                }
                Ok((_stranger, from)) => crate::log::stranger(from, peer),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) if is_shortage(&error) => return Err(Cause::OutOfResources),
                // A connection that died in the queue.
                Err(_) => {}
            }
        }
        rx.queue(*key);
        Ok(false)
    }

    /// Prepares for [`DataPlane::run`]: up to `limit` bytes of an upload.
    ///
    /// # Errors
    /// The reactor cannot take the connection.
    pub(super) fn start(&mut self, rx: &mut Reactor<Owner>, session: Key, limit: Option<u64>) -> Result<(), Cause> {
        self.limit = limit;
        // The peer of an upload needs a moment before its first byte is here; waiting for the event saves a read in vain.
        if self.sends() { Ok(()) } else { self.watch(rx, session) }
    }

    /// Moves bytes within the budget of one turn.
    pub(super) fn run(&mut self, shared: &mut Shared, rx: &mut Reactor<Owner>, session: Key) -> Next {
        let Connection::Connected(stream, _) = &self.connection else { return Next::Wait };
        let next = match &mut self.storage {
            Storage::Read { file, size } => send_file(stream, file, *size, &mut self.bytes, &mut shared.buffer),
            Storage::Write(upload) => receive(stream, upload, self.limit, &mut self.bytes, &mut shared.buffer),
            Storage::List(names) => names.send(stream, &mut self.bytes),
            Storage::Gone => Next::Wait,
        };
        if matches!(next, Next::Wait | Next::Again)
            && let Err(cause) = self.watch(rx, session)
        {
            return Next::Failed(cause);
        }
        next
    }

    /// Gives the upload its name; `None`: the answer comes later, from a worker.
    pub(super) fn commit(&mut self, op: OperationId, session: Key, shared: &mut Shared) -> Option<Event> {
        let Storage::Write(upload) = std::mem::replace(&mut self.storage, Storage::Gone) else { return None };
        let Some(workers) = &mut shared.workers else { return Some(commit(upload, op)) };
        let job: Job<WorkDone> = Box::new(move || (session, commit(upload, op)));
        match workers.submit(job) {
            Ok(()) => None,
            // The disk is far behind: everybody waits for this one rather than that it is lost.
            Err(QueueFull(job)) => Some(job().1),
        }
    }

    /// Closes the data connection.
    pub(super) fn close_connection(&mut self, session: Key, shared: &mut Shared, rx: &mut Reactor<Owner>) {
        match std::mem::replace(&mut self.connection, Connection::None) {
            Connection::Listening(_, key) | Connection::Connected(_, Some(key)) => rx.release(key),
            Connection::Shared => shared.shared_ports.give_up(session),
            Connection::None | Connection::Connected(_, None) => {}
        }
        if let Some(port) = self.port.take() {
            shared.ports.give_back(port);
        }
    }

    /// Lets go of everything; an upload that was not committed vanishes.
    pub(super) fn release(&mut self, session: Key, shared: &mut Shared, rx: &mut Reactor<Owner>) {
        self.close_connection(session, shared, rx);
        self.storage = Storage::Gone;
    }

    /// Puts the connection into the reactor, if it is not.
    fn watch(&mut self, rx: &mut Reactor<Owner>, session: Key) -> Result<(), Cause> {
        if let Connection::Connected(stream, key @ None) = &mut self.connection {
            *key = Some(rx.register(stream, Owner::Data(session)).map_err(|_| Cause::OutOfResources)?);
        }
        Ok(())
    }
}

impl Names {
    /// Reads the next piece.
    fn read(&mut self, bytes_max: usize) -> Result<(), Cause> {
        self.pending.clear();
        self.sent = 0;
        let dialect = self.dialect;
        let progress = self.listing.fill(&mut self.pending, bytes_max, |name, out| dialect.print_listed(name, out))?;
        self.complete = progress == ListProgress::End;
        Ok(())
    }

    /// Reads and writes one piece of the listing.
    fn send(&mut self, stream: &TcpStream, bytes: &mut u64) -> Next {
        if self.sent == self.pending.len() {
            if self.complete {
                return Next::Moved;
            }
            if let Err(cause) = self.read(LISTING_PIECE_BYTES) {
                return Next::Failed(cause);
            }
        }
        while self.sent < self.pending.len() {
            match pump::send(stream, &self.pending[self.sent..]) {
                Ok(Step::Moved(count)) => {
                    self.sent += count;
                    *bytes += count as u64;
                }
                Ok(Step::Blocked | Step::End) => return Next::Wait,
                Err(_) => return Next::Failed(Cause::DataLost),
            }
        }
        if self.complete { Next::Moved } else { Next::Again }
    }
}

fn send_file(stream: &TcpStream, file: &std::fs::File, size: u64, sent: &mut u64, buffer: &mut [u8]) -> Next {
    let mut budget = SEND_BYTES_PER_TURN;
    while *sent < size {
        if budget == 0 {
            return Next::Again;
        }
        let most = usize::try_from(size - *sent).map_or(budget, |left| left.min(budget));
        match pump::send_file(stream, file, sent, most, buffer) {
            Ok(Step::Moved(count)) => budget -= count,
            Ok(Step::Blocked) => return Next::Wait,
            // Somebody on this machine has cut the file: what was promised cannot be sent.
            Ok(Step::End) => return Next::Failed(Cause::DiskError),
            Err(PumpError::Source(error)) => return Next::Failed(storage::cause_of(&error)),
            Err(PumpError::Sink(_)) => return Next::Failed(Cause::DataLost),
        }
    }
    Next::Moved
}

fn receive(stream: &TcpStream, upload: &mut Upload, limit: Option<u64>, received: &mut u64, buffer: &mut [u8]) -> Next {
    for _ in 0..READS_PER_TURN {
        let left = limit.map_or(u64::MAX, |limit| limit - *received);
        if left == 0 {
            return Next::Moved;
        }
        let room = usize::try_from(left).map_or(buffer.len(), |left| left.min(buffer.len()));
        match pump::receive(stream, &mut buffer[..room]) {
            Ok(Step::Moved(count)) => {
                if let Err(cause) = upload.write(&buffer[..count]) {
                    return Next::Failed(cause);
                }
                *received += count as u64;
            }
            Ok(Step::End) => return Next::Moved,
            Ok(Step::Blocked) => return Next::Wait,
            Err(_) => return Next::Failed(Cause::DataLost),
        }
    }
    if limit == Some(*received) { Next::Moved } else { Next::Again }
}

fn commit(upload: Upload, op: OperationId) -> Event {
    match upload.commit() {
        Ok(()) => Event::Committed { op },
        Err(cause) => Event::StorageFailed { op, cause },
    }
}

fn is_shortage(error: &io::Error) -> bool {
    matches!(storage::cause_of(error), Cause::OutOfResources)
}

/// Strangers at a data port that are closed before other sessions have their turn.
const STRANGERS_PER_TURN: usize = 8;

/// One connection is expected; a few strangers must not keep it out.
const DATA_BACKLOG: i32 = 8;

/// What one download may send in a turn: some 60 microseconds of copying. Twice as much made the p99 of small transfers
/// beside it a third longer, and half as much cost half as much CPU again per byte.
const SEND_BYTES_PER_TURN: usize = 256 * 1024;

/// Buffers that one upload may fill in a turn.
const READS_PER_TURN: usize = 2;

/// What is read of a directory before it goes behind the replies: so much more than their bound may wait there.
const CONTROL_PIECE_BYTES: usize = 16 * 1024;

/// What is read of a directory before it is sent.
const LISTING_PIECE_BYTES: usize = 64 * 1024;
