//! The target of a run that names none: a muxftpd in a process of its own, which is this executable started again.
//!
//! Invariants:
//! - the server ends when its starter does, however that ends: it watches its standard input;
//! - the server removes its root, so nothing is left even when the starter was killed;
//! - a Ctrl-C at the terminal goes to the starter only: the server has a process group of its own.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::SocketAddr;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

use muxftp_server::config::{LevelFilter, Log};
use muxftp_server::{Config, PortRange, Server, log};
use rustix::process::{Signal, getpid, kill_process};
use serde::{Deserialize, Serialize};

use crate::args::EmbeddedServerArgs;

/// A server that was started for a run. Dropping it ends it.
#[derive(Debug)]
pub struct Embedded {
    child: Child,
    /// Its end is the server's sign to end.
    stdin: Option<ChildStdin>,
    ready: Ready,
}

/// What the server says when it listens, as one line of JSON.
#[derive(Debug, Serialize, Deserialize)]
struct Ready {
    address: SocketAddr,
    root: PathBuf,
}

impl Embedded {
    /// Starts a server and waits until it listens.
    ///
    /// # Errors
    /// It could not be started, or ended at once; in words.
    pub fn start() -> Result<Embedded, String> {
        let program = std::env::current_exe().map_err(|error| format!("cannot find this program's file: {error}"))?;
        let mut child = Command::new(program)
            .arg("embedded-server")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .process_group(0)
            .spawn()
            .map_err(|error| format!("cannot start the embedded server: {error}"))?;
        let stdin = child.stdin.take();
        let mut line = String::new();
        let read = match child.stdout.take() {
            Some(stdout) => BufReader::new(stdout).read_line(&mut line),
            None => Ok(0),
        };
        match read.ok().and_then(|_| serde_json::from_str(&line).ok()) {
            Some(ready) => Ok(Embedded { child, stdin, ready }),
            None => {
                drop(stdin);
                let status = child.wait().map_or_else(|error| error.to_string(), |status| status.to_string());
                Err(format!("the embedded server did not start ({status})"))
            }
        }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.ready.address
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The directory that it serves.
    pub fn root(&self) -> &Path {
        &self.ready.root
    }

    /// Why it is not running any more, if it is not.
    pub fn ended(&mut self) -> Option<String> {
        match self.child.try_wait() {
            Ok(None) => None,
            Ok(Some(status)) => Some(format!("the embedded server has ended ({status})")),
            Err(error) => Some(format!("the embedded server cannot be seen any more: {error}")),
        }
    }
}

impl Drop for Embedded {
    fn drop(&mut self) {
        self.stdin = None;
        let deadline = Instant::now() + END_WITHIN;
        while matches!(self.child.try_wait(), Ok(None)) {
            if Instant::now() > deadline {
                // It hangs.
                let _ = self.child.kill();
                let _ = self.child.wait();
                break;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        // Gone already, unless the server was killed.
        let _ = std::fs::remove_dir_all(&self.ready.root);
    }
}

/// The other side: serves a temporary root until standard input ends. Gives the exit code of the process.
pub fn serve(_args: &EmbeddedServerArgs) -> u8 {
    match serve_root() {
        Ok(()) => 0,
        Err(message) => {
            eprintln!("loadgen: embedded server: {message}");
            3
        }
    }
}

fn serve_root() -> Result<(), String> {
    let root = TemporaryRoot::new().map_err(|error| format!("no temporary directory: {error}"))?;
    let config = Config::embedded(root.path.clone(), data_ports());
    // What goes wrong is told; a line per transfer would cost what is measured.
    let _log = log::init(Log { level: LevelFilter::WARN, ..config.log });
    let mut server = Server::start(&config).map_err(|error| error.to_string())?;
    server.watch_signals().map_err(|error| error.to_string())?;
    let addresses = server.addresses().map_err(|error| error.to_string())?;
    let address = addresses.first().ok_or("no listener")?.1;
    say_ready(&Ready { address, root: root.path.clone() }).map_err(|error| error.to_string())?;
    end_with_standard_input();
    server.run().map_err(|error| error.to_string())
}

/// A range of its own, beside the defaults of servers and below the system's own choice for clients.
fn data_ports() -> PortRange {
    PortRange::new(22_000, 31_999).expect("0 is not in it, and it rises")
}

fn say_ready(ready: &Ready) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    serde_json::to_writer(&mut stdout, ready)?;
    stdout.write_all(b"\n")?;
    stdout.flush()
}

/// Ends this process as SIGTERM does once standard input ends.
fn end_with_standard_input() {
    std::thread::spawn(|| {
        let _ = io::stdin().lock().read_to_end(&mut Vec::new());
        // Nothing is under way any more: the starter has let go of its sessions, or is gone.
        let _ = kill_process(getpid(), Signal::TERM);
    });
}

/// A directory that is removed with all that is in it.
struct TemporaryRoot {
    path: PathBuf,
}

impl TemporaryRoot {
    fn new() -> io::Result<TemporaryRoot> {
        let path =
            std::env::temp_dir().join(format!("muxftp-loadgen-{}-{:08x}", std::process::id(), rand::random::<u32>()));
        std::fs::create_dir(&path)?;
        Ok(TemporaryRoot { path })
    }
}

impl Drop for TemporaryRoot {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.path);
    }
}

/// Longer than the server gives its transfers.
const END_WITHIN: Duration = Duration::from_secs(15);
