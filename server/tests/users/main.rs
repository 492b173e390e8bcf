//! `muxftpd user` as people call it: what it asks, prints and refuses, and what becomes of the file.

#![allow(clippy::unwrap_used, reason = "clippy.toml allows it in test functions, but not in their helpers")]

mod terminal;

use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use muxftp_server::users::{UserStore, Users};

/// A directory to run `muxftpd user` in.
struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Place {
        Place(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    fn text(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }

    fn command(&self, line: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_muxftpd"));
        command.args(line).current_dir(self.0.path()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Runs it with `input` on standard input.
    fn run(&self, line: &[&str], input: &[u8]) -> Output {
        let mut child = self.command(line).stdin(Stdio::piped()).spawn().expect("the program runs");
        // It may end without reading: then the pipe is broken.
        let _ = child.stdin.take().expect("piped").write_all(input);
        child.wait_with_output().expect("it ends")
    }

    fn done(&self, line: &[&str], input: &[u8]) -> String {
        let output = self.run(line, input);
        assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), String::new()), "{line:?}");
        text(&output.stdout)
    }

    /// Exit code and standard error of what did not work.
    fn failed(&self, line: &[&str], input: &[u8]) -> (i32, String) {
        let output = self.run(line, input);
        assert_eq!(text(&output.stdout), "", "{line:?}");
        (output.status.code().expect("not killed"), text(&output.stderr))
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

const ADD_ALICE: &[&str] = &["user", "add", "alice", "--root", "/srv/alice"];

#[test]
fn a_user_is_added_listed_changed_and_removed() {
    let place = Place::new();
    let said = place.done(ADD_ALICE, b"secret\n");
    assert!(
        said == "added `alice` to muxftpd-users.toml\nto serve these users: muxftpd --users muxftpd-users.toml\n",
        "{said}"
    );
    let limits = ["--permissions", "read,write", "--quota-bytes", "10 GiB", "--quota-files", "7", "--rate-up", "1 MiB"];
    let more = ["--rate-down", "1500", "--sessions", "2", "--from", "192.0.2.0/24", "--from", "::1"];
    let said = place.done(&[&["user", "add", "bob", "--root", "homes/bob"], &limits[..], &more].concat(), b"x\r\n");
    assert!(said.starts_with("added `bob` to muxftpd-users.toml\n"), "{said}");
    place.done(&["user", "add", "carol", "--root", "/", "--permissions", "read-only"], b"y");

    let home = place.0.path().canonicalize().unwrap().join("homes/bob").display().to_string();
    let wide = home.len();
    let expected = format!(
        "NAME   {:wide$}  PERMISSIONS  LIMITS\n\
         alice  {:wide$}  all          none\n\
         bob    {home}  read,write   10 GiB, 7 files, up 1 MiB/s, down 1500 B/s, 2 sessions, from 192.0.2.0/24, from ::1\n\
         carol  {:wide$}  read-only    none\n",
        "ROOT", "/srv/alice", "/"
    );
    assert_eq!(place.done(&["user", "list"], b""), expected);

    let store = UserStore::open(place.path("muxftpd-users.toml")).unwrap();
    assert!(store.check(b"alice", b"secret").is_some());
    assert!(store.check(b"bob", b"x").is_some(), "the end of the line is not part of the password");
    assert_eq!(place.done(&["user", "passwd", "alice"], b"better\n"), "`alice` has a new password\n");
    assert!(store.check(b"alice", b"secret").is_none() && store.check(b"alice", b"better").is_some());

    let said = place.done(&["user", "remove", "alice"], b"");
    assert!(said.starts_with("removed `alice` from muxftpd-users.toml"), "{said}");
    assert!(store.check(b"alice", b"better").is_none());
    assert!(!place.done(&["user", "list"], b"").contains("alice"));
}

#[test]
fn the_file_is_private_and_never_has_a_password_in_clear() {
    let place = Place::new();
    place.done(ADD_ALICE, b"open sesame\n");
    let mode = place.path("muxftpd-users.toml").metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o600);
    let text = place.text("muxftpd-users.toml");
    assert!(text.contains("password = \"$argon2id$v=19$m=19456,t=2,p=1$") && !text.contains("sesame"), "{text}");
    assert!(!place.done(&["user", "list"], b"").contains("argon2"));
}

#[test]
fn comments_and_order_stay() {
    let place = Place::new();
    place.done(ADD_ALICE, b"secret\n");
    let before = format!("# The users.\n\n# Second floor.\n{}# The end.\n", place.text("muxftpd-users.toml"));
    place.write("muxftpd-users.toml", &before);
    place.done(&["user", "add", "bob", "--root", "/srv/bob"], b"secret\n");
    place.done(&["user", "passwd", "bob"], b"other\n");
    assert_ne!(place.text("muxftpd-users.toml"), before);
    place.done(&["user", "remove", "bob"], b"");
    assert_eq!(place.text("muxftpd-users.toml"), before);
}

#[test]
fn users_added_at_once_are_all_there() {
    let place = Place::new();
    let names: Vec<_> = (0..6).map(|index| format!("user{index}")).collect();
    let children: Vec<_> = names
        .iter()
        .map(|name| {
            let mut command = place.command(&["user", "add", name, "--root", "/srv"]);
            let mut child = command.stdin(Stdio::piped()).spawn().expect("the program runs");
            child.stdin.take().expect("piped").write_all(b"secret\n").unwrap();
            child
        })
        .collect();
    for child in children {
        assert!(child.wait_with_output().expect("it ends").status.success());
    }
    let users = Users::load(&place.path("muxftpd-users.toml")).unwrap();
    let found: Vec<_> = users.iter().map(|user| user.name.clone()).collect();
    assert_eq!(found, names);
}

#[test]
fn the_file_is_the_one_of_flags_then_configuration() {
    let place = Place::new();
    std::fs::create_dir(place.path("etc")).unwrap();
    place.write("etc/m.toml", "users = \"team.toml\"\n");
    place.done(&[ADD_ALICE, &["--config", "etc/m.toml"]].concat(), b"secret\n");
    assert!(place.path("etc/team.toml").exists(), "beside the configuration that names it");
    place.done(&["user", "--users", "own.toml", "add", "bob", "--root", "/srv"], b"secret\n");
    for line in [
        &["user", "list", "--config", "etc/m.toml"][..],
        &["--config", "etc/m.toml", "user", "list"],
        &["user", "--users", "etc/team.toml", "list"],
        &["--users", "etc/team.toml", "user", "list"],
    ] {
        assert!(place.done(line, b"").contains("alice"), "{line:?}");
    }
    let shown = place.done(&["check-config", "--config", "etc/m.toml"], b"");
    assert!(shown.contains("users = \"etc/team.toml\"\n"), "{shown}");
    place.write("etc/m.toml", "usres = 1\n");
    let (code, said) = place.failed(&["user", "list", "--config", "etc/m.toml"], b"");
    assert!(code == 2 && said.contains("did you mean `users`?"), "{code} {said}");
}

#[test]
fn what_cannot_be_done_ends_with_1_and_changes_nothing() {
    let place = Place::new();
    place.done(ADD_ALICE, b"secret\n");
    let before = place.text("muxftpd-users.toml");
    let too_long = [b'x'; 513];
    for (line, input, hint) in [
        (ADD_ALICE, &b"secret\n"[..], "there is a user `alice` already"),
        (&["user", "passwd", "alcie"], b"x\n", "there is no user `alcie`; did you mean `alice`?"),
        (&["user", "remove", "bob"], b"", "there is no user `bob`"),
        (&["user", "passwd", "alice"], b"\n", "an empty password is none"),
        (&["user", "passwd", "alice"], b"", "an empty password is none"),
        (&["user", "passwd", "alice"], &too_long, "at most 512 bytes"),
        (&["user", "list", "--users", "none.toml"], b"", "cannot read the users in `none.toml`"),
        (&["user", "remove", "x", "--users", "none.toml"], b"", "`none.toml`"),
        (
            &["user", "add", "x", "--root", "/", "--users", "no/dir.toml"],
            b"x\n",
            "cannot open the users' file `no/dir.toml`",
        ),
    ] {
        let (code, said) = place.failed(line, input);
        assert_eq!(code, 1, "{line:?}: {said}");
        assert!(said.starts_with("error: ") && said.contains(hint), "{line:?}: {said}");
    }
    assert_eq!(place.text("muxftpd-users.toml"), before);
    let names: Vec<_> = std::fs::read_dir(place.0.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["muxftpd-users.toml"], "nothing is left behind");
}

#[test]
fn a_wrong_command_line_ends_with_2() {
    let place = Place::new();
    for (line, hint) in [
        (&["user"][..], "Usage:"),
        (&["user", "add", "alice"], "Add --root DIR"),
        (&["user", "add", "ftp", "--root", "/"], "is the guest"),
        (&["user", "add", "a\nb", "--root", "/"], "letters, digits and"),
        (&["user", "add", "alice", "--root", "/", "--permissions", "raed"], "did you mean `read`?"),
        (&["user", "add", "alice", "--root", "/", "--quota-bytes", "10 gigs"], "GiB"),
        (&["user", "add", "alice", "--root", "/", "--quota-files", "0"], "1.."),
        (&["user", "add", "alice", "--root", "/", "--sessions", "0"], "1.."),
        (&["user", "add", "alice", "--root", "/", "--from", "10.0.0.0/33"], "10.0.0.0/33"),
        (&["user", "delete", "alice"], "unrecognized subcommand"),
    ] {
        let (code, said) = place.failed(line, b"secret\n");
        assert!(code == 2 && said.contains(hint), "{line:?}: {code} {said}");
    }
    assert_eq!(std::fs::read_dir(place.0.path()).unwrap().count(), 0);
}

#[test]
fn a_file_that_is_wrong_is_shown_with_its_places_and_not_edited() {
    let place = Place::new();
    let wrong = "[[user]]\nname = \"alice\"\npasword = \"x\"\nroot = \"/srv\"\n";
    place.write("muxftpd-users.toml", wrong);
    for line in [&["user", "list"][..], &["user", "add", "bob", "--root", "/"], &["user", "remove", "alice"]] {
        let (code, said) = place.failed(line, b"secret\n");
        assert_eq!(code, 1, "{line:?}");
        assert!(
            said.contains("muxftpd-users.toml:3:1: unknown key `user.pasword`; did you mean `password`?"),
            "{said}"
        );
        assert!(said.contains("muxftpd-users.toml:1:1: a user needs"), "{said}");
    }
    assert_eq!(place.text("muxftpd-users.toml"), wrong);
}
