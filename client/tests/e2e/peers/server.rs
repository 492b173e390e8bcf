//! FTP servers of other people, as Debian packs them: vsftpd, pure-ftpd and pyftpdlib, each over a directory of its own.
//!
//! It must not know which program of ours is tested: the tests of `loadgen` take this file, too. A server that is not here
//! is left out with a word; with `CI` set that is a failure.
//!
//! Invariant: a server ends with its [`PeerServer`], and so do the processes that it made.

use std::fmt;
use std::fs::{self, File, Permissions};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use rcgen::{CertificateParams, KeyPair};
use rustix::process::{Pid, Signal, getuid, kill_process_group};
use tempfile::TempDir;

/// A server program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Program {
    /// Lists by LIST and NLST only; demands that data connections resume the session of the control connection.
    Vsftpd,
    /// Has MLSD; runs as root only.
    PureFtpd,
    /// Has MLSD.
    Pyftpdlib,
}

/// What is between us and it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wire {
    Plain,
    Explicit,
    Implicit,
}

/// Each server in each way that it knows.
pub const ALL: [(Program, Wire); 7] = [
    (Program::Vsftpd, Wire::Plain),
    (Program::Vsftpd, Wire::Explicit),
    (Program::Vsftpd, Wire::Implicit),
    (Program::PureFtpd, Wire::Plain),
    (Program::PureFtpd, Wire::Explicit),
    (Program::Pyftpdlib, Wire::Plain),
    (Program::Pyftpdlib, Wire::Explicit),
];

/// The user; vsftpd has only guests here: others would have to be users of this machine.
pub const USER: &str = "ann";
pub const PASSWORD: &str = "secret pw";

/// A running server.
pub struct PeerServer {
    launch: Launch,
    /// With the root below it.
    place: TempDir,
    port: u16,
    child: Child,
}

/// How one is started.
#[derive(Clone, Copy)]
struct Launch {
    program: Program,
    wire: Wire,
    host: Ipv4Addr,
    /// Bytes per second.
    rate: Option<u32>,
}

impl PeerServer {
    /// Starts one over an empty directory; `rate`: bytes per second that it moves at most. `None`: it is not here.
    pub fn start(program: Program, wire: Wire, rate: Option<u32>) -> Option<PeerServer> {
        program.find()?;
        let place = tempfile::tempdir().unwrap();
        // pure-ftpd goes there as nobody.
        fs::set_permissions(place.path(), Permissions::from_mode(0o755)).unwrap();
        fs::create_dir(place.path().join("root")).unwrap();
        fs::create_dir(place.path().join("empty")).unwrap();
        if program == Program::PureFtpd {
            chown(place.path().join("root"), Some(NOBODY), Some(NOBODY)).unwrap();
            make_pure_users(place.path());
        }
        let launch = Launch { program, wire, host: own_address(), rate };
        make_certificate(place.path(), launch.host);
        let (port, child) = launch.run(place.path());
        Some(PeerServer { launch, place, port, child })
    }

    /// Ends it at once, with all its sessions.
    pub fn kill(&mut self) {
        // It leads a group of its own: its sessions' processes go with it.
        let _ = kill_process_group(Pid::from_child(&self.child), Signal::KILL);
        self.child.wait().unwrap();
    }

    /// Starts it again after [`PeerServer::kill`], over the same directory, as fast as it can be.
    pub fn start_again(&mut self) {
        self.launch = Launch { rate: None, ..self.launch };
        (self.port, self.child) = self.launch.run(self.place.path());
    }

    pub fn root(&self) -> PathBuf {
        self.place.path().join("root")
    }

    pub fn address(&self) -> SocketAddr {
        (self.launch.host, self.port).into()
    }

    pub fn program(&self) -> Program {
        self.launch.program
    }

    pub fn wire(&self) -> Wire {
        self.launch.wire
    }

    /// Who logs in.
    pub fn user(&self) -> &'static str {
        if self.launch.program == Program::Vsftpd { "anonymous" } else { USER }
    }

    /// The certificate, which is its own authority.
    pub fn certificate(&self) -> PathBuf {
        self.place.path().join("cert.pem")
    }
}

impl fmt::Display for PeerServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}, {:?}", self.launch.program, self.launch.wire)
    }
}

impl Drop for PeerServer {
    fn drop(&mut self) {
        self.kill();
    }
}

impl Program {
    /// Where it is.
    fn find(self) -> Option<PathBuf> {
        let (found, name) = match self {
            Program::Vsftpd => (in_path("vsftpd"), "vsftpd"),
            Program::PureFtpd if !getuid().is_root() => (None, "pure-ftpd (which runs as root only)"),
            Program::PureFtpd => (in_path("pure-ftpd").filter(|_| in_path("pure-pw").is_some()), "pure-ftpd"),
            Program::Pyftpdlib => (python_with_pyftpdlib(), "pyftpdlib with OpenSSL for Python"),
        };
        let found = found.filter(|_| in_path("setpriv").is_some());
        if found.is_none() {
            assert!(std::env::var_os("CI").is_none(), "{name} is not here: .ci/run installs it");
            eprintln!("left out: {name} is not here");
        }
        found
    }
}

