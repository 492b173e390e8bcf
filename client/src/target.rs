//! URLs as typed: `DIALECT://HOST[:PORT][/PATH]`.
//!
//! It must not know the network; names of hosts are looked up by the engine.

use std::fmt;

use muxftp_proto::{Dialect, Escaped};
use percent_encoding::percent_decode_str;

/// Which server, and what on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) server: ServerName,
    /// Without its leading slash and with `%XX` decoded; empty: the root. A file's name, or a directory's.
    pub(crate) path: Vec<u8>,
}

/// A server as a person names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ServerName {
    pub(crate) dialect: Dialect,
    /// A name or an address, without brackets.
    pub(crate) host: String,
    pub(crate) port: u16,
}

impl Target {
    /// Reads a URL.
    ///
    /// # Errors
    /// What is wrong with it, and what it should look like.
    pub(crate) fn parse(text: &str) -> Result<Target, String> {
        let shown = Escaped(text.as_bytes());
        let Some((word, rest)) = text.split_once("://") else {
            return Err(format!("`{shown}` is not a URL: write DIALECT://HOST:PORT/NAME, such as {EXAMPLE}"));
        };
        let spoken = word.parse().ok().filter(|dialect: &Dialect| dialect.is_of_clients());
        let dialect = spoken.ok_or_else(|| {
            let known: Vec<_> = Dialect::OF_CLIENTS.iter().map(|dialect| dialect.word()).collect();
            format!("`{shown}`: this client does not speak `{}`, only: {}", Escaped(word.as_bytes()), known.join(", "))
        })?;
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (host, port) = split_authority(authority).map_err(|wrong| format!("`{shown}`: {wrong}"))?;
        let server = ServerName { dialect, host: host.to_owned(), port: port.unwrap_or(default_port(dialect)) };
        Ok(Target { server, path: percent_decode_str(path).collect() })
    }

    /// The last component of the path: the name that a local copy gets. `None`: the path names a directory.
    pub(crate) fn file_name(&self) -> Option<&[u8]> {
        last_component(&self.path)
    }
}

impl fmt::Display for ServerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ServerName { dialect, host, port } = self;
        let host = Escaped(host.as_bytes());
        match self.host.contains(':') {
            true => write!(f, "{dialect}://[{host}]:{port}"),
            false => write!(f, "{dialect}://{host}:{port}"),
        }
    }
}

/// The last component of a server's path, if it can be a file's name here: neither empty, nor `.` or `..`.
pub(crate) fn last_component(path: &[u8]) -> Option<&[u8]> {
    let name = path.rsplit(|&byte| byte == b'/').next().unwrap_or(path);
    (!matches!(name, b"" | b"." | b"..") && !name.contains(&0)).then_some(name)
}

fn split_authority(authority: &str) -> Result<(&str, Option<u16>), &'static str> {
    if authority.contains('@') {
        return Err("this dialect has no log-in: leave out the user and the `@`");
    }
    let (host, rest) = match authority.strip_prefix('[') {
        Some(bracketed) => bracketed.split_once(']').ok_or("the `[` of the address is not closed")?,
        None => authority.split_at(authority.find(':').unwrap_or(authority.len())),
    };
    let port = match rest.strip_prefix(':') {
        None if rest.is_empty() => None,
        Some(port) if !port.contains(':') => {
            Some(port.parse().ok().filter(|&port| port != 0).ok_or("the port is not a number from 1 to 65535")?)
        }
        _ => return Err("an IPv6 address stands in brackets, such as [::1]:2021"),
    };
    match host.is_empty() {
        true => Err("the host is missing"),
        false => Ok((host, port)),
    }
}

/// The port that muxftpd gives the dialect when none is configured.
fn default_port(dialect: Dialect) -> u16 {
    match dialect {
        Dialect::Simple => 2021,
        Dialect::Updown => 5001,
        Dialect::Ftp => 2121,
    }
}

/// In messages.
pub(crate) const EXAMPLE: &str = "simple://127.0.0.1:2021/notes.txt";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_read() {
        for (text, server, path) in [
            ("simple://127.0.0.1:2021/notes.txt", "simple://127.0.0.1:2021", "notes.txt"),
            ("simple://host", "simple://host:2021", ""),
            ("simple://host/", "simple://host:2021", ""),
            ("SIMPLE://host:21/dir/my%20notes.txt", "simple://host:21", "dir/my notes.txt"),
            ("simple://[::1]/a b?c#d", "simple://[::1]:2021", "a b?c#d"),
            ("simple://[::1]:7/100%", "simple://[::1]:7", "100%"),
        ] {
            let target = Target::parse(text).unwrap();
            assert_eq!(target.server.to_string(), server);
            assert_eq!(target.path, path.as_bytes());
        }
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (text, hint) in [
            ("host:21", "DIALECT://"),
            ("gopher://host", "does not speak `gopher`, only: simple, updown"),
            ("simple://", "host is missing"),
            ("simple://:21", "host is missing"),
            ("simple://host:", "port"),
            ("simple://host:0", "port"),
            ("simple://host:65536", "port"),
            ("simple://host:x", "port"),
            ("simple://::1", "brackets"),
            ("simple://[::1", "not closed"),
            ("simple://[::1]x", "brackets"),
            ("simple://user@host", "no log-in"),
        ] {
            let wrong = Target::parse(text).unwrap_err();
            assert!(wrong.contains(hint), "{wrong}");
        }
    }

    #[test]
    fn a_local_name_is_one_component() {
        for (path, name) in [
            ("a", Some("a")),
            ("a/b", Some("b")),
            ("a/", None),
            ("", None),
            ("a/..", None),
            ("..", None),
            (".", None),
            ("x\0y", None),
        ] {
            assert_eq!(last_component(path.as_bytes()), name.map(str::as_bytes), "{path:?}");
        }
    }
}
