//! Nobody leaves the root: not by what he writes, not by links, and not while they are being swapped.
//!
//! Beside the root stands a directory that nobody may reach. What counts is that it stays as it was to the last time stamp,
//! and that nothing of it is ever sent.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use rustix::fs::{CWD, RenameFlags, renameat_with};
use tempfile::TempDir;

use super::client::Ftp;
use super::server_with;
use crate::support::{TestServer, read_all};

/// What only the directory outside holds: a content, a name, a size and a time.
const MARKS: [&str; 4] = ["LEAKED", "leaked-name", "3133731", "20010203"];
const SECRET_BYTES: usize = 3_133_731;
/// 2001-02-03 04:05:06 UTC.
const SECRET_SECONDS: u64 = 981_173_106;

/// A root, and what lies outside of it.
struct Prison {
    here: TempDir,
    server: TestServer,
}

impl Prison {
    fn new() -> Prison {
        let here = tempfile::tempdir().unwrap();
        let outside = here.path().join("outside");
        fs::create_dir_all(outside.join("dir/empty")).unwrap();
        for name in ["secret", "leaked-name", "dir/inner"] {
            let mut file = File::create(outside.join(name)).unwrap();
            file.write_all(&b"LEAKED\n".repeat(SECRET_BYTES / 7 + 1)[..SECRET_BYTES]).unwrap();
            file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(SECRET_SECONDS)).unwrap();
        }
        let root = here.path().join("root");
        fs::create_dir_all(root.join("a/b")).unwrap();
        fs::write(root.join("mine"), b"mine").unwrap();
        let server = server_with(|config| config.root = root);
        Prison { here, server }
    }

    fn root(&self) -> PathBuf {
        self.here.path().join("root")
    }

    fn outside(&self) -> PathBuf {
        self.here.path().join("outside")
    }

    fn convict(&self) -> Convict {
        Convict { ftp: Ftp::guest(self.server.address), seen: Vec::new() }
    }

    /// The links that lead out, and what can be reached by each if it is followed.
    fn make_links(&self) {
        let outside = self.outside();
        let table: [(&str, &Path); 12] = [
            ("absolute", &outside),
            ("relative", Path::new("../outside")),
            ("by-a", Path::new("a/b/../../../outside")),
            ("chain", Path::new("chain-2")),
            ("chain-2", Path::new("a/../relative")),
            ("a/deep", Path::new("../../outside")),
            ("to-file", &outside.join("secret")),
            ("relative-file", Path::new("../outside/secret")),
            ("dangling", Path::new("../outside/new")),
            ("proc", Path::new("/proc/self/root")),
            ("cwd", Path::new("/proc/self/cwd")),
            ("above", Path::new("..")),
        ];
        for (name, target) in table {
            let link = self.root().join(name);
            remove(&link);
            symlink(target, link).unwrap();
        }
        fs::write(self.root().join("mine"), b"mine").unwrap();
    }
}

/// Somebody who tries, and all that he has got to see.
struct Convict {
    ftp: Ftp,
    seen: Vec<u8>,
}

impl Convict {
    fn ask(&mut self, line: &[u8]) -> String {
        let reply = self.ftp.ask(line);
        self.seen.extend_from_slice(reply.as_bytes());
        reply
    }

    /// A command with a data connection.
    fn transfer(&mut self, line: &[u8], bytes: Option<&[u8]>) -> String {
        let mut data = match self.ftp.open(line) {
            Ok(data) => data,
            Err(refused) => {
                self.seen.extend_from_slice(refused.as_bytes());
                return refused;
            }
        };
        match bytes {
            Some(bytes) => data.write_all(bytes).unwrap(),
            None => self.seen.extend(read_all(&mut data)),
        }
        drop(data);
        let reply = self.ftp.reply();
        self.seen.extend_from_slice(reply.as_bytes());
        reply
    }

    /// Everything that can be done to a path; gives the commands that succeeded.
    fn try_all(&mut self, path: &[u8]) -> Vec<&'static str> {
        let mut done = Vec::new();
        let mut note = |command: &'static str, reply: &str| {
            if reply.starts_with('2') || reply.starts_with('3') {
                done.push(command);
            }
        };
        for command in ASKED {
            note(command, &self.ask(&[command.as_bytes(), path].concat()));
            self.ask(b"CWD /");
        }
        for command in FETCHED {
            note(command, &self.transfer(&[command.as_bytes(), path].concat(), None));
        }
        for command in GIVEN {
            note(command, &self.transfer(&[command.as_bytes(), path].concat(), Some(b"changed")));
        }
        self.ask(b"REST 1");
        note("REST, STOR ", &self.transfer(&[b"STOR ", path].concat(), Some(b"changed")));
        if self.ask(&[b"RNFR ", path].concat()).starts_with('3') {
            note("RNFR ", &self.ask(b"RNTO taken"));
        }
        self.ask(b"RNFR mine");
        note("RNTO ", &self.ask(&[b"RNTO ", path].concat()));
        done
    }

    fn assert_nothing_seen(&self) {
        for mark in MARKS {
            let at = self.seen.windows(mark.len()).position(|window| window == mark.as_bytes());
            let around = at.map(|at| self.seen[at.saturating_sub(80)..].iter().take(160).copied().collect::<Vec<_>>());
            assert!(at.is_none(), "{mark}: {}", String::from_utf8_lossy(&around.unwrap_or_default()));
        }
    }
}

