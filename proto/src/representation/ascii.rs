//! TYPE A: line ends on the wire are CR LF, in files LF (RFC 959 3.1.1.1).
//!
//! An LF of a file becomes CR LF; a CR LF that is in the file already is a line end too, and stays one. So a text comes back
//! with the line ends of this system, whatever it had, and the size on the wire is that of the file plus its number of LFs
//! without a CR before them.
//!
//! Invariant: how the bytes are cut into pieces makes no difference to the result.

/// From a file to the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ToWire {
    after_cr: bool,
}

impl ToWire {
    /// From the middle of a file; `after_cr`: the byte before, on the wire, is a CR.
    pub fn from_middle(after_cr: bool) -> ToWire {
        ToWire { after_cr }
    }

    /// Converts a piece.
    pub fn convert(&mut self, input: &[u8], out: &mut Vec<u8>) {
        for line in input.split_inclusive(|&byte| byte == b'\n') {
            let text = line.strip_suffix(b"\n");
            out.extend_from_slice(text.unwrap_or(line));
            self.pass(text.unwrap_or(line));
            if text.is_some() {
                if !self.after_cr {
                    out.push(b'\r');
                }
                out.push(b'\n');
                self.after_cr = false;
            }
        }
    }

    /// How many bytes a piece becomes.
    pub fn count(&mut self, input: &[u8]) -> u64 {
        let mut added = 0;
        for line in input.split_inclusive(|&byte| byte == b'\n') {
            match line.strip_suffix(b"\n") {
                Some(text) => {
                    self.pass(text);
                    added += u64::from(!std::mem::take(&mut self.after_cr));
                }
                None => self.pass(line),
            }
        }
        input.len() as u64 + added
    }

    fn pass(&mut self, text: &[u8]) {
        if let Some(&last) = text.last() {
            self.after_cr = last == b'\r';
        }
    }
}

/// From the wire to a file: holds back a CR at the end of a piece, since an LF may follow.
#[derive(Debug, Clone, Default)]
pub struct FromWire {
    cr_is_held: bool,
}

impl FromWire {
    /// Converts a piece.
    pub fn convert(&mut self, input: &[u8], out: &mut Vec<u8>) {
        let Some(&last) = input.last() else { return };
        if std::mem::take(&mut self.cr_is_held) && input[0] != b'\n' {
            out.push(b'\r');
        }
        let body = if last == b'\r' {
            self.cr_is_held = true;
            &input[..input.len() - 1]
        } else {
            input
        };
        let mut rest = body;
        while let Some(at) = rest.windows(2).position(|pair| pair == b"\r\n") {
            out.extend_from_slice(&rest[..at]);
            rest = &rest[at + 1..];
        }
        out.extend_from_slice(rest);
    }

    /// After the last piece: what was held back.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        if std::mem::take(&mut self.cr_is_held) {
            out.push(b'\r');
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn wire(pieces: &[&[u8]]) -> Vec<u8> {
        let (mut encoder, mut out) = (ToWire::default(), Vec::new());
        for piece in pieces {
            encoder.convert(piece, &mut out);
        }
        out
    }

    fn file(pieces: &[&[u8]]) -> Vec<u8> {
        let (mut decoder, mut out) = (FromWire::default(), Vec::new());
        for piece in pieces {
            decoder.convert(piece, &mut out);
        }
        decoder.finish(&mut out);
        out
    }

    fn cut<'a>(mut rest: &'a [u8], sizes: &[usize]) -> Vec<&'a [u8]> {
        let (mut pieces, mut sizes) = (Vec::new(), sizes.iter().cycle());
        while !rest.is_empty() {
            let (piece, tail) = rest.split_at(sizes.next().map_or(1, |size| *size).min(rest.len()));
            pieces.push(piece);
            rest = tail;
        }
        pieces
    }

    #[test]
    fn line_ends_are_converted_and_nothing_else() {
        for (local, remote, back) in [
            ("", "", ""),
            ("a\nb", "a\r\nb", "a\nb"),
            ("\n\n", "\r\n\r\n", "\n\n"),
            ("a\rb", "a\rb", "a\rb"),
            ("a\r\nb\n", "a\r\nb\r\n", "a\nb\n"),
            ("a\r\r\n", "a\r\r\n", "a\r\n"),
            ("a\r", "a\r", "a\r"),
        ] {
            assert_eq!(wire(&[local.as_bytes()]), remote.as_bytes(), "{local:?}");
            assert_eq!(file(&[remote.as_bytes()]), back.as_bytes(), "{remote:?}");
        }
        assert_eq!(file(&[b"a\r", b"\nb\r", b"c\r"]), b"a\nb\rc\r");
        assert_eq!(wire(&[b"a\r", b"\nb", b"\n"]), b"a\r\nb\r\n");
    }

    proptest! {
        #[test]
        fn cuts_make_no_difference_and_a_text_of_this_system_comes_back(
            content in proptest::collection::vec(prop_oneof![Just(b'\n'), Just(b'\r'), any::<u8>()], 0..200),
            cuts in proptest::collection::vec(1usize..9, 1..20),
        ) {
            let sent = wire(&[&content]);
            prop_assert_eq!(&wire(&cut(&content, &cuts)), &sent);
            let mut counter = ToWire::default();
            let count: u64 = cut(&content, &cuts).into_iter().map(|piece| counter.count(piece)).sum();
            prop_assert_eq!(count, sent.len() as u64);
            let back = file(&[&sent]);
            prop_assert_eq!(&file(&cut(&sent, &cuts)), &back);
            if !content.windows(2).any(|pair| pair == b"\r\n") {
                prop_assert_eq!(back, content);
            }
        }
    }
}
