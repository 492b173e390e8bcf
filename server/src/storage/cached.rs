//! Reading without waiting: what the page cache has, and whether it has it.
//!
//! `preadv2` with `RWF_NOWAIT` answers EAGAIN where a disk would have to be asked. File systems that do not know it (before
//! Linux 4.14 all, later a few) are read as usual.

use std::fs::File;
use std::io::{self, IoSliceMut};
use std::os::unix::fs::FileExt;

use rustix::io::{Errno, ReadWriteFlags, preadv2};

use crate::limits;

/// Reads what is in the page cache; `None`: nothing at this place.
///
/// # Errors
/// Those of reading.
pub fn read_cached(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<Option<usize>> {
    loop {
        let slices = &mut [IoSliceMut::new(buffer)];
        match preadv2(file, slices, offset, ReadWriteFlags::NOWAIT) {
            Ok(count) => return Ok(Some(count)),
            Err(Errno::AGAIN) => return Ok(None),
            Err(Errno::INTR) => {}
            Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL) => return file.read_at(buffer, offset).map(Some),
            Err(errno) => return Err(errno.into()),
        }
    }
}

/// Whether `count` bytes from `offset` on are in the page cache, as far as a look at some of them tells.
pub fn is_cached(file: &File, offset: u64, count: usize) -> bool {
    let last = offset + (count as u64).saturating_sub(1);
    let mut place = offset;
    while place < last {
        if !has_byte(file, place) {
            return false;
        }
        place += limits::CACHE_LOOK_STEP;
    }
    has_byte(file, last)
}

/// An error is the reading's own to give.
fn has_byte(file: &File, place: u64) -> bool {
    let byte = &mut [0];
    !matches!(preadv2(file, &mut [IoSliceMut::new(byte)], place, ReadWriteFlags::NOWAIT), Err(Errno::AGAIN))
}
