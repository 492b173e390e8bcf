//! The configuration, resolved: what the server runs with. No value here means "default".
//!
//! Three sources, the later wins: the defaults in this file, the TOML file (`file`), the command line
//! (`crate::args`). They meet in `resolve`; `show` prints the result as a file that gives it again.

mod address;
mod file;
mod problem;
pub(crate) mod reader;
mod resolve;
mod show;
mod tls;
mod value;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use muxftp_proto::Dialect;
pub use tracing::level_filters::LevelFilter;

pub use crate::storage::Durability;
pub use crate::users::AddressRange;
pub use address::{ListenSpec, PortRange, PublicAddress};
pub use problem::{ConfigErrors, Problem};
pub(crate) use reader::file_path;
pub use resolve::load;
pub(crate) use value::Words;
pub use value::{Allowance, GuestAccess, LogFormat, SessionReuse, TlsMode, TlsVersion, UploadsWithoutClose};
pub(crate) use value::{did_you_mean, parse_size, show_size};

/// Everything that can be configured, checked and complete.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// The file that was read, if there was one.
    pub file: Option<PathBuf>,
    /// The directory that is served; made at start if missing.
    pub root: PathBuf,
    /// The control listeners, at least one.
    pub listen: Vec<Listen>,
    /// The ports of data connections.
    pub data_ports: PortRange,
    /// The data ports that all sessions of `updown` share.
    pub updown_data_ports: PortRange,
    /// The file of the users; none: nobody but the guest.
    pub users: Option<PathBuf>,
    /// What those without an account may do.
    pub guest: Guest,
    /// What becomes of failed log-ins.
    pub logins: Logins,
    /// The address that PASV tells.
    pub public_address: PublicAddress,
    /// Where [`PublicAddress::Auto`] is asked for: `http://ADDR[:PORT]`.
    pub metadata_service: String,
    /// The certificate and how it is used; none: no TLS.
    pub tls: Option<TlsSettings>,
    /// Bounds on what clients may take.
    pub limits: Limits,
    /// Bounds on waiting.
    pub timeouts: Timeouts,
    /// When an upload counts as stored.
    pub durability: Durability,
    /// The log.
    pub log: Log,
}

/// A control listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listen {
    /// What is spoken there.
    pub dialect: Dialect,
    /// Where; port 0 lets the system choose.
    pub address: SocketAddr,
    /// Whether TLS is spoken there: only in `ftp`, and only with [`Config::tls`].
    pub tls: TlsMode,
    /// What becomes of an upload over TLS that ends without close_notify.
    pub uploads_without_close: UploadsWithoutClose,
}

impl Listen {
    /// With the defaults for uploads.
    pub fn new(dialect: Dialect, address: SocketAddr, tls: TlsMode) -> Listen {
        Listen { dialect, address, tls, uploads_without_close: UploadsWithoutClose::default() }
    }
}

/// The certificate and how it is used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsSettings {
    /// The certificate and those that sign it, in PEM.
    pub certificate: PathBuf,
    /// Its private key, in PEM.
    pub key: PathBuf,
    /// The oldest version that is spoken.
    pub min_version: TlsVersion,
    /// What becomes of a data connection that does not resume the TLS session of its control connection.
    pub session_reuse: SessionReuse,
}

impl TlsSettings {
    /// With this pair, and the defaults for the rest.
    pub fn new(certificate: PathBuf, key: PathBuf) -> TlsSettings {
        TlsSettings { certificate, key, min_version: TlsVersion::V1_2, session_reuse: SessionReuse::Log }
    }
}

/// The account of those who have none: of `simple`, of `updown`, and of `anonymous`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Guest {
    /// What it may do.
    pub access: GuestAccess,
    /// Its directory; `None`: the server's.
    pub root: Option<PathBuf>,
    /// How much it may take.
    pub allowance: Allowance,
}

/// What becomes of failed logins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Logins {
    /// So many different ones from one address within the window lock it out.
    pub failures: u32,
    /// What the first one costs; each further one costs twice as much as the one before, up to ten times this.
    pub delay: Duration,
    /// How long a failure counts.
    pub window: Duration,
    /// How long an address is locked out.
    pub lock: Duration,
    /// Addresses that are neither locked out nor delayed: relays, behind which there are many people.
    pub exempt: Vec<AddressRange>,
}

