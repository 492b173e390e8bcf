//! The server is killed in the middle of a transfer; when it is back, the transfer goes on where it broke off.

use std::fs;
use std::path::Path;

use super::{PeerServer, with_each};
use crate::support::{names, text, wait_until};

#[test]
fn what_broke_off_goes_on_both_ways() {
    let bytes: Vec<u8> = (0..SIZE).map(|at| (at * 7 + at / 256 * 11) as u8).collect();
    with_each(Some(RATE), |mut server| {
        let here = tempfile::tempdir().unwrap();
        fs::write(server.root().join("big"), &bytes).unwrap();
        cut(&mut server, here.path(), &["get", "-c", "big"], &here.path().join("big.part"));
        assert_eq!(names(here.path()), ["big.part"], "{server}");
        server.start_again();
        let began = fs::metadata(here.path().join("big.part")).unwrap().len();
        let shown = server.muxftp(here.path(), &["get", "-c", &server.url("big"), "-v"]).output().unwrap();
        let told = text(&shown.stderr);
        assert!(shown.status.success() && told.contains(&format!("C: REST {began}\n")), "{server}: {told}");
        assert_eq!(names(here.path()), ["big"], "{server}");
        assert!(fs::read(here.path().join("big")).unwrap() == bytes, "{server}");
    });
    with_each(Some(RATE), |mut server| {
        let here = tempfile::tempdir().unwrap();
        fs::write(here.path().join("big"), &bytes).unwrap();
        let there = server.root().join("big");
        cut(&mut server, here.path(), &["put", "-c", "big", ""], &there);
        server.start_again();
        assert!(fs::metadata(&there).unwrap().len() < SIZE as u64, "{server}: it was too fast");
        server.run(here.path(), &["put", "-c", "big", &server.url("")]);
        assert!(fs::read(&there).unwrap() == bytes, "{server}");
    });
}

/// Runs a command, whose last word is completed to a URL, and kills the server when `growing` has some bytes.
fn cut(server: &mut PeerServer, here: &Path, args: &[&str], growing: &Path) {
    let (last, first) = args.split_last().unwrap();
    let url = server.url(last);
    let mut command = server.muxftp(here, &[first, &[&url]].concat());
    let client = command.stderr(std::process::Stdio::piped()).spawn().unwrap();
    wait_until(|| fs::metadata(growing).is_ok_and(|found| found.len() > SIZE as u64 / 64));
    server.kill();
    let output = client.wait_with_output().unwrap();
    let told = text(&output.stderr);
    assert_eq!(output.status.code(), Some(4), "{server}: {told}");
    assert_eq!(told.lines().count(), 1, "{server}: {told}");
}

const SIZE: usize = 8 << 20;

/// In bytes per second: half a minute for all, so that the middle is not missed; the rest goes without a bound.
const RATE: u32 = 256 << 10;
