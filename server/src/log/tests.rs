//! What lines look like, and when they are written.

use std::cell::RefCell;

use tracing::level_filters::LevelFilter;
use tracing::{Dispatch, warn};

use super::*;

thread_local! {
    /// What a test's sink got: one entry per write.
    static WRITES: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

fn remember(lines: &[u8]) {
    WRITES.with_borrow_mut(|writes| writes.push(String::from_utf8(lines.to_vec()).unwrap()));
}

/// Runs `body` with a log of its own; gives what was written, without the rest in the buffer.
fn written(format: LogFormat, level: LevelFilter, body: impl FnOnce(&Lines)) -> Vec<String> {
    let lines: &'static Lines = Box::leak(Box::new(Lines::new(remember)));
    let config = Log { level, format };
    let dispatch = match format {
        LogFormat::Text => Dispatch::new(text(config, lines)),
        LogFormat::Json => Dispatch::new(json(config, lines)),
    };
    tracing::dispatcher::with_default(&dispatch, || body(lines));
    WRITES.take()
}

fn session() -> Session {
    Session { number: 7, peer: "[::1]:40112".parse().unwrap(), dialect: Dialect::Simple }
}

fn log_transfer(name: &[u8], result: Result<(), Cause>) {
    let path = VPath::parse(name).unwrap();
    let duration = Duration::from_micros(1234);
    transfer(&session(), &Transfer { verb: "GET", path: &path, bytes: 4096, duration, result });
}

#[test]
fn text_lines_have_their_fields_and_peers_cannot_forge_any() {
    let text = written(LogFormat::Text, LevelFilter::INFO, |lines| {
        session_opened(&session());
        log_transfer(b"my notes.txt", Ok(()));
        log_transfer(b"x\" bytes=1 \x1b[2J", Err(Cause::NotFound));
        session_closed(&session(), 2, Duration::from_secs(3), "client closed");
        lines.flush();
    })
    .concat();
    let ends: Vec<&str> = text.lines().map(|line| line.split_once("INFO ").unwrap().1).collect();
    assert_eq!(
        ends,
        [
            "session opened session=7 peer=[::1]:40112 dialect=simple",
            "transfer session=7 peer=[::1]:40112 verb=GET path=\"my notes.txt\" bytes=4096 duration_us=1234 result=ok",
            "transfer session=7 peer=[::1]:40112 verb=GET path=\"x\\\" bytes=1 \\u{1b}[2J\" bytes=4096 duration_us=1234 \
             result=NotFound",
            "session closed session=7 peer=[::1]:40112 dialect=simple transfers=2 duration_us=3000000 \
             result=\"client closed\"",
        ]
    );
    let timestamp = text.split(' ').next().unwrap();
    assert!(timestamp.len() == "2026-11-21T01:02:03.456789Z".len() && timestamp.ends_with('Z'), "{timestamp}");
}

#[test]
fn json_lines_are_objects_with_the_same_fields() {
    let text = written(LogFormat::Json, LevelFilter::INFO, |lines| {
        log_transfer(b"a \"quoted\" name", Ok(()));
        lines.flush();
    })
    .concat();
    for field in [
        "\"level\":\"INFO\"",
        "\"message\":\"transfer\"",
        "\"session\":7",
        "\"peer\":\"[::1]:40112\"",
        "\"verb\":\"GET\"",
        "\"path\":\"a \\\"quoted\\\" name\"",
        "\"bytes\":4096",
        "\"duration_us\":1234",
        "\"result\":\"ok\"",
    ] {
        assert!(text.contains(field), "{field} in {text}");
    }
    assert!(text.starts_with('{') && text.ends_with("}\n") && text.lines().count() == 1);
}

#[test]
fn lines_gather_until_the_flush() {
    let writes = written(LogFormat::Text, LevelFilter::INFO, |lines| {
        for _ in 0..10 {
            log_transfer(b"x", Ok(()));
        }
        WRITES.with_borrow(|writes| assert!(writes.is_empty()));
        lines.flush();
        lines.flush();
    });
    assert_eq!(writes.len(), 1, "one write for ten lines, none for nothing");
    assert_eq!(writes[0].lines().count(), 10);
}

#[test]
fn a_warning_is_written_at_once_and_after_what_came_before() {
    let writes = written(LogFormat::Text, LevelFilter::INFO, |_| {
        log_transfer(b"x", Ok(()));
        warn!("something is wrong");
    });
    assert_eq!(writes.len(), 1);
    assert!(writes[0].lines().nth(1).unwrap().ends_with("WARN something is wrong"), "{}", writes[0]);
}

#[test]
fn the_buffer_is_bounded() {
    let writes = written(LogFormat::Text, LevelFilter::INFO, |_| {
        for _ in 0..2_000 {
            log_transfer(b"x", Ok(()));
        }
    });
    assert!(writes.len() >= 2);
    assert!(writes.iter().all(|write| write.len() < limits::LOG_BYTES_MAX + 1024));
}

#[test]
fn a_level_that_is_off_writes_nothing() {
    let writes = written(LogFormat::Text, LevelFilter::WARN, |lines| {
        log_transfer(b"x", Ok(()));
        lines.flush();
    });
    assert!(writes.is_empty());
}
