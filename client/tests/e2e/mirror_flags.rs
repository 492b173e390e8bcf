//! `mirror` with `--dry-run` and `--exclude`, and with its flags at the prompt.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Stdio};

use muxftp_server::config::TlsMode;

use crate::mirror::{Tree, mirror, plant_some, tree, url};
use crate::scripted::{Kind, Script};
use crate::support::{TestServer, names, run_with_input, text};

/// What a dry run says, in order: it is not that of the system's directories.
fn lines(bytes: &[u8]) -> Vec<&str> {
    let mut lines: Vec<_> = text(bytes).lines().collect();
    lines.sort();
    lines
}

/// Directories and files, each of which has its name in it.
fn make(root: &Path, paths: &[&str]) {
    for path in paths {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, path.file_name().unwrap().as_encoded_bytes()).unwrap();
    }
}

#[test]
fn a_dry_run_from_a_server_names_all_and_changes_nothing() {
    let server = TestServer::of_ftp(TlsMode::Off, |_| {});
    let here = tempfile::tempdir().unwrap();
    make(server.root(), &["a", "sub/b", "sub/deep/c", "same"]);
    make(here.path(), &["copy/same", "copy/old", "copy/old dir/.x/y", "outside/mine"]);
    symlink("../outside", here.path().join("copy/link")).unwrap();
    let (there, before) = (tree(server.root()), tree(here.path()));
    let output = mirror(here.path(), &["-n", "--delete", &url(&server, ""), "copy"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(
        lines(&output.stdout),
        [
            "3 files would be copied (3 bytes), 1 were the same, 0 links and devices left out, 5 would be deleted, 0 failed",
            "copy /a",
            "copy /sub/b",
            "copy /sub/deep/c",
            "delete copy/link",
            "delete copy/old",
            "delete copy/old dir",
            "delete copy/old dir/.x",
            "delete copy/old dir/.x/y",
            "make copy/sub",
            "make copy/sub/deep",
        ]
    );
    assert!(tree(server.root()) == there && tree(here.path()) == before);
    assert!(here.path().join("copy/link").is_symlink());
    let output = mirror(here.path(), &["--dry-run", &url(&server, "sub"), "new/copy"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(
        lines(&output.stdout),
        [
            "2 files would be copied (2 bytes), 0 were the same, 0 links and devices left out, 0 failed",
            "copy /sub/b",
            "copy /sub/deep/c",
            "make new/copy",
            "make new/copy/deep",
        ]
    );
    assert!(!here.path().join("new").exists());
}

#[test]
fn a_dry_run_to_a_server_names_all_and_changes_nothing() {
    let server = TestServer::of_ftp(TlsMode::Off, |_| {});
    let here = tempfile::tempdir().unwrap();
    make(here.path(), &["up/a", "up/sub/b", "up/sub/deep/c"]);
    make(server.root(), &["copy/a", "copy/old", "copy/old dir/.x/y", "outside/mine"]);
    fs::write(server.root().join("copy/a"), "of another size").unwrap();
    // As a directory it would be without end.
    symlink("..", server.root().join("copy/link")).unwrap();
    let (there, before) = (tree(server.root()), tree(here.path()));
    let output = mirror(here.path(), &["-R", "-n", "--delete", "up", &url(&server, "copy")]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(
        lines(&output.stdout),
        [
            "3 files would be copied (3 bytes), 0 were the same, 0 links and devices left out, 3 would be deleted, 0 failed",
            "copy /copy/a",
            "copy /copy/sub/b",
            "copy /copy/sub/deep/c",
            "delete /copy/link/",
            "delete /copy/old",
            "delete /copy/old dir/",
            "make /copy/sub",
            "make /copy/sub/deep",
        ]
    );
    let output = mirror(here.path(), &["-R", "-n", "up/sub", &url(&server, "new")]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(
        lines(&output.stdout),
        [
            "2 files would be copied (2 bytes), 0 were the same, 0 links and devices left out, 0 failed",
            "copy /new/b",
            "copy /new/deep/c",
            "make /new",
            "make /new/deep",
        ]
    );
    assert!(tree(server.root()) == there && tree(here.path()) == before);
    assert!(server.root().join("copy/link").is_symlink());
}

#[test]
fn a_dry_run_of_a_whole_tree_says_what_the_run_does() {
    let server = TestServer::of_ftp(TlsMode::Required, |_| {});
    let here = tempfile::tempdir().unwrap();
    plant_some(&here.path().join("up"), 9, 9);
    let there = url(&server, "tree");
    for args in [["-R", "up", &there], ["--names", &there, "down"]] {
        let planned = mirror(here.path(), &[&["-n"], &args[..]].concat());
        assert!(planned.status.success(), "{}", text(&planned.stderr));
        let done = mirror(here.path(), &args);
        assert!(done.status.success(), "{}", text(&done.stderr));
        let (planned, done) = (text(&planned.stdout), text(&done.stdout));
        assert_eq!(planned.lines().filter(|line| line.starts_with("copy ")).count(), 81);
        let last = |lines: &str| lines.lines().last().unwrap().replace("would be ", "");
        assert_eq!(last(planned), last(done));
    }
}

#[test]
fn a_reader_that_has_seen_enough_ends_it() {
    let server = TestServer::of_ftp(TlsMode::Off, |_| {});
    let here = tempfile::tempdir().unwrap();
    make(server.root(), &["a", "b/c"]);
    let mut child = Command::new(env!("CARGO_BIN_EXE_muxftp"))
        .args(["mirror", "-n", "--tls=off", &format!("ftp://127.0.0.1:{}/", server.port()), "copy"])
        .current_dir(here.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), ""));
}

/// The paths of a tree.
fn paths(tree: &Tree) -> Vec<&str> {
    tree.keys().map(String::as_str).collect()
}

/// A source, and a copy that has more.
const SOURCE: [&str; 6] = [".a.swp", "a", "build/out", "lib/build/x", "lib/a.o", "lib/deep/b.o"];
const COPY: [&str; 5] = [".old.swp", "build/old", "gone/old.o", "gone/other", "old"];

/// Without anything of `SOURCE` that is excluded, and with all of `COPY` that is.
const EXCLUDING: [&str; 7] = ["--delete", "-x", "*.swp", "-x", "/build", "--exclude=*/*.o", "-x*.o"];
const LEFT: [&str; 10] =
    [".old.swp", "a", "build", "build/old", "gone", "gone/old.o", "lib", "lib/build", "lib/build/x", "lib/deep"];

#[test]
fn what_is_excluded_is_neither_copied_nor_deleted() {
    let server = TestServer::of_ftp(TlsMode::Off, |_| {});
    let here = tempfile::tempdir().unwrap();
    make(server.root(), &SOURCE);
    make(&here.path().join("copy"), &COPY);
    let output = mirror(here.path(), &[&EXCLUDING[..], &["--names", &url(&server, ""), "copy"]].concat());
    assert!(output.status.success(), "{}", text(&output.stderr));
    let shown = text(&output.stdout);
    assert!(shown.contains("2 files copied") && shown.ends_with(", 2 deleted, 0 failed\n"), "{shown}");
    for name in ["/build", "/.a.swp", "/lib/a.o"] {
        assert!(shown.contains(&format!("left out: {name}\n")), "{shown}");
    }
    assert_eq!(paths(&tree(&here.path().join("copy"))), LEFT);

    let server = TestServer::of_ftp(TlsMode::Off, |_| {});
    make(&here.path().join("up"), &SOURCE);
    make(&server.root().join("to"), &COPY);
    let output = mirror(here.path(), &[&EXCLUDING[..], &["-R", "up", &url(&server, "to")]].concat());
    assert!(output.status.success(), "{}", text(&output.stderr));
    let shown = text(&output.stdout);
    assert!(shown.contains("2 files copied") && shown.ends_with(", 2 deleted, 0 failed\n"), "{shown}");
    assert_eq!(paths(&tree(&server.root().join("to"))), LEFT);
}

#[test]
fn the_prompt_takes_the_same_flags() {
    let server = TestServer::of_ftp(TlsMode::Off, |_| {});
    let here = tempfile::tempdir().unwrap();
    make(here.path(), &["up/a", "up/b.o", "my own/c"]);
    make(server.root(), &["to/old"]);
    let to = format!("ftp://127.0.0.1:{}/", server.port());
    let script = b"mirror -Rn --delete -x '*.o' up to\n\
        mirror -R -v --delete -x '*.o' -P 1 up to\n\
        MIRROR to 'copy of it'\n\
        mirror -vR 'my own' mine\n\
        mirror up\n\
        mirror my own to\n\
        mirror --frob a b\n\
        mirror -P 99 a b\n\
        mirror -- -a -b\n\
        mirror -n -- -R 'copy of it'\n";
    let output = run_with_input(here.path(), &[&to, "--tls=off"], script);
    assert_eq!(
        text(&output.stdout),
        "copy /to/a\n\
         delete /to/old\n\
         1 files would be copied (1 bytes), 0 were the same, 0 links and devices left out, 1 would be deleted, 0 failed\n\
         left out: /to/b.o\n\
         deleted: /to/old\n\
         /to/a\n\
         1 files copied (1 bytes), 0 were the same, 0 links and devices left out, 1 deleted, 0 failed\n\
         1 files copied (1 bytes), 0 were the same, 0 links and devices left out, 0 failed\n\
         /mine/c\n\
         1 files copied (1 bytes), 0 were the same, 0 links and devices left out, 0 failed\n"
    );
    assert!(!here.path().join("-b").exists());
    assert_eq!(names(&server.root().join("to")), ["a"]);
    assert_eq!(names(&here.path().join("copy of it")), ["a"]);
    let told: Vec<_> = text(&output.stderr).lines().collect();
    let [few, many, unknown, range, dash, flag] = told[..] else { panic!("{told:?}") };
    assert!(few.starts_with("muxftp: ") && few.contains("MIRROR"), "{few}");
    assert!(many.contains("a name with blanks stands in quotation marks"), "{many}");
    assert!(unknown.contains("--frob"), "{unknown}");
    assert!(range.contains("99 is not in 1..=32"), "{range}");
    assert!(dash.contains("cd /-a: "), "{dash}");
    assert!(flag.contains("cd /-R: "), "{flag}");
}

#[test]
fn the_prompt_is_where_it_was_after_a_tree_that_cannot_be_read() {
    let here = tempfile::tempdir().unwrap();
    let (fake, _) = Script::new(Kind::Long).start();
    let to = format!("ftp://127.0.0.1:{}/", fake.port());
    let output = run_with_input(here.path(), &[&to, "--tls=off"], b"mirror -P 1 sub copy\npwd\n");
    fake.join();
    assert_eq!(text(&output.stderr), "muxftp: ls /sub: the server says no: 550 not that\n");
    assert_eq!(text(&output.stdout), "/\n");
}
