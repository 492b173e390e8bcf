//! A file system that never answers: a FUSE mount whose device nobody reads.

use std::ffi::CString;
use std::fs::File;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};

use rustix::mount::{MountFlags, UnmountFlags};

/// The mount, until it is dropped: then all that waits for it gets an error.
pub struct DeadMount {
    at: PathBuf,
    device: Option<File>,
}

impl DeadMount {
    /// Mounts it over a directory. `None`, with a message, where this is not allowed or FUSE is missing.
    pub fn over(directory: &Path) -> Option<DeadMount> {
        match mount(directory) {
            Ok(device) => Some(DeadMount { at: directory.to_owned(), device: Some(device) }),
            Err(error) => {
                eprintln!("skipped: a FUSE mount needs root and /dev/fuse ({error})");
                None
            }
        }
    }
}

fn mount(directory: &Path) -> std::io::Result<File> {
    let device = File::options().read(true).write(true).open("/dev/fuse")?;
    let options = format!("fd={},rootmode=40755,user_id=0,group_id=0,allow_other", device.as_raw_fd());
    let options = CString::new(options).unwrap();
    let flags = MountFlags::NOSUID | MountFlags::NODEV;
    rustix::mount::mount("dead", directory, "fuse", flags, Some(options.as_c_str()))?;
    Ok(device)
}

impl Drop for DeadMount {
    fn drop(&mut self) {
        // The end of the device is the end of the connection.
        self.device = None;
        let _ = rustix::mount::unmount(&self.at, UnmountFlags::DETACH);
    }
}
