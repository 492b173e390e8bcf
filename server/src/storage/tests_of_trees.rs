//! The tree, the quota, and links that change while everything runs.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;

fn path(name: &str) -> VPath {
    VPath::parse(name.as_bytes()).unwrap()
}

fn root(quota: Option<(u64, u64)>) -> (TempDir, Root) {
    let dir = TempDir::new().unwrap();
    let root = Root::open(&dir.path().join("root"), Durability::None).unwrap();
    match quota {
        None => (dir, root),
        Some((bytes, files)) => (dir, root.with_quota(Arc::new(Quota::new(Some(bytes), Some(files))))),
    }
}

fn put(root: &Root, name: &str, size: usize) -> Result<(), Cause> {
    let mut upload = root.open_write(&path(name), None)?;
    upload.write(&vec![b'x'; size])?;
    upload.commit()
}

#[test]
fn the_tree_is_changed_as_asked_and_not_otherwise() {
    let (dir, root) = root(None);
    let base = dir.path().join("root");
    assert_eq!(root.make_dir(&path("d")), Ok(()));
    assert_eq!(root.make_dir(&path("d")), Err(Cause::Exists));
    assert_eq!(root.make_dir(&path("no/d")), Err(Cause::NotFound));
    put(&root, "d/f", 3).unwrap();
    put(&root, "g", 4).unwrap();
    assert_eq!(root.remove_dir(&path("d")), Err(Cause::NotEmpty));
    assert_eq!(root.remove_dir(&path("g")), Err(Cause::NotDirectory));
    assert_eq!(root.remove_file(&path("d")), Err(Cause::IsDirectory));
    assert_eq!(root.remove_file(&path("no")), Err(Cause::NotFound));
    assert_eq!(root.rename(&path("g"), &path("d"), true), Err(Cause::Exists));
    assert_eq!(root.rename(&path("d"), &path("g"), true), Err(Cause::Exists));
    assert_eq!(root.rename(&path("no"), &path("g"), true), Err(Cause::NotFound));
    assert_eq!(root.rename(&path("d"), &path("d/inside"), true), Err(Cause::BadName));
    assert_eq!(root.rename(&path("g"), &path("d/f"), false), Err(Cause::NotAllowed));
    assert_eq!((root.examine(&path("g")).unwrap().size, root.examine(&path("d/f")).unwrap().size), (4, 3));
    assert_eq!(root.rename(&path("g"), &path("d/f"), true), Ok(()));
    assert_eq!(root.examine(&path("d/f")).unwrap().size, 4);
    assert_eq!(root.rename(&path("d"), &path("e"), false), Ok(()));
    assert_eq!(root.set_mode(&path("e/f"), 0o7640), Ok(()));
    assert_eq!(root.set_modified(&path("e/f"), 1_000_000_000), Ok(()));
    let entry = root.examine(&path("e/f")).unwrap();
    assert_eq!((entry.mode, entry.modified), (0o640, 1_000_000_000), "without the bits that give rights away");
    assert_eq!(root.remove_file(&path("e/f")), Ok(()));
    assert_eq!(root.remove_dir(&path("e")), Ok(()));
    assert!(base.read_dir().unwrap().next().is_none());
    for hidden in [".muxftp-x", ".muxftp-x/y"] {
        assert_eq!(root.make_dir(&path(hidden)), Err(Cause::BadName));
        assert_eq!(root.remove_file(&path(hidden)), Err(Cause::BadName));
        assert_eq!(root.examine(&path(hidden)).unwrap_err(), Cause::BadName);
    }
}

#[test]
fn a_file_that_is_renamed_to_itself_stays() {
    for quota in [None, Some((100, 1))] {
        let (_dir, root) = root(quota);
        put(&root, "f", 5).unwrap();
        assert_eq!(root.rename(&path("f"), &path("f"), true), Ok(()));
        assert_eq!(root.examine(&path("f")).unwrap().size, 5);
    }
}

