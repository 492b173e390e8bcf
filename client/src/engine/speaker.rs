//! What a server speaks that does not speak what the URL says: by its first bytes, or by a question that any of them
//! answers.
//!
//! It must not know the session.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::mpsc::{Receiver, TryRecvError, channel};
use std::time::{Duration, Instant};

use muxftp_proto::Dialect;

use crate::target::ServerName;

/// What can be at a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Speaker {
    Dialect(Dialect),
    /// TLS from the first byte on.
    Tls,
    /// Neither of our dialects nor TLS: its name.
    Other(&'static str),
}

impl Speaker {
    /// By what a server says first, or to the command of another dialect.
    pub(super) fn of(said: &[u8]) -> Option<Speaker> {
        let begins = |words: &[&str]| words.iter().any(|word| said.starts_with(word.as_bytes()));
        if said.starts_with(&[0x15, 0x03]) {
            Some(Speaker::Tls)
        } else if begins(&["220 ", "220-", "120 ", "421 "]) {
            Some(Speaker::Dialect(Dialect::Ftp))
        } else if begins(&["200 OK PORT", "FILESIZE", "DATAPORT"]) {
            Some(Speaker::Other("a protocol with the same verbs and other replies, which muxftp does not speak"))
        } else if begins(&["200 OK", "226 Transfer Complete", "550 "]) {
            Some(Speaker::Dialect(Dialect::Simple))
        } else if begins(&["ERROR ", "OK\n", "OK\r"]) || said == b"OK" {
            Some(Speaker::Dialect(Dialect::Updown))
        } else if begins(&["HTTP/"]) {
            Some(Speaker::Other("HTTP"))
        } else if begins(&["SSH-"]) {
            Some(Speaker::Other("SSH (or SFTP)"))
        } else {
            None
        }
    }

    /// What to do about it; `None`: it is what the URL says.
    pub(super) fn advice(self, server: &ServerName) -> Option<String> {
        let url = match self {
            Speaker::Dialect(dialect) if dialect == server.dialect && !server.is_implicit => return None,
            Speaker::Tls if server.is_implicit => return None,
            Speaker::Other(what) => return Some(format!("the server at this port speaks {what}")),
            Speaker::Dialect(dialect) => server.speaking(dialect, false),
            Speaker::Tls => server.speaking(Dialect::Ftp, true),
        };
        Some(match self {
            Speaker::Tls => format!("the server at this port expects TLS from the first byte on: use {url}"),
            _ if server.is_implicit && url.dialect == Dialect::Ftp => {
                format!("the server at this port does not begin with TLS: use {url} with --tls required")
            }
            _ => format!("the server at this port speaks {}: use {url}", url.dialect),
        })
    }

    /// Asks at another connection. EXIT is harmless in all dialects: it ends a session of `simple`, is refused by the
    /// others, and makes a server of TLS give an alert.
    pub(super) fn ask(address: SocketAddr) -> Option<Speaker> {
        let mut stream = TcpStream::connect_timeout(&address, ANSWER_TIME).ok()?;
        stream.set_read_timeout(Some(GREETING_TIME)).ok()?;
        let mut said = [0; 64];
        let greeting = stream.read(&mut said);
        if let Ok(bytes) = greeting {
            return Speaker::of(&said[..bytes]);
        }
        stream.set_read_timeout(Some(ANSWER_TIME)).ok()?;
        stream.write_all(b"EXIT\r\n").ok()?;
        let bytes = stream.read(&mut said).ok()?;
        Speaker::of(&said[..bytes])
    }
}

/// The question to a server that stays silent where a greeting is due, or that has no TLS.
#[derive(Debug)]
pub(crate) struct Probe {
    address: SocketAddr,
    at: Instant,
    answer: Option<Receiver<Option<Speaker>>>,
}

impl Probe {
    /// Asks after so much silence.
    pub(super) fn after(silence: Duration, address: SocketAddr) -> Probe {
        Probe { address, at: Instant::now() + silence, answer: None }
    }

    /// Looks for the answer, and asks when it is time; `None`: nothing is known yet.
    pub(super) fn poll(&mut self) -> Option<Option<Speaker>> {
        let Some(answer) = &self.answer else {
            if Instant::now() >= self.at {
                let (sender, receiver) = channel();
                let address = self.address;
                // Whoever asked may have got the greeting meanwhile.
                std::thread::spawn(move || {
                    let _ = sender.send(Speaker::ask(address));
                });
                self.answer = Some(receiver);
            }
            return None;
        };
        match answer.try_recv() {
            Ok(speaker) => Some(speaker),
            Err(TryRecvError::Empty) => None,
            Err(TryRecvError::Disconnected) => Some(None),
        }
    }
}

/// Servers that look up who calls greet late, but most greet at once.
pub(super) const SILENCE: Duration = Duration::from_millis(1500);

/// How long a greeting may take at the second connection.
const GREETING_TIME: Duration = Duration::from_millis(500);

/// How long an answer may take.
const ANSWER_TIME: Duration = Duration::from_secs(3);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::Target;

    #[test]
    fn what_a_server_says_names_what_it_speaks() {
        for (url, said, advice) in [
            ("simple://h:1", &b"220 ready"[..], Some("speaks ftp: use ftp://h:1")),
            ("updown://h:1", b"220-ready", Some("speaks ftp: use ftp://h:1")),
            ("updown://h:1", b"550 Unknown Command (GET, PUT, LS, EXIT)", Some("speaks simple: use simple://h:1")),
            ("simple://h:1", b"ERROR UnknownCommand", Some("speaks updown: use updown://h:1")),
            ("simple://h:1", b"\x15\x03\x03\0\x02\x02\x0a", Some("TLS from the first byte on: use ftps://h:1")),
            ("ftp://ann@[::1]:1", b"\x15\x03\x03", Some("TLS from the first byte on: use ftps://ann@[::1]:1")),
            ("ftps://h:1", b"220 ready", Some("does not begin with TLS: use ftp://h:1 with --tls required")),
            ("ftps://h:1", b"200 OK Goodbye", Some("speaks simple: use simple://h:1")),
            ("simple://h:1", b"HTTP/1.1 400 Bad Request", Some("speaks HTTP")),
            ("ftp://h:1", b"SSH-2.0-OpenSSH", Some("speaks SSH")),
            ("simple://h:1", b"FILESIZE 12", Some("other replies")),
            ("simple://h:1", b"200 OK PORT 7 SIZE 3", Some("other replies")),
            ("simple://h:1", b"550 no", None),
            ("ftp://h:1", b"220 ready", None),
            ("ftp://h:1", b"Welcome", None),
        ] {
            let server = Target::parse(url).unwrap().server;
            let given = Speaker::of(said).and_then(|speaker| speaker.advice(&server));
            match advice {
                Some(advice) => assert!(given.as_deref().unwrap_or_default().contains(advice), "{url}: {given:?}"),
                None => assert_eq!(given, None, "{url}"),
            }
        }
    }
}
