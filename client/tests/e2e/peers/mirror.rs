//! A tree of 2,000 files goes to a server and comes back as it was; and what is deleted on one side goes on the other.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use super::server::Program;
use super::{Wire, with_each};
use crate::mirror::{plant, tree};

#[test]
fn a_tree_of_odd_names_goes_up_and_comes_back() {
    with_each(None, |server| {
        if server.wire() == Wire::Implicit {
            // Behind its beginning, explicit TLS is the same.
            return;
        }
        let here = tempfile::tempdir().unwrap();
        plant(&here.path().join("up"));
        let planted = tree(&here.path().join("up"));
        let there = server.url("tree");
        let run = |args: &[&str]| server.run(here.path(), &[&["mirror"], args].concat());
        let shown = run(&["-R", "up", &there]);
        assert!(shown.contains("2000 files copied") && shown.contains(" 0 failed"), "{server}: {shown}");
        let without_times = |tree: &crate::mirror::Tree| -> Vec<_> {
            tree.iter().map(|(name, file)| (name.clone(), file.as_ref().map(|(bytes, _)| bytes.clone()))).collect()
        };
        assert!(without_times(&tree(&server.root().join("tree"))) == without_times(&planted), "{server}");
        let shown = run(&[&there, "down"]);
        assert!(shown.contains("2000 files copied") && shown.contains(" 0 failed"), "{server}: {shown}");
        assert!(without_times(&tree(&here.path().join("down"))) == without_times(&planted), "{server}");
        // What is there is not copied again, but for what changed.
        let changed = tree(&here.path().join("down")).into_iter().find(|(_, file)| file.is_some()).unwrap().0;
        fs::write(here.path().join("down").join(&changed), "a new text of another size").unwrap();
        let shown = run(&["-R", "down", &there]);
        assert!(shown.contains("1 files copied") && shown.contains(" 1999 were the same"), "{server}: {shown}");
        assert_eq!(fs::read(server.root().join("tree").join(&changed)).unwrap(), b"a new text of another size");
    });
}

#[test]
fn what_is_not_at_the_source_goes_and_nothing_behind_links() {
    with_each(None, |server| {
        if server.wire() != Wire::Plain {
            return;
        }
        let here = tempfile::tempdir().unwrap();
        let (up, copy) = (here.path().join("up"), server.root().join("copy"));
        for root in [&up, &copy] {
            fs::create_dir_all(root.join("both/.hidden")).unwrap();
            fs::write(root.join("both/same"), "x").unwrap();
            // Written one after the other, they may be of two seconds.
            fs::File::open(root.join("both/same")).unwrap().set_modified(UNIX_EPOCH + Duration::from_secs(1)).unwrap();
        }
        for directory in ["old/ lead/-dash", "old/empty", "both/.hidden/a[1]*"] {
            fs::create_dir_all(copy.join(directory)).unwrap();
            fs::write(copy.join(directory).join(".x y"), "x").unwrap();
        }
        fs::create_dir(server.root().join("outside")).unwrap();
        fs::write(server.root().join("outside/mine"), "x").unwrap();
        symlink("../outside", copy.join("link")).unwrap();
        symlink("../../outside", copy.join("old/link")).unwrap();
        symlink("..", copy.join("old/up")).unwrap();
        make_writable(&copy);
        let run = |args: &[&str]| server.run(here.path(), &[&["mirror", "--delete"], args].concat());
        let there = server.url("copy");
        let shown = run(&["-R", "-n", "up", &there]);
        assert!(
            shown.contains(" would be deleted, 0 failed") && copy.join("old/empty/.x y").exists(),
            "{server}: {shown}"
        );
        let shown = run(&["-R", "up", &there]);
        assert!(shown.ends_with(", 11 deleted, 0 failed\n"), "{server}: {shown}");
        let names = |root| tree(root).into_keys().collect::<Vec<_>>();
        assert_eq!(names(&copy), ["both", "both/.hidden", "both/same"], "{server}");
        assert_eq!(fs::read(server.root().join("outside/mine")).unwrap(), b"x", "{server}");
        fs::write(up.join("both/.hidden/.new"), "x").unwrap();
        fs::create_dir(up.join("new")).unwrap();
        fs::write(copy.join("there"), "x").unwrap();
        let shown = run(&[&there, "up"]);
        assert!(shown.contains("1 files copied") && shown.ends_with(", 2 deleted, 0 failed\n"), "{server}: {shown}");
        assert_eq!(names(&up), ["both", "both/.hidden", "both/same", "there"], "{server}");
    });
}

#[test]
fn a_directory_that_the_server_may_not_read_deletes_nothing() {
    with_each(None, |server| {
        // The others run as root here, who may read all.
        if server.program() != Program::PureFtpd || server.wire() != Wire::Plain {
            return;
        }
        let here = tempfile::tempdir().unwrap();
        for (mode, directory) in [(0o711, "closed"), (0o755, "open")] {
            fs::create_dir(server.root().join(directory)).unwrap();
            fs::set_permissions(server.root().join(directory), fs::Permissions::from_mode(mode)).unwrap();
            fs::create_dir_all(here.path().join("copy").join(directory)).unwrap();
            fs::write(here.path().join("copy").join(directory).join("precious"), "x").unwrap();
        }
        let output = server.muxftp(here.path(), &["mirror", "--delete", &server.url(""), "copy"]).output().unwrap();
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{told}");
        assert!(told.contains("ls /closed: "), "{told}");
        assert_eq!(
            tree(&here.path().join("copy")).into_keys().collect::<Vec<_>>(),
            ["closed", "closed/precious", "open"]
        );
    });
}

/// For a server that does not run as the user of the tests.
fn make_writable(root: &Path) {
    fs::set_permissions(root, fs::Permissions::from_mode(0o777)).unwrap();
    for entry in fs::read_dir(root).unwrap().map(Result::unwrap).filter(|entry| entry.file_type().unwrap().is_dir()) {
        make_writable(&entry.path());
    }
}
