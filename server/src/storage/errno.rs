//! What the system says, as a cause for a reply. One table for reading, writing, listing and accepting.

use std::io;

use muxftp_proto::Cause;
use rustix::io::Errno;

/// The cause of an error of the system; [`Cause::DiskError`] for what no peer can do anything about.
pub fn cause_of(error: &io::Error) -> Cause {
    Errno::from_io_error(error).map_or(Cause::DiskError, cause)
}

/// The same for rustix's errors.
pub(super) fn cause(errno: Errno) -> Cause {
    match errno {
        Errno::NOENT => Cause::NotFound,
        Errno::ISDIR => Cause::IsDirectory,
        Errno::NOTDIR => Cause::NotDirectory,
        // A device or a pipe that nobody listens on.
        Errno::NXIO | Errno::NODEV => Cause::NotRegular,
        Errno::ACCESS | Errno::PERM => Cause::PermissionDenied,
        Errno::NAMETOOLONG => Cause::NameTooLong,
        // openat2 says XDEV of a path that leads out of the root.
        Errno::LOOP | Errno::XDEV => Cause::BadLink,
        // A byte that this file system does not take in a name.
        Errno::INVAL | Errno::ILSEQ => Cause::BadName,
        Errno::NOSPC => Cause::NoSpace,
        Errno::DQUOT => Cause::QuotaExceeded,
        Errno::FBIG => Cause::FileTooLarge,
        Errno::ROFS => Cause::ReadOnly,
        Errno::MFILE | Errno::NFILE | Errno::NOMEM | Errno::NOBUFS => Cause::OutOfResources,
        _ => Cause::DiskError,
    }
}
