//! The dialect `simple`: GET, PUT, LS, EXIT; replies 200, 226 and 550; a fresh data port per transfer.
//!
//! Both directions of both ends stand here, so that what one prints is what the other reads.
//! Blanks around a name are not part of it; a name that needs them cannot be said ([`Unsayable`]).

use crate::server::io::TransferKind;
use crate::vocab::cause::Cause;
use crate::vocab::command::Command;
use crate::vocab::path::VPath;
use crate::vocab::reply::{Answer, Reply};

use super::words::{is_of_ftp, is_sayable, split_size, split_verb};
use super::{Request, Unsayable};

/// Reads a command line (without its end).
///
/// # Errors
/// The [`Cause`] to refuse it with.
pub(super) fn parse_command(line: &[u8]) -> Result<Command, Cause> {
    let (verb, argument) = split_verb(line);
    if verb.eq_ignore_ascii_case(b"GET") {
        Ok(Command::Get { path: VPath::parse_file(argument)? })
    } else if verb.eq_ignore_ascii_case(b"PUT") {
        let (name, size) = split_size(argument)?;
        Ok(Command::Put { path: VPath::parse_file(name)?, size })
    } else if verb.eq_ignore_ascii_case(b"LS") {
        Ok(Command::List { path: VPath::parse(argument)? })
    } else if verb.eq_ignore_ascii_case(b"EXIT") {
        if argument.is_empty() { Ok(Command::Quit) } else { Err(Cause::BadArgument) }
    } else if is_of_ftp(verb) || OF_UPDOWN.iter().any(|other| verb.eq_ignore_ascii_case(other)) {
        Err(Cause::OtherDialect)
    } else {
        Err(Cause::UnknownCommand)
    }
}

/// Prints a command line with its end.
///
/// # Errors
/// [`Unsayable`] when the name does not survive the line.
pub(super) fn print_request(request: &Request<'_>, out: &mut Vec<u8>) -> Result<(), Unsayable> {
    let (verb, name, size) = match *request {
        Request::Get { name } => ("GET", Some(name), None),
        Request::Put { name, size } => ("PUT", Some(name), size),
        Request::List { path } => ("LS", path, None),
        Request::Ready => return Err(Unsayable),
        Request::Quit => ("EXIT", None, None),
    };
    out.extend_from_slice(verb.as_bytes());
    if let Some(name) = name {
        if !is_sayable(name) {
            return Err(Unsayable);
        }
        out.push(b' ');
        out.extend_from_slice(name);
        // Without a size, a name that ends in a number would lose it.
        if matches!(request, Request::Put { size: None, .. }) && !matches!(split_size(name), Ok((_, None))) {
            return Err(Unsayable);
        }
    }
    if let Some(size) = size {
        out.extend_from_slice(format!(" {size}").as_bytes());
    }
    out.extend_from_slice(b"\r\n");
    Ok(())
}

/// Prints a reply with its end.
pub(super) fn print_reply(reply: &Reply, out: &mut Vec<u8>) {
    match reply {
        Reply::NamesFollow | Reply::OpeningNew { .. } => out.extend_from_slice(b"200 OK"),
        Reply::Opening { port, .. } => out.extend_from_slice(format!("200 OK {port}").as_bytes()),
        Reply::Complete | Reply::NamesComplete => out.extend_from_slice(b"226 Transfer Complete"),
        Reply::Goodbye => out.extend_from_slice(b"200 OK Goodbye"),
        Reply::Refused { cause, .. } | Reply::NamesFailed(cause) => {
            out.extend_from_slice(b"550 ");
            out.extend_from_slice(cause.words().as_bytes());
            match cause {
                Cause::UnknownCommand => out.extend_from_slice(b" (GET, PUT, LS, EXIT)"),
                Cause::OtherDialect => out.extend_from_slice(b" simple (GET, PUT, LS, EXIT)"),
                _ => {}
            }
        }
    }
    out.extend_from_slice(b"\r\n");
}

/// Reads a reply line (without its end); `None`: it is none of this dialect.
pub(super) fn parse_reply(line: &[u8]) -> Option<Answer<'_>> {
    let (code, rest) = line.split_at_checked(3)?;
    let text = rest.trim_ascii();
    match code {
        b"200" => {
            let word = text.strip_prefix(b"OK")?.trim_ascii_start();
            if word.eq_ignore_ascii_case(b"Goodbye") {
                return Some(Answer::Goodbye);
            }
            let port = std::str::from_utf8(word).ok()?.parse().ok().filter(|&port| port != 0)?;
            Some(Answer::Opening { port, size: None })
        }
        b"226" => Some(Answer::Complete),
        b"550" => Some(Answer::Refused { code: 550, text }),
        _ => None,
    }
}

/// The verb of a transfer.
/// The verbs of `updown` that neither this dialect nor `ftp` has.
const OF_UPDOWN: [&[u8]; 3] = [b"UPLOAD", b"DOWNLOAD", b"READY"];

pub(super) fn verb(kind: TransferKind) -> &'static str {
    match kind {
        TransferKind::Download => "GET",
        TransferKind::Upload { .. } => "PUT",
        TransferKind::Listing => "LS",
    }
}

#[cfg(test)]
mod tests {
    use super::super::words::MAX_SIZE;
    use super::*;

    fn path(name: &str) -> VPath {
        VPath::parse(name.as_bytes()).unwrap()
    }

