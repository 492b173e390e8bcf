//! What a transfer wants opened: from the session's words to the account's files.
//!
//! What needs a look at the whole file first (a position in TYPE A) is looked up by a worker, and opened after that.
//! Nothing here knows on which thread it runs.

use std::time::{SystemTime, UNIX_EPOCH};

use muxftp_proto::server::io::{ListForm, ListingSpec, LiteralName, Part, StoreMode};
use muxftp_proto::{Cause, Dialect, VPath};

use super::content::{Content, Download, Lines, Names, TextDownload};
use crate::storage::{AsciiPosition, Listing, ReadFile, Root, SourceFile, Survey, Upload, may_leave_mount};

/// What came of opening.
pub(super) enum Opened {
    Ready(Ready),
    /// First a place in the file has to be found.
    Position(Survey, Waiting),
}

/// What a transfer can move now.
pub(super) struct Ready {
    pub(super) content: Content,
    /// Bytes that will be sent, when known.
    pub(super) size: Option<u64>,
    /// The name that was chosen.
    pub(super) name: Option<Vec<u8>>,
    /// Its file system may wait in each call.
    pub(super) is_remote: bool,
}

/// What is opened once the place is known.
pub(super) enum Waiting {
    Download { file: SourceFile, end: u64, is_remote: bool },
    Upload { path: VPath, is_remote: bool },
}

pub(super) fn read(root: &Root, path: &VPath, part: Part) -> Result<Opened, Cause> {
    let ReadFile { file, size, is_remote } = root.open_read(path)?;
    if part.ascii && part.from > 0 {
        let looked_at = file.try_clone().map_err(|_| Cause::OutOfResources)?;
        let survey = Survey::ascii_position(looked_at, size, part.from);
        return Ok(Opened::Position(survey, Waiting::Download { file, end: size, is_remote }));
    }
    if part.from > size {
        return Err(Cause::BadRestart);
    }
    let end = part.until.unwrap_or(size).clamp(part.from, size);
    let download = Download::new(file, part.from, end, is_remote);
    let ready = match part.ascii {
        true => Ready::new(Content::Text(TextDownload::new(download, false)), is_remote),
        false => Ready { size: Some(end - part.from), ..Ready::new(Content::Download(download), is_remote) },
    };
    Ok(Opened::Ready(ready))
}

pub(super) fn write(root: &Root, path: &VPath, size: Option<u64>, mode: StoreMode) -> Result<Opened, Cause> {
    let upload = match mode {
        StoreMode::Replace => root.open_write(path, size)?,
        StoreMode::Append => root.open_in_place(path, None)?,
        StoreMode::Restart { from, ascii: false } => root.open_in_place(path, Some(from))?,
        StoreMode::Restart { from, ascii: true } => {
            let ReadFile { file, size, is_remote } = root.open_read(path)?;
            let waiting = Waiting::Upload { path: path.clone(), is_remote };
            return Ok(Opened::Position(Survey::ascii_position(file, size, from), waiting));
        }
        StoreMode::New { in_directory } => {
            if in_directory {
                root.open_list(path)?;
            }
            let upload = root.open_new(path)?;
            let name = Some(upload.name().to_vec());
            return Ok(Opened::Ready(Ready { name, ..Ready::upload(root, upload) }));
        }
    };
    Ok(Opened::Ready(Ready::upload(root, upload)))
}

/// A place was found in a file that is to be sent.
pub(super) fn download_at(position: AsciiPosition, file: SourceFile, end: u64, is_remote: bool) -> Ready {
    let download = Download::new(file, position.offset, end, is_remote);
    Ready::new(Content::Text(TextDownload::new(download, position.after_cr)), is_remote)
}

/// A place was found in a file that is to be written from there.
pub(super) fn upload_at(root: &Root, position: AsciiPosition, path: &VPath) -> Result<Opened, Cause> {
    // What would follow may be the other half of a line end.
    if position.after_cr {
        return Err(Cause::BadRestart);
    }
    Ok(Opened::Ready(Ready::upload(root, root.open_in_place(path, Some(position.offset))?)))
}