const ASKED: [&str; 15] = [
    "CWD ",
    "SIZE ",
    "MDTM ",
    "MLST ",
    "STAT ",
    "HASH ",
    "XCRC ",
    "XSHA256 ",
    "AVBL ",
    "SITE CHMOD 777 ",
    "SITE UTIME 20200101000000 ",
    "MFMT 20200101000000 ",
    "DELE ",
    "RMD ",
    "MKD ",
];
const FETCHED: [&str; 4] = ["RETR ", "LIST ", "NLST ", "MLSD "];
const GIVEN: [&str; 3] = ["STOR ", "APPE ", "STOU "];

/// Whatever it is; links are not followed.
fn remove(path: &Path) {
    let _ = fs::remove_file(path).or_else(|_| fs::remove_dir_all(path));
}

/// All of a tree that an intruder could change, by name.
fn snapshot(directory: &Path) -> Vec<(PathBuf, [i64; 8], Vec<u8>)> {
    let mut found = Vec::new();
    let mut pending = vec![directory.to_owned()];
    while let Some(path) = pending.pop() {
        let m = fs::symlink_metadata(&path).unwrap();
        let ids = [m.ino() as i64, i64::from(m.mode()), m.nlink() as i64, i64::from(m.uid())];
        let times = [m.mtime(), m.mtime_nsec(), m.ctime(), m.ctime_nsec()];
        let content = if m.is_file() { fs::read(&path).unwrap() } else { Vec::new() };
        if m.is_dir() {
            pending.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        }
        found.push((path, [ids[0], ids[1], ids[2], ids[3], times[0], times[1], times[2], times[3]], content));
    }
    found.sort();
    found
}

/// Ways to write "the directory above", or what some program took for it once.
const UPS: [&[u8]; 28] = [
    b"..",
    b"/..",
    b"//..//..",
    b"./..",
    b"a/../..",
    b"a/b/../../..",
    b"mine/..",
    b"nothing/../..",
    b"....",
    b"....//..",
    b"..;",
    b".. ",
    b" ..",
    b"..\\..",
    b"\\..",
    b"%2e%2e",
    b"..%2f..",
    b"%252e%252e",
    b"..\0",
    b"\0/..",
    b"..\xFF",
    b"..\xFF\xFF",
    // Telnet: IAC NOP between the dots, IAC IP before them, IAC WILL and the byte that it takes.
    b".\xFF\xF1.",
    b"\xFF\xF4..",
    b"\xFF\xFB./..",
    // Overlong forms of the dot, and one of full width.
    b"\xC0\xAE\xC0\xAE",
    b"\xE0\x80\xAE\xE0\x80\xAE",
    b"\xEF\xBC\x8E\xEF\xBC\x8E",
];

#[test]
fn no_way_to_write_a_path_leads_out() {
    let prison = Prison::new();
    let before = snapshot(&prison.outside());
    let absolute = prison.outside().join("secret").into_os_string().into_encoded_bytes();
    let mut paths: Vec<Vec<u8>> =
        ["~", "~root", "~/../outside", "file:///etc/passwd", "|cat secret", "-a/../../outside"]
            .map(|path| path.as_bytes().to_vec())
            .to_vec();
    paths.extend([absolute.clone(), [b"/", &absolute[..]].concat(), [b"/../..", &absolute[..]].concat()]);
    for up in UPS {
        for ups in [up.to_vec(), [up; 8].join(&b'/')] {
            paths.push([&ups, &b"/outside"[..]].concat());
            paths.push([&ups, &b"/outside/secret"[..]].concat());
        }
        paths.push([up, &b"\\outside\\secret"[..]].concat());
    }
    let prison_here = &prison;
    std::thread::scope(|scope| {
        for part in paths.chunks(paths.len().div_ceil(4)) {
            scope.spawn(move || {
                let mut convict = prison_here.convict();
                for path in part {
                    convict.try_all(path);
                }
                convict.assert_nothing_seen();
            });
        }
    });
    assert!(snapshot(&prison.outside()) == before);
}

