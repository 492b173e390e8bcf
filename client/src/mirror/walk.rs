//! From directory to directory of a tree: makes directories, and finds the files that have to be moved.
//!
//! It must not know how files are moved, nor how what is surplus is deleted.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{SyncSender, TrySendError};

use muxftp_proto::Escaped;
use muxftp_proto::client::io::Operation;
use muxftp_proto::representation::listed::{Listed, ListedKind};

use super::job::{Job, modified_time, seconds};
use super::list::{self, Entries, Lister, go_to};
use super::tidy::{self, Item, Tidier};
use super::tree::{self, Tree};
use super::{Plan, Shared, cannot};
use crate::engine::Engine;
use crate::target::last_component;
use crate::trouble::Trouble;

/// A directory that is still to be walked.
struct Pair {
    below: Vec<u8>,
    /// It was just made, or would be: there is nothing in the copy.
    is_new: bool,
    /// What tells it and the directories that it is in from all others, as far as the server tells. A link that is listed
    /// as what it leads to must not lead into one of them: the tree would have no end.
    above: Vec<Vec<u8>>,
}

/// Walks the whole tree.
///
/// # Errors
/// The root of the tree cannot be read, or that of its copy not be made.
pub(super) fn walk(
    engine: &mut Engine,
    plan: &Plan,
    tree: &Tree,
    shared: &Shared,
    jobs: &SyncSender<Job>,
) -> Result<(), Trouble> {
    let mut walker = Walker { engine, plan, tree, shared, jobs, left: Vec::new(), lister: Lister::default() };
    let root = walker.begin()?;
    walker.visit(&root)?;
    while let Some(pair) = walker.left.pop().filter(|_| !shared.is_stopped()) {
        if let Err(trouble) = walker.visit(&pair) {
            shared.fail(&trouble);
        }
    }
    Ok(())
}

struct Walker<'a> {
    engine: &'a mut Engine,
    plan: &'a Plan,
    tree: &'a Tree,
    shared: &'a Shared,
    jobs: &'a SyncSender<Job>,
    left: Vec<Pair>,
    lister: Lister,
}

