//! A server in a thread, and a client of `simple` written from the transcripts alone: blocking sockets, no code shared
//! with the project.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::time::Duration;

use muxftp_server::{Config, PortRange, Running};
use tempfile::TempDir;

/// A server over an empty directory, ended when it is dropped.
pub struct TestServer {
    pub address: SocketAddr,
    pub root: TempDir,
    running: Running,
}

impl TestServer {
    pub fn start() -> TestServer {
        TestServer::with(|_| {})
    }

    /// With a configuration of its own.
    pub fn with(change: impl FnOnce(&mut Config)) -> TestServer {
        let root = tempfile::tempdir().unwrap();
        let mut config = Config::embedded(root.path().to_owned(), PortRange::new(20000, 29999).unwrap());
        change(&mut config);
        let running = Running::start(&config).unwrap();
        TestServer { address: running.address(), root, running }
    }

    pub fn connect(&self) -> Client {
        Client::connect(self.address)
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

/// A client of `simple`.
pub struct Client {
    pub control: BufReader<TcpStream>,
}

impl Client {
    pub fn connect(address: SocketAddr) -> Client {
        let stream = TcpStream::connect(address).unwrap();
        // Not a limit on the server's speed: it only turns a hang into a failure.
        stream.set_read_timeout(Some(HANG)).unwrap();
        Client { control: BufReader::new(stream) }
    }

    pub fn say(&mut self, text: &str) {
        self.control.get_mut().write_all(text.as_bytes()).unwrap();
    }

    /// A reply without its end; empty when the server has closed.
    pub fn reply(&mut self) -> String {
        let mut line = String::new();
        self.control.read_line(&mut line).unwrap();
        if !line.is_empty() {
            assert!(line.ends_with("\r\n"), "{line:?}");
        }
        line.trim_end().to_owned()
    }

    /// Says a line and reads the reply to it.
    pub fn ask(&mut self, line: &str) -> String {
        self.say(&format!("{line}\r\n"));
        self.reply()
    }

    /// Says a line, expects `200 OK port`, and connects there.
    pub fn open(&mut self, line: &str) -> TcpStream {
        let reply = self.ask(line);
        let port = port(&reply).unwrap_or_else(|| panic!("{line}: {reply}"));
        self.connect_data(port)
    }

    pub fn connect_data(&mut self, port: u16) -> TcpStream {
        let host = self.control.get_ref().peer_addr().unwrap().ip();
        let data = TcpStream::connect((host, port)).unwrap();
        data.set_read_timeout(Some(HANG)).unwrap();
        data
    }

    pub fn get(&mut self, name: &str) -> Vec<u8> {
        let bytes = read_all(&mut self.open(&format!("GET {name}")));
        assert_eq!(self.reply(), "226 Transfer Complete");
        bytes
    }

    /// With the size declared.
    pub fn put(&mut self, name: &str, bytes: &[u8]) {
        let mut data = self.open(&format!("PUT {name} {}", bytes.len()));
        data.write_all(bytes).unwrap();
        assert_eq!(self.reply(), "226 Transfer Complete");
    }

    /// Without: until the data side is closed.
    pub fn put_until_close(&mut self, name: &str, bytes: &[u8]) {
        let mut data = self.open(&format!("PUT {name}"));
        data.write_all(bytes).unwrap();
        drop(data);
        assert_eq!(self.reply(), "226 Transfer Complete");
    }

    pub fn list(&mut self, line: &str) -> Vec<String> {
        let text = read_all(&mut self.open(line));
        assert_eq!(self.reply(), "226 Transfer Complete");
        String::from_utf8(text).unwrap().lines().map(str::to_owned).collect()
    }
}

/// The port of `200 OK port`.
pub fn port(reply: &str) -> Option<u16> {
    reply.strip_prefix("200 OK ")?.parse().ok()
}

pub fn read_all(stream: &mut TcpStream) -> Vec<u8> {
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

/// A connection from another address of this machine.
pub fn connect_from(source: Ipv4Addr, target: SocketAddr) -> TcpStream {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::new(IpAddr::V4(source), 0).into()).unwrap();
    socket.connect(&target.into()).unwrap();
    let stream: TcpStream = socket.into();
    stream.set_read_timeout(Some(HANG)).unwrap();
    stream
}

const HANG: Duration = Duration::from_secs(30);
