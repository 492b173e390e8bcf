//! The errors of the system as causes.

use muxftp_proto::Cause;
use rustix::io::Errno;

/// What an error of a file system call means to a client.
pub(super) fn cause(errno: Errno) -> Cause {
    match errno {
        Errno::NOENT => Cause::NotFound,
        Errno::ISDIR => Cause::IsDirectory,
        Errno::NOTDIR => Cause::NotDirectory,
        Errno::EXIST => Cause::Exists,
        Errno::NOTEMPTY => Cause::NotEmpty,
        // A socket, or a device without its driver.
        Errno::NXIO | Errno::NODEV => Cause::NotRegular,
        // EBUSY: the name is a mount point.
        Errno::ACCESS | Errno::PERM | Errno::BUSY | Errno::TXTBSY => Cause::PermissionDenied,
        Errno::NAMETOOLONG => Cause::NameTooLong,
        // EXDEV is how openat2 says that a path leads out.
        Errno::LOOP | Errno::XDEV => Cause::BadLink,
        // Names that the file system itself does not take (FAT, or one that demands UTF-8).
        Errno::INVAL | Errno::ILSEQ => Cause::BadName,
        Errno::NOSPC => Cause::NoSpace,
        Errno::DQUOT => Cause::QuotaExceeded,
        Errno::FBIG | Errno::OVERFLOW => Cause::FileTooLarge,
        Errno::ROFS => Cause::ReadOnly,
        // EAGAIN: the bounded attempts of a path that is being renamed are used up.
        Errno::MFILE | Errno::NFILE | Errno::NOMEM | Errno::NOBUFS | Errno::AGAIN => Cause::OutOfResources,
        _ => Cause::DiskError,
    }
}

/// The cause of an error of the system; [`Cause::DiskError`] for what no client can do anything about.
pub fn cause_of(error: &std::io::Error) -> Cause {
    Errno::from_io_error(error).map_or(Cause::DiskError, cause)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_without_a_meaning_of_their_own_are_the_disk() {
        assert_eq!(cause(Errno::IO), Cause::DiskError);
        assert_eq!(cause(Errno::STALE), Cause::DiskError);
        assert_eq!(cause_of(&std::io::ErrorKind::WriteZero.into()), Cause::DiskError);
    }

    #[test]
    fn causes_keep_what_the_client_can_act_on() {
        for (errno, expected) in [
            (Errno::NOSPC, Cause::NoSpace),
            (Errno::DQUOT, Cause::QuotaExceeded),
            (Errno::XDEV, Cause::BadLink),
            (Errno::MFILE, Cause::OutOfResources),
            (Errno::ROFS, Cause::ReadOnly),
        ] {
            assert_eq!(cause(errno), expected);
            assert_eq!(cause_of(&errno.into()), expected);
        }
    }
}
