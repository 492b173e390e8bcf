//! Which temporaries a sweep removes, and which locks may be in its way.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::Duration;

use rustix::fs::FlockOperation;
use tempfile::TempDir;

use super::sweep::{Swept, sweep};
use super::*;

fn path(name: &str) -> VPath {
    VPath::parse(name.as_bytes()).unwrap()
}

fn root() -> (TempDir, Root) {
    let dir = TempDir::new().unwrap();
    let root = Root::open(dir.path(), Durability::None).unwrap();
    (dir, root)
}

/// Locks a file as another process would.
fn lock(file: &Path) -> Result<fs::File, Errno> {
    let file = fs::OpenOptions::new().append(true).open(file).unwrap();
    rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive).map(|()| file)
}

#[test]
fn leftovers_that_no_upload_holds_are_swept_and_nothing_else() {
    let (dir, root) = root();
    let base = dir.path();
    let left = ".muxftp-0123456789abcdef-7.part";
    fs::create_dir_all(base.join("a/b")).unwrap();
    let outside = TempDir::new().unwrap();
    symlink(outside.path(), base.join("link")).unwrap();
    let places = [base.join(left), base.join("a/b").join(left), outside.path().join(left)];
    for place in &places {
        fs::write(place, "half").unwrap();
    }
    fs::write(base.join(".muxftp-mine.part"), "not of the server's form").unwrap();
    let held = base.join("a/.muxftp-0123456789abcdef-8.part");
    fs::write(&held, "an upload of another process").unwrap();
    let holder = lock(&held).unwrap();
    let mut upload = root.open_write(&path("file"), None).unwrap();
    upload.write(b"on its way").unwrap();

    assert_eq!(sweep(&root.dir, Duration::ZERO), Swept { removed: 2, held: 1, failed: 0 });
    assert_eq!(places.map(|place| place.exists()), [false, false, true], "links are not followed");
    assert!(base.join(".muxftp-mine.part").exists() && held.exists());
    upload.commit().unwrap();
    assert_eq!(fs::read(base.join("file")).unwrap(), b"on its way");
    drop(holder);
    assert_eq!(sweep(&root.dir, Duration::ZERO), Swept { removed: 1, ..Swept::default() });
}

#[test]
fn an_upload_holds_its_temporary_against_other_processes_until_it_ends() {
    let (dir, root) = root();
    let base = dir.path();
    let mut upload = root.open_write(&path("file"), None).unwrap();
    upload.write(b"on its way").unwrap();
    let hidden = fs::read_dir(base).unwrap().next().unwrap().unwrap().path();
    assert_eq!(lock(&hidden).unwrap_err(), Errno::WOULDBLOCK);
    upload.commit().unwrap();
    lock(&base.join("file")).unwrap();
}

#[test]
fn a_root_that_a_stranger_has_locked_opens_at_once() {
    let dir = TempDir::new().unwrap();
    let stranger = fs::File::open(dir.path()).unwrap();
    rustix::fs::flock(&stranger, FlockOperation::NonBlockingLockExclusive).unwrap();
    let root = Root::open(dir.path(), Durability::None).unwrap();
    root.open_write(&path("file"), None).unwrap().commit().unwrap();
    assert!(dir.path().join("file").exists());
}

#[test]
fn neither_a_sweep_nor_a_quota_enters_another_file_system() {
    let (dir, root) = root();
    let inner = dir.path().join("mounted");
    fs::create_dir(&inner).unwrap();
    let flags = rustix::mount::MountFlags::empty();
    if let Err(error) = rustix::mount::mount("tmpfs", &inner, "tmpfs", flags, c"size=1m") {
        println!("skipped: no right to mount a small tmpfs ({error})");
        return;
    }
    let left = inner.join(".muxftp-0123456789abcdef-7.part");
    fs::write(&left, "half").unwrap();
    fs::write(inner.join("file"), "counted elsewhere").unwrap();
    let (swept, usage, remains) = (sweep(&root.dir, Duration::ZERO), root.measure(), left.exists());
    rustix::mount::unmount(&inner, rustix::mount::UnmountFlags::DETACH).unwrap();
    assert_eq!((swept, usage, remains), (Swept::default(), Usage::default(), true));
}
