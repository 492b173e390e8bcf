//! A relay between muxftp and a server: it passes bytes in pieces, up to a cut, and remembers them.
//!
//! It must not know what the bytes mean.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use socket2::SockRef;

/// How a connection is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// As by a peer that closes it.
    Fin,
    /// As by a peer that is gone.
    Reset,
}

/// Which way bytes go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    ToClient,
    ToServer,
}

/// What becomes of the bytes.
#[derive(Debug, Clone, Copy)]
pub struct Passing {
    /// At most so many are passed on at once.
    pub piece: usize,
    /// After so many that way, the connection ends.
    pub cut: Option<(Way, usize, Cut)>,
}

impl Passing {
    pub const WHOLE: Passing = Passing { piece: 4096, cut: None };
}

/// What has passed one connection.
#[derive(Debug)]
pub struct Passed {
    pub to_client: Vec<u8>,
    pub to_server: Vec<u8>,
}

/// Listens for one connection, and passes it to `target`, a port of this machine; at which port.
pub fn relay(target: u16, passing: Passing) -> (u16, JoinHandle<Passed>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let thread = thread::spawn(move || {
        let client = listener.accept().unwrap().0;
        let server = TcpStream::connect((Ipv4Addr::LOCALHOST, target)).unwrap();
        for stream in [&client, &server] {
            stream.set_nodelay(true).unwrap();
        }
        Pair { client, server, passing, is_cut: AtomicBool::new(false) }.pass()
    });
    (port, thread)
}

struct Pair {
    client: TcpStream,
    server: TcpStream,
    passing: Passing,
    is_cut: AtomicBool,
}

impl Pair {
    /// Until both directions have ended; then both connections are closed.
    fn pass(&self) -> Passed {
        thread::scope(|scope| {
            let to_server = scope.spawn(|| self.pass_one_way(Way::ToServer));
            let to_client = self.pass_one_way(Way::ToClient);
            Passed { to_client, to_server: to_server.join().unwrap() }
        })
    }

    fn pass_one_way(&self, way: Way) -> Vec<u8> {
        let (mut from, mut to) = match way {
            Way::ToClient => (&self.server, &self.client),
            Way::ToServer => (&self.client, &self.server),
        };
        let limit = self.passing.cut.filter(|(cut_way, ..)| *cut_way == way).map_or(usize::MAX, |(_, limit, _)| limit);
        let mut passed = Vec::new();
        let mut buffer = vec![0; self.passing.piece];
        while passed.len() < limit {
            let room = buffer.len().min(limit - passed.len());
            match from.read(&mut buffer[..room]) {
                Ok(count @ 1..) if to.write_all(&buffer[..count]).is_ok() => passed.extend_from_slice(&buffer[..count]),
                _ if self.is_cut.load(Ordering::SeqCst) => break,
                _ => {
                    // It may be gone in both directions already.
                    let _ = to.shutdown(Shutdown::Write);
                    return passed;
                }
            }
        }
        if passed.len() == limit {
            self.cut();
        }
        // Closing over bytes that nobody has read would be a reset.
        if way == Way::ToServer {
            let _ = io::copy(&mut from, &mut io::sink());
        }
        passed
    }

    fn cut(&self) {
        self.is_cut.store(true, Ordering::SeqCst);
        let _ = self.server.shutdown(Shutdown::Both);
        let _ = match self.passing.cut {
            Some((.., Cut::Reset)) => {
                SockRef::from(&self.client).set_linger(Some(Duration::ZERO)).unwrap();
                // Says nothing to the other end, only to whoever reads here.
                self.client.shutdown(Shutdown::Read)
            }
            _ => self.client.shutdown(Shutdown::Write),
        };
    }
}
