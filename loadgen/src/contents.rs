//! What files hold: a function of (seed, key, offset), so that no transfer needs a file at this end.
//!
//! Knows nothing of names, sockets or scenarios. Invariants:
//! - a byte depends on its absolute offset only, never on how a transfer is cut;
//! - each 64 KiB block of each file differs from every other block, so a lost, shifted or swapped block is found;
//! - the bytes of a seed are the same in every version of loadgen that says `schema = 1`.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// The contents of one version of one file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Content {
    /// Decides the bytes, together with the seed of the [`Contents`].
    pub key: u64,
    /// Bytes.
    pub size: u64,
}

/// Writes and checks the bytes of all files of a run.
#[derive(Clone)]
pub struct Contents {
    table: Box<[u8; BLOCK]>,
}

impl Contents {
    /// The contents of the runs with this seed.
    pub fn new(seed: u64) -> Contents {
        let mut table = Box::new([0; BLOCK]);
        ChaCha8Rng::seed_from_u64(seed).fill_bytes(table.as_mut_slice());
        Contents { table }
    }

    /// Writes the bytes at `offset` and after it into the whole of `out`.
    pub fn fill(&self, key: u64, offset: u64, out: &mut [u8]) {
        let mut done = 0;
        while done < out.len() {
            let piece = self.piece(key, offset + done as u64, out.len() - done);
            piece.write(&mut out[done..done + piece.table.len()]);
            done += piece.table.len();
        }
    }

    /// Compares `data` with the bytes at `offset` and after it.
    ///
    /// # Errors
    /// The index into `data` of the first byte that differs.
    pub fn verify(&self, key: u64, offset: u64, data: &[u8]) -> Result<(), usize> {
        let mut done = 0;
        while done < data.len() {
            let piece = self.piece(key, offset + done as u64, data.len() - done);
            piece.compare(&data[done..done + piece.table.len()]).map_err(|index| done + index)?;
            done += piece.table.len();
        }
        Ok(())
    }

    /// The bytes from `offset` to the end of its block, `wanted` at most.
    fn piece(&self, key: u64, offset: u64, wanted: usize) -> Piece<'_> {
        let start = (offset % BLOCK as u64) as usize;
        let length = wanted.min(BLOCK - start);
        let word = mix(key.wrapping_add(offset / BLOCK as u64));
        Piece {
            table: &self.table[start..start + length],
            // Turned so that the word begins at the piece, which need not begin at a multiple of eight.
            word: word.rotate_right(8 * (start % WORD) as u32),
        }
    }
}

impl std::fmt::Debug for Contents {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Contents").finish_non_exhaustive()
    }
}

/// The key of one version of a file.
pub fn content_key(seed: u64, name: &str, version: u64) -> u64 {
    let mut hash = Fnv::new();
    hash.write(name.as_bytes());
    mix(mix(hash.finish() ^ mix(seed)).wrapping_add(version))
}

/// FNV-1a, 64 bits: values that no version of the standard library changes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fnv(u64);

impl Fnv {
    /// Nothing written yet.
    pub(crate) fn new() -> Fnv {
        Fnv(0xcbf2_9ce4_8422_2325)
    }

    /// Adds bytes.
    pub(crate) fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }

    /// The value, with all bits stirred.
    pub(crate) fn finish(self) -> u64 {
        mix(self.0)
    }
}

/// A stretch inside one block: bytes of the table, and the word they are combined with.
struct Piece<'a> {
    table: &'a [u8],
    word: u64,
}

