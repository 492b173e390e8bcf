//! What the lines of the log say about transfers.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;

use crate::{Log, Muxftpd, Session};

fn logged_in(server: &Muxftpd) -> Session {
    let mut session = server.session();
    assert!(session.reply().starts_with("220 "));
    assert!(session.says("USER ftp").starts_with("331 "));
    assert!(session.says("PASS x").starts_with("230 "));
    session
}

/// The data connection is there before the command, as with all clients that are fast.
fn data_connection(session: &mut Session) -> TcpStream {
    let reply = session.says("EPSV");
    let port = reply.split('|').nth(3).unwrap().parse().unwrap();
    let peer = session.replies.get_ref().peer_addr().unwrap();
    TcpStream::connect((peer.ip(), port)).unwrap()
}

#[test]
fn a_small_transfer_has_a_duration() {
    let (log, stderr) = std::io::pipe().unwrap();
    let server = Muxftpd::start("ftp", &["--data-ports", "20000-29999"], stderr);
    fs::write(server.place.path().join("root/file"), "x").unwrap();
    let mut log = Log::new(log);
    let mut session = logged_in(&server);
    for (command, line) in [("RETR file", "verb=RETR"), ("NLST", "verb=NLST"), ("MLSD", "verb=MLSD")] {
        let mut data = data_connection(&mut session);
        assert!(session.says(command).starts_with("150 "));
        data.read_to_end(&mut Vec::new()).unwrap();
        assert!(session.reply().starts_with("226 "));
        let line = log.line_with(line);
        assert!(line.contains(" result=ok") && !line.contains("duration_us=0 "), "{line}");
    }
    let mut data = data_connection(&mut session);
    assert!(session.says("STOR other").starts_with("150 "));
    data.write_all(b"x").unwrap();
    drop(data);
    assert!(session.reply().starts_with("226 "));
    let line = log.line_with("verb=STOR");
    assert!(!line.contains("duration_us=0 "), "{line}");
}

#[test]
fn a_quota_that_is_used_up_is_a_warning() {
    let (log, stderr) = std::io::pipe().unwrap();
    let place = tempfile::tempdir().unwrap();
    fs::write(place.path().join("m.toml"), "[guest]\nquota_bytes = 10\n").unwrap();
    let options = ["--config", "m.toml", "--log-level", "warn", "--data-ports", "20000-29999"];
    let server = Muxftpd::start_in(place, "ftp", &options, stderr, |command| command);
    let mut session = logged_in(&server);
    let mut data = data_connection(&mut session);
    assert!(session.says("STOR file").starts_with("150 "));
    data.write_all(&[b'x'; 11]).unwrap();
    drop(data);
    assert!(session.reply().starts_with("552 "));
    let line = Log::new(log).line_with("transfer");
    assert!(line.contains("WARN") && line.contains("result=QuotaExceeded"), "{line}");
}