#[test]
fn uploads_in_place_keep_what_came_and_have_one_writer() {
    let (dir, root) = root(None);
    let read = || fs::read(dir.path().join("root/f")).unwrap();
    let mut upload = root.open_in_place(&path("f"), None).unwrap();
    upload.write(b"12345").unwrap();
    assert_eq!(root.open_in_place(&path("f"), None).unwrap_err(), Cause::Busy);
    drop(upload);
    assert_eq!(read(), b"12345", "it is there without a commit");
    let mut upload = root.open_in_place(&path("f"), Some(2)).unwrap();
    assert_eq!(read(), b"12345");
    upload.write(b"xy").unwrap();
    upload.commit().unwrap();
    assert_eq!(read(), b"12xy5", "what lies behind the bytes that were sent stays");
    assert_eq!(root.open_in_place(&path("f"), Some(6)).unwrap_err(), Cause::BadRestart);
    assert_eq!(root.open_in_place(&path("no"), Some(5)).unwrap_err(), Cause::BadRestart);
    assert_eq!(read(), b"12xy5");
}

#[test]
fn a_new_name_is_in_a_directory_or_begins_with_the_one_that_was_wished() {
    let (dir, root) = root(None);
    put(&root, "f", 1).unwrap();
    fs::create_dir(dir.path().join("root/d")).unwrap();
    for (asked, directory, begin) in [("", "", "stou-"), ("d", "d", "stou-"), ("f", "", "f-"), ("d/no", "d", "no-")] {
        let mut upload = root.open_new(&VPath::parse(asked.as_bytes()).unwrap_or_else(|_| VPath::root())).unwrap();
        upload.write(b"new").unwrap();
        let name = String::from_utf8(upload.name().to_vec()).unwrap();
        assert!(name.starts_with(begin) && name.len() == begin.len() + 16, "{asked}: {name}");
        let file = dir.path().join("root").join(directory).join(&name);
        assert!(!file.exists(), "not before it is whole");
        upload.commit().unwrap();
        assert_eq!(fs::read(file).unwrap(), b"new");
    }
    for (asked, wrong) in
        [("no/f", Cause::NotFound), ("f/x", Cause::NotDirectory), (".muxftp-0000000000000000-0.part", Cause::BadName)]
    {
        assert_eq!(root.open_new(&path(asked)).unwrap_err(), wrong, "{asked}");
    }
    assert_eq!(root.open_new(&path(&"x".repeat(250))).unwrap_err(), Cause::NameTooLong);
}

#[test]
fn listings_of_a_pattern_and_of_one_name() {
    let (_dir, root) = root(None);
    for name in ["a.txt", "b.txt", "c.bin", ".d.txt"] {
        put(&root, name, 1).unwrap();
    }
    let names = |mut listing: Listing| {
        let mut out = Vec::new();
        while listing
            .fill(&mut out, 1000, |listed, out| {
                listed.with_entry(|entry| out.extend_from_slice(&[entry.name, b"\n"].concat()));
            })
            .unwrap()
            == ListProgress::More
        {}
        String::from_utf8(out).unwrap()
    };
    assert_eq!(names(root.open_list_of(&path("*.txt"), true).unwrap()), "a.txt\nb.txt\n");
    assert_eq!(names(root.open_list_of(&path(".*"), true).unwrap()), ".d.txt\n");
    assert_eq!(names(root.open_list_of(&path("c.bin"), false).unwrap()), "c.bin\n");
    assert_eq!(root.open_list_of(&path("no"), false).unwrap_err(), Cause::NotFound);
}

