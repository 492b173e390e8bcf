//! What an account may do, as a set of seven rights. Knows no account and no verb.

use std::fmt;
use std::str::FromStr;

/// One right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Permission {
    /// Read the content of files.
    Read = 1,
    /// Make files, replace their content, change their modes and times.
    Write = 2,
    /// Add to the end of files.
    Append = 4,
    /// Remove files and empty directories.
    Delete = 8,
    /// Give files and directories another name.
    Rename = 16,
    /// Make directories.
    Mkdir = 32,
    /// See names, and what is known of files besides their content.
    List = 64,
}

/// A set of rights.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Permissions(u8);

impl Permission {
    /// All rights.
    pub const ALL: [Permission; 7] = [
        Permission::Read,
        Permission::Write,
        Permission::Append,
        Permission::Delete,
        Permission::Rename,
        Permission::Mkdir,
        Permission::List,
    ];

    /// The word used in files and on command lines.
    pub fn word(self) -> &'static str {
        match self {
            Permission::Read => "read",
            Permission::Write => "write",
            Permission::Append => "append",
            Permission::Delete => "delete",
            Permission::Rename => "rename",
            Permission::Mkdir => "mkdir",
            Permission::List => "list",
        }
    }
}

impl Permissions {
    /// No right at all.
    pub const NONE: Permissions = Permissions(0);
    /// Every right.
    pub const ALL: Permissions = Permissions(127);
    /// To look and to fetch.
    pub const READ_ONLY: Permissions = Permissions(Permission::Read as u8 | Permission::List as u8);

    /// Whether the right is in the set.
    pub fn has(self, permission: Permission) -> bool {
        self.0 & permission as u8 != 0
    }

    /// The set with one right more.
    #[must_use]
    pub fn with(self, permission: Permission) -> Permissions {
        Permissions(self.0 | permission as u8)
    }

    /// The rights in the set.
    pub fn iter(self) -> impl Iterator<Item = Permission> {
        Permission::ALL.into_iter().filter(move |permission| self.has(*permission))
    }
}

impl FromIterator<Permission> for Permissions {
    fn from_iter<I: IntoIterator<Item = Permission>>(permissions: I) -> Permissions {
        permissions.into_iter().fold(Permissions::NONE, Permissions::with)
    }
}

/// The word names no right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnknownPermission;

impl FromStr for Permission {
    type Err = UnknownPermission;

    fn from_str(word: &str) -> Result<Permission, UnknownPermission> {
        Permission::ALL.into_iter().find(|permission| permission.word() == word).ok_or(UnknownPermission)
    }
}

impl fmt::Display for Permissions {
    /// The words, with commas between them; `none` for the empty set.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Permissions::NONE {
            return f.write_str("none");
        }
        for (index, permission) in self.iter().enumerate() {
            if index > 0 {
                f.write_str(",")?;
            }
            f.write_str(permission.word())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_right_has_a_word_and_a_bit_of_its_own() {
        for permission in Permission::ALL {
            assert_eq!(permission.word().parse(), Ok(permission));
            let alone = Permissions::NONE.with(permission);
            assert_eq!(alone.iter().collect::<Vec<_>>(), [permission]);
            assert_eq!(alone.to_string(), permission.word());
        }
        assert_eq!(Permission::ALL.into_iter().collect::<Permissions>(), Permissions::ALL);
        assert_eq!("all".parse::<Permission>(), Err(UnknownPermission));
    }

    #[test]
    fn sets_are_shown_in_one_order() {
        assert_eq!(Permissions::READ_ONLY.to_string(), "read,list");
        assert_eq!(Permissions::NONE.to_string(), "none");
    }
}
