//! The directory of one run's results, and files in it that may fail without stopping the run.
//!
//! Must not know what is in the files.
//!
//! Invariant: a file that failed once is not written any more, and its first failure is kept for the end.

use std::fs::{self, File};
use std::io::{self, LineWriter, Write};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use crate::report::FileError;

/// The directory of one run.
#[derive(Debug, Clone)]
pub(crate) struct ResultsDirectory {
    path: PathBuf,
    problems: Problems,
}

/// Files that failed, each with its first failure.
#[derive(Debug, Clone, Default)]
pub(crate) struct Problems(Arc<Mutex<Vec<FileError>>>);

/// A file that is written as the run goes, line by line, so that a killed run leaves whole lines. Writing never fails:
/// the first failure is kept among the [`Problems`].
#[derive(Debug)]
pub(crate) struct RunFile {
    path: PathBuf,
    file: LineWriter<File>,
    problems: Problems,
    failed: bool,
}

impl ResultsDirectory {
    /// Makes `PARENT/NAME-STAMP-sSEED`, or the same with `-2` and so on when it exists, and points `latest` there.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn create(parent: &Path, name: &str, seed: u64, now: SystemTime) -> Result<ResultsDirectory, FileError> {
        fs::create_dir_all(parent).map_err(|source| FileError { path: parent.to_owned(), source })?;
        let stem = format!("{name}-{}-s{seed}", stamp(now));
        let mut number = 1;
        loop {
            let own = if number == 1 { stem.clone() } else { format!("{stem}-{number}") };
            let path = parent.join(&own);
            match fs::create_dir(&path) {
                Ok(()) => {
                    let directory = ResultsDirectory { path, problems: Problems::default() };
                    directory.link_latest(parent, &own);
                    return Ok(directory);
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => number += 1,
                Err(source) => return Err(FileError { path, source }),
            }
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What failed so far.
    pub fn problems(&self) -> &Problems {
        &self.problems
    }

    /// Makes a file that is written as the run goes.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn open(&self, name: &str) -> Result<RunFile, FileError> {
        let path = self.path.join(name);
        match File::create(&path) {
            Ok(file) => {
                Ok(RunFile { path, file: LineWriter::new(file), problems: self.problems.clone(), failed: false })
            }
            Err(source) => Err(FileError { path, source }),
        }
    }

    /// Writes a whole file before the run.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write_first(&self, name: &str, contents: &str) -> Result<(), FileError> {
        let path = self.path.join(name);
        fs::write(&path, contents).map_err(|source| FileError { path, source })
    }

    /// Writes a whole file after the run, in a directory of its own when the name says so; a failure is kept.
    pub fn write(&self, name: &str, contents: &str) {
        let path = self.path.join(name);
        let parent = path.parent().unwrap_or(&self.path);
        if let Err(source) = fs::create_dir_all(parent).and_then(|()| fs::write(&path, contents)) {
            self.problems.add(path, source);
        }
    }

    /// Replaced in one step, so that there is always a `latest`.
    fn link_latest(&self, parent: &Path, own: &str) {
        let new = parent.join(format!(".latest-{}", std::process::id()));
        let latest = parent.join("latest");
        if let Err(source) = symlink(own, &new).and_then(|()| fs::rename(&new, &latest)) {
            // A directory of that name, or a file system without links: the run is worth more.
            let _ = fs::remove_file(&new);
            self.problems.add(latest, source);
        }
    }
}

impl Problems {
    /// Keeps a failure.
    pub fn add(&self, path: PathBuf, source: io::Error) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(FileError { path, source });
    }

    /// The first failures and how many more there are, in words.
    pub fn words(&self) -> Vec<String> {
        let problems = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let first = problems.iter().take(PROBLEMS_SHOWN).map(|error| format!("not written in full: {error}"));
        let more = problems.len().saturating_sub(PROBLEMS_SHOWN);
        first.chain((more > 0).then(|| format!("and {more} more files were not written in full"))).collect()
    }
}

impl RunFile {
    fn guard(&mut self, result: io::Result<()>) {
        if let Err(source) = result {
            self.failed = true;
            self.problems.add(self.path.clone(), source);
        }
    }
}

impl Write for RunFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if !self.failed {
            let result = self.file.write_all(bytes);
            self.guard(result);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if !self.failed {
            let result = self.file.flush();
            self.guard(result);
        }
        Ok(())
    }
}

/// `20261120T210806Z`.
fn stamp(now: SystemTime) -> String {
    let utc = crate::report::outcome::utc(now);
    let seconds = utc.split('.').next().unwrap_or_default();
    format!("{}Z", seconds.replace(['-', ':'], ""))
}

/// A full disk fails all files alike.
const PROBLEMS_SHOWN: usize = 3;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn noon() -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_208_886)
    }

    #[test]
    fn names_do_not_collide_and_latest_follows() {
        let parent = tempfile::tempdir().unwrap();
        let names: Vec<String> = (0..3)
            .map(|_| {
                let made = ResultsDirectory::create(parent.path(), "mixed3", 42, noon()).unwrap();
                let latest = fs::read_link(parent.path().join("latest")).unwrap();
                assert_eq!(Some(latest.as_os_str()), made.path().file_name());
                made.path().file_name().unwrap().to_str().unwrap().to_owned()
            })
            .collect();
        assert_eq!(
            names,
            ["mixed3-20261120T210806Z-s42", "mixed3-20261120T210806Z-s42-2", "mixed3-20261120T210806Z-s42-3"]
        );
    }

    #[test]
    fn a_directory_that_cannot_be_made_is_an_error_with_its_path() {
        let parent = tempfile::tempdir().unwrap();
        let file = parent.path().join("file");
        fs::write(&file, "").unwrap();
        let error = ResultsDirectory::create(&file, "x", 1, noon()).unwrap_err();
        assert!(error.to_string().contains(file.to_str().unwrap()), "{error}");
    }

    #[test]
    fn a_directory_called_latest_is_left_alone_and_told() {
        let parent = tempfile::tempdir().unwrap();
        fs::create_dir(parent.path().join("latest")).unwrap();
        let made = ResultsDirectory::create(parent.path(), "x", 1, noon()).unwrap();
        assert_eq!(made.problems().words().len(), 1);
        assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 2, "no link is left over");
    }

    #[test]
    fn a_full_disk_is_told_once_and_stops_nothing() {
        let problems = Problems::default();
        let path = PathBuf::from("/dev/full");
        let device = File::options().write(true).open(&path).unwrap();
        let mut file = RunFile { path, file: LineWriter::new(device), problems: problems.clone(), failed: false };
        for _ in 0..3 {
            writeln!(file, "a row").unwrap();
            file.flush().unwrap();
        }
        let words = problems.words();
        assert!(words.len() == 1 && words[0].contains("/dev/full: No space left"), "{words:?}");
    }
}
