//! The dialect `updown`: UPLOAD, DOWNLOAD, LIST, QUIT; replies OK, DONE and ERROR; one data port for all sessions.
//!
//! A download waits for the client's word READY. A listing comes on the control connection, between OK and DONE; a name
//! that would be read as its end is listed with `./` before it ([`listing_prefix`]). Replies end in LF.

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
    let alone = |command| if argument.is_empty() { Ok(command) } else { Err(Cause::BadArgument) };
    match verb.to_ascii_uppercase().as_slice() {
        b"DOWNLOAD" => Ok(Command::Get { path: VPath::parse_file(argument)? }),
        b"UPLOAD" => match split_size(argument)? {
            (name, Some(size)) => Ok(Command::Put { path: VPath::parse_file(name)?, size: Some(size) }),
            (b"", None) => Err(Cause::BadArgument),
            (_, None) => Err(Cause::BadSize),
        },
        b"LIST" => Ok(Command::List { path: VPath::parse(argument)? }),
        b"READY" => alone(Command::Ready),
        b"QUIT" => alone(Command::Quit),
        _ if is_of_ftp(verb) => Err(Cause::OtherDialect),
        _ => Err(Cause::UnknownCommand),
    }
}

/// Prints a command line with its end.
///
/// # Errors
/// [`Unsayable`] when the name does not survive the line, or an upload has no size.
pub(super) fn print_request(request: &Request<'_>, out: &mut Vec<u8>) -> Result<(), Unsayable> {
    let (verb, name, size) = match *request {
        Request::Get { name } => ("DOWNLOAD", Some(name), None),
        Request::Put { name, size: Some(size) } => ("UPLOAD", Some(name), Some(size)),
        Request::Put { size: None, .. } => return Err(Unsayable),
        Request::List { path } => ("LIST", path, None),
        Request::Ready => ("READY", None, None),
        Request::Quit => ("QUIT", None, None),
    };
    if !name.is_none_or(is_sayable) {
        return Err(Unsayable);
    }
    out.extend_from_slice(verb.as_bytes());
    if let Some(name) = name {
        out.push(b' ');
        out.extend_from_slice(name);
    }
    if let Some(size) = size {
        out.extend_from_slice(format!(" {size}").as_bytes());
    }
    out.push(b'\n');
    Ok(())
}

/// Prints a reply with its end.
pub(super) fn print_reply(reply: &Reply, out: &mut Vec<u8>) {
    let text = match reply {
        Reply::Opening { port, size: None } => format!("OK {port}\n"),
        Reply::Opening { port, size: Some(size) } => format!("OK {size} {port}\n"),
        Reply::NamesFollow | Reply::OpeningNew { .. } | Reply::Goodbye => "OK\n".to_owned(),
        Reply::Complete | Reply::NamesComplete => "DONE\n".to_owned(),
        Reply::Refused { cause, .. } | Reply::NamesFailed(cause) => format!("ERROR {}\n", word(*cause)),
    };
    out.extend_from_slice(text.as_bytes());
}

/// Reads a reply line (without its end); `None`: it is none of this dialect.
pub(super) fn parse_reply(line: &[u8]) -> Option<Answer<'_>> {
    let (word, rest) = split_verb(line);
    match word {
        b"DONE" if rest.is_empty() => Some(Answer::Complete),
        b"ERROR" => Some(Answer::Refused { code: 0, text: rest }),
        b"OK" => {
            let mut numbers = std::str::from_utf8(rest).ok()?.split_ascii_whitespace();
            let port = |word: &str| word.parse().ok().filter(|&port| port != 0);
            match (numbers.next(), numbers.next(), numbers.next()) {
                (None, ..) => Some(Answer::Accepted),
                (Some(word), None, _) => Some(Answer::Opening { port: port(word)?, size: None }),
                (Some(size), Some(word), None) => {
                    Some(Answer::Opening { port: port(word)?, size: Some(size.parse().ok()?) })
                }
                _ => None,
            }
        }
        _ => None,
    }
}

/// What stands before a name in a listing: without it, `DONE` and `ERROR …` would be its end.
pub(super) fn listing_prefix(name: &[u8]) -> &'static [u8] {
    match parse_reply(name) {
        Some(Answer::Complete | Answer::Refused { .. }) => b"./",
        _ => b"",
    }
}

/// The verb of a transfer.
pub(super) fn verb(kind: TransferKind) -> &'static str {
    match kind {
        TransferKind::Download => "DOWNLOAD",
        TransferKind::Upload { .. } => "UPLOAD",
        TransferKind::Listing => "LIST",
    }
}

