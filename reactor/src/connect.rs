//! Connecting without waiting.
//!
//! Must not know the loop: the caller registers the stream and calls [`finish`] when it is
//! writable.

use std::io;
use std::net::SocketAddr;

use mio::net::TcpStream;
use rustix::io::Errno;
use socket2::{Domain, Protocol, Socket, Type};

/// Begins to connect to `target`, from `source` if one is given (port 0: any).
///
/// # Errors
/// The source cannot be bound, the target is refused at once (an unreachable network), or the
/// process is out of descriptors. All other failures are found by [`finish`].
pub fn connect(target: SocketAddr, source: Option<SocketAddr>) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::for_address(target), Type::STREAM.nonblocking().cloexec(), Some(Protocol::TCP))?;
    if let Some(source) = source {
        // A fixed source port must be usable again while its last connection is in TIME_WAIT.
        socket.set_reuse_address(true)?;
        socket.bind(&source.into())?;
    }
    match socket.connect(&target.into()) {
        Ok(()) => {}
        Err(error) if Errno::from_io_error(&error) == Some(Errno::INPROGRESS) => {}
        Err(error) => return Err(error),
    }
    Ok(TcpStream::from_std(socket.into()))
}

/// Whether the connect has ended well; `false`: not yet, wait for the next event.
///
/// # Errors
/// The connect has failed: refused, timed out, unreachable.
pub fn finish(stream: &TcpStream) -> io::Result<bool> {
    if let Some(error) = stream.take_error()? {
        return Err(error);
    }
    match stream.peer_addr() {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotConnected => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, TcpListener};

    use mio::{Events, Interest, Poll, Token};

    use super::*;

    /// Waits for the end of the connect, as the loop does.
    fn settle(stream: &mut TcpStream) -> io::Result<()> {
        let mut poll = Poll::new()?;
        poll.registry().register(stream, Token(0), Interest::WRITABLE)?;
        while !finish(stream)? {
            poll.poll(&mut Events::with_capacity(1), None)?;
        }
        Ok(())
    }

    #[test]
    fn connects_without_waiting() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let mut stream = connect(listener.local_addr().unwrap(), None).unwrap();
        settle(&mut stream).unwrap();
        let (_, peer) = listener.accept().unwrap();
        assert_eq!(peer, stream.local_addr().unwrap());
    }

    #[test]
    fn comes_from_the_given_source() {
        let source = Ipv4Addr::new(127, 0, 0, 2);
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let target = listener.local_addr().unwrap();
        let mut stream = connect(target, Some((source, 0).into())).unwrap();
        settle(&mut stream).unwrap();
        let (_, peer) = listener.accept().unwrap();
        assert_eq!(peer.ip(), source);
    }

    #[test]
    fn a_refusal_is_found_at_the_end() {
        // Bound but not listening: the port is ours, and nobody else can answer on it.
        let silent = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        silent.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).unwrap();
        let target = silent.local_addr().unwrap().as_socket().unwrap();

        let mut stream = connect(target, None).unwrap();
        let error = settle(&mut stream).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
    }

    #[test]
    fn a_source_that_is_not_local_is_an_error_at_once() {
        let source = SocketAddr::from((Ipv4Addr::new(192, 0, 2, 1), 0));
        let target = SocketAddr::from((Ipv4Addr::LOCALHOST, 1));
        let error = connect(target, Some(source)).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrNotAvailable);
    }
}
