//! Files that no client may reach: the server does not start while one could.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::{Log, Muxftpd};

/// The error of a server that does not start, and of `check-config`, with the same options.
fn refused(place: &Path, options: &[&str]) -> String {
    let run = |command: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_muxftpd"))
            .current_dir(place)
            .args(["--listen", "ftp://127.0.0.1:0"])
            .args(options)
            .args(command)
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(3), "{output:?}");
        let stderr = String::from_utf8(output.stderr).unwrap();
        stderr.lines().find(|line| line.starts_with("error: ")).unwrap_or_else(|| panic!("{stderr}")).to_owned()
    };
    let error = run(&[]);
    assert_eq!(error, run(&["check-config"]));
    error
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// Adds a user with the password `pw`.
fn add_user(place: &Path, name: &str, root: &str, file: &str) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_muxftpd"))
        .current_dir(place)
        .args(["user", "add", name, "--root", root, "--users", file])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), b"pw\n").unwrap();
    assert!(child.wait().unwrap().success());
}

#[test]
fn a_users_file_in_a_served_directory_stops_the_start() {
    let place = tempfile::tempdir().unwrap();
    add_user(place.path(), "alice", "alice", "users.toml");
    let error = refused(place.path(), &["--root", ".", "--users", "users.toml"]);
    assert!(error.contains("the users' file `users.toml` is inside `"), "{error}");
    assert!(error.contains("served to guests: move it out with `mv users.toml "), "{error}");
    add_user(place.path(), "admin", ".", "users.toml");
    let error = refused(place.path(), &["--root", "root", "--users", "users.toml"]);
    assert!(error.contains("served to the user `admin`"), "{error}");
}

#[test]
fn a_configuration_or_a_key_in_a_served_directory_stops_the_start() {
    let place = tempfile::tempdir().unwrap();
    fs::create_dir(place.path().join("root")).unwrap();
    fs::write(place.path().join("root/m.toml"), "").unwrap();
    let error = refused(place.path(), &["--root", "root", "--config", "root/m.toml"]);
    assert!(error.contains("the configuration file `root/m.toml` is inside `"), "{error}");
    let made = Command::new(env!("CARGO_BIN_EXE_muxftpd"))
        .args(["cert", "self-signed", "--out", "root"])
        .current_dir(place.path())
        .stdout(Stdio::null())
        .status()
        .unwrap();
    assert!(made.success());
    let options = ["--root", "root", "--tls-certificate", "root/cert.pem", "--tls-key", "root/key.pem"];
    let error = refused(place.path(), &options);
    assert!(error.contains("the private key of TLS `root/key.pem` is inside `"), "{error}");
}

#[test]
fn a_file_that_others_may_write_stops_the_start() {
    let place = tempfile::tempdir().unwrap();
    fs::write(place.path().join("m.toml"), "").unwrap();
    set_mode(&place.path().join("m.toml"), 0o666);
    let error = refused(place.path(), &["--config", "m.toml"]);
    assert!(error.contains("(mode 0666): `chmod go-w m.toml`"), "{error}");
    add_user(place.path(), "alice", "alice", "users.toml");
    set_mode(&place.path().join("users.toml"), 0o602);
    let error = refused(place.path(), &["--users", "users.toml"]);
    assert!(error.contains("the users' file `users.toml` can be written by others"), "{error}");
}

#[test]
fn a_user_added_later_cannot_log_in_to_a_directory_with_the_users_file() {
    let (log, stderr) = std::io::pipe().unwrap();
    let place = tempfile::tempdir().unwrap();
    fs::create_dir(place.path().join("etc")).unwrap();
    add_user(place.path(), "alice", "alice", "etc/users.toml");
    let server = Muxftpd::start_in(place, "ftp", &["--users", "etc/users.toml"], stderr, |command| command);
    add_user(server.place.path(), "evil", "etc", "etc/users.toml");
    fs::write(server.place.path().join("file"), "").unwrap();
    add_user(server.place.path(), "lost", "file/directory", "etc/users.toml");
    let mut log = Log::new(log);
    for (name, error) in [("evil", "is inside `"), ("lost", "Not a directory")] {
        let mut session = server.session();
        assert!(session.reply().starts_with("220 "));
        session.says(&format!("USER {name}"));
        assert_eq!(session.says("PASS pw"), "530 Home Directory Unavailable\r\n");
        let line = log.line_with("the user's directory cannot be served");
        assert!(line.contains(&format!("user=\"{name}\" path=\"")) && line.contains(error), "{line}");
    }
    let mut session = server.session();
    assert!(session.reply().starts_with("220 "));
    session.says("USER alice");
    assert!(session.says("PASS pw").starts_with("230 "));
}
