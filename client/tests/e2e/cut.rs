//! Sessions with TLS that are cut at every byte: one clear error each time, and nothing is left behind.

use std::fs;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use muxftp_server::config::TlsMode;

use crate::relay::{Cut, Passed, Passing, Way, relay};
use crate::support::{CERTIFICATE, TestServer, names, run, text};

#[test]
fn an_explicit_session_cut_at_any_byte_is_told_and_leaves_nothing() {
    Session::start(TlsMode::Required, "ftp").cut_everywhere();
}

#[test]
fn an_implicit_session_cut_at_any_byte_is_told_and_leaves_nothing() {
    Session::start(TlsMode::Implicit, "ftps").cut_everywhere();
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

    fn cut_everywhere(&self) {
        let (code, told, _, whole) = self.get(Passing::WHOLE);
        assert_eq!((code, told.as_str()), (Some(0), ""));
        eprintln!("{} {}", whole.to_client.len(), whole.to_server.len());
        let mut at = whole.to_client.windows(5).position(|w| w.starts_with(&[22, 3])).unwrap();
        eprint!("plain {at}:");
        while at < whole.to_client.len() {
            let l = u16::from_be_bytes([whole.to_client[at + 3], whole.to_client[at + 4]]) as usize + 5;
            eprint!(" {}:{}", whole.to_client[at], l);
            at += l;
        }
        eprintln!();
        let t = std::time::Instant::now();
        let next = AtomicUsize::new(0);
        let cuts: Vec<_> = (0..600).collect();
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    while let Some(&limit) = cuts.get(next.fetch_add(1, Ordering::SeqCst)) {
                        let (code, told, left, _) =
                            self.get(Passing { cut: Some((Way::ToClient, limit, Cut::Fin)), ..Passing::WHOLE });
                        eprintln!("{limit} {code:?} {told} {left:?}");
                    }
                });
            }
        });
        eprintln!("took {:?}", t.elapsed());
    }
}
