//! `--delete`: what is in the copy and not at the source goes.
//!
//! It must not know how the source was read, only which names it has.
//!
//! Invariants: a link is deleted as a link, never followed; what is excluded stays, and so do the directories that it is
//! in; nothing is deleted once the work is to stop.

use std::collections::HashSet;
use std::fs;
use std::os::unix::ffi::OsStrExt;

use muxftp_proto::client::io::Operation;
use muxftp_proto::representation::listed::ListedKind;
use muxftp_proto::{Escaped, Feature};

use super::list::{Entries, Lister, go_to};
use super::tree::{self, Tree};
use super::{Plan, Shared, cannot};
use crate::engine::Engine;
use crate::target::last_component;
use crate::trouble::Trouble;

/// Something in the copy.
#[derive(Debug)]
pub(super) struct Item {
    below: Vec<u8>,
    /// And no link to one, as far as it is known.
    is_directory: bool,
}

/// Deletes with one session.
pub(super) struct Tidier<'a> {
    pub(super) engine: &'a mut Engine,
    pub(super) lister: &'a mut Lister,
    pub(super) plan: &'a Plan,
    pub(super) tree: &'a Tree,
    pub(super) shared: &'a Shared,
}

/// A directory that is being emptied.
struct Opened {
    item: Item,
    left: Vec<Item>,
    /// Something in it stays.
    is_kept: bool,
}

/// What is in a directory here.
pub(super) fn items_here(tree: &Tree, directory: &[u8]) -> Result<Vec<Item>, Trouble> {
    let path = tree.local(directory);
    let read = || -> std::io::Result<Vec<Item>> {
        fs::read_dir(&path)?
            .map(|entry| {
                let entry = entry?;
                let below = tree::child(directory, entry.file_name().as_bytes());
                Ok(Item { below, is_directory: entry.file_type()?.is_dir() })
            })
            .collect()
    };
    read().map_err(|error| cannot("read", &path, error))
}

/// What is in a directory of the server; without names that lead out of it.
pub(super) fn items_there(entries: &Entries, directory: &[u8]) -> Vec<Item> {
    let names = entries.listed.iter().filter(|entry| last_component(&entry.name) == Some(entry.name.as_slice()));
    names
        .map(|entry| Item {
            below: tree::child(directory, &entry.name),
            is_directory: entry.kind == ListedKind::Directory,
        })
        .collect()
}

/// What of a directory of the copy is not at the source.
pub(super) fn surplus(copy: Vec<Item>, source: &HashSet<&[u8]>) -> Vec<Item> {
    let there: HashSet<&[u8]> = copy.iter().map(|item| tree::name(&item.below)).collect();
    // Where capitals do not count, a file that is to come, or has just come, is the one of another name: it is left.
    // Where they do, the copy has both names the next time.
    let to_come: HashSet<String> = source.difference(&there).map(|name| without_case(name)).collect();
    let is_surplus = |item: &Item| {
        let name = tree::name(&item.below);
        !source.contains(name) && !to_come.contains(&without_case(name))
    };
    copy.into_iter().filter(is_surplus).collect()
}

fn without_case(name: &[u8]) -> String {
    String::from_utf8_lossy(name).to_lowercase()
}

impl Item {
    /// Its path below the root of the tree.
    pub(super) fn below(&self) -> &[u8] {
        &self.below
    }

    /// Whether its name begins with a dot.
    pub(super) fn is_hidden(&self) -> bool {
        tree::name(&self.below).starts_with(b".")
    }
}

