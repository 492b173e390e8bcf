//! The storage against a real directory.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use tempfile::TempDir;

use super::*;

fn path(name: &str) -> VPath {
    VPath::parse(name.as_bytes()).unwrap()
}

/// A root inside a directory, so that there is an outside: `<dir>/root` and `<dir>/secret`.
fn root() -> (TempDir, Root) {
    let dir = TempDir::new().unwrap();
    fs::write(dir.path().join("secret"), "outside").unwrap();
    let root = Root::open(&dir.path().join("root"), Durability::None).unwrap();
    (dir, root)
}

fn read(root: &Root, name: &str) -> Result<String, Cause> {
    let opened = root.open_read(&path(name))?;
    let mut text = String::new();
    (&*opened.file).read_to_string(&mut text).unwrap();
    assert_eq!(opened.size, text.len() as u64);
    Ok(text)
}

fn put(root: &Root, name: &str, text: &str) -> Result<(), Cause> {
    let mut upload = root.open_write(&path(name), Some(text.len() as u64))?;
    upload.write(text.as_bytes())?;
    upload.commit()
}

fn list(listing: &mut Listing) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    loop {
        let mut out = Vec::new();
        let progress = listing.fill(&mut out, 1000, line).unwrap();
        assert!(out.len() < 1000 + 257, "a call went {} bytes over its bound", out.len() - 1000);
        all.extend_from_slice(&out);
        if progress == ListProgress::End {
            return all.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()).map(<[u8]>::to_vec).collect();
        }
    }
}

fn list_names(root: &Root, name: &str) -> Vec<String> {
    let lines = list(&mut root.open_list(&path(name)).unwrap());
    lines.into_iter().map(|line| String::from_utf8(line).unwrap()).collect()
}

/// All names in a directory, hidden ones too.
fn on_disk(dir: &Path) -> BTreeSet<String> {
    fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn what_is_put_can_be_read_and_listed() {
    let (dir, root) = root();
    fs::create_dir(dir.path().join("root/sub")).unwrap();
    for name in ["notes.txt", "my notes.txt", "gr\u{fc}n", "sub/deep.txt", "-rf"] {
        put(&root, name, name).unwrap();
        assert_eq!(read(&root, name).unwrap(), name);
    }
    assert_eq!(list_names(&root, ""), ["-rf", "gr\u{fc}n", "my notes.txt", "notes.txt", "sub/"]);
    assert_eq!(list_names(&root, "sub"), ["deep.txt"]);
}

#[test]
fn names_that_are_not_utf8_work_and_names_the_wire_cannot_carry_are_left_out() {
    let (dir, root) = root();
    let raw = b"caf\xe9";
    let mut upload = root.open_write(&VPath::parse(raw).unwrap(), None).unwrap();
    upload.write(b"x").unwrap();
    upload.commit().unwrap();
    assert!(dir.path().join("root").join(OsStr::from_bytes(raw)).exists());
    fs::write(dir.path().join("root/two\nlines"), "").unwrap();
    fs::write(dir.path().join("root/two\rlines"), "").unwrap();
    assert_eq!(list(&mut root.open_list(&VPath::root()).unwrap()), [raw.to_vec()]);
}

#[test]
fn wrong_kinds_and_missing_names_have_their_causes() {
    let (dir, root) = root();
    let base = dir.path().join("root");
    fs::create_dir(base.join("dir")).unwrap();
    fs::write(base.join("file"), "x").unwrap();
    rustix::fs::mkfifoat(rustix::fs::CWD, base.join("pipe"), Mode::from_raw_mode(0o666)).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(base.join("socket")).unwrap();

    for (name, cause) in [
        ("nope", Cause::NotFound),
        ("nope/deep", Cause::NotFound),
        ("", Cause::IsDirectory),
        ("dir", Cause::IsDirectory),
        ("file/deep", Cause::NotDirectory),
        ("pipe", Cause::NotRegular),
        ("socket", Cause::NotRegular),
        (".muxftp-x", Cause::BadName),
    ] {
        assert_eq!(root.open_read(&path(name)).unwrap_err(), cause, "read {name}");
    }
    for (name, cause) in [
        ("nope/deep", Cause::NotFound),
        ("", Cause::IsDirectory),
        ("dir", Cause::IsDirectory),
        ("file/deep", Cause::NotDirectory),
        ("pipe", Cause::NotRegular),
        ("socket", Cause::NotRegular),
        ("dir/.muxftp-x", Cause::BadName),
    ] {
        assert_eq!(root.open_write(&path(name), None).unwrap_err(), cause, "write {name}");
    }
    for (name, cause) in [("nope", Cause::NotFound), ("file", Cause::NotDirectory), (".muxftp-x", Cause::BadName)] {
        assert_eq!(root.open_list(&path(name)).unwrap_err(), cause, "list {name}");
    }
    assert_eq!(on_disk(&base), BTreeSet::from(["dir", "file", "pipe", "socket"].map(String::from)));
}

#[test]
fn links_inside_work_and_links_that_lead_out_do_not() {
    let (dir, root) = root();
    let base = dir.path().join("root");
    fs::create_dir(base.join("sub")).unwrap();
    fs::write(base.join("sub/file"), "inside").unwrap();
    symlink("sub/file", base.join("in")).unwrap();
    symlink("../sub/file", base.join("sub/in_by_parent")).unwrap();
    symlink("sub", base.join("dir_in")).unwrap();
    for name in ["in", "sub/in_by_parent", "dir_in/file"] {
        assert_eq!(read(&root, name).unwrap(), "inside", "{name}");
    }
    assert_eq!(list_names(&root, "dir_in"), ["file", "in_by_parent"]);

    symlink(dir.path().join("secret"), base.join("out_absolute")).unwrap();
    symlink("../secret", base.join("out_relative")).unwrap();
    symlink("..", base.join("dir_out")).unwrap();
    symlink("/proc/self/root", base.join("magic")).unwrap();
    symlink("loop", base.join("loop")).unwrap();
    for name in ["out_absolute", "out_relative", "dir_out/secret", "magic/etc/passwd", "loop"] {
        assert_eq!(root.open_read(&path(name)).unwrap_err(), Cause::BadLink, "read {name}");
        assert_eq!(root.open_write(&path(name), None).unwrap_err(), Cause::BadLink, "write {name}");
    }
    assert_eq!(root.open_list(&path("dir_out")).unwrap_err(), Cause::BadLink);
    assert_eq!(root.open_write(&path("dir_in"), None).unwrap_err(), Cause::IsDirectory);

    put(&root, "in", "replaced").unwrap();
    assert_eq!(read(&root, "in").unwrap(), "replaced");
    assert_eq!(read(&root, "sub/file").unwrap(), "replaced", "not the link, but what it leads to");
    assert!(base.join("in").is_symlink());
    assert_eq!(fs::read_to_string(dir.path().join("secret")).unwrap(), "outside");
}

#[test]
fn a_link_that_is_swapped_meanwhile_never_leads_out() {
    let (dir, root) = root();
    let base = dir.path().join("root");
    fs::create_dir(base.join("in")).unwrap();
    fs::write(base.join("in/secret"), "inside").unwrap();
    symlink("in", base.join("door")).unwrap();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let _stop = SetOnDrop(&done);
        let swapper = scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                for target in ["..", "in"] {
                    symlink(target, base.join("next")).unwrap();
                    fs::rename(base.join("next"), base.join("door")).unwrap();
                }
            }
        });
        let (mut inside, mut refused) = (0, 0);
        while inside < 1_000 || refused < 1_000 {
            match read(&root, "door/secret") {
                Ok(text) => {
                    assert_eq!(text, "inside");
                    inside += 1;
                }
                Err(cause) => {
                    assert!(matches!(cause, Cause::BadLink | Cause::OutOfResources), "{cause:?}");
                    refused += 1;
                }
            }
            assert!(!swapper.is_finished(), "the link is not swapped any more");
        }
    });
}

