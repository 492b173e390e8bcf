//! The command line as typed. `crate::config` turns it into a configuration; nothing else reads it.

use std::path::PathBuf;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Parser, Subcommand};
use muxftp_proto::Permissions;
use tracing::level_filters::LevelFilter;

use crate::config::{
    GuestAccess, ListenSpec, LogFormat, PortRange, PublicAddress, TlsMode, Words, file_path, parse_size,
};
use crate::tls::command::parse_name;
use crate::users::AddressRange;

/// A single-threaded FTP server for a small machine
///
/// Without arguments it serves ./server_files (made if missing) to clients on this machine: at 127.0.0.1, in the dialect
/// `simple` at port 2021, in `ftp` at 2121, in `updown` at 5001.
#[derive(Debug, Parser)]
#[command(name = "muxftpd", version, after_long_help = AFTER_HELP, after_help = "More with --help.")]
pub struct Cli {
    /// The settings.
    #[command(flatten)]
    pub flags: Flags,
    /// What to do instead of serving.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// What `muxftpd` can do besides serving.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum Command {
    /// Check the configuration, print it resolved (as a configuration file), and exit
    CheckConfig,
    /// Add, change, list and remove the users of `ftp`; a running server sees it at the next log-in
    #[command(subcommand)]
    User(UserCommand),
    /// Make a certificate for TLS
    #[command(subcommand)]
    Cert(CertCommand),
}

/// Certificates for TLS.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum CertCommand {
    /// Make a private key (ECDSA P-256) and a certificate that it signs itself: for tests, and for clients that are told
    /// to trust it
    SelfSigned(SelfSigned),
}

/// A new certificate.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct SelfSigned {
    /// Write cert.pem and key.pem into this directory, made if missing [default: here]
    #[arg(long, value_name = "DIR", conflicts_with_all = ["certificate", "key"])]
    pub out: Option<PathBuf>,

    /// Write the certificate into this file
    #[arg(long, value_name = "FILE", requires = "key", value_parser = file_path)]
    pub certificate: Option<PathBuf>,

    /// Write the private key into this file
    #[arg(long, value_name = "FILE", requires = "certificate", value_parser = file_path)]
    pub key: Option<PathBuf>,

    /// A name or address of the server; may be given several times [default: localhost, 127.0.0.1, ::1 and the name of
    /// this machine]
    #[arg(long, value_name = "NAME", value_parser = parse_name)]
    pub name: Vec<String>,

    /// How long it is valid
    #[arg(long, value_name = "N", default_value_t = 365, value_parser = clap::value_parser!(u32).range(1..=36500))]
    pub days: u32,

    /// Replace the files if they are there
    #[arg(long)]
    pub force: bool,
}

/// What is done with the users' file (`--users`, or `users` in the configuration file, or ./muxftpd-users.toml).
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum UserCommand {
    /// Add a user, confined to the directory given with --root (made at the first log-in if missing); the password is
    /// asked for on the terminal, or read from standard input
    Add(Box<UserAdd>),
    /// Give a user another password
    Passwd {
        /// Who
        name: String,
    },
    /// Show all users and their bounds
    List,
    /// Remove a user; the files stay
    Remove {
        /// Who
        name: String,
    },
}

/// A new user.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct UserAdd {
    /// Who
    #[arg(value_parser = user_name)]
    pub name: String,

    /// What the user may do, with commas between: read, write, append, delete, rename, mkdir, list; or read-only
    #[arg(long, value_name = "LIST", default_value = "all", value_parser = parse_permissions)]
    pub permissions: Permissions,

    /// Bytes of all files together, such as 10GiB
    #[arg(long, value_name = "SIZE", value_parser = parse_size)]
    pub quota_bytes: Option<u64>,

    /// Files
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub quota_files: Option<u32>,

    /// Bytes per second to the server, in all sessions together
    #[arg(long, value_name = "SIZE", value_parser = parse_size)]
    pub rate_up: Option<u64>,

    /// Bytes per second from the server, in all sessions together
    #[arg(long, value_name = "SIZE", value_parser = parse_size)]
    pub rate_down: Option<u64>,

    /// Sessions at once
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub sessions: Option<u32>,

    /// Addresses from which the user may log in, such as 192.0.2.0/24; may be given several times [default: all]
    #[arg(long, value_name = "RANGE", value_parser = str::parse::<AddressRange>)]
    pub from: Vec<AddressRange>,
}

/// The settings that the command line can make; each wins over the file. `None` and empty mean "not given".
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Settings of the server")]
pub struct Flags {
    /// Read settings from this TOML file
    #[arg(long, value_name = "FILE", global = true)]
    pub config: Option<PathBuf>,

    /// Address of the default listeners: an IPv4 or IPv6 address, or a name [default: 127.0.0.1]
    #[arg(long, value_name = "ADDR", global = true)]
    pub host: Option<String>,

    /// Listen for `simple` only, at this port [default: simple at 2021, ftp at 2121, updown at 5001]; 0 lets the system
    /// choose
    #[arg(long, value_name = "PORT", global = true)]
    pub port: Option<u16>,