#[test]
fn threads_that_upload_at_once_never_get_past_the_quota() {
    const BYTES: u64 = 100_000;
    const FILES: u64 = 12;
    let (_dir, root) = root(Some((BYTES, FILES)));
    let over = AtomicBool::new(false);
    let finished = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let watcher = scope.spawn(|| {
            while !finished.load(Ordering::Relaxed) {
                let usage = root.measure();
                over.fetch_or(usage.bytes > BYTES || usage.files > FILES, Ordering::Relaxed);
            }
        });
        let workers: Vec<_> = (0..6)
            .map(|worker: usize| {
                let root = &root;
                scope.spawn(move || {
                    let mut refused = 0;
                    for turn in 0..60 {
                        let name = format!("f{}", (worker * 7 + turn) % 20);
                        match (worker + turn) % 5 {
                            0 => drop(root.remove_file(&path(&name))),
                            1 => drop(root.rename(&path(&name), &path("f1"), true)),
                            2 => {
                                if let Ok(mut upload) = root.open_in_place(&path(&name), None) {
                                    let _ = upload.write(&[0; 3_000]);
                                }
                            }
                            _ => refused += usize::from(put(root, &name, 9_000 + turn) == Err(Cause::QuotaExceeded)),
                        }
                    }
                    refused
                })
            })
            .collect();
        let refused: usize = workers.into_iter().map(|worker| worker.join().unwrap()).sum();
        finished.store(true, Ordering::Relaxed);
        watcher.join().unwrap();
        assert!(refused > 0, "the quota has never been in the way");
    });
    assert!(!over.load(Ordering::Relaxed), "more was visible than the quota allows");
    assert_eq!(root.quota.as_ref().unwrap().usage(), root.measure(), "the count is exact after all that");
}

/// What a client may do, on one of a few names.
#[derive(Debug, Clone)]
enum Step {
    Put(u8, u16),
    Broken(u8, u16),
    Append(u8, u16),
    Restart(u8, u16, u16),
    New(u16),
    Remove(u8),
    Rename(u8, u8),
}

fn step() -> impl Strategy<Value = Step> {
    let name = || 0u8..4;
    let size = || 0u16..400;
    prop_oneof![
        (name(), size()).prop_map(|(n, s)| Step::Put(n, s)),
        (name(), size()).prop_map(|(n, s)| Step::Broken(n, s)),
        (name(), size()).prop_map(|(n, s)| Step::Append(n, s)),
        (name(), size(), size()).prop_map(|(n, from, s)| Step::Restart(n, from, s)),
        size().prop_map(Step::New),
        name().prop_map(Step::Remove),
        (name(), name()).prop_map(|(a, b)| Step::Rename(a, b)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn whatever_is_done_the_count_is_what_is_there(steps in proptest::collection::vec(step(), 1..40)) {
        let (_dir, root) = root(Some((1000, 5)));
        let quota = Arc::clone(root.quota.as_ref().unwrap());
        let name = |n: u8| path(&format!("f{n}"));
        let mut sizes: BTreeMap<u8, u64> = BTreeMap::new();
        for step in steps {
            match step {
                Step::Put(n, size) => {
                    if put(&root, &format!("f{n}"), usize::from(size)).is_ok() {
                        sizes.insert(n, u64::from(size));
                    }
                }
                Step::Broken(n, size) => {
                    if let Ok(mut upload) = root.open_write(&name(n), None) {
                        let _ = upload.write(&vec![0; usize::from(size)]);
                    }
                }
                Step::Append(n, size) => {
                    if let Ok(mut upload) = root.open_in_place(&name(n), None) {
                        let before = *sizes.entry(n).or_default();
                        if upload.write(&vec![0; usize::from(size)]).is_ok() {
                            sizes.insert(n, before + u64::from(size));
                        }
                    }
                }
                Step::Restart(n, from, size) => {
                    if let Ok(mut upload) = root.open_in_place(&name(n), Some(u64::from(from)))
                        && upload.write(&vec![0; usize::from(size)]).is_ok()
                    {
                        let end = u64::from(from) + u64::from(size);
                        sizes.entry(n).and_modify(|size| *size = end.max(*size));
                    }
                }
                Step::New(size) => {
                    if let Ok(mut upload) = root.open_new(&VPath::root())
                        && upload.write(&vec![0; usize::from(size)]).is_ok()
                        && let taken = String::from_utf8(upload.name().to_vec()).unwrap()
                        && upload.commit().is_ok()
                    {
                        prop_assert_eq!(root.examine(&path(&taken)).unwrap().size, u64::from(size));
                        root.remove_file(&path(&taken)).unwrap();
                    }
                }
                Step::Remove(n) => {
                    if root.remove_file(&name(n)).is_ok() {
                        sizes.remove(&n);
                    }
                }
                Step::Rename(from, to) => {
                    if root.rename(&name(from), &name(to), true).is_ok() && from != to
                        && let Some(size) = sizes.remove(&from)
                    {
                        sizes.insert(to, size);
                    }
                }
            }
            prop_assert_eq!(quota.usage(), root.measure());
            prop_assert!(quota.usage().bytes <= 1000 && quota.usage().files <= 5);
            for (n, size) in &sizes {
                prop_assert_eq!(root.examine(&name(*n)).unwrap().size, *size);
            }
        }
    }
}

/// Everything outside of the root, as it is.
fn outside(directory: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found: Vec<_> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.to_string_lossy().into_owned(), fs::read(&path).unwrap_or_default()))
        .collect();
    found.sort();
    found
}

