//! Whole trees, from a server and to it.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Output;
use std::time::{Duration, UNIX_EPOCH};

use muxftp_server::config::TlsMode;

use crate::support::{CERTIFICATE, PASSWORD, TestServer, muxftp, text};

/// Names that clients and servers like to get wrong.
const ODD: [&str; 9] = ["a b", " lead", "-dash", "quo\"te", "it's", "gr\u{fc}n \u{2603}", "100%20", "a[1]*", ".hidden"];

/// 2,000 files in 40 directories and below each other; empty ones too, and links.
pub fn plant(root: &Path) {
    plant_some(root, 40, 50);
}

/// The same with so many directories, and so many files in each.
pub fn plant_some(root: &Path, directories: usize, files: usize) {
    for i in 0..directories {
        let directory = root.join(format!("{} {}/{i}", ODD[i % ODD.len()], i % 7));
        fs::create_dir_all(&directory).unwrap();
        for j in 0..files {
            let path = directory.join(format!("{}{j}", ODD[j % ODD.len()]));
            fs::write(&path, format!("{i} {j}").repeat(j * 3)).unwrap();
            File::open(path).unwrap().set_modified(UNIX_EPOCH + Duration::from_secs(1_600_000_000 + j as u64)).unwrap();
        }
    }
    fs::create_dir(root.join("empty")).unwrap();
    symlink("empty", root.join("link")).unwrap();
}

/// Each file, with its bytes and time in seconds since 1970; each directory, with none.
pub type Tree = BTreeMap<String, Option<(Vec<u8>, u64)>>;

/// All below a directory.
pub fn tree(root: &Path) -> Tree {
    let mut found = BTreeMap::new();
    let mut left = vec![root.to_owned()];
    while let Some(directory) = left.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let (path, kind) = entry.map(|entry| (entry.path(), entry.file_type().unwrap())).unwrap();
            let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
            if kind.is_dir() {
                left.push(path);
                found.insert(name, None);
            } else if kind.is_file() {
                let time = fs::metadata(&path).unwrap().modified().unwrap().duration_since(UNIX_EPOCH).unwrap();
                found.insert(name, Some((fs::read(path).unwrap(), time.as_secs())));
            }
        }
    }
    found
}

pub fn mirror(here: &Path, args: &[&str]) -> Output {
    muxftp(here, &[&["mirror", "--ca", &CERTIFICATE.file()], args].concat())
        .env("MUXFTP_PASSWORD", PASSWORD)
        .output()
        .unwrap()
}

pub fn url(server: &TestServer, path: &str) -> String {
    format!("ftp://ann@127.0.0.1:{}/{path}", server.port())
}

#[test]
fn a_tree_goes_up_and_comes_back_as_it_was() {
    for tls in [TlsMode::Off, TlsMode::Required] {
        let server = TestServer::of_ftp(tls, |_| {});
        let here = tempfile::tempdir().unwrap();
        let (up, down) = (here.path().join("up"), here.path().join("down"));
        plant(&up);
        let planted = tree(&up);
        assert_eq!(planted.values().flatten().count(), 2_000);
        let there = url(&server, "the%20tree");
        for (copied, same) in [(2_000, 0), (0, 2_000)] {
            let output = mirror(here.path(), &["-R", "up", &there]);
            assert!(output.status.success(), "{}", text(&output.stderr));
            let told = text(&output.stdout);
            assert!(told.starts_with(&format!("{copied} files copied")), "{told}");
            assert!(told.contains(&format!("{same} were the same, 1 links")), "{told}");
        }
        assert!(tree(&server.root().join("the tree")) == planted);
        for (copied, same) in [(2_000, 0), (0, 2_000)] {
            let output = mirror(here.path(), &["--parallel=4", &there, "down"]);
            assert!(output.status.success(), "{}", text(&output.stderr));
            let told = text(&output.stdout);
            assert!(told.starts_with(&format!("{copied} files copied")), "{told}");
            assert!(told.contains(&format!("{same} were the same")), "{told}");
        }
        assert!(tree(&down) == planted);
    }
}

