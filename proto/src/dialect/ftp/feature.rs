//! What a server offers beyond RFC 959, as FEAT tells it (RFC 2389 3).

use super::answer::Answer;

/// An extension that a client may make use of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum Feature {
    /// AUTH TLS (RFC 4217).
    AuthTls = 1,
    /// PROT (RFC 4217).
    Prot = 1 << 1,
    /// EPSV (RFC 2428).
    Epsv = 1 << 2,
    /// EPRT (RFC 2428).
    Eprt = 1 << 3,
    /// MDTM (RFC 3659).
    Mdtm = 1 << 4,
    /// MFMT.
    Mfmt = 1 << 5,
    /// MLST and MLSD (RFC 3659).
    Mlst = 1 << 6,
    /// REST in stream mode (RFC 3659).
    RestStream = 1 << 7,
    /// SIZE (RFC 3659).
    Size = 1 << 8,
    /// Names are trivial paths (RFC 3659 6).
    Tvfs = 1 << 9,
    /// Names are in UTF-8 (RFC 2640).
    Utf8 = 1 << 10,
    /// HASH.
    Hash = 1 << 11,
}

/// The extensions of one server; none of those that a client does not know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Features(u32);

impl Features {
    /// Whether the server offers it. A server without FEAT may offer it all the same.
    pub fn has(self, feature: Feature) -> bool {
        self.0 & feature as u32 != 0
    }

    /// Reads the lines between the first and the last of a 211.
    pub(crate) fn read(answer: &Answer) -> Features {
        let lines = answer.lines.get(1..answer.lines.len().saturating_sub(1)).unwrap_or_default();
        lines
            .iter()
            .filter_map(|line| of_line(line))
            .fold(Features::default(), |features, feature| Features(features.0 | feature as u32))
    }
}

fn of_line(line: &[u8]) -> Option<Feature> {
    let line = line.trim_ascii().to_ascii_uppercase();
    let blank = line.iter().position(|&byte| byte == b' ').unwrap_or(line.len());
    let (word, value) = (&line[..blank], line[blank..].trim_ascii());
    WORDS.iter().find(|(name, wanted, _)| *name == word && holds(value, wanted)).map(|(.., feature)| *feature)
}

/// Whether a value is, or has among its parts, the one that is wanted: `TLS;TLS-C;SSL;`.
fn holds(value: &[u8], wanted: &[u8]) -> bool {
    wanted.is_empty() || value.split(|byte| b"; ".contains(byte)).any(|part| part == wanted)
}

/// Word, value without which it means nothing to us, feature.
const WORDS: &[(&[u8], &[u8], Feature)] = &[
    (b"AUTH", b"TLS", Feature::AuthTls),
    (b"PROT", b"", Feature::Prot),
    (b"EPSV", b"", Feature::Epsv),
    (b"EPRT", b"", Feature::Eprt),
    (b"MDTM", b"", Feature::Mdtm),
    (b"MFMT", b"", Feature::Mfmt),
    (b"MLST", b"", Feature::Mlst),
    (b"MLSD", b"", Feature::Mlst),
    (b"REST", b"STREAM", Feature::RestStream),
    (b"SIZE", b"", Feature::Size),
    (b"TVFS", b"", Feature::Tvfs),
    (b"UTF8", b"", Feature::Utf8),
    (b"HASH", b"", Feature::Hash),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn read(lines: &[&str]) -> Features {
        Features::read(&Answer { code: 211, lines: lines.iter().map(|line| line.as_bytes().to_vec()).collect() })
    }

    #[test]
    fn features_are_read_from_the_lines_between() {
        let vsftpd = read(&["Features:", " AUTH TLS", " EPRT", " EPSV", " PBSZ", " REST STREAM", " UTF8", "End"]);
        for feature in [Feature::AuthTls, Feature::Eprt, Feature::Epsv, Feature::RestStream, Feature::Utf8] {
            assert!(vsftpd.has(feature), "{feature:?}");
        }
        assert!(!vsftpd.has(Feature::Mlst) && !vsftpd.has(Feature::Size));
        let other = read(&["SIZE", "auth SSL;TLS-P;TLS;", "MLST type*;size*;", "REST", "TVFSX", "MDTM"]);
        assert!(other.has(Feature::AuthTls) && other.has(Feature::Mlst));
        assert!([Feature::Size, Feature::RestStream, Feature::Tvfs, Feature::Mdtm].iter().all(|f| !other.has(*f)));
        assert_eq!(read(&["no features"]), Features::default());
        assert_eq!(read(&[]), Features::default());
    }
}
