//! Replies of `ftp` as a client reads them: lines put together, and the values in them.
//!
//! It must not know what was asked. What a number means is RFC 959's affair; the words are the server's, kept for people.
//!
//! Invariant: no more than [`limits::ANSWER_BYTES_MAX`] of a reply are kept, however much a server says.

use std::net::SocketAddrV4;

use crate::limits;
use crate::representation::time::parse_time_val;

use super::address;

/// A whole reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    /// 100 to 599.
    pub(crate) code: u16,
    /// What stands behind the number, without line ends: one line for most replies. Lines between the first and the last
    /// are as they came.
    pub(crate) lines: Vec<Vec<u8>>,
}

/// Lines that are no reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NoAnswer(pub(crate) Vec<u8>);

/// Puts the lines of replies together (RFC 959 4.2).
#[derive(Debug, Default)]
pub(crate) struct AnswerReader {
    /// A reply of several lines that has begun.
    open: Option<Answer>,
    bytes: usize,
}

impl Answer {
    /// The first digit: how far the command has come.
    pub(crate) fn class(&self) -> u16 {
        self.code / 100
    }

    pub(crate) fn is_preliminary(&self) -> bool {
        self.class() == 1
    }

    pub(crate) fn is_complete(&self) -> bool {
        self.class() == 2
    }

    /// The server wants the next part of a sequence.
    pub(crate) fn is_intermediate(&self) -> bool {
        self.class() == 3
    }

    /// The command is not known, or not with this argument.
    pub(crate) fn is_permanent_refusal(&self) -> bool {
        self.class() == 5
    }

    /// Its words, lines separated by LF.
    pub(crate) fn text(&self) -> Vec<u8> {
        self.lines.join(&b'\n')
    }

    /// Its number and its words, for people.
    pub(crate) fn shown(&self) -> Vec<u8> {
        [self.code.to_string().as_bytes(), b" ", &self.text()].concat()
    }

    fn first(&self) -> &[u8] {
        self.lines.first().map_or(&[], Vec::as_slice)
    }
}

impl AnswerReader {
    /// Whether a reply of several lines has begun, and not ended.
    pub(crate) fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// Takes a line; gives the reply that it ends.
    ///
    /// # Errors
    /// The line is no part of a reply, or the reply is beyond all bounds.
    pub(crate) fn take(&mut self, line: &[u8]) -> Result<Option<Answer>, NoAnswer> {
        let cut = cut(line);
        let Some(mut open) = self.open.take() else {
            return match cut {
                Some((code, b' ' | 0, text)) => Ok(Some(Answer { code, lines: vec![text.to_vec()] })),
                Some((code, _, text)) => {
                    self.bytes = text.len();
                    self.open = Some(Answer { code, lines: vec![text.to_vec()] });
                    Ok(None)
                }
                None => Err(NoAnswer(line.to_vec())),
            };
        };
        self.bytes += line.len() + 1;
        if self.bytes > limits::ANSWER_BYTES_MAX || open.lines.len() >= limits::ANSWER_LINES_MAX {
            return Err(NoAnswer(b"(a reply beyond all bounds)".to_vec()));
        }
        match cut {
            Some((code, b' ' | 0, text)) if code == open.code => {
                open.lines.push(text.to_vec());
                Ok(Some(open))
            }
            // Some servers begin each line with the number.
            Some((code, b'-', text)) if code == open.code => {
                open.lines.push(text.to_vec());
                self.open = Some(open);
                Ok(None)
            }
            _ => {
                open.lines.push(line.to_vec());
                self.open = Some(open);
                Ok(None)
            }
        }
    }
}

/// Number, what stands behind it (0: nothing), and the rest.
fn cut(line: &[u8]) -> Option<(u16, u8, &[u8])> {
    let (digits, rest) = line.split_at_checked(3)?;
    let code =
        digits.iter().try_fold(0, |code, digit| digit.is_ascii_digit().then(|| code * 10 + u16::from(digit - b'0')))?;
    if !(100..600).contains(&code) {
        return None;
    }
    match rest {
        [] => Some((code, 0, rest)),
        [mark @ (b' ' | b'-'), text @ ..] => Some((code, *mark, text)),
        _ => None,
    }
}

