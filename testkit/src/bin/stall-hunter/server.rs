//! A muxftpd as a process: started over a directory, and always ended.

use std::fs::File;
use std::io::Write;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

#[derive(Debug)]
pub struct Server {
    process: Child,
    pub ftp: u16,
    pub ftps: u16,
    pub updown: u16,
    /// Where `updown` expects data connections.
    pub updown_data: u16,
}

/// How a case's server differs from others.
#[derive(Debug, Clone, Copy)]
pub struct Options<'a> {
    pub root: &'a Path,
    /// Standard error is a pipe that is not read, at level debug.
    pub log_unread: bool,
    /// Lines of the configuration file.
    pub config: &'a str,
}

impl Server {
    /// Starts over `root` and waits until it accepts connections. `alice` may log in with the password `secret`; her
    /// directory is the same root.
    pub fn start(program: &Path, scratch: &Path, options: Options<'_>) -> Result<Server, String> {
        let root = options.root;
        let users = scratch.join("users.toml");
        let certificate = (scratch.join("cert.pem"), scratch.join("key.pem"));
        prepare(program, scratch, root, &users)?;
        let [ftp, ftps, updown, updown_data] = free_ports()?;
        let config = scratch.join("muxftpd.toml");
        let text = format!(
            "[limits]\nsessions = 4000\nsessions_per_address = 4000\n[log]\nlevel = {:?}\n{}\n",
            if options.log_unread { "debug" } else { "info" },
            options.config
        );
        std::fs::write(&config, text).map_err(|error| format!("{}: {error}", config.display()))?;
        let mut command = Command::new(program);
        command.arg("--config").arg(&config).arg("--root").arg(root).arg("--users").arg(&users);
        command.arg("--tls-certificate").arg(&certificate.0).arg("--tls-key").arg(&certificate.1);
        for (dialect, port) in [("ftp", ftp), ("ftps", ftps), ("updown", updown)] {
            command.args(["--listen", &format!("{dialect}://127.0.0.1:{port}")]);
        }
        command.args([
            "--guest",
            "read-write",
            "--data-ports",
            "10000-14999",
            "--updown-data-ports",
            &updown_data.to_string(),
        ]);
        let log_file = scratch.join("muxftpd.log");
        let stderr = if options.log_unread {
            Stdio::piped()
        } else {
            File::create(&log_file).map_err(|error| format!("{}: {error}", log_file.display()))?.into()
        };
        let process = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(stderr)
            .spawn()
            .map_err(|error| format!("{}: {error}", program.display()))?;
        let mut server = Server { process, ftp, ftps, updown, updown_data };
        server.wait_until_it_listens(&log_file)?;
        Ok(server)
    }

    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    fn wait_until_it_listens(&mut self, log: &Path) -> Result<(), String> {
        let end = Instant::now() + Duration::from_secs(20);
        loop {
            if std::net::TcpStream::connect(("127.0.0.1", self.updown)).is_ok() {
                return Ok(());
            }
            if self.process.try_wait().ok().flatten().is_some() || Instant::now() > end {
                let log = std::fs::read_to_string(log).unwrap_or_default();
                return Err(format!("muxftpd does not start: {}", log.trim_end().lines().last().unwrap_or("no log")));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        // A thread that hangs in the kernel keeps even a killed process: not waited for without end.
        let end = Instant::now() + Duration::from_secs(60);
        while matches!(self.process.try_wait(), Ok(None)) {
            if Instant::now() > end {
                eprintln!("stall-hunter: process {} does not end", self.process.id());
                return;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

/// A user and a certificate.
fn prepare(program: &Path, scratch: &Path, root: &Path, users: &Path) -> Result<(), String> {
    let arguments: [&[&std::ffi::OsStr]; 2] = [
        &[
            "user".as_ref(),
            "add".as_ref(),
            "alice".as_ref(),
            "--root".as_ref(),
            root.as_ref(),
            "--users".as_ref(),
            users.as_ref(),
            "--quota-bytes".as_ref(),
            "1000GiB".as_ref(),
        ],
        &["cert".as_ref(), "self-signed".as_ref()],
    ];
    for arguments in arguments {
        if users.exists() && arguments[0] == "user" || scratch.join("cert.pem").exists() && arguments[0] == "cert" {
            continue;
        }
        let mut child = Command::new(program)
            .args(arguments)
            .current_dir(scratch)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| format!("{}: {error}", program.display()))?;
        if let Some(mut input) = child.stdin.take() {
            let _ = input.write_all(b"secret\n");
        }
        let output = child.wait_with_output().map_err(|error| error.to_string())?;
        if !output.status.success() {
            return Err(format!("{arguments:?}: {}", String::from_utf8_lossy(&output.stderr).trim_end()));
        }
    }
    Ok(())
}

/// Ports that were free a moment ago.
fn free_ports<const N: usize>() -> Result<[u16; N], String> {
    let bound: Result<Vec<TcpListener>, _> = (0..N).map(|_| TcpListener::bind(("127.0.0.1", 0))).collect();
    let bound = bound.map_err(|error| format!("no free port: {error}"))?;
    let mut ports = [0; N];
    for (port, listener) in ports.iter_mut().zip(&bound) {
        *port = listener.local_addr().map_err(|error| error.to_string())?.port();
    }
    Ok(ports)
}

/// A scratch directory in memory if there is one.
pub fn scratch() -> Result<tempfile::TempDir, String> {
    let memory = PathBuf::from("/dev/shm");
    let parent = if memory.is_dir() { memory } else { std::env::temp_dir() };
    tempfile::Builder::new()
        .prefix("stall-hunter-")
        .tempdir_in(&parent)
        .map_err(|error| format!("no scratch directory in {}: {error}", parent.display()))
}
