//! What the mutations of a target begin with.

use std::fs;
use std::path::{Path, PathBuf};

use crate::case::Case;
use crate::transcript::unescape;

/// The inputs that once failed.
pub fn regressions(target: &str) -> Vec<Case> {
    files(&here().join("regressions").join(target)).into_iter().map(|(_, bytes)| Case::parse(&bytes)).collect()
}

/// The inputs to begin with: whole files, for a parser also their lines.
pub fn seeds(target: &str) -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    for (_, bytes) in files(&here().join("corpus").join(target)) {
        if !target.starts_with(SESSION) {
            seeds.extend(bytes.split(|&byte| byte == b'\n').map(<[u8]>::to_vec));
        }
        seeds.push(bytes);
    }
    if let Some(dialect) = target.strip_prefix(SESSION) {
        seeds.extend(transcripts(dialect));
    }
    assert!(!seeds.is_empty(), "nothing to begin with for {target}");
    seeds
}

/// What the clients of a dialect's transcripts say.
fn transcripts(dialect: &str) -> Vec<Vec<u8>> {
    let directory = here().join("../transcripts").join(dialect);
    let said = |text: &[u8]| {
        let text = std::str::from_utf8(text).unwrap();
        let lines = text.lines().filter_map(|line| line.strip_prefix("C:"));
        lines.flat_map(|line| [unescape(line.strip_prefix(' ').unwrap_or(line)), b"\r\n".to_vec()].concat()).collect()
    };
    files(&directory).iter().map(|(_, text)| said(text)).collect()
}

/// The files of a directory, if there is one, in the order of their names.
fn files(directory: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let Ok(entries) = fs::read_dir(directory) else { return Vec::new() };
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.into_iter().map(|path| (path.clone(), fs::read(path).unwrap())).collect()
}

fn here() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz")
}

const SESSION: &str = "session_";
