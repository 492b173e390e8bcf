//! One bounded step of bytes between a file and a socket, or a buffer and a socket.
//!
//! Must not know the loop or whose bytes they are: budgets, offsets and readiness are the
//! caller's.
//!
//! Invariants:
//! - A step makes at most one transfer; an interrupted call is made again.
//! - An offset moves by exactly the bytes that went into the socket.

use std::fmt;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;

use rustix::fs::sendfile;
use rustix::io::Errno;

/// How a step ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use]
pub enum Step {
    /// So many bytes went over; there may be more.
    Moved(usize),
    /// The socket cannot at present: clear its hint and wait for its event.
    Blocked,
    /// The source has no more bytes.
    End,
}

/// Which side of a pump failed.
#[derive(Debug)]
pub enum PumpError {
    /// The file.
    Source(io::Error),
    /// The socket.
    Sink(io::Error),
}

impl fmt::Display for PumpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Source(error) => write!(f, "reading the file: {error}"),
            Self::Sink(error) => write!(f, "writing to the connection: {error}"),
        }
    }
}

impl std::error::Error for PumpError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Source(error) | Self::Sink(error) => Some(error),
        }
    }
}

/// Sends at most `max` bytes of `file` from `offset` on, inside the kernel where the file system
/// can do that, else through `buffer` (and then at most its length).
///
/// # Errors
/// Of the file or of the socket.
pub fn send_file<S>(
    socket: &S,
    file: &File,
    offset: &mut u64,
    max: usize,
    buffer: &mut [u8],
) -> Result<Step, PumpError>
where
    S: AsFd,
    for<'a> &'a S: Write,
{
    loop {
        // The kernel moves its own copy of the offset only by what it sent.
        match sendfile(socket, file, Some(offset), max) {
            Ok(0) => return Ok(Step::End),
            Ok(moved) => return Ok(Step::Moved(moved)),
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => return Ok(Step::Blocked),
            Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {
                return copy_file(socket, file, offset, max, buffer);
            }
            Err(errno) => return Err(classify(errno)),
        }
    }
}

/// Sends at most `max` bytes, and at most one `buffer`, of `file` from `offset` on by reading
/// and writing.
///
/// # Errors
/// Of the file or of the socket.
pub fn copy_file<S>(
    mut socket: &S,
    file: &File,
    offset: &mut u64,
    max: usize,
    buffer: &mut [u8],
) -> Result<Step, PumpError>
where
    for<'a> &'a S: Write,
{
    let length = buffer.len().min(max);
    let read = retry(|| file.read_at(&mut buffer[..length], *offset)).map_err(PumpError::Source)?;
    if read == 0 {
        return Ok(Step::End);
    }
    let step = send(&mut socket, &buffer[..read]).map_err(PumpError::Sink)?;
    if let Step::Moved(moved) = step {
        *offset += moved as u64;
    }
    Ok(step)
}

/// Reads once into `buffer`, which must not be empty.
///
/// # Errors
/// Of the socket.
pub fn receive(mut socket: impl Read, buffer: &mut [u8]) -> io::Result<Step> {
    debug_assert!(!buffer.is_empty(), "an empty read looks like the end");
    match retry(|| socket.read(buffer)) {
        Ok(0) => Ok(Step::End),
        Ok(moved) => Ok(Step::Moved(moved)),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(Step::Blocked),
        Err(error) => Err(error),
    }
}

/// Writes once from `bytes`. Never answers [`Step::End`].
///
/// # Errors
/// Of the socket.
pub fn send(mut socket: impl Write, bytes: &[u8]) -> io::Result<Step> {
    match retry(|| socket.write(bytes)) {
        Ok(moved) => Ok(Step::Moved(moved)),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(Step::Blocked),
        Err(error) => Err(error),
    }
}

fn retry(mut call: impl FnMut() -> io::Result<usize>) -> io::Result<usize> {
    loop {
        match call() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

/// sendfile(2) does not say which side an error is of; the connection's are known by name.
fn classify(errno: Errno) -> PumpError {
    match errno {
        Errno::PIPE
        | Errno::CONNRESET
        | Errno::CONNABORTED
        | Errno::CONNREFUSED
        | Errno::NOTCONN
        | Errno::SHUTDOWN
        | Errno::TIMEDOUT
        | Errno::NETDOWN
        | Errno::NETRESET
        | Errno::NETUNREACH
        | Errno::HOSTDOWN
        | Errno::HOSTUNREACH
        | Errno::NOBUFS => PumpError::Sink(errno.into()),
        _ => PumpError::Source(errno.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
}
