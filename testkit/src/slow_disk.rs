//! An ext4 file system on a loop device whose reads and writes by one process are throttled (cgroup v1, `blkio`).
//!
//! Like a cloud volume out of burst credits: correct, and very slow. Needs root. Dropping it unmounts and removes everything.

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::fs::Advice;
use rustix::mount::UnmountFlags;

use crate::Missing;

#[derive(Debug)]
pub struct SlowDisk {
    at: PathBuf,
    device: Option<String>,
    group: Option<PathBuf>,
    scratch: tempfile::TempDir,
    mounted: bool,
}

impl SlowDisk {
    /// Creates the file system, not throttled yet.
    ///
    /// # Errors
    ///
    /// `Missing` without root, a free loop device, `mkfs.ext4`, or cgroup v1's `blkio`.
    pub fn mount(mebibytes: u64) -> Result<SlowDisk, Missing> {
        if !Path::new(BLKIO).join("blkio.throttle.read_bps_device").exists() && !Path::new(BLKIO).is_dir() {
            return Err(Missing(format!("no cgroup v1 `blkio` at {BLKIO}")));
        }
        let scratch = tempfile::Builder::new().prefix("slow-disk-").tempdir();
        let scratch = scratch.map_err(|error| Missing(format!("no scratch directory: {error}")))?;
        let at = scratch.path().join("disk");
        // From here on, dropping it undoes what was done.
        let mut disk = SlowDisk { at, device: None, group: None, scratch, mounted: false };
        let image = disk.scratch.path().join("image");
        let sized = File::create(&image).and_then(|file| file.set_len(mebibytes << 20));
        sized.and_then(|()| fs::create_dir(&disk.at)).map_err(|error| Missing(format!("no image: {error}")))?;
        let text = |path: &Path| path.to_string_lossy().into_owned();
        run("mkfs.ext4", &["-q", "-F", &text(&image)])?;
        let device = run("losetup", &["--find", "--show", &text(&image)])?.trim().to_owned();
        disk.device = Some(device.clone());
        run("mount", &[&device, &text(&disk.at)])?;
        disk.mounted = true;
        Ok(disk)
    }

    pub fn path(&self) -> &Path {
        &self.at
    }

    /// Throttles what the process reads from and writes to this disk, from now on, to bytes per second.
    ///
    /// # Errors
    ///
    /// `Missing` if the control group cannot be created or joined.
    pub fn throttle(&mut self, process: u32, read: u64, write: u64) -> Result<(), Missing> {
        let device = self.device.as_deref().unwrap_or_default();
        let number = fs::metadata(device).map_err(|error| Missing(format!("{device}: {error}")))?.rdev();
        let device = format!("{}:{}", rustix::fs::major(number), rustix::fs::minor(number));
        let group = Path::new(BLKIO).join(format!("muxftp-slow-disk-{}", std::process::id()));
        let write_to = |file: &str, text: String| {
            fs::write(group.join(file), text).map_err(|error| Missing(format!("{}/{file}: {error}", group.display())))
        };
        fs::create_dir_all(&group).map_err(|error| Missing(format!("{}: {error}", group.display())))?;
        self.group = Some(group.clone());
        write_to("blkio.throttle.read_bps_device", format!("{device} {read}"))?;
        write_to("blkio.throttle.write_bps_device", format!("{device} {write}"))?;
        write_to("cgroup.procs", process.to_string())
    }

    /// Writes the file to the disk and drops it from the page cache.
    ///
    /// # Errors
    ///
    /// The file system's.
    pub fn make_cold(&self, name: &str) -> std::io::Result<()> {
        let file = File::open(self.at.join(name))?;
        file.sync_all()?;
        Ok(rustix::fs::fadvise(&file, 0, None, Advice::DontNeed)?)
    }
}

impl Drop for SlowDisk {
    fn drop(&mut self) {
        if let Some(group) = &self.group {
            // Only an empty group can be removed; its processes go back to the root group.
            for process in fs::read_to_string(group.join("cgroup.procs")).unwrap_or_default().lines() {
                let _ = fs::write(Path::new(BLKIO).join("cgroup.procs"), process);
            }
            let _ = fs::remove_dir(group);
        }
        if self.mounted
            && let Err(error) = rustix::mount::unmount(&self.at, UnmountFlags::DETACH)
        {
            eprintln!("{} is left mounted: {error}", self.at.display());
        }
        if let Some(device) = &self.device {
            // Takes effect when the last user of the mount has gone.
            let _ = Command::new("losetup").args(["--detach", device]).status();
        }
    }
}

fn run(program: &str, arguments: &[&str]) -> Result<String, Missing> {
    let output = Command::new(program).args(arguments).output();
    let output = output.map_err(|error| Missing(format!("{program}: {error}")))?;
    if !output.status.success() {
        return Err(Missing(format!("{program}: {}", String::from_utf8_lossy(&output.stderr).trim_end())));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

const BLKIO: &str = "/sys/fs/cgroup/blkio";
