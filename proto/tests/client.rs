//! The client session against a server whose lines and connections a test makes up.

use std::time::Instant;

use muxftp_proto::client::io::{ClientEffect, ClientEvent, ClientTimeouts, Operation, Outcome};
use muxftp_proto::{ClientSession, Dialect};

/// A session that has asked for a file and whose bytes are on their way.
fn moving(now: Instant) -> ClientSession {
    let mut session = ClientSession::new(Dialect::Simple, ClientTimeouts::default());
    session.submit(&Operation::Get { name: b"file".to_vec() }, now);
    session.handle_input(b"200 OK 20001\r\n", now);
    assert_eq!(session.poll_effect(), Some(ClientEffect::ConnectData { port: 20001 }));
    session.handle_event(ClientEvent::DataConnected, now);
    assert_eq!(session.poll_effect(), Some(ClientEffect::StartMoving));
    session
}

#[test]
fn a_farewell_behind_the_final_reply_does_not_spoil_the_download() {
    let now = Instant::now();
    let mut session = moving(now);
    session.handle_input(b"226 Transfer Complete\r\n550 Server Shutting Down\r\n", now);
    session.handle_lost();
    assert_eq!(session.poll_outcome(), None, "bytes are still on their way");
    session.handle_event(ClientEvent::Moved, now);
    assert_eq!(session.poll_outcome(), Some(Outcome::Complete));
    assert!(session.is_closed());
}

#[test]
fn a_control_connection_that_ends_behind_the_final_reply_does_not_spoil_the_download() {
    let now = Instant::now();
    let mut session = moving(now);
    session.handle_input(b"226 Transfer Complete\r\n", now);
    session.handle_lost();
    session.handle_event(ClientEvent::Moved, now);
    assert_eq!(session.poll_outcome(), Some(Outcome::Complete));
    assert!(session.is_closed());
}

#[test]
fn a_server_that_talks_on_is_cut_off() {
    let now = Instant::now();
    let mut session = moving(now);
    session.handle_input(b"226 Transfer Complete\r\n", now);
    for _ in 0..10_000 {
        session.handle_input(b"226 Transfer Complete\r\n", now);
    }
    assert!(matches!(session.poll_outcome(), Some(Outcome::Failed { .. })));
    assert!(session.is_closed());
}
