//! Whether a file system answers from a disk of this machine, or asks another machine or program in each call.

use std::os::fd::AsFd;

use rustix::fs::{FsWord, fstatfs};

/// Whether each call may wait, even for what the kernel has in memory. What is not known may.
pub(super) fn is_remote(file: impl AsFd) -> bool {
    // The type has another width, and is signed, on other machines.
    #[allow(clippy::unnecessary_cast, reason = "see above")]
    !fstatfs(file).is_ok_and(|fs| LOCAL.contains(&(fs.f_type as FsWord as u32)))
}

/// `f_type` of the file systems of disks and memory (see `statfs(2)`). FUSE, NFS, CIFS, 9p and all others are not among them.
const LOCAL: [u32; 18] = [
    0xef53,      // ext2, ext3, ext4
    0x5846_5342, // xfs
    0x9123_683e, // btrfs
    0x0102_1994, // tmpfs
    0x8584_58f6, // ramfs
    0x794c_7630, // overlayfs
    0xf2f5_2010, // f2fs
    0x2fc1_2fc1, // zfs
    0xca45_1a4e, // bcachefs
    0x3153_464a, // jfs
    0x5265_4973, // reiserfs
    0x7366_746e, // ntfs3
    0x2011_bab0, // exfat
    0x4d44,      // vfat
    0x9660,      // iso9660
    0x1501_3346, // udf
    0x7371_7368, // squashfs
    0xe0f5_e1e2, // erofs
];
