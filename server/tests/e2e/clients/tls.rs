//! curl, lftp, wget, rclone and Python's ftplib over TLS 1.2 and 1.3, with AUTH and without, where sessions have to be resumed and where
//! not.

use std::path::Path;
use std::process::Command;

use muxftp_server::config::{SessionReuse, TlsMode, TlsSettings};

use super::{program, run, told, tree};
use crate::ftp::server_with;
use crate::pipe::CERTIFICATE;
use crate::support::{TestServer, noise};

/// One way in which client and server may speak.
#[derive(Debug, Clone, Copy)]
struct Way {
    mode: TlsMode,
    reuse: SessionReuse,
    /// TLS 1.3, or 1.2.
    newest: bool,
}

impl Way {
    fn all() -> impl Iterator<Item = Way> {
        [TlsMode::Required, TlsMode::Implicit].into_iter().flat_map(|mode| {
            [SessionReuse::Require, SessionReuse::Off]
                .into_iter()
                .flat_map(move |reuse| [false, true].map(|newest| Way { mode, reuse, newest }))
        })
    }

    fn server(self) -> TestServer {
        server_with(|config| {
            config.listen[0].tls = self.mode;
            config.tls = Some(TlsSettings { session_reuse: self.reuse, ..CERTIFICATE.settings() });
        })
    }

    fn url(self, server: &TestServer, path: &str) -> String {
        let scheme = if self.mode == TlsMode::Implicit { "ftps" } else { "ftp" };
        format!("{scheme}://{}/{path}", server.address)
    }
}

fn put_tree(server: &TestServer) {
    std::fs::create_dir_all(server.path().join("tree/sub dir")).unwrap();
    std::fs::write(server.path().join("tree/a"), noise(2, 1_000_000)).unwrap();
    std::fs::write(server.path().join("tree/sub dir/b c"), b"").unwrap();
}

fn curl(way: Way, directory: &Path) -> Option<Command> {
    let mut command = program("curl", directory)?;
    command.args(["-sS", "--ssl-reqd", "--cacert"]).arg(CERTIFICATE.path());
    command.args(if way.newest { ["--tlsv1.3", "--tls-max", "1.3"] } else { ["--tlsv1.2", "--tls-max", "1.2"] });
    Some(command)
}

/// Passive only: curl 7.88 takes an active data connection and never begins TLS on it, whatever the server.
#[test]
fn curl_brings_and_fetches_files() {
    let here = tempfile::tempdir().unwrap();
    let content = noise(7, 3_000_000);
    std::fs::write(here.path().join("up"), &content).unwrap();
    std::fs::write(here.path().join("empty"), b"").unwrap();
    for way in Way::all() {
        let server = way.server();
        let there = way.url(&server, "");
        let Some(mut up) = curl(way, here.path()) else { return };
        run(up.args(["-T", "up", &there]));
        run(curl(way, here.path()).unwrap().args(["-T", "empty", &there]));
        // In one session over TLS 1.3, curl 7.88 shows its ticket once only, and an upload gives it no other.
        if !(way.newest && way.reuse == SessionReuse::Require) {
            run(curl(way, here.path()).unwrap().args(["-T", "{up,empty}", &there]));
        }
        assert!(server.file("up").unwrap() == content, "{way:?}");
        assert_eq!(server.file("empty").unwrap(), b"", "{way:?}");
        run(curl(way, here.path()).unwrap().args(["-o", "down", &way.url(&server, "up")]));
        assert!(std::fs::read(here.path().join("down")).unwrap() == content, "{way:?}");
        let listed = run(curl(way, here.path()).unwrap().args(["-l", &there]));
        assert_eq!(listed, "empty\nup\n", "{way:?}");
    }
}

#[test]
fn curl_without_the_certificate_sends_no_password() {
    let here = tempfile::tempdir().unwrap();
    for way in Way::all() {
        let server = way.server();
        let Some(mut stranger) = program("curl", here.path()) else { return };
        let output = stranger.args(["-sS", "--ssl-reqd", &way.url(&server, "")]).output().unwrap();
        assert_eq!(output.status.code(), Some(60), "{way:?}: {}", told(&output));
    }
}

