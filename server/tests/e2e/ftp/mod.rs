//! The dialect `ftp` over real sockets, by a client that is written from its RFCs alone.

pub mod client;
mod connections;
mod escape;
mod half_closed;
mod hanging;
mod limits;
mod logins;
mod names;
mod public_address;
mod reload;
mod rights;
mod sharing;
mod storage;
mod tls;
mod transfers;
mod unclosed;
mod users;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use muxftp_proto::Dialect;
use muxftp_server::Config;
use tempfile::TempDir;

use crate::support::TestServer;

/// A server of `ftp` with a guest who may do all.
fn server() -> TestServer {
    server_with(|_| {})
}

pub fn server_with(change: impl FnOnce(&mut Config)) -> TestServer {
    TestServer::with(|config| {
        config.listen[0].dialect = Dialect::Ftp;
        change(config);
    })
}

/// Users with a directory each, in a file that `muxftpd user` writes.
struct People {
    here: TempDir,
}

impl People {
    /// Nobody yet.
    fn none() -> People {
        let people = People { here: tempfile::tempdir().unwrap() };
        std::fs::write(people.file(), "").unwrap();
        people
    }

    fn file(&self) -> PathBuf {
        self.here.path().join("users.toml")
    }

    /// The directory of a user.
    fn root(&self, name: &str) -> PathBuf {
        self.here.path().join(name)
    }

    /// A user whose password is the name with `-pw` behind it.
    fn add(&self, name: &str, options: &[&str]) {
        let root = self.root(name);
        std::fs::create_dir_all(&root).unwrap();
        let root = root.to_str().unwrap();
        self.run(&[&["add", name, "--root", root], options].concat(), &format!("{name}-pw"));
    }

    /// Runs `muxftpd user …` with the password at its input.
    fn run(&self, arguments: &[&str], password: &str) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_muxftpd"));
        command.arg("user").args(arguments).arg("--users").arg(self.file());
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        // One that asks for no password may have ended already.
        let _ = child.stdin.take().unwrap().write_all(format!("{password}\n").as_bytes());
        assert!(child.wait().unwrap().success(), "{arguments:?}");
    }

    fn server(&self, change: impl FnOnce(&mut Config)) -> TestServer {
        server_with(|config| {
            config.users = Some(self.file());
            change(config);
        })
    }
}

/// All names in a directory.
fn names(directory: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(directory).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}
