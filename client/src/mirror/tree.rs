//! Where the two sides of a tree are.
//!
//! It must not know what is in them.

use std::ffi::OsStr;
use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use muxftp_proto::Escaped;

use super::Plan;

/// The roots of both sides. What is in them is told by its path below the root, without a slash at either end; empty: the
/// root itself.
#[derive(Debug)]
pub(super) struct Tree {
    /// From the server's root.
    remote: Vec<u8>,
    local: PathBuf,
    is_upload: bool,
}

impl Tree {
    /// Of a plan, with the server's working directory.
    pub(super) fn new(plan: &Plan, base: &[u8]) -> Tree {
        Tree { remote: join(base, &plan.remote), local: plan.local.clone(), is_upload: plan.is_upload }
    }

    /// Its name on the server.
    pub(super) fn remote(&self, below: &[u8]) -> Vec<u8> {
        join(&self.remote, below)
    }

    /// Its name here.
    pub(super) fn local(&self, below: &[u8]) -> PathBuf {
        match below {
            b"" => self.local.clone(),
            _ => self.local.join(OsStr::from_bytes(below)),
        }
    }

    /// Its name in the copy, for a person.
    pub(super) fn in_copy(&self, below: &[u8]) -> impl fmt::Display {
        match self.is_upload {
            true => Escaped(&self.remote(below)).to_string(),
            false => Escaped(self.local(below).as_os_str().as_bytes()).to_string(),
        }
    }
}

/// What is called `name` in a directory below the root.
pub(super) fn child(directory: &[u8], name: &[u8]) -> Vec<u8> {
    match directory {
        b"" => name.to_vec(),
        _ => [directory, b"/", name].concat(),
    }
}

/// The directory that this is in.
pub(super) fn parent(below: &[u8]) -> &[u8] {
    &below[..below.iter().rposition(|&byte| byte == b'/').unwrap_or(0)]
}

/// What this is called in its directory.
pub(super) fn name(below: &[u8]) -> &[u8] {
    below.rsplit(|&byte| byte == b'/').next().unwrap_or(below)
}

/// A name in a directory of the server; one that begins with a slash stands alone.
fn join(directory: &[u8], name: &[u8]) -> Vec<u8> {
    match (name, directory) {
        ([b'/', ..], _) => name.to_vec(),
        (b"", _) => directory.to_vec(),
        (_, [.., b'/']) => [directory, name].concat(),
        _ => [directory, b"/", name].concat(),
    }
}
