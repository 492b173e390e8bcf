//! A file that is being downloaded.
//!
//! Invariant: a regular file under the target's name is either the old one or the whole new one; what is not whole is in
//! a hidden temporary file beside it, which goes when the download is dropped.

use std::ffi::OsStr;
use std::fmt;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use muxftp_proto::Escaped;
use tempfile::NamedTempFile;

use crate::trouble::Trouble;

/// Where the bytes go.
#[derive(Debug)]
pub(crate) enum Download {
    /// A file that takes its name at the end.
    File { temporary: NamedTempFile, target: PathBuf },
    /// As that, but what is there when it breaks off is kept, for the next time.
    Part { file: File, part: PathBuf, target: PathBuf },
    /// A device, a pipe: written as the bytes come.
    Stream { file: File, target: PathBuf },
    /// Standard output.
    Output,
}

impl Download {
    /// A download of `name` to `place`: a file, a directory, or `-`. Without a place, to `name` in the present directory.
    ///
    /// # Errors
    /// No file can be made there.
    pub(crate) fn begin(name: &[u8], place: Option<&OsStr>) -> Result<Download, Trouble> {
        if place.is_some_and(|place| place == "-") {
            return Ok(Download::Output);
        }
        let target = target(name, place);
        Download::open(&target).map_err(|error| Trouble::local("write", shown(&target), error))
    }

    /// How many bytes of `name` are here: in `name.part` from a download that broke off, else under the name itself.
    ///
    /// # Errors
    /// What is there is no file.
    pub(crate) fn size_of_part(name: &[u8], place: Option<&OsStr>) -> Result<u64, Trouble> {
        let target = target(name, place);
        for path in [part_of(&target), target] {
            match fs::metadata(&path) {
                Ok(found) if found.is_file() => return Ok(found.len()),
                Ok(_) => {
                    return Err(Trouble::Usage(format!("{} is no file: there is nothing to go on with", shown(&path))));
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(Trouble::local("read", shown(&path), error)),
            }
        }
        Ok(0)
    }

    /// Whether the file is here, under its name.
    pub(crate) fn is_there(name: &[u8], place: Option<&OsStr>) -> bool {
        let target = target(name, place);
        target.is_file() && !part_of(&target).exists()
    }

    /// Goes on with what is here ([`Download::size_of_part`]). Until it is whole it is called `name.part`.
    ///
    /// # Errors
    /// It cannot be written.
    pub(crate) fn resume(name: &[u8], place: Option<&OsStr>) -> Result<Download, Trouble> {
        let target = target(name, place);
        let part = part_of(&target);
        let open = || {
            if !part.exists() && target.exists() {
                fs::rename(&target, &part)?;
            }
            OpenOptions::new().append(true).create(true).open(&part)
        };
        let file = open().map_err(|error| Trouble::local("write", shown(&part), error))?;
        Ok(Download::Part { file, part, target })
    }

    fn open(target: &Path) -> io::Result<Download> {
        match fs::metadata(target) {
            Ok(found) if found.is_dir() => return Err(io::ErrorKind::IsADirectory.into()),
            Ok(found) if !found.is_file() => {
                let file = OpenOptions::new().write(true).open(target)?;
                return Ok(Download::Stream { file, target: target.to_owned() });
            }
            _ => {}
        }
        // The file behind a link is what is replaced, not the link.
        let target = match target.is_symlink() {
            true => fs::canonicalize(target)?,
            false => target.to_owned(),
        };
        let directory = match target.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        let temporary = tempfile::Builder::new()
            .prefix(".muxftp-")
            .suffix(".part")
            // As a new file has; the user's mask is taken off by the system.
            .permissions(Permissions::from_mode(0o666))
            .tempfile_in(directory)
            .map_err(|error| error.raw_os_error().map_or(error, io::Error::from_raw_os_error))?;
        Ok(Download::File { temporary, target })
    }

    /// Takes the next bytes.
    pub(crate) fn receive(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Download::File { temporary, .. } => temporary.as_file_mut().write_all(bytes),
            Download::Part { file, .. } | Download::Stream { file, .. } => file.write_all(bytes),
            Download::Output => io::stdout().write_all(bytes),
        }
    }

