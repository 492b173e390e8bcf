//! What lines look like, and when they are written.

use std::collections::VecDeque;
use std::sync::mpsc;
use std::thread;

use tracing::level_filters::LevelFilter;
use tracing::{Dispatch, warn};

use super::*;
use crate::limits;

/// Runs `body` with a log of its own; gives what waits to be written, without the rest.
fn written(format: LogFormat, level: LevelFilter, body: impl FnOnce(&'static Queue)) -> String {
    let queue: &'static Queue = Box::leak(Box::new(Queue::new()));
    tracing::dispatcher::with_default(&dispatch(format, level, queue), || body(queue));
    queue.take_pending()
}

fn dispatch(format: LogFormat, level: LevelFilter, queue: &'static Queue) -> Dispatch {
    let config = Log { level, format };
    match format {
        LogFormat::Text => Dispatch::new(form::text(config, queue)),
        LogFormat::Json => Dispatch::new(form::json(config, queue)),
    }
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
    let text = written(LogFormat::Text, LevelFilter::INFO, |_| {
        session_opened(&session());
        log_transfer(b"my notes.txt", Ok(()));
        log_transfer(b"x\" bytes=1 \x1b[2J", Err(Cause::NotFound));
        session_closed(&session(), 2, Duration::from_secs(3), "client closed");
    });
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
    let text = written(LogFormat::Json, LevelFilter::INFO, |_| log_transfer(b"a \"quoted\" name", Ok(())));
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

/// What comes after the level, line by line.
fn ends(text: &str) -> Vec<&str> {
    text.lines().map(|line| line.split_once("WARN ").unwrap().1).collect()
}

#[test]
fn what_somebody_else_says_is_quoted_in_every_field() {
    let forged = b"admin result=ok peer=9.9.9.9:1\"\\\r\n2026 INFO \x1b[2J";
    let io_error = || io::Error::other(String::from_utf8_lossy(forged).into_owned());
    let text = written(LogFormat::Text, LevelFilter::INFO, |_| {
        login(&session(), b"admin result=ok peer=9.9.9.9:1", Err(Cause::LoginFailed));
        login(&session(), forged, Err(Cause::LoginFailed));
        root_unusable("a b", Path::new("/srv/a\nb"), &io_error());
        tls_failed(&session(), &io_error());
        warn!(unforeseen = %"a b=c\n\"", "a message\nof two lines");
    });
    let said = r#"admin result=ok peer=9.9.9.9:1\"\\\r\n2026 INFO \u{1b}[2J"#;
    assert_eq!(
        ends(&text),
        [
            "log-in failed session=7 peer=[::1]:40112 user=\"admin result=ok peer=9.9.9.9:1\" result=LoginFailed",
            &format!("log-in failed session=7 peer=[::1]:40112 user=\"{said}\" result=LoginFailed"),
            &format!("the user's directory cannot be served user=\"a b\" path=\"/srv/a\\nb\" error=\"{said}\""),
            &format!("TLS failed session=7 peer=[::1]:40112 error=\"{said}\""),
            r#"a message\nof two lines unforeseen="a b=c\n\"""#,
        ]
    );
    let json = written(LogFormat::Json, LevelFilter::INFO, |_| login(&session(), forged, Err(Cause::LoginFailed)));
    let said = r#"admin result=ok peer=9.9.9.9:1\"\\\\\\r\\n2026 INFO \\u{1b}[2J"#;
    assert!(json.contains(&format!("\"user\":\"{said}\",\"result\":\"LoginFailed\"")), "{json}");
    assert_eq!(json.lines().count(), 1);
}

#[test]
fn what_somebody_else_says_is_cut_in_every_format() {
    let name = "\u{e9}".repeat(2_000);
    for format in [LogFormat::Text, LogFormat::Json] {
        let line = written(format, LevelFilter::INFO, |_| {
            login(&session(), format!("x{name}").as_bytes(), Err(Cause::LoginFailed));
        });
        let shown = format!("\"x{}\u{2026}(4001 bytes)\"", &name[..254]);
        assert!(line.contains(&shown) && line.len() < 600, "{line}");
        let line = written(format, LevelFilter::INFO, |_| {
            tls_failed(&session(), &io::Error::other(name.clone()));
            log_transfer(b"yy/".repeat(1_000).as_slice(), Ok(()));
        });
        assert!(line.lines().all(|line| line.len() < 1_400), "{line}");
        assert_eq!(line.matches('\u{2026}').count(), 2, "{line}");
    }
}

#[test]
fn lines_gather_until_they_are_handed_over() {
    let text = written(LogFormat::Text, LevelFilter::INFO, |queue| {
        queue.put_writer_to_sleep();
        queue.hand_over();
        for _ in 0..10 {
            log_transfer(b"x", Ok(()));
        }
        assert!(!queue.is_writer_awake(), "not for nothing, and not for each line");
        queue.hand_over();
        assert!(queue.is_writer_awake());
    });
    assert_eq!(text.lines().count(), 10);
}

#[test]
fn a_warning_or_many_lines_are_handed_over_at_once() {
    let text = written(LogFormat::Text, LevelFilter::INFO, |queue| {
        log_transfer(b"x", Ok(()));
        queue.put_writer_to_sleep();
        warn!("something is wrong");
        assert!(queue.is_writer_awake());
    });
    assert!(text.lines().nth(1).unwrap().ends_with("WARN something is wrong"), "{text}");
    written(LogFormat::Text, LevelFilter::INFO, |queue| {
        queue.put_writer_to_sleep();
        for _ in 0..2_000 {
            log_transfer(b"x", Ok(()));
        }
        assert!(queue.is_writer_awake());
    });
}

#[test]
fn the_queue_is_bounded_in_bytes_and_in_lines() {
    let path = [b'x'; 200];
    let text = written(LogFormat::Text, LevelFilter::INFO, |_| {
        for _ in 0..limits::LOG_QUEUE_BYTES / path.len() + 1 {
            log_transfer(&path, Ok(()));
        }
    });
    assert!(text.len() <= limits::LOG_QUEUE_BYTES && text.len() > limits::LOG_QUEUE_BYTES - 1024, "{}", text.len());
    assert!(text.ends_with('\n'), "only whole lines");
    let text = written(LogFormat::Text, LevelFilter::INFO, |_| (0..=limits::LOG_QUEUE_LINES).for_each(|_| warn!("")));
    assert_eq!(text.lines().count(), limits::LOG_QUEUE_LINES);
}

#[test]
fn what_found_no_room_is_counted_and_told_when_there_is_room_again() {
    let queue: &'static Queue = Box::leak(Box::new(Queue::new()));
    let dispatch = dispatch(LogFormat::Text, LevelFilter::INFO, queue);
    // The sink takes a batch only when the test lets it; the second one fails.
    let (taken, batches) = mpsc::channel();
    let (go, wait) = mpsc::channel::<bool>();
    let writer = thread::spawn({
        let dispatch = dispatch.clone();
        move || {
            tracing::dispatcher::with_default(&dispatch, || {
                queue.write_with(|batch| {
                    taken.send(String::from_utf8(batch.to_vec()).unwrap()).unwrap();
                    wait.recv().unwrap()
                });
            });
        }
    });
    tracing::dispatcher::with_default(&dispatch, || {
        warn!("first");
        assert_eq!(batches.recv().unwrap().lines().count(), 1);
        (0..limits::LOG_QUEUE_LINES + 7).for_each(|_| warn!("many"));
        go.send(true).unwrap();
        let second = batches.recv().unwrap();
        assert_eq!(second.lines().count(), limits::LOG_QUEUE_LINES + 1);
        let count = second.lines().last().unwrap();
        assert!(
            count.ends_with("lines of the log were dropped: standard error was not read in time lines=7"),
            "{count}"
        );
        warn!("last");
        // It could not be written: these lines are lost too, and counted with the others.
        go.send(false).unwrap();
        let third = batches.recv().unwrap();
        let lost = limits::LOG_QUEUE_LINES + 7;
        assert!(third.ends_with(&format!("lines={lost}\n")) && third.contains("WARN last"), "{third}");
        go.send(true).unwrap();
        queue.close(Duration::from_secs(60));
        assert!(batches.recv().is_err(), "told once");
    });
    writer.join().unwrap();
}

#[test]
fn the_end_writes_what_is_left_and_does_not_wait_for_ever() {
    let queue: &'static Queue = Box::leak(Box::new(Queue::new()));
    let (go, wait) = mpsc::channel::<()>();
    let written = thread::scope(|scope| {
        let writer = scope.spawn(move || {
            let mut written = VecDeque::new();
            queue.write_with(|batch| {
                wait.recv().unwrap();
                written.push_back(batch.to_vec());
                true
            });
            written
        });
        tracing::dispatcher::with_default(&dispatch(LogFormat::Text, LevelFilter::INFO, queue), || warn!("left"));
        queue.put_writer_to_sleep();
        queue.close(Duration::from_millis(10));
        go.send(()).unwrap();
        queue.close(Duration::from_secs(60));
        writer.join().unwrap()
    });
    assert_eq!(written.len(), 1);
}

#[test]
fn a_level_that_is_off_writes_nothing() {
    assert_eq!(written(LogFormat::Text, LevelFilter::WARN, |_| log_transfer(b"x", Ok(()))), "");
}