    /// Listen here instead of on the default listeners; may be given several times; `ftps` is `ftp` with TLS from the
    /// first byte on
    #[arg(long, value_name = "DIALECT://ADDR:PORT", global = true, conflicts_with_all = ["host", "port"],
          value_parser = str::parse::<ListenSpec>)]
    pub listen: Vec<ListenSpec>,

    /// The directory to serve, or with `user add` the one the user is confined to; nothing outside it can be reached
    /// [default: ./server_files]
    #[arg(long, value_name = "DIR", global = true)]
    pub root: Option<PathBuf>,

    /// What clients may do; must be stated when a listener is not on a loopback address [default: read-write]
    #[arg(long, value_name = "ACCESS", global = true, value_parser = words::<GuestAccess>())]
    pub guest: Option<GuestAccess>,

    /// The users of `ftp`, in a file that `muxftpd user add` writes
    #[arg(long, value_name = "FILE", global = true)]
    pub users: Option<PathBuf>,

    /// The address that PASV tells: an IPv4 address, a name, or `auto` to ask the cloud's metadata service [default: own]
    #[arg(long, value_name = "ADDR", global = true, value_parser = str::parse::<PublicAddress>)]
    pub public_address: Option<PublicAddress>,

    /// The certificate for TLS, with those that sign it, in a PEM file; `muxftpd cert self-signed` makes one for tests
    #[arg(long, value_name = "FILE", global = true, value_parser = file_path)]
    pub tls_certificate: Option<PathBuf>,

    /// The private key of the certificate, in a PEM file
    #[arg(long, value_name = "FILE", global = true, value_parser = file_path)]
    pub tls_key: Option<PathBuf>,

    /// Whether clients of `ftp` may or must ask for TLS, at all listeners but those of `ftps` [default: optional with a
    /// certificate, else off]
    #[arg(long, value_name = "MODE", global = true, value_parser = explicit_tls())]
    pub tls: Option<TlsMode>,

    /// Ports of data connections; the firewall must let them in [default: 20000-21000]
    #[arg(long, value_name = "FIRST-LAST", global = true, value_parser = str::parse::<PortRange>)]
    pub data_ports: Option<PortRange>,

    /// The data ports that all sessions of updown share [default: 5002]
    #[arg(long, value_name = "FIRST-LAST", global = true, value_parser = str::parse::<PortRange>)]
    pub updown_data_ports: Option<PortRange>,

    /// The least important log lines to write [default: info]
    #[arg(long, value_name = "LEVEL", global = true, value_parser = words::<LevelFilter>())]
    pub log_level: Option<LevelFilter>,

    /// The form of log lines, which go to standard error [default: text]
    #[arg(long, value_name = "FORMAT", global = true, value_parser = words::<LogFormat>())]
    pub log_format: Option<LogFormat>,
}

fn user_name(text: &str) -> Result<String, String> {
    crate::users::check_name(text).map(|()| text.to_owned())
}

/// `all`, `read-only`, or rights with commas between.
fn parse_permissions(text: &str) -> Result<Permissions, String> {
    let words: Vec<&str> = text.split(',').map(str::trim).collect();
    crate::users::parse_permissions(&words)
}

/// A parser of one of the words of `T`, listed in the help.
fn words<T: Words + Send + Sync>() -> impl TypedValueParser<Value = T> {
    PossibleValuesParser::new(T::WORDS.iter().map(|(word, _)| *word)).try_map(|word| T::parse(&word))
}

/// The modes that AUTH TLS knows; implicit TLS is a listener of its own, `ftps://ADDR:PORT`.
fn explicit_tls() -> impl TypedValueParser<Value = TlsMode> {
    let words = TlsMode::WORDS.iter().filter(|(_, mode)| *mode != TlsMode::Implicit);
    PossibleValuesParser::new(words.map(|(word, _)| *word)).try_map(|word| TlsMode::parse(&word))
}

const AFTER_HELP: &str = "\
Examples:
  muxftpd
      Serve ./server_files to this machine, on ports 2021 (simple), 2121 (ftp)
      and 5001 (updown).
  muxftpd --host 0.0.0.0 --guest read-only --root /srv/public
      Let everybody who reaches the machine read /srv/public.
  muxftpd --listen simple://0.0.0.0:21 --listen 'simple://[::1]:2021' --guest read-write
      Two listeners. The first needs the right to a port below 1024.
  muxftpd user add alice --root /srv/alice --users users.toml
  muxftpd --listen ftp://0.0.0.0:21 --users users.toml --guest off
      An FTP server for alice alone.
  muxftpd cert self-signed --name ftp.example.com
  muxftpd --listen ftps://0.0.0.0:2990 --tls-certificate cert.pem \
          --tls-key key.pem --guest read-only
      TLS from the first byte on. A listener of `ftp` with a certificate takes
      AUTH TLS, and with --tls required nothing else.
  muxftpd check-config --config muxftpd.toml
      Show what the file and the flags come to.

Settings: defaults, then the file, then the flags; the later wins.
--host and --port change the default listeners; --listen, or [[listen]] in the
file, replaces them.

Signals: SIGTERM and SIGINT let running transfers finish (10 s by default) and
end; a second one ends at once.

Exit codes:
  0  ended as asked
  1  failed while running
  2  wrong command line or configuration
  3  could not start: port in use, no right to the port, root unusable
  4  ended by a second signal while the server hung";

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn flags_stand_before_or_after_the_subcommand() {
        for line in [["muxftpd", "--port", "1", "check-config"], ["muxftpd", "check-config", "--port", "1"]] {
            let cli = Cli::try_parse_from(line).unwrap();
            assert_eq!((cli.command, cli.flags.port), (Some(Command::CheckConfig), Some(1)));
        }
    }

    #[test]
    fn wrong_values_say_what_is_right() {
        for (flag, value, hint) in [
            ("--guest", "readonly", "read-only"),
            ("--listen", "smiple://[::]:1", "did you mean `simple`?"),
            ("--data-ports", "0-5", "FIRST-LAST"),
            ("--log-level", "verbose", "debug"),
        ] {
            let error = Cli::try_parse_from(["muxftpd", flag, value]).unwrap_err();
            assert_eq!(error.exit_code(), 2);
            assert!(error.to_string().contains(hint), "{error}");
        }
        assert!(Cli::try_parse_from(["muxftpd", "--port", "1", "--listen", "simple://[::]:1"]).is_err());
    }
}
