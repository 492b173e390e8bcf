//! Where a prompt is opened: a URL, or a host and a port, as the clients of courses are started.
//!
//! It must not know the network.

use muxftp_proto::{Dialect, Escaped};

use crate::target::{self, ServerName, Target};

/// A server, and what was chosen where nothing was said.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) target: Target,
    /// For the person: which dialect was chosen, and why.
    pub(crate) note: Option<String>,
}

/// Reads `host`: a URL, or a host, which may have its port after a colon.
///
/// # Errors
/// What is wrong, and what it should look like.
pub(crate) fn parse(host: &str, port: Option<&str>, dialect: Option<&str>) -> Result<Place, String> {
    if host.contains("://") {
        return match (port, dialect) {
            (None, None) => Ok(Place { target: Target::parse(host)?, note: None }),
            _ => Err(format!("`{}`: the URL already has dialect and port: leave out the others", target::shown(host))),
        };
    }
    let (host, port) = match (split_port(host), port) {
        ((_, Some(_)), Some(_)) => return Err(format!("`{}`: the port is given twice", target::shown(host))),
        ((host, at_host), port) => (host, port.or(at_host)),
    };
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    let is_of_hosts = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_' | ':' | '%');
    if host.is_empty() || !host.chars().all(is_of_hosts) {
        let shown = target::shown(host);
        return Err(format!(
            "`{shown}` is neither a host nor a URL: write HOST PORT, or a URL such as {}",
            target::EXAMPLE
        ));
    }
    let port = port.map(parse_port).transpose()?;
    let spoken = dialect.map(|word| target::parse_dialect(word).ok_or_else(|| unknown(word))).transpose()?;
    let (dialect, is_implicit) = spoken.unwrap_or_else(|| by_port(port));
    let number = port.unwrap_or_else(|| target::default_port(dialect, is_implicit));
    let server = ServerName { dialect, is_implicit, user: None, password: None, host: host.to_owned(), port: number };
    let note = spoken.is_none().then(|| {
        let why = if port.is_some() { "by the port" } else { "by default" };
        format!("{server} is chosen {why}; --dialect, or a URL, chooses another dialect")
    });
    Ok(Place { target: Target { server, path: Vec::new() }, note })
}

/// The dialect whose usual port it is; `simple` for all others, as the servers of courses have it.
fn by_port(port: Option<u16>) -> (Dialect, bool) {
    let usual = [(Dialect::Ftp, true), (Dialect::Ftp, false), (Dialect::Updown, false)];
    let is_usual = |&(dialect, is_implicit): &(Dialect, bool)| {
        port == Some(target::default_port(dialect, is_implicit))
            || (port == Some(OWN_FTP_PORT) && dialect == Dialect::Ftp && !is_implicit)
    };
    usual.into_iter().find(is_usual).unwrap_or((Dialect::Simple, false))
}

/// The port after a colon; a second colon makes it an IPv6 address, unless that is in brackets.
fn split_port(host: &str) -> (&str, Option<&str>) {
    match host.rsplit_once(':') {
        Some((name, port)) if !name.contains(':') || (name.starts_with('[') && name.ends_with(']')) => {
            (name, Some(port))
        }
        _ => (host, None),
    }
}

fn parse_port(word: &str) -> Result<u16, String> {
    let port = word.parse().ok().filter(|&port| port != 0);
    port.ok_or_else(|| format!("`{}` is not a port: a number from 1 to 65535", Escaped(word.as_bytes())))
}

fn unknown(word: &str) -> String {
    format!("the dialect `{}` is unknown: simple, updown, ftp or ftps", Escaped(word.as_bytes()))
}

/// The port of `ftp` at muxftpd when none is configured.
const OWN_FTP_PORT: u16 = 2121;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_and_ports_are_read() {
        for (host, port, dialect, server) in [
            ("127.0.0.1", Some("8080"), None, "simple://127.0.0.1:8080"),
            ("h", None, None, "simple://h:2021"),
            ("h:8080", None, None, "simple://h:8080"),
            ("h", Some("21"), None, "ftp://h:21"),
            ("h", Some("2121"), None, "ftp://h:2121"),
            ("h", Some("990"), None, "ftps://h:990"),
            ("h", Some("5001"), None, "updown://h:5001"),
            ("h", Some("21"), Some("simple"), "simple://h:21"),
            ("h", None, Some("ftps"), "ftps://h:990"),
            ("h", None, Some("UPDOWN"), "updown://h:5001"),
            ("::1", Some("7"), None, "simple://[::1]:7"),
            ("[::1]:7", None, None, "simple://[::1]:7"),
            ("::1", None, None, "simple://[::1]:2021"),
            ("ftp://ann@h", None, None, "ftp://ann@h:21"),
        ] {
            let place = parse(host, port, dialect).unwrap();
            assert_eq!(place.target.server.to_string(), server);
            assert_eq!(place.note.is_some(), dialect.is_none() && !host.contains("://"), "{host}");
        }
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (host, port, dialect, hint) in [
            ("h", Some("x"), None, "`x` is not a port"),
            ("h", Some("0"), None, "1 to 65535"),
            ("h", Some("65536"), None, "1 to 65535"),
            ("h:7", Some("8"), None, "twice"),
            ("simple://h", Some("8"), None, "already has"),
            ("h", None, Some("gopher"), "`gopher` is unknown: simple, updown, ftp or ftps"),
            ("", None, None, "neither a host nor a URL"),
            ("h/notes.txt", None, None, "neither a host nor a URL"),
            ("\u{1b}[2J", None, None, "\\u{1b}"),
        ] {
            let wrong = parse(host, port, dialect).unwrap_err();
            assert!(wrong.contains(hint), "{wrong}");
        }
    }
}
