//! Recognizes the request of a browser on a data connection that is to carry an upload.
//!
//! A web page can make a browser send a request to a data port. If an upload is waited for there, the request would be
//! stored in its place. An upload may begin like a request all the same: a capture, or a file of an HTTP client. Where
//! that matters, the port in the Host header decides: a browser names the port that it connects to.

use crate::dialect::foreign::is_version;

/// What the beginning of a data connection is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The content of a file.
    Content,
    /// It may be either; more bytes are needed.
    Undecided,
    /// The request of a browser.
    Request,
}

/// Judges the first bytes of a data connection. `port`: it is a request only if its Host header names this port; `None`:
/// the request line suffices. `is_all`: there are no more bytes, or there is no room to wait for them.
pub fn judge(start: &[u8], port: Option<u16>, is_all: bool) -> Verdict {
    if is_client_hello(start) {
        return Verdict::Request;
    }
    let verdict = judge_request(start, port);
    match verdict {
        Verdict::Undecided if is_all => judge_rest(start, port),
        Verdict::Undecided => Verdict::Undecided,
        _ if !is_all && may_be_client_hello(start) => Verdict::Undecided,
        _ => verdict,
    }
}

/// With all the bytes that there are.
fn judge_rest(start: &[u8], port: Option<u16>) -> Verdict {
    let (line, is_whole) = first_line(start);
    // A request line so long that its end is not seen, or the end of an upload without a line end.
    let is_request = match port {
        _ if is_whole => false,
        None => is_request_line(line) || has_far_target(line) || is_cut_request(line),
        Some(_) => has_far_target(line),
    };
    if is_request { Verdict::Request } else { Verdict::Content }
}

fn judge_request(start: &[u8], port: Option<u16>) -> Verdict {
    // The method: a word of letters, then a blank.
    let method = start.iter().take(METHOD_BYTES_MAX + 1).position(|byte| !is_method_byte(*byte));
    match method {
        None if start.len() <= METHOD_BYTES_MAX => return Verdict::Undecided,
        Some(end) if end > 0 && start[end] == b' ' => {}
        _ => return Verdict::Content,
    }
    let (line, is_whole) = first_line(start);
    match (is_whole, port) {
        (false, _) => Verdict::Undecided,
        (true, _) if !is_request_line(line) => Verdict::Content,
        (true, None) => Verdict::Request,
        (true, Some(port)) => judge_host(&start[line.len()..], port),
    }
}

/// Looks for the Host header among the lines after the request line.
fn judge_host(rest: &[u8], port: u16) -> Verdict {
    let mut lines = rest.split_inclusive(|&byte| byte == b'\n');
    lines.next();
    for line in lines {
        let Some(line) = line.strip_suffix(b"\n") else { return Verdict::Undecided };
        let line = line.trim_ascii();
        let Some(colon) = line.iter().position(|&byte| byte == b':') else { return Verdict::Content };
        if line[..colon].eq_ignore_ascii_case(b"host") {
            let named = line[colon + 1..].ends_with(format!(":{port}").as_bytes());
            return if named { Verdict::Request } else { Verdict::Content };
        }
    }
    Verdict::Undecided
}

/// The first line without its end, and whether its end is there.
fn first_line(start: &[u8]) -> (&[u8], bool) {
    match start.iter().position(|&byte| byte == b'\n') {
        Some(end) => (&start[..end], true),
        None => (start, false),
    }
}

/// `POST /path HTTP/1.1`, with any word as the method. The target has a form of RFC 9112 3.2, so that a title such as
/// `Upgrade to HTTP/2` is none.
fn is_request_line(line: &[u8]) -> bool {
    let words: Vec<&[u8]> = line.trim_ascii_end().split(|&byte| byte == b' ').take(4).collect();
    let [method, target, version] = words[..] else { return false };
    let has_target = match target {
        [b'/', ..] | b"*" => true,
        _ if method.eq_ignore_ascii_case(b"CONNECT") => target.contains(&b':'),
        _ => target.windows(3).any(|part| part == b"://"),
    };
    has_target && is_version(version) && version.get(..5).is_some_and(|name| name.eq_ignore_ascii_case(b"HTTP/"))
}

/// `POST /path`, whose end has not come.
fn has_far_target(line: &[u8]) -> bool {
    let target = line.splitn(2, |&byte| byte == b' ').nth(1).unwrap_or_default();
    let is_long = line.len() >= LONG_LINE_BYTES;
    is_long && (target.starts_with(b"/") || target.starts_with(b"http"))
}

/// The beginning of a request, of which an upload with a small declared size takes no more.
fn is_cut_request(line: &[u8]) -> bool {
    METHODS.iter().any(|method| {
        let target = line.strip_prefix(*method).and_then(|rest| rest.strip_prefix(b" "));
        target.is_some_and(|target| target.is_empty() || target.starts_with(b"/"))
    })
}

