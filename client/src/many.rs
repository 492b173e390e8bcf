//! `mget` and `mput`: names with `*`, `?` and `[a-z]` stand for all that match.
//!
//! It must not know how a file is moved. The server's names are listed and matched here: servers read patterns in ways
//! of their own, or not at all.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use muxftp_proto::Escaped;
use muxftp_proto::representation::glob;

use crate::content::{Listing, Upload};
use crate::engine::Engine;
use crate::names;
use crate::oneshot::{self, run_all};
use crate::target::last_component;
use crate::trouble::Trouble;

/// Downloads all files that match, to the directory here.
///
/// # Errors
/// Nothing matches, or some failed, each of which was told; the others are here.
pub(crate) fn get(engine: &mut Engine, patterns: &[String]) -> Result<(), Trouble> {
    let mut names = Vec::new();
    for pattern in patterns {
        names.extend(remote(engine, pattern.as_bytes())?);
    }
    run_all(names.iter().map(|name| oneshot::download(engine, name, None, true).map(|line| println!("{line}"))))
}

/// Uploads all files that match, under their own names.
///
/// # Errors
/// Nothing matches, or some failed, each of which was told; the others are there.
pub(crate) fn put(engine: &mut Engine, patterns: &[String]) -> Result<(), Trouble> {
    let mut paths = Vec::new();
    for pattern in patterns {
        paths.extend(local(OsStr::new(pattern))?);
    }
    run_all(paths.iter().map(|path| {
        let Some(name) = Upload::file_name(path.as_os_str()) else {
            return Err(Trouble::Usage(format!("`{}` is not the name of a file", path.to_string_lossy())));
        };
        println!("{}", oneshot::upload(engine, Upload::open(path.as_os_str())?, name, true)?);
        Ok(())
    }))
}

/// The server's names that match, sorted; without `*`, `?` and `[`, the name itself.
///
/// # Errors
/// Nothing matches, or the directory cannot be listed.
pub(crate) fn remote(engine: &mut Engine, pattern: &[u8]) -> Result<Vec<Vec<u8>>, Trouble> {
    if !glob::has_wildcards(pattern) {
        return Ok(vec![pattern.to_vec()]);
    }
    let what = format!("mget {}", Escaped(pattern));
    let (directory, pattern) = split(pattern)?;
    let path = match directory {
        b"" => None,
        b"/" => Some(b"/".to_vec()),
        other => Some(other[..other.len() - 1].to_vec()),
    };
    let listing = names::list(engine, path, &what, Listing::collect)?;
    let mut names: Vec<Vec<u8>> = listing
        .lines()
        // Some servers list names with their directory.
        .filter_map(last_component)
        .filter(|name| glob::matches(pattern, name))
        .map(|name| [directory, name].concat())
        .collect();
    names.sort();
    some(names, pattern, "on the server matches")
}

/// The files here that match, sorted; without `*`, `?` and `[`, the name itself.
///
/// # Errors
/// Nothing matches, or the directory cannot be read.
pub(crate) fn local(pattern: &OsStr) -> Result<Vec<PathBuf>, Trouble> {
    if !glob::has_wildcards(pattern.as_bytes()) {
        return Ok(vec![PathBuf::from(pattern)]);
    }
    let (directory, name) = split(pattern.as_bytes())?;
    let place = if directory.is_empty() { Path::new(".") } else { Path::new(OsStr::from_bytes(directory)) };
    let cannot = |error| Trouble::local("read", Escaped(place.as_os_str().as_bytes()), error);
    let mut paths = Vec::new();
    for entry in fs::read_dir(place).map_err(cannot)? {
        let entry = entry.map_err(cannot)?;
        if glob::matches(name, entry.file_name().as_bytes()) && entry.path().is_file() {
            paths.push(entry.path());
        }
    }
    paths.sort();
    some(paths, name, "here matches")
}

/// The directory with its slash, and the pattern in it.
fn split(pattern: &[u8]) -> Result<(&[u8], &[u8]), Trouble> {
    let (directory, name) = pattern.split_at(pattern.iter().rposition(|&byte| byte == b'/').map_or(0, |at| at + 1));
    match glob::has_wildcards(directory) {
        true => {
            Err(Trouble::Usage("only the last part of a name can hold `*`, `?` or `[`: go to its directory".into()))
        }
        false => Ok((directory, name)),
    }
}

fn some<T>(found: Vec<T>, pattern: &[u8], place: &str) -> Result<Vec<T>, Trouble> {
    match found.is_empty() {
        true => Err(Trouble::Usage(format!("nothing {place} `{}`", Escaped(pattern)))),
        false => Ok(found),
    }
}
