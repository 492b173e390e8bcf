//! What an upload leaves of the file that it replaces or writes to, and what watchers of the directory see of it.

use std::fs;
use std::mem::MaybeUninit;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;

use rustix::fs::inotify;
use tempfile::TempDir;

use super::*;

fn path(name: &str) -> VPath {
    VPath::parse(name.as_bytes()).unwrap()
}

/// Roots of both ways to replace a file.
fn roots() -> [(TempDir, Root); 3] {
    let open = |durability| {
        let dir = TempDir::new().unwrap();
        let root = Root::open(dir.path(), durability).unwrap();
        (dir, root)
    };
    let (dir, root) = open(Durability::None);
    let quota = Arc::new(Quota::new(Some(100 << 20), Some(100)));
    quota.reset(root.measure());
    [open(Durability::None), open(Durability::Fsync), (dir, root.with_quota(quota))]
}

fn count_again(root: &Root) {
    if let Some(quota) = &root.quota {
        quota.reset(root.measure());
    }
}

fn check_count(root: &Root) {
    if let Some(quota) = &root.quota {
        assert_eq!(quota.usage(), root.measure());
    }
}

fn put(root: &Root, name: &str, content: &[u8]) -> Result<(), Cause> {
    let mut upload = root.open_write(&path(name), Some(content.len() as u64))?;
    upload.write(content)?;
    upload.commit()
}

fn append(root: &Root, name: &str, from: Option<u64>, content: &[u8]) -> Result<(), Cause> {
    let mut upload = root.open_in_place(&path(name), from)?;
    upload.write(content)?;
    upload.commit()
}

#[test]
fn a_replaced_file_keeps_mode_owner_and_attributes() {
    for (dir, root) in roots() {
        let file = dir.path().join("x");
        fs::write(&file, "old").unwrap();
        // Only the superuser gives files away.
        let _ = std::os::unix::fs::chown(&file, Some(1234), Some(4321));
        fs::set_permissions(&file, fs::Permissions::from_mode(0o6750)).unwrap();
        let has_attributes =
            rustix::fs::setxattr(&file, c"user.origin", b"scanner", rustix::fs::XattrFlags::empty()).is_ok();
        let before = fs::metadata(&file).unwrap();
        count_again(&root);
        put(&root, "x", b"the new content").unwrap();
        let after = fs::metadata(&file).unwrap();
        assert_eq!(fs::read(&file).unwrap(), b"the new content");
        assert_ne!(after.ino(), before.ino(), "it was replaced, not written to");
        assert_eq!(after.mode() & 0o7777, 0o750, "without the bits that give a program rights");
        assert_eq!((after.uid(), after.gid()), (before.uid(), before.gid()));
        let mut value = [0; 20];
        if has_attributes {
            assert_eq!(rustix::fs::getxattr(&file, c"user.origin", &mut value[..]), Ok(7));
            assert_eq!(&value[..7], b"scanner");
        } else {
            println!("skipped: no attributes of users in this file system");
        }
        check_count(&root);
    }
}

