//! A blocking client of `ftp`, written from RFC 959, 2428 and 3659: no code shared with the project.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};

use crate::pipe::{Pipe, TlsClient};
use crate::support::{HANG, connect_beside, connect_from};

/// A control connection.
pub struct Ftp {
    control: BufReader<Box<dyn Pipe>>,
    /// How data connections are encrypted, when they are.
    protection: Option<TlsClient>,
}

/// How a data connection is agreed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    Epsv,
    Pasv,
    Port,
    Eprt,
}

impl Ftp {
    /// Connects and reads the greeting.
    pub fn connect(server: SocketAddr) -> Ftp {
        Ftp::greeted(TcpStream::connect(server).unwrap())
    }

    /// The same from another address of this machine.
    pub fn connect_from(source: Ipv4Addr, server: SocketAddr) -> Ftp {
        Ftp::greeted(connect_from(source, server))
    }

    /// The guest, in TYPE I.
    pub fn guest(server: SocketAddr) -> Ftp {
        Ftp::user(server, "anonymous", "me@example.com")
    }

    /// Logged in, in TYPE I.
    pub fn user(server: SocketAddr, name: &str, password: &str) -> Ftp {
        let mut ftp = Ftp::connect(server);
        assert_eq!(ftp.log_in(name, password), "230 Logged in", "{name}");
        ftp.expect("200", "TYPE I");
        ftp
    }

    /// Takes a connection whose greeting is still to be read, whatever it is.
    pub fn over(control: TcpStream) -> Ftp {
        control.set_read_timeout(Some(HANG)).unwrap();
        Ftp { control: BufReader::new(Box::new(control)), protection: None }
    }

    /// AUTH TLS, PBSZ 0 and PROT P.
    pub fn secure(&mut self, tls: &TlsClient) {
        self.expect("234 ", "AUTH TLS");
        assert!(self.control.buffer().is_empty(), "nothing comes in the clear behind 234");
        let socket = self.socket().try_clone().unwrap();
        self.control = BufReader::new(tls.connect(socket).unwrap());
        self.expect("200 ", "PBSZ 0");
        self.expect("200 ", "PROT P");
        self.protection = Some(tls.clone());
    }

    /// Where TLS comes before the greeting.
    pub fn over_tls(control: TcpStream, tls: &TlsClient) -> Ftp {
        control.set_read_timeout(Some(HANG)).unwrap();
        let control = BufReader::new(tls.connect(control).unwrap());
        let mut ftp = Ftp { control, protection: Some(tls.clone()) };
        ftp.expect_reply("220 ", "greeting");
        ftp
    }

    /// How data connections are encrypted.
    pub fn protection(&self) -> &TlsClient {
        self.protection.as_ref().unwrap()
    }

    pub fn quit(&mut self) {
        self.expect("221 ", "QUIT");
        assert_eq!(self.reply(), "", "closed");
    }

    /// The reply to USER and PASS.
    pub fn log_in(&mut self, name: &str, password: &str) -> String {
        let named = self.ask(format!("USER {name}"));
        assert!(named.starts_with("331 "), "{named}");
        self.ask(format!("PASS {password}"))
    }

    pub fn send(&mut self, bytes: &[u8]) {
        self.control.get_mut().write_all(bytes).unwrap();
    }

    /// Says a line.
    pub fn say(&mut self, line: impl AsRef<[u8]>) {
        self.send(&[line.as_ref(), b"\r\n"].concat());
    }

    /// A whole reply, its lines joined by LF; empty when the server has closed.
    pub fn reply(&mut self) -> String {
        let mut text = self.line();
        // RFC 959 4.2: `123-` begins what ends with the line `123 `.
        if text.as_bytes().get(3) == Some(&b'-') {
            let end = format!("{} ", &text[..3]);
            loop {
                let line = self.line();
                assert!(!line.is_empty(), "closed in the middle of a reply: {text}");
                text = text + "\n" + &line;
                if line.starts_with(&end) {
                    break;
                }
            }
        }
        text
    }

    /// Says a line and reads the reply to it.
    pub fn ask(&mut self, line: impl AsRef<[u8]>) -> String {
        self.say(line);
        self.reply()
    }

    /// Says a line, to which this must be the number of the reply.
    pub fn expect(&mut self, code: &str, line: impl AsRef<[u8]>) -> String {
        self.say(&line);
        let said = String::from_utf8_lossy(line.as_ref()).into_owned();
        self.expect_reply(code, &said)
    }

    /// The next reply, which must have this number.
    pub fn expect_reply(&mut self, code: &str, why: &str) -> String {
        let reply = self.reply();
        assert!(reply.starts_with(code), "{why}: {reply:?} instead of {code}");
        reply
    }

    pub fn socket(&self) -> &TcpStream {
        self.control.get_ref().socket()
    }

    /// Connects to the port of a fresh EPSV.
    pub fn data(&mut self) -> TcpStream {
        let port = self.epsv();
        self.connect_data(port)
    }

    pub fn epsv(&mut self) -> u16 {
        let reply = self.expect("229 ", "EPSV");
        let (_, rest) = reply.split_once("(|||").unwrap();
        rest.split_once("|)").unwrap().0.parse().unwrap()
    }