/// Ends the other thread, also when this one fails.
struct SetOnDrop<'a>(&'a AtomicBool);

impl Drop for SetOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn the_old_file_stays_until_the_commit() {
    let (dir, root) = root();
    put(&root, "file", "old").unwrap();
    let reader = root.open_read(&path("file")).unwrap();
    let mut upload = root.open_write(&path("file"), None).unwrap();
    upload.write(b"new and").unwrap();
    upload.write(b" longer").unwrap();
    assert_eq!(upload.written(), 14);
    assert_eq!(read(&root, "file").unwrap(), "old");
    assert_eq!(list_names(&root, ""), ["file"], "the temporary is not listed");
    upload.commit().unwrap();
    assert_eq!(read(&root, "file").unwrap(), "new and longer");
    assert_eq!(std::io::read_to_string(&*reader.file).unwrap(), "old", "a download that began before goes on");
    assert_eq!(on_disk(&dir.path().join("root")).len(), 1);
}

#[test]
fn a_dropped_upload_leaves_nothing() {
    let (dir, root) = root();
    put(&root, "file", "old").unwrap();
    let mut upload = root.open_write(&path("file"), Some(1 << 20)).unwrap();
    upload.write(b"half").unwrap();
    assert_eq!(on_disk(&dir.path().join("root")).len(), 2);
    drop(upload);
    assert_eq!(on_disk(&dir.path().join("root")), BTreeSet::from(["file".to_owned()]));
    assert_eq!(read(&root, "file").unwrap(), "old");
}

#[test]
fn a_commit_that_fails_leaves_nothing() {
    let (dir, root) = root();
    let mut upload = root.open_write(&path("name"), None).unwrap();
    upload.write(b"x").unwrap();
    fs::create_dir(dir.path().join("root/name")).unwrap();
    assert_eq!(upload.commit().unwrap_err(), Cause::IsDirectory);
    assert_eq!(on_disk(&dir.path().join("root")), BTreeSet::from(["name".to_owned()]));
}

