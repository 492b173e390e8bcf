//! TYPE A: line ends on the wire are CR LF, in files LF (RFC 959 3.1.1.1).
//!
//! Every LF of a file becomes CR LF, also one behind a CR: so the way back restores any file byte by byte, and the size on
//! the wire is that of the file plus its number of LFs.
//!
//! Invariant: how the bytes are cut into pieces makes no difference to the result.

/// From a file to the wire.
pub fn to_wire(input: &[u8], out: &mut Vec<u8>) {
    let mut lines = input.split_inclusive(|&byte| byte == b'\n');
    for line in &mut lines {
        match line.strip_suffix(b"\n") {
            Some(text) => {
                out.extend_from_slice(text);
                out.extend_from_slice(b"\r\n");
            }
            None => out.extend_from_slice(line),
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

    fn wire(input: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        to_wire(input, &mut out);
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

    #[test]
    fn line_ends_are_converted_and_nothing_else() {
        for (local, remote) in
            [("", ""), ("a\nb", "a\r\nb"), ("\n\n", "\r\n\r\n"), ("a\rb", "a\rb"), ("a\r\n", "a\r\r\n"), ("a\r", "a\r")]
        {
            assert_eq!(wire(local.as_bytes()), remote.as_bytes(), "{local:?}");
            assert_eq!(file(&[remote.as_bytes()]), local.as_bytes(), "{remote:?}");
        }
        assert_eq!(file(&[b"a\r", b"\nb\r", b"c\r"]), b"a\nb\rc\r");
    }

    proptest! {
        #[test]
        fn the_way_back_restores_any_file_however_it_is_cut(
            content in proptest::collection::vec(prop_oneof![Just(b'\n'), Just(b'\r'), any::<u8>()], 0..200),
            cuts in proptest::collection::vec(1usize..9, 1..20),
        ) {
            let (mut sent, mut rest, mut sizes) = (Vec::new(), &content[..], cuts.iter().cycle());
            while !rest.is_empty() {
                let (piece, tail) = rest.split_at((*sizes.next().unwrap()).min(rest.len()));
                to_wire(piece, &mut sent);
                rest = tail;
            }
            prop_assert_eq!(&sent, &wire(&content));
            prop_assert_eq!(sent.len(), content.len() + content.iter().filter(|&&byte| byte == b'\n').count());
            let (mut pieces, mut rest) = (Vec::new(), &sent[..]);
            while !rest.is_empty() {
                let (piece, tail) = rest.split_at((*sizes.next().unwrap()).min(rest.len()));
                pieces.push(piece);
                rest = tail;
            }
            prop_assert_eq!(file(&pieces), content);
        }
    }
}
