//! Where the server is: listeners, ports, and the address that it tells. One parser and one printer each.
//!
//! An error is a sentence part that says what would be right; the caller adds the place.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr, ToSocketAddrs};
use std::ops::RangeInclusive;
use std::str::FromStr;

use muxftp_proto::Dialect;

use super::value::{TlsMode, wrong_word};
use super::{EXAMPLE_PORT_IMPLICIT, Listen, default_port};

/// An inclusive range of ports, never with port 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PortRange {
    first: u16,
    last: u16,
}

/// A listener as written, before its address is looked up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListenSpec {
    /// What is spoken there.
    pub dialect: Dialect,
    /// `ADDR:PORT`; `ADDR` may be a name, and an IPv6 address stands in brackets.
    pub address: String,
    /// What is said about TLS; `None`: nothing.
    pub tls: Option<TlsMode>,
}

/// The address that PASV tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PublicAddress {
    /// The one at which the client has reached us.
    Own,
    /// This one.
    Fixed(Ipv4Addr),
    /// That of this name, looked up now and then.
    Name(String),
    /// What the metadata service of the cloud says.
    Auto,
}

impl FromStr for PublicAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<PublicAddress, String> {
        let is_name = |text: &str| text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-'));
        match text {
            "own" => Ok(PublicAddress::Own),
            "auto" => Ok(PublicAddress::Auto),
            text => match text.parse() {
                Ok(address) => Ok(PublicAddress::Fixed(address)),
                // Numbers and dots that are no address were meant to be one.
                Err(_) if is_name(text) && text.contains(|c: char| c.is_ascii_alphabetic()) => {
                    Ok(PublicAddress::Name(text.to_owned()))
                }
                Err(_) => Err(format!("`{text}` is not an IPv4 address, a host name, \"own\" or \"auto\"")),
            },
        }
    }
}

impl fmt::Display for PublicAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PublicAddress::Own => f.write_str("own"),
            PublicAddress::Fixed(address) => address.fmt(f),
            PublicAddress::Name(name) => f.write_str(name),
            PublicAddress::Auto => f.write_str("auto"),
        }
    }
}

impl PortRange {
    /// The ports from `first` to `last`; `None` when there are none or port 0 is among them.
    pub fn new(first: u16, last: u16) -> Option<PortRange> {
        (0 < first && first <= last).then_some(PortRange { first, last })
    }

    /// The lowest port.
    pub fn first(self) -> u16 {
        self.first
    }

    /// All ports, ascending.
    pub fn iter(self) -> RangeInclusive<u16> {
        self.first..=self.last
    }

    /// Whether `port` is one of them.
    pub fn contains(self, port: u16) -> bool {
        self.iter().contains(&port)
    }
}

impl fmt::Display for PortRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.first == self.last {
            true => write!(f, "{}", self.first),
            false => write!(f, "{}-{}", self.first, self.last),
        }
    }
}

impl FromStr for PortRange {
    type Err = String;

    fn from_str(text: &str) -> Result<PortRange, String> {
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        let range = || PortRange::new(first.trim().parse().ok()?, last.trim().parse().ok()?);
        range().ok_or_else(|| {
            format!("`{text}` is not a range of ports: write FIRST-LAST, such as 20000-21000, or one port")
        })
    }
}

impl FromStr for ListenSpec {
    type Err = String;

    fn from_str(text: &str) -> Result<ListenSpec, String> {
        let Some((word, address)) = text.split_once("://") else {
            return Err(format!("`{text}` is not DIALECT://ADDR:PORT, such as simple://0.0.0.0:21"));
        };
        let (dialect, tls) = match word {
            FTPS => (Dialect::Ftp, Some(TlsMode::Implicit)),
            word => (word.parse().map_err(|_| wrong_word(word, dialect_words().chain([FTPS])))?, None),
        };
        Ok(ListenSpec { dialect, address: address.to_owned(), tls })
    }
}