#[test]
fn an_acl_is_kept_and_that_of_the_directory_is_not_added() {
    // Version 2; owner rw, user 1234 rw, group none, mask rw, others none.
    let entry = |tag: u16, permissions: u16, id: u32| {
        [&tag.to_le_bytes()[..], &permissions.to_le_bytes(), &id.to_le_bytes()].concat()
    };
    let none = u32::MAX;
    let acl = [
        2u32.to_le_bytes().to_vec(),
        entry(1, 6, none),
        entry(2, 6, 1234),
        entry(4, 0, none),
        entry(16, 6, none),
        entry(32, 0, none),
    ]
    .concat();
    for (dir, root) in roots() {
        let set = |file: &Path, name: &str| rustix::fs::setxattr(file, name, &acl, rustix::fs::XattrFlags::empty());
        let get = |name: &str| {
            let mut value = [0; 200];
            let file = dir.path().join(name);
            rustix::fs::getxattr(file, "system.posix_acl_access", &mut value[..]).map(|size| value[..size].to_vec())
        };
        for name in ["with", "without"] {
            fs::write(dir.path().join(name), "old").unwrap();
        }
        fs::set_permissions(dir.path().join("without"), fs::Permissions::from_mode(0o640)).unwrap();
        if set(&dir.path().join("with"), "system.posix_acl_access").is_err() {
            println!("skipped: no ACLs in this file system");
            return;
        }
        set(dir.path(), "system.posix_acl_default").unwrap();
        count_again(&root);
        for name in ["with", "without"] {
            put(&root, name, b"new").unwrap();
        }
        assert_eq!(get("with"), Ok(acl.clone()));
        assert_eq!(get("without"), Err(Errno::NODATA));
        assert_eq!(fs::metadata(dir.path().join("without")).unwrap().mode() & 0o777, 0o640);
    }
}

#[test]
fn what_replaces_a_private_file_is_private_on_its_way() {
    let [(dir, root), ..] = roots();
    fs::write(dir.path().join("x"), "old").unwrap();
    fs::set_permissions(dir.path().join("x"), fs::Permissions::from_mode(0o400)).unwrap();
    let upload = root.open_write(&path("x"), None).unwrap();
    for entry in fs::read_dir(dir.path()).unwrap() {
        assert_eq!(entry.unwrap().metadata().unwrap().mode() & 0o077, 0);
    }
    upload.commit().unwrap();
    assert_eq!(fs::metadata(dir.path().join("x")).unwrap().mode() & 0o777, 0o400);
}

#[test]
fn an_upload_through_a_link_goes_where_the_link_leads() {
    for (dir, root) in roots() {
        let base = dir.path();
        fs::create_dir_all(base.join("deep/er")).unwrap();
        fs::write(base.join("deep/x"), "old").unwrap();
        fs::hard_link(base.join("deep/x"), base.join("snapshot")).unwrap();
        symlink("deep/x", base.join("l")).unwrap();
        symlink("../../l", base.join("deep/er/chain")).unwrap();
        symlink("deep", base.join("d")).unwrap();
        count_again(&root);
        for (name, content) in [("l", "first"), ("deep/er/chain", "second"), ("d/er/chain", "third")] {
            put(&root, name, content.as_bytes()).unwrap();
            assert_eq!(fs::read_to_string(base.join("deep/x")).unwrap(), content, "{name}");
            append(&root, name, None, b"+").unwrap();
            append(&root, name, Some(0), b"#").unwrap();
            assert_eq!(fs::read_to_string(base.join("deep/x")).unwrap(), format!("#{}+", &content[1..]), "{name}");
        }
        assert!(base.join("l").is_symlink() && base.join("deep/er/chain").is_symlink());
        assert_eq!(fs::read_to_string(base.join("snapshot")).unwrap(), "old", "another name keeps the old content");
        assert_eq!(fs::read_dir(base.join("deep")).unwrap().count(), 2, "no temporary remains");
    }
}

#[test]
fn a_dangling_link_is_written_through_and_a_wrong_one_is_refused() {
    for (dir, root) in roots() {
        let base = dir.path();
        fs::create_dir(base.join("sub")).unwrap();
        for (name, leads) in [
            ("dangling", "sub/made"),
            ("appended", "sub/grown"),
            ("nowhere", "no/made"),
            ("out", "../made"),
            ("absolute", "/tmp/made"),
            ("directory", "sub/"),
            ("here", "."),
            ("above", ".."),
            ("hidden", ".muxftp-0123456789abcdef-1.part"),
            ("loop", "loop"),
        ] {
            symlink(leads, base.join(name)).unwrap();
        }
        rustix::fs::mkfifoat(rustix::fs::CWD, base.join("sub/pipe"), Mode::from_raw_mode(0o666)).unwrap();
        symlink("sub/pipe", base.join("pipe")).unwrap();
        put(&root, "dangling", b"new").unwrap();
        append(&root, "appended", None, b"new").unwrap();
        for name in ["sub/made", "sub/grown"] {
            assert_eq!(fs::read(base.join(name)).unwrap(), b"new", "{name}");
        }
        for (name, cause) in [
            ("nowhere", Cause::NotFound),
            ("out", Cause::BadLink),
            ("absolute", Cause::BadLink),
            ("directory", Cause::IsDirectory),
            ("here", Cause::IsDirectory),
            ("above", Cause::BadLink),
            ("hidden", Cause::BadName),
            ("loop", Cause::BadLink),
            ("pipe", Cause::NotRegular),
        ] {
            assert_eq!(put(&root, name, b"x"), Err(cause), "STOR {name}");
            assert_eq!(append(&root, name, None, b"x"), Err(cause), "APPE {name}");
        }
        check_count(&root);
    }
}

