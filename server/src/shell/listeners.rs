//! The listening sockets of the server: control listeners, and the data ports that sessions share.
//!
//! It must not know what is said on a connection. A shortage of descriptors pauses a listener; it never makes it spin.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use mio::net::{TcpListener, TcpStream};
use muxftp_proto::{Cause, DataPortPolicy, Dialect, Reply};
use muxftp_reactor::listen::{self, Accept, Reserve};
use muxftp_reactor::{Again, Key, Reactor};

use super::shared_ports::SharedPorts;
use super::{Owner, Shell};
use crate::config::{Config, Listen, TlsMode};
use crate::limits;
use crate::log;
use crate::start::StartError;

/// A control listener.
pub(super) struct Listener {
    pub(super) listen: Listen,
    pub(super) socket: TcpListener,
    pub(super) key: Key,
    /// For peers that come when there is no descriptor left.
    farewell: Vec<u8>,
}

/// Listens as configured.
///
/// # Errors
/// The listener that cannot be had.
pub(super) fn open(config: &Config, rx: &mut Reactor<Owner>) -> Result<Vec<Listener>, StartError> {
    let listeners = config.listen.iter().enumerate().map(|(index, listen)| {
        let bind = |error| StartError::Bind { listen: *listen, file: config.file.clone(), error };
        let mut socket = listen::listen_tcp(listen.address, limits::BACKLOG).map_err(bind)?;
        let key = rx.register(&mut socket, Owner::Listener(index)).map_err(bind)?;
        log::listening(listen, socket.local_addr().map_err(bind)?);
        Ok(Listener { listen: *listen, socket, key, farewell: farewell(*listen, Cause::OutOfResources) })
    });
    listeners.collect()
}

/// Listens on the shared data ports, beside each listener of a dialect that wants them. By the index in [`SharedPorts`].
///
/// # Errors
/// The port that cannot be had.
pub(super) fn open_shared(
    config: &Config,
    shared: &mut SharedPorts,
    rx: &mut Reactor<Owner>,
) -> Result<Vec<(TcpListener, Key)>, StartError> {
    let with_shared = config.listen.iter().filter(|listen| listen.dialect.data_ports() == DataPortPolicy::Shared);
    let addresses: BTreeSet<_> = with_shared.map(|listen| listen.address.ip()).collect();
    let ports = config.updown_data_ports;
    let places = addresses.iter().flat_map(|address| ports.iter().map(move |port| SocketAddr::new(*address, port)));
    let sockets = places.map(|place| {
        let bind = |error| StartError::BindData { place, error };
        let mut socket = listen::listen_tcp(place, limits::BACKLOG).map_err(bind)?;
        let index = shared.add(place.ip(), place.port());
        let key = rx.register(&mut socket, Owner::SharedPort(index)).map_err(bind)?;
        log::listening_for_data(place);
        Ok((socket, key))
    });
    sockets.collect()
}

impl Shell {
    /// New sessions, a bounded number at a time.
    pub(super) fn accept(&mut self, rx: &mut Reactor<Owner>, index: usize) -> Again {
        for _ in 0..limits::ACCEPTS_PER_TURN {
            let Some(listener) = self.listeners.get(index) else { return Again::No };
            let listen = listener.listen;
            let (stream, peer) = match next(&listener.socket, listener.key, &listener.farewell, &mut self.reserve, rx) {
                Next::Connection(stream, peer) => (stream, peer),
                Next::Gone => continue,
                Next::Wait => return Again::No,
            };
            // Who only guesses passwords does not get as far as a session.
            let locked_out = listen.dialect == Dialect::Ftp && self.shared.failures.is_locked_out(peer.ip(), rx.now());
            let admitted = if locked_out { Err(Cause::LockedOut) } else { self.admission.enter(peer.ip()) };
            match admitted {
                Ok(()) => self.open_session(rx, listen, stream, peer),
                Err(cause) => turn_away(listen, stream, peer, cause),
            }
        }
        Again::Yes
    }

    /// Data connections at a port that all sessions share: each belongs to the session that waits for one from there.
    pub(super) fn accept_data(&mut self, rx: &mut Reactor<Owner>, index: usize) -> Again {
        for _ in 0..limits::ACCEPTS_PER_TURN {
            let Some((socket, key)) = self.shared_sockets.get(index) else { return Again::No };
            let (stream, from) = match next(socket, *key, &[], &mut self.reserve, rx) {
                Next::Connection(stream, from) => (stream, from),
                Next::Gone => continue,
                Next::Wait => return Again::No,
            };
            match self.shared.shared_ports.connected(index, from.ip()) {
                None => log::uninvited(from),
                Some(session) => {
                    let _ = self.with(rx, session, |session, shared, rx| session.data_connected(stream, shared, rx));
                }
            }
        }
        Again::Yes
    }
}

/// What an accept gave.
enum Next {
    Connection(TcpStream, SocketAddr),
    /// It went away, or was turned away; there may be another.
    Gone,
    Wait,
}

fn next(socket: &TcpListener, key: Key, farewell: &[u8], reserve: &mut Reserve, rx: &mut Reactor<Owner>) -> Next {
    match listen::accept(socket, reserve, farewell) {
        Ok(Accept::Stream(stream, peer)) => Next::Connection(stream, peer),
        Ok(Accept::TurnedAway(peer)) => {
            log::turned_away(peer, Cause::OutOfResources);
            Next::Gone
        }
        Ok(Accept::Lost) => Next::Gone,
        Ok(Accept::Drained) => Next::Wait,
        Ok(Accept::Pause(error)) => {
            log::accept_paused(&error);
            rx.arm(key, Some(rx.now() + listen::PAUSE));
            Next::Wait
        }
        Err(error) => {
            log::accept_failed(&error);
            Next::Wait
        }
    }
}

/// Tells a peer why it gets no session.
pub(super) fn turn_away(listen: Listen, stream: TcpStream, peer: SocketAddr, cause: Cause) {
    listen::dismiss(stream, &farewell(listen, cause));
    log::turned_away(peer, cause);
}

/// The words for a peer that gets no session. Where TLS comes first, nothing can be said before it.
fn farewell(listen: Listen, cause: Cause) -> Vec<u8> {
    let mut text = Vec::new();
    if listen.tls == TlsMode::Implicit {
        return text;
    }
    listen.dialect.print_reply(&Reply::refused(cause), &mut text);
    text
}
