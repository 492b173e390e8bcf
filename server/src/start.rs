//! What comes before the first socket, why the server could not start (in words that name the remedy), and how the
//! process ends.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use rustix::io::Errno;
use tracing::{info, warn};

use crate::config::{Config, ConfigErrors, Listen};
use crate::process;
use crate::storage::{Leftovers, Root};
use crate::tls::{Certificates, TlsError};
use crate::users::UserStore;

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
}

/// Makes the process and the root ready, and fits the limits of `config` to what the system gives.
///
/// # Errors
/// When the root cannot be served, or the system refuses a signal handler.
pub fn prepare(config: &mut Config) -> Result<Root, StartError> {
    let wanted = config.limits.sessions;
    if let Some(descriptors) = process::fit_to_descriptors(&mut config.limits) {
        let sessions = config.limits.sessions;
        info!("{descriptors} descriptors suffice for {sessions} sessions, not {wanted}; raise `ulimit -Hn` for more");
    }
    process::survive_file_size_limit()
        .map_err(|error| StartError::System { what: "set a handler for SIGXFSZ", error })?;
    let path = config.guest.root.as_ref().unwrap_or(&config.root);
    let root = Root::open(path, config.durability).map_err(|error| StartError::Root { path: path.clone(), error })?;
    match root.leftovers() {
        Leftovers::Swept { removed: 0, failed: 0 } => {}
        Leftovers::Swept { removed, failed: 0 } => info!("{removed} unfinished uploads of an earlier run were removed"),
        Leftovers::Swept { removed, failed } => warn!(
            "{removed} unfinished uploads of an earlier run were removed; {failed} files or directories could not be"
        ),
        Leftovers::NotSwept => info!("another server has this root: unfinished uploads are left alone"),
    }
    Ok(root)
}

/// Reads the users, if there are any.
///
/// # Errors
/// Their file is wrong: a server does not start without users that it was told of.
pub(crate) fn users(config: &Config) -> Result<Option<Arc<UserStore>>, StartError> {
    let Some(path) = &config.users else { return Ok(None) };
    UserStore::open(path.clone()).map(|store| Some(Arc::new(store))).map_err(StartError::Users)
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
            StartError::Bind { listen, error } => write!(f, "{}", bind_text(listen, error)),
            StartError::BindData { place, error } => write!(
                f,
                "cannot listen on {place} for the data connections of updown: {error}; choose other ports with \
                 --updown-data-ports, or no listener of updown with --listen"
            ),
            StartError::Root { path, error } => {
                write!(f, "cannot serve `{}`: {error}; choose another directory with --root", path.display())
            }
            StartError::Users(errors) => write!(f, "{errors}"),
            StartError::Tls(error) => write!(f, "{error}"),
            StartError::System { what, error } => write!(f, "cannot {what}: {error}"),
        }
    }
}

fn bind_text(listen: &Listen, error: &io::Error) -> String {
    let address = listen.address;
    match Errno::from_io_error(error) {
        Some(Errno::ADDRINUSE) => format!(
            "{address} is in use: another muxftpd? Choose another port with --port, or find who has it with `ss -ltnp`"
        ),
        Some(Errno::ACCESS | Errno::PERM) => format!(
            "no right to port {} ({address}): choose a port above 1023 with --port, or give the program the right with \
             `sudo setcap 'cap_net_bind_service=+ep' \"$(command -v muxftpd)\"`",
            address.port()
        ),
        Some(Errno::ADDRNOTAVAIL) => format!(
            "{} is not an address of this machine: choose one with --host (`ip addr` lists them; 0.0.0.0 or :: for all)",
            address.ip()
        ),
        _ => format!("cannot listen on {listen}: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use muxftp_proto::Dialect;

    use super::*;
    use crate::config::TlsMode;

    fn bind(address: &str, errno: Errno) -> String {
        let listen = Listen::new(Dialect::Simple, address.parse().unwrap(), TlsMode::Off);
        StartError::Bind { listen, error: errno.into() }.to_string()
    }

    #[test]
    fn bind_errors_name_the_remedy() {
        let in_use = bind("127.0.0.1:2021", Errno::ADDRINUSE);
        assert!(in_use.starts_with("127.0.0.1:2021 is in use") && in_use.contains("--port"), "{in_use}");
        let no_right = bind("0.0.0.0:21", Errno::ACCESS);
        assert!(no_right.contains("cap_net_bind_service=+ep") && no_right.contains("1023"), "{no_right}");
        let not_ours = bind("[2001:db8::1]:21", Errno::ADDRNOTAVAIL);
        assert!(not_ours.starts_with("2001:db8::1 is not an address"), "{not_ours}");
        let other = bind("127.0.0.1:2021", Errno::NOBUFS);
        assert!(other.starts_with("cannot listen on simple://127.0.0.1:2021: "), "{other}");
    }
}
