//! URLs as typed: `DIALECT://HOST[:PORT][/PATH]`, with `ftp` and `ftps` also `USER[:PASSWORD]@` before the host.
//!
//! It must not know the network; names of hosts are looked up by the engine.
//!
//! Invariant: a password in a URL is not shown, in no message.

use std::fmt;

use muxftp_proto::{Dialect, Escaped, Secret};
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
    /// `ftps`: TLS from the first byte on.
    pub(crate) is_implicit: bool,
    /// Who logs in, if the URL says so; and with what.
    pub(crate) user: Option<Vec<u8>>,
    pub(crate) password: Option<Secret>,
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
        let shown = shown(text);
        let Some((word, rest)) = text.split_once("://") else {
            return Err(format!("`{shown}` is not a URL: write DIALECT://HOST:PORT/NAME, such as {EXAMPLE}"));
        };
        let (dialect, is_implicit) = parse_dialect(word).ok_or_else(|| {
            let known: Vec<_> = Dialect::ALL.iter().map(|dialect| dialect.word()).chain([IMPLICIT]).collect();
            format!("`{shown}`: this client does not speak `{}`, only: {}", Escaped(word.as_bytes()), known.join(", "))
        })?;
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (who, place) = match authority.rsplit_once('@') {
            None => (None, authority),
            Some(_) if dialect != Dialect::Ftp => {
                return Err(format!("`{shown}`: this dialect has no log-in: leave out the user and the `@`"));
            }
            Some((who, place)) => (Some(who), place),
        };
        let (user, password) = who.map_or((None, None), split_who);
        let (host, port) = split_authority(place).map_err(|wrong| format!("`{shown}`: {wrong}"))?;
        let port = port.unwrap_or(default_port(dialect, is_implicit));
        let server = ServerName { dialect, is_implicit, user, password, host: host.to_owned(), port };
        Ok(Target { server, path: percent_decode_str(path).collect() })
    }

    /// Whether it names the server, or a directory by a slash at its end.
    pub(crate) fn is_directory(&self) -> bool {
        self.path.is_empty() || self.path.ends_with(b"/")
    }

    /// The last component of the path: the name that a local copy gets. `None`: the path names a directory.
    pub(crate) fn file_name(&self) -> Option<&[u8]> {
        last_component(&self.path)
    }
}

impl ServerName {
    /// The same place with another dialect; a user stays only where there is a login.
    pub(crate) fn speaking(&self, dialect: Dialect, is_implicit: bool) -> ServerName {
        let user = self.user.clone().filter(|_| dialect == Dialect::Ftp);
        ServerName { dialect, is_implicit, user, password: None, ..self.clone() }
    }
}

impl fmt::Display for ServerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ServerName { dialect, host, port, .. } = self;
        let host = Escaped(host.as_bytes());
        match self.is_implicit {
            true => write!(f, "{IMPLICIT}://")?,
            false => write!(f, "{dialect}://")?,
        }
        if let Some(user) = &self.user {
            write!(f, "{}@", Escaped(user))?;
        }
        match self.host.contains(':') {
            true => write!(f, "[{host}]:{port}"),
            false => write!(f, "{host}:{port}"),
        }
    }
}

/// A dialect's word, and whether it is TLS from the first byte on.
pub(crate) fn parse_dialect(word: &str) -> Option<(Dialect, bool)> {
    match word.eq_ignore_ascii_case(IMPLICIT) {
        true => Some((Dialect::Ftp, true)),
        false => word.parse().ok().map(|dialect| (dialect, false)),
    }
}

/// A URL for a message: without its password, and so that it cannot play with a terminal.
pub(crate) fn shown(url: &str) -> String {
    let start = url.find("://").map_or(0, |at| at + 3);
    let authority = url[start..].split('/').next().unwrap_or_default();
    let password = authority.rfind('@').and_then(|end| Some((authority[..end].find(':')?, end)));
    match password {
        Some((begin, end)) => {
            let (head, tail) = (&url[..start + begin], &url[start + end..]);
            format!("{}:(secret){}", Escaped(head.as_bytes()), Escaped(tail.as_bytes()))
        }
        None => Escaped(url.as_bytes()).to_string(),
    }
}

/// The last component of a server's path, if it can be a file's name here: neither empty, nor `.` or `..`.
pub(crate) fn last_component(path: &[u8]) -> Option<&[u8]> {
    let name = path.rsplit(|&byte| byte == b'/').next().unwrap_or(path);
    (!matches!(name, b"" | b"." | b"..") && !name.contains(&0)).then_some(name)
}

/// The user, unless it is empty, and the password.
fn split_who(who: &str) -> (Option<Vec<u8>>, Option<Secret>) {
    let (user, password) = match who.split_once(':') {
        Some((user, password)) => (user, Some(password)),
        None => (who, None),
    };
    let user: Vec<u8> = percent_decode_str(user).collect();
    let password = password.map(|password| Secret(percent_decode_str(password).collect()));
    ((!user.is_empty()).then_some(user), password)
}

fn split_authority(authority: &str) -> Result<(&str, Option<u16>), &'static str> {
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

/// The port that muxftpd gives the dialect when none is configured; of `ftp`, what all servers have.
pub(crate) fn default_port(dialect: Dialect, is_implicit: bool) -> u16 {
    match dialect {
        Dialect::Simple => 2021,
        Dialect::Updown => 5001,
        Dialect::Ftp if is_implicit => 990,
        Dialect::Ftp => 21,
    }
}

/// The word in URLs for `ftp` with TLS from the first byte on.
const IMPLICIT: &str = "ftps";

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
            ("ftp://host/a", "ftp://host:21", "a"),
            ("ftps://host//etc/a", "ftps://host:990", "/etc/a"),
            ("ftp://ann:p%40ss@[::1]:7/", "ftp://ann@[::1]:7", ""),
            ("ftp://a%40b@host", "ftp://a@b@host:21", ""),
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
            ("gopher://host", "does not speak `gopher`, only: simple, updown, ftp, ftps"),
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
    fn the_password_is_read_and_not_shown() {
        let server = Target::parse("ftp://ann:p%3Ass@host").unwrap().server;
        assert_eq!((server.user, server.password), (Some(b"ann".to_vec()), Some(Secret(b"p:ss".to_vec()))));
        for url in ["ftp://ann:pass@host:x/a@b", "gopher://ann:pa:ss@host", "ann:pass@host", "simple://a:pass@h"] {
            let wrong = Target::parse(url).unwrap_err();
            assert!(wrong.contains(":(secret)@h") && !wrong.contains("ss@"), "{wrong}");
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
