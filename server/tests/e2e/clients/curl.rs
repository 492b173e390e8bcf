//! curl: every way that it has to agree on a data connection, to name a directory, and to go on where it stopped.

use std::path::Path;
use std::process::Command;

use super::{HUGE, HUGE_END, program, put_huge, put_many, run, server, told};
use crate::support::{TestServer, noise};

fn curl(directory: &Path) -> Option<Command> {
    let mut command = program("curl", directory)?;
    command.args(["-sS", "--globoff"]);
    Some(command)
}

fn url(server: &TestServer, path: &str) -> String {
    format!("ftp://{}/{path}", server.address)
}

/// Runs curl with these arguments; gives what it has fetched.
fn fetch(server: &TestServer, arguments: &[&str], path: &str) -> Option<String> {
    Some(run(curl(server.path())?.args(arguments).arg(url(server, path))))
}

#[test]
fn files_come_and_go_by_every_kind_of_data_connection() {
    let server = server();
    let here = tempfile::tempdir().unwrap();
    let content = noise(7, 123_456);
    std::fs::write(here.path().join("up"), &content).unwrap();
    let kinds: [&[&str]; 4] = [&[], &["--disable-epsv"], &["--ftp-port", "-"], &["--ftp-port", "-", "--disable-eprt"]];
    for (index, kind) in kinds.into_iter().enumerate() {
        let name = format!("came {index}");
        let there = url(&server, &name.replace(' ', "%20"));
        let Some(mut up) = curl(here.path()) else { return };
        run(up.args(kind).args(["-T", "up", &there]));
        assert_eq!(server.file(&name).unwrap(), content, "{kind:?}");
        run(curl(here.path()).unwrap().args(kind).args(["-o", "down", &there]));
        assert_eq!(std::fs::read(here.path().join("down")).unwrap(), content, "{kind:?}");
    }
}

#[test]
fn names_of_all_kinds_survive() {
    let server = server();
    for (path, content) in [
        ("with%20blanks%20in%20it.txt", "blanks\n"),
        ("gr%C3%BCn%20%E2%80%93%20%E6%BC%A2%E5%AD%97.txt", "UTF-8\n"),
        ("empty", ""),
        ("tree/sub%20dir/deep/%C3%BC", ""),
    ] {
        for method in ["multicwd", "singlecwd", "nocwd"] {
            let Some(fetched) = fetch(&server, &["--ftp-method", method], path) else { return };
            assert_eq!(fetched, content, "{path} by {method}");
        }
    }
}

#[test]
fn transfers_go_on_where_they_stopped() {
    let server = server();
    let here = tempfile::tempdir().unwrap();
    let whole = server.file("plain.bin").unwrap();
    std::fs::write(here.path().join("part"), &whole[..100_001]).unwrap();
    let Some(mut down) = curl(here.path()) else { return };
    run(down.args(["-C", "-", "-o", "part", &url(&server, "plain.bin")]));
    assert_eq!(std::fs::read(here.path().join("part")).unwrap(), whole);
    std::fs::write(here.path().join("plain.bin"), &whole).unwrap();
    server.put_file("part", &whole[..70_003]);
    run(curl(here.path()).unwrap().args(["-C", "-", "-T", "plain.bin", &url(&server, "part")]));
    assert_eq!(server.file("part").unwrap(), whole);
    run(curl(here.path()).unwrap().args(["--append", "-T", "plain.bin", &url(&server, "part")]));
    assert_eq!(server.file("part").unwrap(), [&whole[..], &whole].concat());
    run(curl(here.path()).unwrap().args(["-r", "5-9", "-o", "range", &url(&server, "plain.bin")]));
    assert_eq!(std::fs::read(here.path().join("range")).unwrap(), whole[5..10]);
}

#[test]
fn sizes_beyond_32_bits_are_told_and_reached() {
    let server = server();
    put_huge(&server);
    let Some(head) = fetch(&server, &["-I"], "huge") else { return };
    assert!(head.contains(&format!("Content-Length: {HUGE}")), "{head}");
    let from = (HUGE - HUGE_END.len() as u64).to_string();
    assert_eq!(fetch(&server, &["-C", &from], "huge").unwrap().as_bytes(), HUGE_END);
}

#[test]
fn directories_are_made_listed_and_removed() {
    let server = server();
    put_many(&server);
    let Some(names) = fetch(&server, &["-l"], "many/") else { return };
    assert_eq!(names.lines().count(), 5000);
    assert!(names.lines().is_sorted() && names.starts_with("file 0000\n"), "{}", &names[..40]);
    let long = fetch(&server, &[], "many/").unwrap();
    assert!(long.lines().all(|line| line.starts_with("-rw") && line.contains(" file ")));
    let here = tempfile::tempdir().unwrap();
    std::fs::write(here.path().join("up"), b"x").unwrap();
    run(curl(here.path()).unwrap().args(["--ftp-create-dirs", "-T", "up", &url(&server, "new/deep/up")]));
    assert_eq!(server.file("new/deep/up").unwrap(), b"x");
    let quotes = ["-Q", "RNFR new/deep/up", "-Q", "RNTO new/moved", "-Q", "RMD new/deep", "-Q", "-DELE new/moved"];
    fetch(&server, &quotes, "empty").unwrap();
    assert!(server.path().join("new").read_dir().unwrap().next().is_none());
}

#[test]
fn text_is_converted_both_ways() {
    let server = server();
    let Some(text) = fetch(&server, &["--use-ascii"], "lines.txt") else { return };
    // On this system curl converts it back.
    assert_eq!(text, "one\ntwo\n\nthree");
    let here = tempfile::tempdir().unwrap();
    std::fs::write(here.path().join("up"), "a\nb\n").unwrap();
    run(curl(here.path()).unwrap().args(["--use-ascii", "--crlf", "-T", "up", &url(&server, "text")]));
    assert_eq!(server.file("text").unwrap(), b"a\nb\n");
}

#[test]
fn errors_are_told_in_numbers_that_curl_knows() {
    let server = server();
    let failing: [(&[&str], &str, i32); 5] = [
        (&[], "nope", 78),
        (&[], "nope/file", 9),
        (&["-u", "nobody:wrong"], "empty", 67),
        (&["-T", "empty"], "tree", 25),
        (&["-Q", "DELE nope"], "empty", 21),
    ];
    for (arguments, path, code) in failing {
        let Some(mut command) = curl(server.path()) else { return };
        let output = command.args(arguments).arg(url(&server, path)).output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{arguments:?} {path}: {}", told(&output));
    }
    assert!(server.path().join("tree/a").exists(), "a directory is not replaced");
}
