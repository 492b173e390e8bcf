use std::os::unix::fs::symlink;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::*;

fn root(path: &Path) -> Root {
    Root::open(path, Durability::None).unwrap()
}

fn path(name: &str) -> VPath {
    VPath::parse(name.as_bytes()).unwrap()
}

pub(super) fn open_directory(path: &Path) -> OwnedFd {
    openat(CWD, path, OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty()).unwrap()
}

fn read(root: &Root, name: &str) -> Result<Vec<u8>, Cause> {
    let ReadFile { mut file, size } = root.open_read(&path(name))?;
    let mut bytes = Vec::new();
    io::Read::read_to_end(&mut file, &mut bytes).unwrap();
    assert_eq!(bytes.len() as u64, size);
    Ok(bytes)
}

fn write(root: &Root, name: &str, bytes: &[u8]) -> Result<(), Cause> {
    let mut upload = root.open_write(&path(name), Some(bytes.len() as u64))?;
    upload.write(bytes)?;
    upload.commit()
}

fn names(path: &Path) -> Vec<String> {
    let mut names: Vec<_> = std::fs::read_dir(path)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

#[test]
fn the_old_file_stays_until_the_new_one_is_whole() {
    let dir = tempfile::tempdir().unwrap();
    for durability in [Durability::None, Durability::Fsync] {
        let root = Root::open(dir.path(), durability).unwrap();
        std::fs::write(dir.path().join("f"), b"old").unwrap();
        let mut upload = root.open_write(&path("f"), None).unwrap();
        upload.write(b"new").unwrap();
        assert_eq!(read(&root, "f"), Ok(b"old".to_vec()));
        upload.commit().unwrap();
        assert_eq!(read(&root, "f"), Ok(b"new".to_vec()));
        drop(root.open_write(&path("f"), Some(1 << 20)).unwrap());
        assert_eq!(read(&root, "f"), Ok(b"new".to_vec()));
        assert_eq!(names(dir.path()), ["f"]);
    }
}

#[test]
fn names_of_all_kinds_are_kept_as_they_are() {
    let dir = tempfile::tempdir().unwrap();
    let root = root(dir.path());
    std::fs::create_dir_all(dir.path().join("a/b")).unwrap();
    for name in ["with spaces", "gr\u{fc}n", "-dash", ".dot", "a/b/deep", "...", "a\\b"] {
        write(&root, name, name.as_bytes()).unwrap();
        assert_eq!(read(&root, name), Ok(name.as_bytes().to_vec()));
    }
    let odd = VPath::parse(b"not utf-8 \xff\xfe").unwrap();
    root.open_write(&odd, None).unwrap().commit().unwrap();
    assert_eq!(root.open_read(&odd).unwrap().size, 0);
}

#[test]
fn what_cannot_be_done_has_its_cause() {
    let dir = tempfile::tempdir().unwrap();
    let root = root(dir.path());
    std::fs::create_dir(dir.path().join("dir")).unwrap();
    std::fs::write(dir.path().join("file"), b"x").unwrap();
    rustix::fs::mknodat(CWD, dir.path().join("pipe"), FileType::Fifo, Mode::from_raw_mode(0o666), 0).unwrap();
    let listing = |name| root.open_list(&path(name)).map(drop);
    assert_eq!(read(&root, "nope"), Err(Cause::NotFound));
    assert_eq!(read(&root, "dir"), Err(Cause::IsDirectory));
    assert_eq!(read(&root, "pipe"), Err(Cause::NotRegular));
    assert_eq!(read(&root, "file/x"), Err(Cause::NotDirectory));
    assert_eq!(write(&root, "dir", b""), Err(Cause::IsDirectory));
    assert_eq!(write(&root, "nodir/x", b""), Err(Cause::NotFound));
    assert_eq!(write(&root, "file/x", b""), Err(Cause::NotDirectory));
    assert_eq!(listing("file"), Err(Cause::NotDirectory));
    assert_eq!(listing("nope"), Err(Cause::NotFound));
    assert_eq!(read(&root, ".muxftp-x.part"), Err(Cause::BadName));
    assert_eq!(write(&root, "dir/.muxftp-x.part", b""), Err(Cause::BadName));
    assert_eq!(names(dir.path()), ["dir", "file", "pipe"]);
}

#[test]
fn links_may_lead_about_inside_but_not_out() {
    let outside = tempfile::tempdir().unwrap();
    std::fs::write(outside.path().join("secret"), b"secret").unwrap();
    let dir = tempfile::tempdir().unwrap();
    let root = root(dir.path());
    std::fs::create_dir(dir.path().join("sub")).unwrap();
    std::fs::write(dir.path().join("sub/inside"), b"inside").unwrap();
    let link = |target: &Path, name: &str| symlink(target, dir.path().join(name)).unwrap();
    link(&outside.path().join("secret"), "absolute");
    link(outside.path(), "out");
    link(Path::new("../../../../../../../etc/passwd"), "up");
    link(Path::new("/proc/self/root"), "magic");
    link(Path::new("sub/inside"), "in");
    link(Path::new("loop"), "loop");
    assert_eq!(read(&root, "in"), Ok(b"inside".to_vec()));
    for name in ["absolute", "out/secret", "up", "magic/etc/passwd", "loop"] {
        assert_eq!(read(&root, name), Err(Cause::BadLink), "{name}");
    }
    assert_eq!(write(&root, "out/new", b"x"), Err(Cause::BadLink));
    assert_eq!(root.open_list(&path("out")).map(drop), Err(Cause::BadLink));
    // The link itself is replaced, not what it points to.
    write(&root, "absolute", b"mine").unwrap();
    assert_eq!(std::fs::read(outside.path().join("secret")).unwrap(), b"secret");
    assert_eq!(names(outside.path()), ["secret"]);
}

#[test]
fn a_link_that_is_swapped_all_the_time_never_leads_out() {
    let outside = tempfile::tempdir().unwrap();
    std::fs::write(outside.path().join("f"), b"outside").unwrap();
    let dir = tempfile::tempdir().unwrap();
    let root = root(dir.path());
    std::fs::create_dir(dir.path().join("real")).unwrap();
    std::fs::write(dir.path().join("real/f"), b"inside").unwrap();
    symlink(outside.path(), dir.path().join("evil")).unwrap();
    symlink("real", dir.path().join("way")).unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let swapper = {
        let (stop, dir, outside) = (Arc::clone(&stop), dir.path().to_owned(), outside.path().to_owned());
        std::thread::spawn(move || {
            let mut swaps = 0;
            while !stop.load(Ordering::Relaxed) {
                for target in [outside.as_path(), Path::new("real")] {
                    let _ = std::fs::remove_file(dir.join("next"));
                    symlink(target, dir.join("next")).unwrap();
                    std::fs::rename(dir.join("next"), dir.join("way")).unwrap();
                    swaps += 1;
                }
            }
            swaps
        })
    };
    let mut insides = 0;
    for _ in 0..20_000 {
        match read(&root, "way/f") {
            Ok(bytes) => {
                assert_eq!(bytes, b"inside");
                insides += 1;
            }
            Err(cause) => assert!(matches!(cause, Cause::BadLink | Cause::NotFound), "{cause:?}"),
        }
        let _ = write(&root, "way/new", b"x");
    }
    stop.store(true, Ordering::Relaxed);
    assert!(swapper.join().unwrap() > 0 && insides > 0);
    assert_eq!(names(outside.path()), ["f"]);
}

#[test]
fn leftovers_are_swept_when_no_other_server_is_there() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(dir.path().join("a/b")).unwrap();
    let leftovers = [".muxftp-1-1.part", "a/.muxftp-1-2.part", "a/b/.muxftp-1-3.part"];
    for name in leftovers {
        std::fs::write(dir.path().join(name), b"half").unwrap();
    }
    std::fs::write(dir.path().join("a/file"), b"whole").unwrap();
    let first = root(dir.path());
    assert_eq!(first.leftovers(), Leftovers::Swept(leftovers.len()));
    let mut upload = first.open_write(&path("a/running"), None).unwrap();
    upload.write(b"bytes").unwrap();
    assert_eq!(root(dir.path()).leftovers(), Leftovers::NotSwept, "the first server is still there");
    upload.commit().unwrap();
    assert_eq!(names(&dir.path().join("a")), ["b", "file", "running"]);
}

#[test]
fn room_that_was_set_aside_and_not_used_is_given_back() {
    let dir = tempfile::tempdir().unwrap();
    let root = root(dir.path());
    let mut upload = root.open_write(&path("f"), Some(8 << 20)).unwrap();
    upload.write(b"short").unwrap();
    upload.commit().unwrap();
    let metadata = std::fs::metadata(dir.path().join("f")).unwrap();
    assert_eq!(metadata.len(), 5);
    assert!(std::os::unix::fs::MetadataExt::blocks(&metadata) * 512 < 1 << 20);
}
