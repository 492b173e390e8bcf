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
pub fn send_file<S>(socket: &S, file: &File, offset: &mut u64, max: usize, buffer: &mut [u8]) -> Result<Step, PumpError>
where
    S: AsFd,
    for<'a> &'a S: Write,
{
    debug_assert!(max > 0, "a step of nothing looks like the end");
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

pub(crate) fn retry(mut call: impl FnMut() -> io::Result<usize>) -> io::Result<usize> {
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
    use std::net::{Ipv4Addr, TcpListener};

    use mio::net::TcpStream;

    use super::*;

    /// A stream as the loop has it, and its peer, which blocks.
    fn pair() -> (TcpStream, std::net::TcpStream) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let peer = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (stream, _) = listener.accept().unwrap();
        stream.set_nonblocking(true).unwrap();
        (TcpStream::from_std(stream), peer)
    }

    fn file(contents: &[u8]) -> File {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(contents).unwrap();
        file
    }

    fn pattern(length: usize) -> Vec<u8> {
        (0..length).map(|at| (at % 251) as u8).collect()
    }

    type SendStep = fn(&TcpStream, &File, &mut u64, usize, &mut [u8]) -> Result<Step, PumpError>;

    const WAYS: [SendStep; 2] = [send_file, copy_file];

    #[test]
    fn a_file_goes_over_whole_in_bounded_steps() {
        for step in WAYS {
            let contents = pattern(10_000);
            let (socket, mut peer) = pair();
            let (file, mut buffer) = (file(&contents), [0; 4096]);
            let mut offset = 0;
            loop {
                let before = offset;
                match step(&socket, &file, &mut offset, 3000, &mut buffer).unwrap() {
                    Step::Moved(moved) => {
                        assert!(moved <= 3000);
                        assert_eq!(offset, before + moved as u64);
                    }
                    Step::End => break,
                    Step::Blocked => panic!("10 kB fit into a socket"),
                }
            }
            drop(socket);
            let mut received = Vec::new();
            peer.read_to_end(&mut received).unwrap();
            assert_eq!(received, contents);
        }
    }

    #[test]
    fn a_slow_reader_blocks_and_loses_nothing() {
        for step in WAYS {
            let contents = pattern(16 << 20);
            let (socket, mut peer) = pair();
            let (file, mut buffer) = (file(&contents), vec![0; 1 << 16]);
            let mut offset = 0;
            while step(&socket, &file, &mut offset, 1 << 20, &mut buffer).unwrap() != Step::Blocked {}
            let stopped_at = offset;
            assert!(stopped_at < contents.len() as u64);

            let reader = std::thread::spawn(move || {
                let mut received = Vec::new();
                peer.read_to_end(&mut received).unwrap();
                received
            });
            while step(&socket, &file, &mut offset, 1 << 20, &mut buffer).unwrap() != Step::End {
                std::thread::yield_now();
            }
            drop(socket);
            assert!(reader.join().unwrap() == contents);
        }
    }

    #[test]
    fn sendfile_falls_back_where_the_file_cannot() {
        // The kernel makes this file's bytes on reading; it has no pages to send.
        let file = File::open("/proc/self/stat").unwrap();
        let (socket, mut peer) = pair();
        let refused = sendfile(&socket, &file, Some(&mut 5), 4096).unwrap_err();
        assert_eq!(refused, Errno::INVAL);

        let mut offset = 5;
        let step = send_file(&socket, &file, &mut offset, 4096, &mut [0; 10]).unwrap();
        assert_eq!((step, offset), (Step::Moved(10), 15));
        let mut received = [0; 10];
        peer.read_exact(&mut received).unwrap();
        let mut expected = [0; 10];
        file.read_exact_at(&mut expected, 5).unwrap();
        assert_eq!(received, expected);
    }

    #[test]
    fn a_lost_peer_is_the_sinks_error() {
        for step in WAYS {
            let (socket, peer) = pair();
            let (file, mut buffer) = (file(&pattern(1000)), [0; 1000]);
            drop(peer);
            let error = loop {
                // The first bytes to a closed peer still go out; its reset comes back.
                if let Err(error) = step(&socket, &file, &mut 0, 1000, &mut buffer) {
                    break error;
                }
            };
            assert!(matches!(error, PumpError::Sink(_)), "{error}");
        }
    }

    #[test]
    fn an_unreadable_file_is_the_sources_error() {
        for step in WAYS {
            let (socket, _peer) = pair();
            let directory = File::open("/").unwrap();
            let error = step(&socket, &directory, &mut 0, 1000, &mut [0; 1000]).unwrap_err();
            assert!(matches!(error, PumpError::Source(_)), "{error}");
        }
    }

    #[test]
    fn classification_names_the_side() {
        for errno in [Errno::PIPE, Errno::CONNRESET, Errno::TIMEDOUT] {
            assert!(matches!(classify(errno), PumpError::Sink(_)), "{errno}");
        }
        for errno in [Errno::IO, Errno::STALE, Errno::NOMEM] {
            assert!(matches!(classify(errno), PumpError::Source(_)), "{errno}");
        }
    }

    #[test]
    fn receive_tells_bytes_from_waiting_from_the_end() {
        let (socket, mut peer) = pair();
        let mut buffer = [0; 4];
        assert_eq!(receive(&socket, &mut buffer).unwrap(), Step::Blocked);
        peer.write_all(b"12345").unwrap();
        assert_eq!(receive(&socket, &mut buffer).unwrap(), Step::Moved(4));
        assert_eq!(receive(&socket, &mut buffer).unwrap(), Step::Moved(1));
        drop(peer);
        assert_eq!(receive(&socket, &mut buffer).unwrap(), Step::End);
    }

    #[test]
    fn an_interrupted_call_is_made_again() {
        struct Interrupted(u32);
        impl Read for Interrupted {
            fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                self.0 += 1;
                if self.0 < 3 {
                    return Err(io::ErrorKind::Interrupted.into());
                }
                Ok(buffer.len())
            }
        }
        assert_eq!(receive(Interrupted(0), &mut [0; 8]).unwrap(), Step::Moved(8));
    }

    #[test]
    fn a_full_socket_blocks_a_send() {
        let (socket, _peer) = pair();
        let block = vec![0; 1 << 20];
        while send(&socket, &block).unwrap() != Step::Blocked {}
    }
}
