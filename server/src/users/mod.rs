//! The users of `ftp`: who they are, what they may do, and the file that says so.
//!
//! It must not know sessions or sockets. Passwords are here, and nowhere else.

mod address;
pub mod command;
mod edit;
mod file;
mod password;
mod store;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;

use muxftp_proto::{Permission, Permissions};

use crate::config::{Allowance, did_you_mean};

pub use address::AddressRange;
pub use store::UserStore;

/// Somebody with a name and a password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// As given with USER.
    pub name: String,
    /// An argon2id hash as a PHC string.
    pub hash: String,
    /// The directory in which the user is confined.
    pub root: PathBuf,
    /// What the user may do there.
    pub permissions: Permissions,
    /// How much.
    pub allowance: Allowance,
    /// From where; empty: from everywhere.
    pub from: Vec<AddressRange>,
}

impl User {
    /// Whether the user may log in from there.
    pub fn may_come_from(&self, address: IpAddr) -> bool {
        self.from.is_empty() || self.from.iter().any(|range| range.contains(address))
    }
}

/// All users, by name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Users(BTreeMap<String, Arc<User>>);

impl Users {
    /// The user of this name.
    pub fn find(&self, name: &[u8]) -> Option<&Arc<User>> {
        std::str::from_utf8(name).ok().and_then(|name| self.0.get(name))
    }

    /// In the order of their names.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &User> {
        self.0.values().map(|user| &**user)
    }
}

/// `all`, `read-only`, or rights.
pub(crate) fn parse_permissions(words: &[&str]) -> Result<Permissions, String> {
    match words {
        ["all"] => Ok(Permissions::ALL),
        ["read-only"] => Ok(Permissions::READ_ONLY),
        words => words.iter().map(|word| word.parse::<Permission>().map_err(|_| unknown_right(word))).collect(),
    }
}

fn unknown_right(word: &str) -> String {
    let known: Vec<_> = Permission::ALL.into_iter().map(Permission::word).collect();
    let near = did_you_mean(word, known.iter().copied());
    format!("`{word}` is no right: all, read-only, or some of {}{near}", known.join(", "))
}

/// A name that can be typed behind USER and written in a log: letters, digits and a few signs.
pub(crate) fn check_name(name: &str) -> Result<(), String> {
    let fits = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_' | '@' | '+');
    if name.is_empty() || name.len() > NAME_BYTES_MAX || !name.chars().all(fits) {
        return Err(format!(
            "`{name}` is no name for a user: letters, digits and . - _ @ +, {NAME_BYTES_MAX} bytes at most"
        ));
    }
    if ["anonymous", "ftp"].iter().any(|guest| guest.eq_ignore_ascii_case(name)) {
        return Err(format!("`{name}` is the guest, whose rights stand in the configuration under [guest]"));
    }
    Ok(())
}

const NAME_BYTES_MAX: usize = 64;
