//! The names in a directory of the server: by NLST, or where the server has none, out of what LIST prints for people.
//!
//! It must not know what they are for.

use muxftp_proto::client::io::{ListingForm, Operation};
use muxftp_proto::representation::listed::{Listed, parse_long};
use muxftp_proto::{Dialect, Escaped};

use crate::content::{Content, Listing};
use crate::engine::{Engine, Watch};
use crate::trouble::Trouble;

/// Lists the directory (`None`: the working directory) into a listing that `new` makes.
///
/// # Errors
/// The server does not list it, or the names go nowhere.
pub(crate) fn list(
    engine: &mut Engine,
    path: Option<Vec<u8>>,
    what: &str,
    new: impl Fn() -> Listing,
) -> Result<Listing, Trouble> {
    match fetch(engine, path.clone(), ListingForm::Names, what, new()) {
        // Not known, or not so: Twisted's server wants a directory to be named, aioftp's has no NLST at all.
        Err(Trouble::Refused { code: 500 | 502, .. }) if engine.server().dialect == Dialect::Ftp => {
            let for_people = fetch(engine, path, ListingForm::Long, what, Listing::collect())?;
            let mut names = new();
            for (line, entry) in entries(&for_people, 0) {
                let Some(entry) = entry else {
                    let reason = format!("a line of the listing makes no sense: {}", Escaped(line));
                    return Err(Trouble::Broken { what: what.to_owned(), reason });
                };
                if !matches!(&*entry.name, b"." | b"..") {
                    let line = [&entry.name, &b"\n"[..]].concat();
                    names.receive(&line).map_err(|error| Trouble::local("write to", "standard output", error))?;
                }
            }
            Ok(names)
        }
        result => result,
    }
}

/// Lists it in this form.
///
/// # Errors
/// As of [`list`]; or it is collected, and too large for that: nothing is left out in silence.
pub(crate) fn fetch(
    engine: &mut Engine,
    path: Option<Vec<u8>>,
    form: ListingForm,
    what: &str,
    into: Listing,
) -> Result<Listing, Trouble> {
    let done = engine.run(&Operation::List { path, form }, Content::Listing(into), what, Watch::default())?;
    match done.content {
        Content::Listing(listing) if !listing.is_cut() => Ok(listing),
        _ => {
            let reason = "more entries than a directory can have here".to_owned();
            Err(Trouble::Broken { what: what.to_owned(), reason })
        }
    }
}

/// The lines of a listing for people, and what they say, as seen at the time `now`; without the one that stands before the
/// entries.
pub(crate) fn entries(listing: &Listing, now: i64) -> impl Iterator<Item = (&[u8], Option<Listed>)> {
    let head = listing.lines().next().filter(|line| is_total(line)).map_or(0, |_| 1);
    let lines = listing.lines().skip(head).filter(|line| !line.is_empty());
    lines.map(move |line| (line, parse_long(line, now)))
}

/// `total 12`, in any language: what stands before the entries.
fn is_total(line: &[u8]) -> bool {
    let words: Vec<_> = line.split(|&byte| byte == b' ').filter(|word| !word.is_empty()).collect();
    matches!(words[..], [_, number] if number.iter().all(u8::is_ascii_digit))
}
