//! `mirror --delete`: what only the copy has goes, and nothing else, whatever the server says.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Output, Stdio};

use muxftp_server::config::TlsMode;
use rustix::process::Signal;

use crate::mirror::{mirror, plant_some, tree, url};
use crate::scripted::{Kind, Said, Script};
use crate::support::{Fake, TestServer, muxftp, names, run, signal, text, wait_until};

/// Files, directories below each other, and links, none of which a planted tree has; gives how many.
fn overgrow(root: &Path, outside: &Path) -> usize {
    let inner = root.join("surplus/a b/.hidden dir");
    fs::create_dir_all(&inner).unwrap();
    fs::create_dir(root.join("surplus/empty")).unwrap();
    let existing = root.join("a b 0/0");
    for path in [root.join("a[1]* 99"), root.join(".old"), existing.join("-gone"), inner.join("deep"), inner.join(".x")]
    {
        fs::write(path, "surplus").unwrap();
    }
    symlink(outside, root.join("link to a directory")).unwrap();
    symlink(outside, inner.join("link to a directory")).unwrap();
    symlink(outside.join("file"), root.join("link to a file")).unwrap();
    symlink("nothing", existing.join("link to nothing")).unwrap();
    symlink("../..", root.join("surplus/link up")).unwrap();
    14
}

/// What no link may lead to.
fn plant_outside(here: &Path) -> std::path::PathBuf {
    let outside = here.join("outside");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("file"), "mine").unwrap();
    outside
}

fn links(root: &Path) -> usize {
    let mut count = 0;
    for name in names(root) {
        let path = root.join(name);
        if path.is_symlink() {
            count += 1;
        } else if path.is_dir() {
            count += links(&path);
        }
    }
    count
}

#[test]
fn a_copy_here_is_as_the_server_is_afterwards() {
    for (parallel, tls) in [("--parallel=1", TlsMode::Off), ("--parallel=3", TlsMode::Required)] {
        let server = TestServer::of_ftp(tls, |_| {});
        let here = tempfile::tempdir().unwrap();
        let (copy, outside) = (here.path().join("copy"), plant_outside(here.path()));
        plant_some(server.root(), 9, 20);
        // The server shows what it leads to.
        fs::remove_file(server.root().join("link")).unwrap();
        fs::create_dir_all(copy.join("a b 0/0")).unwrap();
        let surplus = overgrow(&copy, &outside);
        let output = mirror(here.path(), &["--delete", parallel, &url(&server, ""), "copy"]);
        let shown = text(&output.stdout);
        assert!(output.status.success(), "{}", text(&output.stderr));
        assert!(shown.starts_with("180 files copied"), "{shown}");
        assert!(shown.ends_with(&format!(", {surplus} deleted, 0 failed\n")), "{shown}");
        assert!(tree(&copy) == tree(server.root()));
        assert_eq!(links(&copy), 0);
        assert_eq!(fs::read(outside.join("file")).unwrap(), b"mine");
    }
}

#[test]
fn a_copy_on_the_server_is_as_the_tree_here_is_afterwards() {
    for (parallel, tls) in [("--parallel=1", TlsMode::Off), ("--parallel=3", TlsMode::Required)] {
        let server = TestServer::of_ftp(tls, |_| {});
        let here = tempfile::tempdir().unwrap();
        let (source, copy, outside) =
            (here.path().join("up"), server.root().join("copy"), plant_outside(server.root()));
        plant_some(&source, 9, 20);
        fs::create_dir_all(copy.join("a b 0/0")).unwrap();
        let surplus = overgrow(&copy, &outside);
        let output = mirror(here.path(), &["-R", "--delete", parallel, "up", &url(&server, "copy")]);
        let shown = text(&output.stdout);
        assert!(output.status.success(), "{}", text(&output.stderr));
        assert!(shown.starts_with("180 files copied"), "{shown}");
        assert!(shown.ends_with(&format!(", {surplus} deleted, 0 failed\n")), "{shown}");
        assert!(tree(&copy) == tree(&source));
        assert_eq!(links(&copy), 0);
        assert_eq!(fs::read(outside.join("file")).unwrap(), b"mine");
    }
}

#[test]
fn without_it_nothing_is_deleted_and_with_names_each_is_named() {
    let server = TestServer::of_ftp(TlsMode::Off, |_| {});
    let here = tempfile::tempdir().unwrap();
    fs::create_dir_all(here.path().join("copy/old")).unwrap();
    fs::write(here.path().join("copy/old/a"), "x").unwrap();
    fs::write(server.root().join("new"), "x").unwrap();
    let output = mirror(here.path(), &[&url(&server, ""), "copy"]);
    assert!(text(&output.stdout).ends_with(" left out, 0 failed\n"), "{}", text(&output.stdout));
    assert_eq!(names(&here.path().join("copy")), ["new", "old"]);
    let output = mirror(here.path(), &["--delete", "--names", &url(&server, ""), "copy"]);
    assert!(
        text(&output.stdout).starts_with("deleted: copy/old/a\ndeleted: copy/old\n0 files copied"),
        "{}",
        text(&output.stdout)
    );
    fs::remove_file(here.path().join("copy/new")).unwrap();
    let output = mirror(here.path(), &["-R", "--delete", "--names", "copy", &url(&server, "")]);
    assert!(text(&output.stdout).starts_with("deleted: /new\n0 files copied"), "{}", text(&output.stdout));
    assert!(names(server.root()).is_empty());
}

