//! What a process of this machine uses, as `/proc` tells it, and which process listens on a port.
//!
//! Must not know why it is asked.
//!
//! Invariant: a process that has vanished, or that may not be looked at, is an absence and not an error.

use std::fs;
use std::path::{Path, PathBuf};

/// One look at a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProcessSample {
    /// CPU time of all its present threads, in nanoseconds.
    pub cpu_ns: u64,
    /// Resident memory, in bytes, shared pages counted in full.
    pub rss: u64,
    /// Resident memory, in bytes, shared pages counted by share; `None` when it may not be read.
    pub pss: Option<u64>,
    /// Open descriptors; `None` when they may not be counted.
    pub descriptors: Option<u64>,
    /// Threads.
    pub threads: u64,
    /// Context switches of all its present threads.
    pub context_switches: u64,
}

/// A process that is looked at again and again.
#[derive(Debug, Clone)]
pub struct Process {
    directory: PathBuf,
}

impl Process {
    /// The process of this number, whether or not there is one.
    pub fn new(pid: u32) -> Process {
        Process { directory: PathBuf::from(format!("/proc/{pid}")) }
    }

    /// This process.
    pub fn own() -> Process {
        Process::new(std::process::id())
    }

    /// What it uses now; `None` when it is gone.
    pub fn sample(&self) -> Option<ProcessSample> {
        let status = fs::read_to_string(self.directory.join("status")).ok()?;
        let mut cpu_ns = 0;
        let mut context_switches = 0;
        for thread in fs::read_dir(self.directory.join("task")).ok()?.flatten() {
            // A thread may end between the two looks.
            cpu_ns += cpu_of_thread(&thread.path()).unwrap_or(0);
            context_switches += switches_of_thread(&thread.path()).unwrap_or(0);
        }
        Some(ProcessSample {
            cpu_ns,
            // A process that has ended but was not waited for has no memory any more.
            rss: kibibytes(&status, "VmRSS:")?,
            pss: fs::read_to_string(self.directory.join("smaps_rollup"))
                .ok()
                .and_then(|rollup| kibibytes(&rollup, "Pss:")),
            descriptors: fs::read_dir(self.directory.join("fd")).ok().map(|entries| entries.count() as u64),
            threads: field(&status, "Threads:")?,
            context_switches,
        })
    }
}

/// The process that listens on this TCP port of this machine; `None` when there is none or it may not be seen.
pub fn listener_on(port: u16) -> Option<u32> {
    let inodes: Vec<u64> = ["/proc/net/tcp", "/proc/net/tcp6"]
        .iter()
        .filter_map(|table| fs::read_to_string(table).ok())
        .flat_map(|table| listening_inodes(&table, port))
        .collect();
    if inodes.is_empty() {
        return None;
    }
    fs::read_dir("/proc").ok()?.flatten().find_map(|entry| {
        let pid: u32 = entry.file_name().to_str()?.parse().ok()?;
        holds_socket(&entry.path().join("fd"), &inodes).then_some(pid)
    })
}

/// Nanoseconds on a CPU: the first number of `schedstat` (`stat` counts ticks of 10 ms).
fn cpu_of_thread(thread: &Path) -> Option<u64> {
    fs::read_to_string(thread.join("schedstat")).ok()?.split_whitespace().next()?.parse().ok()
}

fn switches_of_thread(thread: &Path) -> Option<u64> {
    let status = fs::read_to_string(thread.join("status")).ok()?;
    Some(field(&status, "voluntary_ctxt_switches:")? + field(&status, "nonvoluntary_ctxt_switches:")?)
}

/// The number after a name at the start of a line.
fn field(text: &str, name: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix(name))?.split_whitespace().next()?.parse().ok()
}

fn kibibytes(text: &str, name: &str) -> Option<u64> {
    field(text, name).map(|kib| kib * 1024)
}

/// The inodes of the sockets that listen on `port` in a table of `/proc/net`.
fn listening_inodes(table: &str, port: u16) -> Vec<u64> {
    table
        .lines()
        .skip(1)
        .filter_map(|line| {
            let columns: Vec<&str> = line.split_whitespace().collect();
            let local = u16::from_str_radix(columns.get(1)?.rsplit(':').next()?, 16).ok()?;
            let listens = *columns.get(3)? == STATE_LISTEN;
            (listens && local == port).then(|| columns.get(9)?.parse().ok())?
        })
        .collect()
}

fn holds_socket(descriptors: &Path, inodes: &[u64]) -> bool {
    fs::read_dir(descriptors).is_ok_and(|entries| {
        entries.flatten().any(|entry| {
            let target = fs::read_link(entry.path()).ok();
            let inode = target
                .as_deref()
                .and_then(Path::to_str)
                .and_then(|name| name.strip_prefix("socket:[")?.strip_suffix(']')?.parse::<u64>().ok());
            inode.is_some_and(|inode| inodes.contains(&inode))
        })
    })
}

/// `TCP_LISTEN` in the tables of `/proc/net`.
const STATE_LISTEN: &str = "0A";

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn this_process_uses_what_it_uses() {
        let process = Process::own();
        let before = process.sample().unwrap();
        assert!(before.rss > 100 * 1024 && before.threads >= 1 && before.descriptors.unwrap() >= 3);
        // Spins on CPU time itself, so the test cannot be too short on a busy machine.
        let mut after = before;
        while after.cpu_ns < before.cpu_ns + 5_000_000 {
            after = process.sample().unwrap();
        }
        assert!(after.context_switches > 0);
    }

    #[test]
    fn a_vanished_process_is_absent() {
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let process = Process::new(child.id());
        child.wait().unwrap();
        assert_eq!(process.sample(), None);
    }

    #[test]
    fn the_listener_of_a_port_is_found() {
        for address in ["127.0.0.1:0", "[::1]:0"] {
            let Ok(listener) = TcpListener::bind(address) else { continue };
            let port = listener.local_addr().unwrap().port();
            assert_eq!(listener_on(port), Some(std::process::id()), "{address}");
        }
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        assert_eq!(listener_on(port), None, "the listener is closed");
    }

    #[test]
    fn only_listening_sockets_of_the_port_count() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n\
            0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1 0 100 0 0 10 0\n\
            1: 0100007F:1F90 0100007F:C001 01 00000000:00000000 00:00000000 00000000     0        0 4712 1 0 20 4 30 10 -1\n\
            2: 0100007F:1F91 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4713 1 0 100 0 0 10 0\n";
        assert_eq!(listening_inodes(table, 8080), [4711]);
    }
}
