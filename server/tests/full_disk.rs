//! A disk that fills up in the middle of an upload. In a process of its own: the limit is the process's.

use std::fs;
use std::sync::Mutex;

use muxftp_proto::{Cause, VPath};
use muxftp_server::process::survive_file_size_limit;
use muxftp_server::storage::{Durability, Root, Upload};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// The limit of one test would be the other's too.
static ALONE: Mutex<()> = Mutex::new(());

fn write_until_error(upload: &mut Upload) -> Cause {
    let chunk = [b'x'; 64 * 1024];
    loop {
        if let Err(cause) = upload.write(&chunk) {
            return cause;
        }
        assert!(upload.written() < 1 << 30, "nothing stopped the upload");
    }
}

/// The old file is whole, nothing else is there, and the next upload works.
fn check_unharmed(root: &Root, dir: &std::path::Path, name: &VPath) {
    assert_eq!(fs::read_to_string(dir.join("file")).expect("the directory works again"), "old");
    assert_eq!(fs::read_dir(dir).expect("the directory works again").count(), 1, "no temporary remains");
    let mut small = root.open_write(name, Some(3)).expect("the directory works again");
    small.write(b"old").expect("the directory works again");
    small.commit().expect("the directory works again");
}

#[test]
fn a_file_size_limit_is_an_error_and_not_the_end() {
    let _alone = ALONE.lock();
    survive_file_size_limit().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let root = Root::open(dir.path(), Durability::None).unwrap();
    let name = VPath::parse(b"file").unwrap();
    fs::write(dir.path().join("file"), "old").unwrap();
    let before = getrlimit(Resource::Fsize);
    setrlimit(Resource::Fsize, Rlimit { current: Some(1 << 20), maximum: before.maximum }).unwrap();
    for declared in [None, Some(16 << 20)] {
        let mut upload = root.open_write(&name, declared).unwrap();
        assert_eq!(write_until_error(&mut upload), Cause::FileTooLarge);
        assert!(upload.written() <= 1 << 20);
        drop(upload);
        check_unharmed(&root, dir.path(), &name);
    }
    setrlimit(Resource::Fsize, before).unwrap();
}

#[test]
fn a_full_file_system_is_an_error_and_leaves_the_old_file() {
    let _alone = ALONE.lock();
    let dir = tempfile::tempdir().unwrap();
    let options = c"size=2m";
    if let Err(error) = rustix::mount::mount("tmpfs", dir.path(), "tmpfs", rustix::mount::MountFlags::empty(), options)
    {
        println!("skipped: no right to mount a small tmpfs ({error})");
        return;
    }
    let unmount = Unmount(dir.path());
    let root = Root::open(dir.path(), Durability::None).unwrap();
    let name = VPath::parse(b"file").unwrap();
    fs::write(dir.path().join("file"), "old").unwrap();

    let mut upload = root.open_write(&name, None).unwrap();
    assert_eq!(write_until_error(&mut upload), Cause::NoSpace);
    drop(upload);
    check_unharmed(&root, dir.path(), &name);

    assert_eq!(root.open_write(&name, Some(3 << 20)).unwrap_err(), Cause::NoSpace, "seen before a byte is sent");
    check_unharmed(&root, dir.path(), &name);
    drop((root, unmount));
}

/// Takes the file system away again, whatever the test says.
struct Unmount<'a>(&'a std::path::Path);

impl Drop for Unmount<'_> {
    fn drop(&mut self) {
        let _ = rustix::mount::unmount(self.0, rustix::mount::UnmountFlags::DETACH);
    }
}