#[test]
fn no_link_leads_out() {
    let prison = Prison::new();
    let before = snapshot(&prison.outside());
    let mut convict = prison.convict();
    let through_proc = format!("proc{}", prison.outside().display());
    let directories = ["absolute", "relative", "by-a", "chain", "chain-2", "a/deep", "above/outside", &through_proc];
    for directory in directories {
        for below in ["/secret", "/dir", "/dir/inner", "/dir/empty", "/new", "/../outside/secret", "/."] {
            prison.make_links();
            let path = format!("{directory}{below}");
            let done = convict.try_all(path.as_bytes());
            if !below.contains('.') {
                // AVBL looks at no directory: all are of one account.
                assert_eq!(done, ["AVBL "], "{path}");
            }
        }
    }
    // What is done to a link itself.
    for link in ["absolute", "chain", "a/deep", "to-file", "relative-file", "dangling", "proc", "cwd", "above"] {
        for command in ASKED.into_iter().chain(["RNFR "]) {
            prison.make_links();
            convict.ask(format!("{command}{link}").as_bytes());
            convict.ask(b"RNTO taken");
            convict.ask(b"CWD /");
        }
        for command in FETCHED {
            prison.make_links();
            convict.transfer(format!("{command}{link}").as_bytes(), None);
        }
        for command in ["STOR ", "APPE "] {
            prison.make_links();
            let reply = convict.transfer(format!("{command}{link}").as_bytes(), Some(b"changed"));
            assert!(reply.starts_with('5'), "{command}{link}: {reply}");
        }
        prison.make_links();
        convict.transfer(format!("STOU {link}").as_bytes(), Some(b"changed"));
        convict.ask(b"RNFR mine");
        convict.ask(format!("RNTO {link}").as_bytes());
    }
    convict.assert_nothing_seen();
    assert!(snapshot(&prison.outside()) == before);
}

/// So many that a check which is apart from its use is found out in most runs.
const ROUNDS: usize = 25;

/// Puts a directory and a link to the one outside, and a file and a link to one outside, in each other's place.
struct Swapper<'a> {
    root: &'a Path,
    outside: &'a Path,
    made: u32,
}

impl Swapper<'_> {
    fn swap(&mut self) {
        for (name, other) in [("x", "x-link"), ("f", "f-link")] {
            let (name, other) = (self.root.join(name), self.root.join(other));
            if renameat_with(CWD, &name, CWD, &other, RenameFlags::EXCHANGE).is_err() {
                // The convicts have removed one, or moved it.
                self.make();
            }
        }
    }

    /// Makes all four anew: elsewhere, since the names may be links.
    fn make(&mut self) {
        self.made += 1;
        let fresh = self.root.join(format!("fresh-{}", self.made));
        fs::create_dir_all(fresh.join("x/dir")).unwrap();
        for name in ["x/secret", "f"] {
            fs::write(fresh.join(name), b"inside").unwrap();
        }
        symlink(self.outside, fresh.join("x-link")).unwrap();
        symlink(self.outside.join("secret"), fresh.join("f-link")).unwrap();
        for name in ["x", "x-link", "f", "f-link"] {
            let (new, place) = (fresh.join(name), self.root.join(name));
            if fs::rename(&new, &place).is_err() {
                remove(&place);
                let _ = fs::rename(&new, &place);
            }
        }
        let _ = fs::remove_dir_all(&fresh);
    }
}

#[test]
fn no_link_leads_out_while_it_is_being_swapped() {
    let prison = Prison::new();
    let (root, outside) = (prison.root(), prison.outside());
    let before = snapshot(&outside);
    let is_over = AtomicBool::new(false);
    let mut swapper = Swapper { root: &root, outside: &outside, made: 0 };
    swapper.make();
    let done: usize = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                swapper.swap();
            }
        });
        let convicts = [(); 3].map(|()| {
            scope.spawn(|| {
                let mut convict = prison.convict();
                let paths = ["x/secret", "x/dir", "x/new", "x", "f", "x/dir/../secret"];
                let done =
                    (0..ROUNDS).flat_map(|_| paths).map(|path| convict.try_all(path.as_bytes()).len()).sum::<usize>();
                convict.assert_nothing_seen();
                done
            })
        });
        let done = convicts.map(|convict| convict.join());
        is_over.store(true, Ordering::Relaxed);
        done.map(Result::unwrap).iter().sum()
    });
    assert!(done > 3 * 6 * ROUNDS, "they have reached what was inside at least: {done}");
    assert!(snapshot(&outside) == before);
}
