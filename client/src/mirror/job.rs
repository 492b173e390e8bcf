//! One file of a mirrored tree, moved.
//!
//! It must not know the tree.

use std::fmt;
use std::fs::{self, File};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use muxftp_proto::client::io::{Operation, PutMode, Told};
use muxftp_proto::{Escaped, Feature};

use crate::content::{Content, Download, Upload};
use crate::engine::{Engine, Watch};
use crate::trouble::Trouble;

/// A file to be moved.
#[derive(Debug)]
pub(super) struct Job {
    /// From the server's root.
    pub(super) remote: Vec<u8>,
    pub(super) local: PathBuf,
    /// The time that the copy is to have, in seconds since 1970, when it is known.
    pub(super) modified: Option<i64>,
    /// Bytes, as far as it is known before.
    pub(super) size: u64,
}

impl Job {
    /// Downloads it; gives its bytes.
    pub(super) fn download(&self, engine: &mut Engine) -> Result<u64, Trouble> {
        let name = self.local.file_name().unwrap_or_default().as_bytes();
        let content = Content::Download(Download::begin(name, Some(self.local.as_os_str()))?);
        let operation = Operation::Get { name: self.remote.clone(), offset: 0 };
        let done = engine.run(&operation, content, &format!("get {self}"), Watch::default())?;
        if let Content::Download(download) = done.content {
            download.finish()?;
        }
        if let Some(modified) = self.modified.or_else(|| modified_time(engine, &self.remote)) {
            let time = time_of(modified);
            File::open(&self.local)
                .and_then(|file| file.set_modified(time))
                .map_err(|error| Trouble::local("set the time of", self, error))?;
        }
        Ok(done.bytes)
    }

    /// Uploads it; gives its bytes.
    pub(super) fn upload(&self, engine: &mut Engine) -> Result<u64, Trouble> {
        let upload = Upload::open(self.local.as_os_str())?;
        let size = Some(upload.size());
        let operation = Operation::Put { name: self.remote.clone(), size, mode: PutMode::Replace };
        let done = engine.run(&operation, Content::Upload(upload), &format!("put {self}"), Watch::default())?;
        if let Some(modified) = self.modified.filter(|_| engine.features().has(Feature::Mfmt)) {
            let set = Operation::SetModifiedTime { name: self.remote.clone(), modified };
            match engine.ask(&set, "set the time") {
                // The file is there; that it is newer than ours does no harm.
                Ok(_) | Err(Trouble::Refused { .. }) => {}
                Err(other) => return Err(other),
            }
        }
        Ok(done.bytes)
    }
}

impl fmt::Display for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Escaped(&self.remote).fmt(f)
    }
}

/// As the server tells it, if it does.
pub(super) fn modified_time(engine: &mut Engine, name: &[u8]) -> Option<i64> {
    if !engine.features().has(Feature::Mdtm) {
        return None;
    }
    match engine.ask(&Operation::ModifiedTime { name: name.to_vec() }, "ask for the time") {
        Ok(Some(Told::Modified(modified))) => Some(modified),
        _ => None,
    }
}

/// Of a file here, in whole seconds, as FTP tells times.
pub(super) fn seconds(found: &fs::Metadata) -> io::Result<i64> {
    Ok(match found.modified()?.duration_since(UNIX_EPOCH) {
        Ok(after) => i64::try_from(after.as_secs()).unwrap_or(i64::MAX),
        Err(before) => -i64::try_from(before.duration().as_secs()).unwrap_or(i64::MAX),
    })
}

fn time_of(seconds: i64) -> SystemTime {
    let distance = Duration::from_secs(seconds.unsigned_abs());
    let time = if seconds < 0 { UNIX_EPOCH.checked_sub(distance) } else { UNIX_EPOCH.checked_add(distance) };
    time.unwrap_or(UNIX_EPOCH)
}
