//! For tests and measurements only: file systems and disks that are slow, or never answer.
//!
//! Depends on no other crate of the workspace, so that each of them can use it.

pub mod slow_disk;
pub mod slow_fs;

use std::fmt;

/// What this machine lacks for a fixture: a device, a program, or the right to mount.
#[derive(Debug)]
pub struct Missing(pub String);

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Missing {}

/// The fixture, or `None` after a message that the test is skipped. With `CI` set, a missing fixture fails the test.
///
/// # Panics
///
/// If the fixture is missing and `CI` is set.
pub fn or_skip<T>(fixture: Result<T, Missing>) -> Option<T> {
    match fixture {
        Ok(fixture) => Some(fixture),
        Err(missing) => {
            assert!(std::env::var_os("CI").is_none(), "{missing}; with CI set, no test is skipped");
            println!("skipped: {missing}");
            None
        }
    }
}
