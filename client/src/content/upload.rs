//! A file that is being uploaded.
//!
//! Invariant: exactly the size that was found at the start is sent, or the upload fails.

use std::ffi::OsStr;
use std::fmt;
use std::fs::{self, File};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::download::shown;
use crate::trouble::Trouble;

/// Where the bytes come from.
#[derive(Debug)]
pub(crate) struct Upload {
    file: File,
    /// Bytes at the file's beginning that are not sent.
    start: u64,
    /// Bytes that will be sent.
    size: u64,
    source: PathBuf,
}

impl Upload {
    /// Opens `source`: a file, or `-` for standard input. What is no regular file is read to its end first, so that its
    /// size can be declared: only then can the server tell a whole upload from a broken one.
    ///
    /// # Errors
    /// It cannot be read, or is a directory.
    pub(crate) fn open(source: &OsStr) -> Result<Upload, Trouble> {
        let path = match source == "-" {
            true => PathBuf::from("standard input"),
            false => PathBuf::from(source),
        };
        Upload::read(source, &path).map_err(|error| Trouble::local("read", shown(&path), error))
    }

    /// The name that the server's copy gets; `None` for what has none.
    pub(crate) fn file_name(source: &OsStr) -> Option<&[u8]> {
        match source == "-" {
            true => None,
            false => Path::new(source).file_name().map(OsStr::as_bytes),
        }
    }

    /// Bytes that will be sent.
    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// The same without its first `start` bytes.
    pub(crate) fn from(self, start: u64) -> Upload {
        Upload { start, size: self.size.saturating_sub(start), ..self }
    }

    /// Fills `buffer` from `offset` on.
    pub(crate) fn provide(&mut self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.size.saturating_sub(offset)).unwrap_or(usize::MAX);
        let most = left.min(buffer.len());
        match self.file.read_at(&mut buffer[..most], self.start + offset)? {
            0 if most > 0 => Err(io::Error::new(io::ErrorKind::UnexpectedEof, "it became shorter while it was sent")),
            bytes => Ok(bytes),
        }
    }

    fn read(source: &OsStr, path: &Path) -> io::Result<Upload> {
        let file = match source == "-" {
            true => spool(io::stdin().lock())?,
            false => {
                // Asked before it is opened: opening a pipe waits for its writer.
                if fs::metadata(path)?.is_dir() {
                    return Err(io::ErrorKind::IsADirectory.into());
                }
                let file = File::open(path)?;
                match file.metadata()?.is_file() {
                    true => file,
                    false => spool(file)?,
                }
            }
        };
        Ok(Upload { start: 0, size: file.metadata()?.len(), file, source: path.to_owned() })
    }
}

impl fmt::Display for Upload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        shown(&self.source).fmt(f)
    }
}

/// Copies a stream into a file without a name.
fn spool(mut stream: impl io::Read) -> io::Result<File> {
    let mut file = tempfile::tempfile()?;
    io::copy(&mut stream, &mut file)?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn the_size_of_the_start_is_what_is_sent() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(b"12345").unwrap();
        let mut upload = Upload::open(file.path().as_os_str()).unwrap();
        file.write_all(b"678").unwrap();
        let mut buffer = [0; 16];
        assert_eq!(upload.size(), 5);
        assert_eq!(upload.provide(0, &mut buffer).unwrap(), 5);
        assert_eq!(upload.provide(5, &mut buffer).unwrap(), 0);
    }

    #[test]
    fn a_file_that_shrinks_is_an_error() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(b"12345").unwrap();
        let mut upload = Upload::open(file.path().as_os_str()).unwrap();
        file.as_file().set_len(2).unwrap();
        let mut buffer = [0; 16];
        assert_eq!(upload.provide(0, &mut buffer).unwrap(), 2);
        assert_eq!(upload.provide(2, &mut buffer).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    }

    #[test]
    fn what_cannot_be_read_is_said() {
        let missing = Upload::open(OsStr::new("/nonexistent")).unwrap_err();
        assert_eq!(missing.to_string(), "cannot read /nonexistent: No such file or directory");
        let directory = Upload::open(OsStr::new("/")).unwrap_err();
        assert_eq!(directory.to_string(), "cannot read /: is a directory");
    }

    #[test]
    fn a_stream_is_read_to_its_end_first() {
        let mut file = spool(&b"streamed"[..]).unwrap();
        let mut buffer = [0; 8];
        file.read_exact_at(&mut buffer, 0).unwrap();
        assert_eq!(&buffer, b"streamed");
        file.flush().unwrap();
    }

    #[test]
    fn the_name_is_the_last_component() {
        assert_eq!(Upload::file_name(OsStr::new("/a/b.txt")), Some(&b"b.txt"[..]));
        assert_eq!(Upload::file_name(OsStr::new("-")), None);
        assert_eq!(Upload::file_name(OsStr::new("..")), None);
    }
}
