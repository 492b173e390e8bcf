//! The dialect `simple`, by a client that is written from its transcripts alone: blocking sockets, no code shared with the
//! project.

mod dialogues;
mod hostile;

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};

use crate::support::{HANG, TestServer, connect_beside, read_all};

fn server() -> TestServer {
    TestServer::with(|_| {})
}

/// A client of `simple`.
pub struct Client {
    pub control: BufReader<TcpStream>,
}

impl Client {
    pub fn connect(address: SocketAddr) -> Client {
        Client::over(TcpStream::connect(address).unwrap())
    }

    pub fn over(stream: TcpStream) -> Client {
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
        connect_beside(self.control.get_ref(), port)
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
