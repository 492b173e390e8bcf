//! Command lines of `ftp` as a client says them.
//!
//! It must not know replies. The words are those of the verb table; those of TLS stand here, with what always follows them.

use std::borrow::Cow;

use crate::dialect::Unsayable;
use crate::limits;

use super::telnet::IAC;
use super::verbs::{Verb, VerbRow};

/// A line without its end.
pub(crate) fn line(verb: Verb, argument: &[u8]) -> Vec<u8> {
    let word = VerbRow::of_verb(verb).word.as_bytes();
    if argument.is_empty() { word.to_vec() } else { [word, b" ", argument].concat() }
}

/// A name as an argument. Some servers skip blanks before a name, or take what begins with a hyphen for an option and with a
/// tilde for somebody's home: such a name is said from its directory.
///
/// # Errors
/// [`Unsayable`]: it is empty, or no line can carry it.
pub(crate) fn path(name: &[u8]) -> Result<Cow<'_, [u8]>, Unsayable> {
    match name.first() {
        None => Err(Unsayable),
        Some(_) if !is_sayable(name) => Err(Unsayable),
        Some(b' ' | b'\t' | b'-' | b'~') => Ok(Cow::Owned([b"./", name].concat())),
        Some(_) => Ok(Cow::Borrowed(name)),
    }
}

/// Whether it can be in a line.
pub(crate) fn is_sayable(text: &[u8]) -> bool {
    text.len() <= limits::PATH_BYTES_MAX && !text.iter().any(|byte| matches!(byte, 0 | b'\r' | b'\n'))
}

/// Prints a line with its end. The byte 255 is doubled: alone it would begin a Telnet command (RFC 959 4.1, RFC 2640 3.1).
pub(crate) fn print(line: &[u8], out: &mut Vec<u8>) {
    for part in line.split_inclusive(|&byte| byte == IAC) {
        out.extend_from_slice(part);
        if part.last() == Some(&IAC) {
            out.push(IAC);
        }
    }
    out.extend_from_slice(b"\r\n");
}

/// A line for people: without what follows PASS and ACCT.
pub(crate) fn shown(line: &[u8]) -> &[u8] {
    let is_secret = line.get(..4).is_some_and(|word| {
        [b"PASS", b"ACCT"].iter().any(|secret| word.eq_ignore_ascii_case(*secret))
            && line.get(4).is_none_or(|b| *b == b' ')
    });
    match is_secret {
        true if line[..4].eq_ignore_ascii_case(b"PASS") => b"PASS ****",
        true => b"ACCT ****",
        false => line,
    }
}

/// RFC 4217 4.
pub(crate) const AUTH_TLS: &[u8] = b"AUTH TLS";
/// RFC 4217 8: needed before PROT, and without a meaning in TLS.
pub(crate) const PBSZ: &[u8] = b"PBSZ 0";
/// RFC 4217 9: data is protected.
pub(crate) const PROT_PRIVATE: &[u8] = b"PROT P";
/// RFC 4217 9: data is not protected.
pub(crate) const PROT_CLEAR: &[u8] = b"PROT C";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::ftp::telnet::TelnetFilter;
    use crate::dialect::ftp::verbs::parse_line;

    #[test]
    fn names_that_a_server_could_mistake_are_said_from_their_directory() {
        for (name, said) in [(" a", "./ a"), ("-a", "./-a"), ("~a", "./~a"), ("a -b ", "a -b "), ("/-a", "/-a")] {
            assert_eq!(path(name.as_bytes()).unwrap(), said.as_bytes());
        }
        let long = "x".repeat(limits::PATH_BYTES_MAX + 1);
        for name in ["", "a\rb", "a\nb", "a\0b", &long] {
            assert_eq!(path(name.as_bytes()), Err(Unsayable), "{name:?}");
        }
    }

    #[test]
    fn what_is_said_is_what_the_server_reads() {
        for name in [&b"a b"[..], b"\xff", b"a\xff\xffb\xff", b" \xff\xf4 ", b"\xe4"] {
            let (mut said, mut heard) = (Vec::new(), Vec::new());
            print(&line(Verb::Retr, name), &mut said);
            TelnetFilter::default().filter(&said, &mut heard);
            let (row, argument) = parse_line(heard.strip_suffix(b"\r\n").unwrap()).unwrap();
            assert_eq!((row.verb, argument), (Verb::Retr, name));
        }
    }

    #[test]
    fn secrets_are_not_shown() {
        for (line, public) in [
            ("PASS x y", "PASS ****"),
            ("pass x", "PASS ****"),
            ("PASS", "PASS ****"),
            ("ACCT x", "ACCT ****"),
            ("PASV", "PASV"),
            ("USER x", "USER x"),
        ] {
            assert_eq!(shown(line.as_bytes()), public.as_bytes(), "{line}");
        }
    }
}