#[test]
fn lftp_mirrors_both_ways() {
    for way in Way::all() {
        let server = way.server();
        put_tree(&server);
        let here = tempfile::tempdir().unwrap();
        let Some(mut lftp) = program("lftp", here.path()) else { return };
        let priority = if way.newest { "NORMAL:-VERS-ALL:+VERS-TLS1.3" } else { "NORMAL:-VERS-ALL:+VERS-TLS1.2" };
        let script = format!(
            "set cmd:fail-exit yes; set net:max-retries 1; set net:timeout 20; set ssl:ca-file {}; set ssl:priority {priority}; \
             set ftp:ssl-force yes; set ftp:ssl-allow-anonymous yes; \
             set ftp:ssl-protect-data yes; open {}; mirror --parallel=3 tree copy; \
             set ftp:passive-mode off; \
             mirror -R --parallel=3 copy back",
            CERTIFICATE.path().display(),
            way.url(&server, ""),
        );
        run(lftp.args(["-c", &script]));
        let expected = tree(&server.path().join("tree"));
        assert_eq!(expected.len(), 3);
        assert!(tree(&here.path().join("copy")) == expected, "{way:?}");
        assert!(tree(&server.path().join("back")) == expected, "{way:?}");
    }
}

#[test]
fn wget_fetches_a_tree() {
    for way in Way::all() {
        let server = way.server();
        put_tree(&server);
        let here = tempfile::tempdir().unwrap();
        let Some(mut wget) = program("wget", here.path()) else { return };
        wget.args(["-q", "-r", "-nH", &format!("--ca-certificate={}", CERTIFICATE.path().display())]);
        wget.arg(if way.newest { "--secure-protocol=TLSv1_3" } else { "--secure-protocol=TLSv1_2" });
        if way.mode == TlsMode::Implicit {
            wget.arg("--ftps-implicit");
        }
        run(wget.arg(format!("ftps://{}/tree/", server.address)));
        assert!(tree(&here.path().join("tree")) == tree(&server.path().join("tree")), "{way:?}");
    }
}

/// It is written in Go, whose TLS gives up a server that sends more than 16 tickets in a row.
#[test]
fn rclone_copies_both_ways() {
    for way in Way::all() {
        let server = way.server();
        put_tree(&server);
        let here = tempfile::tempdir().unwrap();
        let Some(there) = super::rclone_remote(&server, here.path()) else { return };
        let begin = if way.mode == TlsMode::Implicit { "tls=true" } else { "explicit_tls=true" };
        let there = format!("{there},{begin},disable_tls13={}:", !way.newest);
        for (from, to) in [(format!("{there}tree"), "copy".to_owned()), ("copy".to_owned(), format!("{there}back"))] {
            let mut rclone = program("rclone", here.path()).unwrap();
            rclone.env("SSL_CERT_FILE", CERTIFICATE.path()).args(["copy", "--retries=1", "--create-empty-src-dirs"]);
            if way.reuse == SessionReuse::Require {
                // It takes the tickets of one of its connections for another.
                rclone.arg("--ftp-concurrency=1");
            }
            run(rclone.args([from, to]));
        }
        let expected = tree(&server.path().join("tree"));
        assert!(tree(&here.path().join("copy")) == expected, "{way:?}");
        assert!(tree(&server.path().join("back")) == expected, "{way:?}");
    }
}

#[test]
fn ftplib_speaks_it_with_prot_p() {
    let here = tempfile::tempdir().unwrap();
    for way in Way::all() {
        let server = way.server();
        server.put_file("there", &noise(5, 2_000_000));
        let Some(mut python) = program("python3", here.path()) else { return };
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/e2e/clients/ftplib_tls.py");
        python.env("HOME", std::env::var_os("HOME").unwrap_or_default()).arg(script).arg(CERTIFICATE.path());
        let (host, port) = (server.address.ip().to_string(), server.address.port().to_string());
        let mode = if way.mode == TlsMode::Implicit { "implicit" } else { "explicit" };
        let reuse = if way.reuse == SessionReuse::Require { "reuse" } else { "fresh" };
        let version = if way.newest { "1.3" } else { "1.2" };
        assert_eq!(run(python.args([&host, &port, mode, reuse, version])).trim(), "all over TLS", "{way:?}");
        assert_eq!(server.file("came").unwrap(), noise(5, 2_000_000), "{way:?}");
    }
}
