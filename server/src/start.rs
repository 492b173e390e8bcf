//! What comes before the first socket, why the server could not start (in words that name the remedy), and how the
//! process ends.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, mpsc};
use std::thread;

use rustix::io::Errno;
use tracing::{debug, warn};

use crate::config::{Config, ConfigErrors, EXAMPLE_PORT_IMPLICIT, Listen, TlsMode, default_port};
use crate::secrets::{Exposed, Secrets};
use crate::storage::Root;
use crate::tls::{Certificates, TlsError};
use crate::users::{UserStore, Users};
use crate::{limits, process};

/// How the process ends. The numbers are documented in `muxftpd --help`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// As asked: a signal, or `check-config` without errors.
    Ended = 0,
    /// Something broke while running.
    Failed = 1,
    /// The command line or the configuration is wrong.
    Usage = 2,
    /// A port, the root or the kernel refused at the start.
    CannotStart = 3,
    /// Two signals asked for the end while the event loop hung: the process ended without it.
    Abandoned = 4,
}

/// Makes the process and the root ready, and fits the limits of `config` to what the system gives.
///
/// # Errors
/// When the root cannot be served, or the system refuses a signal handler.
pub fn prepare(config: &mut Config) -> Result<Root, StartError> {
    let wanted = config.limits.sessions;
    if let Some(descriptors) = process::fit_to_descriptors(&mut config.limits) {
        let sessions = config.limits.sessions;
        if wanted == Config::defaults().limits.sessions {
            // Nobody has asked for the default.
            debug!(descriptors, sessions, "fewer sessions than the default, for lack of descriptors");
        } else {
            warn!(
                "{descriptors} descriptors suffice for {sessions} sessions, not {wanted}; raise `ulimit -Hn` for more"
            );
        }
    }
    process::survive_file_size_limit()
        .map_err(|error| StartError::System { what: "set a handler for SIGXFSZ", error })?;
    let path = config.guest.root.as_ref().unwrap_or(&config.root);
    Root::open(path, config.durability).map_err(|error| StartError::Root { path: path.clone(), error })
}

/// Reads the users, if there are any.
///
/// # Errors
/// Their file is wrong: a server does not start without users that it was told of.
pub(crate) fn users(config: &Config) -> Result<Option<Arc<UserStore>>, StartError> {
    let Some(path) = &config.users else { return Ok(None) };
    UserStore::open(path.clone()).map(|store| Some(Arc::new(store))).map_err(StartError::Users)
}

/// Looks whether the configuration, the users and the key are out of reach.
///
/// # Errors
/// The users' file is wrong, or one of the files is in reach.
pub fn check_secrets(config: &Config) -> Result<(), StartError> {
    let users = config.users.as_deref().map(Users::load).transpose().map_err(StartError::Users)?;
    let (secrets, config) = (Secrets::of(config), config.clone());
    let (done, result) = mpsc::channel();
    // A directory of one user that hangs, such as a dead mount, must not keep the server from starting.
    let check = move || drop(done.send(secrets.check(&config, users.as_ref())));
    let thread = thread::Builder::new().name("check".to_owned()).spawn(check);
    thread.map_err(|error| StartError::System { what: "start a thread", error })?;
    match result.recv_timeout(limits::START_CHECKS) {
        Ok(result) => result.map_err(StartError::Exposed),
        Err(_) => {
            warn!(
                "a directory does not answer: whether it holds the users' file or the key is checked at log-ins only"
            );
            Ok(())
        }
    }
}

/// Reads the certificate, if there is one.
///
/// # Errors
/// It cannot be used: a server does not start without the TLS that it was told of.
pub(crate) fn certificates(config: &Config) -> Result<Option<Certificates>, StartError> {
    config.tls.clone().map(Certificates::open).transpose().map_err(StartError::Tls)
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit as u8)
    }
}

/// What refused at the start.
#[derive(Debug)]
pub enum StartError {
    /// A listener could not be bound.
    Bind {
        /// Which.
        listen: Listen,
        /// The configuration file, which may name it.
        file: Option<PathBuf>,
        /// Why.
        error: io::Error,
    },
    /// A shared data port could not be bound.
    BindData {
        /// Which.
        place: SocketAddr,
        /// Why.
        error: io::Error,
    },
    /// The root could not be made, opened or confined.
    Root {
        /// Its path as configured.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// The users' file is wrong.
    Users(ConfigErrors),
    /// A client, or others on this machine, could reach a file that decides who may do what.
    Exposed(Exposed),
    /// The certificate or its key cannot be used.
    Tls(TlsError),
    /// Something else that the system refused.
    System {
        /// What was tried, such as "set up signals".
        what: &'static str,
        /// Why.
        error: io::Error,
    },
}

impl std::error::Error for StartError {}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StartError::Bind { listen, file, error } => f.write_str(&bind_text(listen, file.as_deref(), error)),
            StartError::BindData { place, error } => write!(
                f,
                "cannot listen on {place} for the data connections of updown: {error}; choose other ports with \
                 --updown-data-ports, or no listener of updown with --listen"
            ),
            StartError::Root { path, error } => {
                write!(f, "cannot serve `{}`: {error}; choose another directory with --root", path.display())
            }
            StartError::Users(errors) => write!(f, "{errors}"),
            StartError::Exposed(exposed) => write!(f, "{exposed}"),
            StartError::Tls(error) => write!(f, "{error}"),
            StartError::System { what, error } => write!(f, "cannot {what}: {error}"),
        }
    }
}

