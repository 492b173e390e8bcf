//! muxftpd as a process of its own, in a directory of its own.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tempfile::TempDir;

/// Where servers and users live. What is served is in `files`, the settings beside it.
pub struct Place {
    here: TempDir,
}

/// A running server, killed when it is dropped.
pub struct Server {
    child: Child,
    log: Arc<Mutex<Vec<String>>>,
}

impl Place {
    pub fn new() -> Place {
        let place = Place { here: tempfile::tempdir().unwrap() };
        let fsync = "[files]\ndurability = \"fsync\"\n";
        for (name, text) in [("users.toml", ""), ("none.toml", ""), ("fsync.toml", fsync)] {
            std::fs::write(place.here.path().join(name), text).unwrap();
        }
        std::fs::create_dir(place.files()).unwrap();
        place
    }

    /// A directory, made if it is missing.
    pub fn dir(&self, name: &str) -> PathBuf {
        let dir = self.files().join(name);
        std::fs::create_dir_all(&dir).unwrap();
        dir
    }

    /// A user whose password is the name and `-pw`.
    pub fn user(&self, name: &str, root: &str, options: &[&str]) {
        let mut command = self.command(&["user", "add", name, "--root", root, "--users", "../users.toml"]);
        let mut child = command.args(options).stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        std::io::Write::write_all(&mut child.stdin.take().unwrap(), format!("{name}-pw\n").as_bytes()).unwrap();
        assert!(child.wait().unwrap().success());
    }

    /// Starts a server of `ftp`, and of further listeners.
    pub fn start(&self, options: &[&str], listen: &[&str]) -> Server {
        let mut command = self.command(&["--guest", "read-write", "--users", "../users.toml", "--log-level", "info"]);
        for listener in [&["ftp://127.0.0.1:0"], listen].concat() {
            command.args(["--listen", listener]);
        }
        let mut child = command.args(options).stderr(Stdio::piped()).spawn().unwrap();
        let log = Arc::new(Mutex::new(Vec::new()));
        let (lines, kept) = (BufReader::new(child.stderr.take().unwrap()).lines(), Arc::clone(&log));
        std::thread::spawn(move || lines.map_while(Result::ok).for_each(|line| kept.lock().unwrap().push(line)));
        Server { child, log }
    }

    fn files(&self) -> PathBuf {
        self.here.path().join("files")
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_muxftpd"));
        command.current_dir(self.files()).args(arguments);
        command
    }
}

impl Server {
    /// Where the listener of a dialect is, once it is there.
    pub fn address(&self, dialect: &str) -> SocketAddr {
        let line = self.wait_for_log(&format!("listening dialect={dialect} address="));
        line.split("address=").nth(1).unwrap().split(' ').next().unwrap().parse().unwrap()
    }

    /// The first line of the log that holds this text.
    pub fn wait_for_log(&self, text: &str) -> String {
        let find = || self.log.lock().unwrap().iter().find(|line| line.contains(text)).cloned();
        wait_until(|| find().is_some() || self.log.lock().unwrap().iter().any(|line| line.contains("error: ")));
        find().unwrap_or_else(|| panic!("{}", self.log()))
    }

    /// All of the log.
    pub fn log(&self) -> String {
        self.log.lock().unwrap().join("\n")
    }

    /// As `kill -9`.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// All temporaries below a directory.
pub fn leftovers(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(leftovers(&path));
        } else if entry.file_name().to_string_lossy().starts_with(".muxftp-") {
            found.push(path);
        }
    }
    found
}

/// Polls for what another process brings about; fails when it never comes.
pub fn wait_until(condition: impl Fn() -> bool) {
    for _ in 0..6000 {
        if condition() {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("it never came");
}
