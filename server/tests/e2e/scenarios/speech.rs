//! The dialects as a scenario sees them: a server of each, and clients that are all alike.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr};

use muxftp_server::Config;
use muxftp_server::config::{SessionReuse, TlsMode, TlsSettings};
use rustls::version::{TLS12, TLS13};

use crate::ftp::client::Ftp;
use crate::pipe::{CERTIFICATE, Pipe, TlsClient};
use crate::support::{TestServer, connect_from, read_all};
use crate::{ftp, simple, updown};

/// What server and clients speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Speech {
    Simple,
    Updown,
    Ftp,
    /// With AUTH TLS, each data connection resuming the session.
    FtpTls12,
    FtpTls13,
    /// With TLS from the first byte on, each data connection with a session of its own.
    Ftps,
}

impl Speech {
    pub fn server(self) -> TestServer {
        self.server_with(|_| {})
    }

    pub fn server_with(self, change: impl FnOnce(&mut Config)) -> TestServer {
        match self {
            Speech::Simple => TestServer::with(change),
            Speech::Updown => updown::server_with(updown::ONE_PORT, change),
            Speech::Ftp => ftp::server_with(change),
            Speech::FtpTls12 | Speech::FtpTls13 => Speech::tls_server(TlsMode::Required, SessionReuse::Require, change),
            Speech::Ftps => Speech::tls_server(TlsMode::Implicit, SessionReuse::Off, change),
        }
    }

    fn tls_server(mode: TlsMode, reuse: SessionReuse, change: impl FnOnce(&mut Config)) -> TestServer {
        ftp::server_with(|config| {
            config.listen[0].tls = mode;
            config.tls = Some(TlsSettings { session_reuse: reuse, ..CERTIFICATE.settings() });
            change(config);
        })
    }

    /// A client that may begin a transfer.
    pub fn connect(self, server: SocketAddr) -> Box<dyn Client> {
        self.connect_from(Ipv4Addr::LOCALHOST, server)
    }

    /// The same from another address of this machine.
    pub fn connect_from(self, source: Ipv4Addr, server: SocketAddr) -> Box<dyn Client> {
        match self {
            Speech::Simple => Box::new(simple::Client::over(connect_from(source, server))),
            Speech::Updown => Box::new(updown::Client::connect_from(source, server)),
            Speech::Ftp | Speech::FtpTls12 | Speech::FtpTls13 | Speech::Ftps => {
                let mut client = match self {
                    Speech::Ftps => Ftp::over_tls(connect_from(source, server), &TlsClient::forgetful(&TLS13)),
                    _ => Ftp::connect_from(source, server),
                };
                match self {
                    Speech::FtpTls12 => client.secure(&TlsClient::new(&TLS12)),
                    Speech::FtpTls13 => client.secure(&TlsClient::new(&TLS13)),
                    _ => {}
                }
                assert_eq!(client.log_in("anonymous", ""), "230 Logged in");
                client.expect("200 ", "TYPE I");
                Box::new(client)
            }
        }
    }

    /// What somebody from `source` is sent away with.
    pub fn rejection(self, source: Ipv4Addr, server: SocketAddr) -> Option<String> {
        let bytes = read_all(&mut connect_from(source, server));
        if self == Speech::Ftps {
            // There are no words before the hand-shake.
            assert!(bytes.is_empty());
            return None;
        }
        Some(word(std::str::from_utf8(&bytes).unwrap().trim_end()))
    }
}

/// A client of some dialect. An error is the cause in one word, such as `FileNotFound`.
pub trait Client: Send {
    /// Begins to bring `size` bytes: the data connection.
    fn begin_upload(&mut self, name: &str, size: usize) -> Result<Box<dyn Pipe>, String>;

    /// Begins to fetch a file: the data connection.
    fn begin_download(&mut self, name: &str) -> Result<Box<dyn Pipe>, String>;

    /// Asks for a file and never makes the data connection: what the server says at last.
    fn neglect(&mut self, name: &str) -> String;

    /// How the transfer ended.
    fn end(&mut self) -> Result<(), String>;

    /// The names in the root.
    fn names(&mut self) -> Vec<String>;

    /// The cause with which the server ends the session; it closes behind it.
    fn farewell(&mut self) -> String;

    /// Ends the session.
    fn quit(&mut self);

    fn upload(&mut self, name: &str, bytes: &[u8]) -> Result<(), String> {
        let mut data = self.begin_upload(name, bytes.len())?;
        // A server that has enough closes: its reply says why.
        let _ = data.write_all(bytes);
        data.finish();
        self.end()
    }

