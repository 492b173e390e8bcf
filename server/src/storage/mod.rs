//! Files below one confined root.

use std::fs::File;
use std::io;
use std::path::Path;

use muxftp_proto::{Cause, VPath};

use crate::config::Durability;

/// One confined directory.
#[derive(Debug)]
pub struct Root;
/// A file open for reading.
#[derive(Debug)]
pub struct ReadFile {
    /// The file, at its beginning.
    pub file: File,
    /// Its size in bytes when it was opened.
    pub size: u64,
}
/// What became of temporaries of an earlier run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leftovers {
    /// So many were removed; so many files or directories could not be looked at or removed.
    Swept {
        /// Removed files.
        removed: usize,
        /// Files and directories that refused.
        failed: usize,
    },
    /// Another server runs on this root (or the file system has no locks): nothing was touched.
    NotSwept,
}
/// An upload on its way; dropped without [`Upload::commit`] it leaves nothing.
#[derive(Debug)]
pub struct Upload;
/// A directory being listed.
#[derive(Debug)]
pub struct Listing;
/// Whether a listing goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListProgress {
    /// Call again; `out` may have got nothing this time.
    More,
    /// That was all.
    End,
}
impl Root {
    /// Opens.
    pub fn open(_path: &Path, _durability: Durability) -> io::Result<Root> {
        todo!()
    }
    /// What the sweep at the start did.
    pub fn leftovers(&self) -> Leftovers {
        todo!()
    }
    /// Opens a file for reading.
    pub fn open_read(&self, _path: &VPath) -> Result<ReadFile, Cause> {
        todo!()
    }
    /// Opens a directory.
    pub fn open_list(&self, _path: &VPath) -> Result<Listing, Cause> {
        todo!()
    }
    /// Begins an upload.
    pub fn open_write(&self, _path: &VPath, _declared: Option<u64>) -> Result<Upload, Cause> {
        todo!()
    }
}
impl Upload {
    /// Appends all.
    pub fn write(&mut self, _bytes: &[u8]) -> Result<(), Cause> {
        todo!()
    }
    /// Bytes so far.
    pub fn written(&self) -> u64 {
        todo!()
    }
    /// Whether commit waits for the disk and so belongs on a worker.
    pub fn needs_sync(&self) -> bool {
        todo!()
    }
    /// Makes it visible.
    pub fn commit(self) -> Result<(), Cause> {
        todo!()
    }
}
impl Listing {
    /// Fills.
    pub fn fill(&mut self, _out: &mut Vec<u8>, _max: usize, _line_end: &[u8]) -> Result<ListProgress, Cause> {
        todo!()
    }
}
