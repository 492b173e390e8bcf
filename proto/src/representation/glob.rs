//! Patterns of names in LIST and NLST: `*`, `?`, `[a-z]`, `[!a]`, and a backslash before what is meant as it is.
//!
//! Invariant: the work is at most the product of both lengths. Patterns come from peers, and one whose matching takes
//! exponential time would stop the server.

/// Whether a name holds anything but itself.
pub fn has_wildcards(name: &[u8]) -> bool {
    name.iter().any(|byte| matches!(byte, b'*' | b'?' | b'['))
}

/// Whether the whole of `name` matches. A dot at its beginning is matched by a dot only, as in a shell.
pub fn matches(pattern: &[u8], name: &[u8]) -> bool {
    if name.first() == Some(&b'.') && pattern.first() != Some(&b'.') {
        return false;
    }
    let (mut at, mut of) = (0, 0);
    // Behind the last star, and up to where in the name it reaches: only the last one is ever taken back.
    let mut star: Option<(usize, usize)> = None;
    while of < name.len() {
        if pattern.get(at) == Some(&b'*') {
            at += 1;
            star = Some((at, of));
        } else if let Some(len) = step(&pattern[at..], name[of]) {
            at += len;
            of += 1;
        } else if let Some((behind, reach)) = star {
            star = Some((behind, reach + 1));
            (at, of) = (behind, reach + 1);
        } else {
            return false;
        }
    }
    pattern[at..].iter().all(|&byte| byte == b'*')
}

/// The length of what in the pattern stands for one byte, if it stands for this one.
fn step(pattern: &[u8], byte: u8) -> Option<usize> {
    let (len, fits) = match *pattern {
        [] => return None,
        [b'?', ..] => (1, true),
        [b'\\', literal, ..] => (2, literal == byte),
        [b'[', ref rest @ ..] => match set(rest, byte) {
            Some((len, fits)) => (len + 1, fits),
            // Without its end it is only a bracket.
            None => (1, byte == b'['),
        },
        [literal, ..] => (1, literal == byte),
    };
    fits.then_some(len)
}

/// `a-z]` or `!abc]`: its length, and whether the byte is in it.
fn set(rest: &[u8], byte: u8) -> Option<(usize, bool)> {
    let negated = matches!(rest.first(), Some(b'!' | b'^'));
    let mut at = usize::from(negated);
    let first = at;
    let mut found = false;
    loop {
        match rest[at..] {
            [] => return None,
            // A bracket at the very beginning is one of the set.
            [b']', ..] if at > first => return Some((at + 1, found != negated)),
            [low, b'-', high, ..] if high != b']' => {
                found |= (low..=high).contains(&byte);
                at += 3;
            }
            [one, ..] => {
                found |= one == byte;
                at += 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn patterns_match_as_in_a_shell() {
        for (pattern, name, expected) in [
            ("*", "a", true),
            ("*", "", true),
            ("", "", true),
            ("", "a", false),
            ("*", ".hidden", false),
            (".*", ".hidden", true),
            ("?hidden", ".hidden", false),
            ("*.txt", "a.txt", true),
            ("*.txt", "a.txt.gz", false),
            ("a*b*c", "aXbXbc", true),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("[a-c]x", "bx", true),
            ("[!a-c]x", "bx", false),
            ("[]]", "]", true),
            ("[a", "[a", true),
            ("[a-]", "-", true),
            ("\\*", "*", true),
            ("\\*", "a", false),
            ("a b*", "a bc", true),
        ] {
            assert_eq!(matches(pattern.as_bytes(), name.as_bytes()), expected, "{pattern} {name}");
        }
    }

    #[test]
    fn many_stars_are_no_more_work_than_one() {
        let pattern = [b"*a".repeat(1000), b"*b".to_vec()].concat();
        // An exponential matcher would not come back from this.
        assert!(!matches(&pattern, &b"a".repeat(4000)));
    }

    /// What a pattern means, told without regard to time.
    fn means(pattern: &[u8], name: &[u8]) -> bool {
        match (pattern.first(), name.first()) {
            (None, None) => true,
            (Some(b'*'), _) => means(&pattern[1..], name) || (!name.is_empty() && means(pattern, &name[1..])),
            (Some(_), Some(&byte)) => step(pattern, byte).is_some_and(|len| means(&pattern[len..], &name[1..])),
            _ => false,
        }
    }

    proptest! {
        #[test]
        fn taking_back_only_the_last_star_loses_nothing(pattern in "[ab*?]{0,10}", name in "[ab]{0,10}") {
            prop_assert_eq!(matches(pattern.as_bytes(), name.as_bytes()), means(pattern.as_bytes(), name.as_bytes()));
        }

        #[test]
        fn no_pattern_panics(pattern in proptest::collection::vec(any::<u8>(), 0..40), name in proptest::collection::vec(any::<u8>(), 0..40)) {
            matches(&pattern, &name);
        }
    }
}
