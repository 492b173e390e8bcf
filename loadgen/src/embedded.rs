//! The target of a run that names none: a muxftpd in a process of its own, which is this executable started again.
//!
//! Invariants:
//! - the server ends when its starter does, however that ends: it watches its standard input;
//! - the server removes its root, so nothing is left even when the starter was killed;
//! - a Ctrl-C at the terminal goes to the starter only: the server has a process group of its own.

use std::fs::{self, Permissions};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

use clap::ValueEnum as _;
use muxftp_proto::Dialect;
use muxftp_server::config::{LevelFilter, Log, TlsMode, TlsSettings};
use muxftp_server::{Config, PortRange, Server, log};
use rustix::process::{Signal, getpid, kill_process};
use serde::{Deserialize, Serialize};

use crate::args::{EmbeddedServerArgs, EmbeddedTls};

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
    /// A file in PEM; it is its own authority.
    certificate: Option<PathBuf>,
}

impl Embedded {
    /// Starts a server and waits until it listens.
    ///
    /// # Errors
    /// It could not be started, or ended at once; in words.
    pub fn start(ftp: Option<EmbeddedTls>) -> Result<Embedded, String> {
        let program = std::env::current_exe().map_err(|error| format!("cannot find this program's file: {error}"))?;
        let mut command = Command::new(program);
        command.arg("embedded-server");
        if let Some(word) = ftp.and_then(|tls| tls.to_possible_value()) {
            command.arg("--ftp").arg(word.get_name());
        }
        let mut child = command
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

    /// The file of its certificate, when it speaks TLS.
    pub fn certificate(&self) -> Option<&Path> {
        self.ready.certificate.as_deref()
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
pub fn serve(args: &EmbeddedServerArgs) -> u8 {
    match serve_root(args.ftp) {
        Ok(()) => 0,
        Err(message) => {
            eprintln!("loadgen: embedded server: {message}");
            3
        }
    }
}

fn serve_root(ftp: Option<EmbeddedTls>) -> Result<(), String> {
    let root = TemporaryRoot::new().map_err(|error| format!("no temporary directory: {error}"))?;
    let mut config = Config::embedded(root.path.clone(), data_ports());
    let identity = match ftp {
        None => None,
        Some(tls) => speak_ftp(&mut config, tls)?,
    };
    // What goes wrong is told; a line per transfer would cost what is measured.
    let _log = log::init(Log { level: LevelFilter::WARN, ..config.log }).map_err(|error| error.to_string())?;
    let mut server = Server::start(&config).map_err(|error| error.to_string())?;
    let certificate = identity.as_ref().map(|identity| identity.certificate.clone());
    server.watch_signals().map_err(|error| error.to_string())?;
    let addresses = server.addresses().map_err(|error| error.to_string())?;
    let address = addresses.first().ok_or("no listener")?.1;
    say_ready(&Ready { address, root: root.path.clone(), certificate }).map_err(|error| error.to_string())?;
    end_with_standard_input();
    server.run().map_err(|error| error.to_string())
}

/// The certificate of the embedded server, and the directory that holds it for both sides to read.
struct Identity {
    certificate: PathBuf,
    _directory: TemporaryRoot,
}

/// Makes the one listener speak `ftp`.
fn speak_ftp(config: &mut Config, tls: EmbeddedTls) -> Result<Option<Identity>, String> {
    let listen = config.listen.first_mut().ok_or("no listener")?;
    listen.dialect = Dialect::Ftp;
    listen.tls = match tls {
        EmbeddedTls::Off => TlsMode::Off,
        EmbeddedTls::Required => TlsMode::Required,
        EmbeddedTls::Implicit => TlsMode::Implicit,
    };
    if tls == EmbeddedTls::Off {
        return Ok(None);
    }
    let made = rcgen::generate_simple_self_signed([listen.address.ip().to_string()])
        .map_err(|error| format!("no certificate: {error}"))?;
    let directory = TemporaryRoot::new().map_err(|error| format!("no temporary directory: {error}"))?;
    let (certificate, key) = (directory.path.join("certificate.pem"), directory.path.join("key.pem"));
    let write = |path: &Path, text: &str| fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()));
    write(&certificate, &made.cert.pem())?;
    write(&key, &made.signing_key.serialize_pem())?;
    fs::set_permissions(&key, Permissions::from_mode(0o600)).map_err(|error| format!("{}: {error}", key.display()))?;
    config.tls = Some(TlsSettings::new(certificate.clone(), key));
    Ok(Some(Identity { certificate, _directory: directory }))
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
