//! When a tree is swept: once per process and directory, in the background, by one thread at a time.
//!
//! A login must not wait for a walk over the whole tree, and an account that logs in and out in a loop must not cause one
//! each time.

use std::collections::{HashSet, VecDeque};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::thread;

use tracing::{info, warn};

use super::sweep::{PAUSE, Swept, sweep};
use super::{beneath, tree};

#[derive(Default)]
struct State {
    /// Device and inode of each root that was swept or is about to be.
    covered: HashSet<(u64, u64)>,
    waiting: VecDeque<Waiting>,
    is_running: bool,
}

struct Waiting {
    dir: Arc<OwnedFd>,
    path: PathBuf,
}

/// Has the tree below `dir` swept, unless this process has done so, also as a part of a larger tree.
pub(super) fn request(dir: &Arc<OwnedFd>, path: &Path) {
    let Some(lineage) = lineage(dir) else { return };
    let mut state = lock();
    if lineage.iter().any(|identity| state.covered.contains(identity)) {
        return;
    }
    state.covered.insert(lineage[0]);
    state.waiting.push_back(Waiting { dir: Arc::clone(dir), path: path.to_owned() });
    if state.is_running {
        return;
    }
    state.is_running = thread::Builder::new().name("sweep".to_owned()).spawn(run).is_ok();
    if !state.is_running {
        // The next one to open the root tries again.
        state.covered.remove(&lineage[0]);
        state.waiting.clear();
    }
}

fn run() {
    loop {
        let mut state = lock();
        let Some(Waiting { dir, path }) = state.waiting.pop_front() else {
            state.is_running = false;
            return;
        };
        drop(state);
        report(&path, sweep(&dir, PAUSE));
    }
}

fn report(root: &Path, swept: Swept) {
    let Swept { removed, held, failed } = swept;
    if failed > 0 {
        warn!(
            root = ?root, removed, held, failed,
            "unfinished uploads of an earlier run were removed, but some files or directories could not be"
        );
    } else if removed > 0 {
        info!(root = ?root, removed, held, "unfinished uploads of an earlier run were removed");
    }
}

/// The directory and those above it, as far as a sweep of them would reach it.
fn lineage(dir: &OwnedFd) -> Option<Vec<(u64, u64)>> {
    let mut lineage = vec![tree::identity(dir).ok()?];
    let mut above = beneath::parent_within_mount(dir);
    while let Ok(parent) = above {
        let identity = tree::identity(&parent).ok()?;
        if lineage.last() == Some(&identity) || lineage.len() >= DEPTH_MAX {
            break;
        }
        lineage.push(identity);
        above = beneath::parent_within_mount(&parent);
    }
    Some(lineage)
}

/// A panic while it was held leaves a state that is still right.
fn lock() -> MutexGuard<'static, State> {
    STATE.lock().unwrap_or_else(PoisonError::into_inner)
}

static STATE: LazyLock<Mutex<State>> = LazyLock::new(Mutex::default);

/// Directories above a root that are looked at; paths have at most half as many components.
const DEPTH_MAX: usize = 4096;

#[cfg(test)]
mod tests {
    use std::fs;

    use rustix::fs::{Mode, OFlags};
    use tempfile::TempDir;

    use super::*;

    fn covers(path: &Path) -> bool {
        let dir = rustix::fs::open(path, OFlags::PATH | OFlags::DIRECTORY, Mode::empty()).unwrap();
        let lineage = lineage(&dir).unwrap();
        let state = lock();
        lineage.iter().any(|identity| state.covered.contains(identity))
    }

    #[test]
    fn a_tree_is_swept_once_also_as_a_part_of_a_larger_one() {
        let dir = TempDir::new().unwrap();
        let inner = dir.path().join("srv/a/b");
        fs::create_dir_all(&inner).unwrap();
        let open =
            |path: &Path| Arc::new(rustix::fs::open(path, OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty()).unwrap());
        assert!(!covers(&inner));
        request(&open(&dir.path().join("srv")), Path::new("srv"));
        assert!(covers(&dir.path().join("srv")) && covers(&inner), "what is below was swept with it");
        assert!(!covers(dir.path()), "what is above was not");
    }
}
