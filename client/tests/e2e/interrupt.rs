//! Ctrl-C while a tree is mirrored: nothing half is left on either side, and the next run brings the rest.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::Stdio;

use muxftp_server::config::TlsMode;
use rustix::fs::{CWD, Mode, mkfifoat};
use rustix::process::Signal;
use tempfile::TempDir;

use crate::support::{CERTIFICATE, TestServer, muxftp, names, run, signal, text, wait_until};

#[test]
fn a_mirror_from_a_server_that_is_interrupted_leaves_whole_files_only() {
    for tls in [TlsMode::Off, TlsMode::Required] {
        let (there, here) = (plant(""), tempfile::tempdir().unwrap());
        let copy = here.path().join("copy");
        let slow = server_of(&there, tls, Some(RATE));
        interrupt(here.path(), &["mirror", &slow.url(""), "copy"], || {
            names(&copy).iter().filter(|name| is_temporary(name)).count() == 2
        });
        assert_whole(&names(&copy), &copy);
        complete(here.path(), &["mirror", &server_of(&there, tls, None).url(""), "copy"]);
        assert_eq!(names(&copy), names(there.path()));
        assert_whole(&names(&copy), &copy);
    }
}

#[test]
fn a_mirror_to_a_server_that_is_interrupted_leaves_whole_files_only() {
    for tls in [TlsMode::Off, TlsMode::Required] {
        let (there, here) = (tempfile::tempdir().unwrap(), plant("tree"));
        let slow = server_of(&there, tls, Some(RATE));
        interrupt(here.path(), &["mirror", "-R", "tree", &slow.url("")], || {
            names(there.path()).iter().filter(|name| is_temporary(name)).count() == 2
        });
        wait_until(|| !names(there.path()).iter().any(|name| is_temporary(name)));
        assert_whole(&names(there.path()), there.path());
        complete(here.path(), &["mirror", "-R", "tree", &server_of(&there, tls, None).url("")]);
        assert_eq!(names(there.path()), names(&here.path().join("tree")));
        assert_whole(&names(there.path()), there.path());
    }
}

#[test]
fn ctrl_c_between_two_files_ends_the_command() {
    let (there, here) = (plant(""), tempfile::tempdir().unwrap());
    let server = server_of(&there, TlsMode::Off, None);
    // It waits at this name until somebody reads.
    mkfifoat(CWD, here.path().join("b"), Mode::RWXU).unwrap();
    let args = ["get", "-q", "--tls", "off", &server.url("a"), &server.url("b")];
    let child = muxftp(here.path(), &args).stderr(Stdio::piped()).spawn().unwrap();
    wait_until(|| here.path().join("a").exists());
    signal(&child, Signal::INT);
    let mut reader = File::open(here.path().join("b")).unwrap();
    assert_eq!(reader.read_to_end(&mut Vec::new()).unwrap(), 0, "nothing more is fetched");
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(130), "muxftp: interrupted\n"));
    assert_eq!(names(here.path()), ["a", "b"]);
}

/// A file for each session: one is small, the others take a slow server long.
fn plant(below: &str) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().join(below);
    fs::create_dir_all(&root).unwrap();
    fs::write(root.join("small"), "bytes").unwrap();
    for name in ["a", "b"] {
        fs::write(root.join(name), vec![b'x'; LARGE]).unwrap();
    }
    directory
}

/// A server over `root` that moves so many bytes per second at most.
fn server_of(root: &TempDir, tls: TlsMode, rate: Option<u64>) -> TestServer {
    TestServer::of_ftp(tls, |config| {
        root.path().clone_into(&mut config.root);
        (config.guest.allowance.rate_up, config.guest.allowance.rate_down) = (rate, rate);
    })
}

/// Runs it until a whole file has been copied and it is in the middle of others; then Ctrl-C.
fn interrupt(here: &Path, args: &[&str], is_under_way: impl Fn() -> bool) {
    let mut child = muxftp(here, args)
        .args(["--names", "--ca", &CERTIFICATE.file()])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut copied = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut copied).unwrap();
    assert_eq!(copied, "/small\n");
    wait_until(is_under_way);
    signal(&child, Signal::INT);
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(130), "muxftp: interrupted\n"));
}

fn complete(here: &Path, args: &[&str]) {
    let output = run(here, &[args, &["--ca", &CERTIFICATE.file()]].concat());
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(text(&output.stdout).starts_with("2 files copied"), "{}", text(&output.stdout));
}

fn assert_whole(names: &[String], directory: &Path) {
    assert!(names.iter().any(|name| name == "small"), "{names:?}");
    for name in names {
        let bytes = fs::read(directory.join(name)).unwrap();
        assert_eq!(bytes.len(), if name == "small" { 5 } else { LARGE }, "{name}");
    }
}

fn is_temporary(name: &str) -> bool {
    name.starts_with('.')
}

/// Of each large file.
const LARGE: usize = 4 << 20;

/// Bytes per second of a slow server: all takes minutes.
const RATE: u64 = 64 << 10;
