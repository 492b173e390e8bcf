//! Why something failed, as a meaning: a dialect gives it a number, or makes one word of its words.

use super::path::PathError;

/// The reason in a negative reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Cause {
    /// The verb is not one of the dialect's.
    UnknownCommand,
    /// The verb is one of another dialect: the client has the wrong port, or the wrong scheme in its URL.
    OtherDialect,
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
    /// The account may not do this.
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
    /// The storage, or what checks passwords, did not answer in time.
    StorageTimeout,
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
    /// The verb is known and not offered.
    NotImplemented,
    /// The verb is known, and not offered with this argument.
    BadParameter,
    /// An address of a network protocol that this connection does not use.
    WrongProtocol,
    /// A data address that is not the peer's own, or a port below 1024 (RFC 2577).
    ForeignAddress,
    /// The peer speaks another protocol, for example a browser tricked into a cross-protocol request.
    NotFtp,
    /// The data connection carries the request of a browser in place of an upload.
    WebRequest,
    /// The command needs a login.
    NotLoggedIn,
    /// Name or password is wrong; which of them is not said.
    LoginFailed,
    /// The user's directory cannot be made, entered or served.
    HomeUnavailable,
    /// Too many failed logins from this address.
    LockedOut,
    /// No further session of this user is taken at the moment.
    TooManyOfUser,
    /// The name is taken.
    Exists,
    /// Another transfer writes to the file.
    Busy,
    /// The file that was written in place does not have its name any more.
    Replaced,
    /// Only an empty directory can be removed.
    NotEmpty,
    /// A restart position beyond the end of the file, or within a line end.
    BadRestart,
    /// No data connection was agreed on before the transfer.
    NoDataAgreed,
    /// The peer does not take the data connection that it asked for.
    DataRefused,
    /// The peer has aborted the transfer.
    Aborted,
    /// There is no log-in before the control connection is encrypted.
    TlsRequired,
    /// There is no transfer in the clear.
    ProtRequired,
    /// What the peer wants to do in the clear is done encrypted only.
    ClearRefused,
    /// A level of protection that there is none of (RFC 2228: S and E).
    BadProtection,
    /// TLS came not about on the data connection.
    TlsFailed,
    /// The TLS session of a data connection is not the control connection's.
    TlsNotResumed,
    /// The data connection ended without the close_notify of TLS: perhaps somebody has cut it off.
    TlsTruncated,
}

impl Cause {
    /// All causes.
    pub const ALL: [Cause; 58] = [
        Cause::UnknownCommand,
        Cause::OtherDialect,
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
        Cause::StorageTimeout,
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
        Cause::NotImplemented,
        Cause::BadParameter,
        Cause::WrongProtocol,
        Cause::ForeignAddress,
        Cause::NotFtp,
        Cause::WebRequest,
        Cause::NotLoggedIn,
        Cause::LoginFailed,
        Cause::HomeUnavailable,
        Cause::LockedOut,
        Cause::TooManyOfUser,
        Cause::Exists,
        Cause::Busy,
        Cause::Replaced,
        Cause::NotEmpty,
        Cause::BadRestart,
        Cause::NoDataAgreed,
        Cause::DataRefused,
        Cause::Aborted,
        Cause::TlsRequired,
        Cause::ProtRequired,
        Cause::ClearRefused,
        Cause::BadProtection,
        Cause::TlsFailed,
        Cause::TlsNotResumed,
        Cause::TlsTruncated,
    ];

    /// In a few words, which logs and dialects share.
    pub fn words(self) -> &'static str {
        match self {
            Cause::UnknownCommand => "Unknown Command",
            Cause::OtherDialect => "This Port Speaks",
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
            Cause::NotAllowed => "Not Allowed",
            Cause::NameTooLong => "Name Too Long",
            Cause::BadLink => "Link Not Allowed",
            Cause::NoSpace => "No Space Left",
            Cause::QuotaExceeded => "Quota Exceeded",
            Cause::FileTooLarge => "File Too Large",
            Cause::ReadOnly => "Read-Only File System",
            Cause::DiskError => "Disk Error",
            Cause::StorageTimeout => "Storage Does Not Answer",
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
            Cause::NotImplemented => "Not Implemented",
            Cause::BadParameter => "Parameter Not Supported",
            Cause::WrongProtocol => "Network Protocol Not Supported",
            Cause::ForeignAddress => "Data Address Not Allowed",
            Cause::NotFtp => "This Is An FTP Server",
            Cause::WebRequest => "The Data Is A Web Request",
            Cause::NotLoggedIn => "Please Log In With USER And PASS",
            Cause::LoginFailed => "Login Incorrect",
            Cause::HomeUnavailable => "Home Directory Unavailable",
            Cause::LockedOut => "Too Many Failed Logins From Your Address",
            Cause::TooManyOfUser => "Too Many Sessions Of This User",
            Cause::Exists => "Exists Already",
            Cause::Busy => "File Busy",
            Cause::Replaced => "File Was Replaced Meanwhile",
            Cause::NotEmpty => "Directory Not Empty",
            Cause::BadRestart => "Restart Position Not Allowed",
            Cause::NoDataAgreed => "Use PASV, EPSV, PORT Or EPRT First",
            Cause::DataRefused => "Data Connection Refused",
            Cause::Aborted => "Transfer Aborted",
            Cause::TlsRequired => "Please Encrypt First, With AUTH TLS",
            Cause::ProtRequired => "Data Connections Must Be Encrypted: Send PBSZ 0 And PROT P",
            Cause::ClearRefused => "Not In The Clear",
            Cause::BadProtection => "Protection Level Not Supported",
            Cause::TlsFailed => "TLS Failed On The Data Connection",
            Cause::TlsNotResumed => "The Data Connection Must Resume The TLS Session Of The Control Connection",
            Cause::TlsTruncated => "Data Connection Ended Without TLS close_notify",
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
