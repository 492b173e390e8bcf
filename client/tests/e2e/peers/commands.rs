//! Every command, at the prompt and without it, passive and active.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::{SystemTime, UNIX_EPOCH};

use muxftp_proto::representation::listed::{ListedKind, parse_long};

use super::{PeerServer, Program, with_each};
use crate::support::{feed, names, text};

#[test]
fn every_command_of_the_prompt_does_its_work() {
    with_each(None, |server| {
        for mode in [&[][..], &["--active"]] {
            prompt(&server, mode);
        }
    });
}

fn prompt(server: &PeerServer, mode: &[&str]) {
    let here = tempfile::tempdir().unwrap();
    for name in ["-a b", "x1.txt", "x 2.txt", "y"] {
        fs::write(here.path().join(name), name.repeat(1000)).unwrap();
    }
    fs::create_dir(here.path().join("down")).unwrap();
    let chmod = if server.program() == Program::Vsftpd { "" } else { "CHMOD 600 c" };
    let script = format!(
        "MKDIR 'd e' gone\nCD 'd e'\nPWD\nSTORE -- '-a b'\nsize '-a b'\nmv '-a b' c\n{chmod}\nmput 'x*.txt'\nput y z\n\
         ls -l\nrm z\ncd ..\nrmdir gone\nnoop\nquote SYST\nLIST 'd e'\nlcd down\nRETRIEVE 'd e/c' back\n\
         get 'd e/c' -\nmget 'd e/x*'\ncd 'd e'\nls\nQUIT\n"
    );
    let output = feed(server.muxftp(here.path(), &[&[&*server.url("")], mode].concat()), script.as_bytes());
    server.assert_good(&output);
    let shown = text(&output.stdout);
    assert!(shown.contains("/d e\n") && shown.contains("\n4000\n") && shown.contains("\n215 "), "{server}: {shown}");
    // As the server lists them: in some order, and by pure-ftpd with `.` and `..`; LIST of a directory with it or without.
    for name in ["c", "x 2.txt", "x1.txt"] {
        let lines = shown.lines().filter(|line| line.strip_prefix("d e/").unwrap_or(line) == name);
        assert_eq!(lines.count(), 2, "{server}: {name}: {shown}");
    }
    assert!(shown.contains(&"-a b".repeat(1000)), "{server}");
    assert_eq!(names(&server.root()), ["d e"], "{server}");
    assert_eq!(names(&server.root().join("d e")), ["c", "x 2.txt", "x1.txt"], "{server}");
    let rights = fs::metadata(server.root().join("d e/c")).unwrap().permissions().mode() & 0o777;
    assert_eq!(rights, if chmod.is_empty() { 0o644 } else { 0o600 }, "{server}");
    assert_eq!(names(&here.path().join("down")), ["back", "x 2.txt", "x1.txt"], "{server}");
    assert_eq!(fs::read(here.path().join("down/back")).unwrap(), "-a b".repeat(1000).as_bytes(), "{server}");
    fs::remove_dir_all(server.root().join("d e")).unwrap();
}

#[test]
fn every_command_works_without_a_prompt() {
    with_each(None, |server| {
        let here = tempfile::tempdir().unwrap();
        for name in ["a 1", "a2", "b"] {
            fs::write(here.path().join(name), name.repeat(50_000)).unwrap();
        }
        fs::create_dir(here.path().join("down")).unwrap();
        let url = |path: &str| server.url(path);
        let run = |args: &[&str]| server.run(here.path(), args);
        run(&["mkdir", &url("d"), &url("gone")]);
        run(&["rmdir", &url("gone")]);
        run(&["put", "b", &url("d/new%20name")]);
        run(&["mput", "a*", &url("d/")]);
        run(&["put", "--active", "b", "a2", &url("")]);
        assert_eq!(run(&["size", &url("d/a2"), &url("b")]), "100000\n50000\n", "{server}");
        run(&["mv", &url("d/a2"), "d/a3"]);
        run(&["rm", &url("a2"), &url("b")]);
        if server.program() != Program::Vsftpd {
            run(&["chmod", "640", &url("d/a3")]);
        }
        let shown = run(&["ls", &url("d")]);
        let listed: BTreeSet<_> = shown.lines().map(|name| name.strip_prefix("d/").unwrap_or(name)).collect();
        assert_eq!(&listed - &BTreeSet::from([".", ".."]), BTreeSet::from(["a 1", "a3", "new name"]), "{server}");
        run(&["get", &url("d/new%20name"), &url("d/a3"), "-o", "down"]);
        run(&["mget", &url("d/a*"), "-o", "down"]);
        assert_eq!(names(&here.path().join("down")), ["a 1", "a3", "new name"], "{server}");
        assert_eq!(fs::read(here.path().join("down/a3")).unwrap(), "a2".repeat(50_000).as_bytes(), "{server}");
        assert_eq!(run(&["get", "--active", &url("d/a3"), "-o", "-"]), "a2".repeat(50_000), "{server}");
        let output = server.muxftp(here.path(), &["get", &url("nothing")]).output().unwrap();
        let told = text(&output.stderr);
        assert!(told.starts_with("muxftp: get nothing: the server says no: 550 "), "{server}: {told}");
        assert_eq!((output.status.code(), told.lines().count()), (Some(1), 1), "{server}: {told}");
    });
}

#[test]
fn long_listings_are_read_as_they_were_meant() {
    with_each(None, |server| {
        let here = tempfile::tempdir().unwrap();
        let root = server.root();
        for (name, size) in
            [(" two  blanks", 0), ("-> arrow", 5), ("grün ☃", 1 << 33), ("a -> b", 17), ("12 Jan 2020", 1)]
        {
            fs::File::create(root.join(name)).unwrap().set_len(size).unwrap();
        }
        let old = UNIX_EPOCH + std::time::Duration::from_secs(1_000_000_000);
        fs::File::open(root.join("a -> b")).unwrap().set_modified(old).unwrap();
        fs::create_dir(root.join("directory")).unwrap();
        std::os::unix::fs::symlink("directory", root.join("link")).unwrap();
        let shown = server.run(here.path(), &["ls", "-l", &server.url("")]);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() as i64;
        let mut read: Vec<_> = shown.lines().filter_map(|line| parse_long(line.as_bytes(), now)).collect();
        read.sort_by(|a, b| a.name.cmp(&b.name));
        let read: Vec<_> = read
            .iter()
            .filter(|entry| !entry.name.starts_with(b"."))
            .map(|entry| {
                let size = entry.size.filter(|_| entry.kind == ListedKind::File);
                (text(&entry.name), entry.kind, size)
            })
            .collect();
        let expected = [
            (" two  blanks", ListedKind::File, Some(0)),
            ("-> arrow", ListedKind::File, Some(5)),
            ("12 Jan 2020", ListedKind::File, Some(1)),
            ("a -> b", ListedKind::File, Some(17)),
            ("directory", ListedKind::Directory, None),
            ("grün ☃", ListedKind::File, Some(1 << 33)),
            ("link", ListedKind::Link, None),
        ];
        assert_eq!(read, expected, "{server}: {shown}");
    });
}
