//! A directory as sorted lines, in bounded memory and in short steps, however large it is.
//!
//! The kernel gives names in no order. A pass over the directory keeps the smallest names above the last one sent, as
//! many as fit; they are sent; if names had to be left out, the next pass brings them. A directory of normal size takes
//! one pass.
//!
//! ```text
//!             directory read to its end               all kept names sent
//! Collecting ---------------------------> Sending ------------------------> End
//!      ^                                     |
//!      +-------------------------------------+   names were left out: again from the top, above the last name sent
//! ```
//!
//! Invariants:
//! - lines come in strictly ascending order of bytes;
//! - a name that is there during the whole listing comes exactly once;
//! - one call reads a bounded number of entries and sorts a bounded number of names.

use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use muxftp_proto::Cause;
use muxftp_proto::representation::entry::{Entry, EntryKind};
use muxftp_proto::representation::glob;
use rustix::fs::{FileType, OFlags, RawDir, SeekFrom, fstat, readlinkat, seek};
use rustix::io::Errno;

use super::cause::cause;
use super::tree::entry_of;
use super::{beneath, names, reach};
use crate::limits;

/// A directory on its way to a client.
#[derive(Debug)]
pub struct Listing {
    dir: OwnedFd,
    /// The root, and where in it the directory is: what a link in it stands for is seen from there.
    root: Arc<OwnedFd>,
    path: Box<[u8]>,
    only: Option<Only>,
    kept: Kept,
    phase: Phase,
    entries_per_call: usize,
}

/// Which names are listed.
#[derive(Debug)]
enum Only {
    Name(Box<[u8]>),
    Matching(Box<[u8]>),
}

/// A name that is being listed.
#[derive(Debug, Clone, Copy)]
pub struct Listed<'a> {
    listing: &'a Listing,
    /// A directory's ends in `/`.
    pub shown: &'a [u8],
}

impl<'a> Listed<'a> {
    /// The name itself.
    pub fn name(&self) -> &'a [u8] {
        self.shown.strip_suffix(b"/").unwrap_or(self.shown)
    }

    /// Prints what is known of the name, if it is still there. A link is told of as such, with where it points.
    pub fn with_entry(&self, print: impl FnOnce(&Entry<'_>)) {
        let name = self.name();
        let Ok(stat) = beneath::stat(&self.listing.dir, name) else { return };
        let entry = Entry { name, ..entry_of(&stat) };
        match entry.kind {
            EntryKind::Link(_) => {
                let target = readlinkat(&self.listing.dir, name, Vec::new()).unwrap_or_default();
                // A target that would begin a new line is not told.
                let target = target.as_bytes();
                let target = if target.iter().any(|byte| matches!(byte, b'\r' | b'\n')) { b"?" } else { target };
                print(&Entry { kind: EntryKind::Link(target), ..entry });
            }
            _ => print(&entry),
        }
    }

    /// The same, of what a link stands for, as long as that is below the root.
    pub fn with_resolved(&self, print: impl FnOnce(&Entry<'_>)) {
        let name = self.name();
        let Ok(stat) = beneath::stat(&self.listing.dir, name) else { return };
        let mut entry = entry_of(&stat);
        if let EntryKind::Link(_) = entry.kind {
            let path = names::join(&self.listing.path, name);
            let followed = beneath::open(&self.listing.root, &path, OFlags::PATH).and_then(|file| fstat(&file));
            entry = followed.map_or(entry, |stat| entry_of(&stat));
        }
        print(&Entry { name, ..entry });
    }
}

/// Whether a listing goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListProgress {
    /// Call again; this call may have added nothing.
    More,
    /// That was all.
    End,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Collecting,
    /// The names before `next` are sent, those before `sorted` are in order.
    Sending {
        next: usize,
        sorted: usize,
    },
    End,
}

