//! Why something failed, as a meaning: a dialect gives it a number, or makes one word of its words.

use super::path::PathError;

/// The reason in a negative reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Cause {
    /// The verb is not one of the dialect's.
    UnknownCommand,
    /// The command does not belong here: it answers something that was not asked, or something else is waited for.
    BadSequence,
    /// The verb needs a name and has none, or has one and takes none.
    BadArgument,
    /// A size that is not a number of bytes.
    BadSize,
    /// The control line is longer than [`crate::limits::LINE_BYTES_MAX`].
    LineTooLong,
    /// The name breaks a rule of [`crate::VPath`].
    BadName,
    /// No such file or directory.
    NotFound,
    /// The name of a file was needed, and this is a directory.
    IsDirectory,
    /// The name of a directory was needed, and this is something else.
    NotDirectory,
    /// Neither a file nor a directory: a device, a socket, a pipe.
    NotRegular,
    /// The file system refuses.
    PermissionDenied,
    /// The account may not do this (the guest is read-only, or off).
    NotAllowed,
    /// A name that the file system finds too long.
    NameTooLong,
    /// Too many links on the way, or a link that leads out of the root.
    BadLink,
    /// The disk is full.
    NoSpace,
    /// A quota is used up.
    QuotaExceeded,
    /// The file is larger than the file system, or the process's limit, takes.
    FileTooLarge,
    /// The file system is mounted read-only.
    ReadOnly,
    /// The disk failed.
    DiskError,
    /// The server has no descriptor or no memory left.
    OutOfResources,
    /// All data ports are in use.
    NoDataPort,
    /// The peer did not make the data connection in time.
    DataTimeout,
    /// The data connection made no progress for too long.
    DataStalled,
    /// The data connection broke.
    DataLost,
    /// The data connection ended before the declared size.
    ShortUpload,
    /// The server is ending.
    ShuttingDown,
    /// The session was silent for too long.
    IdleTimeout,
    /// No further session is taken at the moment.
    TooManySessions,
    /// No further session is taken from this address at the moment.
    TooManyFromAddress,
    /// Too many bad commands in a row.
    TooManyErrors,
}

impl Cause {
    /// All causes.
    pub const ALL: [Cause; 30] = [
        Cause::UnknownCommand,
        Cause::BadSequence,
        Cause::BadArgument,
        Cause::BadSize,
        Cause::LineTooLong,
        Cause::BadName,
        Cause::NotFound,
        Cause::IsDirectory,
        Cause::NotDirectory,
        Cause::NotRegular,
        Cause::PermissionDenied,
        Cause::NotAllowed,
        Cause::NameTooLong,
        Cause::BadLink,
        Cause::NoSpace,
        Cause::QuotaExceeded,
        Cause::FileTooLarge,
        Cause::ReadOnly,
        Cause::DiskError,
        Cause::OutOfResources,
        Cause::NoDataPort,
        Cause::DataTimeout,
        Cause::DataStalled,
        Cause::DataLost,
        Cause::ShortUpload,
        Cause::ShuttingDown,
        Cause::IdleTimeout,
        Cause::TooManySessions,
        Cause::TooManyFromAddress,
        Cause::TooManyErrors,
    ];
    /// In a few words, which logs and dialects share.
    pub fn words(self) -> &'static str {
        match self {
            Cause::UnknownCommand => "Unknown Command",
            Cause::BadSequence => "Unexpected Command",
            Cause::BadArgument => "Bad Argument",
            Cause::BadSize => "Bad Size",
            Cause::LineTooLong => "Line Too Long",
            Cause::BadName => "Name Not Allowed",
            Cause::NotFound => "File Not Found",
            Cause::IsDirectory => "Is A Directory",
            Cause::NotDirectory => "Not A Directory",
            Cause::NotRegular => "Not A Regular File",
            Cause::PermissionDenied => "Permission Denied",
            Cause::NotAllowed => "Not Allowed For Guests",
            Cause::NameTooLong => "Name Too Long",
            Cause::BadLink => "Link Not Allowed",
            Cause::NoSpace => "No Space Left",
            Cause::QuotaExceeded => "Quota Exceeded",
            Cause::FileTooLarge => "File Too Large",
            Cause::ReadOnly => "Read-Only File System",
            Cause::DiskError => "Disk Error",
            Cause::OutOfResources => "Server Out Of Resources",
            Cause::NoDataPort => "No Data Port Free",
            Cause::DataTimeout => "Data Connection Timed Out",
            Cause::DataStalled => "Data Connection Stalled",
            Cause::DataLost => "Data Connection Lost",
            Cause::ShortUpload => "Upload Shorter Than Declared",
            Cause::ShuttingDown => "Server Shutting Down",
            Cause::IdleTimeout => "Idle Timeout",
            Cause::TooManySessions => "Too Many Sessions",
            Cause::TooManyFromAddress => "Too Many Sessions From Your Address",
            Cause::TooManyErrors => "Too Many Errors",
        }
    }
}

impl From<PathError> for Cause {
    fn from(error: PathError) -> Cause {
        match error {
            PathError::TooLong => Cause::NameTooLong,
            PathError::Empty => Cause::BadArgument,
            PathError::Escapes | PathError::BadByte => Cause::BadName,
        }
    }
}
