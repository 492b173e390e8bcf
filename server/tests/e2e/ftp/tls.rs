//! TLS: who has to use it, which sessions data connections may have, and connections that are cut, silent or garbage.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use muxftp_server::Config;
use muxftp_server::config::{SessionReuse, TlsMode, TlsSettings};
use rustls::SupportedProtocolVersion;
use rustls::version::{TLS12, TLS13};

use super::client::{Ftp, Way};
use super::server_with;
use crate::pipe::{CERTIFICATE, TlsClient};
use crate::support::{TestServer, noise, read_all, wait_until};

const VERSIONS: [&SupportedProtocolVersion; 2] = [&TLS12, &TLS13];

fn server(mode: TlsMode, reuse: SessionReuse) -> TestServer {
    tls_server(mode, reuse, |_| {})
}

fn tls_server(mode: TlsMode, reuse: SessionReuse, change: impl FnOnce(&mut Config)) -> TestServer {
    server_with(|config| {
        config.listen[0].tls = mode;
        config.tls = Some(TlsSettings { session_reuse: reuse, ..CERTIFICATE.settings() });
        change(config);
    })
}

/// A guest whose connections are encrypted.
fn guest(server: &TestServer, tls: &TlsClient) -> Ftp {
    let mut ftp = Ftp::connect(server.address);
    ftp.secure(tls);
    assert_eq!(ftp.log_in("anonymous", ""), "230 Logged in");
    ftp.expect("200 ", "TYPE I");
    ftp
}

#[test]
fn a_data_connection_has_to_resume_its_own_session() {
    let server = server(TlsMode::Required, SessionReuse::Require);
    server.put_file("a", b"x");
    for version in VERSIONS {
        let tls = TlsClient::new(version);
        let mut ftp = guest(&server, &tls);
        // The same session serves any number of them.
        for _ in 0..20 {
            assert_eq!(ftp.retr("a").unwrap(), b"x", "{version:?}");
        }
        let mut forgetful = guest(&server, &TlsClient::forgetful(version));
        let refusal = forgetful.retr("a").unwrap_err();
        assert!(refusal.starts_with("522 The Data Connection Must Resume The TLS Session"), "{refusal}");
        // The session goes on, and other sessions too.
        forgetful.expect("257 ", "PWD");
        assert_eq!(ftp.retr("a").unwrap(), b"x");
    }
}

#[test]
fn the_session_of_another_control_connection_does_not_count() {
    let server = server(TlsMode::Required, SessionReuse::Require);
    server.put_file("a", b"x");
    for version in VERSIONS {
        let mut victim = guest(&server, &TlsClient::new(version));
        let mut thief = guest(&server, &TlsClient::new(version));
        assert_eq!(thief.retr("a").unwrap(), b"x");
        let data = victim.open("RETR a").unwrap();
        let mut stolen = thief.protection().wrap(data);
        let mut bytes = Vec::new();
        let _ = stolen.read_to_end(&mut bytes);
        assert!(bytes.is_empty());
        assert!(victim.end().unwrap_err().starts_with("522 "), "{version:?}");
    }
}

#[test]
fn without_the_demand_any_session_will_do() {
    for reuse in [SessionReuse::Off, SessionReuse::Log] {
        let server = server(TlsMode::Optional, reuse);
        server.put_file("a", b"x");
        for version in VERSIONS {
            assert_eq!(guest(&server, &TlsClient::forgetful(version)).retr("a").unwrap(), b"x");
        }
    }
}

#[test]
fn data_connections_are_encrypted_when_they_are_asked_to_be() {
    let server = server(TlsMode::Optional, SessionReuse::Require);
    server.put_file("a", b"readable");
    let tls = TlsClient::new(&TLS13);
    let mut ftp = guest(&server, &tls);
    // What goes over the wire is not the file, whoever makes the connection.
    for way in [Way::Epsv, Way::Pasv, Way::Port, Way::Eprt] {
        let mut raw = ftp.open_by(way, "RETR a").unwrap();
        raw.shutdown(Shutdown::Write).unwrap();
        assert!(!read_all(&mut raw).windows(8).any(|window| window == b"readable"), "{way:?}");
        assert!(ftp.end().unwrap_err().starts_with("426 "), "{way:?}: there was no hand-shake");
    }
    ftp.expect("200 ", "PROT C");
    let mut raw = ftp.open("RETR a").unwrap();
    assert_eq!(read_all(&mut raw), b"readable");
    ftp.end().unwrap();
    ftp.expect("200 ", "PROT P");
    assert_eq!(ftp.retr("a").unwrap(), b"readable");
    // And who asks for nothing has nothing encrypted.
    assert_eq!(Ftp::guest(server.address).retr("a").unwrap(), b"readable");
}

