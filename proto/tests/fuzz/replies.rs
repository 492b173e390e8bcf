//! Reads what a session says, as a strict client would: each reply well formed, none within another.

use std::collections::VecDeque;

use muxftp_proto::Dialect;

/// The replies of one session so far.
pub struct Replies {
    dialect: Dialect,
    /// What has come of a line whose end has not.
    begun: Vec<u8>,
    /// Lines of a listing that the shell has put between the replies.
    names: VecDeque<Vec<u8>>,
    /// The number of the reply of several lines that has begun.
    open: Option<Vec<u8>>,
}

impl Replies {
    pub fn new(dialect: Dialect) -> Replies {
        Replies { dialect, begun: Vec::new(), names: VecDeque::new(), open: None }
    }

    /// The shell has put this line, with its end, behind the replies.
    pub fn expect_name(&mut self, line: &[u8]) {
        self.names.push_back(line.to_vec());
    }

    /// Bytes that the session has said.
    pub fn take(&mut self, bytes: &[u8]) {
        self.begun.extend_from_slice(bytes);
        while let Some(end) = self.begun.iter().position(|&byte| byte == b'\n') {
            let line: Vec<u8> = self.begun.drain(..=end).collect();
            if self.names.front() == Some(&line) {
                self.names.pop_front();
            } else {
                self.line(&line);
            }
        }
    }

    /// The session has said all it will ever say.
    pub fn end(&self) {
        assert!(self.begun.is_empty(), "half a reply: {}", self.begun.escape_ascii());
        assert!(self.names.is_empty(), "names were lost");
        assert_eq!(self.open, None, "a reply without its end");
    }

    fn line(&mut self, line: &[u8]) {
        let shown = line.escape_ascii();
        let end: &[u8] = if self.dialect == Dialect::Updown { b"\n" } else { b"\r\n" };
        let text = line.strip_suffix(end).unwrap_or_else(|| panic!("another line end: {shown}"));
        assert!(!text.iter().any(|byte| b"\0\r".contains(byte)), "a line end within a reply: {shown}");
        match self.dialect {
            Dialect::Simple | Dialect::Updown => {
                assert!(self.dialect.parse_reply(text).is_some(), "no reply of {}: {shown}", self.dialect);
            }
            Dialect::Ftp => self.numbered(text),
        }
    }

    /// RFC 959 4.2.
    fn numbered(&mut self, text: &[u8]) {
        let shown = text.escape_ascii();
        let number = text.get(..3).filter(|number| number.iter().all(u8::is_ascii_digit));
        match (&self.open, number, text.get(3)) {
            (None, Some(number), Some(b'-')) => self.open = Some(number.to_vec()),
            (None, Some(number), Some(b' ')) => assert!((b'1'..=b'5').contains(&number[0]), "no such number: {shown}"),
            (Some(open), Some(number), Some(b' ')) if open == number => self.open = None,
            (Some(_), None, _) => assert!(text.starts_with(b" "), "within a reply: {shown}"),
            (Some(open), ..) => panic!("within the reply {}: {shown}", open.escape_ascii()),
            (None, ..) => panic!("no reply: {shown}"),
        }
    }
}