#[test]
fn what_was_reserved_beyond_the_end_is_given_back() {
    let (dir, root) = root();
    let mut upload = root.open_write(&path("short"), Some(64 << 20)).unwrap();
    upload.write(&[7; 5000]).unwrap();
    upload.commit().unwrap();
    let on_disk = fs::metadata(dir.path().join("root/short")).unwrap();
    assert_eq!(on_disk.len(), 5000);
    assert!(on_disk.blocks() * 512 <= 64 * 1024, "{} blocks remain", on_disk.blocks());
}

#[test]
fn an_upload_that_can_never_fit_is_refused_at_once() {
    let (dir, root) = root();
    assert_eq!(root.open_write(&path("huge"), Some(u64::MAX)).unwrap_err(), Cause::FileTooLarge);
    assert_eq!(root.open_write(&path("huge"), Some(i64::MAX as u64)).unwrap_err(), Cause::NoSpace);
    assert_eq!(on_disk(&dir.path().join("root")).len(), 0);
}

#[test]
fn a_flushed_upload_commits_on_another_thread() {
    let dir = TempDir::new().unwrap();
    let root = Root::open(dir.path(), Durability::Fsync).unwrap();
    fs::create_dir(dir.path().join("sub")).unwrap();
    for name in ["file", "sub/file"] {
        let mut upload = root.open_write(&path(name), None).unwrap();
        assert!(upload.needs_disk());
        upload.write(b"durable").unwrap();
        std::thread::spawn(|| upload.commit()).join().unwrap().unwrap();
        assert_eq!(read(&root, name).unwrap(), "durable");
    }
}

#[test]
fn a_large_directory_comes_sorted_and_once_in_several_passes() {
    let (dir, root) = root();
    let base = dir.path().join("root");
    // Every 1,000th is a directory; lengths and prefixes differ.
    let mut expected: Vec<Vec<u8>> = Vec::new();
    for n in 0..50_000_u32 {
        let name = format!("{:x}-{n}", n.wrapping_mul(2_654_435_761));
        if n % 1000 == 0 {
            fs::create_dir(base.join(&name)).unwrap();
            expected.push(format!("{name}/").into_bytes());
        } else {
            fs::write(base.join(&name), "").unwrap();
            expected.push(name.into_bytes());
        }
    }
    expected.sort_unstable();
    let listed_with = |names_max| {
        let opened = beneath::open(&root.dir, b"", OFlags::RDONLY | OFlags::DIRECTORY).unwrap();
        list(&mut Listing::new(opened, Arc::clone(&root.dir), b"").with_limits(names_max, 1000))
    };
    for names_max in [10_000, 49_999, 50_000, 50_001] {
        let listed = listed_with(names_max);
        assert!(listed == expected, "{names_max} names at once: {} of {} lines", listed.len(), expected.len());
    }
    assert!(list(&mut root.open_list(&VPath::root()).unwrap()) == expected);
}

#[test]
fn names_that_come_and_go_do_not_disturb_those_that_stay() {
    let (dir, root) = root();
    let base = dir.path().join("root");
    for n in 0..3_000 {
        fs::write(base.join(format!("stays-{n}")), "").unwrap();
        fs::write(base.join(format!("goes-{n}")), "").unwrap();
    }
    let opened = beneath::open(&root.dir, b"", OFlags::RDONLY | OFlags::DIRECTORY).unwrap();
    let mut listing = Listing::new(opened, Arc::clone(&root.dir), b"").with_limits(500, 100);
    let mut out = Vec::new();
    for n in 0.. {
        if n < 3_000 {
            fs::remove_file(base.join(format!("goes-{n}"))).unwrap();
            fs::write(base.join(format!("comes-{n}")), "").unwrap();
        }
        let bytes_max = out.len() + 100;
        if listing.fill(&mut out, bytes_max, line).unwrap() == ListProgress::End {
            break;
        }
    }
    let lines: Vec<&[u8]> = out.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()).collect();
    assert!(lines.is_sorted_by(|a, b| a < b), "ascending, none twice");
    assert_eq!(lines.iter().filter(|line| line.starts_with(b"stays-")).count(), 3_000);
}

#[test]
fn an_empty_directory_is_an_empty_listing() {
    let (_dir, root) = root();
    let mut out = Vec::new();
    assert_eq!(root.open_list(&VPath::root()).unwrap().fill(&mut out, 100, line), Ok(ListProgress::End));
    assert!(out.is_empty());
}

#[test]
fn an_unusable_root_is_an_error() {
    let dir = TempDir::new().unwrap();
    fs::write(dir.path().join("file"), "").unwrap();
    assert!(Root::open(&dir.path().join("file"), Durability::None).is_err());
    assert!(Root::open(&dir.path().join("file/below"), Durability::None).is_err());
}

fn line(listed: Listed<'_>, out: &mut Vec<u8>) {
    out.extend_from_slice(listed.shown);
    out.push(b'\n');
}
