//! Listening sockets, and accepting from them when descriptors run short.
//!
//! Must not know what an accepted connection is for, nor the loop: a pause is a duration that
//! the caller arms.
//!
//! Invariant: no answer of [`accept`] makes a caller spin that follows it. Each but
//! [`Accept::Drained`] and [`Accept::Pause`] has taken a connection off the listener's queue.

use std::fs::File;
use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::time::Duration;

use mio::net::{TcpListener, TcpStream};
use rustix::io::Errno;
use socket2::{Domain, Protocol, Socket, Type};

/// What came of an attempt to accept.
#[derive(Debug)]
#[must_use]
pub enum Accept {
    /// A connection, non-blocking and closed on exec, from this address.
    Stream(TcpStream, SocketAddr),
    /// Descriptors are used up: the peer at this address got the farewell and was closed.
    TurnedAway(SocketAddr),
    /// A connection died in the queue; there may be more.
    Lost,
    /// No connection is waiting: the next one brings an event.
    Drained,
    /// The system cannot take any: try again after [`PAUSE`], not earlier. No event will come
    /// for the connections that wait already.
    Pause(io::Error),
}

/// A descriptor that is held back, so that there is one to turn a peer away with when all
/// others are used up. A process needs one, for all its listeners.
#[derive(Debug)]
pub struct Reserve(Option<File>);

impl Reserve {
    /// Holds a descriptor back.
    ///
    /// # Errors
    /// There is none left even now.
    pub fn new() -> io::Result<Self> {
        hold().map(|file| Self(Some(file)))
    }
}

/// How long to leave a listener alone after [`Accept::Pause`].
pub const PAUSE: Duration = Duration::from_millis(100);

/// Opens a non-blocking listener. One on an IPv6 address takes IPv6 only, so that a listener on
/// the same port of IPv4 can stand beside it.
///
/// # Errors
/// As `bind(2)` and `listen(2)`: the address is in use, is not local, or its port is privileged.
pub fn listen_tcp(address: SocketAddr, backlog: i32) -> io::Result<TcpListener> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM.nonblocking().cloexec(),
        Some(Protocol::TCP),
    )?;
    // A restart must not wait for the connections of the last run to leave TIME_WAIT.
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.bind(&address.into())?;
    socket.listen(backlog)?;
    Ok(TcpListener::from_std(socket.into()))
}

/// Accepts one connection. A caller bounds how often it calls this in a turn; when it stops
/// before [`Accept::Drained`] or [`Accept::Pause`], it must put the listener's key back into the
/// ready queue.
///
/// # Errors
/// The listener itself is unusable, which is a bug of the program.
pub fn accept(
    listener: &TcpListener,
    reserve: &mut Reserve,
    farewell: &[u8],
) -> io::Result<Accept> {
    let error = match listener.accept() {
        Ok((stream, peer)) => return Ok(Accept::Stream(stream, peer)),
        Err(error) => error,
    };
    match Shortage::of(&error) {
        Shortage::None => Ok(Accept::Drained),
        Shortage::Peer => Ok(Accept::Lost),
        Shortage::Descriptors => Ok(turn_away(listener, reserve, farewell, error)),
        Shortage::Memory => Ok(Accept::Pause(error)),
        Shortage::Bug => Err(error),
    }
}

/// What stood in the way of an accept.
enum Shortage {
    None,
    Peer,
    Descriptors,
    Memory,
    Bug,
}

impl Shortage {
    fn of(error: &io::Error) -> Self {
        match Errno::from_io_error(error) {
            Some(Errno::AGAIN) => Self::None,
            // Linux hands errors of the new connection's network, and the firewall's refusal,
            // to accept(2): they say nothing about the listener.
            Some(
                Errno::INTR
                | Errno::CONNABORTED
                | Errno::CONNRESET
                | Errno::TIMEDOUT
                | Errno::PERM
                | Errno::PROTO
                | Errno::NOPROTOOPT
                | Errno::NETDOWN
                | Errno::NETUNREACH
                | Errno::HOSTDOWN
                | Errno::HOSTUNREACH
                | Errno::NONET,
            ) => Self::Peer,
            Some(Errno::MFILE | Errno::NFILE) => Self::Descriptors,
            Some(Errno::NOBUFS | Errno::NOMEM) => Self::Memory,
            _ => Self::Bug,
        }
    }
}

/// Spends the reserve on an answer to one peer, which else would hang without a word.
fn turn_away(
    listener: &TcpListener,
    reserve: &mut Reserve,
    farewell: &[u8],
    shortage: io::Error,
) -> Accept {
    if reserve.0.is_none() {
        // It was lost to someone faster at an earlier shortage.
        reserve.0 = hold().ok();
    }
    if reserve.0.take().is_none() {
        return Accept::Pause(shortage);
    }
    let answer = match listener.accept() {
        Ok((stream, peer)) => {
            dismiss(stream, farewell);
            Accept::TurnedAway(peer)
        }
        Err(_) => Accept::Pause(shortage),
    };
    reserve.0 = hold().ok();
    answer
}

/// Says farewell as far as it can be said without waiting.
fn dismiss(mut stream: TcpStream, farewell: &[u8]) {
    // All of this is a courtesy: a peer that is gone misses nothing.
    let _ = stream.write(farewell);
    let _ = stream.shutdown(std::net::Shutdown::Write);
    // Closing with bytes unread resets the connection, and a reset overtakes the farewell.
    let _ = stream.read(&mut [0; 1024]);
}

fn hold() -> io::Result<File> {
    File::open("/dev/null")
}

#[cfg(test)]
mod tests {
    use super::*;
}
