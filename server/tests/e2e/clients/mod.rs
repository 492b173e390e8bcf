//! The clients that people have, against a server of `ftp`: curl, lftp, Python's ftplib, tnftp, inetutils' ftp, wget,
//! ncftp, rclone.
//!
//! Each moves the same things: names with blanks and in UTF-8, an empty file, a large directory, a file beyond 4 GiB. A
//! program that is not here is left out with a word; with `CI` set that is a failure.

mod curl;
mod lftp;
mod old;
mod python;
mod tls;
mod trees;

use std::path::Path;
use std::process::{Command, Output};

use muxftp_proto::Dialect;

use crate::support::{TestServer, noise};

/// A server of `ftp` with the things that clients stumble over.
fn server() -> TestServer {
    let server = TestServer::with(|config| config.listen[0].dialect = Dialect::Ftp);
    server.put_file("plain.bin", &noise(1, 300_000));
    server.put_file("with blanks in it.txt", b"blanks\n");
    server.put_file("grün – 漢字.txt", b"UTF-8\n");
    server.put_file("empty", b"");
    server.put_file("lines.txt", b"one\ntwo\r\n\nthree");
    std::fs::create_dir_all(server.path().join("tree/sub dir/deep")).unwrap();
    std::fs::write(server.path().join("tree/a"), noise(2, 1000)).unwrap();
    std::fs::write(server.path().join("tree/sub dir/b c"), noise(3, 70_000)).unwrap();
    std::fs::write(server.path().join("tree/sub dir/deep/ü"), b"").unwrap();
    server
}

/// Beyond what 32 bits can count, and almost nothing on the disk.
const HUGE: u64 = (5 << 30) + 7;
const HUGE_END: &[u8] = b"the very end";

fn put_huge(server: &TestServer) {
    use std::os::unix::fs::FileExt;
    let file = std::fs::File::create(server.path().join("huge")).unwrap();
    file.set_len(HUGE).unwrap();
    file.write_all_at(HUGE_END, HUGE - HUGE_END.len() as u64).unwrap();
}

/// 5,000 files in one directory.
fn put_many(server: &TestServer) {
    let directory = server.path().join("many");
    std::fs::create_dir(&directory).unwrap();
    for n in 0..5000 {
        std::fs::write(directory.join(format!("file {n:04}")), b"").unwrap();
    }
}

/// The program, to be run in `directory` and ended if it hangs; `None`: it is not here.
fn program(name: &str, directory: &Path) -> Option<Command> {
    let is_here = std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default())
        .any(|directory| directory.join(name).is_file());
    if !is_here {
        assert!(std::env::var_os("CI").is_none(), "`{name}` is not installed: .ci/run installs it");
        eprintln!("left out: `{name}` is not installed");
        return None;
    }
    let mut command = Command::new("timeout");
    // Settings of whoever runs the tests are not wanted.
    command.args(["60", name]).current_dir(directory).env("HOME", directory).env("LC_ALL", "C.UTF-8");
    Some(command)
}

/// Runs it; it must end well.
fn run(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}\n{}", told(&output));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn told(output: &Output) -> String {
    format!("{}\n{}{}", output.status, String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// A server as rclone names it, without the colon that ends the name; `None`: rclone is not here.
fn rclone_remote(server: &TestServer, directory: &Path) -> Option<String> {
    let password = run(program("rclone", directory)?.args(["obscure", "x"]));
    let (host, port) = (server.address.ip(), server.address.port());
    Some(format!(":ftp,host={host},port={port},user=anonymous,pass={}", password.trim()))
}

/// All files below a directory with their contents, and all directories, by name.
fn tree(directory: &Path) -> Vec<(String, Option<Vec<u8>>)> {
    let mut found = Vec::new();
    let mut pending = vec![directory.to_owned()];
    while let Some(next) = pending.pop() {
        for entry in std::fs::read_dir(&next).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(directory).unwrap().to_string_lossy().into_owned();
            if path.is_dir() {
                found.push((name, None));
                pending.push(path);
            } else {
                found.push((name, Some(std::fs::read(&path).unwrap())));
            }
        }
    }
    found.sort();
    found
}