#[test]
fn a_source_that_is_not_there_makes_nothing_and_deletes_nothing() {
    let server = TestServer::of_ftp(TlsMode::Off, |_| {});
    let here = tempfile::tempdir().unwrap();
    for root in [here.path().join("copy"), server.root().join("copy")] {
        fs::create_dir(&root).unwrap();
        fs::write(root.join("precious"), "x").unwrap();
    }
    fs::write(server.root().join("file"), "x").unwrap();
    for (wrong, code) in [("nothing", 1), ("file", 1)] {
        let output = mirror(here.path(), &["--delete", &url(&server, wrong), "copy"]);
        assert_eq!(output.status.code(), Some(code), "{}", text(&output.stderr));
    }
    for copy in ["copy", "new"] {
        let output = mirror(here.path(), &["-R", "--delete", "nothing", &url(&server, copy)]);
        assert_eq!(output.status.code(), Some(5), "{}", text(&output.stderr));
        let output = mirror(here.path(), &["--delete", &url(&server, "nothing"), copy]);
        assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    }
    assert_eq!((names(here.path()), names(server.root())), (vec!["copy".into()], vec!["copy".into(), "file".into()]));
    for root in [here.path().join("copy"), server.root().join("copy")] {
        assert_eq!(names(&root), ["precious"]);
    }
}

/// `mirror --delete` from a scripted server with the directories `doubtful` and `sure`, in the copy of each of which is a
/// file that the server does not have; gives what is left of both.
fn copy_from(script: Script) -> (Output, Vec<String>, Vec<String>) {
    let here = tempfile::tempdir().unwrap();
    for directory in ["doubtful", "sure"] {
        fs::create_dir_all(here.path().join("copy").join(directory)).unwrap();
        for name in ["surplus", ".surplus"] {
            fs::write(here.path().join("copy").join(directory).join(name), "x").unwrap();
        }
    }
    let (fake, _) = script.start();
    let output = run(here.path(), &["mirror", "--delete", "--tls=off", "--parallel=1", &ftp(&fake), "copy"]);
    fake.join();
    let left = |directory| names(&here.path().join("copy").join(directory));
    (output, left("doubtful"), left("sure"))
}

fn ftp(fake: &Fake) -> String {
    format!("ftp://127.0.0.1:{}/", fake.port())
}

/// A server with MLSD whose other directories are in order.
fn with_facts() -> Script {
    let root = ["type=cdir; /", "type=dir; doubtful", "type=dir; sure"];
    Script::new(Kind::Facts).lists("/", &root).lists("/sure", &["type=cdir; /sure", "type=pdir; /"])
}

#[test]
fn nothing_is_deleted_where_the_server_has_not_shown_all() {
    let endless = b"type=dir; x\r\n".repeat(700_000);
    for (said, told) in [
        (Said::Refusal, "ls /doubtful: the server says no: 550 not that"),
        (Said::Bytes(Vec::new(), "426 broken"), "ls /doubtful: the server says no: 426 broken"),
        (Said::Bytes(b"type=dir; x\r\ntype=di".to_vec(), "426 broken"), "ls /doubtful: the server says no: 426 broken"),
        (
            Said::Bytes(b"type=cdir; .\r\ntype=dir; surp".to_vec(), "226 done"),
            "the last line of the listing has no end",
        ),
        (Said::Bytes(b"type=cdir; .\r\nsurplus\r\n".to_vec(), "226 done"), "lines of the listing make no sense"),
        (
            Said::Bytes(b"type=cdir; .\r\ntype=file; ./surplus\r\n".to_vec(), "226 done"),
            "names that cannot be names here",
        ),
        (Said::Bytes(Vec::new(), "226 could not open it"), "the listing is empty"),
        (Said::Bytes(endless, "226 done"), "more entries than a directory can have"),
    ] {
        let (output, doubtful, sure) = copy_from(with_facts().says("/doubtful", said.clone()));
        let errors = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{errors}");
        assert!(errors.contains(told), "{errors}");
        assert_eq!(doubtful.iter().filter(|name| name.contains("surplus")).count(), 2, "{told}: {doubtful:?}");
        assert!(sure.is_empty(), "{told}: {sure:?}");
        assert!(text(&output.stdout).contains(", 2 deleted, "), "{}", text(&output.stdout));
    }
    let (output, doubtful, sure) = copy_from(with_facts().lists("/doubtful", &["type=cdir; /doubtful"]));
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(doubtful.is_empty() && sure.is_empty());
}

