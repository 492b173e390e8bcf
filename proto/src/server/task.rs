//! What a session has done without a data connection, and what is answered: log-in, names, attributes, hashes.
//!
//! It must not know the commands that ask for it, nor how the shell does it.

use crate::representation::entry::Entry;
use crate::vocab::path::VPath;
use crate::vocab::permission::Permissions;
use crate::vocab::secret::Secret;

/// Something that is done without a data connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Task {
    /// Is it this user? Answer: [`TaskAnswer::LoggedIn`]. A delay is the shell's affair.
    LogIn {
        /// The name.
        name: Vec<u8>,
        /// The password.
        password: Secret,
    },
    /// What is known of a file or directory? Answer: [`TaskAnswer::Entry`].
    Examine(VPath),
    /// How many bytes would a download of the file in TYPE A be? Answer: [`TaskAnswer::Number`].
    AsciiSize(VPath),
    /// Make a directory.
    MakeDirectory(VPath),
    /// Remove an empty directory.
    RemoveDirectory(VPath),
    /// Remove a file.
    RemoveFile(VPath),
    /// Rename a file or directory.
    Rename {
        /// Its name.
        from: VPath,
        /// The name it is to have.
        to: VPath,
        /// Whether a file that has this name already may be replaced. If not, the task fails with
        /// [`Cause::NotAllowed`](crate::Cause::NotAllowed).
        may_replace: bool,
    },
    /// Set the permission bits.
    SetMode(VPath, u32),
    /// Set the time of change, in seconds since 1970 (UTC).
    SetModified(VPath, i64),
    /// Hash a file. Answer: [`TaskAnswer::Digest`].
    Hash {
        /// The file.
        path: VPath,
        /// How.
        algorithm: HashAlgorithm,
        /// First and last byte; `None`: all.
        range: Option<(u64, u64)>,
    },
    /// How many bytes is there room for? Answer: [`TaskAnswer::Number`].
    Available,
}

/// What came of a [`Task`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TaskAnswer {
    /// It is done.
    Done,
    /// It is this user, who may do this.
    LoggedIn(Permissions),
    /// What is known; the name is empty.
    Entry(Entry<'static>),
    /// A number of bytes.
    Number(u64),
    /// A hash, and the first and last byte of what was hashed.
    Digest {
        /// The hash.
        digest: Vec<u8>,
        /// First and last byte.
        range: (u64, u64),
    },
}

/// A way to hash a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum HashAlgorithm {
    /// SHA-256.
    #[default]
    Sha256,
    /// SHA-512.
    Sha512,
    /// CRC32 of IEEE 802.3.
    Crc32,
}

impl HashAlgorithm {
    /// All of them.
    pub const ALL: [HashAlgorithm; 3] = [HashAlgorithm::Sha256, HashAlgorithm::Sha512, HashAlgorithm::Crc32];

    /// Its name in commands and replies.
    pub fn word(self) -> &'static str {
        match self {
            HashAlgorithm::Sha256 => "SHA-256",
            HashAlgorithm::Sha512 => "SHA-512",
            HashAlgorithm::Crc32 => "CRC32",
        }
    }
}
