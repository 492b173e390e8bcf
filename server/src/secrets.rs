//! Files that no client may reach: the configuration, the users' file, and the private key of TLS.
//!
//! A client who reads them has hashes or the key; one who writes them becomes any user. So a server does not start while one
//! of them is inside a served directory, or while others on the machine may write it.

use std::ffi::OsString;
use std::fmt;
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

use crate::config::{Config, GuestAccess};
use crate::users::Users;

/// The secret files of a server.
#[derive(Debug, Clone)]
pub struct Secrets(Vec<Secret>);

#[derive(Debug, Clone)]
struct Secret {
    kind: Kind,
    path: PathBuf,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Configuration,
    Users,
    Key,
}

/// A secret file that is in reach, and what to do about it.
#[derive(Debug)]
pub struct Exposed {
    kind: Kind,
    path: PathBuf,
    reach: Reach,
}

#[derive(Debug)]
enum Reach {
    /// A client may read or replace it.
    Served { root: PathBuf, user: Option<String> },
    /// The group, or everybody on the machine, may write it.
    Writable { mode: u32 },
    /// Everybody on the machine may replace it.
    Replaceable { directory: PathBuf },
}

impl Secrets {
    /// Those of a server with this configuration.
    pub fn of(config: &Config) -> Secrets {
        let key = config.tls.as_ref().map(|tls| &tls.key);
        let files =
            [(Kind::Configuration, config.file.as_ref()), (Kind::Users, config.users.as_ref()), (Kind::Key, key)];
        let secret = |(kind, path): (Kind, Option<&PathBuf>)| path.map(|path| Secret { kind, path: path.clone() });
        Secrets(files.into_iter().filter_map(secret).collect())
    }

    /// Looks at everything that can be known at the start.
    ///
    /// # Errors
    /// The first file that is in reach.
    pub fn check(&self, config: &Config, users: Option<&Users>) -> Result<(), Exposed> {
        self.0.iter().try_for_each(|secret| secret.check_modes())?;
        let ways = self.ways();
        if config.guest.access != GuestAccess::Off {
            check_root(&ways, config.guest.root.as_ref().unwrap_or(&config.root), None)?;
        }
        let mut users = users.into_iter().flat_map(Users::iter);
        users.try_for_each(|user| check_root(&ways, &user.root, Some(&user.name)))
    }

    /// Whether the directory of a user has none of them.
    ///
    /// # Errors
    /// The first one that it has.
    pub fn check_user(&self, name: &str, root: &Path) -> Result<(), Exposed> {
        check_root(&self.ways(), root, Some(name))
    }

    /// A file that cannot be looked at is an error of whoever reads it.
    fn ways(&self) -> Vec<(&Secret, Way)> {
        self.0.iter().filter_map(|secret| Some((secret, Way::to(&secret.path).ok()?))).collect()
    }
}

fn check_root(ways: &[(&Secret, Way)], root: &Path, user: Option<&str>) -> Result<(), Exposed> {
    // What is not there has no files.
    let Ok(directory) = fs::metadata(root) else { return Ok(()) };
    let inside = ways.iter().find(|(_, way)| way.directories.iter().any(|passed| is_same(passed, &directory)));
    match inside {
        None => Ok(()),
        Some((secret, _)) => {
            let root = fs::canonicalize(root).unwrap_or_else(|_| root.to_owned());
            Err(secret.exposed(Reach::Served { root, user: user.map(str::to_owned) }))
        }
    }
}

/// Whether nobody else may write the users' file.
///
/// # Errors
/// Somebody else may.
pub(crate) fn check_users_file(path: &Path) -> Result<(), Exposed> {
    Secret { kind: Kind::Users, path: path.to_owned() }.check_modes()
}

impl Secret {
    /// A file that cannot be looked at is an error of whoever reads it.
    fn check_modes(&self) -> Result<(), Exposed> {
        let Ok(way) = Way::to(&self.path) else { return Ok(()) };
        if way.file.mode() & 0o002 != 0 || way.file.mode() & 0o020 != 0 && !has_private_group(&way.file) {
            return Err(self.exposed(Reach::Writable { mode: way.file.mode() & 0o7777 }));
        }
        for directory in way.holding {
            let mode = fs::metadata(&directory).map_or(0, |directory| directory.mode());
            if mode & 0o002 != 0 && mode & STICKY == 0 {
                return Err(self.exposed(Reach::Replaceable { directory }));
            }
        }
        Ok(())
    }

    fn exposed(&self, reach: Reach) -> Exposed {
        Exposed { kind: self.kind, path: self.path.clone(), reach }
    }
}

/// How the kernel gets to a file: whoever may change a directory on the way decides what is found.
struct Way {
    file: Metadata,
    /// Each directory in which a name was looked up.
    directories: Vec<Metadata>,
    /// Those of them that hold the file itself, or a link in its place.
    holding: Vec<PathBuf>,
}

impl Way {
    fn to(path: &Path) -> io::Result<Way> {
        let absolute = std::path::absolute(path)?;
        // The next component is the last one.
        let mut left = components(&absolute);
        let (mut here, mut directories, mut holding) = (PathBuf::from("/"), Vec::new(), Vec::new());
        let mut links = 0;
        while let Some(name) = left.pop() {
            if name == ".." {
                here.pop();
                continue;
            }
            directories.push(fs::metadata(&here)?);
            if left.is_empty() {
                holding.push(here.clone());
            }
            let next = here.join(&name);
            if !fs::symlink_metadata(&next)?.is_symlink() {
                here = next;
                continue;
            }
            links += 1;
            if links > LINKS_MAX {
                return Err(io::ErrorKind::InvalidInput.into());
            }
            let target = fs::read_link(&next)?;
            if target.is_absolute() {
                here = PathBuf::from("/");
            }
            left.extend(components(&target));
        }
        Ok(Way { file: fs::metadata(&here)?, directories, holding })
    }
}

