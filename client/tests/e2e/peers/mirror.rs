//! A tree of 2,000 files goes to a server and comes back as it was.

use std::fs;

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
