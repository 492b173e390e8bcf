//! What a transfer wants opened: from the session's words to the account's files.
//!
//! What needs a look at the whole file first (a position in TYPE A) is looked up by a worker, and opened after that.

use std::time::{SystemTime, UNIX_EPOCH};

use muxftp_proto::server::io::{ListForm, ListingSpec, LiteralName, Part, StoreMode};
use muxftp_proto::{Cause, Dialect, VPath};

use super::content::{Content, Download, Lines, Names, TextDownload};
use crate::storage::{AsciiPosition, Listing, ReadFile, Root, SourceFile, Survey};

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
}

/// What is opened once the place is known.
pub(super) enum Waiting {
    Download(SourceFile, u64),
    Upload(VPath),
}

pub(super) fn read(root: &Root, path: &VPath, part: Part) -> Result<Opened, Cause> {
    let ReadFile { file, size } = root.open_read(path)?;
    if part.ascii && part.from > 0 {
        let looked_at = file.try_clone().map_err(|_| Cause::OutOfResources)?;
        return Ok(Opened::Position(Survey::ascii_position(looked_at, size, part.from), Waiting::Download(file, size)));
    }
    if part.from > size {
        return Err(Cause::BadRestart);
    }
    let end = part.until.unwrap_or(size).clamp(part.from, size);
    let download = Download { file, offset: part.from, end };
    let ready = match part.ascii {
        true => Ready::new(Content::Text(TextDownload::new(download, false))),
        false => Ready { size: Some(end - part.from), ..Ready::new(Content::Download(download)) },
    };
    Ok(Opened::Ready(ready))
}

pub(super) fn write(root: &Root, path: &VPath, size: Option<u64>, mode: StoreMode) -> Result<Opened, Cause> {
    let upload = match mode {
        StoreMode::Replace => root.open_write(path, size)?,
        StoreMode::Append => root.open_in_place(path, None)?,
        StoreMode::Restart { from, ascii: false } => root.open_in_place(path, Some(from))?,
        StoreMode::Restart { from, ascii: true } => {
            let ReadFile { file, size } = root.open_read(path)?;
            return Ok(Opened::Position(Survey::ascii_position(file, size, from), Waiting::Upload(path.clone())));
        }
        StoreMode::New { in_directory } => {
            if in_directory {
                root.open_list(path)?;
            }
            let upload = root.open_new(path)?;
            let name = Some(upload.name().to_vec());
            return Ok(Opened::Ready(Ready { name, ..Ready::new(Content::Upload(upload)) }));
        }
    };
    Ok(Opened::Ready(Ready::new(Content::Upload(upload))))
}

/// A place was found for what waited for it.
pub(super) fn at(root: &Root, position: Option<AsciiPosition>, waiting: Waiting) -> Result<Ready, Cause> {
    let position = position.ok_or(Cause::BadRestart)?;
    match waiting {
        Waiting::Download(file, end) => {
            let download = Download { file, offset: position.offset, end };
            Ok(Ready::new(Content::Text(TextDownload::new(download, position.after_cr))))
        }
        // What would follow may be the other half of a line end.
        Waiting::Upload(_) if position.after_cr => Err(Cause::BadRestart),
        Waiting::Upload(path) => Ok(Ready::new(Content::Upload(root.open_in_place(&path, Some(position.offset))?))),
    }
}

/// A directory; or, for the listings of `ftp`, a file as its one entry, or the names that match a pattern.
pub(super) fn list(root: &Root, path: &VPath, mut spec: ListingSpec, dialect: Dialect) -> Result<Opened, Cause> {
    for LiteralName { path, argument } in std::mem::take(&mut spec.literal) {
        match open_named(root, &path, VPath::names_directory(&argument)) {
            Ok((listing, is_directory)) => {
                let form = if let ListForm::Names(_) = spec.form { ListForm::Names(argument) } else { spec.form };
                return Ok(Opened::Ready(Ready::new(names(listing, form, is_directory, dialect))));
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
    Ok(Opened::Ready(Ready::new(names(listing, spec.form, is_directory, dialect))))
}

/// A directory (`true`), or, unless it must be one, a file as the one entry of a listing.
fn open_named(root: &Root, path: &VPath, must_be_directory: bool) -> Result<(Listing, bool), Cause> {
    match root.open_list(path) {
        Err(Cause::NotDirectory) if !must_be_directory => Ok((root.open_list_of(path, false)?, false)),
        listing => Ok((listing?, true)),
    }
}

fn names(listing: Listing, form: ListForm, is_directory: bool, dialect: Dialect) -> Content {
    let prefix = match &form {
        ListForm::Names(argument) => prefix(argument, is_directory),
        _ => Vec::new(),
    };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
    let now = i64::try_from(now).unwrap_or(i64::MAX);
    Content::Names(Names::new(listing, Lines { dialect, form, prefix, now }))
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
    fn new(content: Content) -> Ready {
        Ready { content, size: None, name: None }
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