/// What watchers of finished files are told: (event, name), hidden names left out.
fn events(watch: &OwnedFd) -> Vec<(&'static str, String)> {
    let mut buffer = [const { MaybeUninit::<u8>::uninit() }; 4096];
    let mut reader = inotify::Reader::new(watch, &mut buffer);
    let mut seen = Vec::new();
    while let Ok(event) = reader.next() {
        let name = event.file_name().map_or_else(String::new, |name| name.to_str().unwrap().to_owned());
        let kind = if event.events().contains(inotify::ReadFlags::MOVED_TO) { "MOVED_TO" } else { "CLOSE_WRITE" };
        if !names::is_hidden(name.as_bytes()) {
            seen.push((kind, name));
        }
    }
    seen
}

#[test]
fn watchers_see_one_event_for_an_upload() {
    for (dir, root) in roots() {
        let watch = inotify::init(inotify::CreateFlags::NONBLOCK | inotify::CreateFlags::CLOEXEC).unwrap();
        let flags = inotify::WatchFlags::MOVED_TO | inotify::WatchFlags::CLOSE_WRITE;
        inotify::add_watch(&watch, dir.path(), flags).unwrap();
        for turn in ["new", "replaced"] {
            put(&root, "scan.pdf", turn.as_bytes()).unwrap();
            assert_eq!(events(&watch), [("MOVED_TO", "scan.pdf".to_owned())], "{turn}");
        }
        append(&root, "scan.pdf", None, b"more").unwrap();
        assert_eq!(events(&watch), [("CLOSE_WRITE", "scan.pdf".to_owned())]);
    }
}

#[test]
fn a_file_that_is_written_in_place_is_neither_replaced_nor_renamed_nor_removed() {
    for (dir, root) in roots() {
        fs::create_dir(dir.path().join("d")).unwrap();
        fs::write(dir.path().join("d/other"), "other").unwrap();
        count_again(&root);
        let late = root.open_write(&path("d/log"), None).unwrap();
        let mut upload = root.open_in_place(&path("d/log"), None).unwrap();
        upload.write(b"kept").unwrap();
        assert_eq!(put(&root, "d/log", b"new"), Err(Cause::Busy));
        assert_eq!(late.commit(), Err(Cause::Busy), "it began before the other did");
        assert_eq!(root.remove_file(&path("d/log")), Err(Cause::Busy));
        assert_eq!(root.rename(&path("d/other"), &path("d/log"), true), Err(Cause::Busy));
        assert_eq!(root.rename(&path("d/log"), &path("d/moved"), true), Err(Cause::Busy));
        assert_eq!(root.rename(&path("d"), &path("e"), true), Ok(()), "the file keeps its name");
        upload.write(b" whole").unwrap();
        upload.commit().unwrap();
        assert_eq!(fs::read(dir.path().join("e/log")).unwrap(), b"kept whole");
        root.remove_file(&path("e/log")).unwrap();
        assert_eq!(fs::read_dir(dir.path().join("e")).unwrap().count(), 1, "no temporary remains");
        check_count(&root);
    }
}