#[test]
fn nobody_logs_in_or_transfers_in_the_clear_where_it_is_required() {
    let server = server(TlsMode::Required, SessionReuse::Log);
    let mut ftp = Ftp::connect(server.address);
    ftp.expect("530 ", "USER anonymous");
    ftp.expect("503 ", "PASS x");
    let tls = TlsClient::new(&TLS13);
    ftp.secure(&tls);
    assert_eq!(ftp.log_in("anonymous", ""), "230 Logged in");
    ftp.expect("534 ", "PROT C");
    ftp.expect("534 ", "CCC");
    ftp.expect("534 ", "REIN");
}

/// Lets only so many bytes out, and then ends the connection without a word.
pub(super) struct Cut {
    pub(super) socket: TcpStream,
    pub(super) left: usize,
}

impl Read for Cut {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.socket.read(buffer)
    }
}

impl Write for Cut {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.left > 0 {
            let count = self.socket.write(&bytes[..bytes.len().min(self.left)])?;
            self.left -= count;
            if self.left > 0 || count == bytes.len() {
                return Ok(count);
            }
        }
        self.socket.shutdown(Shutdown::Write)?;
        Err(io::ErrorKind::BrokenPipe.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn an_upload_that_is_cut_at_any_byte_leaves_the_old_file() {
    let server = server(TlsMode::Required, SessionReuse::Require);
    server.put_file("kept", b"old");
    for version in VERSIONS {
        let tls = TlsClient::new(version);
        let mut ftp = guest(&server, &tls);
        let content = noise(1, 3000);
        let mut whole = false;
        // Beyond the data lies the close_notify, the last byte of which makes the upload whole.
        for bytes in (0..).step_by(37) {
            // An upload that is cut takes a ticket and gives none.
            ftp.fetch("NLST").unwrap();
            let socket = ftp.open("STOR kept").unwrap();
            let sent = tls.upload(Cut { socket, left: bytes }, &content);
            match ftp.end() {
                Ok(()) => {
                    assert!(sent.is_ok(), "{version:?}: cut at {bytes} and taken for whole");
                    whole = true;
                    break;
                }
                Err(reply) => {
                    assert!(sent.is_err(), "{version:?}: {reply} to a whole upload");
                    assert!(reply.starts_with("426 ") || reply.starts_with("522 "), "{reply}");
                    assert_eq!(server.file("kept").unwrap(), b"old", "{version:?}: cut at {bytes}");
                }
            }
        }
        assert!(whole && server.file("kept").unwrap() == content);
        server.put_file("kept", b"old");
    }
    assert_eq!(server.names(), ["kept"]);
}

#[test]
fn what_is_said_in_the_clear_behind_auth_is_refused_or_no_tls() {
    let server = server(TlsMode::Optional, SessionReuse::Log);
    let mut ftp = Ftp::connect(server.address);
    // In one piece: the server sees it in time.
    ftp.send(b"AUTH TLS\r\nPWD\r\n");
    ftp.expect_reply("503 ", "AUTH");
    ftp.expect_reply("530 ", "PWD");
    ftp.secure(&TlsClient::new(&TLS13));
    // Later: it is no hand-shake.
    let mut ftp = Ftp::connect(server.address);
    ftp.expect("234 ", "AUTH TLS");
    ftp.say("USER anonymous");
    let mut rest = Vec::new();
    let _ = ftp.socket().read_to_end(&mut rest);
    assert!(rest.len() <= 7, "no more than an alert: {rest:?}");
    Ftp::guest(server.address).quit();
}

#[test]
fn silence_behind_auth_has_an_end() {
    let server = tls_server(TlsMode::Optional, SessionReuse::Log, |config| {
        config.timeouts.login = Duration::from_millis(500);
    });
    let mut silent = Ftp::connect(server.address);
    silent.expect("234 ", "AUTH TLS");
    assert_eq!(read_all(&mut silent.socket()), b"");
    let server = tls_server(TlsMode::Implicit, SessionReuse::Log, |config| {
        config.timeouts.login = Duration::from_millis(500);
    });
    let mut silent = TcpStream::connect(server.address).unwrap();
    assert_eq!(read_all(&mut silent), b"");
}

/// As Python's asyncio does (aioftp): it connects and makes the hand-shake in one step, and then says its command.
#[test]
fn a_hand_shake_may_come_before_its_command() {
    let server = server(TlsMode::Optional, SessionReuse::Require);
    let content = noise(4, 300_000);
    for version in VERSIONS {
        let tls = TlsClient::new(version);
        let mut ftp = guest(&server, &tls);
        let early = |ftp: &mut Ftp| {
            let data = ftp.data();
            tls.connect(data).unwrap()
        };
        for _ in 0..3 {
            let mut data = early(&mut ftp);
            ftp.expect("150 ", "STOR a");
            data.write_all(&content).unwrap();
            data.finish();
            ftp.end().unwrap();
            let mut data = early(&mut ftp);
            ftp.expect("150 ", "RETR a");
            let mut bytes = Vec::new();
            data.read_to_end(&mut bytes).unwrap();
            ftp.end().unwrap();
            assert!(bytes == content, "{version:?}");
        }
        // All of an upload is there before its command.
        let mut data = early(&mut ftp);
        data.write_all(b"ahead").unwrap();
        ftp.say("STOR b");
        data.finish();
        ftp.expect_reply("150 ", "STOR");
        ftp.end().unwrap();
        assert_eq!(server.file("b").unwrap(), b"ahead");
        // One that no transfer uses is in nobody's way.
        drop(early(&mut ftp));
        assert!(ftp.retr("a").unwrap() == content);
        // What was begun encrypted does not go on in the clear.
        let _data = early(&mut ftp);
        ftp.expect("200 ", "PROT C");
        ftp.expect("150 ", "RETR a");
        assert_eq!(ftp.reply(), "522 TLS Failed On The Data Connection");
    }
    let mut forgetful = guest(&server, &TlsClient::forgetful(&TLS13));
    let data = forgetful.data();
    let _data = TlsClient::forgetful(&TLS13).connect(data).unwrap();
    forgetful.expect("150 ", "RETR a");
    forgetful.expect_reply("522 ", "RETR");
}

#[test]
fn a_data_connection_without_its_hand_shake_is_given_up() {
    let server = tls_server(TlsMode::Required, SessionReuse::Log, |config| {
        config.timeouts.stall = Duration::from_millis(500);
    });
    server.put_file("a", b"x");
    let tls = TlsClient::new(&TLS13);
    let mut ftp = guest(&server, &tls);
    for line in ["RETR a", "STOR b", "MLSD"] {
        let silent = ftp.open(line).unwrap();
        assert!(ftp.end().unwrap_err().starts_with("426 "), "{line}");
        drop(silent);
    }
    assert_eq!(ftp.retr("a").unwrap(), b"x");
    assert_eq!(server.names(), ["a"]);
}

#[test]
fn garbage_in_place_of_a_hand_shake_ends_that_connection_only() {
    let server = server(TlsMode::Implicit, SessionReuse::Log);
    for garbage in
        [&b"USER anonymous\r\n"[..], &[0; 100], &[0x16, 3, 1, 0xff, 0xff, 1, 2, 3], b"GET / HTTP/1.1\r\n\r\n"]
    {
        let mut stream = TcpStream::connect(server.address).unwrap();
        stream.write_all(garbage).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        assert!(answer.len() <= 7, "no more than an alert: {answer:?}");
    }
    let mut ftp = Ftp::over_tls(TcpStream::connect(server.address).unwrap(), &TlsClient::new(&TLS13));
    assert_eq!(ftp.log_in("anonymous", ""), "230 Logged in");
}

#[test]
fn abor_and_stat_are_heard_while_encrypted_bytes_move() {
    let server = server(TlsMode::Required, SessionReuse::Require);
    server.put_file("large", &noise(3, 30_000_000));
    let tls = TlsClient::new(&TLS13);
    let mut ftp = guest(&server, &tls);
    let mut data = ftp.open_pipe("RETR large").unwrap();
    data.read_exact(&mut [0; 1000]).unwrap();
    let status = ftp.expect("211-", "STAT");
    assert!(status.contains(" Control and data connections are encrypted\n"), "{status}");
    ftp.say("ABOR");
    ftp.expect_reply("426 ", "RETR");
    ftp.expect_reply("226 ", "ABOR");
    drop(data);
    assert!(ftp.retr("large").unwrap() == noise(3, 30_000_000));
    ftp.quit();
    wait_until(|| server.names() == ["large"]);
}

#[test]
fn a_client_that_vanishes_before_it_has_read_is_no_reason_to_write_for_ever() {
    let server = server(TlsMode::Required, SessionReuse::Log);
    let tls = TlsClient::new(&TLS13);
    for _ in 0..5 {
        let mut gone = guest(&server, &tls);
        gone.send(&b"FEAT\r\n".repeat(5000));
        socket2::SockRef::from(gone.socket()).set_linger(Some(Duration::ZERO)).unwrap();
    }
    guest(&server, &tls).quit();
}
