//! Changes of the users' file that keep what people wrote: order, comments, blank lines.
//!
//! Invariants:
//! - the file is replaced whole or not at all, and is on the disk when a function returns;
//! - two edits at once come one after the other, so that neither loses the other's change;
//! - a file that the server does not take is not edited, and a change that it would not take is not made;
//! - owner and mode stay; a new file is for its owner only.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, fchown};
use std::path::{Path, PathBuf};

use muxftp_proto::{Permission, Permissions};
use rustix::fs::{FlockOperation, flock};
use toml_edit::{Array, ArrayOfTables, DocumentMut, Item, RawString, Table, Value, value};

use super::{User, Users};
use crate::config::{Allowance, ConfigErrors, Problem, did_you_mean, show_size};

/// Why the file is as it was.
#[derive(Debug)]
pub enum EditError {
    /// It could not be read, or not be replaced.
    Io {
        /// The file.
        path: PathBuf,
        /// What was tried, such as "read".
        what: &'static str,
        /// Why.
        error: io::Error,
    },
    /// It has problems already, or the change would make some.
    Wrong(ConfigErrors),
    /// Its users are not written as `[[user]]`.
    Inline(PathBuf),
    /// There is a user of that name.
    Exists(String),
    /// There is no user of that name.
    Unknown {
        /// The name.
        name: String,
        /// `; did you mean ...?`, or nothing.
        suggestion: String,
    },
}

/// Adds a user at the end; makes the file if it is missing.
///
/// # Errors
/// When the name is taken, or the file cannot be edited.
pub(super) fn add(path: &Path, user: &User) -> Result<(), EditError> {
    edit(path, true, |document, users| {
        absent(users, &user.name)?;
        let mut table = table_of(user);
        table.decor_mut().set_prefix(match users.iter().len() {
            0 => head_of(document),
            _ => "\n".to_owned(),
        });
        let tables = document.entry("user").or_insert_with(|| Item::ArrayOfTables(ArrayOfTables::new()));
        tables.as_array_of_tables_mut().ok_or_else(|| EditError::Inline(path.to_owned()))?.push(table);
        Ok(())
    })
}

/// Gives a user another password.
///
/// # Errors
/// When there is no such user, or the file cannot be edited.
pub(super) fn set_password(path: &Path, name: &str, hash: &str) -> Result<(), EditError> {
    edit(path, false, |document, users| {
        let (tables, index) = find(path, document, users, name)?;
        let table = tables.get_mut(index).expect("just found");
        let password = table.get_mut("password").and_then(Item::as_value_mut).expect("every user has one");
        let decor = password.decor().clone();
        *password = Value::from(hash);
        *password.decor_mut() = decor;
        Ok(())
    })
}

/// Removes a user, with the comment lines right above.
///
/// # Errors
/// When there is no such user, or the file cannot be edited.
pub(super) fn remove(path: &Path, name: &str) -> Result<(), EditError> {
    edit(path, false, |document, users| {
        let (tables, index) = find(path, document, users, name)?;
        let kept = detached_comment(&tables.remove(index));
        match tables.get_mut(index) {
            Some(next) => {
                let prefix = prefix_of(next.decor().prefix());
                next.decor_mut().set_prefix(format!("{kept}{prefix}"));
            }
            None => {
                let trailing = prefix_of(Some(document.trailing()));
                document.set_trailing(format!("{kept}{trailing}"));
            }
        }
        Ok(())
    })
}

/// Reads, changes and replaces the file while nobody else does.
fn edit(
    path: &Path,
    create: bool,
    change: impl FnOnce(&mut DocumentMut, &Users) -> Result<(), EditError>,
) -> Result<(), EditError> {
    let failed = |what| move |error| EditError::Io { path: path.to_owned(), what, error };
    let (mut old, place) = lock(path, create).map_err(failed("open"))?;
    let mut text = String::new();
    old.read_to_string(&mut text).map_err(failed("read"))?;
    let users = Users::parse(path, &text).map_err(EditError::Wrong)?;
    let mut document: DocumentMut =
        text.parse().map_err(|error: toml_edit::TomlError| EditError::Wrong(Problem::new(error.to_string()).into()))?;
    change(&mut document, &users)?;
    let text = document.to_string();
    Users::parse(path, &text).map_err(EditError::Wrong)?;
    replace(&old, &place, &text).map_err(failed("replace"))
}