    /// The address that PASV tells.
    pub fn pasv(&mut self) -> SocketAddr {
        let reply = self.expect("227 ", "PASV");
        let numbers = reply.split_once('(').unwrap().1.split_once(')').unwrap().0;
        let n: Vec<u8> = numbers.split(',').map(|number| number.parse().unwrap()).collect();
        let [a, b, c, d, high, low] = n[..] else { panic!("{reply}") };
        SocketAddr::new(Ipv4Addr::new(a, b, c, d).into(), u16::from_be_bytes([high, low]))
    }

    pub fn connect_data(&self, port: u16) -> TcpStream {
        connect_beside(self.socket(), port)
    }

    /// Begins a transfer over a data connection of this kind; the refusal if there is one.
    pub fn open_by(&mut self, way: Way, line: impl AsRef<[u8]>) -> Result<TcpStream, String> {
        let (connected, listener) = match way {
            Way::Epsv => (Some(self.data()), None),
            Way::Pasv => {
                let address = self.pasv();
                (Some(with_timeout(TcpStream::connect(address).unwrap())), None)
            }
            Way::Port | Way::Eprt => (None, Some(self.listen(way))),
        };
        let opening = self.ask(line);
        if !opening.starts_with("150 ") {
            return Err(opening);
        }
        let accept = |listener: TcpListener| with_timeout(listener.accept().unwrap().0);
        Ok(connected.or_else(|| listener.map(accept)).unwrap())
    }

    /// The same with EPSV.
    pub fn open(&mut self, line: impl AsRef<[u8]>) -> Result<TcpStream, String> {
        self.open_by(Way::Epsv, line)
    }

    /// The same, encrypted if that was agreed on.
    pub fn open_pipe(&mut self, line: impl AsRef<[u8]>) -> Result<Box<dyn Pipe>, String> {
        let data = self.open(line)?;
        Ok(match &self.protection {
            Some(tls) => tls.wrap(data),
            None => Box::new(data),
        })
    }

    /// What a command sends over its data connection, or how it is refused or broken off.
    pub fn fetch(&mut self, line: impl AsRef<[u8]>) -> Result<Vec<u8>, String> {
        let (mut data, mut bytes) = (self.open_pipe(line)?, Vec::new());
        let read = data.read_to_end(&mut bytes);
        self.end()?;
        read.unwrap();
        Ok(bytes)
    }

    pub fn retr(&mut self, name: &str) -> Result<Vec<u8>, String> {
        self.fetch(format!("RETR {name}"))
    }

    /// The lines of a listing.
    pub fn list(&mut self, line: &str) -> Vec<String> {
        let text = String::from_utf8(self.fetch(line).unwrap()).unwrap();
        let lines = text.split_terminator("\r\n").map(str::to_owned).collect();
        assert!(text.is_empty() || text.ends_with("\r\n"), "{text:?}");
        lines
    }

    /// Gives a command its bytes; the refusal if there is one.
    pub fn give(&mut self, line: impl AsRef<[u8]>, bytes: &[u8]) -> Result<(), String> {
        let mut data = self.open_pipe(line)?;
        // A server that has enough closes: its reply says why.
        let _ = data.write_all(bytes);
        data.finish();
        self.end()
    }

    pub fn stor(&mut self, name: &str, bytes: &[u8]) -> Result<(), String> {
        self.give(format!("STOR {name}"), bytes)
    }

    /// The reply after a transfer.
    pub fn end(&mut self) -> Result<(), String> {
        match self.reply() {
            reply if reply.starts_with("226 ") => Ok(()),
            reply => Err(reply),
        }
    }

    /// A listener of ours that the server was told of.
    fn listen(&mut self, way: Way) -> TcpListener {
        let here = self.socket().local_addr().unwrap().ip();
        let listener = TcpListener::bind((here, 0)).unwrap();
        let line = address_command(way, listener.local_addr().unwrap());
        self.expect("200 ", line);
        listener
    }

    fn greeted(control: TcpStream) -> Ftp {
        let mut ftp = Ftp::over(control);
        ftp.expect_reply("220 ", "greeting");
        ftp
    }

    /// A line without its end; empty when the server has closed.
    fn line(&mut self) -> String {
        let mut line = Vec::new();
        self.control.read_until(b'\n', &mut line).unwrap();
        assert!(line.is_empty() || line.ends_with(b"\r\n"), "{line:?}");
        line.truncate(line.len().saturating_sub(2));
        String::from_utf8_lossy(&line).into_owned()
    }
}

/// PORT or EPRT with an address.
pub fn address_command(way: Way, address: SocketAddr) -> String {
    match (way, address.ip()) {
        (Way::Port, IpAddr::V4(ip)) => {
            let ([a, b, c, d], [high, low]) = (ip.octets(), address.port().to_be_bytes());
            format!("PORT {a},{b},{c},{d},{high},{low}")
        }
        (_, IpAddr::V4(ip)) => format!("EPRT |1|{ip}|{}|", address.port()),
        (_, IpAddr::V6(ip)) => format!("EPRT |2|{ip}|{}|", address.port()),
    }
}

fn with_timeout(stream: TcpStream) -> TcpStream {
    stream.set_read_timeout(Some(HANG)).unwrap();
    stream
}