/// Names and `..`, the first one last.
fn components(path: &Path) -> Vec<OsString> {
    let names = path.components().rev().filter_map(|component| match component {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some(OsString::from("..")),
        _ => None,
    });
    names.collect()
}

fn is_same(one: &Metadata, other: &Metadata) -> bool {
    (one.dev(), one.ino()) == (other.dev(), other.ino())
}

/// Where each user has a group of the same number, which nobody else is in, `umask 002` is usual.
fn has_private_group(file: &Metadata) -> bool {
    file.gid() == file.uid()
}

impl std::error::Error for Exposed {}

impl fmt::Display for Exposed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (what, setting) = match self.kind {
            Kind::Configuration => ("the configuration file", "--config"),
            Kind::Users => ("the users' file", "--users"),
            Kind::Key => ("the private key of TLS", "--tls-key"),
        };
        let path = self.path.display();
        match &self.reach {
            Reach::Served { root, user } => {
                let directory = root.display();
                let to = user.as_ref().map_or("guests".to_owned(), |name| format!("the user `{name}`"));
                write!(f, "{what} `{path}` is inside `{directory}`, which is served to {to}: ")?;
                match (root.parent(), self.path.file_name()) {
                    (Some(parent), Some(name)) => write!(
                        f,
                        "move it out with `mv {path} {}` and name it with {setting} {}",
                        parent.display(),
                        parent.join(name).display()
                    ),
                    _ => write!(f, "serve another directory, with --root or `root`"),
                }
            }
            Reach::Writable { mode } => write!(
                f,
                "{what} `{path}` can be written by others on this machine (mode {mode:04o}): `chmod go-w {path}`"
            ),
            Reach::Replaceable { directory } => write!(
                f,
                "{what} `{path}` can be replaced by others on this machine, who may write its directory: \
                 `chmod o-w {}`",
                directory.display()
            ),
        }
    }
}

/// The mode of a directory in which only the owner of a file may remove it, as /tmp is.
const STICKY: u32 = 0o1000;

/// As the kernel.
const LINKS_MAX: usize = 40;

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    /// A directory with a users' file `etc/users` and an empty `srv`.
    fn place() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for name in ["etc", "srv", "srv/deep"] {
            fs::create_dir(dir.path().join(name)).unwrap();
        }
        fs::write(dir.path().join("etc/users"), "").unwrap();
        set_mode(&dir.path().join("etc/users"), 0o600);
        dir
    }

    fn set_mode(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    fn secrets(path: PathBuf) -> Secrets {
        Secrets(vec![Secret { kind: Kind::Users, path }])
    }

    #[test]
    fn a_file_below_a_root_is_found_by_every_way() {
        let dir = place();
        let at = |name: &str| dir.path().join(name);
        let served = |file: &str, root: &str| secrets(at(file)).check_user("alice", &at(root)).is_err();
        assert!(!served("etc/users", "srv") && !served("etc/users", "srv/deep") && !served("etc/missing", "etc"));
        assert!(served("etc/users", "etc") && served("etc/users", "."));
        symlink("etc", at("root-link")).unwrap();
        assert!(served("etc/users", "root-link"), "a root that is a link");
        assert!(!served("srv/../etc/users", "srv/deep"));
        symlink("../../etc/users", at("srv/deep/users")).unwrap();
        assert!(served("srv/deep/users", "srv"), "whoever may replace the link decides which users there are");
        assert!(served("srv/deep/users", "etc"));
        symlink(at("etc"), at("srv/conf")).unwrap();
        assert!(served("srv/conf/users", "srv") && served("srv/conf/users", "etc"));
        symlink("loop", at("loop")).unwrap();
        assert!(!served("loop", "."));
    }

    #[test]
    fn the_remedy_for_a_served_file_is_a_command() {
        let dir = place();
        let path = dir.path().join("etc/users");
        let root = dir.path().join("etc").canonicalize().unwrap();
        let error = secrets(path.clone()).check_user("alice", &root).unwrap_err().to_string();
        let parent = root.parent().unwrap().display();
        let expected = format!(
            "the users' file `{0}` is inside `{1}`, which is served to the user `alice`: move it out with \
             `mv {0} {parent}` and name it with --users {parent}/users",
            path.display(),
            root.display()
        );
        assert_eq!(error, expected);
        let all = secrets(path).check_user("root", Path::new("/")).unwrap_err().to_string();
        assert!(all.contains("served to the user `root`: serve another directory"), "{all}");
    }

    #[test]
    fn a_file_that_others_may_write_or_replace_is_refused() {
        let dir = place();
        let path = dir.path().join("etc/users");
        let check = || check_users_file(&path).map_err(|exposed| exposed.to_string());
        for mode in [0o600, 0o644, 0o640, 0o444] {
            set_mode(&path, mode);
            assert_eq!(check(), Ok(()), "{mode:o}");
        }
        for mode in [0o602, 0o666, 0o646] {
            set_mode(&path, mode);
            let error = check().unwrap_err();
            assert!(error.contains(&format!("(mode {mode:04o}): `chmod go-w {}`", path.display())), "{error}");
        }
        set_mode(&path, 0o664);
        assert_eq!(check().is_ok(), has_private_group(&fs::metadata(&path).unwrap()));
        set_mode(&path, 0o600);
        let directory = dir.path().join("etc");
        set_mode(&directory, 0o777);
        let error = check().unwrap_err();
        assert!(error.ends_with(&format!("may write its directory: `chmod o-w {}`", directory.display())), "{error}");
        set_mode(&directory, 0o1777);
        assert_eq!(check(), Ok(()), "as in /tmp");
    }
}
