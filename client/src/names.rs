//! The names in a directory of the server: by NLST, or where the server has none, out of what LIST prints for people.
//!
//! It must not know what they are for.

use muxftp_proto::Dialect;
use muxftp_proto::client::io::{ListingForm, Operation};
use muxftp_proto::representation::listed::parse_long;

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
            for entry in for_people.lines().filter_map(|line| parse_long(line, 0)) {
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
/// As of [`list`].
pub(crate) fn fetch(
    engine: &mut Engine,
    path: Option<Vec<u8>>,
    form: ListingForm,
    what: &str,
    into: Listing,
) -> Result<Listing, Trouble> {
    let done = engine.run(&Operation::List { path, form }, Content::Listing(into), what, Watch::default())?;
    match done.content {
        Content::Listing(listing) => Ok(listing),
        _ => unreachable!("a listing comes back as one"),
    }
}