fn bind_text(listen: &Listen, file: Option<&Path>, error: &io::Error) -> String {
    let address = listen.address;
    match Errno::from_io_error(error) {
        Some(Errno::ADDRINUSE) => format!(
            "{address} is in use: another muxftpd? Find who has it with `ss -ltnp`, or choose another port {}",
            with_port(listen, file, "PORT")
        ),
        Some(Errno::ACCESS | Errno::PERM) => format!(
            "no right to port {} ({address}): choose a port above 1023 {}, or give the program the right with \
             `sudo setcap cap_net_bind_service=+ep {}`",
            address.port(),
            with_port(listen, file, &free_port(listen).to_string()),
            executable()
        ),
        Some(Errno::ADDRNOTAVAIL) => format!(
            "{} is not an address of this machine: choose another one {} (`ip addr` lists them; 0.0.0.0 or :: for all)",
            address.ip(),
            with_address(listen, file)
        ),
        _ => format!("cannot listen on {listen}: {error}"),
    }
}

/// How to change the port, in a way that works whatever has named the listener: `--port` is refused beside `[[listen]]`.
fn with_port(listen: &Listen, file: Option<&Path>, port: &str) -> String {
    let shown = listen.to_string();
    let before = shown.rfind(':').map_or(shown.as_str(), |colon| &shown[..colon]);
    way(file, &format!("{before}:{port}"))
}

fn with_address(listen: &Listen, file: Option<&Path>) -> String {
    let shown = listen.to_string();
    let scheme = shown.find("://").map_or("", |end| &shown[..end]);
    way(file, &format!("{scheme}://ADDRESS:{}", listen.address.port()))
}

fn way(file: Option<&Path>, spec: &str) -> String {
    match file {
        None => format!("with --listen {spec}"),
        Some(file) => format!("with `address` in a [[listen]] of {}, or with --listen {spec}", file.display()),
    }
}

/// The default port of what is spoken there.
fn free_port(listen: &Listen) -> u16 {
    match listen.tls {
        TlsMode::Implicit => EXAMPLE_PORT_IMPLICIT,
        _ => default_port(listen.dialect),
    }
}

/// This program as a word of a shell.
fn executable() -> String {
    let path = std::env::current_exe().map_or_else(|_| "muxftpd".to_owned(), |path| path.display().to_string());
    let is_plain = path.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/._-+".contains(&byte));
    if is_plain { path } else { format!("'{}'", path.replace('\'', "'\\''")) }
}

#[cfg(test)]
mod tests {
    use muxftp_proto::Dialect;

    use super::*;

    fn bind(address: &str, errno: Errno) -> String {
        bind_by(address, errno, None)
    }

    fn bind_by(address: &str, errno: Errno, file: Option<&str>) -> String {
        let listen = Listen::new(Dialect::Simple, address.parse().unwrap(), TlsMode::Off);
        StartError::Bind { listen, file: file.map(PathBuf::from), error: errno.into() }.to_string()
    }

    #[test]
    fn bind_errors_name_the_remedy() {
        let in_use = bind("127.0.0.1:2021", Errno::ADDRINUSE);
        assert!(in_use.starts_with("127.0.0.1:2021 is in use"), "{in_use}");
        assert!(in_use.ends_with("with --listen simple://127.0.0.1:PORT"), "{in_use}");
        let no_right = bind("0.0.0.0:21", Errno::ACCESS);
        assert!(no_right.contains("above 1023 with --listen simple://0.0.0.0:2021, or"), "{no_right}");
        let this = std::env::current_exe().unwrap();
        let setcap = format!("`sudo setcap cap_net_bind_service=+ep {}`", this.display());
        assert!(no_right.ends_with(&setcap), "{no_right}");
        let by_file = bind_by("0.0.0.0:21", Errno::ACCESS, Some("m.toml"));
        assert!(by_file.contains("`address` in a [[listen]] of m.toml, or with --listen"), "{by_file}");
        assert!(!by_file.contains("--port"), "it is refused there: {by_file}");
        let not_ours = bind("[2001:db8::1]:21", Errno::ADDRNOTAVAIL);
        assert!(not_ours.starts_with("2001:db8::1 is not an address"), "{not_ours}");
        assert!(not_ours.contains("with --listen simple://ADDRESS:21"), "{not_ours}");
        let other = bind("127.0.0.1:2021", Errno::NOBUFS);
        assert!(other.starts_with("cannot listen on simple://127.0.0.1:2021: "), "{other}");
    }
}
