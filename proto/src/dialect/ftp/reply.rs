//! The replies of `ftp`, as RFC 959 numbers and shapes them: the only place that knows a number.
//!
//! A reply of several lines begins with its number and a hyphen and ends with its number and a blank; the lines between
//! begin with a blank, so that none can be taken for the end.

use std::net::SocketAddrV4;

use crate::server::io::HashAlgorithm;
use crate::vocab::cause::Cause;
use crate::vocab::path::VPath;
use crate::vocab::reply::Reply;

use super::address;

/// What only `ftp` says; the rest is [`Reply`].
#[derive(Debug, Clone, Copy)]
pub enum FtpReply<'a> {
    /// 220: at the beginning, after REIN and HOST.
    Welcome,
    /// 331.
    NeedPassword {
        /// Any password will do.
        guest: bool,
    },
    /// 230.
    LoggedIn,
    /// 234: AUTH; the hand-shake follows.
    Secure,
    /// 200: what was asked for holds.
    Done(&'a str),
    /// 202: nothing had to be done.
    Superfluous,
    /// 250: a file or directory is as was asked for.
    FileDone(&'a str),
    /// 257: PWD.
    Directory(&'a VPath),
    /// 257: MKD.
    Made(&'a VPath),
    /// 350: RNFR.
    NeedTarget,
    /// 350: REST.
    Restart(u64),
    /// 350: RANG; `None`: the whole file again.
    Range(Option<(u64, u64)>),
    /// 227.
    Passive(SocketAddrV4),
    /// 229.
    ExtendedPassive(u16),
    /// 213: a number or a time.
    Value(&'a str),
    /// 213: HASH, with the bytes that were hashed.
    Hash {
        /// How.
        algorithm: HashAlgorithm,
        /// First and last byte.
        range: (u64, u64),
        /// The hash.
        digest: &'a [u8],
        /// As the peer gave it.
        path: &'a [u8],
    },
    /// 250: XCRC and its like.
    Digest(&'a [u8]),
    /// 226: ABOR.
    Aborted,
    /// 215.
    System,
    /// Several lines.
    Lines {
        /// Its number.
        code: u16,
        /// Behind the number at the beginning.
        first: &'a str,
        /// Each with its CR LF.
        lines: &'a [u8],
        /// Behind the number at the end.
        last: &'a str,
    },
}

impl FtpReply<'_> {
    /// Prints it with its end.
    pub fn print(&self, out: &mut Vec<u8>) {
        let mut say = |text: &str| {
            out.extend_from_slice(text.as_bytes());
            out.extend_from_slice(b"\r\n");
        };
        match *self {
            FtpReply::Welcome => say("220 muxftpd ready"),
            FtpReply::NeedPassword { guest: true } => say("331 Guest login: send your e-mail address as password"),
            FtpReply::NeedPassword { guest: false } => say("331 Password required"),
            FtpReply::LoggedIn => say("230 Logged in"),
            FtpReply::Secure => say("234 Begin TLS"),
            FtpReply::Done(text) => say(&format!("200 {text}")),
            FtpReply::Superfluous => say("202 Not needed here"),
            FtpReply::FileDone(text) => say(&format!("250 {text}")),
            FtpReply::Directory(path) => print_directory(path, "is the working directory", out),
            FtpReply::Made(path) => print_directory(path, "is made", out),
            FtpReply::NeedTarget => say("350 Send RNTO with the new name"),
            FtpReply::Restart(position) => say(&format!("350 The next transfer begins at byte {position}")),
            FtpReply::Range(None) => say("350 The next transfer is about the whole file"),
            FtpReply::Range(Some((first, last))) => {
                say(&format!("350 The next transfer is about bytes {first} to {last}"))
            }
            FtpReply::Passive(address) => {
                out.extend_from_slice(b"227 Entering Passive Mode (");
                address::print_pasv(address, out);
                out.extend_from_slice(b").\r\n");
            }
            FtpReply::ExtendedPassive(port) => say(&format!("229 Entering Extended Passive Mode (|||{port}|)")),
            FtpReply::Value(value) => say(&format!("213 {value}")),
            FtpReply::Hash { algorithm, range: (first, last), digest, path } => {
                out.extend_from_slice(format!("213 {} {first}-{last} {} ", algorithm.word(), Hex(digest)).as_bytes());
                out.extend_from_slice(path);
                out.extend_from_slice(b"\r\n");
            }
            FtpReply::Digest(digest) => say(&format!("250 {:X}", Hex(digest))),
            FtpReply::Aborted => say("226 Aborted"),
            FtpReply::System => say("215 UNIX Type: L8"),
            FtpReply::Lines { code, first, lines, last } => {
                say(&format!("{code}-{first}"));
                out.extend_from_slice(lines);
                out.extend_from_slice(format!("{code} {last}\r\n").as_bytes());
            }
        }
    }
}

/// Prints what all dialects say.
pub(in crate::dialect) fn print_reply(reply: &Reply, out: &mut Vec<u8>) {
    match reply {
        Reply::Opening { size: None, .. } => out.extend_from_slice(b"150 Opening the data connection"),
        Reply::Opening { size: Some(size), .. } => {
            out.extend_from_slice(format!("150 Opening the data connection ({size} bytes)").as_bytes());
        }
        Reply::OpeningNew { name } => {
            // RFC 1123 4.1.2.9 demands just this.
            out.extend_from_slice(b"150 FILE: ");
            out.extend_from_slice(name);
        }
        Reply::NamesFollow => out.extend_from_slice(b"213-Status follows"),
        Reply::NamesComplete => out.extend_from_slice(b"213 End of status"),
        // The number is that of the beginning: with another one, the reply of several lines would have no end.
        Reply::NamesFailed(cause) => out.extend_from_slice(format!("213 Not all: {}", cause.words()).as_bytes()),
        Reply::Complete => out.extend_from_slice(b"226 Transfer complete"),
        Reply::Goodbye => out.extend_from_slice(b"221 Goodbye"),
        Reply::Refused { cause, upload } => {
            let dialect = if *cause == Cause::OtherDialect { " ftp" } else { "" };
            out.extend_from_slice(format!("{} {}{dialect}", code(*cause, *upload), cause.words()).as_bytes());
        }
    }
    out.extend_from_slice(b"\r\n");
}

/// The number of a refusal (RFC 959 5.4; 4217 for 521, 2428 and 4217 for 522, 2228 for 534 and 536, 3659 for 554). `upload`: of a command that stores a file, for
/// which other numbers are right.
fn code(cause: Cause, upload: bool) -> u16 {
    match cause {
        Cause::NotFtp
        | Cause::LockedOut
        | Cause::TooManyOfUser
        | Cause::ShuttingDown
        | Cause::IdleTimeout
        | Cause::TooManySessions
        | Cause::TooManyFromAddress
        | Cause::TooManyErrors => 421,
        Cause::NoDataPort | Cause::DataTimeout | Cause::NoDataAgreed | Cause::DataRefused => 425,
        Cause::DataStalled | Cause::DataLost | Cause::ShortUpload | Cause::Aborted | Cause::TlsTruncated => 426,
        Cause::Busy => 450,
        Cause::DiskError | Cause::StorageTimeout | Cause::OutOfResources | Cause::Replaced => 451,
        Cause::NoSpace => 452,
        Cause::UnknownCommand | Cause::OtherDialect | Cause::LineTooLong => 500,
        Cause::BadArgument | Cause::BadSize => 501,
        Cause::NotImplemented => 502,
        Cause::BadSequence => 503,
        Cause::BadParameter | Cause::ForeignAddress => 504,
        Cause::ProtRequired => 521,
        Cause::WrongProtocol | Cause::TlsFailed | Cause::TlsNotResumed => 522,
        Cause::NotLoggedIn | Cause::LoginFailed | Cause::HomeUnavailable | Cause::TlsRequired => 530,
        Cause::ClearRefused => 534,
        Cause::BadProtection => 536,
        Cause::QuotaExceeded | Cause::FileTooLarge => 552,
        Cause::BadRestart => 554,
        Cause::BadName | Cause::NameTooLong | Cause::IsDirectory | Cause::BadLink | Cause::NotRegular if upload => 553,
        Cause::BadName
        | Cause::NameTooLong
        | Cause::IsDirectory
        | Cause::BadLink
        | Cause::NotRegular
        | Cause::NotFound
        | Cause::NotDirectory
        | Cause::PermissionDenied
        | Cause::NotAllowed
        | Cause::WebRequest
        | Cause::ReadOnly
        | Cause::Exists
        | Cause::NotEmpty => 550,
    }
}

/// `257 "/a ""quoted"" name"`: quotes are doubled (RFC 959, appendix II).
fn print_directory(path: &VPath, what: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(b"257 \"/");
    for &byte in path.as_bytes() {
        if byte == b'"' {
            out.push(b'"');
        }
        out.push(byte);
    }
    out.extend_from_slice(format!("\" {what}\r\n").as_bytes());
}

/// Bytes as hexadecimal digits.
struct Hex<'a>(&'a [u8]);

impl std::fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl std::fmt::UpperHex for Hex<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02X}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(reply: FtpReply<'_>) -> String {
        let mut out = Vec::new();
        reply.print(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn numbers_stand_where_the_rfc_has_them() {
        for (cause, upload, expected) in [
            (Cause::NotFound, false, "550 File Not Found\r\n"),
            (Cause::IsDirectory, true, "553 Is A Directory\r\n"),
            (Cause::NotAllowed, true, "550 Not Allowed\r\n"),
            (Cause::NoSpace, true, "452 No Space Left\r\n"),
            (Cause::NoDataAgreed, false, "425 Use PASV, EPSV, PORT Or EPRT First\r\n"),
        ] {
            let mut out = Vec::new();
            print_reply(&Reply::Refused { cause, upload }, &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), expected);
        }
        for cause in Cause::ALL {
            assert!((400..600).contains(&code(cause, false)) && (400..600).contains(&code(cause, true)), "{cause:?}");
        }
    }

    #[test]
    fn shapes_that_clients_parse() {
        let path = VPath::parse(b"a \"b\"").unwrap();
        let table: &[(FtpReply<'_>, &str)] = &[
            (FtpReply::Directory(&path), "257 \"/a \"\"b\"\"\" is the working directory\r\n"),
            (FtpReply::Directory(&VPath::root()), "257 \"/\" is the working directory\r\n"),
            (FtpReply::Passive("127.0.0.1:20001".parse().unwrap()), "227 Entering Passive Mode (127,0,0,1,78,33).\r\n"),
            (FtpReply::ExtendedPassive(20001), "229 Entering Extended Passive Mode (|||20001|)\r\n"),
            (FtpReply::Value("20201121054631"), "213 20201121054631\r\n"),
            (FtpReply::Digest(&[0xCB, 0xF4]), "250 CBF4\r\n"),
            (
                FtpReply::Lines { code: 211, first: "Features", lines: b" SIZE\r\n", last: "End" },
                "211-Features\r\n SIZE\r\n211 End\r\n",
            ),
        ];
        for (reply, text) in table {
            assert_eq!(printed(*reply), *text);
        }
    }
}