/// The file, locked until it is dropped, and where it is when links are followed.
fn lock(path: &Path, create: bool) -> io::Result<(File, PathBuf)> {
    loop {
        let file = match File::open(path) {
            Err(error) if create && error.kind() == io::ErrorKind::NotFound => {
                let made = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(path);
                match made {
                    Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                    made => made?,
                }
            }
            opened => opened?,
        };
        rustix::io::retry_on_intr(|| flock(&file, FlockOperation::LockExclusive))?;
        // Whoever had the lock before may have replaced the file: then it is another one that must be locked.
        match path.canonicalize().and_then(|place| Ok((place.metadata()?, place))) {
            Ok((now, place)) if same_file(&file, &now)? => return Ok((file, place)),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
}

fn same_file(file: &File, other: &std::fs::Metadata) -> io::Result<bool> {
    let this = file.metadata()?;
    Ok((this.dev(), this.ino()) == (other.dev(), other.ino()))
}

/// Puts `text` in the place of `old`, with its owner and mode.
fn replace(old: &File, place: &Path, text: &str) -> io::Result<()> {
    let directory = place.parent().expect("a file's absolute path has a parent");
    let mut new = tempfile::Builder::new().prefix(".muxftpd-users-").tempfile_in(directory)?;
    let (like, made) = (old.metadata()?, new.as_file().metadata()?);
    if (like.uid(), like.gid()) != (made.uid(), made.gid()) {
        // Or the server, which may run as another user than the editor, could not read it any more.
        fchown(new.as_file(), Some(like.uid()), Some(like.gid()))?;
    }
    new.as_file().set_permissions(like.permissions())?;
    new.write_all(text.as_bytes())?;
    new.as_file().sync_all()?;
    new.persist(place)?;
    File::open(directory)?.sync_all()
}

/// What stands in a file without users, taken out of its end: comments on the file, which belong above the first user.
fn head_of(document: &mut DocumentMut) -> String {
    let mut head = prefix_of(Some(document.trailing()));
    document.set_trailing("");
    if !head.is_empty() && !head.ends_with("\n\n") {
        head.push('\n');
    }
    head
}

/// The tables of the users, and which of them is `name`.
fn find<'d>(
    path: &Path,
    document: &'d mut DocumentMut,
    users: &Users,
    name: &str,
) -> Result<(&'d mut ArrayOfTables, usize), EditError> {
    existing(users, name)?;
    let tables = document.get_mut("user").and_then(Item::as_array_of_tables_mut);
    let tables = tables.ok_or_else(|| EditError::Inline(path.to_owned()))?;
    let named = |table: &Table| table.get("name").and_then(Item::as_str) == Some(name);
    let index = tables.iter().position(named).expect("`users` was read from this document");
    Ok((tables, index))
}

/// There is a user of this name.
pub(super) fn existing(users: &Users, name: &str) -> Result<(), EditError> {
    if users.find(name.as_bytes()).is_some() {
        return Ok(());
    }
    let suggestion = did_you_mean(name, users.iter().map(|user| user.name.as_str()));
    Err(EditError::Unknown { name: name.to_owned(), suggestion })
}

/// There is no user of this name yet.
pub(super) fn absent(users: &Users, name: &str) -> Result<(), EditError> {
    match users.find(name.as_bytes()) {
        Some(_) => Err(EditError::Exists(name.to_owned())),
        None => Ok(()),
    }
}

/// What stands above a table and is not right above it: a comment on the file, not on the user.
fn detached_comment(table: &Table) -> String {
    let prefix = prefix_of(table.decor().prefix());
    prefix.rfind("\n\n").map_or(String::new(), |end| prefix[..=end].to_owned())
}

fn prefix_of(raw: Option<&RawString>) -> String {
    raw.and_then(RawString::as_str).unwrap_or_default().to_owned()
}

/// The user as a file says it; defaults are not said.
fn table_of(user: &User) -> Table {
    let mut table = Table::new();
    table["name"] = value(&user.name);
    table["password"] = value(&user.hash);
    table["root"] = value(user.root.to_string_lossy().into_owned());
    match user.permissions {
        Permissions::ALL => {}
        Permissions::READ_ONLY => table["permissions"] = value("read-only"),
        some => table["permissions"] = value(some.iter().map(Permission::word).collect::<Array>()),
    }
    let Allowance { quota_bytes, quota_files, rate_up, rate_down, sessions, sessions_per_address } = user.allowance;
    for (key, size) in [("quota_bytes", quota_bytes), ("rate_up", rate_up), ("rate_down", rate_down)] {
        if let Some(size) = size {
            table[key] = value(show_size(size));
        }
    }
    let counts = [
        ("quota_files", quota_files),
        ("sessions", sessions.map(u64::from)),
        ("sessions_per_address", sessions_per_address.map(u64::from)),
    ];
    for (key, count) in counts {
        if let Some(count) = count {
            table[key] = value(i64::try_from(count).unwrap_or(i64::MAX));
        }
    }
    if !user.from.is_empty() {
        table["from"] = value(user.from.iter().map(ToString::to_string).collect::<Array>());
    }
    table
}

impl fmt::Display for EditError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            EditError::Io { path, what, error } => {
                write!(f, "error: cannot {what} the users' file `{}`: {error}", path.display())
            }
            EditError::Wrong(errors) => errors.fmt(f),
            EditError::Inline(path) => write!(
                f,
                "error: `{}` has its users in one line, `user = [...]`: write each as [[user]], or edit it by hand",
                path.display()
            ),
            EditError::Exists(name) => {
                write!(f, "error: there is a user `{name}` already; `muxftpd user passwd` gives it another password")
            }
            EditError::Unknown { name, suggestion } => write!(f, "error: there is no user `{name}`{suggestion}"),
        }
    }
}

impl std::error::Error for EditError {}

#[cfg(test)]
mod tests;
