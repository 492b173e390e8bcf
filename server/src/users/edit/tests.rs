//! Files as people keep them, before and after an edit.

use std::os::unix::fs::PermissionsExt;

use crate::users::password::NOBODYS_HASH as HASH;

use super::*;

const FILE: &str = "\
# Users of the FTP server.
# Ask ops@example.org before adding any.

# The build machine.
[[user]]
name = \"build\" # not a person
password = \"HASH\" # since May
root = '/srv/build'

# Alice, of the
# second floor.
[[user]]
root = \"/srv/alice\"
password = \"HASH\"
name = \"alice\"
from = [
  \"192.0.2.0/24\", # the office
]

# The end.
";

struct TestFile {
    dir: tempfile::TempDir,
}

impl TestFile {
    fn with(text: &str) -> TestFile {
        let file = TestFile { dir: tempfile::tempdir().unwrap() };
        std::fs::write(file.path(), text.replace("HASH", HASH)).unwrap();
        file
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join("users.toml")
    }

    fn text(&self) -> String {
        std::fs::read_to_string(self.path()).unwrap().replace(HASH, "HASH")
    }
}

fn user(name: &str) -> User {
    User {
        name: name.to_owned(),
        hash: HASH.to_owned(),
        root: PathBuf::from("/srv").join(name),
        permissions: Permissions::ALL,
        allowance: Allowance::default(),
        from: Vec::new(),
    }
}

#[test]
fn a_user_is_added_after_the_others_and_nothing_else_changes() {
    let file = TestFile::with(FILE);
    add(&file.path(), &user("carol")).unwrap();
    let added = "\n[[user]]\nname = \"carol\"\npassword = \"HASH\"\nroot = \"/srv/carol\"\n\n# The end.\n";
    assert_eq!(file.text(), FILE.replace("\n# The end.\n", added));
}

#[test]
fn what_is_added_is_read_again_as_it_was() {
    let file = TestFile::with("");
    let full = User {
        permissions: [Permission::Read, Permission::Mkdir].into_iter().collect(),
        allowance: Allowance {
            quota_bytes: Some(10 << 30),
            quota_files: Some(10_000),
            rate_up: Some(2 << 20),
            rate_down: Some(1001),
            sessions: Some(10),
            sessions_per_address: Some(3),
        },
        from: vec!["192.0.2.0/24".parse().unwrap(), "::1".parse().unwrap()],
        ..user("a.name@example+2")
    };
    let reader = User { permissions: Permissions::READ_ONLY, ..user("reader") };
    for user in [&full, &reader] {
        add(&file.path(), user).unwrap();
    }
    let users = Users::load(&file.path()).unwrap();
    for user in [&full, &reader] {
        assert_eq!(**users.find(user.name.as_bytes()).unwrap(), *user, "{}", file.text());
    }
    assert!(file.text().contains("\nquota_bytes = \"10 GiB\"\n") && file.text().contains("\nrate_down = \"1001 B\"\n"));
}

#[test]
fn a_password_changes_in_its_place() {
    let file = TestFile::with(FILE);
    let other = HASH.replace("wIe", "wIf");
    set_password(&file.path(), "build", &other).unwrap();
    let expected = FILE.replacen("HASH", &other, 1);
    assert_eq!(file.text(), expected);
}

#[test]
fn a_user_goes_with_its_comment_and_the_comments_of_the_file_stay() {
    let file = TestFile::with(FILE);
    remove(&file.path(), "build").unwrap();
    let (head, tail) = FILE.split_at(FILE.find("\n# The build").unwrap());
    let rest = &tail[tail.find("\n# Alice").unwrap()..];
    assert_eq!(file.text(), format!("{head}{rest}"));
    remove(&file.path(), "alice").unwrap();
    assert_eq!(file.text(), format!("{head}\n# The end.\n"));
    add(&file.path(), &user("bob")).unwrap();
    assert_eq!(Users::load(&file.path()).unwrap().iter().len(), 1, "{}", file.text());
    assert!(file.text().starts_with(head), "{}", file.text());
}

#[test]
fn names_that_are_taken_or_missing_change_nothing() {
    let file = TestFile::with(FILE);
    let error = add(&file.path(), &user("alice")).unwrap_err();
    assert!(matches!(&error, EditError::Exists(name) if name == "alice") && error.to_string().contains("passwd"));
    for error in [set_password(&file.path(), "alcie", "x").unwrap_err(), remove(&file.path(), "alcie").unwrap_err()] {
        assert_eq!(error.to_string(), "error: there is no user `alcie`; did you mean `alice`?");
    }
    assert_eq!(file.text(), FILE);
}

#[test]
fn no_file_is_made_that_the_server_would_not_take() {
    let file = TestFile::with(FILE);
    for wrong in [user("anonymous"), User { hash: "secret".to_owned(), ..user("bob") }, user("a\nb")] {
        assert!(matches!(add(&file.path(), &wrong), Err(EditError::Wrong(_))), "{wrong:?}");
    }
    assert!(matches!(set_password(&file.path(), "alice", "secret"), Err(EditError::Wrong(_))));
    assert_eq!(file.text(), FILE);
    let broken = TestFile::with("[[user]]\nname = \"a\"\n");
    assert!(matches!(add(&broken.path(), &user("bob")), Err(EditError::Wrong(_))));
    assert_eq!(broken.text(), "[[user]]\nname = \"a\"\n");
}

#[test]
fn users_in_one_line_are_left_to_their_author() {
    let text = "user = [{ name = \"a\", password = \"HASH\", root = \"/srv\" }]\n";
    let file = TestFile::with(text);
    for result in [add(&file.path(), &user("b")), remove(&file.path(), "a"), set_password(&file.path(), "a", "x")] {
        assert!(matches!(result, Err(EditError::Inline(_))));
    }
    assert_eq!(file.text(), text);
}

#[test]
fn edits_at_once_lose_nothing() {
    let file = TestFile::with(FILE);
    let path = file.path();
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let path = &path;
            scope.spawn(move || (0..10).for_each(|index| add(path, &user(&format!("u{thread}-{index}"))).unwrap()));
        }
    });
    assert_eq!(Users::load(&path).unwrap().iter().len(), 42);
    assert_eq!(std::fs::read_dir(file.dir.path()).unwrap().count(), 1, "and leave nothing behind");
}

#[test]
fn a_new_file_is_private_and_an_old_one_keeps_its_mode() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("users.toml");
    let mode = || std::fs::metadata(&path).unwrap().permissions().mode() & 0o7777;
    add(&path, &user("a")).unwrap();
    assert_eq!(mode(), 0o600);
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
    add(&path, &user("b")).unwrap();
    assert_eq!(mode(), 0o640);
}

#[test]
fn a_link_to_the_file_stays_a_link() {
    let file = TestFile::with(FILE);
    let link = file.dir.path().join("link.toml");
    std::os::unix::fs::symlink("users.toml", &link).unwrap();
    add(&link, &user("carol")).unwrap();
    assert!(link.is_symlink() && file.text().contains("carol"));
}

#[test]
fn a_file_that_is_not_there_is_made_for_a_new_user_only() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("users.toml");
    assert!(remove(&path, "a").unwrap_err().to_string().contains("users.toml"));
    assert!(!path.exists());
    let nowhere = dir.path().join("missing/users.toml");
    assert!(add(&nowhere, &user("a")).unwrap_err().to_string().contains("missing/users.toml"));
}
