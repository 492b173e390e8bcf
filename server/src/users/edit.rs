//! Changes of the users' file that keep what people have written around them.
//!
//! Invariant: at every moment the file is the old one or the new one, and of two edits at once neither is lost.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use toml_edit::{ArrayOfTables, DocumentMut, Item, Table, value};

use super::{User, Users};
use crate::config::{Allowance, show_size};

/// Why an edit was not made, as a sentence.
pub(super) type EditError = String;

/// Adds a user; the file is made if it is missing.
pub(super) fn add(path: &Path, user: &User) -> Result<(), EditError> {
    edit(path, |document| {
        if find(document, &user.name)?.is_some() {
            return Err(format!(
                "there is a user `{}` already: `muxftpd user passwd` sets another password",
                user.name
            ));
        }
        users(document)?.push(table(user));
        Ok(())
    })
}

/// Sets a user's hash.
pub(super) fn set_hash(path: &Path, name: &str, hash: &str) -> Result<(), EditError> {
    edit(path, |document| {
        let index = find(document, name)?.ok_or_else(|| nobody(name))?;
        if let Some(table) = users(document)?.get_mut(index) {
            table["password"] = value(hash);
        }
        Ok(())
    })
}

/// Removes a user.
pub(super) fn remove(path: &Path, name: &str) -> Result<(), EditError> {
    edit(path, |document| {
        let index = find(document, name)?.ok_or_else(|| nobody(name))?;
        users(document)?.remove(index);
        Ok(())
    })
}

fn nobody(name: &str) -> EditError {
    format!("there is no user `{name}`; `muxftpd user list` shows all")
}

fn edit(path: &Path, change: impl FnOnce(&mut DocumentMut) -> Result<(), EditError>) -> Result<(), EditError> {
    let failed = |error: io::Error| format!("cannot change `{}`: {error}", path.display());
    let _lock = lock(path).map_err(failed)?;
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(failed(error)),
    };
    let mut document: DocumentMut =
        text.parse().map_err(|error| format!("`{}` is not TOML: {error}", path.display()))?;
    change(&mut document)?;
    let text = document.to_string();
    // What this program writes it must be able to read.
    Users::parse(path, &text).map_err(|errors| errors.to_string())?;
    replace(path, &text).map_err(failed)
}

/// Held until it is dropped. The file itself cannot be locked: it is replaced.
fn lock(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(beside(path, "lock"))?;
    flock(&file, FlockOperation::LockExclusive)?;
    Ok(file)
}

fn replace(path: &Path, text: &str) -> io::Result<()> {
    // Hashes are nobody's business.
    let mode = std::fs::metadata(path).map_or(0o600, |metadata| metadata.permissions().mode() & 0o777);
    let temporary = beside(path, "new");
    let mut file = OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&temporary)?;
    file.write_all(text.as_bytes())?;
    file.set_permissions(PermissionsExt::from_mode(mode))?;
    file.sync_all()?;
    std::fs::rename(&temporary, path)
}

/// `.users.toml.lock` beside `users.toml`.
fn beside(path: &Path, suffix: &str) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.{suffix}"))
}

fn users(document: &mut DocumentMut) -> Result<&mut ArrayOfTables, EditError> {
    let item = document.entry("user").or_insert_with(|| Item::ArrayOfTables(ArrayOfTables::new()));
    item.as_array_of_tables_mut().ok_or_else(|| "`user` is not written as [[user]]".to_owned())
}

fn find(document: &mut DocumentMut, name: &str) -> Result<Option<usize>, EditError> {
    let is = |table: &Table| table.get("name").and_then(Item::as_str) == Some(name);
    Ok(users(document)?.iter().position(is))
}

fn table(user: &User) -> Table {
    let mut table = Table::new();
    table["name"] = value(user.name.as_str());
    table["password"] = value(user.hash.as_str());
    table["root"] = value(user.root.to_string_lossy().as_ref());
    table["permissions"] = value(user.permissions.iter().map(|right| right.word()).collect::<toml_edit::Array>());
    let Allowance { quota_bytes, quota_files, rate_up, rate_down, sessions, sessions_per_address } = user.allowance;
    let counts = [
        ("quota_files", quota_files),
        ("sessions", sessions.map(u64::from)),
        ("sessions_per_address", sessions_per_address.map(u64::from)),
    ];
    for (key, size) in [("quota_bytes", quota_bytes), ("rate_up", rate_up), ("rate_down", rate_down)] {
        if let Some(size) = size {
            table[key] = value(show_size(size));
        }
    }
    for (key, count) in counts {
        if let Some(count) = count.and_then(|count| i64::try_from(count).ok()) {
            table[key] = value(count);
        }
    }
    if !user.from.is_empty() {
        table["from"] = value(user.from.iter().map(ToString::to_string).collect::<toml_edit::Array>());
    }
    table
}