/// The address in a 227: RFC 1123 4.1.2.6 has a client look for its first digit, since parentheses are not certain.
pub(crate) fn passive_address(answer: &Answer) -> Option<SocketAddrV4> {
    let text = answer.first();
    let is_part = |byte: &u8| byte.is_ascii_digit() || *byte == b',';
    let runs = text.split(|byte| !is_part(byte)).map(|run| run.strip_suffix(b",").unwrap_or(run));
    runs.filter(|run| run.contains(&b',')).find_map(address::parse_port)
}

/// The port in a 229: `(|||6446|)`, with any delimiter.
pub(crate) fn extended_passive_port(answer: &Answer) -> Option<u16> {
    let text = answer.first();
    let open = text.iter().position(|&byte| byte == b'(')?;
    let inside = &text[open + 1..];
    let inside = &inside[..inside.iter().position(|&byte| byte == b')')?];
    let [d1, d2, d3, digits @ .., d4] = inside else { return None };
    let same = d1.is_ascii_graphic() && !d1.is_ascii_digit() && [d2, d3, d4].iter().all(|d| *d == d1);
    let digits = if same && digits.iter().all(u8::is_ascii_digit) { digits } else { return None };
    std::str::from_utf8(digits).ok()?.parse().ok().filter(|port| *port != 0)
}

/// The path in a 257, between quotes; a doubled quote is one of the path's own (RFC 959, appendix II).
pub(crate) fn quoted_path(answer: &Answer) -> Option<Vec<u8>> {
    let text = answer.first();
    let mut rest = &text[text.iter().position(|&byte| byte == b'"')? + 1..];
    let mut path = Vec::new();
    loop {
        let quote = rest.iter().position(|&byte| byte == b'"')?;
        path.extend_from_slice(&rest[..quote]);
        match rest.get(quote + 1) {
            Some(b'"') => path.push(b'"'),
            _ => return Some(path).filter(|path| !path.is_empty()),
        }
        rest = &rest[quote + 2..];
    }
}

/// The number in a 213 (SIZE).
pub(crate) fn size(answer: &Answer) -> Option<u64> {
    let word = answer.first().trim_ascii();
    let digits = !word.is_empty() && word.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(word).ok().filter(|_| digits)?.parse().ok()
}

/// The time in a 213 (MDTM).
pub(crate) fn modified(answer: &Answer) -> Option<i64> {
    parse_time_val(answer.first().trim_ascii())
}

/// Whether a 213 holds what at least looks like a time: servers have printed years of five digits.
pub(crate) fn is_like_a_time(answer: &Answer) -> bool {
    answer.first().trim_ascii().iter().take_while(|byte| byte.is_ascii_digit()).count() >= TIME_DIGITS
}

/// RFC 3659 2.3: `YYYYMMDDHHMMSS`.
const TIME_DIGITS: usize = 14;

/// Bytes that a 150 promises: `(1234 bytes)`. A hint, for a progress bar.
pub(crate) fn promised_bytes(answer: &Answer) -> Option<u64> {
    let text = answer.first();
    let end = text.windows(7).rposition(|seven| seven == b" bytes)")?;
    let digits = text[..end].iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
    let before = end - digits;
    let word = std::str::from_utf8(&text[before..end]).ok()?;
    if before == 0 || text[before - 1] != b'(' { None } else { word.parse().ok() }
}

