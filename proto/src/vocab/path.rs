//! The one path type of all dialects: a name below the root that cannot lead out of it.
//!
//! It must not know the file system: links are the kernel's affair (`openat2` with `RESOLVE_BENEATH`), text is this type's.
//!
//! Invariants:
//! - relative, without a leading, trailing or doubled `/`;
//! - no component is empty, `.` or `..`; no byte is NUL, CR or LF;
//! - at most [`limits::PATH_BYTES_MAX`] bytes, no component longer than [`limits::NAME_BYTES_MAX`];
//! - the empty path is the root itself.

use std::fmt;

use crate::limits;

/// A path below the root, as bytes. The empty path is the root.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct VPath {
    bytes: Vec<u8>,
}

/// Why a name was refused. The text for the peer is the dialect's affair.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PathError {
    /// It leads out of the root, or tries to: `..`, or an absolute path where names are relative.
    Escapes,
    /// It holds a byte that no name may hold: NUL, CR or LF.
    BadByte,
    /// It, or one of its components, is longer than file systems take.
    TooLong,
    /// It is empty where a file's name is needed.
    Empty,
}

impl VPath {
    /// The root itself.
    pub fn root() -> VPath {
        VPath::default()
    }

    /// Reads a name as the dialects without a working directory give it: relative, every `..` refused.
    ///
    /// `.` components and doubled slashes are dropped. The result may be the root (`.`); see [`VPath::parse_file`].
    ///
    /// # Errors
    /// [`PathError`] says which rule the name breaks.
    pub fn parse(raw: &[u8]) -> Result<VPath, PathError> {
        if raw.first() == Some(&b'/') || raw.split(|&byte| byte == b'/').any(|component| component == b"..") {
            return Err(PathError::Escapes);
        }
        VPath::root().resolve(raw)
    }

    /// Reads a name as a dialect with a working directory gives it, from this directory: an absolute one begins at the
    /// root, and `..` goes up as far as the root.
    ///
    /// # Errors
    /// [`PathError`] says which rule the name breaks.
    pub fn resolve(&self, raw: &[u8]) -> Result<VPath, PathError> {
        if raw.iter().any(|byte| matches!(byte, 0 | b'\r' | b'\n')) {
            return Err(PathError::BadByte);
        }
        let start: &[u8] = if raw.first() == Some(&b'/') { b"" } else { &self.bytes };
        let mut bytes = Vec::with_capacity(start.len() + 1 + raw.len());
        bytes.extend_from_slice(start);
        for component in raw.split(|&byte| byte == b'/') {
            match component {
                b"" | b"." => continue,
                b".." => bytes.truncate(bytes.iter().rposition(|&byte| byte == b'/').unwrap_or(0)),
                name if name.len() > limits::NAME_BYTES_MAX => return Err(PathError::TooLong),
                name => {
                    if !bytes.is_empty() {
                        bytes.push(b'/');
                    }
                    bytes.extend_from_slice(name);
                }
            }
        }
        if bytes.len() > limits::PATH_BYTES_MAX {
            return Err(PathError::TooLong);
        }
        Ok(VPath { bytes })
    }

    /// Whether the name as written is that of a directory: it ends in `/`, or its last component is `.` or `..`.
    pub fn names_directory(raw: &[u8]) -> bool {
        let last = raw.rsplit(|&byte| byte == b'/').next().unwrap_or_default();
        matches!(last, b"." | b"..") || (last.is_empty() && !raw.is_empty())
    }

    /// Like [`VPath::parse`], for the name of a file: neither the root nor a name that ends in `/`.
    ///
    /// # Errors
    /// [`PathError::Empty`] for those two, and all errors of [`VPath::parse`].
    pub fn parse_file(raw: &[u8]) -> Result<VPath, PathError> {
        let path = VPath::parse(raw)?;
        if path.is_root() || VPath::names_directory(raw) {
            return Err(PathError::Empty);
        }
        Ok(path)
    }

    /// The bytes, without a leading slash; empty for the root.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Whether it is the root.
    pub fn is_root(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The directory that holds it and its last component; `None` for the root.
    pub fn split_last(&self) -> Option<(&[u8], &[u8])> {
        if self.is_root() {
            return None;
        }
        Some(match self.bytes.iter().rposition(|&byte| byte == b'/') {
            Some(slash) => (&self.bytes[..slash], &self.bytes[slash + 1..]),
            None => (b"", &self.bytes),
        })
    }
}

impl fmt::Display for VPath {
    /// For logs: lossy UTF-8 with control characters escaped.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&super::text::Escaped(&self.bytes), f)
    }
}

impl fmt::Debug for VPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VPath({self})")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_are_normalised_or_refused() {
        let ok: &[(&str, &str)] = &[
            ("notes.txt", "notes.txt"),
            ("my notes.txt", "my notes.txt"),
            ("a//b/./c", "a/b/c"),
            ("./a", "a"),
            ("...", "..."),
            ("a..b", "a..b"),
            ("dir/", "dir"),
            (".", ""),
            ("", ""),
        ];
        for (raw, path) in ok {
            assert_eq!(VPath::parse(raw.as_bytes()).unwrap().as_bytes(), path.as_bytes(), "{raw:?}");
        }
        let long = "x".repeat(limits::NAME_BYTES_MAX + 1);
        let refused: &[(&str, PathError)] = &[
            ("..", PathError::Escapes),
            ("../etc/passwd", PathError::Escapes),
            ("a/../b", PathError::Escapes),
            ("a/..", PathError::Escapes),
            ("/etc/passwd", PathError::Escapes),
            ("/", PathError::Escapes),
            ("a\0b", PathError::BadByte),
            ("a\rb", PathError::BadByte),
            (&long, PathError::TooLong),
        ];
        for (raw, error) in refused {
            assert_eq!(VPath::parse(raw.as_bytes()).unwrap_err(), *error, "{raw:?}");
        }
    }

    #[test]
    fn a_file_needs_a_name() {
        for raw in ["", ".", "./", "dir/", "dir/.", "dir//", "dir/./"] {
            assert_eq!(VPath::parse_file(raw.as_bytes()).unwrap_err(), PathError::Empty, "{raw:?}");
        }
        assert!(VPath::parse_file(b"dir/file").is_ok());
    }

    #[test]
    fn split_gives_directory_and_name() {
        let split = |raw: &str| {
            let path = VPath::parse(raw.as_bytes()).unwrap();
            path.split_last().map(|(dir, name)| (dir.to_vec(), name.to_vec()))
        };
        assert_eq!(split("a/b/c"), Some((b"a/b".to_vec(), b"c".to_vec())));
        assert_eq!(split("c"), Some((b"".to_vec(), b"c".to_vec())));
        assert_eq!(split("."), None);
    }

    proptest! {
        #[test]
        fn no_input_breaks_the_invariants(raw in proptest::collection::vec(
            prop_oneof![Just(b'/'), Just(b'.'), Just(0u8), Just(b'\r'), any::<u8>()], 0..64)) {
            if let Ok(path) = VPath::parse(&raw) {
                for component in path.as_bytes().split(|&byte| byte == b'/').filter(|_| !path.is_root()) {
                    prop_assert!(!matches!(component, b"" | b"." | b".."));
                    prop_assert!(!component.iter().any(|byte| matches!(byte, 0 | b'\r' | b'\n')));
                }
                prop_assert_eq!(VPath::parse(path.as_bytes()).unwrap(), path);
            }
        }
    }
}
