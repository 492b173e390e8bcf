//! What a server allows: sessions, silence, rights, bytes, and its own end.

use std::io::Write;
use std::net::Ipv4Addr;
use std::time::Duration;

use muxftp_server::config::GuestAccess;

use super::speech::Speech;
use crate::support::{noise, wait_until};

in_each_dialect! {
    limits_on_sessions_are_told_and_freed
    a_silent_session_is_ended_with_a_word
    a_guest_who_may_only_read_changes_nothing
    a_quota_is_held_and_what_does_not_fit_is_not_seen
    a_stop_lets_the_transfer_finish_and_ends_the_idle
    a_second_stop_is_told_too
    a_stop_cuts_a_transfer_that_does_not_end
}

fn limits_on_sessions_are_told_and_freed(speech: Speech) {
    let server = speech.server_with(|config| {
        config.limits.sessions = 3;
        config.limits.sessions_per_address = 2;
    });
    server.put_file("a", b"x");
    let mut first = speech.connect(server.address);
    let mut second = speech.connect(server.address);
    assert_eq!(first.download("a").unwrap(), b"x");
    assert_eq!(second.download("a").unwrap(), b"x");
    let rejection = speech.rejection(Ipv4Addr::LOCALHOST, server.address);
    assert!(rejection.is_none_or(|cause| cause == "TooManySessionsFromYourAddress"));
    let third = crate::support::connect_from(Ipv4Addr::new(127, 0, 0, 2), server.address);
    let rejection = speech.rejection(Ipv4Addr::new(127, 0, 0, 3), server.address);
    assert!(rejection.is_none_or(|cause| cause == "TooManySessions"));
    first.quit();
    drop(third);
    assert_eq!(speech.connect(server.address).download("a").unwrap(), b"x");
}

fn a_silent_session_is_ended_with_a_word(speech: Speech) {
    let server = speech.server_with(|config| config.timeouts.idle = Duration::from_millis(300));
    let mut client = speech.connect(server.address);
    assert_eq!(client.farewell(), "IdleTimeout");
}

fn a_guest_who_may_only_read_changes_nothing(speech: Speech) {
    let server = speech.server_with(|config| config.guest.access = GuestAccess::ReadOnly);
    server.put_file("kept", b"old");
    let mut client = speech.connect(server.address);
    for name in ["kept", "new"] {
        assert_eq!(client.upload(name, b"bytes").unwrap_err(), "NotAllowed", "{name}");
    }
    assert_eq!(client.download("kept").unwrap(), b"old");
    assert_eq!(client.names(), ["kept"]);
}

fn a_quota_is_held_and_what_does_not_fit_is_not_seen(speech: Speech) {
    let server = speech.server_with(|config| {
        config.guest.allowance.quota_bytes = Some(100_000);
        config.guest.allowance.quota_files = Some(2);
    });
    let mut client = speech.connect(server.address);
    client.upload("a", &noise(1, 60_000)).unwrap();
    assert_eq!(client.upload("b", &noise(2, 60_000)).unwrap_err(), "QuotaExceeded");
    assert_eq!(server.names(), ["a"]);
    client.upload("b", &noise(2, 30_000)).unwrap();
    assert_eq!(client.upload("c", b"").unwrap_err(), "QuotaExceeded", "the third file");
    assert_eq!(client.upload("a", &noise(3, 10_001)).unwrap_err(), "QuotaExceeded", "the old file stays until the end");
    assert!(client.download("a").unwrap() == noise(1, 60_000));
    client.upload("a", &noise(3, 10_000)).unwrap();
    client.upload("a", &noise(4, 60_000)).unwrap();
    wait_until(|| server.names() == ["a", "b"]);
}

fn a_stop_lets_the_transfer_finish_and_ends_the_idle(speech: Speech) {
    let mut server = speech.server();
    let mut idle = speech.connect(server.address);
    assert_eq!(idle.download("nope").unwrap_err(), "FileNotFound");
    let mut busy = speech.connect(server.address);
    let mut data = busy.begin_upload("last", 6).unwrap();
    data.write_all(b"abc").unwrap();
    server.request_stop();
    assert_eq!(idle.farewell(), "ServerShuttingDown");
    data.write_all(b"def").unwrap();
    data.finish();
    busy.end().unwrap();
    assert_eq!(busy.farewell(), "ServerShuttingDown");
    server.join();
    assert_eq!(server.file("last").unwrap(), b"abcdef");
    assert!(std::net::TcpStream::connect(server.address).is_err());
}

fn a_second_stop_is_told_too(speech: Speech) {
    let mut server = speech.server_with(|config| config.timeouts.shutdown = Duration::from_secs(3600));
    let mut client = speech.connect(server.address);
    let mut data = client.begin_upload("new", 1000).unwrap();
    data.write_all(b"abc").unwrap();
    server.request_stop();
    server.request_stop();
    assert_eq!(client.end().unwrap_err(), "ServerShuttingDown");
    server.join();
    assert!(server.names().is_empty());
}

fn a_stop_cuts_a_transfer_that_does_not_end(speech: Speech) {
    let mut server = speech.server_with(|config| config.timeouts.shutdown = Duration::from_millis(100));
    server.put_file("kept", b"old");
    let mut client = speech.connect(server.address);
    let mut data = client.begin_upload("kept", 1000).unwrap();
    data.write_all(b"abc").unwrap();
    server.request_stop();
    assert_eq!(client.end().unwrap_err(), "ServerShuttingDown", "the last reply, before the close");
    server.join();
    assert_eq!(server.names(), ["kept"]);
    assert_eq!(server.file("kept").unwrap(), b"old");
}
