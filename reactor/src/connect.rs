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
    let socket = Socket::new(
        Domain::for_address(target),
        Type::STREAM.nonblocking().cloexec(),
        Some(Protocol::TCP),
    )?;
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
    use super::*;
}
