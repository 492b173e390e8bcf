//! The slow file system does what it says, and leaves nothing.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use muxftp_testkit::or_skip;
use muxftp_testkit::slow_fs::{Operation, Pace, SlowFs, content};

fn is_mounted(at: &Path) -> bool {
    let mounts = fs::read_to_string("/proc/self/mountinfo").expect("/proc is mounted");
    mounts.lines().any(|line| line.split(' ').nth(4).is_some_and(|point| Path::new(point) == at))
}

#[test]
fn quick_it_is_a_file_system_like_others() {
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path().join("slow");
    let Some(slow) = or_skip(SlowFs::mount(&at, &[("a", 300_000), ("sub/b", 1), ("empty/", 0)])) else { return };
    let expected: Vec<u8> = (0..300_000).map(content).collect();
    assert!(fs::read(at.join("a")).unwrap() == expected);
    fs::File::create(at.join("new")).unwrap().write_all(b"hello").unwrap();
    fs::rename(at.join("new"), at.join("sub/b")).unwrap();
    assert_eq!(fs::read(at.join("sub/b")).unwrap(), b"hello");
    fs::remove_file(at.join("a")).unwrap();
    fs::remove_dir(at.join("empty")).unwrap();
    let names: Vec<_> = fs::read_dir(&at).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["sub"]);
    assert!(slow.requests() > 0);
    drop(slow);
    assert!(!is_mounted(&at));
}

#[test]
fn a_request_is_delayed() {
    let dir = tempfile::tempdir().unwrap();
    let Some(slow) = or_skip(SlowFs::mount(&dir.path().join("slow"), &[("a", 1)])) else { return };
    slow.set_pace_of(Operation::Look, Pace::Delayed(Duration::from_millis(100)));
    let start = Instant::now();
    fs::metadata(slow.path().join("a")).unwrap();
    assert!(start.elapsed() >= Duration::from_millis(100));
}

#[test]
fn a_held_request_is_answered_when_the_pace_changes() {
    let dir = tempfile::tempdir().unwrap();
    let Some(slow) = or_skip(SlowFs::mount(&dir.path().join("slow"), &[("a", 5)])) else { return };
    slow.set_pace_of(Operation::Read, Pace::Never);
    let file = slow.path().join("a");
    let reader = std::thread::spawn(move || fs::read(file));
    slow.wait_for_held(1);
    slow.set_pace(Pace::Quick);
    assert_eq!(reader.join().unwrap().unwrap().len(), 5);
    assert_eq!(slow.held(), 0);
}

#[test]
fn dropping_it_ends_what_hangs_and_unmounts() {
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path().join("slow");
    let Some(slow) = or_skip(SlowFs::mount(&at, &[("a", 5)])) else { return };
    for operation in [Operation::Look, Operation::Open, Operation::Read] {
        slow.set_pace_of(operation, Pace::Never);
        let file = at.join("a");
        let reader = std::thread::spawn(move || fs::read(file));
        slow.wait_for_held(1);
        if operation == Operation::Read {
            drop(slow);
            assert!(reader.join().unwrap().is_err());
            break;
        }
        slow.set_pace(Pace::Quick);
        reader.join().unwrap().unwrap();
    }
    assert!(!is_mounted(&at));
}

#[test]
fn a_panic_leaves_nothing_mounted() {
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path().join("slow");
    let inner = at.clone();
    let panicked = std::thread::spawn(move || {
        let slow = SlowFs::mount(&inner, &[("a", 5)]).expect("skipped below");
        slow.set_pace(Pace::Never);
        std::thread::spawn(move || fs::read(inner.join("a")));
        slow.wait_for_held(1);
        panic!("on purpose");
    });
    assert!(panicked.join().is_err());
    assert!(!is_mounted(&at));
}

/// Killed while one of its own threads hangs in its own file system: the worst end there is.
#[test]
fn a_killed_process_leaves_nothing_mounted() {
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path().join("slow");
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "hang_until_killed", "--ignored", "--nocapture"])
        .env("MUXFTP_HANG_AT", &at)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines: Vec<String> = BufReader::new(child.stdout.take().unwrap())
        .lines()
        .map_while(Result::ok)
        .take_while(|line| !line.contains("HANGS"))
        .collect();
    let skipped = lines.iter().any(|line| line.starts_with("skipped:"));
    assert!(skipped || is_mounted(&at), "{lines:?}");
    child.kill().unwrap();
    child.wait().unwrap();
    let end = Instant::now() + Duration::from_secs(30);
    while is_mounted(&at) {
        assert!(Instant::now() < end, "still mounted");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
#[ignore = "the child of the test above"]
fn hang_until_killed() {
    let Some(at) = std::env::var_os("MUXFTP_HANG_AT").map(PathBuf::from) else { return };
    let Some(slow) = or_skip(SlowFs::mount(&at, &[("a", 5)])) else { return };
    slow.set_pace(Pace::Never);
    std::thread::spawn(move || fs::read(at.join("a")));
    slow.wait_for_held(1);
    println!("HANGS");
    std::thread::sleep(Duration::from_secs(60));
}
