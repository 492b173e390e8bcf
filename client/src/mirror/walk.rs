//! From directory to directory of a tree: makes directories, and finds the files that have to be moved.
//!
//! It must not know how files are moved.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::mpsc::{SyncSender, TrySendError};
use std::time::{SystemTime, UNIX_EPOCH};

use muxftp_proto::client::io::{ListingForm, Operation};
use muxftp_proto::representation::listed::{Listed, ListedKind, parse_facts, parse_long};
use muxftp_proto::{Escaped, Feature};

use super::job::{Job, join, modified_time, seconds};
use super::{Plan, Shared};
use crate::content::{Content, Listing};
use crate::engine::{Engine, Watch};
use crate::target::last_component;
use crate::trouble::Trouble;

/// A directory that is still to be walked.
struct Pair {
    remote: Vec<u8>,
    local: PathBuf,
    /// It was just made: there is nothing in the copy.
    is_new: bool,
}

/// Walks the whole tree.
///
/// # Errors
/// The root of the tree cannot be read, or that of its copy not be made.
pub(super) fn walk(
    engine: &mut Engine,
    plan: &Plan,
    remote: &[u8],
    shared: &Shared,
    jobs: &SyncSender<Job>,
) -> Result<(), Trouble> {
    let root = Pair { remote: remote.to_vec(), local: plan.local.clone(), is_new: false };
    match plan.is_upload {
        false => fs::create_dir_all(&root.local).map_err(|error| cannot("make", &root.local, error))?,
        true => match engine.ask(&Operation::MakeDirectory { name: root.remote.clone() }, "mkdir") {
            // It is there, most likely; if not, the next step tells.
            Ok(_) | Err(Trouble::Refused { .. }) => go_to(engine, &root.remote)?,
            Err(other) => return Err(other),
        },
    }
    let mut walker = Walker { engine, shared, jobs, is_upload: plan.is_upload, left: Vec::new(), hides: false };
    walker.visit(&root)?;
    while let Some(pair) = walker.left.pop().filter(|_| !shared.is_stopped()) {
        if let Err(trouble) = walker.visit(&pair) {
            shared.fail(&trouble);
        }
    }
    Ok(())
}

/// Goes to a directory of the server, also after a new log-in.
///
/// # Errors
/// It cannot be gone to.
pub(super) fn go_to(engine: &mut Engine, directory: &[u8]) -> Result<(), Trouble> {
    let what = format!("cd {}", Escaped(directory));
    engine.ask(&Operation::ChangeDirectory { name: directory.to_vec() }, &what)?;
    engine.remember_directory().map(drop)
}

struct Walker<'a> {
    engine: &'a mut Engine,
    shared: &'a Shared,
    jobs: &'a SyncSender<Job>,
    is_upload: bool,
    left: Vec<Pair>,
    /// The server does not know `LIST -a`, which shows names that begin with a dot: who knows it shows the directory
    /// itself, too. vsftpd shows them to nobody who does not ask.
    hides: bool,
}

