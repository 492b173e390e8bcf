//! Which names of a tree are left alone.
//!
//! It must not know where the tree is.

use muxftp_proto::representation::glob;

/// The patterns of `-x`.
#[derive(Debug, Clone, Default)]
pub(super) struct Exclude {
    /// Each in its components; one component alone is for a name in any directory.
    patterns: Vec<Pattern>,
}

#[derive(Debug, Clone)]
struct Pattern {
    components: Vec<Vec<u8>>,
    /// It begins at the root of the tree.
    is_path: bool,
}

impl Exclude {
    /// Of patterns as typed: one without a slash is for names, one with a slash for paths below the root of the tree. A
    /// slash at the end says nothing.
    pub(super) fn new<'a>(patterns: impl IntoIterator<Item = &'a [u8]>) -> Exclude {
        let patterns = patterns.into_iter().filter_map(Pattern::read).collect();
        Exclude { patterns }
    }

    /// Whether this path below the root of the tree is left alone; the directories above it are not.
    pub(super) fn has(&self, below: &[u8]) -> bool {
        self.patterns.iter().any(|pattern| pattern.is_of(below))
    }
}

impl Pattern {
    /// `None`: it stands for nothing.
    fn read(typed: &[u8]) -> Option<Pattern> {
        let end = typed.iter().rposition(|&byte| byte != b'/')? + 1;
        let typed = &typed[..end];
        let is_path = typed.contains(&b'/');
        let components = typed.split(|&byte| byte == b'/').filter(|part| !part.is_empty()).map(<[u8]>::to_vec);
        Some(Pattern { components: components.collect(), is_path })
    }

    fn is_of(&self, below: &[u8]) -> bool {
        let names: Vec<&[u8]> = below.split(|&byte| byte == b'/').collect();
        let names = if self.is_path { &names[..] } else { &names[names.len() - 1..] };
        names.len() == self.components.len()
            && self.components.iter().zip(names).all(|(pattern, name)| matches(pattern, name))
    }
}

/// `*.swp` is meant for `.notes.swp`, too: with something before them, a dot at the beginning is as any other.
fn matches(pattern: &[u8], name: &[u8]) -> bool {
    glob::matches(&[b"/", pattern].concat(), &[b"/", name].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_match_everywhere_and_paths_from_the_root_on() {
        for (pattern, below, expected) in [
            ("*.o", "a.o", true),
            ("*.o", "src/deep/a.o", true),
            ("*.o", "a.o.c", false),
            ("*.o", "a.o/b", false),
            ("*", ".hidden", true),
            ("*.swp", "src/.a.swp", true),
            (".*", "visible", false),
            ("target/", "src/target", true),
            ("src/*.o", "src/a.o", true),
            ("src/*.o", "src/deep/a.o", false),
            ("src/*.o", "a.o", false),
            ("src/*.o", "lib/src/a.o", false),
            ("/build", "build", true),
            ("/build", "src/build", false),
            ("//a//b/", "a/b", true),
            ("a/*/c", "a/.b/c", true),
            ("[ab]", "b", true),
            ("\\*", "a", false),
            ("/", "a", false),
            ("", "a", false),
        ] {
            assert_eq!(Exclude::new([pattern.as_bytes()]).has(below.as_bytes()), expected, "{pattern} {below}");
        }
    }

    #[test]
    fn one_of_many_patterns_is_enough_and_none_is_not() {
        let exclude = Exclude::new([&b"a"[..], b"b"]);
        assert!(exclude.has(b"x/b") && !exclude.has(b"c"));
        assert!(!Exclude::default().has(b"a"));
    }
}
