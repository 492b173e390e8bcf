//! What the bytes of a load generator's transfer are: made and checked as they stream, never kept.

use std::io;
use std::rc::Rc;

use muxftp_client::driver::Body;

use super::names::ListingCheck;
use crate::contents::{Content, Contents};

/// The body of one operation.
#[derive(Debug)]
pub(super) enum Payload {
    /// Nothing is known of the bytes.
    Discard,
    /// A download whose bytes are known.
    Verify(Verify),
    /// An upload.
    Generate(Rc<Contents>, Content),
    /// An upload of the bytes from this one on.
    GenerateFrom(Rc<Contents>, Content, u64),
    /// No bytes: the file must have this size.
    Size(u64),
    /// A listing that is compared with the acknowledged names.
    Listing(ListingCheck),
}

/// A download whose bytes are known.
#[derive(Debug)]
pub(super) struct Verify {
    contents: Rc<Contents>,
    expected: Content,
    received: u64,
    /// Offset of the first byte that differs.
    wrong_at: Option<u64>,
}

/// What the check of a download found.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Mismatch {
    Length { expected: u64, received: u64 },
    Contents { offset: u64 },
}

impl Verify {
    pub(super) fn new(contents: &Rc<Contents>, expected: Content) -> Verify {
        Verify { contents: Rc::clone(contents), expected, received: 0, wrong_at: None }
    }

    /// All bytes have come.
    ///
    /// # Errors
    /// They were not the expected ones.
    pub(super) fn finish(&self) -> Result<(), Mismatch> {
        if let Some(offset) = self.wrong_at {
            return Err(Mismatch::Contents { offset });
        }
        if self.received != self.expected.size {
            return Err(Mismatch::Length { expected: self.expected.size, received: self.received });
        }
        Ok(())
    }

    fn receive(&mut self, bytes: &[u8]) {
        // Beyond the end there is nothing to compare with; the length tells.
        let left = self.expected.size.saturating_sub(self.received);
        let known = usize::try_from(left).map_or(bytes.len(), |left| left.min(bytes.len()));
        if self.wrong_at.is_none()
            && let Err(index) = self.contents.verify(self.expected.key, self.received, &bytes[..known])
        {
            self.wrong_at = Some(self.received + index as u64);
        }
        self.received += bytes.len() as u64;
    }
}

impl Body for Payload {
    fn receive(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Payload::Verify(verify) => verify.receive(bytes),
            Payload::Listing(check) => check.receive(bytes),
            Payload::Discard | Payload::Generate(..) | Payload::GenerateFrom(..) | Payload::Size(_) => {}
        }
        Ok(())
    }

    fn provide(&mut self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let (contents, content, from) = match self {
            Payload::Generate(contents, content) => (contents, content, 0),
            Payload::GenerateFrom(contents, content, from) => (contents, content, *from),
            _ => return Ok(0),
        };
        let offset = from + offset;
        let left = content.size.saturating_sub(offset);
        let count = usize::try_from(left).map_or(buffer.len(), |left| left.min(buffer.len()));
        contents.fill(content.key, offset, &mut buffer[..count]);
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_side_makes_the_other_accepts_and_nothing_else() {
        let contents = Rc::new(Contents::new(7));
        let content = Content { key: 3, size: 200_000 };
        let mut bytes = vec![0; content.size as usize + 10];
        let made = Payload::Generate(Rc::clone(&contents), content).provide(0, &mut bytes).unwrap();
        assert_eq!(made as u64, content.size);
        bytes.truncate(made);
        let check = |bytes: &[u8]| {
            let mut verify = Verify::new(&contents, content);
            bytes.chunks(777).for_each(|piece| verify.receive(piece));
            verify.finish()
        };
        assert_eq!(check(&bytes), Ok(()));
        let short = Mismatch::Length { expected: content.size, received: content.size - 1 };
        assert_eq!(check(&bytes[..bytes.len() - 1]), Err(short));
        let long = [&bytes[..], b"x"].concat();
        assert_eq!(check(&long), Err(Mismatch::Length { expected: content.size, received: content.size + 1 }));
        bytes[123_456] ^= 1;
        assert_eq!(check(&bytes), Err(Mismatch::Contents { offset: 123_456 }));
    }
}