impl Walker<'_> {
    fn visit(&mut self, pair: &Pair) -> Result<(), Trouble> {
        if !self.is_upload {
            for entry in self.list(&pair.remote)? {
                let result = self.consider_remote(pair, &entry);
                self.count(result);
            }
            return Ok(());
        }
        let there = if pair.is_new { Vec::new() } else { self.list(&pair.remote)? };
        let there: HashMap<&[u8], &Listed> = there.iter().map(|entry| (entry.name.as_slice(), entry)).collect();
        for entry in fs::read_dir(&pair.local).map_err(|error| cannot("read", &pair.local, error))? {
            let entry = entry.map_err(|error| cannot("read", &pair.local, error))?;
            let found = there.get(entry.file_name().as_bytes()).copied();
            let result = self.consider_local(pair, &entry, found);
            self.count(result);
        }
        Ok(())
    }

    fn consider_remote(&mut self, pair: &Pair, entry: &Listed) -> Result<(), Trouble> {
        let remote = join(&pair.remote, &entry.name);
        if matches!(entry.kind, ListedKind::Current | ListedKind::Parent) || matches!(&*entry.name, b"." | b"..") {
            return Ok(());
        }
        if last_component(&entry.name) != Some(entry.name.as_slice()) {
            let reason = "a name that cannot be one here: left out".to_owned();
            return Err(Trouble::Broken { what: Escaped(&remote).to_string(), reason });
        }
        let local = pair.local.join(OsStr::from_bytes(&entry.name));
        let found = match fs::symlink_metadata(&local) {
            Ok(found) => Some(found),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(cannot("read", &local, error)),
        };
        match (entry.kind, found) {
            (ListedKind::Directory, None) => {
                fs::create_dir(&local).map_err(|error| cannot("make", &local, error))?;
                self.left.push(Pair { remote, local, is_new: true });
            }
            (ListedKind::Directory, Some(found)) if found.is_dir() => {
                self.left.push(Pair { remote, local, is_new: false });
            }
            (ListedKind::File, None) => self.send(Job { remote, local, modified: entry.modified }),
            (ListedKind::File, Some(found)) if found.is_file() => {
                let here = seconds(&found).map_err(|error| cannot("read", &local, error))?;
                let is_same = entry.size == Some(found.len())
                    && self.modified(&remote, entry).is_some_and(|modified| here >= modified);
                self.move_unless(is_same, Job { remote, local, modified: entry.modified });
            }
            (ListedKind::Directory | ListedKind::File, Some(_)) => {
                let reason = "what has this name here is of another kind, or a link: left as it is".to_owned();
                return Err(Trouble::Broken { what: Escaped(&remote).to_string(), reason });
            }
            _ => self.leave_out(&remote),
        }
        Ok(())
    }

    fn consider_local(&mut self, pair: &Pair, entry: &fs::DirEntry, found: Option<&Listed>) -> Result<(), Trouble> {
        let local = entry.path();
        let remote = join(&pair.remote, entry.file_name().as_bytes());
        let here = entry.metadata().map_err(|error| cannot("read", &local, error))?;
        if here.is_dir() {
            let is_new = !found.is_some_and(|found| found.kind == ListedKind::Directory);
            if is_new {
                let what = format!("mkdir {}", Escaped(&remote));
                self.engine.ask(&Operation::MakeDirectory { name: remote.clone() }, &what)?;
            }
            self.left.push(Pair { remote, local, is_new });
        } else if here.is_file() {
            let modified = seconds(&here).map_err(|error| cannot("read", &local, error))?;
            let found = found.filter(|found| found.kind == ListedKind::File && found.size == Some(here.len()));
            let there = found.and_then(|found| self.modified(&remote, found));
            let is_same = there.is_some_and(|there| there >= modified);
            self.move_unless(is_same, Job { remote, local, modified: Some(modified) });
        } else {
            self.leave_out(&remote);
        }
        Ok(())
    }

    /// All entries of a directory of the server.
    fn list(&mut self, directory: &[u8]) -> Result<Vec<Listed>, Trouble> {
        let what = format!("ls {}", Escaped(directory));
        if self.engine.features().has(Feature::Mlst) {
            let listing = self.fetch(Some(directory.to_vec()), ListingForm::Facts, &what)?;
            return Ok(listing.lines().filter_map(parse_facts).collect());
        }
        // Behind LIST servers look for options and patterns, where there is a name.
        go_to(self.engine, directory)?;
        if !self.hides {
            match self.fetch(None, ListingForm::LongAll, &what).map(|listing| entries(&listing)) {
                Ok(entries) if entries.iter().any(|entry| entry.name == b".") => return Ok(entries),
                Ok(_) | Err(Trouble::Refused { .. }) => self.hides = true,
                Err(other) => return Err(other),
            }
        }
        self.fetch(None, ListingForm::Long, &what).map(|listing| entries(&listing))
    }

    /// All lines of a listing.
    fn fetch(&mut self, path: Option<Vec<u8>>, form: ListingForm, what: &str) -> Result<Listing, Trouble> {
        let content = Content::Listing(Listing::collect());
        let done = self.engine.run(&Operation::List { path, form }, content, what, Watch::default())?;
        match done.content {
            Content::Listing(listing) if !listing.is_cut() => Ok(listing),
            _ => {
                let reason = "more entries than a directory can have here".to_owned();
                Err(Trouble::Broken { what: what.to_owned(), reason })
            }
        }
    }

    fn modified(&mut self, remote: &[u8], entry: &Listed) -> Option<i64> {
        entry.modified.or_else(|| modified_time(self.engine, remote))
    }

    fn move_unless(&mut self, is_same: bool, job: Job) {
        match is_same {
            true => {
                self.shared.same.fetch_add(1, Ordering::SeqCst);
            }
            false => self.send(job),
        }
    }

    /// Leaves it to the others, or moves it, when they have enough to do.
    fn send(&mut self, job: Job) {
        if let Err(TrySendError::Full(job) | TrySendError::Disconnected(job)) = self.jobs.try_send(job)
            && !self.shared.is_stopped()
        {
            self.shared.move_file(&job, self.engine, self.is_upload);
        }
    }

    fn leave_out(&self, remote: &[u8]) {
        self.shared.skipped.fetch_add(1, Ordering::SeqCst);
        if self.shared.verbose {
            println!("left out: {}", Escaped(remote));
        }
    }

    fn count(&self, result: Result<(), Trouble>) {
        if let Err(trouble) = result {
            self.shared.fail(&trouble);
        }
    }
}

/// Of a listing for people.
fn entries(listing: &Listing) -> Vec<Listed> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
    let now = i64::try_from(now).unwrap_or(i64::MAX);
    // The time is in a zone that nobody tells.
    listing.lines().filter_map(|line| parse_long(line, now)).map(|entry| Listed { modified: None, ..entry }).collect()
}

fn cannot(doing: &str, path: &Path, error: io::Error) -> Trouble {
    Trouble::local(doing, Escaped(path.as_os_str().as_bytes()), error)
}
