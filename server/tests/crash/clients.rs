//! Clients that store files in each dialect, on blocking sockets. An error of the connection is the server's death; a refusal is
//! a failure of the test.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// A control connection; the lines of all dialects end in LF.
struct Control {
    stream: BufReader<TcpStream>,
    server: SocketAddr,
}

pub struct Ftp(Control);
pub struct Simple(Control);
pub struct Updown(Control);

impl Control {
    fn connect(server: SocketAddr) -> io::Result<Control> {
        let stream = TcpStream::connect(server)?;
        stream.set_read_timeout(Some(HANG))?;
        Ok(Control { stream: BufReader::new(stream), server })
    }

    fn reply(&mut self) -> io::Result<String> {
        let mut line = String::new();
        self.stream.read_line(&mut line)?;
        if line.ends_with('\n') { Ok(line.trim_end().to_owned()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
    }

    /// Says a line; the reply must begin so.
    fn ask(&mut self, line: &str, expected: &str) -> io::Result<String> {
        self.stream.get_mut().write_all(format!("{line}\r\n").as_bytes())?;
        self.expect(line, expected)
    }

    fn expect(&mut self, line: &str, expected: &str) -> io::Result<String> {
        let reply = self.reply()?;
        assert!(reply.starts_with(expected), "{line}: {reply}");
        Ok(reply)
    }

    fn data(&self, port: &str) -> io::Result<TcpStream> {
        let stream = TcpStream::connect(SocketAddr::new(self.server.ip(), port.parse().unwrap()))?;
        stream.set_read_timeout(Some(HANG))?;
        Ok(stream)
    }
}

impl Ftp {
    pub fn guest(server: SocketAddr) -> io::Result<Ftp> {
        Ftp::user(server, "anonymous", "x")
    }

    pub fn user(server: SocketAddr, name: &str, password: &str) -> io::Result<Ftp> {
        let mut control = Control::connect(server)?;
        control.expect("greeting", "220 ")?;
        control.ask(&format!("USER {name}"), "331 ")?;
        control.ask(&format!("PASS {password}"), "230 ")?;
        control.ask("TYPE I", "200 ")?;
        Ok(Ftp(control))
    }

    /// Begins a transfer.
    pub fn open(&mut self, line: &str) -> io::Result<TcpStream> {
        let reply = self.0.ask("EPSV", "229 ")?;
        let data = self.0.data(reply.split('|').nth(3).unwrap())?;
        self.0.ask(line, "150 ")?;
        Ok(data)
    }

    /// Waits until it is acknowledged.
    pub fn end(&mut self) -> io::Result<()> {
        self.0.expect("transfer", "226 ").map(drop)
    }

    pub fn store(&mut self, line: &str, content: &[u8]) -> io::Result<()> {
        let mut data = self.open(line)?;
        data.write_all(content)?;
        drop(data);
        self.end()
    }

    /// STOR from a position on.
    pub fn patch(&mut self, name: &str, from: usize, content: &[u8]) -> io::Result<()> {
        let reply = self.0.ask("EPSV", "229 ")?;
        let mut data = self.0.data(reply.split('|').nth(3).unwrap())?;
        self.0.ask(&format!("REST {from}"), "350 ")?;
        self.0.ask(&format!("STOR {name}"), "150 ")?;
        data.write_all(content)?;
        drop(data);
        self.end()
    }
}

impl Simple {
    pub fn connect(server: SocketAddr) -> io::Result<Simple> {
        Control::connect(server).map(Simple)
    }

    pub fn store(&mut self, name: &str, content: &[u8]) -> io::Result<()> {
        let reply = self.0.ask(&format!("PUT {name} {}", content.len()), "200 OK ")?;
        let mut data = self.0.data(&reply["200 OK ".len()..])?;
        data.write_all(content)?;
        self.0.expect("PUT", "226 ")?;
        drain(data)
    }
}

impl Updown {
    pub fn connect(server: SocketAddr) -> io::Result<Updown> {
        Control::connect(server).map(Updown)
    }

    pub fn store(&mut self, name: &str, content: &[u8]) -> io::Result<()> {
        let reply = self.0.ask(&format!("UPLOAD {name} {}", content.len()), "OK ")?;
        let mut data = self.0.data(reply.rsplit(' ').next().unwrap())?;
        data.write_all(content)?;
        self.0.expect("UPLOAD", "DONE")?;
        drain(data)
    }
}

/// The server closes first: its port is free again at once.
fn drain(mut data: TcpStream) -> io::Result<()> {
    data.read_to_end(&mut Vec::new()).map(drop)
}

/// Not a limit on the server's speed: it only turns a hang into a failure.
const HANG: Duration = Duration::from_secs(60);