#[test]
fn what_fails_is_told_and_counted_and_links_here_are_not_written_through() {
    let server = TestServer::of_ftp(TlsMode::Off, |_| {});
    let here = tempfile::tempdir().unwrap();
    for name in ["a", "b", "c"] {
        fs::write(server.root().join(name), "new").unwrap();
    }
    fs::create_dir_all(here.path().join("down/a")).unwrap();
    fs::write(here.path().join("outside"), "mine").unwrap();
    symlink("../outside", here.path().join("down/b")).unwrap();
    let output = mirror(here.path(), &["--names", &url(&server, ""), "down"]);
    assert_eq!(output.status.code(), Some(1));
    let (shown, told) = (text(&output.stdout), text(&output.stderr));
    assert!(shown.starts_with("/c\n1 files copied (3 bytes)") && shown.ends_with("2 failed\n"), "{shown}");
    assert!(told.contains("muxftp: /a: what has this name here is of another kind"), "{told}");
    assert!(told.contains("muxftp: /b: what has this name here is of another kind, or a link"), "{told}");
    assert_eq!(fs::read(here.path().join("outside")).unwrap(), b"mine");
    assert_eq!(fs::read(here.path().join("down/c")).unwrap(), b"new");
}

/// muxftpd lists a link as what it leads to.
#[test]
fn links_that_lead_up_are_left_out() {
    let server = TestServer::of_ftp(TlsMode::Off, |_| {});
    let here = tempfile::tempdir().unwrap();
    fs::create_dir(server.root().join("sub")).unwrap();
    fs::write(server.root().join("sub/file"), "x").unwrap();
    for (target, name) in [("..", "sub/up"), (".", "sub/self"), ("../sub/up", "sub/far"), (".", "here")] {
        symlink(target, server.root().join(name)).unwrap();
    }
    symlink("sub", server.root().join("again")).unwrap();
    let output = mirror(here.path(), &[&url(&server, ""), "down"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(
        text(&output.stdout),
        "2 files copied (2 bytes), 0 were the same, 7 links and devices left out, 0 failed\n"
    );
    let down = tree(&here.path().join("down"));
    assert_eq!(down.keys().collect::<Vec<_>>(), ["again", "again/file", "sub", "sub/file"]);
}

#[test]
fn a_server_that_lets_in_few_sessions_gets_and_gives_all() {
    for sessions in [1, 2] {
        let server = TestServer::of_ftp(TlsMode::Off, |config| config.limits.sessions_per_address = sessions);
        let here = tempfile::tempdir().unwrap();
        plant(&here.path().join("up"));
        let planted = tree(&here.path().join("up"));
        let there = url(&server, "tree");
        for args in [["-R", "up", &there, "--parallel=3"], ["--parallel=3", &there, "down", "--names"]] {
            let output = mirror(here.path(), &args);
            let (shown, told) = (text(&output.stdout), text(&output.stderr));
            assert!(output.status.success(), "{told}");
            assert!(shown.contains("2000 files copied") && shown.contains(" 0 failed"), "{shown}");
            let notes = told.lines().filter(|line| line.starts_with("muxftp: note: going on with fewer sessions: "));
            assert_eq!(notes.count(), 1, "{told}");
        }
        assert!(tree(&here.path().join("down")) == planted, "{sessions}");
    }
}

#[test]
fn only_what_changed_is_copied_again() {
    let server = TestServer::of_ftp(TlsMode::Off, |_| {});
    let here = tempfile::tempdir().unwrap();
    fs::create_dir(here.path().join("up")).unwrap();
    for name in ["longer", "newer", "same"] {
        fs::write(here.path().join("up").join(name), "x").unwrap();
    }
    let there = url(&server, "");
    assert!(mirror(here.path(), &["-R", "up", &there]).status.success());
    fs::write(here.path().join("up/longer"), "xx").unwrap();
    fs::write(here.path().join("up/newer"), "y").unwrap();
    let later = std::time::SystemTime::now() + Duration::from_secs(60);
    File::open(here.path().join("up/newer")).unwrap().set_modified(later).unwrap();
    let output = mirror(here.path(), &["-R", "up", &there]);
    assert!(text(&output.stdout).starts_with("2 files copied (3 bytes), 1 were the same"), "{}", text(&output.stdout));
    assert_eq!(fs::read(server.root().join("newer")).unwrap(), b"y");
    // With nothing to move, one session is enough.
    let output = mirror(here.path(), &["-R", "up", &there, "-v"]);
    assert!(text(&output.stdout).starts_with("0 files copied"), "{}", text(&output.stdout));
    assert_eq!(text(&output.stderr).matches("C: USER ann\n").count(), 1, "{}", text(&output.stderr));
    let output = mirror(here.path(), &["simple://127.0.0.1/x", "down"]);
    assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0));
}
