//! What is in a directory of the server, and whether that is all.
//!
//! It must not know the copy. Servers that cannot read a directory do not all say so: some list nothing, and call that a
//! success.

use std::time::{SystemTime, UNIX_EPOCH};

use muxftp_proto::client::io::{ListingForm, Operation, Told};
use muxftp_proto::representation::listed::{Listed, ListedKind, parse_facts};
use muxftp_proto::{Escaped, Feature};

use crate::content::Listing;
use crate::engine::Engine;
use crate::names;
use crate::target::last_component;
use crate::trouble::Trouble;

/// A directory's entries.
#[derive(Debug, Default)]
pub(super) struct Entries {
    /// Without the directory itself and the one above it. Their names are the server's: they may hold slashes.
    pub(super) listed: Vec<Listed>,
    /// Why others may be there, too.
    pub(super) doubt: Option<&'static str>,
    /// Names that begin with a dot may be there, too.
    pub(super) hides: bool,
}

/// Lists directories of one server.
#[derive(Debug, Default)]
pub(super) struct Lister {
    /// The server does not know `LIST -a`, which shows names that begin with a dot: who knows it shows the directory
    /// itself, too. vsftpd shows them to nobody who does not ask.
    hides: bool,
    /// The server has shown a directory as an entry of itself: so it does with each that it can read.
    shows_itself: bool,
}

impl Lister {
    /// All entries of a directory. Without MLSD it is gone to.
    ///
    /// # Errors
    /// The server does not list it, or without end.
    pub(super) fn list(&mut self, engine: &mut Engine, directory: &[u8]) -> Result<Entries, Trouble> {
        let what = format!("ls {}", Escaped(directory));
        if engine.features().has(Feature::Mlst) {
            let listing = fetch(engine, Some(directory.to_vec()), ListingForm::Facts, &what)?;
            let lines: Vec<_> = listing.lines().map(|line| (line, parse_facts(line))).collect();
            return Ok(self.read(&listing, lines, false).0);
        }
        // Behind LIST servers look for options and patterns, where there is a name.
        go_to(engine, directory)?;
        if !self.hides {
            match fetch(engine, None, ListingForm::LongAll, &what).map(|listing| self.read_long(&listing)) {
                Ok((entries, true)) => return Ok(entries),
                // It knows the option: it is this directory that it does not show.
                Ok(_) | Err(Trouble::Refused { .. }) => self.hides = !self.shows_itself,
                Err(other) => return Err(other),
            }
        }
        let (entries, _) = self.read_long(&fetch(engine, None, ListingForm::Long, &what)?);
        Ok(Entries { hides: true, ..entries })
    }

    /// A listing for people.
    fn read_long(&mut self, listing: &Listing) -> (Entries, bool) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
        let now = i64::try_from(now).unwrap_or(i64::MAX);
        // The time is in a zone that nobody tells.
        let lines = names::entries(listing, now)
            .map(|(line, entry)| (line, entry.map(|entry| Listed { modified: None, ..entry })))
            .collect();
        self.read(listing, lines, true)
    }

    /// The entries, and whether the directory itself is one.
    fn read(&mut self, listing: &Listing, lines: Vec<(&[u8], Option<Listed>)>, is_for_people: bool) -> (Entries, bool) {
        let has_strange_lines = lines.iter().any(|(line, read)| read.is_none() && !line.is_empty());
        let (own, listed): (Vec<_>, Vec<_>) = lines.into_iter().filter_map(|(_, read)| read).partition(is_of_itself);
        let has_itself = own.iter().any(|entry| entry.kind == ListedKind::Current || entry.name == b".");
        self.shows_itself |= has_itself;
        let doubt = if has_strange_lines {
            Some("lines of the listing make no sense")
        } else if !listing.is_whole() {
            Some("the last line of the listing has no end")
        } else if listed.iter().any(|entry| last_component(&entry.name) != Some(entry.name.as_slice())) {
            Some("there are names that cannot be names here")
        } else if listed.is_empty() && !has_itself && (is_for_people || self.shows_itself) {
            Some("the listing is empty, as some servers list what they cannot read")
        } else {
            None
        };
        (Entries { listed, doubt, hides: false }, has_itself)
    }
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

/// What tells a directory of the server from all others, if the server tells.
///
/// # Errors
/// There is no session any more.
pub(super) fn identity(engine: &mut Engine, directory: &[u8]) -> Result<Option<Vec<u8>>, Trouble> {
    if !engine.features().has(Feature::Mlst) {
        return Ok(None);
    }
    let what = format!("look at {}", Escaped(directory));
    match engine.ask(&Operation::Stat { name: directory.to_vec() }, &what) {
        Ok(Some(Told::Entry(entry))) => Ok(entry.unique),
        Ok(_) | Err(Trouble::Refused { .. }) => Ok(None),
        Err(other) => Err(other),
    }
}

fn fetch(engine: &mut Engine, path: Option<Vec<u8>>, form: ListingForm, what: &str) -> Result<Listing, Trouble> {
    names::fetch(engine, path, form, what, Listing::collect())
}

/// The directory that is listed, or the one above it.
fn is_of_itself(entry: &Listed) -> bool {
    matches!(entry.kind, ListedKind::Current | ListedKind::Parent) || matches!(&*entry.name, b"." | b"..")
}