    /// All bytes have come: gives the file its name.
    ///
    /// # Errors
    /// It cannot have it.
    pub(crate) fn finish(self) -> Result<(), Trouble> {
        match self {
            Download::File { temporary, target } => temporary
                .persist(&target)
                .map(drop)
                .map_err(|error| Trouble::local("write", shown(&target), error.error)),
            Download::Part { part, target, .. } => {
                fs::rename(&part, &target).map_err(|error| Trouble::local("write", shown(&target), error))
            }
            Download::Stream { .. } => Ok(()),
            Download::Output => {
                io::stdout().flush().map_err(|error| Trouble::local("write to", "standard output", error))
            }
        }
    }
}

impl fmt::Display for Download {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Download::File { target, .. } | Download::Part { target, .. } | Download::Stream { target, .. } => {
                shown(target).fmt(f)
            }
            Download::Output => f.write_str("standard output"),
        }
    }
}

/// Where `name` goes.
fn target(name: &[u8], place: Option<&OsStr>) -> PathBuf {
    let name = OsStr::from_bytes(name);
    match place {
        None => PathBuf::from(name),
        Some(place) if Path::new(place).is_dir() => Path::new(place).join(name),
        Some(place) => PathBuf::from(place),
    }
}

/// Where what is not whole is kept to go on with.
fn part_of(target: &Path) -> PathBuf {
    let mut name = target.as_os_str().to_owned();
    name.push(".part");
    PathBuf::from(name)
}

/// A path for a message.
pub(super) fn shown(path: &Path) -> Escaped<'_> {
    Escaped(path.as_os_str().as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(directory: &Path) -> Vec<String> {
        let mut names: Vec<String> =
            fs::read_dir(directory).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn the_name_is_taken_at_the_end() {
        let directory = tempfile::tempdir().unwrap();
        let mut download = Download::begin(b"a.txt", Some(directory.path().as_os_str())).unwrap();
        download.receive(b"hello").unwrap();
        assert!(!directory.path().join("a.txt").exists());
        download.finish().unwrap();
        assert_eq!(names(directory.path()), ["a.txt"]);
        assert_eq!(fs::read(directory.path().join("a.txt")).unwrap(), b"hello");
    }

    #[test]
    fn what_is_dropped_leaves_the_old_file_and_nothing_else() {
        let directory = tempfile::tempdir().unwrap();
        let old = directory.path().join("a.txt");
        fs::write(&old, "old").unwrap();
        let mut download = Download::begin(b"ignored", Some(old.as_os_str())).unwrap();
        download.receive(b"new").unwrap();
        drop(download);
        assert_eq!(names(directory.path()), ["a.txt"]);
        assert_eq!(fs::read(old).unwrap(), b"old");
    }

    #[test]
    fn a_link_stays_and_what_it_names_is_replaced() {
        let directory = tempfile::tempdir().unwrap();
        let (file, link) = (directory.path().join("file"), directory.path().join("link"));
        fs::write(&file, "old").unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        let mut download = Download::begin(b"x", Some(link.as_os_str())).unwrap();
        download.receive(b"new").unwrap();
        download.finish().unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read(file).unwrap(), b"new");
    }

    #[test]
    fn a_device_is_written_to_and_never_replaced() {
        let download = Download::begin(b"x", Some(OsStr::new("/dev/null"))).unwrap();
        assert!(matches!(download, Download::Stream { .. }));
    }

    #[test]
    fn a_directory_that_is_missing_is_said() {
        let trouble = Download::begin(b"x", Some(OsStr::new("/nonexistent/x"))).unwrap_err();
        assert_eq!(trouble.to_string(), "cannot write /nonexistent/x: No such file or directory");
    }
}
