//! Reading a whole file for what is in it: a hash, its size in TYPE A, the place of a byte of TYPE A in it.
//!
//! A survey goes in steps of bounded length, since the thread that makes them serves others too. It must not know who wants
//! it; nobody has to end it: one that is not continued is gone.

use std::io;
use std::os::unix::fs::FileExt;

use muxftp_proto::representation::ascii::ToWire;
use muxftp_proto::server::io::HashAlgorithm;
use sha2::Digest;

use super::SourceFile;
use crate::limits;

/// A survey that is under way.
#[derive(Debug)]
pub struct Survey {
    file: SourceFile,
    position: u64,
    end: u64,
    work: Work,
}

#[derive(Debug)]
enum Work {
    Sha256(sha2::Sha256),
    Sha512(sha2::Sha512),
    Crc32(crc32fast::Hasher),
    /// Bytes on the wire so far.
    AsciiSize(ToWire, u64),
    /// Bytes on the wire that are still to be passed over.
    AsciiPosition(ToWire, u64),
}

/// What comes of a step.
#[derive(Debug)]
pub enum SurveyProgress {
    /// Another step is needed.
    More(Box<Survey>),
    /// That is it.
    Found(Found),
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// The hash.
    Digest(Vec<u8>),
    /// Bytes on the wire.
    AsciiSize(u64),
    /// Where in the file the byte stands. `None`: the file ends before it.
    AsciiPosition(Option<AsciiPosition>),
}

/// The place in a file of a byte on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AsciiPosition {
    /// Bytes of the file before it.
    pub offset: u64,
    /// The byte before it, on the wire, is a CR: of the file, or of the line end whose LF stands at `offset`.
    pub after_cr: bool,
}

impl Survey {
    /// Hashes the bytes from `first` up to `end`.
    pub fn hash(file: SourceFile, algorithm: HashAlgorithm, first: u64, end: u64) -> Survey {
        let work = match algorithm {
            HashAlgorithm::Sha256 => Work::Sha256(sha2::Sha256::new()),
            HashAlgorithm::Sha512 => Work::Sha512(sha2::Sha512::new()),
            HashAlgorithm::Crc32 => Work::Crc32(crc32fast::Hasher::new()),
        };
        Survey { file, position: first, end, work }
    }

    /// Counts what a file of `size` bytes would be in TYPE A.
    pub fn ascii_size(file: SourceFile, size: u64) -> Survey {
        Survey { file, position: 0, end: size, work: Work::AsciiSize(ToWire::default(), 0) }
    }

    /// Finds byte `position` of the wire in a file of `size` bytes.
    pub fn ascii_position(file: SourceFile, size: u64, position: u64) -> Survey {
        Survey { file, position: 0, end: size, work: Work::AsciiPosition(ToWire::default(), position) }
    }

    /// Reads on, a bounded number of bytes.
    ///
    /// # Errors
    /// Those of reading.
    pub fn step(mut self) -> io::Result<SurveyProgress> {
        let mut buffer = vec![0; BUFFER_BYTES];
        let step_end = self.end.min(self.position + limits::SURVEY_BYTES_PER_STEP);
        while self.position < step_end {
            let most = usize::try_from(step_end - self.position).map_or(BUFFER_BYTES, |left| left.min(BUFFER_BYTES));
            let count = self.file.read_at(&mut buffer[..most], self.position)?;
            if count == 0 {
                // Somebody on this machine has cut the file.
                self.end = self.position;
                break;
            }
            if let Some(found) = self.take(&buffer[..count]) {
                return Ok(SurveyProgress::Found(found));
            }
            self.position += count as u64;
        }
        if self.position < self.end {
            Ok(SurveyProgress::More(Box::new(self)))
        } else {
            Ok(SurveyProgress::Found(self.finish()))
        }
    }

    fn take(&mut self, bytes: &[u8]) -> Option<Found> {
        match &mut self.work {
            Work::Sha256(hasher) => hasher.update(bytes),
            Work::Sha512(hasher) => hasher.update(bytes),
            Work::Crc32(hasher) => hasher.update(bytes),
            Work::AsciiSize(text, sum) => *sum += text.count(bytes),
            Work::AsciiPosition(text, left) => {
                let before = *text;
                let whole = text.count(bytes);
                // Not within this piece: it need not be looked at byte by byte.
                if whole <= *left {
                    *left -= whole;
                    return None;
                }
                return Some(Found::AsciiPosition(Some(position_in(bytes, *left, before, self.position))));
            }
        }
        None
    }

