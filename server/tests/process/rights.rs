//! What the process may do.

use std::fs;

use crate::{Log, Muxftpd};

#[test]
fn no_thread_can_gain_privileges_and_root_is_warned_of() {
    let (log, stderr) = std::io::pipe().unwrap();
    let server = Muxftpd::start("simple", &[], stderr);
    let tasks = fs::read_dir(format!("/proc/{}/task", server.child.id())).unwrap();
    let status: Vec<String> =
        tasks.map(|task| fs::read_to_string(task.unwrap().path().join("status")).unwrap()).collect();
    assert!(status.len() > 1, "at least the loop and the log");
    for status in &status {
        assert!(status.contains("NoNewPrivs:\t1\n"), "{status}");
    }
    if rustix::process::geteuid().is_root() {
        let line = Log::new(log).line_with("running as root");
        assert!(line.contains("WARN") && line.contains("User=") && line.contains("setpriv"), "{line}");
    }
}