/// Bounds on what clients may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Sessions at once.
    pub sessions: u32,
    /// Sessions at once from one address.
    pub sessions_per_address: u32,
    /// Data ports that one address may hold; none: as many as are free.
    pub data_ports_per_address: Option<u32>,
}

/// Bounds on waiting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// From the reply that names the data port to the client's connection.
    pub data_connect: Duration,
    /// A data connection without any progress.
    pub stall: Duration,
    /// A file system, or a password check, that does not answer: the client gets an error then.
    pub storage: Duration,
    /// A session without a command and without a transfer.
    pub idle: Duration,
    /// From the connection to the log-in, where there is one.
    pub login: Duration,
    /// What running transfers get to finish after SIGTERM or SIGINT.
    pub shutdown: Duration,
}

/// The log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Log {
    /// The least important lines that are written.
    pub level: LevelFilter,
    /// Their form.
    pub format: LogFormat,
}

/// The port of a dialect's default listener: above 1023, so that no privilege is needed.
pub fn default_port(dialect: Dialect) -> u16 {
    match dialect {
        Dialect::Simple => 2021,
        Dialect::Updown => 5001,
        Dialect::Ftp => 2121,
    }
}

/// The port of `ftps://` in examples: that of implicit TLS, 990, above 1023 like the others.
pub(crate) const EXAMPLE_PORT_IMPLICIT: u16 = 2990;

/// Where EC2 and those like it answer (a link-local address: no packet leaves the machine's own network).
const METADATA_SERVICE: &str = "http://169.254.169.254";

impl Config {
    /// What `muxftpd` without arguments and without a file runs with.
    pub fn defaults() -> Config {
        let loopback = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let listen = |dialect| Listen::new(dialect, SocketAddr::new(loopback, default_port(dialect)), TlsMode::Off);
        Config {
            file: None,
            root: PathBuf::from("./server_files"),
            listen: Dialect::ALL.map(listen).to_vec(),
            data_ports: PortRange::new(20000, 21000).expect("20000 is not 0 and below 21000"),
            updown_data_ports: PortRange::new(5002, 5002).expect("5002 is not 0"),
            users: None,
            guest: Guest { access: GuestAccess::ReadWrite, root: None, allowance: Allowance::default() },
            logins: Logins {
                failures: 10,
                delay: Duration::from_secs(1),
                window: Duration::from_secs(10 * 60),
                lock: Duration::from_secs(15 * 60),
                exempt: Vec::new(),
            },
            public_address: PublicAddress::Own,
            metadata_service: METADATA_SERVICE.to_owned(),
            tls: None,
            limits: Limits { sessions: 10_000, sessions_per_address: 5_000, data_ports_per_address: None },
            timeouts: Timeouts {
                data_connect: Duration::from_secs(10),
                stall: Duration::from_secs(60),
                storage: Duration::from_secs(30),
                idle: Duration::from_secs(5 * 60),
                login: Duration::from_secs(60),
                shutdown: Duration::from_secs(10),
            },
            durability: Durability::None,
            log: Log { level: LevelFilter::INFO, format: LogFormat::Text },
        }
    }

    /// For a server inside another program: one listener of `simple` on 127.0.0.1 at a port that the system chooses, and
    /// no bounds per address, since all clients come from one.
    pub fn embedded(root: PathBuf, data_ports: PortRange) -> Config {
        let address = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
        let listen = vec![Listen::new(Dialect::Simple, address, TlsMode::Off)];
        let mut config = Config { root, data_ports, listen, ..Config::defaults() };
        config.limits.sessions_per_address = config.limits.sessions;
        config.limits.data_ports_per_address = Some(u32::from(u16::MAX));
        config
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_embedded_server_takes_a_port_of_the_system_on_this_machine() {
        let config = Config::embedded(PathBuf::from("/tmp/x"), PortRange::new(30000, 30010).unwrap());
        assert_eq!(config.listen.len(), 1);
        assert_eq!(config.listen[0].address.to_string(), "127.0.0.1:0");
        assert_eq!(config.limits.sessions_per_address, config.limits.sessions);
    }
}
