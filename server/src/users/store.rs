//! The users of a running server: read again when their file has changed, so that nobody has to restart it.
//!
//! Used by the threads that check passwords, never by that of the sockets.

use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use tracing::{info, warn};

use super::{User, Users, password};
use crate::config::{ConfigErrors, Problem};
use crate::secrets;

/// The file, and what it said when it was last right.
#[derive(Debug)]
pub struct UserStore {
    path: PathBuf,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    users: Arc<Users>,
    seen: Option<Version>,
}

/// What changes when a file does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Version {
    modified: Option<SystemTime>,
    size: u64,
    inode: u64,
    mode: u32,
    owner: (u32, u32),
}

impl UserStore {
    /// Reads the file.
    ///
    /// # Errors
    /// What is wrong with it: a server does not start with users that it cannot read.
    pub fn open(path: PathBuf) -> Result<UserStore, ConfigErrors> {
        let seen = version(&path);
        let users = Arc::new(Users::load(&path)?);
        Ok(UserStore { path, state: Mutex::new(State { users, seen }) })
    }

    /// The user of this name and password, as the file says now. It takes tens of milliseconds.
    pub fn check(&self, name: &[u8], password: &[u8]) -> Option<Arc<User>> {
        password::check(&self.users(), name, password, password::matches)
    }

    /// A file that has become unreadable or wrong is told of once, and the users stay what they were.
    fn users(&self) -> Arc<Users> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let now = version(&self.path);
        if now != state.seen {
            state.seen = now;
            let loaded = secrets::check_users_file(&self.path)
                .map_err(|exposed| ConfigErrors::from(Problem::new(exposed.to_string())))
                .and_then(|()| Users::load(&self.path));
            match loaded {
                Ok(users) => {
                    info!(path = %self.path.display(), users = users.iter().count(), "the users are read again");
                    state.users = Arc::new(users);
                }
                Err(errors) => warn!("the users stay what they were: {errors}"),
            }
        }
        Arc::clone(&state.users)
    }
}

fn version(path: &PathBuf) -> Option<Version> {
    let metadata = std::fs::metadata(path).ok()?;
    Some(Version {
        modified: metadata.modified().ok(),
        size: metadata.len(),
        inode: metadata.ino(),
        mode: metadata.mode(),
        owner: (metadata.uid(), metadata.gid()),
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn changes_are_seen_and_mistakes_are_not_followed() {
        let dir = tempfile::TempDir::new().unwrap();
        let path = dir.path().join("users.toml");
        let user = |name: &str| {
            let hash = password::hash(b"pw").unwrap();
            format!("[[user]]\nname = \"{name}\"\npassword = \"{hash}\"\nroot = \"x\"\n")
        };
        let write = |text: &str| {
            let new = dir.path().join("new");
            std::fs::write(&new, text).unwrap();
            std::fs::rename(&new, &path).unwrap();
        };
        assert!(UserStore::open(path.clone()).is_err(), "it is not there");
        write(&user("alice"));
        let store = UserStore::open(path.clone()).unwrap();
        assert!(store.check(b"alice", b"pw").is_some());
        write(&user("bob"));
        assert!(store.check(b"alice", b"pw").is_none());
        assert!(store.check(b"bob", b"pw").is_some());
        let set_mode = |mode| std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        write(&user("carol"));
        set_mode(0o666);
        assert!(store.check(b"carol", b"pw").is_none(), "others on this machine could have written it");
        assert!(store.check(b"bob", b"pw").is_some());
        set_mode(0o600);
        assert!(store.check(b"carol", b"pw").is_some(), "the mode alone has changed");
        write(&user("bob"));
        assert!(store.check(b"bob", b"pw").is_some());
        write("[[user]]\nname = 5\n");
        assert!(store.check(b"bob", b"pw").is_some(), "the last right file counts");
        std::fs::remove_file(&path).unwrap();
        assert!(store.check(b"bob", b"pw").is_some());
    }
}
