//! Sessions whose bytes come in pieces of any size.

use std::fs;

use muxftp_server::config::TlsMode;

use crate::relay::{Passing, relay};
use crate::support::{CERTIFICATE, TestServer, names, run, text};

#[test]
fn a_session_works_in_pieces_of_any_size() {
    for (tls, scheme) in [(TlsMode::Required, "ftp"), (TlsMode::Implicit, "ftps")] {
        let server = TestServer::of_ftp(tls, |_| {});
        fs::write(server.root().join("a b"), "bytes").unwrap();
        for piece in [1, 2, 3, 7] {
            let here = tempfile::tempdir().unwrap();
            fs::write(here.path().join("up"), "more").unwrap();
            let through_relay = |args: &[&str], path: &str| {
                let (port, thread) = relay(server.port(), Passing { piece, cut: None });
                let url = format!("{scheme}://127.0.0.1:{port}/{path}");
                let output = run(here.path(), &[args, &[&url, "--ca", &CERTIFICATE.file()]].concat());
                assert!(output.status.success(), "{scheme} {piece} {args:?}: {}", text(&output.stderr));
                thread.join().unwrap();
                text(&output.stdout).to_owned()
            };
            assert_eq!(through_relay(&["ls"], ""), "a b\n");
            through_relay(&["get"], "a%20b");
            assert_eq!(fs::read(here.path().join("a b")).unwrap(), b"bytes");
            through_relay(&["put", "up"], "");
            assert_eq!(names(server.root()), ["a b", "up"]);
            fs::remove_file(server.root().join("up")).unwrap();
        }
    }
}