    fn finish(self) -> Found {
        match self.work {
            Work::Sha256(hasher) => Found::Digest(hasher.finalize().to_vec()),
            Work::Sha512(hasher) => Found::Digest(hasher.finalize().to_vec()),
            Work::Crc32(hasher) => Found::Digest(hasher.finalize().to_be_bytes().to_vec()),
            Work::AsciiSize(_, sum) => Found::AsciiSize(sum),
            Work::AsciiPosition(text, 0) => {
                let after_cr = text != ToWire::default();
                Found::AsciiPosition(Some(AsciiPosition { offset: self.end, after_cr }))
            }
            Work::AsciiPosition(..) => Found::AsciiPosition(None),
        }
    }
}

/// The byte of the wire that comes after `left` others, in a piece that begins at `start` and does hold it.
fn position_in(bytes: &[u8], mut left: u64, mut text: ToWire, start: u64) -> AsciiPosition {
    let mut offset = 0;
    while left > 0 && offset < bytes.len() {
        let before = text;
        let width = text.count(&bytes[offset..=offset]);
        if width > left {
            // Only a line end is wider than one byte: it is its LF.
            return AsciiPosition { offset: start + offset as u64, after_cr: true };
        }
        debug_assert!(width == 1 || before == ToWire::default());
        left -= width;
        offset += 1;
    }
    AsciiPosition { offset: start + offset as u64, after_cr: text != ToWire::default() }
}

const BUFFER_BYTES: usize = 256 * 1024;

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn file(content: &[u8]) -> SourceFile {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(content).unwrap();
        file.into()
    }

    fn run(mut survey: Survey) -> Found {
        loop {
            match survey.step().unwrap() {
                SurveyProgress::More(next) => survey = *next,
                SurveyProgress::Found(found) => return found,
            }
        }
    }

    fn hex(found: Found) -> String {
        let Found::Digest(digest) = found else { panic!("{found:?}") };
        digest.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn hashes_are_those_of_the_standards() {
        for (algorithm, expected) in [
            (HashAlgorithm::Crc32, "cbf43926"),
            (HashAlgorithm::Sha256, "15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225"),
        ] {
            assert_eq!(hex(run(Survey::hash(file(b"123456789"), algorithm, 0, 9))), expected);
            assert_eq!(hex(run(Survey::hash(file(b"xx123456789yy"), algorithm, 2, 11))), expected);
        }
        let sha512 = hex(run(Survey::hash(file(b"abc"), HashAlgorithm::Sha512, 0, 3)));
        assert!(sha512.starts_with("ddaf35a193617abacc417349ae204131") && sha512.len() == 128);
    }

    #[test]
    fn more_than_one_step_is_one_survey() {
        let sparse = SourceFile::from(tempfile::tempfile().unwrap());
        sparse.set_len(limits::SURVEY_BYTES_PER_STEP + 5).unwrap();
        sparse.write_all_at(b"\n", limits::SURVEY_BYTES_PER_STEP + 4).unwrap();
        assert!(matches!(
            Survey::ascii_size(sparse.try_clone().unwrap(), limits::SURVEY_BYTES_PER_STEP + 5).step().unwrap(),
            SurveyProgress::More(_)
        ));
        assert_eq!(
            run(Survey::ascii_size(sparse, limits::SURVEY_BYTES_PER_STEP + 5)),
            Found::AsciiSize(limits::SURVEY_BYTES_PER_STEP + 6)
        );
    }

    #[test]
    fn positions_on_the_wire_are_found_in_the_file() {
        let content = b"a\n\nb\r\nc";
        let wire = b"a\r\n\r\nb\r\nc";
        let at = |position| match run(Survey::ascii_position(file(content), 7, position)) {
            Found::AsciiPosition(found) => found.map(|found| (found.offset, found.after_cr)),
            other => panic!("{other:?}"),
        };
        let expected = [
            (0, false),
            (1, false),
            (1, true),
            (2, false),
            (2, true),
            (3, false),
            (4, false),
            (5, true),
            (6, false),
            (7, false),
        ];
        assert_eq!(expected.len(), wire.len() + 1);
        for (position, expected) in expected.into_iter().enumerate() {
            assert_eq!(at(position as u64), Some(expected), "{position}");
        }
        assert_eq!(at(10), None);
    }
}