    fn download(&mut self, name: &str) -> Result<Vec<u8>, String> {
        let mut bytes = Vec::new();
        self.begin_download(name)?.read_to_end(&mut bytes).unwrap();
        self.end().map(|()| bytes)
    }
}

impl Client for simple::Client {
    fn begin_upload(&mut self, name: &str, size: usize) -> Result<Box<dyn Pipe>, String> {
        let reply = self.ask(&format!("PUT {name} {size}"));
        match simple::port(&reply) {
            Some(port) => Ok(Box::new(self.connect_data(port))),
            None => Err(word(&reply)),
        }
    }

    fn begin_download(&mut self, name: &str) -> Result<Box<dyn Pipe>, String> {
        let reply = self.ask(&format!("GET {name}"));
        match simple::port(&reply) {
            Some(port) => Ok(Box::new(self.connect_data(port))),
            None => Err(word(&reply)),
        }
    }

    fn neglect(&mut self, name: &str) -> String {
        assert!(simple::port(&self.ask(&format!("GET {name}"))).is_some());
        word(&self.reply())
    }

    fn end(&mut self) -> Result<(), String> {
        match self.reply() {
            reply if reply == "226 Transfer Complete" => Ok(()),
            reply => Err(word(&reply)),
        }
    }

    fn names(&mut self) -> Vec<String> {
        self.list("LS")
    }

    fn farewell(&mut self) -> String {
        let reply = self.reply();
        assert_eq!(self.reply(), "", "closed");
        word(&reply)
    }

    fn quit(&mut self) {
        assert_eq!(self.ask("EXIT"), "200 OK Goodbye");
        assert_eq!(self.reply(), "", "closed");
    }
}

impl Client for updown::Client {
    fn begin_upload(&mut self, name: &str, size: usize) -> Result<Box<dyn Pipe>, String> {
        let reply = self.ask(&format!("UPLOAD {name} {size}"));
        if reply.starts_with("OK ") { Ok(Box::new(self.data(&reply))) } else { Err(word(&reply)) }
    }

    fn begin_download(&mut self, name: &str) -> Result<Box<dyn Pipe>, String> {
        let reply = self.ask(&format!("DOWNLOAD {name}"));
        if !reply.starts_with("OK ") {
            return Err(word(&reply));
        }
        self.say("READY\n");
        Ok(Box::new(self.data(&reply)))
    }

    fn neglect(&mut self, name: &str) -> String {
        assert!(self.ask(&format!("DOWNLOAD {name}")).starts_with("OK "));
        self.say("READY\n");
        word(&self.reply())
    }

    fn end(&mut self) -> Result<(), String> {
        match self.reply() {
            reply if reply == "DONE" => Ok(()),
            reply => Err(word(&reply)),
        }
    }

    fn names(&mut self) -> Vec<String> {
        self.list()
    }

    fn farewell(&mut self) -> String {
        let reply = self.reply();
        assert_eq!(self.reply(), "", "closed");
        word(&reply)
    }

    fn quit(&mut self) {
        assert_eq!(self.ask("QUIT"), "OK");
        assert_eq!(self.reply(), "", "closed");
    }
}

impl Client for Ftp {
    fn begin_upload(&mut self, name: &str, _: usize) -> Result<Box<dyn Pipe>, String> {
        self.open_pipe(format!("STOR {name}")).map_err(|reply| word(&reply))
    }

    fn begin_download(&mut self, name: &str) -> Result<Box<dyn Pipe>, String> {
        self.open_pipe(format!("RETR {name}")).map_err(|reply| word(&reply))
    }

    fn neglect(&mut self, name: &str) -> String {
        self.epsv();
        let reply = self.ask(format!("RETR {name}"));
        word(&if reply.starts_with('1') { self.reply() } else { reply })
    }

    fn end(&mut self) -> Result<(), String> {
        Ftp::end(self).map_err(|reply| word(&reply))
    }

    fn names(&mut self) -> Vec<String> {
        self.list("NLST")
    }

    fn farewell(&mut self) -> String {
        let reply = self.expect_reply("421 ", "the end");
        assert_eq!(self.reply(), "", "closed");
        word(&reply)
    }

    fn quit(&mut self) {
        Ftp::quit(self);
    }
}

/// The cause of a refusal in one word: `550 File Not Found` and `ERROR FileNotFound` are the same.
fn word(reply: &str) -> String {
    let (code, words) = reply.split_once(' ').unwrap_or_else(|| panic!("no refusal: {reply:?}"));
    assert!(code == "ERROR" || matches!(code.as_bytes(), [b'4' | b'5', _, _]), "no refusal: {reply:?}");
    words.split(' ').collect()
}
