//! A disk here that is full: what does not fit leaves no trace, and what would not fit either is not fetched.

use std::fs;
use std::path::Path;

use muxftp_server::config::TlsMode;
use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};

use crate::mirror::{mirror, url};
use crate::support::{TestServer, names, run, text};

/// A file system with room for ten of the files.
struct SmallDisk(tempfile::TempDir);

const FILE: usize = 100 * 1024;

impl SmallDisk {
    /// `None`: only root may mount one, which is said.
    fn new() -> Option<SmallDisk> {
        let at = tempfile::tempdir().unwrap();
        match mount("tmpfs", at.path(), "tmpfs", MountFlags::empty(), c"size=1050k") {
            Ok(()) => Some(SmallDisk(at)),
            Err(error) => {
                println!("skipped: no right to mount a small tmpfs ({error})");
                None
            }
        }
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = unmount(self.path(), UnmountFlags::DETACH);
    }
}

fn server_of_fifty() -> TestServer {
    let server = TestServer::of_ftp(TlsMode::Off, |_| {});
    for i in 0..50 {
        fs::write(server.root().join(format!("{i:02}")), vec![b'x'; FILE]).unwrap();
    }
    server
}

fn check_what_is_there(disk: &SmallDisk) {
    for name in names(disk.path()) {
        assert_eq!(fs::metadata(disk.path().join(&name)).unwrap().len(), FILE as u64, "{name} is whole");
    }
}

const NOTE: &str = "muxftp: note: the rest is not tried, since it would fail the same way\n";

#[test]
fn a_mirror_ends_with_a_word() {
    let Some(disk) = SmallDisk::new() else { return };
    let server = server_of_fifty();
    for parallel in ["--parallel=1", "--parallel=3"] {
        let output = mirror(disk.path(), &[parallel, &url(&server, ""), "."]);
        let (shown, told) = (text(&output.stdout), text(&output.stderr));
        assert_eq!(output.status.code(), Some(1), "{told}");
        let failures = told.matches("No space left on device").count();
        assert!((1..=3).contains(&failures) && shown.ends_with(&format!(", {failures} failed\n")), "{shown}{told}");
        assert_eq!(told.matches(NOTE).count(), 1, "{told}");
        check_what_is_there(&disk);
    }
    assert_eq!(names(disk.path()).len(), 10);
}

#[test]
fn so_does_a_list_of_files() {
    let Some(disk) = SmallDisk::new() else { return };
    let server = server_of_fifty();
    let output = run(disk.path(), &["mget", "--tls=off", &format!("ftp://127.0.0.1:{}/*", server.port())]);
    let told = text(&output.stderr);
    assert_eq!(output.status.code(), Some(5), "{told}");
    assert!(told.starts_with("muxftp: cannot write 10: No space left on device\n") && told.ends_with(NOTE), "{told}");
    check_what_is_there(&disk);
    assert_eq!(names(disk.path()).len(), 10);
}
