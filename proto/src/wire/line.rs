//! Cuts the bytes of a control connection into lines.
//!
//! It must not know what a line means. Lines end in LF or CRLF; the end is not part of the line.
//!
//! Invariants:
//! - how the bytes were cut on their way makes no difference to the lines that come out;
//! - a line longer than [`limits::LINE_BYTES_MAX`] comes out once, as [`Line::TooLong`], and takes no more room than a
//!   line that fits;
//! - an empty buffer holds no more than a few hundred bytes of memory.

use crate::limits;

/// Bytes that have arrived and are not yet handed out as lines.
#[derive(Debug, Default)]
pub struct LineBuffer {
    bytes: Vec<u8>,
    /// Where the next line begins.
    start: usize,
    /// Up to where no line end was found.
    scanned: usize,
    /// The line that began too long goes on: everything up to its end is dropped.
    dropping: bool,
}

/// One line, or the news that one was too long.
#[derive(Debug, PartialEq, Eq)]
pub enum Line<'a> {
    /// A whole line without its end.
    Complete(&'a [u8]),
    /// A line beyond the limit; what follows of it is dropped.
    TooLong,
}

impl LineBuffer {
    /// Takes bytes from the peer.
    pub fn push(&mut self, bytes: &[u8]) {
        let bytes = if self.dropping { self.drop_line_end(bytes) } else { bytes };
        self.bytes.extend_from_slice(bytes);
    }

    /// The next line, if a whole one is there.
    pub fn next_line(&mut self) -> Option<Line<'_>> {
        match self.bytes[self.scanned..].iter().position(|&byte| byte == b'\n') {
            Some(offset) => {
                let (start, end) = (self.start, self.scanned + offset);
                self.start = end + 1;
                self.scanned = self.start;
                let line = strip_cr(&self.bytes[start..end]);
                Some(if line.len() > limits::LINE_BYTES_MAX { Line::TooLong } else { Line::Complete(line) })
            }
            None => self.unfinished(),
        }
    }

    /// Whether the next line is there, whole and fits.
    pub fn next_is(&self, wanted: impl Fn(&[u8]) -> bool) -> bool {
        self.whole_lines().next().is_some_and(wanted)
    }

    /// Whether one of the whole lines that wait fits.
    pub fn any_is(&self, wanted: impl Fn(&[u8]) -> bool) -> bool {
        self.whole_lines().any(wanted)
    }

    /// Whether what waits begins like this, even if the end of its line is missing.
    pub fn starts(&self, wanted: impl FnOnce(&[u8]) -> bool) -> bool {
        wanted(&self.bytes[self.start..])
    }

    /// Whether nothing waits behind the next line.
    pub fn is_last(&self) -> bool {
        self.bytes[self.start..]
            .iter()
            .position(|&byte| byte == b'\n')
            .is_some_and(|end| self.start + end + 1 == self.bytes.len())
    }

    fn whole_lines(&self) -> impl Iterator<Item = &[u8]> {
        let whole = self.bytes[self.start..].split_inclusive(|&byte| byte == b'\n');
        whole.filter_map(|line| line.strip_suffix(b"\n")).map(strip_cr)
    }

    /// The bytes that wait, for what is no line.
    pub(crate) fn peek(&self) -> &[u8] {
        &self.bytes[self.start..]
    }

    /// Bytes that wait.
    pub fn waiting(&self) -> usize {
        self.bytes.len() - self.start
    }

    /// No whole line is left: make room, and give up on a line that has become too long.
    fn unfinished(&mut self) -> Option<Line<'_>> {
        self.bytes.drain(..self.start);
        self.start = 0;
        self.scanned = self.bytes.len();
        // One byte more than the limit may be the CR of a line that fits.
        let too_long = self.bytes.len() > limits::LINE_BYTES_MAX + 1;
        if too_long {
            self.bytes.clear();
            self.scanned = 0;
            self.dropping = true;
        }
        if self.bytes.is_empty() && self.bytes.capacity() > KEPT_BYTES {
            self.bytes = Vec::new();
        }
        too_long.then_some(Line::TooLong)
    }

    fn drop_line_end<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        match bytes.iter().position(|&byte| byte == b'\n') {
            Some(end) => {
                self.dropping = false;
                &bytes[end + 1..]
            }
            None => &[],
        }
    }
}