impl Launch {
    /// Starts it on a free port.
    fn run(self, place: &Path) -> (u16, Child) {
        for _ in 0..5 {
            let port = TcpListener::bind((self.host, 0)).unwrap().local_addr().unwrap().port();
            let log = File::create(place.join("log")).unwrap();
            let mut command = self.command(place, port);
            command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log).process_group(0);
            let mut child = command.spawn().unwrap();
            // A program of other people tells nobody when it listens.
            while child.try_wait().unwrap().is_none() {
                if TcpStream::connect((self.host, port)).is_ok() {
                    return (port, child);
                }
                std::thread::sleep(Duration::from_millis(10));
            }
        }
        panic!("{:?} ended at once: {}", self.program, fs::read_to_string(place.join("log")).unwrap());
    }

    fn command(self, place: &Path, port: u16) -> Command {
        // It is to end also when the tests are ended by a signal.
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL"]).arg(self.program.find().expect("it was there before"));
        match self.program {
            Program::Vsftpd => {
                fs::write(place.join("vsftpd.conf"), self.vsftpd_settings(place, port)).unwrap();
                command.arg(place.join("vsftpd.conf"));
            }
            Program::PureFtpd => {
                command.args(["-4", "-A", "-H", "-u", "1", "-c", "200", "-C", "200"]);
                command.args(["-S", &format!("{},{port}", self.host), "-l"]);
                command.arg(format!("puredb:{}", place.join("users.pdb").display()));
                if self.wire != Wire::Plain {
                    command.args(["-Y", "1", "-2"]).arg(place.join("both.pem"));
                }
                if let Some(rate) = self.rate {
                    command.args(["-T", &format!("{0}:{0}", rate / 1024)]);
                }
            }
            Program::Pyftpdlib => {
                let rate = self.rate.map_or("-".to_owned(), |rate| rate.to_string());
                command.args(["-c", include_str!("pyftpd.py"), &self.host.to_string(), &port.to_string()]);
                command.arg(place.join("root")).args([USER, PASSWORD, &rate]);
                if self.wire != Wire::Plain {
                    command.arg(place.join("both.pem"));
                }
            }
        }
        command
    }

    fn vsftpd_settings(self, place: &Path, port: u16) -> String {
        let (host, place) = (self.host, place.display());
        // The user `ftp` of the default comes with the package, which is unpacked here and not installed.
        let mut settings = format!(
            "listen=YES\nlisten_address={host}\nlisten_port={port}\nbackground=NO\nrun_as_launching_user=YES\n\
             anonymous_enable=YES\nftp_username=nobody\nlocal_enable=NO\nwrite_enable=YES\nanon_root={place}/root\nanon_umask=022\n\
             anon_upload_enable=YES\nanon_mkdir_write_enable=YES\nanon_other_write_enable=YES\n\
             anon_world_readable_only=NO\nsecure_chroot_dir={place}/empty\nxferlog_enable=NO\nseccomp_sandbox=NO\n\
             anon_max_rate={}\n",
            self.rate.unwrap_or(0)
        );
        if self.wire != Wire::Plain {
            settings += &format!(
                "ssl_enable=YES\nallow_anon_ssl=YES\nrequire_ssl_reuse=YES\nstrict_ssl_read_eof=YES\n\
                 rsa_cert_file={place}/both.pem\nrsa_private_key_file={place}/both.pem\n"
            );
        }
        if self.wire == Wire::Implicit {
            settings += "implicit_ssl=YES\n";
        }
        settings
    }
}

/// Not all users have `sbin` in their path.
fn in_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let directories = std::env::split_paths(&path).chain([PathBuf::from("/usr/sbin")]);
    directories.map(|directory| directory.join(name)).find(|file| file.is_file())
}

/// Debian's packages are for Debian's Python, which need not be the first one.
fn python_with_pyftpdlib() -> Option<PathBuf> {
    ["python3", "/usr/bin/python3"].into_iter().map(PathBuf::from).find(|python| {
        let asked = Command::new(python).args(["-c", "import pyftpdlib, OpenSSL"]).stderr(Stdio::null()).status();
        asked.is_ok_and(|status| status.success())
    })
}

/// Of this machine, and of no other server in the tests: a port that was free a moment ago still is.
fn own_address() -> Ipv4Addr {
    static NEXT: AtomicU8 = AtomicU8::new(128);
    let [_, _, high, low] = std::process::id().to_be_bytes();
    Ipv4Addr::new(127, NEXT.fetch_add(1, Ordering::Relaxed), high.max(1), low)
}

fn make_certificate(place: &Path, host: Ipv4Addr) {
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec![host.to_string()]).unwrap().self_signed(&key).unwrap().pem();
    fs::write(place.join("cert.pem"), &certificate).unwrap();
    fs::write(place.join("both.pem"), key.serialize_pem() + &certificate).unwrap();
    fs::set_permissions(place.join("both.pem"), Permissions::from_mode(0o600)).unwrap();
}

fn make_pure_users(place: &Path) {
    let root = place.join("root");
    let line = format!("{USER}:{PASSWORD_HASH}:{NOBODY}:{NOBODY}::{}/./::::::::::::\n", root.display());
    fs::write(place.join("users"), line).unwrap();
    let made = Command::new(in_path("pure-pw").expect("looked for before"))
        .arg("mkdb")
        .arg(place.join("users.pdb"))
        .arg("-f")
        .arg(place.join("users"))
        .status();
    assert!(made.unwrap().success());
}

/// `nobody` and `nogroup`.
const NOBODY: u32 = 65534;

/// Of [`PASSWORD`], by crypt(3): what pure-pw makes by itself takes a second to check.
const PASSWORD_HASH: &str =
    "$6$muxftptests$zOw094EOKJFuLyHoPjPKUgWbTd4Vm4INn6Dkmgy/tF1NNGTXTKshA2jUaKuoQAVnBabSXzwaWD626V3PilFaR0";