impl Piece<'_> {
    fn write(&self, out: &mut [u8]) {
        let (words, tail) = self.table.as_chunks::<WORD>();
        let (out_words, out_tail) = out.as_chunks_mut::<WORD>();
        for (to, from) in out_words.iter_mut().zip(words) {
            *to = (u64::from_le_bytes(*from) ^ self.word).to_le_bytes();
        }
        let word = self.word.to_le_bytes();
        for ((to, from), mask) in out_tail.iter_mut().zip(tail).zip(word) {
            *to = from ^ mask;
        }
    }

    /// The index of the first difference, when there is one.
    fn compare(&self, data: &[u8]) -> Result<(), usize> {
        let (words, tail) = self.table.as_chunks::<WORD>();
        let (data_words, data_tail) = data.as_chunks::<WORD>();
        // No early exit in the loop: that is what lets the compiler use vectors.
        let mut difference = 0;
        for (have, want) in data_words.iter().zip(words) {
            difference |= u64::from_ne_bytes(*have) ^ u64::from_ne_bytes(*want) ^ self.word.to_le();
        }
        let word = self.word.to_le_bytes();
        for ((have, want), mask) in data_tail.iter().zip(tail).zip(word) {
            difference |= u64::from(have ^ want ^ mask);
        }
        if difference == 0 { Ok(()) } else { Err(self.first_difference(data)) }
    }

    #[cold]
    fn first_difference(&self, data: &[u8]) -> usize {
        let word = self.word.to_le_bytes();
        let same = |&(index, (have, want)): &(usize, (&u8, &u8))| *have == want ^ word[index % WORD];
        data.iter().zip(self.table).enumerate().take_while(same).count()
    }
}

/// The finishing steps of splitmix64: every bit of the input changes half of the output.
pub(crate) fn mix(value: u64) -> u64 {
    let mut z = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Bytes of the table, and of the stretch of a file that one word belongs to.
const BLOCK: usize = 64 * 1024;
/// Bytes of a word.
const WORD: usize = size_of::<u64>();

#[cfg(test)]
mod tests {
    use super::*;
    use rand::RngExt;

    const KEY: u64 = 0xfeed;

    fn bytes(contents: &Contents, key: u64, offset: u64, length: usize) -> Vec<u8> {
        let mut out = vec![0; length];
        contents.fill(key, offset, &mut out);
        out
    }

    #[test]
    fn the_bytes_are_those_of_the_definition() {
        let contents = Contents::new(42);
        let at = |offset: u64| {
            let word = mix(KEY + offset / 65536).to_le_bytes();
            contents.table[(offset % 65536) as usize] ^ word[(offset % 8) as usize]
        };
        for start in [0, 1, 7, 8, 65_529, 65_536, 131_071, 1 << 40] {
            let expected: Vec<u8> = (start..start + 40).map(at).collect();
            assert_eq!(bytes(&contents, KEY, start, 40), expected, "from {start}");
        }
    }

    #[test]
    fn the_bytes_of_a_seed_never_change() {
        let mut hash = Fnv::new();
        hash.write(&bytes(&Contents::new(1), content_key(1, "small-00000", 0), 65_500, 100));
        assert_eq!(format!("{:016x}", hash.finish()), "49b4bd4fffc10be7");
    }

    #[test]
    fn any_cuts_give_the_same_bytes_and_verify() {
        let contents = Contents::new(7);
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        let whole = bytes(&contents, KEY, 0, 200_000);
        for _ in 0..50 {
            let mut offset = 0;
            while offset < whole.len() {
                let end = (offset + rng.random_range(1..70_000)).min(whole.len());
                let cut = &whole[offset..end];
                assert_eq!(bytes(&contents, KEY, offset as u64, cut.len()), cut);
                assert_eq!(contents.verify(KEY, offset as u64, cut), Ok(()));
                offset = end;
            }
        }
    }

    #[test]
    fn every_flipped_bit_is_found_at_its_place() {
        let contents = Contents::new(7);
        let mut data = bytes(&contents, KEY, 65_000, 1_203);
        for index in 0..data.len() {
            for bit in [0, 3, 7] {
                data[index] ^= 1 << bit;
                assert_eq!(contents.verify(KEY, 65_000, &data), Err(index));
                data[index] ^= 1 << bit;
            }
        }
    }

    #[test]
    fn a_shifted_block_and_a_swapped_file_are_found() {
        let contents = Contents::new(7);
        let data = bytes(&contents, KEY, 0, 4 * BLOCK);
        for wrong in [1, 8, BLOCK as u64, 2 * BLOCK as u64] {
            assert!(contents.verify(KEY, wrong, &data[..1_000]).is_err(), "shifted by {wrong}");
        }
        for (name, version) in [("small-00001", 0), ("small-00000", 1), ("large-00000", 0)] {
            let other = content_key(7, name, version);
            assert_ne!(other, content_key(7, "small-00000", 0));
            assert!(contents.verify(other, 0, &data[..1_000]).is_err());
        }
        assert_ne!(bytes(&Contents::new(8), KEY, 0, 1_000), data[..1_000], "another seed, other bytes");
    }
}