impl Walker<'_> {
    /// Finds the root of the source, and finds or makes that of the copy.
    fn begin(&mut self) -> Result<Pair, Trouble> {
        let (remote, local) = (self.tree.remote(b""), self.tree.local(b""));
        if self.plan.is_upload {
            // A wrong name here is to make nothing there.
            fs::read_dir(&local).map_err(|error| cannot("read", &local, error))?;
            let is_new = self.begin_there(&remote)?;
            return Ok(Pair { below: Vec::new(), is_new, above: Vec::new() });
        }
        // The same; and some servers list what is not there as if it were empty.
        go_to(self.engine, &remote)?;
        let above = list::identity(self.engine, &remote)?.into_iter().collect();
        Ok(Pair { below: Vec::new(), is_new: self.begin_here(&local)?, above })
    }

    /// Whether there is no copy on the server yet.
    fn begin_there(&mut self, root: &[u8]) -> Result<bool, Trouble> {
        if !self.plan.dry_run {
            match self.engine.ask(&Operation::MakeDirectory { name: root.to_vec() }, "mkdir") {
                // It is there, most likely; if not, the next step tells.
                Ok(_) | Err(Trouble::Refused { .. }) => return go_to(self.engine, root).map(|()| false),
                Err(other) => return Err(other),
            }
        }
        match go_to(self.engine, root) {
            Ok(()) => Ok(false),
            Err(Trouble::Refused { .. }) => self.make(b"").map(|()| true),
            Err(other) => Err(other),
        }
    }

    /// Whether there is no copy here yet.
    fn begin_here(&mut self, root: &Path) -> Result<bool, Trouble> {
        if !self.plan.dry_run {
            return fs::create_dir_all(root).map(|()| false).map_err(|error| cannot("make", root, error));
        }
        match fs::read_dir(root) {
            Ok(_) => Ok(false),
            Err(error) if error.kind() == io::ErrorKind::NotFound => self.make(b"").map(|()| true),
            Err(error) => Err(cannot("read", root, error)),
        }
    }

    fn visit(&mut self, pair: &Pair) -> Result<(), Trouble> {
        match self.plan.is_upload {
            true => self.visit_here(pair),
            false => self.visit_there(pair),
        }
    }

    /// A directory of the server that is copied to here.
    fn visit_there(&mut self, pair: &Pair) -> Result<(), Trouble> {
        let source = self.lister.list(self.engine, &self.tree.remote(&pair.below))?;
        // Before any file comes: on its way it has a name of its own.
        let surplus = match self.plan.delete && !pair.is_new {
            true => self.surplus_here(pair, &source),
            false => Ok(Vec::new()),
        };
        for entry in &source.listed {
            let below = tree::child(&pair.below, &entry.name);
            if !self.is_excluded(&below) {
                let result = self.consider_remote(below, entry, &pair.above);
                self.count(result);
            }
        }
        self.tidier().delete(surplus?);
        Ok(())
    }

    /// A directory here that is copied to the server.
    fn visit_here(&mut self, pair: &Pair) -> Result<(), Trouble> {
        let there = match pair.is_new {
            true => Entries::default(),
            false => self.lister.list(self.engine, &self.tree.remote(&pair.below))?,
        };
        let found: HashMap<&[u8], &Listed> = there.listed.iter().map(|entry| (entry.name.as_slice(), entry)).collect();
        let path = self.tree.local(&pair.below);
        let read = fs::read_dir(&path).and_then(Iterator::collect);
        let source: Vec<fs::DirEntry> = read.map_err(|error| cannot("read", &path, error))?;
        for entry in &source {
            let below = tree::child(&pair.below, entry.file_name().as_bytes());
            if !self.is_excluded(&below) {
                let found = found.get(entry.file_name().as_bytes()).copied();
                let result = self.consider_local(below, entry, found);
                self.count(result);
            }
        }
        if self.plan.delete {
            let names: Vec<_> = source.iter().map(fs::DirEntry::file_name).collect();
            let names: HashSet<&[u8]> = names.iter().map(|name| name.as_bytes()).collect();
            self.tidier().delete(tidy::surplus(tidy::items_there(&there, &pair.below), &names));
        }
        Ok(())
    }

    /// What is here and not in that directory of the server, which may have been shown in part only.
    fn surplus_here(&self, pair: &Pair, source: &Entries) -> Result<Vec<Item>, Trouble> {
        let names = source.listed.iter().map(|entry| entry.name.as_slice()).collect();
        let mut surplus = tidy::surplus(tidy::items_here(self.tree, &pair.below)?, &names);
        surplus.retain(|item| !(self.plan.exclude.has(item.below()) || source.hides && item.is_hidden()));
        match source.doubt {
            Some(doubt) if !surplus.is_empty() => {
                let what = format!("ls {}", Escaped(&self.tree.remote(&pair.below)));
                Err(Trouble::Broken { what, reason: format!("{doubt}: nothing is deleted in its copy") })
            }
            _ => Ok(surplus),
        }
    }

    fn tidier(&mut self) -> Tidier<'_> {
        Tidier { engine: self.engine, lister: &mut self.lister, plan: self.plan, tree: self.tree, shared: self.shared }
    }

    fn consider_remote(&mut self, below: Vec<u8>, entry: &Listed, above: &[Vec<u8>]) -> Result<(), Trouble> {
        let remote = self.tree.remote(&below);
        if last_component(&entry.name) != Some(entry.name.as_slice()) {
            let reason = "a name that cannot be one here: left out".to_owned();
            return Err(Trouble::Broken { what: Escaped(&remote).to_string(), reason });
        }
        let local = self.tree.local(&below);
        let found = match fs::symlink_metadata(&local) {
            Ok(found) => Some(found),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(cannot("read", &local, error)),
        };
        let size = entry.size.unwrap_or(0);
        let leads_up = entry.unique.as_ref().is_some_and(|unique| above.contains(unique));
        let above: Vec<_> = above.iter().chain(&entry.unique).cloned().collect();
        match (entry.kind, found) {
            (ListedKind::Directory, _) if leads_up => self.leave_out(&remote),
            (ListedKind::Directory, None) => {
                self.make(&below)?;
                self.left.push(Pair { below, is_new: true, above });
            }
            (ListedKind::Directory, Some(found)) if found.is_dir() => {
                self.left.push(Pair { below, is_new: false, above });
            }
            (ListedKind::File, None) => self.send(Job { remote, local, modified: entry.modified, size }),
            (ListedKind::File, Some(found)) if found.is_file() => {
                let here = seconds(&found).map_err(|error| cannot("read", &local, error))?;
                let is_same = entry.size == Some(found.len())
                    && self.modified(&remote, entry).is_some_and(|modified| here >= modified);
                self.move_unless(is_same, Job { remote, local, modified: entry.modified, size });
            }
            (ListedKind::Directory | ListedKind::File, Some(_)) => {
                let reason = "what has this name here is of another kind, or a link: left as it is".to_owned();
                return Err(Trouble::Broken { what: Escaped(&remote).to_string(), reason });
            }
            _ => self.leave_out(&remote),
        }
        Ok(())
    }

    fn consider_local(&mut self, below: Vec<u8>, entry: &fs::DirEntry, found: Option<&Listed>) -> Result<(), Trouble> {
        let local = entry.path();
        let remote = self.tree.remote(&below);
        let here = entry.metadata().map_err(|error| cannot("read", &local, error))?;
        if here.is_dir() {
            let is_new = !found.is_some_and(|found| found.kind == ListedKind::Directory);
            if is_new {
                self.make(&below)?;
            }
            self.left.push(Pair { below, is_new, above: Vec::new() });
        } else if here.is_file() {
            let modified = seconds(&here).map_err(|error| cannot("read", &local, error))?;
            let found = found.filter(|found| found.kind == ListedKind::File && found.size == Some(here.len()));
            let there = found.and_then(|found| self.modified(&remote, found));
            let is_same = there.is_some_and(|there| there >= modified);
            self.move_unless(is_same, Job { remote, local, modified: Some(modified), size: here.len() });
        } else {
            self.leave_out(&remote);
        }
        Ok(())
    }

    /// Makes a directory of the copy.
    fn make(&mut self, below: &[u8]) -> Result<(), Trouble> {
        if self.plan.dry_run {
            self.shared.say(&format!("make {}", self.tree.in_copy(below)));
            return Ok(());
        }
        if self.plan.is_upload {
            let name = self.tree.remote(below);
            let what = format!("mkdir {}", Escaped(&name));
            return self.engine.ask(&Operation::MakeDirectory { name }, &what).map(drop);
        }
        let path = self.tree.local(below);
        fs::create_dir(&path).map_err(|error| cannot("make", &path, error))
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
        if self.plan.dry_run {
            return self.shared.would_move(&job);
        }
        if let Err(TrySendError::Full(job) | TrySendError::Disconnected(job)) = self.jobs.try_send(job)
            && !self.shared.is_stopped()
        {
            self.shared.move_file(&job, self.engine, self.plan.is_upload);
        }
    }

    fn is_excluded(&self, below: &[u8]) -> bool {
        let is_excluded = self.plan.exclude.has(below);
        if is_excluded && self.plan.verbose {
            self.shared.say(&format!("left out: {}", Escaped(&self.tree.remote(below))));
        }
        is_excluded
    }

    fn leave_out(&self, remote: &[u8]) {
        self.shared.skipped.fetch_add(1, Ordering::SeqCst);
        if self.plan.verbose {
            self.shared.say(&format!("left out: {}", Escaped(remote)));
        }
    }

    fn count(&self, result: Result<(), Trouble>) {
        if let Err(trouble) = result {
            self.shared.fail(&trouble);
        }
    }
}