#[test]
fn links_that_are_swapped_meanwhile_lead_nowhere() {
    let dir = TempDir::new().unwrap();
    let secret = dir.path().join("outside");
    fs::create_dir(&secret).unwrap();
    fs::write(secret.join("f"), "secret").unwrap();
    let root = Root::open(&dir.path().join("root"), Durability::None).unwrap();
    let base = dir.path().join("root");
    fs::create_dir(base.join("real")).unwrap();
    fs::write(base.join("real/f"), "inside").unwrap();
    symlink(&secret, base.join("link")).unwrap();
    let before = outside(&secret);
    let finished = AtomicBool::new(false);
    std::thread::scope(|scope| {
        // `d` is the directory at one moment, and the link that leads out at the next.
        scope.spawn(|| {
            while !finished.load(Ordering::Relaxed) {
                for name in ["real", "link"] {
                    let _ = fs::rename(base.join(name), base.join("d"));
                    let _ = fs::rename(base.join("d"), base.join(name));
                }
            }
        });
        for turn in 0..3_000 {
            if let Ok(opened) = root.open_read(&path("d/f")) {
                let mut text = String::new();
                std::io::Read::read_to_string(&mut &*opened.file, &mut text).unwrap();
                assert_ne!(text, "secret");
            }
            if let Ok(mut upload) = root.open_write(&path("d/f"), None) {
                upload.write(b"inside").unwrap();
                let _ = upload.commit();
            }
            if let Ok(mut upload) = root.open_in_place(&path("d/f"), (turn % 2 == 0).then_some(0)) {
                let _ = upload.write(b"inside");
            }
            let _ = root.make_dir(&path("d/made"));
            let _ = root.rename(&path("d/made"), &path("d/moved"), true);
            let _ = root.remove_dir(&path("d/moved"));
            let _ = root.set_mode(&path("d/f"), 0o600);
            let _ = root.set_modified(&path("d/f"), 1_000_000_000);
            let _ = root.remove_file(&path("d/f"));
            if let Ok(entry) = root.examine(&path("d/f")) {
                assert_ne!(entry.unique, tree::identity(fs::File::open(secret.join("f")).unwrap()).unwrap());
            }
            if let Ok(upload) = root.open_new(&path("d")) {
                let _ = upload.commit();
            }
            if turn % 50 == 0 {
                assert_eq!(outside(&secret), before, "after {turn} turns");
            }
        }
        finished.store(true, Ordering::Relaxed);
    });
    assert_eq!(outside(&secret), before);
}