#[test]
fn nothing_is_deleted_where_a_signal_came_before_the_end_of_the_listing() {
    let here = tempfile::tempdir().unwrap();
    fs::create_dir_all(here.path().join("copy/doubtful")).unwrap();
    fs::write(here.path().join("copy/doubtful/surplus"), "x").unwrap();
    let (fake, heard) = with_facts().says("/doubtful", Said::Silence("type=cdir; .\r\n")).start();
    let args = ["mirror", "--delete", "--tls=off", "--parallel=1", &ftp(&fake), "copy"];
    let child = muxftp(here.path(), &args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    wait_until(|| heard.lock().unwrap().iter().any(|line| line == "MLSD /doubtful"));
    signal(&child, Signal::TERM);
    assert_eq!(child.wait_with_output().unwrap().status.code(), Some(143));
    assert_eq!(names(&here.path().join("copy/doubtful")), ["surplus"]);
    fake.join();
}

/// A server with LIST only.
fn without_facts(kind: Kind) -> Script {
    let own: &[&str] = if kind == Kind::LongAll { &[OWN] } else { &[] };
    let root = [own, &["total 2", DOUBTFUL, SURE]].concat();
    Script::new(kind).lists("/", &root).lists("/sure", &[own, &[LINK]].concat())
}

#[test]
fn an_empty_list_is_no_proof_and_what_is_not_shown_stays() {
    // Knows `LIST -a`, but cannot read the directory, and calls that a success.
    let (output, doubtful, sure) = copy_from(without_facts(Kind::LongAll).lists("/doubtful", &[]));
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("ls /doubtful: the listing is empty, as some"), "{}", text(&output.stderr));
    assert_eq!(doubtful, [".surplus", "surplus"]);
    assert!(sure.is_empty(), "{sure:?}");
    // Does not know it: hidden names are not shown.
    let (output, doubtful, sure) = copy_from(without_facts(Kind::Long).lists("/doubtful", &[]));
    assert!(text(&output.stderr).contains("ls /doubtful: the listing is empty, as some"), "{}", text(&output.stderr));
    assert_eq!(doubtful, [".surplus", "surplus"]);
    assert_eq!(sure, [".surplus"]);
}

#[test]
fn on_a_server_only_names_below_the_root_are_deleted_and_links_are_tried_as_links_first() {
    let here = tempfile::tempdir().unwrap();
    fs::create_dir(here.path().join("up")).unwrap();
    let (fake, heard) = Script::new(Kind::Facts)
        .lists(
            "/",
            &[
                "type=cdir; /",
                "type=file; ../above",
                "type=file; /etc/passwd",
                "type=dir; ..",
                "type=file; kept",
                "type=file; gone",
                "type=dir; directory",
                "type=dir; link to one",
            ],
        )
        .lists("/directory", &["type=OS.unix=slink:/etc; link", "type=file; /etc/passwd"])
        .refuses("DELE /directory")
        .refuses("DELE /kept")
        .start();
    let output = run(here.path(), &["mirror", "-R", "--delete", "--tls=off", "--parallel=1", "up", &ftp(&fake)]);
    fake.join();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(text(&output.stderr), "muxftp: rm /kept: the server says no: 550 not that\n");
    assert!(text(&output.stdout).ends_with(", 4 deleted, 1 failed\n"), "{}", text(&output.stdout));
    let mut heard: Vec<String> = heard.lock().unwrap().clone();
    heard.retain(|line| ["DELE", "RMD ", "MLSD"].iter().any(|verb| line.starts_with(verb)));
    assert_eq!(
        heard,
        [
            "MLSD /",
            "DELE /link to one",
            "DELE /directory",
            "MLSD /directory",
            "DELE /directory/link",
            "RMD /directory",
            "DELE /gone",
            "DELE /kept"
        ]
    );
}

#[test]
fn a_directory_on_a_server_is_not_removed_over_what_the_server_keeps() {
    let here = tempfile::tempdir().unwrap();
    fs::create_dir(here.path().join("up")).unwrap();
    let (fake, heard) = without_facts(Kind::LongAll)
        .lists("/doubtful", &[OWN, LINK])
        .refuses("DELE /doubtful")
        .refuses("DELE /sure")
        .refuses("DELE /doubtful/there")
        .start();
    let output = run(here.path(), &["mirror", "-R", "--delete", "--tls=off", "--parallel=1", "up", &ftp(&fake)]);
    fake.join();
    assert_eq!(text(&output.stderr), "muxftp: rm /doubtful/there: the server says no: 550 not that\n");
    assert!(text(&output.stdout).ends_with(", 2 deleted, 1 failed\n"), "{}", text(&output.stdout));
    let heard = heard.lock().unwrap();
    assert!(!heard.contains(&"RMD /doubtful".to_owned()), "{heard:?}");
    let removal = heard.iter().position(|line| line == "RMD /sure").unwrap();
    let place = heard[..removal].iter().rfind(|line| line.starts_with("CWD ")).unwrap();
    assert_eq!(place, "CWD /", "it is left before it is removed");
}

const LINK: &str = "lrwxrwxrwx  1 a b  5 Jan  1 2020 there -> here";
const OWN: &str = "drwxr-xr-x  2 a b  4096 Jan  1 2020 .";
const DOUBTFUL: &str = "drwxr-xr-x  2 a b  4096 Jan  1 2020 doubtful";
const SURE: &str = "drwxr-xr-x  2 a b  4096 Jan  1 2020 sure";
