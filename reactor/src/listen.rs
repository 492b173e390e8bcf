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
    /// Holds a descriptor back; if there is none left even now, at the first chance.
    pub fn new() -> Self {
        Self(hold())
    }
}

impl Default for Reserve {
    fn default() -> Self {
        Self::new()
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
    let socket = Socket::new(Domain::for_address(address), Type::STREAM.nonblocking().cloexec(), Some(Protocol::TCP))?;
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
pub fn accept(listener: &TcpListener, reserve: &mut Reserve, farewell: &[u8]) -> io::Result<Accept> {
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
fn turn_away(listener: &TcpListener, reserve: &mut Reserve, farewell: &[u8], shortage: io::Error) -> Accept {
    if reserve.0.is_none() {
        // It was lost to someone faster at an earlier shortage.
        reserve.0 = hold();
    }
    if reserve.0.take().is_none() {
        return Accept::Pause(shortage);
    }
    let answer = match listener.accept() {
        Ok((stream, peer)) => {
            dismiss(stream, farewell);
            Accept::TurnedAway(peer)
        }
        // The kernel looks for a descriptor before it looks for a connection, so a shortage may
        // have been reported although nobody waits.
        Err(error) => match Shortage::of(&error) {
            Shortage::None => Accept::Drained,
            Shortage::Peer => Accept::Lost,
            _ => Accept::Pause(shortage),
        },
    };
    reserve.0 = hold();
    answer
}

/// Says farewell to a connection as far as it can be said without waiting, and closes it.
pub fn dismiss(mut stream: TcpStream, farewell: &[u8]) {
    // All of this is a courtesy: a peer that is gone misses nothing.
    let _ = stream.write(farewell);
    let _ = stream.shutdown(std::net::Shutdown::Write);
    // Closing with bytes unread resets the connection, and a reset overtakes the farewell.
    let _ = stream.read(&mut [0; 1024]);
}

fn hold() -> Option<File> {
    File::open("/dev/null").ok()
}

#[cfg(test)]
mod tests {
    use std::net::{self, Ipv4Addr, Ipv6Addr};

    use rustix::fs::{OFlags, fcntl_getfl};
    use rustix::io::{FdFlags, fcntl_getfd};

    use super::*;

    fn listener() -> TcpListener {
        listen_tcp((Ipv4Addr::LOCALHOST, 0).into(), 16).unwrap()
    }

    fn next(listener: &TcpListener) -> Accept {
        accept(listener, &mut Reserve::new(), b"").unwrap()
    }

    #[test]
    fn accepted_sockets_do_not_block_and_are_closed_on_exec() {
        let listener = listener();
        let client = net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();

        let Accept::Stream(stream, peer) = next(&listener) else {
            panic!("a connection is waiting");
        };
        assert_eq!(peer, client.local_addr().unwrap());
        assert!(fcntl_getfl(&stream).unwrap().contains(OFlags::NONBLOCK));
        assert!(fcntl_getfd(&stream).unwrap().contains(FdFlags::CLOEXEC));
    }

    #[test]
    fn a_listener_without_connections_is_drained() {
        assert!(matches!(next(&listener()), Accept::Drained));
    }

    #[test]
    fn a_port_is_free_again_while_its_last_connection_is_in_time_wait() {
        let first = listener();
        let address = first.local_addr().unwrap();
        let mut client = net::TcpStream::connect(address).unwrap();
        let Accept::Stream(stream, _) = next(&first) else {
            panic!("a connection is waiting");
        };
        // The side that closes first is the one that keeps TIME_WAIT.
        drop(stream);
        assert_eq!(client.read(&mut [0]).unwrap(), 0);
        drop((client, first));

        listen_tcp(address, 16).unwrap();
    }

    #[test]
    fn both_families_stand_side_by_side_on_one_port() {
        // Another test may hold the port in IPv4: one of a few tries is free of that.
        let mut result = Ok(());
        for _ in 0..8 {
            let v6 = match listen_tcp((Ipv6Addr::UNSPECIFIED, 0).into(), 16) {
                Ok(v6) => v6,
                // The machine has no IPv6: there is nothing to stand beside.
                Err(error) if Errno::from_io_error(&error) == Some(Errno::AFNOSUPPORT) => return,
                Err(error) => panic!("{error}"),
            };
            let port = v6.local_addr().unwrap().port();
            result = listen_tcp((Ipv4Addr::UNSPECIFIED, port).into(), 16).map(drop);
            if result.is_ok() {
                return;
            }
        }
        result.unwrap();
    }

    #[test]
    fn a_port_in_use_is_an_error() {
        let first = listener();
        let again = listen_tcp(first.local_addr().unwrap(), 16);
        assert_eq!(again.unwrap_err().kind(), io::ErrorKind::AddrInUse);
    }

    #[test]
    fn errors_of_a_peer_do_not_stop_the_listener() {
        for errno in [Errno::CONNABORTED, Errno::PROTO, Errno::HOSTUNREACH, Errno::PERM] {
            assert!(matches!(Shortage::of(&errno.into()), Shortage::Peer), "{errno}");
        }
    }

    #[test]
    fn the_farewell_arrives_although_the_peer_spoke_first() {
        let listener = listener();
        let mut client = net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        client.write_all(b"LS\r\n").unwrap();
        let Accept::Stream(stream, _) = next(&listener) else {
            panic!("a connection is waiting");
        };

        dismiss(stream, b"too many connections");

        let mut heard = String::new();
        client.read_to_string(&mut heard).unwrap();
        assert_eq!(heard, "too many connections");
    }
}
