//! The client session against a server whose lines and connections a test makes up.

use std::time::{Duration, Instant};

use muxftp_proto::client::io::{
    ClientEffect, ClientEvent, ClientStep, ClientTimeouts, Failure, ListingForm, Operation, Outcome, PutMode,
};
use muxftp_proto::{ClientSession, Dialect};

/// What can come to a session.
#[derive(Debug, Clone, Copy)]
enum Input {
    Line(&'static str),
    Data(ClientEvent),
    Lost,
    /// So many seconds pass.
    Wait(u64),
}

use ClientEvent::{DataConnected, DataFailed, Progress};
use Input::{Data, Line, Lost, Wait};

const MOVED: Input = Data(ClientEvent::Moved { bytes: 3 });
const OPENING: Input = Line("200 OK 20001\r\n");
const COMPLETE: Input = Line("226 Transfer Complete\r\n");
const REFUSED: Input = Line("550 Disk Error\r\n");
const GARBAGE: Input = Line("HTTP/1.1 400 Bad Request\r\n");

/// Plays inputs to a session of `simple` that does `operation`; gives all outcomes.
fn play(operation: &Operation, inputs: &[Input]) -> (ClientSession, Vec<Outcome>) {
    play_in(Dialect::Simple, operation, inputs)
}

fn play_in(dialect: Dialect, operation: &Operation, inputs: &[Input]) -> (ClientSession, Vec<Outcome>) {
    let mut now = Instant::now();
    let mut session = ClientSession::new(dialect, ClientTimeouts::default());
    session.submit(operation, now);
    let mut outcomes = Vec::new();
    for input in inputs {
        match *input {
            // The worst way for a line to come: byte by byte.
            Line(line) => line.as_bytes().chunks(1).for_each(|byte| session.handle_input(byte, now)),
            Data(event) => session.handle_event(event, now),
            Lost => session.handle_lost(),
            Wait(seconds) => {
                now += Duration::from_secs(seconds);
                session.handle_timeout(now);
            }
        }
        outcomes.extend(session.poll_outcome());
    }
    (session, outcomes)
}

fn failed(step: ClientStep, failure: Failure) -> Outcome {
    Outcome::Failed { step, failure }
}

#[test]
fn each_way_to_go_on_at_each_step_has_its_one_outcome() {
    use ClientStep::{Complete, DataConnect, Negotiate, Transfer};
    let refused = || Outcome::Refused { code: 550, text: b"Disk Error".to_vec() };
    let garbage = || Failure::UnexpectedReply(b"HTTP/1.1 400 Bad Request".to_vec());
    let path = [OPENING, Data(DataConnected), MOVED];
    let table: &[(usize, &[Input], Outcome)] = &[
        (0, &[Lost], failed(Negotiate, Failure::ControlLost)),
        (0, &[GARBAGE], failed(Negotiate, garbage())),
        (0, &[COMPLETE], failed(Negotiate, Failure::UnexpectedReply(b"a completion".to_vec()))),
        (0, &[Wait(29), Wait(1)], failed(Negotiate, Failure::TimedOut)),
        (0, &[REFUSED], refused()),
        (1, &[Lost], failed(DataConnect, Failure::ControlLost)),
        (1, &[GARBAGE], failed(DataConnect, garbage())),
        (1, &[OPENING], failed(DataConnect, Failure::UnexpectedReply(b"a data port (20001)".to_vec()))),
        (1, &[Wait(9), Wait(1)], failed(DataConnect, Failure::TimedOut)),
        (1, &[REFUSED], refused()),
        (1, &[Data(DataFailed), REFUSED], refused()),
        (1, &[Data(DataFailed), COMPLETE], failed(DataConnect, Failure::DataConnect)),
        (1, &[Data(DataFailed), Lost], failed(DataConnect, Failure::DataConnect)),
        (1, &[Data(DataFailed), Wait(30)], failed(DataConnect, Failure::DataConnect)),
        (1, &[COMPLETE, Data(DataConnected), MOVED], Outcome::Complete),
        (2, &[Lost], failed(Transfer, Failure::ControlLost)),
        (2, &[GARBAGE], failed(Transfer, garbage())),
        (2, &[Wait(59), Wait(1)], failed(Transfer, Failure::TimedOut)),
        (2, &[Wait(59), Data(Progress), Wait(59), MOVED, COMPLETE], Outcome::Complete),
        (2, &[Wait(59), Data(Progress), Wait(59), Wait(1)], failed(Transfer, Failure::TimedOut)),
        (2, &[REFUSED], refused()),
        (2, &[Data(DataFailed), REFUSED], refused()),
        (2, &[Data(DataFailed), COMPLETE], failed(Transfer, Failure::DataLost)),
        (2, &[Data(DataFailed), Lost], failed(Transfer, Failure::DataLost)),
        (2, &[COMPLETE, Data(DataFailed)], failed(Transfer, Failure::DataLost)),
        (2, &[COMPLETE, MOVED], Outcome::Complete),
        (3, &[COMPLETE], Outcome::Complete),
        (3, &[REFUSED], refused()),
        (3, &[Lost], failed(Complete, Failure::ControlLost)),
        (3, &[GARBAGE], failed(Complete, garbage())),
        (3, &[Wait(29), Wait(1)], failed(Complete, Failure::TimedOut)),
    ];
    let name = || b"file".to_vec();
    for operation in [
        Operation::Get { name: name(), offset: 0 },
        Operation::Put { name: name(), size: Some(3), mode: PutMode::Replace },
        Operation::List { path: None, form: ListingForm::Names },
    ] {
        for (steps, inputs, outcome) in table {
            let (session, outcomes) = play(&operation, &[&path[..*steps], inputs].concat());
            assert_eq!(
                outcomes.as_slice(),
                std::slice::from_ref(outcome),
                "{operation:?} after {steps} steps: {inputs:?}"
            );
            let goes_on = !matches!(outcome, Outcome::Failed { .. });
            assert_eq!((session.is_ready(), session.is_closed()), (goes_on, !goes_on), "{inputs:?}");
        }
    }
}

#[test]
fn a_farewell_is_granted_however_it_comes() {
    for inputs in [&[Line("200 OK Goodbye\r\n")][..], &[Lost]] {
        let (session, outcomes) = play(&Operation::Quit, inputs);
        assert_eq!(outcomes, [Outcome::Complete]);
        assert!(session.is_closed());
    }
}

#[test]
fn replies_that_name_no_port_are_no_replies() {
    for line in ["200 OK 0\r\n", "200 OK 70000\r\n", "200 OK\r\n", "200 OK 20001x\r\n", "200 20001\r\n", "\r\n"] {
        let (session, outcomes) = play(&Operation::List { path: None, form: ListingForm::Names }, &[Line(line)]);
        assert!(matches!(outcomes[..], [Outcome::Failed { failure: Failure::UnexpectedReply(_), .. }]), "{line:?}");
        assert!(session.is_closed());
    }
}

#[test]
fn a_name_that_cannot_be_said_costs_nothing() {
    let (mut session, outcomes) = play(&Operation::Get { name: b"two\nlines".to_vec(), offset: 0 }, &[]);
    assert!(outcomes.is_empty());
    assert_eq!(session.poll_outcome(), Some(Outcome::Unsayable));
    assert!(session.is_ready() && session.outbox().is_empty());
}

#[test]
fn a_server_that_speaks_unasked_ends_the_session() {
    let mut session = ClientSession::new(Dialect::Simple, ClientTimeouts::default());
    session.handle_input(b"550 Idle Timeout\r\n", Instant::now());
    assert!(session.is_closed());
    assert_eq!(session.poll_effect(), Some(ClientEffect::CloseControl));
}

/// A session that has asked for a file and whose bytes are on their way.
fn moving(now: Instant) -> ClientSession {
    let mut session = ClientSession::new(Dialect::Simple, ClientTimeouts::default());
    session.submit(&Operation::Get { name: b"file".to_vec(), offset: 0 }, now);
    session.handle_input(b"200 OK 20001\r\n", now);
    assert_eq!(session.poll_effect(), Some(ClientEffect::ConnectData { port: 20001, address: None, protected: false }));
    session.handle_event(ClientEvent::DataConnected, now);
    assert_eq!(session.poll_effect(), Some(ClientEffect::StartMoving { expected: None }));
    session
}

#[test]
fn a_farewell_behind_the_final_reply_does_not_spoil_the_download() {
    let now = Instant::now();
    let mut session = moving(now);
    session.handle_input(b"226 Transfer Complete\r\n550 Server Shutting Down\r\n", now);
    session.handle_lost();
    assert_eq!(session.poll_outcome(), None, "bytes are still on their way");
    session.handle_event(ClientEvent::Moved { bytes: 3 }, now);
    assert_eq!(session.poll_outcome(), Some(Outcome::Complete));
    assert!(session.is_closed());
}

#[test]
fn a_control_connection_that_ends_behind_the_final_reply_does_not_spoil_the_download() {
    let now = Instant::now();
    let mut session = moving(now);
    session.handle_input(b"226 Transfer Complete\r\n", now);
    session.handle_lost();
    session.handle_event(ClientEvent::Moved { bytes: 3 }, now);
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

#[test]
fn a_download_of_updown_says_ready_and_has_its_size() {
    let get = Operation::Get { name: b"file".to_vec(), offset: 0 };
    let path = |bytes| [Line("OK 3 5002\n"), Data(DataConnected), Data(ClientEvent::Moved { bytes }), Line("DONE\n")];
    let (mut session, outcomes) = play_in(Dialect::Updown, &get, &path(3));
    assert_eq!(outcomes, [Outcome::Complete]);
    assert_eq!(session.outbox().pending(), b"DOWNLOAD file\nREADY\n");
    let connect = ClientEffect::ConnectData { port: 5002, address: None, protected: false };
    assert_eq!(effects(&mut session), [connect, ClientEffect::StartMoving { expected: Some(3) }]);
    for bytes in [2, 4] {
        let (_, outcomes) = play_in(Dialect::Updown, &get, &path(bytes));
        assert_eq!(outcomes, [failed(ClientStep::Transfer, Failure::DataLost)], "{bytes} bytes");
    }
}

#[test]
fn names_of_updown_come_on_the_control_connection() {
    let list = Operation::List { path: None, form: ListingForm::Names };
    for end in ["DONE\n", "ERROR DiskError\n"] {
        let lines = ["OK\n", "OK 5002\n", "a b\n", "./DONE\n", end].map(Line);
        let (mut session, outcomes) = play_in(Dialect::Updown, &list, &lines);
        let refused = || Outcome::Refused { code: 0, text: b"DiskError".to_vec() };
        assert_eq!(outcomes, [if end == "DONE\n" { Outcome::Complete } else { refused() }]);
        let mut names = Vec::new();
        while let Some(ClientEffect::TakeNames { lines }) = session.poll_effect() {
            names.extend(lines);
        }
        assert_eq!(names, b"OK 5002\na b\n./DONE\n", "whatever looks like a reply but ends nothing is a name");
        assert!(session.is_ready());
    }
    let (_, outcomes) = play_in(Dialect::Updown, &list, &[Line("OK\n"), Wait(59), Line("a\n"), Wait(59), Wait(1)]);
    assert_eq!(outcomes, [failed(ClientStep::Transfer, Failure::TimedOut)], "since the last name");
}

/// All that a session still wants done.
fn effects(session: &mut ClientSession) -> Vec<ClientEffect> {
    std::iter::from_fn(|| session.poll_effect()).collect()
}

#[test]
fn what_comes_behind_the_end_is_not_kept_and_wants_nothing() {
    let now = Instant::now();
    let flood = vec![b'x'; 100_000];
    // In one piece with the line that ends the session, and in others.
    let mut session = ClientSession::new(Dialect::Simple, ClientTimeouts::default());
    session.submit(&Operation::List { path: None, form: ListingForm::Names }, now);
    session.handle_input(&[b"nonsense\n".as_slice(), &flood].concat(), now);
    for _ in 0..3 {
        session.handle_input(&flood, now);
        session.handle_lost();
    }
    assert_eq!(effects(&mut session), [ClientEffect::CloseControl]);
    assert!(matches!(session.poll_outcome(), Some(Outcome::Failed { .. })));
    assert_eq!(session.poll_outcome(), None);
}

#[test]
fn a_line_without_end_is_no_reply() {
    let now = Instant::now();
    let line = vec![b'x'; 1 << 20];
    for piece_bytes in [line.len(), 1000] {
        let mut session = moving(now);
        line.chunks(piece_bytes).for_each(|piece| session.handle_input(piece, now));
        let failure = Failure::UnexpectedReply(b"(a line beyond all bounds)".to_vec());
        assert_eq!(session.poll_outcome(), Some(failed(ClientStep::Transfer, failure)));
        assert_eq!(effects(&mut session), [ClientEffect::AbandonData, ClientEffect::CloseControl]);
    }
}
