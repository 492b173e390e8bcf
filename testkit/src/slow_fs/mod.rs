//! A file system in memory, mounted with FUSE by this process, that answers each request at once, late, or never.
//!
//! ```no_run
//! use muxftp_testkit::slow_fs::{Operation, Pace, SlowFs};
//! # let root = std::path::Path::new("/tmp/root");
//! let Some(slow) = muxftp_testkit::or_skip(SlowFs::mount(&root.join("slow"), &[("docs/", 0), ("docs/a", 4096)]))
//! else {
//!     return;
//! };
//! slow.set_pace_of(Operation::Read, Pace::Never);
//! // ... a client reads docs/a ...
//! slow.wait_for_held(1);
//! ```
//!
//! While requests are not answered, whoever made them hangs in the kernel, where no signal ends it: this process must not
//! touch the mount itself then. Dropping the [`SlowFs`] aborts all of them (they fail with `ECONNABORTED`) and unmounts; a
//! watching process does the same if this process dies. Drop it before a server that is stopped in the same process: declare
//! it after the server.

mod gate;
mod serve;
mod tree;

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use fuser::{BackgroundSession, Config, MountOption};
use rustix::mount::UnmountFlags;

use crate::Missing;
use gate::Gate;
use serve::Served;
use tree::Tree;

/// When a request is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// At once.
    Quick,
    /// After this time; requests wait beside each other, not one after the other.
    Delayed(Duration),
    /// When the pace becomes another one, or with an error when the file system is dropped.
    Never,
}

/// The kinds of requests, each of which has a pace of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// Names and attributes: lookup, stat, reading a directory.
    Look,
    /// Opening a file that exists.
    Open,
    Read,
    /// Bytes written, space reserved, fsync.
    Write,
    /// Creating, removing and renaming names; changed attributes.
    Change,
    /// What `close` waits for.
    Close,
}

impl Operation {
    pub const ALL: [Operation; 6] =
        [Operation::Look, Operation::Open, Operation::Read, Operation::Write, Operation::Change, Operation::Close];
}

/// The mounted file system. Starts with all operations quick.
#[derive(Debug)]
pub struct SlowFs {
    at: PathBuf,
    gate: Arc<Gate>,
    session: Option<BackgroundSession>,
    watcher: Child,
}

impl SlowFs {
    /// Mounts at `at`, which is created if missing, with files of these sizes. Their parent directories are created; a name
    /// that ends with a slash is an empty directory. The bytes of a file are those of [`content`].
    ///
    /// # Errors
    ///
    /// `Missing` if there is no `/dev/fuse` or no right to mount.
    ///
    /// # Panics
    ///
    /// If `at` cannot be created, or a name is given twice.
    pub fn mount(at: &Path, files: &[(&str, usize)]) -> Result<SlowFs, Missing> {
        std::fs::create_dir_all(at).expect("the mount point can be created");
        let gate = Arc::new(Gate::new());
        let served = Served { tree: Arc::new(Tree::new(files).into()), gate: Arc::clone(&gate) };
        let mut config = Config::default();
        config.mount_options =
            vec![MountOption::FSName("muxftp-slow".to_owned()), MountOption::NoDev, MountOption::NoSuid];
        let session = fuser::spawn_mount(served, at, &config)
            .map_err(|error| Missing(format!("no FUSE file system can be mounted at {}: {error}", at.display())))?;
        Ok(SlowFs { at: at.to_owned(), gate, session: Some(session), watcher: watch(at) })
    }

    /// Where it is mounted.
    pub fn path(&self) -> &Path {
        &self.at
    }

    /// Sets the pace of all operations. Held requests are answered if it is not [`Pace::Never`].
    pub fn set_pace(&self, pace: Pace) {
        for operation in Operation::ALL {
            self.set_pace_of(operation, pace);
        }
    }

    /// Sets the pace of one kind of operation.
    pub fn set_pace_of(&self, operation: Operation, pace: Pace) {
        self.gate.set(operation, pace);
    }

    /// How many requests have come in since the mount, answered or not.
    pub fn requests(&self) -> u64 {
        self.gate.requests()
    }

    /// How many requests wait for an answer that [`Pace::Never`] holds back.
    pub fn held(&self) -> usize {
        self.gate.held()
    }

    /// Waits until at least `count` requests are held.
    ///
    /// # Panics
    ///
    /// If they are not after 30 s.
    pub fn wait_for_held(&self, count: usize) {
        assert!(self.gate.wait_for_held(count, PATIENCE), "{} requests are held, not {count}", self.held());
    }
}

impl Drop for SlowFs {
    fn drop(&mut self) {
        // By force: aborts what hangs. Without the right to do so, the answers to what is held come first.
        let forced = rustix::mount::unmount(&self.at, UnmountFlags::FORCE | UnmountFlags::DETACH);
        if forced.is_err() {
            self.gate.close();
        }
        if let Some(session) = self.session.take()
            && let Err(error) = session.umount_and_join()
            && forced.is_err()
        {
            eprintln!("{} is left mounted: {error}", self.at.display());
        }
        self.gate.close();
        let _ = self.watcher.kill();
        let _ = self.watcher.wait();
    }
}

/// The byte at `offset` of each file that the file system was mounted with.
pub fn content(offset: usize) -> u8 {
    (offset.wrapping_mul(31) ^ (offset >> 8)) as u8
}

/// A process that unmounts `at` if this one dies. It looks at the process's state: a process with a thread that hangs in its
/// own file system stays a zombie with open descriptors, so that the end of a pipe would never come.
fn watch(at: &Path) -> Child {
    let script = r#"trap "" INT TERM HUP
        while state=$(sed 's/.*) //' "/proc/$1/stat" 2>/dev/null) && [ "${state%% *}" != Z ]; do sleep 0.3; done
        umount -c -f -l "$2""#;
    Command::new("sh")
        .args(["-c", script, "sh", &std::process::id().to_string()])
        .arg(at)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("sh starts")
}

/// Not a limit on anybody's speed: turns a hang into a failure.
const PATIENCE: Duration = Duration::from_secs(30);
