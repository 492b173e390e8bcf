//! The data connection of a session: its port, the peer at it, its place in the reactor.
//!
//! It must not know what moves over it, or the session's rules.
//!
//! # Invariants
//! - The port goes back to the free list exactly once, in [`Link::close`].
//! - Only the control connection's peer gets a data connection; anyone else at the port is closed.

use std::io;
use std::net::{IpAddr, SocketAddr};

use mio::net::{TcpListener, TcpStream};
use muxftp_proto::Cause;
use muxftp_proto::server::io::OperationId;
use muxftp_reactor::tls::Stream;
use muxftp_reactor::{Key, Reactor, connect, listen};

use super::{Owner, Shared};
use crate::limits;
use crate::ports::Holder;
use crate::storage;

/// A data connection, or what is to become one.
pub(super) struct Link {
    pub(super) op: OperationId,
    connection: Connection,
    /// The port that is to be given back.
    port: Option<u16>,
}

enum Connection {
    None,
    Listening(TcpListener, Key),
    /// Wanted on a port that all sessions share.
    Shared,
    /// On its way to the peer.
    Connecting(TcpStream, Key),
    /// There; in the reactor only once there is something to wait for.
    Connected(Stream, Option<Key>),
}

impl Link {
    pub(super) fn new() -> Link {
        Link { op: OperationId::default(), connection: Connection::None, port: None }
    }

    /// The connection's key, once it is in the reactor.
    pub(super) fn key(&self) -> Option<Key> {
        match self.connection {
            Connection::Connected(_, key) => key,
            _ => None,
        }
    }

    /// The connection, when it is there.
    pub(super) fn stream(&mut self) -> Option<&mut Stream> {
        match &mut self.connection {
            Connection::Connected(stream, _) => Some(stream),
            _ => None,
        }
    }

    /// The port that was agreed on for this connection alone.
    pub(super) fn port(&self) -> Option<u16> {
        self.port
    }

    pub(super) fn is_none(&self) -> bool {
        matches!(self.connection, Connection::None)
    }

    /// Asks for one of the ports that all sessions share.
    pub(super) fn share(&mut self, shared: &mut Shared, session: Key, local: IpAddr, peer: IpAddr) {
        self.connection = Connection::Shared;
        shared.shared_ports.ask(session, local, peer);
    }

    /// Takes a data connection that came to a shared port.
    pub(super) fn take(&mut self, stream: TcpStream) {
        self.connection = Connection::Connected(stream.into(), None);
    }

    /// Listens on a free port.
    pub(super) fn listen(
        &mut self,
        shared: &mut Shared,
        rx: &mut Reactor<Owner>,
        session: Key,
        address: IpAddr,
        holder: Holder,
    ) -> Result<u16, Cause> {
        for _ in 0..shared.ports.free() {
            let Some(port) = shared.ports.take(holder) else { break };
            match listen::listen_tcp(SocketAddr::new(address, port), limits::DATA_BACKLOG) {
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
        for _ in 0..limits::STRANGERS_PER_TURN {
            match listener.accept() {
                Ok((stream, from)) if from.ip().to_canonical() == peer.ip().to_canonical() => {
                    rx.release(*key);
                    self.connection = Connection::Connected(stream.into(), None);
                    return Ok(true);
                }
                Ok((_stranger, from)) => crate::log::stranger(from, peer),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) if is_shortage(&error) => return Err(Cause::OutOfResources),
                // A connection that died in the queue.
                Err(_) => {}
            }
        }
        rx.defer(*key);
        Ok(false)
    }

    /// Begins to connect to the peer, from the address that it knows.
    ///
    /// # Errors
    /// It is refused at once, or there is no descriptor.
    pub(super) fn connect(
        &mut self,
        rx: &mut Reactor<Owner>,
        session: Key,
        local: IpAddr,
        to: SocketAddr,
    ) -> Result<(), Cause> {
        let refused = |error: io::Error| if is_shortage(&error) { Cause::OutOfResources } else { Cause::DataRefused };
        let mut stream = connect::connect(to, Some(SocketAddr::new(local, 0))).map_err(refused)?;
        let key = rx.register(&mut stream, Owner::Data(session)).map_err(|_| Cause::OutOfResources)?;
        self.connection = Connection::Connecting(stream, key);
        Ok(())
    }

    /// Sees whether a connect has ended; `None`: nothing to see.
    pub(super) fn finish_connect(&mut self) -> Option<Result<(), Cause>> {
        let Connection::Connecting(stream, _) = &self.connection else { return None };
        match connect::finish(stream) {
            Ok(false) => None,
            Err(_) => Some(Err(Cause::DataRefused)),
            Ok(true) => {
                if let Connection::Connecting(stream, key) = std::mem::replace(&mut self.connection, Connection::None) {
                    self.connection = Connection::Connected(stream.into(), Some(key));
                }
                Some(Ok(()))
            }
        }
    }

    /// Puts the connection into the reactor, if it is not.
    pub(super) fn watch(&mut self, rx: &mut Reactor<Owner>, session: Key) -> Result<(), Cause> {
        if let Connection::Connected(stream, key @ None) = &mut self.connection {
            *key = Some(rx.register(stream.socket_mut(), Owner::Data(session)).map_err(|_| Cause::OutOfResources)?);
        }
        Ok(())
    }

    /// Closes the connection once its peer has stopped to send, or after a moment.
    pub(super) fn linger(&mut self, session: Key, shared: &mut Shared, rx: &mut Reactor<Owner>) {
        match std::mem::replace(&mut self.connection, Connection::None) {
            Connection::Connected(stream, Some(key)) => shared.lingering.add(stream, key, rx),
            other => self.connection = other,
        }
        self.close(session, shared, rx);
    }

    /// Closes the connection, or gives up the wish for one.
    pub(super) fn close(&mut self, session: Key, shared: &mut Shared, rx: &mut Reactor<Owner>) {
        match std::mem::replace(&mut self.connection, Connection::None) {
            Connection::Listening(_, key) | Connection::Connecting(_, key) | Connection::Connected(_, Some(key)) => {
                rx.release(key)
            }
            Connection::Shared => shared.shared_ports.give_up(session),
            Connection::None | Connection::Connected(_, None) => {}
        }
        if let Some(port) = self.port.take() {
            shared.ports.give_back(port);
        }
    }
}

fn is_shortage(error: &io::Error) -> bool {
    matches!(storage::cause_of(error), Cause::OutOfResources)
}
