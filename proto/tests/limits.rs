//! What a peer can make a server session hold is bounded.

use std::time::{Duration, Instant};

use muxftp_proto::server::io::{Effect, Ends, SessionConfig, TlsMode};
use muxftp_proto::{Dialect, Permissions, ServerSession, limits};

fn session() -> (ServerSession, Instant) {
    session_of(Dialect::Simple)
}

fn session_of(dialect: Dialect) -> (ServerSession, Instant) {
    let now = Instant::now();
    let hour = Duration::from_secs(3600);
    let config = SessionConfig {
        permissions: Permissions::ALL,
        data_connect_timeout: hour,
        stall_timeout: hour,
        storage_timeout: hour,
        idle_timeout: hour,
        login_timeout: hour,
        tls: TlsMode::Off,
    };
    let address = "127.0.0.1:2121".parse().expect("an address");
    let ends = Ends { local: address, peer: address, public: None };
    (ServerSession::new(dialect, config, ends, now), now)
}

/// Gives lines for as long as the session wants them; gives how many bytes it took.
fn flood(session: &mut ServerSession, line: &[u8], now: Instant) -> usize {
    let mut taken = 0;
    while session.wants_input() && taken < 100 << 20 {
        session.handle_input(line, now);
        taken += line.len();
    }
    taken
}

#[test]
fn replies_that_nobody_reads_stop_the_taking_of_commands() {
    let (mut session, now) = session();
    // Answered at once, and no error: a bad command would end the session.
    let lines = b"GET a\r\n".repeat(10);
    let mut answered = 0;
    for _ in 0..100_000 {
        if !session.wants_input() {
            break;
        }
        session.handle_input(&lines, now);
        while let Some(effect) = session.poll_effect() {
            if let Effect::OpenRead { op, .. } = effect {
                let cause = muxftp_proto::Cause::NotFound;
                session.handle_event(muxftp_proto::server::io::Event::StorageFailed { op, cause }, now);
                answered += 1;
            }
        }
    }
    assert!(!session.wants_input(), "the peer is not held back");
    assert!(session.outbox().pending().len() <= limits::OUTBOX_BYTES_MAX + 100);
    let unread = session.outbox().pending().len();
    session.outbox().consume(unread);
    session.handle_flushed(now);
    assert!(session.poll_effect().is_some(), "it goes on when the replies are read (after {answered} answers)");
}

#[test]
fn lines_behind_a_transfer_stop_the_reading() {
    let (mut session, now) = session();
    session.handle_input(b"GET a\r\n", now);
    let taken = flood(&mut session, b"LS\r\n", now);
    assert!(taken <= limits::INPUT_BYTES_MAX + 4, "{taken} bytes wait behind a transfer");
}

#[test]
fn a_line_without_end_takes_no_more_room_than_a_line() {
    let (mut session, now) = session();
    for _ in 0..1000 {
        session.handle_input(&[b'x'; 100_000], now);
    }
    assert!(session.wants_input());
    assert_eq!(session.outbox().pending(), b"550 Line Too Long\r\n", "one answer for one line");
}

#[test]
fn a_peer_that_only_errs_is_shown_out() {
    // A verb that is known, but has no place, is an error like any other.
    let table: &[(Dialect, &[u8], &[u8])] = &[
        (Dialect::Simple, b"GET /\r\n", b"550 Too Many Errors\r\n"),
        (Dialect::Updown, b"READY\n", b"ERROR TooManyErrors\n"),
        (Dialect::Ftp, b"XYZZY\r\n", b"421 Too Many Errors\r\n"),
    ];
    for (dialect, line, farewell) in table {
        let (mut session, now) = session_of(*dialect);
        for _ in 0..=limits::BAD_COMMANDS_MAX {
            assert!(session.wants_input(), "{dialect}: not before the limit");
            session.handle_input(line, now);
        }
        assert!(!session.wants_input(), "{dialect}: it is still heard");
        assert!(session.outbox().pending().ends_with(farewell), "{dialect}");
    }
}
