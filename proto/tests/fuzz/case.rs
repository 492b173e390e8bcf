//! One input of a target, and how it is kept in a file.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// Bytes of a peer, and the seed of all that the target draws: how they are cut, what the shell answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Case {
    pub seed: u64,
    pub bytes: Vec<u8>,
}

impl Case {
    /// Reads a file: `seed 17` and a line end, which may be left out, and then the bytes.
    pub fn parse(file: &[u8]) -> Case {
        let head = file.split(|&byte| byte == b'\n').next().unwrap_or_default();
        let seed = head.strip_prefix(b"seed ").and_then(|word| std::str::from_utf8(word).ok()?.parse().ok());
        match seed {
            Some(seed) => Case { seed, bytes: file[head.len() + 1..].to_vec() },
            None => Case { seed: 0, bytes: file.to_vec() },
        }
    }

    /// What [`Case::parse`] reads.
    pub fn print(&self) -> Vec<u8> {
        [format!("seed {}\n", self.seed).as_bytes(), &self.bytes].concat()
    }

    /// Chance that is the same whenever the case is played.
    pub fn chance(&self) -> ChaCha8Rng {
        ChaCha8Rng::seed_from_u64(self.seed)
    }
}

#[test]
fn a_case_survives_its_file() {
    for bytes in [&b""[..], b"\n", b"seed 3\nUSER a\r\n", b"\xff\0"] {
        let case = Case { seed: u64::MAX, bytes: bytes.to_vec() };
        assert_eq!(Case::parse(&case.print()), case);
    }
    assert_eq!(Case::parse(b"seed me\n"), Case { seed: 0, bytes: b"seed me\n".to_vec() });
}