/// A directory; or, for the listings of `ftp`, a file as its one entry, or the names that match a pattern. The first lines
/// are read at once, which are all of a directory of normal size.
pub(super) fn list(root: &Root, path: &VPath, spec: &ListingSpec, dialect: Dialect) -> Result<Opened, Cause> {
    let (listing, is_directory, form) = open_listing(root, path, spec)?;
    let mut names = names(listing, form, is_directory, dialect);
    names.begin()?;
    Ok(Opened::Ready(Ready::new(Content::Names(names), root.is_remote() || may_leave_mount())))
}

fn open_listing(root: &Root, path: &VPath, spec: &ListingSpec) -> Result<(Listing, bool, ListForm), Cause> {
    for LiteralName { path, argument } in &spec.literal {
        match open_named(root, path, VPath::names_directory(argument)) {
            Ok((listing, is_directory)) => {
                let form = match &spec.form {
                    ListForm::Names(_) => ListForm::Names(argument.clone()),
                    form => form.clone(),
                };
                return Ok((listing, is_directory, form));
            }
            // A word before it is an option.
            Err(Cause::NotFound | Cause::NotDirectory | Cause::BadName | Cause::NameTooLong) => {}
            Err(cause) => return Err(cause),
        }
    }
    let (listing, is_directory) = match open_named(root, path, spec.directory) {
        Err(Cause::NotFound) if spec.glob => (root.open_list_of(path, true)?, false),
        opened => opened?,
    };
    Ok((listing, is_directory, spec.form.clone()))
}

/// A directory (`true`), or, unless it must be one, a file as the one entry of a listing.
fn open_named(root: &Root, path: &VPath, must_be_directory: bool) -> Result<(Listing, bool), Cause> {
    match root.open_list(path) {
        Err(Cause::NotDirectory) if !must_be_directory => Ok((root.open_list_of(path, false)?, false)),
        listing => Ok((listing?, true)),
    }
}

fn names(listing: Listing, form: ListForm, is_directory: bool, dialect: Dialect) -> Names {
    let prefix = match &form {
        ListForm::Names(argument) => prefix(argument, is_directory),
        _ => Vec::new(),
    };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
    let now = i64::try_from(now).unwrap_or(i64::MAX);
    Names::new(listing, Lines { dialect, form, prefix, now })
}

/// What comes before each name, so that it can be given to RETR: the argument's directory. The working directory needs
/// none: for `.` too the names come bare, as other servers list them and as clients compare them.
fn prefix(argument: &[u8], is_directory: bool) -> Vec<u8> {
    match is_directory {
        true if is_here(argument) => Vec::new(),
        true if argument.ends_with(b"/") => argument.to_vec(),
        true => [argument, b"/"].concat(),
        false => argument[..argument.iter().rposition(|&byte| byte == b'/').map_or(0, |slash| slash + 1)].to_vec(),
    }
}

/// Whether it is a way to write the working directory: nothing, `.`, `./`.
fn is_here(argument: &[u8]) -> bool {
    !argument.starts_with(b"/") && argument.split(|&byte| byte == b'/').all(|part| matches!(part, b"" | b"."))
}

impl Ready {
    fn new(content: Content, is_remote: bool) -> Ready {
        Ready { content, size: None, name: None, is_remote }
    }

    fn upload(root: &Root, upload: Upload) -> Ready {
        let is_remote = upload.is_remote(root);
        Ready::new(Content::upload(upload), is_remote)
    }
}

impl Opened {
    /// Whether work on it, and its closing, belong on a lane.
    pub(super) fn is_remote(&self) -> bool {
        match self {
            Opened::Ready(ready) => ready.is_remote,
            Opened::Position(_, Waiting::Download { is_remote, .. } | Waiting::Upload { is_remote, .. }) => *is_remote,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_listed_so_that_they_can_be_fetched() {
        for (argument, is_directory, expected) in [
            ("", true, ""),
            ("dir", true, "dir/"),
            ("dir/", true, "dir/"),
            ("/", true, "/"),
            ("*.txt", false, ""),
            ("dir/*.txt", false, "dir/"),
            ("/a/b", false, "/a/"),
            (".", true, ""),
            ("./", true, ""),
            ("././/.", true, ""),
            ("..", true, "../"),
            ("./dir", true, "./dir/"),
            ("./*.txt", false, "./"),
            ("-backup", true, "-backup/"),
        ] {
            assert_eq!(prefix(argument.as_bytes(), is_directory), expected.as_bytes(), "{argument}");
        }
    }
}
