//! Recognizes lines of other protocols on a control connection.
//!
//! A web page can make a browser send commands to us in the body of a request, with the rights of whoever sits at the
//! browser (cross-protocol scripting; with TLS: ALPACA). What gives such a connection away is around the body: the
//! request line, the header lines, a TLS handshake. A session ends at the first of them, wherever it comes.

/// Whether the line belongs to a protocol that is none of our dialects. It may still have a verb of theirs: `GET / HTTP/1.1`.
pub(crate) fn is_foreign(line: &[u8]) -> bool {
    let line = line.trim_ascii();
    let word_end = line.iter().position(u8::is_ascii_whitespace).unwrap_or(line.len());
    let (word, rest) = line.split_at(word_end);
    is_foreign_start(line)
        || OPENINGS.iter().any(|opening| line.starts_with(opening))
        || (METHODS.contains(&word) && is_target(rest.trim_ascii_start()))
        || (!rest.is_empty() && GREETINGS.iter().any(|greeting| word.eq_ignore_ascii_case(greeting)))
        || word.eq_ignore_ascii_case(b"STARTTLS")
        || ends_with_version(line)
        || is_header(line)
}

/// Whether the bytes, perhaps of an unfinished line, begin a protocol that has no lines: TLS.
pub(crate) fn is_foreign_start(bytes: &[u8]) -> bool {
    bytes.starts_with(TLS_HANDSHAKE)
}

/// Whether it begins as what a request of HTTP is about: a path, or the server itself.
fn is_target(rest: &[u8]) -> bool {
    matches!(rest.first(), Some(b'/' | b'*'))
}

/// Whether the last word is the version of a protocol, as in each request line of HTTP: `HTTP/1.1`.
fn ends_with_version(line: &[u8]) -> bool {
    let Some(blank) = line.iter().rposition(u8::is_ascii_whitespace) else { return false };
    is_version(&line[blank + 1..])
}

/// Whether the word is a name of a protocol and its version.
pub(crate) fn is_version(word: &[u8]) -> bool {
    let Some(slash) = word.iter().position(|&byte| byte == b'/') else { return false };
    let (name, version) = (&word[..slash], &word[slash + 1..]);
    let is_named = PROTOCOLS.iter().any(|protocol| name.eq_ignore_ascii_case(protocol));
    let is_number = version.first().is_some_and(u8::is_ascii_digit);
    is_named && is_number && version.iter().all(|byte| byte.is_ascii_digit() || *byte == b'.')
}

/// `Host: x`: a word of two characters or more with a colon directly after it. No verb of ours has a colon.
fn is_header(line: &[u8]) -> bool {
    let Some(colon) = line.iter().position(|&byte| byte == b':') else { return false };
    let name = &line[..colon];
    name.len() > 1
        && name[0].is_ascii_alphabetic()
        && name.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

/// A record of a TLS handshake, of version 3.x.
const TLS_HANDSHAKE: &[u8] = &[0x16, 0x03];

/// What SSH, and a server of HTTP, begin with.
const OPENINGS: &[&[u8]] = &[b"SSH-", b"HTTP/"];

/// Methods of HTTP that are no verbs of any dialect, as browsers write them. GET and PUT are verbs of `simple`, and what
/// people try in `updown`.
const METHODS: &[&[u8]] = &[b"POST", b"HEAD", b"OPTIONS", b"PATCH", b"DELETE", b"CONNECT", b"TRACE"];

/// How clients of SMTP and LMTP begin.
const GREETINGS: &[&[u8]] = &[b"EHLO", b"HELO", b"LHLO"];

/// Protocols whose request lines end with their version.
const PROTOCOLS: &[&[u8]] = &[b"HTTP", b"RTSP", b"SIP", b"ICAP"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_protocols_are_recognized_by_any_of_their_lines() {
        for line in [
            "GET / HTTP/1.1",
            "get / http/1.1",
            "GET /x?y=z HTTP/2",
            "PUT /x HTTP/1.1\r",
            "POST / HTTP/1.0",
            "FROB a HTTP/1.1 ",
            "FROB\ta\tHTTP/1.1",
            "PRI * HTTP/2.0",
            "CONNECT x:443 HTTP/1.1",
            "OPTIONS rtsp://x RTSP/1.0",
            "INVITE sip:x SIP/2.0",
            "POST /",
            "OPTIONS *",
            "HTTP/1.1 200 OK",
            "Host: localhost:5001",
            "host:localhost",
            "Content-Type: text/plain",
            "Sec-Fetch-Mode: no-cors",
            "EHLO mail.example",
            "helo x",
            "STARTTLS",
            "SSH-2.0-OpenSSH_9.2",
            "\u{16}\u{3}\u{1}\u{2}",
        ] {
            assert!(is_foreign(line.as_bytes()), "{line:?}");
        }
    }

    #[test]
    fn lines_of_our_dialects_are_not() {
        for line in [
            "",
            "GET x HTTP",
            "GET notes on HTTP 1.1",
            "PUT HTTP/readme 12",
            "PUT x HTTP/1.1 12",
            "GET HTTP/1.1a",
            "GET a: b",
            "PUT C: 5",
            "GET /etc/passwd",
            "GET POST",
            "DELETE x",
            "EXIT",
            "ls",
            "UPLOAD Host: x 5",
            "EHLO",
            "a: b",
            ": x",
            "0x: y",
            "posted",
            "\u{16}",
        ] {
            assert!(!is_foreign(line.as_bytes()), "{line:?}");
        }
    }
}