    #[test]
    fn commands_are_read() {
        let get = |name| Ok(Command::Get { path: path(name) });
        let put = |name, size| Ok(Command::Put { path: path(name), size });
        let table: &[(&str, Result<Command, Cause>)] = &[
            ("GET notes.txt", get("notes.txt")),
            ("get notes.txt", get("notes.txt")),
            ("Get   my notes.txt  ", get("my notes.txt")),
            ("GET notes 12", get("notes 12")),
            ("PUT notes.txt 118601", put("notes.txt", Some(118_601))),
            ("PUT notes.txt", put("notes.txt", None)),
            ("PUT my notes.txt 12", put("my notes.txt", Some(12))),
            ("PUT my notes.txt", put("my notes.txt", None)),
            ("PUT 12", put("12", None)),
            ("PUT 12 12", put("12", Some(12))),
            ("PUT a 0", put("a", Some(0))),
            ("PUT a 9223372036854775807", put("a", Some(MAX_SIZE))),
            ("PUT a 9223372036854775808", Err(Cause::BadSize)),
            ("PUT a 99999999999999999999999", Err(Cause::BadSize)),
            ("PUT a -1", Err(Cause::BadSize)),
            ("PUT a 1x", put("a 1x", None)),
            ("LS", Ok(Command::List { path: VPath::root() })),
            ("ls sub dir", Ok(Command::List { path: path("sub dir") })),
            ("EXIT", Ok(Command::Quit)),
            ("exit ", Ok(Command::Quit)),
            ("EXIT now", Err(Cause::BadArgument)),
            ("GET", Err(Cause::BadArgument)),
            ("PUT", Err(Cause::BadArgument)),
            ("GET ../x", Err(Cause::BadName)),
            ("PUT /x 1", Err(Cause::BadName)),
            ("LS ..", Err(Cause::BadName)),
            ("GETX a", Err(Cause::UnknownCommand)),
            ("USER ann", Err(Cause::OtherDialect)),
            ("auth TLS", Err(Cause::OtherDialect)),
            ("DOWNLOAD a", Err(Cause::OtherDialect)),
            ("", Err(Cause::UnknownCommand)),
            ("\u{0}", Err(Cause::UnknownCommand)),
        ];
        for (line, command) in table {
            assert_eq!(parse_command(line.as_bytes()), *command, "{line:?}");
        }
    }

    #[test]
    fn what_a_client_prints_a_server_reads() {
        let table: &[(Request<'_>, &str, Command)] = &[
            (Request::Get { name: b"a b 7" }, "GET a b 7\r\n", Command::Get { path: path("a b 7") }),
            (
                Request::Put { name: b"a 7", size: Some(0) },
                "PUT a 7 0\r\n",
                Command::Put { path: path("a 7"), size: Some(0) },
            ),
            (Request::Put { name: b"a", size: None }, "PUT a\r\n", Command::Put { path: path("a"), size: None }),
            (Request::List { path: None }, "LS\r\n", Command::List { path: VPath::root() }),
            (Request::List { path: Some(b"d") }, "LS d\r\n", Command::List { path: path("d") }),
            (Request::Quit, "EXIT\r\n", Command::Quit),
        ];
        for (request, text, command) in table {
            let mut out = Vec::new();
            print_request(request, &mut out).unwrap();
            assert_eq!(out, text.as_bytes());
            assert_eq!(parse_command(out.trim_ascii_end()).as_ref(), Ok(command));
        }
    }

    #[test]
    fn names_that_the_line_cannot_carry_are_not_said() {
        let unsayable: &[Request<'_>] = &[
            Request::Get { name: b"" },
            Request::Get { name: b" a" },
            Request::Get { name: b"a " },
            Request::Get { name: b"a\nEXIT" },
            Request::Get { name: b"a\r" },
            Request::Put { name: b"a 7", size: None },
        ];
        for request in unsayable {
            assert_eq!(print_request(request, &mut Vec::new()), Err(Unsayable), "{request:?}");
        }
    }

    #[test]
    fn what_a_server_prints_a_client_reads() {
        let table: &[(Reply, &str, Answer<'_>)] = &[
            (
                Reply::Opening { port: 20001, size: Some(9) },
                "200 OK 20001",
                Answer::Opening { port: 20001, size: None },
            ),
            (Reply::Complete, "226 Transfer Complete", Answer::Complete),
            (Reply::Goodbye, "200 OK Goodbye", Answer::Goodbye),
            (
                Reply::refused(Cause::NotFound),
                "550 File Not Found",
                Answer::Refused { code: 550, text: b"File Not Found" },
            ),
            (
                Reply::refused(Cause::OtherDialect),
                "550 This Port Speaks simple (GET, PUT, LS, EXIT)",
                Answer::Refused { code: 550, text: b"This Port Speaks simple (GET, PUT, LS, EXIT)" },
            ),
        ];
        for (reply, text, answer) in table {
            let mut out = Vec::new();
            print_reply(reply, &mut out);
            assert_eq!(out, format!("{text}\r\n").as_bytes());
            assert_eq!(parse_reply(text.as_bytes()), Some(*answer));
        }
    }

    #[test]
    fn what_is_no_reply_is_not_taken_for_one() {
        for line in ["", "2", "200", "200 OK", "200 OK 0", "200 OK 70000", "200 OK -1", "220 Welcome", "HTTP/1.1 400"] {
            assert_eq!(parse_reply(line.as_bytes()), None, "{line:?}");
        }
    }
}