impl Tidier<'_> {
    /// Deletes these, directories with all that is in them; what fails is told, and the rest is done.
    pub(super) fn delete(&mut self, items: Vec<Item>) {
        let mut left = items;
        let mut opened: Vec<Opened> = Vec::new();
        while !self.shared.is_stopped() {
            let next = opened.last_mut().map_or(&mut left, |directory| &mut directory.left).pop();
            let is_gone = match next {
                Some(item) if self.plan.exclude.has(&item.below) => false,
                Some(item) if item.is_directory => match self.open(&item) {
                    Ok(Some(left)) => {
                        opened.push(Opened { item, left, is_kept: false });
                        continue;
                    }
                    done => self.count(&item, done.map(drop)),
                },
                Some(item) => {
                    let done = self.remove(&item);
                    self.count(&item, done)
                }
                None => {
                    let Some(Opened { item, is_kept, .. }) = opened.pop() else { break };
                    !is_kept && {
                        let done = self.remove(&item);
                        self.count(&item, done)
                    }
                }
            };
            if let Some(directory) = opened.last_mut() {
                directory.is_kept |= !is_gone;
            }
        }
    }

    /// What is in a directory that is to be deleted; `None`: that is not looked for, since it was a link, which has been
    /// deleted, or may be one.
    fn open(&mut self, directory: &Item) -> Result<Option<Vec<Item>>, Trouble> {
        if !self.plan.is_upload {
            return items_here(self.tree, &directory.below).map(Some);
        }
        // Many servers list a link to a directory as a directory. DELE removes the one, and refuses the other.
        let as_link = Item { below: directory.below.clone(), is_directory: false };
        match self.remove(&as_link) {
            Ok(()) => return Ok(None),
            Err(Trouble::Refused { .. }) => {}
            Err(other) => return Err(other),
        }
        let entries = self.lister.list(self.engine, &self.tree.remote(&directory.below))?;
        Ok(Some(items_there(&entries, &directory.below)))
    }

    /// Removes a file, or a directory that is empty by now.
    fn remove(&mut self, item: &Item) -> Result<(), Trouble> {
        // Nothing else would look for Ctrl-C while files go here.
        self.engine.catch_up()?;
        if self.plan.dry_run {
            return Ok(());
        }
        if !self.plan.is_upload {
            let path = self.tree.local(&item.below);
            let removed = if item.is_directory { fs::remove_dir(&path) } else { fs::remove_file(&path) };
            return removed.map_err(|error| cannot("delete", &path, error));
        }
        let name = self.tree.remote(&item.below);
        let shown = Escaped(&name).to_string();
        let (operation, what) = match item.is_directory {
            true => (Operation::RemoveDirectory { name }, format!("rmdir {shown}")),
            false => (Operation::Delete { name }, format!("rm {shown}")),
        };
        // Its listing has led into it: a server may refuse to remove the directory that it is in.
        if item.is_directory && !self.engine.features().has(Feature::Mlst) {
            go_to(self.engine, &self.tree.remote(tree::parent(&item.below)))?;
        }
        self.engine.ask(&operation, &what).map(drop)
    }

    /// Whether it is gone.
    fn count(&self, item: &Item, result: Result<(), Trouble>) -> bool {
        match result {
            Ok(()) => {
                // Trying it out is the only way to know that it is no link.
                let all = if self.plan.dry_run && self.plan.is_upload && item.is_directory { "/" } else { "" };
                self.shared.deleted(&format!("{}{all}", self.tree.in_copy(&item.below)));
            }
            Err(ref trouble) => self.shared.fail(trouble),
        }
        result.is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_source_does_not_have_is_surplus_unless_it_may_be_the_same_in_other_letters() {
        let left = |copy: &[&str], source: &[&str]| -> Vec<String> {
            let copy = copy.iter().map(|name| Item { below: format!("a/{name}").into_bytes(), is_directory: false });
            let source = source.iter().map(|name| name.as_bytes()).collect();
            let surplus = surplus(copy.collect(), &source);
            surplus.into_iter().map(|item| String::from_utf8(item.below).unwrap()).collect()
        };
        assert_eq!(left(&["x", "y", "z"], &["y", "new"]), ["a/x", "a/z"]);
        assert_eq!(left(&["readme", "x"], &["README"]), ["a/x"]);
        assert_eq!(left(&["readme", "README"], &["README"]), ["a/readme"]);
        assert!(left(&["\u{e4}"], &["\u{c4}"]).is_empty());
    }
}
