//! A server in a thread, and what clients of all dialects need.

use std::io::{self, Read};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::path::Path;
use std::time::Duration;

use muxftp_server::{Config, PortRange, Running};
use socket2::Socket;
use tempfile::TempDir;

/// A server over an empty directory, ended when it is dropped.
pub struct TestServer {
    pub address: SocketAddr,
    pub root: TempDir,
    running: Running,
}

impl TestServer {
    /// With a configuration of its own.
    pub fn with(change: impl FnOnce(&mut Config)) -> TestServer {
        let root = tempfile::tempdir().unwrap();
        let mut config = Config::embedded(root.path().to_owned(), PortRange::new(20000, 29999).unwrap());
        change(&mut config);
        let running = Running::start(&config).unwrap();
        TestServer { address: running.address(), root, running }
    }

    pub fn path(&self) -> &Path {
        self.root.path()
    }

    pub fn put_file(&self, name: &str, bytes: &[u8]) {
        std::fs::write(self.path().join(name), bytes).unwrap();
    }

    pub fn file(&self, name: &str) -> Option<Vec<u8>> {
        std::fs::read(self.path().join(name)).ok()
    }

    /// All names in the root, temporaries included.
    pub fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.path()).unwrap();
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// Asks the server to end, as a first signal does.
    pub fn request_stop(&self) {
        self.running.request_stop();
    }

    /// Waits until the server has ended.
    pub fn join(&mut self) {
        self.running.join().unwrap();
    }
}

pub fn read_all(stream: &mut dyn Read) -> Vec<u8> {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    bytes
}

/// Bytes that differ everywhere, by a seed.
pub fn noise(seed: u64, count: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut bytes = Vec::with_capacity(count + 8);
    while bytes.len() < count {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(count);
    bytes
}

/// A further connection between the ends of one.
pub fn connect_beside(control: &TcpStream, port: u16) -> TcpStream {
    let (here, there) = (control.local_addr().unwrap().ip(), control.peer_addr().unwrap().ip());
    connect_from(here, SocketAddr::new(there, port))
}

/// A connection from another address of this machine.
pub fn connect_from(source: impl Into<IpAddr>, target: SocketAddr) -> TcpStream {
    let source = SocketAddr::new(source.into(), 0);
    connect_prepared(target, |socket| socket.bind(&source.into()))
}

/// A connection that holds little: what is not read soon stands still on the other side. (The peer's kernel measures its
/// send buffer in segments.)
pub fn connect_narrow(target: SocketAddr) -> TcpStream {
    connect_prepared(target, |socket| {
        socket.set_tcp_mss(536)?;
        socket.set_recv_buffer_size(4096)
    })
}

fn connect_prepared(target: SocketAddr, prepare: impl FnOnce(&Socket) -> io::Result<()>) -> TcpStream {
    let socket = Socket::new(socket2::Domain::for_address(target), socket2::Type::STREAM, None).unwrap();
    prepare(&socket).unwrap();
    socket.connect(&target.into()).unwrap();
    let stream: TcpStream = socket.into();
    stream.set_read_timeout(Some(HANG)).unwrap();
    stream
}

/// Polls for an effect that another process's or thread's work brings; fails when it never comes.
pub fn wait_until(condition: impl Fn() -> bool) {
    for _ in 0..3000 {
        if condition() {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("it never came");
}

/// Not a limit on the server's speed: it only turns a hang into a failure.
pub const HANG: Duration = Duration::from_secs(30);