impl Listing {
    /// Of `dir`, which is at `path` below `root`.
    pub(super) fn new(dir: OwnedFd, root: Arc<OwnedFd>, path: &[u8]) -> Listing {
        let kept = Kept::new(limits::LISTED_NAMES_MAX);
        let path = path.into();
        Listing {
            dir,
            root,
            path,
            only: None,
            kept,
            phase: Phase::Collecting,
            entries_per_call: limits::ENTRIES_PER_CALL,
        }
    }

    /// Lists nothing but this name, or those that match it.
    pub(super) fn only(mut self, name: &[u8], is_pattern: bool) -> Listing {
        self.only = Some(if is_pattern { Only::Matching(name.into()) } else { Only::Name(name.into()) });
        self
    }

    #[cfg(test)]
    pub(super) fn with_limits(mut self, names_max: usize, entries_per_call: usize) -> Listing {
        self.kept = Kept::new(names_max);
        self.entries_per_call = entries_per_call;
        self
    }

    /// Appends names to `out`, each as `print` writes its line, until `out` has at least `bytes_max` bytes or the work of
    /// one call is done.
    ///
    /// A directory's name ends in `/`. Names that the wire cannot carry (with CR or LF) are left out.
    ///
    /// # Errors
    /// Those of reading the directory; the listing is then over.
    pub fn fill(
        &mut self,
        out: &mut Vec<u8>,
        bytes_max: usize,
        print: impl Fn(Listed<'_>, &mut Vec<u8>),
    ) -> Result<ListProgress, Cause> {
        if self.phase == Phase::Collecting {
            let read_to_end = self.collect().map_err(|errno| {
                self.phase = Phase::End;
                cause(errno)
            })?;
            if !read_to_end {
                return Ok(ListProgress::More);
            }
            self.phase = Phase::Sending { next: 0, sorted: 0 };
        }
        if let Phase::Sending { next, sorted } = self.phase {
            self.phase = self.send(next, sorted, out, bytes_max, print)?;
        }
        Ok(if self.phase == Phase::End { ListProgress::End } else { ListProgress::More })
    }

    /// Reads entries; true at the end of the directory.
    fn collect(&mut self) -> Result<bool, Errno> {
        let mut buffer = [const { MaybeUninit::<u8>::uninit() }; READ_BYTES];
        let mut entries = RawDir::new(&self.dir, &mut buffer);
        let mut count = 0;
        // What stands in the buffer would be lost, so a call ends between two reads.
        while count < self.entries_per_call || !entries.is_buffer_empty() {
            let Some(entry) = entries.next() else {
                return Ok(true);
            };
            let entry = entry?;
            count += 1;
            let name = entry.file_name().to_bytes();
            if !is_listed(name) || !self.only.as_ref().is_none_or(|only| only.takes(name)) {
                continue;
            }
            let is_directory = match entry.file_type() {
                FileType::Unknown => match beneath::stat(&self.dir, name) {
                    Ok(stat) => FileType::from_raw_mode(stat.st_mode) == FileType::Directory,
                    Err(_) => continue,
                },
                known => known == FileType::Directory,
            };
            self.kept.offer(name, is_directory);
        }
        Ok(false)
    }

    fn send(
        &mut self,
        mut next: usize,
        mut sorted: usize,
        out: &mut Vec<u8>,
        bytes_max: usize,
        print: impl Fn(Listed<'_>, &mut Vec<u8>),
    ) -> Result<Phase, Cause> {
        if next == sorted {
            sorted = self.kept.sort_more(sorted);
        }
        while next < sorted && out.len() < bytes_max {
            let before = out.len();
            print(Listed { listing: self, shown: self.kept.name(next) }, out);
            if reach::has_missed() {
                // A link into another mount: the line is printed again where it may be followed.
                out.truncate(before);
                return Ok(Phase::Sending { next, sorted });
            }
            next += 1;
        }
        if next < self.kept.len() {
            return Ok(Phase::Sending { next, sorted });
        }
        if !self.kept.begin_next_pass() {
            return Ok(Phase::End);
        }
        seek(&self.dir, SeekFrom::Start(0)).map_err(cause)?;
        Ok(Phase::Collecting)
    }
}

impl Only {
    fn takes(&self, name: &[u8]) -> bool {
        match self {
            Only::Name(only) => **only == *name,
            Only::Matching(pattern) => glob::matches(pattern, name),
        }
    }
}

/// The smallest names above `floor` that were offered, in one arena.
#[derive(Debug)]
struct Kept {
    names_max: usize,
    arena: Vec<u8>,
    index: Vec<Span>,
    /// The last name sent by the pass before; empty in the first.
    floor: Vec<u8>,
    /// Once names had to be left out: the largest that was kept then. Above it nothing more is kept.
    ceiling: Option<Vec<u8>>,
}

/// A name in the arena.
#[derive(Debug, Clone, Copy)]
struct Span {
    start: u32,
    len: u32,
}

impl Kept {
    fn new(names_max: usize) -> Kept {
        Kept { names_max, arena: Vec::new(), index: Vec::new(), floor: Vec::new(), ceiling: None }
    }

    fn len(&self) -> usize {
        self.index.len()
    }

    fn name(&self, position: usize) -> &[u8] {
        self.index[position].of(&self.arena)
    }

    fn offer(&mut self, name: &[u8], is_directory: bool) {
        let start = self.arena.len();
        self.arena.extend_from_slice(name);
        if is_directory {
            self.arena.push(b'/');
        }
        let shown = &self.arena[start..];
        if shown <= &*self.floor || self.ceiling.as_ref().is_some_and(|ceiling| shown > &**ceiling) {
            self.arena.truncate(start);
            return;
        }
        let len = shown.len() as u32;
        self.index.push(Span { start: start as u32, len });
        if self.index.len() >= self.names_max || self.arena.len() >= limits::LISTED_BYTES_MAX {
            self.leave_out_larger_half();
        }
    }

    fn leave_out_larger_half(&mut self) {
        let half = self.index.len().div_ceil(2);
        let (arena, index) = (&self.arena, &mut self.index);
        index.select_nth_unstable_by(half - 1, |a, b| a.of(arena).cmp(b.of(arena)));
        self.ceiling = Some(self.index[half - 1].of(&self.arena).to_vec());
        self.index.truncate(half);
        let mut arena = Vec::with_capacity(self.arena.len());
        for span in &mut self.index {
            let start = arena.len() as u32;
            arena.extend_from_slice(span.of(&self.arena));
            span.start = start;
        }
        self.arena = arena;
    }

    /// Puts the next names after the first `sorted` in order; gives how many are in order now.
    fn sort_more(&mut self, sorted: usize) -> usize {
        let (arena, rest) = (&self.arena, &mut self.index[sorted..]);
        let by_name = |a: &Span, b: &Span| a.of(arena).cmp(b.of(arena));
        let count = rest.len().min(limits::SORTED_PER_CALL);
        if count < rest.len() {
            rest.select_nth_unstable_by(count, by_name);
        }
        rest[..count].sort_unstable_by(by_name);
        sorted + count
    }

    /// After all names are sent: whether names were left out, and so another pass is needed.
    fn begin_next_pass(&mut self) -> bool {
        let Some(ceiling) = self.ceiling.take() else {
            return false;
        };
        self.floor = ceiling;
        self.arena.clear();
        self.index.clear();
        true
    }
}

impl Span {
    fn of(self, arena: &[u8]) -> &[u8] {
        &arena[self.start as usize..][..self.len as usize]
    }
}

fn is_listed(name: &[u8]) -> bool {
    !matches!(name, b"." | b"..") && !names::is_hidden(name) && !name.iter().any(|byte| matches!(byte, b'\r' | b'\n'))
}

/// Bytes of one read of the directory.
const READ_BYTES: usize = 32 * 1024;
