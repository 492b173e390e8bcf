//! Sessions with TLS that are cut at every byte: one clear error each time, and nothing is left behind.

use std::fs;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use muxftp_server::config::TlsMode;

use crate::relay::{Cut, Passed, Passing, Way, relay};
use crate::support::{CERTIFICATE, TestServer, names, run, text};

#[test]
fn an_explicit_session_cut_at_any_byte_is_told_and_leaves_nothing() {
    Session::start(TlsMode::Required, "ftp").cut_everywhere(Cut::Fin);
}

#[test]
fn an_implicit_session_cut_at_any_byte_is_told_and_leaves_nothing() {
    Session::start(TlsMode::Implicit, "ftps").cut_everywhere(Cut::Reset);
}

/// A server, and how a download from it is run.
struct Session {
    server: TestServer,
    scheme: &'static str,
}

impl Session {
    fn start(tls: TlsMode, scheme: &'static str) -> Session {
        let server = TestServer::of_ftp(tls, |_| {});
        fs::write(server.root().join("file"), "bytes").unwrap();
        Session { server, scheme }
    }

    /// Runs `get` through a relay: its exit code, its words, what is in the directory behind, and what has passed.
    fn get(&self, passing: Passing) -> (Option<i32>, String, Vec<String>, Passed) {
        let here = tempfile::tempdir().unwrap();
        let (port, thread) = relay(self.server.port(), passing);
        let url = format!("{}://127.0.0.1:{port}/file", self.scheme);
        let output = run(here.path(), &["get", "-q", &url, "--ca", &CERTIFICATE.file()]);
        let told = text(&output.stderr).to_owned();
        (output.status.code(), told, names(here.path()), thread.join().unwrap())
    }

    fn cut_everywhere(&self, how: Cut) {
        let (code, told, left, whole) = self.get(Passing::WHOLE);
        assert_eq!((code, told.as_str(), left), (Some(0), "", vec!["file".to_owned()]));
        let [from_server, from_client] = [&whole.to_client, &whole.to_server].map(|bytes| ends_of_records(bytes));
        let end = before_farewell(&from_server);
        // What is not sealed byte by byte; the certificate's flight, and the long rest, at steps and at each record's end.
        let [_, _, sealed, flight, ..] = from_server[..] else { panic!("no hand-shake: {from_server:?}") };
        let steps = (sealed..flight).step_by(5).chain((flight..end).step_by(RARELY));
        let every = (0..sealed).chain(steps).chain(around(&from_server));
        let to_client = every.filter(|&at| at < end).map(|at| (Way::ToClient, at));
        let to_server = (0..before_farewell(&from_client)).step_by(11).map(|at| (Way::ToServer, at));
        let cuts: Vec<_> = to_client.chain(to_server).map(|(way, at)| (way, at, how)).collect();
        let next = AtomicUsize::new(0);
        thread::scope(|scope| {
            for _ in 0..AT_ONCE {
                scope.spawn(|| {
                    while let Some(&cut) = cuts.get(next.fetch_add(1, Ordering::SeqCst)) {
                        self.cut(cut);
                    }
                });
            }
        });
    }

    fn cut(&self, cut: (Way, usize, Cut)) {
        let (code, told, left, passed) = self.get(Passing { cut: Some(cut), ..Passing::WHOLE });
        assert!(matches!(code, Some(3 | 4)), "{cut:?}: {code:?} {told}");
        assert_eq!(told.lines().count(), 1, "{cut:?}: {told}");
        let what = ["muxftp: cannot connect to ", "muxftp: log in: ", "muxftp: get file: "];
        assert!(what.iter().any(|what| told.starts_with(what)), "{cut:?}: {told}");
        assert!(REASONS.iter().any(|reason| told.contains(reason)), "{cut:?}: {told}");
        assert!(left.is_empty(), "{cut:?}: {left:?}");
        let clear = String::from_utf8_lossy(&passed.to_server).into_owned();
        assert!(
            !clear.contains("USER") && !clear.contains("PASS"),
            "{cut:?}: a broken hand-shake is no reason for none"
        );
    }
}

/// Where TLS begins, and where each of its records ends.
fn ends_of_records(bytes: &[u8]) -> Vec<usize> {
    let start = bytes.windows(2).position(|head| head == HANDSHAKE_RECORD).unwrap();
    let next = |&at: &usize| {
        let length = bytes.get(at + 3..at + 5)?;
        Some(at + 5 + usize::from(u16::from_be_bytes([length[0], length[1]])))
    };
    std::iter::successors(Some(start), next).collect()
}

/// Not yet where the two last records begin, which are a farewell and close_notify: what was asked for is done by then.
fn before_farewell(ends: &[usize]) -> usize {
    ends[ends.len() - 3] - SIGNATURE_VARIES
}

/// At the end of each record, and within the head of the next.
fn around(ends: &[usize]) -> impl Iterator<Item = usize> {
    ends.iter().skip(1).flat_map(|&end| end - 1..end + 3)
}

/// What begins a hand-shake: its type, and the first byte of the version.
const HANDSHAKE_RECORD: [u8; 2] = [22, 3];

/// A session can have so many bytes less than another.
const SIGNATURE_VARIES: usize = 8;

/// One byte of so many, where a record's middle is cut.
const RARELY: usize = 131;

/// So many programs run at once.
const AT_ONCE: usize = 4;

/// All that a cut is told as.
const REASONS: [&str; 5] = [
    "the server has closed the connection",
    "the peer closed the connection during the TLS hand-shake",
    "the connection ended without TLS close_notify",
    "Connection reset by peer",
    "Broken pipe",
];
