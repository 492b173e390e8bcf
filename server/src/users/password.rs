//! Passwords: their hashes, and the one way to hold one against a name.
//!
//! Invariant: whether a name is known can be told neither from the answer nor from the work that it takes.

use std::sync::Arc;

use argon2::password_hash::PasswordHasher;
use argon2::password_hash::phc::{Output, PasswordHash};
use argon2::{Algorithm, Argon2, Block, Params, Version};

use super::{User, Users};

/// A new hash of a password, with a salt of its own, as a PHC string.
///
/// # Errors
/// The system has no randomness, or the password is beyond what argon2 takes (4 GiB).
pub(super) fn hash(password: &[u8]) -> Result<String, String> {
    argon2().hash_password(password).map(|hash| hash.to_string()).map_err(|error| error.to_string())
}

/// Whether a text is a hash that [`check`] can use.
pub(super) fn check_hash(text: &str) -> Result<(), String> {
    let usable = PasswordHash::new(text).is_ok_and(|hash| {
        let argon2 = hash.algorithm.as_str() == "argon2id";
        argon2 && Params::try_from(&hash).is_ok_and(|params| params.m_cost() <= MEMORY_KIB_MAX) && hash.hash.is_some()
    });
    if usable {
        Ok(())
    } else {
        Err("this is no password hash (argon2id, of 256 MiB at most): `muxftpd user passwd NAME` makes one".to_owned())
    }
}

/// The user, if it is this one's password. It takes tens of milliseconds, and some 19 MiB: not for the thread of the
/// sockets. `matches` holds a password against a hash.
pub(super) fn check(
    users: &Users,
    name: &[u8],
    password: &[u8],
    matches: impl FnOnce(&str, &[u8]) -> bool,
) -> Option<Arc<User>> {
    let user = users.find(name);
    let is_right = matches(user.map_or(NOBODYS_HASH, |user| &user.hash), password);
    user.filter(|_| is_right).cloned()
}

/// Whether the password is the one of the hash.
pub(super) fn matches(hash: &str, password: &[u8]) -> bool {
    let Ok(hash) = PasswordHash::new(hash) else { return false };
    let (Ok(params), Some(salt), Some(expected)) = (Params::try_from(&hash), &hash.salt, &hash.hash) else {
        return false;
    };
    let Ok(version) = hash.version.map_or(Ok(Version::V0x13), Version::try_from) else { return false };
    let mut memory = memory(params.block_count());
    let mut found = vec![0; expected.len()];
    let argon2 = Argon2::new(Algorithm::Argon2id, version, params);
    let done = argon2.hash_password_into_with_memory(password, salt.as_ref(), &mut found, &mut memory);
    // Outputs are compared in a time that does not tell where they differ.
    done.is_ok() && Output::new(&found).as_ref() == Ok(expected)
}

/// The blocks to work in. They are asked for in a piece so large that the system's allocator always takes it from the
/// kernel and gives it back; a smaller one it would keep, and a little memory behind each of them with it: after some
/// twenty log-ins that came to 400 MiB. What is not touched is not there.
fn memory(blocks: usize) -> Vec<Block> {
    let mut memory = Vec::with_capacity(blocks.max(ALWAYS_MAPPED_BYTES / Block::SIZE));
    memory.resize(blocks, Block::new());
    memory
}

fn argon2() -> Argon2<'static> {
    Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::default())
}

/// Beyond the largest threshold of the C library between what it keeps and what it gives back.
const ALWAYS_MAPPED_BYTES: usize = 40 << 20;

/// What a name that is not there is held against: of the same cost as every hash that [`hash`] makes.
pub(super) const NOBODYS_HASH: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$bXV4ZnRwLW5vYm9keXM$wIe4XjeoIpCVp9FEfiVVV2VZSFuGGCDXlqGb3YlVGVs";

/// Somebody who writes a hash of his own into the file shall not stop the machine with it.
const MEMORY_KIB_MAX: u32 = 256 * 1024;

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn users(hash: &str) -> Users {
        let text = format!("[[user]]\nname = \"alice\"\npassword = \"{hash}\"\nroot = \"/\"\n");
        Users::parse(Path::new("users.toml"), &text).unwrap()
    }

    #[test]
    fn only_the_right_password_of_the_right_name_is_taken() {
        let users = users(&hash(b"open sesame").unwrap());
        assert!(check(&users, b"alice", b"open sesame", matches).is_some());
        assert!(check(&users, b"alice", b"open", matches).is_none());
        assert!(check(&users, b"Alice", b"open sesame", matches).is_none());
        assert!(check(&users, b"bob", b"open sesame", matches).is_none());
    }

    #[test]
    fn memory_that_was_worked_in_is_given_back() {
        let own = hash(b"x").unwrap();
        let resident_kib = || {
            let status = std::fs::read_to_string("/proc/self/status").unwrap();
            let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
            line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap()
        };
        // On a thread of its own, as in the server, and with things that stay between one log-in and the next.
        let mut kept: Vec<Vec<u8>> = Vec::new();
        let before = resident_kib();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for _ in 0..12 {
                    assert!(matches(&own, b"x"));
                    kept.extend((1..50).map(|size| vec![1; 64 * size]));
                }
            });
        });
        let grown = resident_kib().saturating_sub(before);
        assert!(grown < 100 * 1024, "{grown} KiB after 12 log-ins: other tests run beside this one, but not so many");
    }

    #[test]
    fn a_name_that_is_not_there_costs_what_any_other_costs() {
        let own = hash(b"x").unwrap();
        let users = users(&own);
        let cost_of = |text: &str| Params::try_from(&PasswordHash::new(text).unwrap()).unwrap();
        for name in [&b"alice"[..], b"nobody", b"\xff"] {
            let mut asked = Vec::new();
            let found = check(&users, name, b"x", |hash, _| {
                asked.push(cost_of(hash));
                // Even a match must not let a name in that is not there.
                true
            });
            assert_eq!(asked, [cost_of(&own)], "{name:?}");
            assert_eq!(found.is_some(), name == b"alice");
        }
        assert!(check_hash(NOBODYS_HASH).is_ok());
    }

    #[test]
    fn what_is_no_hash_is_refused() {
        for wrong in
            ["", "plain", "$2b$12$abcdefghijklmnopqrstuu", "$argon2id$v=19$m=99999999,t=2,p=1$c29tZXNhbHQ$AAAA"]
        {
            assert!(check_hash(wrong).is_err(), "{wrong:?}");
        }
        assert_ne!(hash(b"x").unwrap(), hash(b"x").unwrap(), "each has a salt of its own");
    }
}