/// The name that STOU has chosen: `150 FILE: name` (RFC 1123 4.1.2.9).
pub(crate) fn chosen_name(answer: &Answer) -> Option<&[u8]> {
    let (word, name) = answer.first().split_at_checked(6)?;
    (word.eq_ignore_ascii_case(b"FILE: ") && !name.is_empty()).then_some(name)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::dialect::ftp::reply::{FtpReply, print_reply};
    use crate::vocab::cause::Cause;
    use crate::vocab::path::VPath;
    use crate::vocab::reply::Reply;

    fn answer(text: &str) -> Answer {
        Answer { code: 200, lines: vec![text.as_bytes().to_vec()] }
    }

    /// All replies in these lines.
    fn read(lines: &[&str]) -> Result<Vec<(u16, Vec<String>)>, NoAnswer> {
        let (mut reader, mut answers) = (AnswerReader::default(), Vec::new());
        for line in lines {
            if let Some(Answer { code, lines }) = reader.take(line.as_bytes())? {
                answers.push((code, lines.into_iter().map(|line| String::from_utf8(line).unwrap()).collect()));
            }
        }
        assert_eq!(reader.open, None, "a reply without its end");
        Ok(answers)
    }

    #[test]
    fn replies_end_where_their_number_and_a_blank_begin_a_line() {
        let whole = |code: u16, lines: &[&str]| (code, lines.iter().map(|line| (*line).to_owned()).collect::<Vec<_>>());
        for (lines, expected) in [
            (&["226 Done"][..], vec![whole(226, &["Done"])]),
            (&["226"], vec![whole(226, &[""])]),
            (&["150 a", "226 b"], vec![whole(150, &["a"]), whole(226, &["b"])]),
            (
                &["220-a", " 220 b", "221 c", "220", "200 x"],
                vec![whole(220, &["a", " 220 b", "221 c", ""]), whole(200, &["x"])],
            ),
            (&["211-a", "211-b", "2111 c", "", "211 d"], vec![whole(211, &["a", "b", "2111 c", "", "d"])]),
        ] {
            assert_eq!(read(lines), Ok(expected), "{lines:?}");
        }
        for line in ["", "22", "2x0 a", "226_a", "099 a", "600 a", "HTTP/1.1 400 Bad Request", "+OK"] {
            assert_eq!(read(&[line]), Err(NoAnswer(line.as_bytes().to_vec())), "{line}");
        }
    }

    #[test]
    fn a_reply_without_end_is_cut_off() {
        for line in ["x".repeat(1000), String::new()] {
            let mut reader = AnswerReader::default();
            assert_eq!(reader.take(b"220-a"), Ok(None));
            let lines = (0..1 << 20).take_while(|_| reader.take(line.as_bytes()) == Ok(None)).count();
            assert!(lines <= limits::ANSWER_LINES_MAX && lines * line.len() <= limits::ANSWER_BYTES_MAX);
        }
    }

    #[test]
    fn ports_are_found_in_the_words_of_many_servers() {
        for text in [
            "Entering Passive Mode (192,0,2,1,78,33).",
            "Entering Passive Mode 192,0,2,1,78,33",
            "=192,0,2,1,78,33",
            "Ok, 1 port: (192,0,2,1,78,33), use it",
        ] {
            assert_eq!(passive_address(&answer(text)), Some("192.0.2.1:20001".parse().unwrap()), "{text}");
        }
        for text in ["", "(192,0,2,1,78)", "(192,0,2,1,0,0)", "(192,0,2,256,1,1)", "(1,2,3,4,5,6,7)"] {
            assert_eq!(passive_address(&answer(text)), None, "{text}");
        }
        for (text, port) in [
            ("Entering Extended Passive Mode (|||6446|)", Some(6446)),
            ("ok (!!!1!) x", Some(1)),
            ("(|||0|)", None),
            ("(|||65536|)", None),
            ("(||6446|)", None),
            ("(|||+6|)", None),
            ("(55565)", None),
            ("(||||)", None),
            ("(|||6446|", None),
            ("|||6446|", None),
        ] {
            assert_eq!(extended_passive_port(&answer(text)), port, "{text}");
        }
    }

    #[test]
    fn values_are_found_or_not() {
        for (text, path) in [
            ("\"/\" is the directory", Some("/")),
            ("\"/a \"\"b\"\"\" made", Some("/a \"b\"")),
            ("\"\"\"\"", Some("\"")),
            ("\"/a", None),
            ("/a", None),
            ("\"\" x", None),
        ] {
            assert_eq!(quoted_path(&answer(text)), path.map(|path| path.as_bytes().to_vec()), "{text}");
        }
        for (text, bytes) in [("0", Some(0)), (" 12 ", Some(12)), ("+1", None), ("12 bytes", None), ("", None)] {
            assert_eq!(size(&answer(text)), bytes, "{text}");
        }
        for (text, bytes) in [
            ("Opening BINARY mode data connection for a b (7 bytes) (123 bytes).", Some(123)),
            ("Opening (12 bytes)", Some(12)),
            ("Opening (x12 bytes)", None),
            ("Opening ( bytes)", None),
            (" bytes)", None),
            ("12 bytes)", None),
            ("Opening", None),
        ] {
            assert_eq!(promised_bytes(&answer(text)), bytes, "{text}");
        }
        assert_eq!(chosen_name(&answer("FILE: a b")), Some(&b"a b"[..]));
        assert_eq!(chosen_name(&answer("Opening FILE: a")), None);
        assert_eq!(modified(&answer("20000229000000.5")), Some(951_782_400));
    }

    /// What our server says, read as one reply.
    fn heard(print: impl FnOnce(&mut Vec<u8>)) -> Answer {
        let mut said = Vec::new();
        print(&mut said);
        let mut reader = AnswerReader::default();
        let lines = said.split_inclusive(|&byte| byte == b'\n').map(|line| line.strip_suffix(b"\r\n").unwrap());
        let mut answers = lines.filter_map(|line| reader.take(line).unwrap());
        let answer = answers.next().expect("a whole reply");
        assert_eq!(answers.next(), None, "more than one reply");
        answer
    }

    #[test]
    fn what_our_server_says_is_read() {
        let say = |reply: FtpReply<'_>| heard(|out| reply.print(out));
        let plain = |reply: Reply| heard(|out| print_reply(&reply, out));
        let address: SocketAddrV4 = "192.0.2.1:20001".parse().unwrap();
        let path = VPath::parse(b"a \"b\"/c").unwrap();
        let refusal = |cause, upload| plain(Reply::Refused { cause, upload });

        assert_eq!(passive_address(&say(FtpReply::Passive(address))), Some(address));
        assert_eq!(extended_passive_port(&say(FtpReply::ExtendedPassive(20001))), Some(20001));
        for reply in [FtpReply::Directory(&path), FtpReply::Made(&path)] {
            assert_eq!(quoted_path(&say(reply)), Some(b"/a \"b\"/c".to_vec()));
        }
        assert_eq!(size(&say(FtpReply::Value("5000000000"))), Some(5_000_000_000));
        assert_eq!(modified(&say(FtpReply::Value("20000229000000"))), Some(951_782_400));
        assert_eq!(promised_bytes(&plain(Reply::Opening { port: 0, size: Some(123) })), Some(123));
        assert_eq!(promised_bytes(&plain(Reply::Opening { port: 0, size: None })), None);
        assert_eq!(chosen_name(&plain(Reply::OpeningNew { name: b"a b".to_vec() })), Some(&b"a b"[..]));
        let lines = FtpReply::Lines { code: 211, first: "Features", lines: b" SIZE\r\n MLST x\r\n", last: "End" };
        assert_eq!(say(lines).lines, [&b"Features"[..], b" SIZE", b" MLST x", b"End"]);

        assert!(say(FtpReply::NeedPassword { guest: true }).is_intermediate());
        assert!(say(FtpReply::NeedTarget).is_intermediate() && say(FtpReply::Restart(5)).is_intermediate());
        for reply in [FtpReply::Welcome, FtpReply::LoggedIn, FtpReply::Done("x"), FtpReply::FileDone("x")] {
            assert!(say(reply).is_complete(), "{reply:?}");
        }
        assert!(plain(Reply::Complete).is_complete() && plain(Reply::Goodbye).is_complete());
        for cause in Cause::ALL {
            for upload in [false, true] {
                let answer = refusal(cause, upload);
                assert!(matches!(answer.class(), 4 | 5), "{cause:?}");
                assert!(answer.text().starts_with(cause.words().as_bytes()));
            }
        }
    }

    proptest! {
        #[test]
        fn no_reply_panics(lines in proptest::collection::vec("[ -~\u{e4}]{0,40}", 1..4)) {
            let answer = Answer { code: 200, lines: lines.into_iter().map(String::into_bytes).collect() };
            let _ = (passive_address(&answer), extended_passive_port(&answer), quoted_path(&answer));
            let _ = (size(&answer), modified(&answer), promised_bytes(&answer), chosen_name(&answer));
        }
    }
}