fn strip_cr(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// What an idle session may keep, so that a short command needs no allocation.
const KEPT_BYTES: usize = 128;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// All lines of a stream that arrives in these pieces.
    fn lines(pieces: &[&[u8]]) -> Vec<Option<Vec<u8>>> {
        let mut buffer = LineBuffer::default();
        let mut out = Vec::new();
        for piece in pieces {
            buffer.push(piece);
            while let Some(line) = buffer.next_line() {
                out.push(match line {
                    Line::Complete(bytes) => Some(bytes.to_vec()),
                    Line::TooLong => None,
                });
            }
            assert!(buffer.waiting() <= limits::LINE_BYTES_MAX + 1);
        }
        out
    }

    fn byte_by_byte(stream: &[u8]) -> Vec<Option<Vec<u8>>> {
        lines(&stream.chunks(1).collect::<Vec<_>>())
    }

    #[test]
    fn lines_end_in_lf_or_crlf() {
        let stream = b"GET a\r\nLS\n\r\n\nPUT b 3\r\nunfinished";
        let expected: Vec<_> =
            [&b"GET a"[..], b"LS", b"", b"", b"PUT b 3"].iter().map(|line| Some(line.to_vec())).collect();
        assert_eq!(lines(&[stream]), expected);
        assert_eq!(byte_by_byte(stream), expected);
    }

    #[test]
    fn only_one_cr_belongs_to_the_end() {
        assert_eq!(lines(&[b"a\r\r\n"]), vec![Some(b"a\r".to_vec())]);
    }

    #[test]
    fn a_line_of_the_limit_fits_and_one_more_byte_does_not() {
        for end in ["\n", "\r\n"] {
            let fits = [&vec![b'x'; limits::LINE_BYTES_MAX][..], end.as_bytes()].concat();
            assert_eq!(lines(&[&fits])[0].as_ref().map(Vec::len), Some(limits::LINE_BYTES_MAX));
            assert_eq!(byte_by_byte(&fits), lines(&[&fits]));
            let long = [&vec![b'x'; limits::LINE_BYTES_MAX + 1][..], end.as_bytes(), b"LS\n"].concat();
            assert_eq!(lines(&[&long]), vec![None, Some(b"LS".to_vec())]);
            assert_eq!(byte_by_byte(&long), lines(&[&long]));
        }
    }

    #[test]
    fn a_megabyte_without_an_end_takes_no_room() {
        let mut buffer = LineBuffer::default();
        let mut too_long = 0;
        for _ in 0..1024 {
            buffer.push(&[b'x'; 1024]);
            while let Some(line) = buffer.next_line() {
                assert_eq!(line, Line::TooLong);
                too_long += 1;
            }
            assert!(buffer.bytes.capacity() <= 4 * limits::LINE_BYTES_MAX);
        }
        assert_eq!(too_long, 1);
        buffer.push(b"\nLS\n");
        assert_eq!(buffer.next_line(), Some(Line::Complete(b"LS")));
        assert_eq!(buffer.next_line(), None);
        assert!(buffer.bytes.capacity() <= KEPT_BYTES);
    }

    proptest! {
        #[test]
        fn cuts_make_no_difference(
            stream in proptest::collection::vec(prop_oneof![Just(b'\n'), Just(b'\r'), Just(b'a'), any::<u8>()], 0..200),
            cuts in proptest::collection::vec(1usize..20, 1..40),
        ) {
            let mut pieces = Vec::new();
            let mut rest = &stream[..];
            for cut in cuts.iter().cycle() {
                if rest.is_empty() { break; }
                let (piece, tail) = rest.split_at((*cut).min(rest.len()));
                pieces.push(piece);
                rest = tail;
            }
            prop_assert_eq!(lines(&pieces), lines(&[&stream]));
        }
    }
}