/// A TLS record of the type handshake with a ClientHello in it.
fn is_client_hello(start: &[u8]) -> bool {
    matches!(start, [0x16, 3, 0..=4, _, _, 1, 0, _, _, 3, 0..=4, ..])
}

fn may_be_client_hello(start: &[u8]) -> bool {
    start.len() < CLIENT_HELLO_BYTES && start.starts_with(&[0x16, 3][..start.len().min(2)])
}

fn is_method_byte(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == b'-' || byte == b'_'
}

/// Bytes of a beginning that is kept until it is known what it is: request lines of browsers are seldom longer, and one
/// that is has begun with a path.
pub const START_BYTES_MAX: usize = 16 * 1024;

/// The longest method that is in use has 17 letters.
const METHOD_BYTES_MAX: usize = 20;

/// Methods that a browser sends, as it writes them.
const METHODS: [&[u8]; 7] = [b"GET", b"POST", b"PUT", b"HEAD", b"OPTIONS", b"PATCH", b"DELETE"];

/// What [`is_client_hello`] looks at.
const CLIENT_HELLO_BYTES: usize = 11;

/// A line that is still without an end here is no sentence.
const LONG_LINE_BYTES: usize = START_BYTES_MAX / 2;

#[cfg(test)]
mod tests {
    use super::*;
    use Verdict::{Content, Request, Undecided};

    #[test]
    fn requests_are_recognized_by_their_first_line() {
        for (start, more, all) in [
            ("POST / HTTP/1.1\r\n", Request, Request),
            ("GET / HTTP/1.1\n", Request, Request),
            ("get /x http/2\r\nHost: x\r\n", Request, Request),
            ("OPTIONS * HTTP/1.1\r\n", Request, Request),
            ("CONNECT a:1 HTTP/1.0\r\n", Request, Request),
            ("FROB /x HTTP/1.1\n", Request, Request),
            ("GET http://x/ HTTP/1.1\n", Request, Request),
            ("POST / HTTP/1.1", Undecided, Request),
            ("POST / HT", Undecided, Request),
            ("POST ", Undecided, Request),
            ("POST it", Undecided, Content),
            ("PO", Undecided, Content),
            ("", Undecided, Content),
            ("Hello, world\n", Content, Content),
            ("A line of text, and\nPOST / HTTP/1.1\r\n", Content, Content),
            ("We speak HTTP/1.1 here\n", Content, Content),
            ("HTTP/1.1 200 OK\r\n", Content, Content),
            ("123 / HTTP/1.1\r\n", Content, Content),
            (" POST / HTTP/1.1\r\n", Content, Content),
            ("POST HTTP/1.1\r\n", Content, Content),
            ("Upgrade to HTTP/2\n", Content, Content),
            ("x,y\n", Content, Content),
        ] {
            assert_eq!(judge(start.as_bytes(), None, false), more, "{start:?}");
            assert_eq!(judge(start.as_bytes(), None, true), all, "{start:?}, all");
        }
        let url = [&b"GET /"[..], &[b'a'; START_BYTES_MAX]].concat();
        assert_eq!((judge(&url, None, false), judge(&url, None, true)), (Undecided, Request));
        let text = [&b"lorem ipsum "[..], &[b'a'; START_BYTES_MAX]].concat();
        assert_eq!(judge(&text, None, true), Content);
    }

    #[test]
    fn the_host_header_tells_a_request_from_a_capture() {
        for (start, more, all) in [
            ("POST / HTTP/1.1\r\n", Undecided, Content),
            ("POST / HTTP/1.1\r\nHost: 127.0.0.1:20001\r\n", Request, Request),
            ("POST / HTTP/1.1\r\nAccept: */*\r\nhost:[::1]:20001\r\n", Request, Request),
            ("POST / HTTP/1.1\r\nHost: 127.0.0.1:20001", Undecided, Content),
            ("POST / HTTP/1.1\r\nHost: 127.0.0.1:20002\r\n", Content, Content),
            ("POST / HTTP/1.1\r\nHost: example.com\r\n", Content, Content),
            ("POST https://example.com HTTP/1.1\n\n{}\n", Content, Content),
            ("POST / HTTP/1.1\r\n\r\nHost: x:20001\r\n", Content, Content),
        ] {
            assert_eq!(judge(start.as_bytes(), Some(20001), false), more, "{start:?}");
            assert_eq!(judge(start.as_bytes(), Some(20001), true), all, "{start:?}, all");
        }
    }

    #[test]
    fn a_tls_handshake_is_no_upload() {
        let hello = [0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3, 9, 9];
        assert_eq!(judge(&hello, Some(1), false), Request);
        for end in 1..CLIENT_HELLO_BYTES {
            assert_eq!(judge(&hello[..end], None, false), Undecided, "{end}");
            assert_eq!(judge(&hello[..end], None, true), Content, "{end}");
        }
        let other = [0x16, 3, 9, 2, 0, 2, 0, 1, 0xfc, 3, 3, 9, 9];
        assert_eq!(judge(&other, None, false), Content);
    }
}
