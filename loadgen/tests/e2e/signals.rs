//! Runs that are ended from outside: the report of what ran is written, and nothing is left behind.

use std::path::PathBuf;
use std::process::{Child, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use crate::support::{Bench, SMALL, number, text};

/// A run that would take an hour, stopped at its first figures.
fn long() -> String {
    SMALL.replace("operations = 300", "duration = \"1h\"")
}

/// The embedded server of a run and its root, as the environment of the run tells them.
fn embedded(loadgen: &Child) -> (Pid, PathBuf) {
    let children = std::fs::read_to_string(format!("/proc/{0}/task/{0}/children", loadgen.id())).unwrap();
    let pid: i32 = children.split_whitespace().next().expect("an embedded server").parse().unwrap();
    let roots = std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap();
    let root = roots
        .filter_map(|entry| std::fs::read_link(entry.unwrap().path()).ok())
        .find(|path| path.to_string_lossy().contains("muxftp-loadgen-"))
        .expect("its root is open");
    (Pid::from_raw(pid).unwrap(), root)
}

/// Whether it runs; one that has ended and waits for its new parent to notice does not.
fn is_alive(pid: Pid) -> bool {
    std::fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).is_ok_and(|stat| !stat.contains(") Z "))
}

/// Starts a run and waits for its first line of figures.
fn started(bench: &Bench) -> Child {
    let mut child = bench.command(&["--quiet"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // Head and first rows; the run itself goes on for an hour.
    let intervals = bench.latest().join("intervals.csv");
    while !std::fs::read_to_string(&intervals).is_ok_and(|rows| rows.lines().count() > 4) {
        assert_eq!(child.try_wait().unwrap(), None, "it ended before its first figures");
        std::thread::yield_now();
    }
    child
}

fn send(child: &Child, signal: Signal) {
    kill_process(Pid::from_child(child), signal).unwrap();
}

#[test]
fn an_interrupted_run_reports_what_ran_and_leaves_nothing() {
    for signal in [Signal::INT, Signal::TERM] {
        let bench = Bench::new(&long());
        let child = started(&bench);
        let (server, root) = embedded(&child);
        assert!(root.exists());
        send(&child, signal);
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(130));
        assert!(text(&output.stdout).starts_with("STOPPED  small"), "{}", text(&output.stdout));
        let summary = bench.summary();
        assert_eq!(summary["interrupted"], true);
        assert!(number(&summary, "/all/done") > 0.0);
        for file in ["summary.txt", "latency.hlog", "hgrm/get.response.hgrm", "latency.svg", "errors.csv"] {
            assert!(!bench.file(file).is_empty(), "{file}");
        }
        assert!(!is_alive(server), "the embedded server is still there");
        assert!(!root.exists(), "its root is still there");
    }
}

#[test]
fn a_run_that_is_killed_leaves_no_server() {
    let bench = Bench::new(&long());
    let child = started(&bench);
    let (server, root) = embedded(&child);
    send(&child, Signal::KILL);
    child.wait_with_output().unwrap();
    // It hears of the death by the end of its standard input.
    while is_alive(server) || root.exists() {
        std::thread::yield_now();
    }
}

#[test]
fn a_server_that_dies_ends_the_run_with_a_word() {
    let bench = Bench::new(&long());
    let child = started(&bench);
    let (server, root) = embedded(&child);
    kill_process(server, Signal::KILL).unwrap();
    let output = child.wait_with_output().unwrap();
    let shown = text(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{shown}");
    assert!(shown.contains("the embedded server has ended"), "{shown}");
    assert_eq!(bench.summary()["passed"], false);
    assert!(!root.exists(), "its root is still there");
}