impl ListenSpec {
    /// Looks the address up; of a name with several addresses the first is taken.
    pub(super) fn resolve(&self) -> Result<SocketAddr, String> {
        let port = match self.tls {
            Some(TlsMode::Implicit) => EXAMPLE_PORT_IMPLICIT,
            _ => default_port(self.dialect),
        };
        resolve_address(&self.address, port)
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls == TlsMode::Implicit { FTPS } else { self.dialect.word() };
        write!(f, "{scheme}://{}", self.address)
    }
}

/// The dialect of a word.
pub(super) fn parse_dialect(word: &str) -> Result<Dialect, String> {
    word.parse().map_err(|_| wrong_word(word, dialect_words()))
}

fn dialect_words() -> impl Iterator<Item = &'static str> + Clone {
    Dialect::ALL.into_iter().map(Dialect::word)
}

/// `ADDR:PORT` as a socket address; the first one when a name has several.
pub(super) fn resolve_address(text: &str, port_example: u16) -> Result<SocketAddr, String> {
    if let Ok(address) = text.parse() {
        return Ok(address);
    }
    let has_port = text.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    if !has_port || text.matches(':').count() > 1 {
        return Err(format!("`{text}` is not ADDR:PORT, such as 127.0.0.1:{port_example} or [::1]:{port_example}"));
    }
    first_address(text.to_socket_addrs(), text)
}

/// `ADDR` and a port as a socket address; an IPv6 address may stand in brackets.
pub(super) fn resolve_host(host: &str, port: u16) -> Result<SocketAddr, String> {
    let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
    first_address((bare, port).to_socket_addrs(), host)
}

fn first_address(found: std::io::Result<impl Iterator<Item = SocketAddr>>, text: &str) -> Result<SocketAddr, String> {
    match found.map(|mut addresses| addresses.next()) {
        Ok(Some(address)) => Ok(address),
        Ok(None) => Err(format!("`{text}` has no address")),
        Err(error) => Err(format!("`{text}` has no address: {error}")),
    }
}

/// The scheme of `ftp` with implicit TLS.
const FTPS: &str = "ftps";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn public_addresses_are_of_four_kinds() {
        for text in ["own", "auto", "203.0.113.7", "ftp.example.com"] {
            assert_eq!(text.parse::<PublicAddress>().unwrap().to_string(), text);
        }
        for wrong in ["", "203.0.113", "2001:db8::1", "a b", "http://x"] {
            assert!(wrong.parse::<PublicAddress>().is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn port_ranges_never_hold_port_0() {
        assert_eq!("20000-21000".parse(), Ok(PortRange { first: 20000, last: 21000 }));
        assert_eq!("7-7".parse::<PortRange>().unwrap().iter().count(), 1);
        assert_eq!("5002".parse::<PortRange>().unwrap().to_string(), "5002");
        for wrong in ["", "0", "0-10", "5-4", "1-65536", "a-b"] {
            assert!(wrong.parse::<PortRange>().is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn addresses_are_literals_or_names() {
        for (text, address) in
            [("127.0.0.1:21", "127.0.0.1:21"), ("[::]:2021", "[::]:2021"), ("localhost:2021", "localhost:2021")]
        {
            let found = resolve_address(text, 2021).unwrap();
            let expected = address.to_socket_addrs().unwrap().next().unwrap();
            assert_eq!(found, expected);
        }
        for wrong in ["", "127.0.0.1", "::1", "127.0.0.1:x", "localhost"] {
            let error = resolve_address(wrong, 2021).unwrap_err();
            assert!(error.contains("such as 127.0.0.1:2021"), "{wrong:?}: {error}");
        }
        assert_eq!(resolve_host("[::1]", 5).unwrap(), resolve_host("::1", 5).unwrap());
    }

    #[test]
    fn a_listener_names_its_dialect() {
        assert!("smiple://[::]:1".parse::<ListenSpec>().unwrap_err().contains("did you mean `simple`?"));
    }
}