/// The one word after ERROR: the words of the cause without what is between them.
fn word(cause: Cause) -> String {
    let word: String = cause.words().chars().filter(char::is_ascii_alphanumeric).collect();
    if cause == Cause::OtherDialect { word + "Updown" } else { word }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(name: &str) -> VPath {
        VPath::parse(name.as_bytes()).unwrap()
    }

    #[test]
    fn commands_are_read() {
        let put = |name, size| Ok(Command::Put { path: path(name), size: Some(size) });
        let table: &[(&str, Result<Command, Cause>)] = &[
            ("DOWNLOAD photo.jpg", Ok(Command::Get { path: path("photo.jpg") })),
            ("download my photo 7", Ok(Command::Get { path: path("my photo 7") })),
            ("UPLOAD photo.jpg 118601", put("photo.jpg", 118_601)),
            ("Upload my photo 0", put("my photo", 0)),
            ("UPLOAD 12 12", put("12", 12)),
            ("UPLOAD photo.jpg", Err(Cause::BadSize)),
            ("UPLOAD 12", Err(Cause::BadSize)),
            ("UPLOAD photo.jpg -1", Err(Cause::BadSize)),
            ("UPLOAD", Err(Cause::BadArgument)),
            ("UPLOAD ../x 1", Err(Cause::BadName)),
            ("LIST", Ok(Command::List { path: VPath::root() })),
            ("LIST photos", Ok(Command::List { path: path("photos") })),
            ("READY", Ok(Command::Ready)),
            ("READY now", Err(Cause::BadArgument)),
            ("QUIT", Ok(Command::Quit)),
            ("GET x", Err(Cause::UnknownCommand)),
            ("USER ann", Err(Cause::OtherDialect)),
            ("FEAT", Err(Cause::OtherDialect)),
            ("", Err(Cause::UnknownCommand)),
        ];
        for (line, command) in table {
            assert_eq!(parse_command(line.as_bytes()), *command, "{line:?}");
        }
    }

    #[test]
    fn what_a_client_prints_a_server_reads() {
        let table: &[(Request<'_>, &str, Command)] = &[
            (Request::Get { name: b"a 7" }, "DOWNLOAD a 7\n", Command::Get { path: path("a 7") }),
            (
                Request::Put { name: b"a 7", size: Some(0) },
                "UPLOAD a 7 0\n",
                Command::Put { path: path("a 7"), size: Some(0) },
            ),
            (Request::List { path: None }, "LIST\n", Command::List { path: VPath::root() }),
            (Request::List { path: Some(b"d") }, "LIST d\n", Command::List { path: path("d") }),
            (Request::Ready, "READY\n", Command::Ready),
            (Request::Quit, "QUIT\n", Command::Quit),
        ];
        for (request, text, command) in table {
            let mut out = Vec::new();
            print_request(request, &mut out).unwrap();
            assert_eq!(out, text.as_bytes());
            assert_eq!(parse_command(out.trim_ascii_end()).as_ref(), Ok(command));
        }
        for unsayable in
            [Request::Put { name: b"a", size: None }, Request::Get { name: b"a\nb" }, Request::Get { name: b"" }]
        {
            let mut out = Vec::new();
            assert_eq!(print_request(&unsayable, &mut out), Err(Unsayable), "{unsayable:?}");
            assert!(out.is_empty());
        }
    }

    #[test]
    fn what_a_server_prints_a_client_reads() {
        let opening = |port, size| Answer::Opening { port, size };
        let table: &[(Reply, &str, Answer<'_>)] = &[
            (Reply::Opening { port: 5002, size: None }, "OK 5002", opening(5002, None)),
            (Reply::Opening { port: 5002, size: Some(9) }, "OK 9 5002", opening(5002, Some(9))),
            (Reply::NamesFollow, "OK", Answer::Accepted),
            (Reply::Goodbye, "OK", Answer::Accepted),
            (Reply::Complete, "DONE", Answer::Complete),
            (Reply::refused(Cause::NotFound), "ERROR FileNotFound", Answer::Refused { code: 0, text: b"FileNotFound" }),
            (
                Reply::refused(Cause::OtherDialect),
                "ERROR ThisPortSpeaksUpdown",
                Answer::Refused { code: 0, text: b"ThisPortSpeaksUpdown" },
            ),
        ];
        for (reply, text, answer) in table {
            let mut out = Vec::new();
            print_reply(reply, &mut out);
            assert_eq!(out, format!("{text}\n").as_bytes());
            assert_eq!(parse_reply(text.as_bytes()), Some(*answer));
        }
        for line in ["", "200 OK 1", "OK 0", "OK 70000", "OK x 5002", "OK 1 2 3", "DONE 1", "220 Welcome"] {
            assert_eq!(parse_reply(line.as_bytes()), None, "{line:?}");
        }
    }

    #[test]
    fn no_name_is_taken_for_the_end_of_its_listing() {
        for (name, prefix) in [("DONE", "./"), ("ERROR x", "./"), ("ERROR", "./"), ("OK", ""), ("done", ""), ("a", "")]
        {
            assert_eq!(listing_prefix(name.as_bytes()), prefix.as_bytes(), "{name}");
            let listed = [prefix, name].concat();
            assert_eq!(VPath::parse(listed.as_bytes()).unwrap(), path(name), "it names the same file");
            assert!(!matches!(parse_reply(listed.as_bytes()), Some(Answer::Complete | Answer::Refused { .. })));
        }
    }

    #[test]
    fn each_error_is_one_word() {
        for cause in Cause::ALL {
            let mut out = Vec::new();
            print_reply(&Reply::refused(cause), &mut out);
            assert_eq!(out.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty()).count(), 2, "{cause:?}");
        }
    }
}