#[test]
fn an_upload_in_place_whose_file_another_program_took_away_fails() {
    for (dir, root) in roots() {
        let file = dir.path().join("log");
        let taken: [&dyn Fn(); 3] =
            [&|| fs::remove_file(&file).unwrap(), &|| fs::rename(&file, dir.path().join("log.1")).unwrap(), &|| {
                fs::write(dir.path().join("new"), "new").unwrap();
                fs::rename(dir.path().join("new"), &file).unwrap();
            }];
        for take in taken {
            let mut upload = root.open_in_place(&path("log"), None).unwrap();
            upload.write(b"lost").unwrap();
            take();
            assert_eq!(upload.commit(), Err(Cause::Replaced));
        }
    }
}

#[test]
fn large_files_are_replaced_removed_and_dropped_exactly() {
    let content = vec![7; usize::try_from(disposal::LARGE_BYTES).unwrap() + 1];
    for (dir, root) in roots() {
        put(&root, "a", &content).unwrap();
        put(&root, "a", &content).unwrap();
        put(&root, "b", &content).unwrap();
        let mut download = root.open_read(&path("a")).unwrap();
        root.rename(&path("b"), &path("a"), true).unwrap();
        check_count(&root);
        let mut upload = root.open_write(&path("a"), None).unwrap();
        upload.write(&content).unwrap();
        drop(upload);
        check_count(&root);
        root.remove_file(&path("a")).unwrap();
        check_count(&root);
        let mut read = Vec::new();
        std::io::Read::read_to_end(&mut &*download.file, &mut read).unwrap();
        assert_eq!(read.len() as u64, download.size, "a download keeps what it reads");
        download.size = 0;
        drop(download);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }
}

#[test]
fn a_restart_charges_only_what_grows() {
    let dir = TempDir::new().unwrap();
    let quota = Arc::new(Quota::new(Some(10), Some(1)));
    let root = Root::open(dir.path(), Durability::None).unwrap().with_quota(Arc::clone(&quota));
    put(&root, "f", b"0123456789").unwrap();
    append(&root, "f", Some(3), b"abc").unwrap();
    assert_eq!(fs::read(dir.path().join("f")).unwrap(), b"012abc6789");
    assert_eq!(quota.usage().bytes, 10);
    assert_eq!(append(&root, "f", Some(8), b"xyz"), Err(Cause::QuotaExceeded));
    assert_eq!((quota.usage(), fs::read(dir.path().join("f")).unwrap().len()), (root.measure(), 10));
    quota.set_bounds(Some(12), Some(1));
    append(&root, "f", Some(8), b"wxyz").unwrap();
    assert_eq!(fs::read(dir.path().join("f")).unwrap(), b"012abc67wxyz");
    assert_eq!(quota.usage(), root.measure());
}

#[test]
fn a_pipe_is_not_opened_to_see_what_it_is() {
    let [(dir, root), ..] = roots();
    fs::create_dir(dir.path().join("d")).unwrap();
    for name in ["pipe", "d/pipe"] {
        let pipe = dir.path().join(name);
        rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, Mode::from_raw_mode(0o666)).unwrap();
        let watch = inotify::init(inotify::CreateFlags::NONBLOCK | inotify::CreateFlags::CLOEXEC).unwrap();
        inotify::add_watch(&watch, &pipe, inotify::WatchFlags::OPEN).unwrap();
        assert_eq!(root.open_read(&path(name)).unwrap_err(), Cause::NotRegular);
        assert_eq!(root.open_in_place(&path(name), None).unwrap_err(), Cause::NotRegular);
        assert_eq!(root.set_mode(&path(name), 0o600), Err(Cause::NotRegular));
        let mut buffer = [const { MaybeUninit::<u8>::uninit() }; 1024];
        let mut reader = inotify::Reader::new(&watch, &mut buffer);
        assert!(reader.next().is_err(), "{name} was opened");
    }
}
