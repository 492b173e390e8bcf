//! What a peer can make a server session hold is bounded.

use std::time::{Duration, Instant};

use muxftp_proto::server::io::{Effect, Ends, Event, SessionConfig, TlsMode};
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

#[test]
fn a_session_takes_up_a_bounded_number_of_commands_at_once() {
    let (mut session, now) = session_of(Dialect::Ftp);
    let greeting = session.outbox().pending().len();
    session.outbox().consume(greeting);
    session.handle_input(&b"NOOP\r\n".repeat(100), now);
    let mut turns = 0;
    let mut answered = 0;
    loop {
        let replies = session.outbox().pending().len();
        let now_answered = replies / b"200 OK\r\n".len();
        assert!(now_answered <= limits::COMMANDS_PER_TURN as usize, "{now_answered} at once");
        answered += now_answered;
        turns += 1;
        session.outbox().consume(replies);
        // Neither of these is a turn of its own.
        session.handle_flushed(now);
        assert!(session.outbox().is_empty());
        if !session.has_work() {
            break;
        }
        session.resume(now);
    }
    assert_eq!(answered, 100, "and all in the end");
    assert_eq!(turns, 100usize.div_ceil(limits::COMMANDS_PER_TURN as usize));
}

#[test]
fn the_end_of_the_input_waits_for_the_lines_before_it() {
    let (mut session, now) = session();
    session.handle_input(&b"FROB\r\n".repeat(20), now);
    session.handle_end_of_input(now);
    let closes = |session: &mut ServerSession| {
        std::iter::from_fn(|| session.poll_effect()).any(|effect| matches!(effect, Effect::CloseControl { .. }))
    };
    while session.has_work() {
        assert!(!closes(&mut session), "lines are still to be answered");
        session.resume(now);
    }
    let replies = String::from_utf8(session.outbox().pending().to_vec()).unwrap();
    assert_eq!(replies.lines().count(), 20);
    assert!(closes(&mut session));
}

#[test]
fn lines_that_wait_do_not_keep_a_session_whose_peer_is_gone() {
    let (mut session, mut now) = session();
    session.handle_input(&b"GET a\r\n".repeat(500), now);
    let mut waits = 0;
    loop {
        while let Some(effect) = session.poll_effect() {
            let event = match effect {
                Effect::OpenRead { op, .. } => Event::StorageReady { op, size: Some(1), name: None },
                Effect::ListenData { op } => Event::DataListening { op, port: 20_001 },
                Effect::CloseControl { .. } => {
                    // Each of the times is an hour here.
                    assert_eq!(
                        waits, 1,
                        "the wait for the data connection, which was as long as a session may be idle"
                    );
                    return;
                }
                _ => continue,
            };
            session.handle_event(event, now);
        }
        now = session.next_timeout().expect("a session that waits has a deadline");
        session.handle_timeout(now);
        waits += 1;
    }
}
