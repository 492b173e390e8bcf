//! `muxftpd user …`: the users' file from the command line.

use std::fmt::{self, Write as _};
use std::io::{self, BufRead, IsTerminal, Read, Write};
use std::path::{Path, PathBuf};

use muxftp_proto::Permissions;

use super::edit::{self, EditError};
use super::{User, Users, password};
use crate::args::{UserAdd, UserCommand};
use crate::config::{Allowance, ConfigErrors, show_size};

/// Why a command was not done.
#[derive(Debug)]
pub enum UserError {
    /// The command line is not whole, in a sentence.
    Usage(&'static str),
    /// The password, in a sentence.
    Password(String),
    /// The users' file cannot be read.
    File(ConfigErrors),
    /// The users' file stays as it is.
    Edit(EditError),
}

impl fmt::Display for UserError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            UserError::Usage(sentence) => write!(f, "error: {sentence}"),
            UserError::Password(sentence) => write!(f, "error: {sentence}"),
            UserError::File(errors) => errors.fmt(f),
            UserError::Edit(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for UserError {}

impl From<ConfigErrors> for UserError {
    fn from(errors: ConfigErrors) -> Self {
        UserError::File(errors)
    }
}

impl From<EditError> for UserError {
    fn from(error: EditError) -> Self {
        UserError::Edit(error)
    }
}

/// Does what was asked for with the users in `path`, `served` by a server of this configuration or not yet; `root` is
/// the directory of a new one.
///
/// # Errors
/// Why it was not done.
pub fn run(command: &UserCommand, root: Option<&Path>, path: &Path, served: bool) -> Result<(), UserError> {
    let file = path.display();
    match command {
        UserCommand::Add(user) => {
            add(user, root, path)?;
            tell(&format!("added `{}` to {file}\n", user.name));
            if !served {
                tell(&format!("to serve these users: muxftpd --users {file}\n"));
            }
        }
        UserCommand::Passwd { name } => {
            edit::existing(&Users::load(path)?, name)?;
            edit::set_password(path, name, &ask_password().map_err(UserError::Password)?)?;
            tell(&format!("`{name}` has a new password\n"));
        }
        UserCommand::List => tell(&list(&Users::load(path)?)),
        UserCommand::Remove { name } => {
            edit::remove(path, name)?;
            tell(&format!("removed `{name}` from {file}; the files are where they were\n"));
        }
    }
    Ok(())
}

fn add(user: &UserAdd, root: Option<&Path>, path: &Path) -> Result<(), UserError> {
    let Some(root) = root else {
        return Err(UserError::Usage("in which directory is the user to be confined? Add --root DIR"));
    };
    // Before the password is asked for.
    if path.exists() {
        edit::absent(&Users::load(path)?, &user.name)?;
    }
    // A relative path in the file would be meant from the directory of the file.
    let root = std::path::absolute(root).map_err(|_| UserError::Usage("--root is empty, or here is no directory"))?;
    let hash = ask_password().map_err(UserError::Password)?;
    let user = User {
        name: user.name.clone(),
        hash,
        root,
        permissions: user.permissions,
        allowance: Allowance {
            quota_bytes: user.quota_bytes,
            quota_files: user.quota_files.map(u64::from),
            rate_up: user.rate_up,
            rate_down: user.rate_down,
            sessions: user.sessions,
            sessions_per_address: None,
        },
        from: user.from.clone(),
    };
    Ok(edit::add(path, &user)?)
}

/// The hash of a password that is asked for: twice on the terminal, without showing it; or a line of anything else.
fn ask_password() -> Result<String, String> {
    let failed = |error: io::Error| format!("cannot read the password: {error}");
    let password = if io::stdin().is_terminal() {
        let first = rpassword::prompt_password("Password: ").map_err(failed)?;
        let second = rpassword::prompt_password("Once more: ").map_err(failed)?;
        if first != second {
            return Err("the passwords differ; nothing was changed".to_owned());
        }
        first.into_bytes()
    } else {
        let mut line = Vec::new();
        io::stdin().lock().take(PASSWORD_BYTES_MAX as u64 + 2).read_until(b'\n', &mut line).map_err(failed)?;
        let line = line.strip_suffix(b"\n").unwrap_or(&line);
        line.strip_suffix(b"\r").unwrap_or(line).to_vec()
    };
    match password.len() {
        0 => Err("an empty password is none; nothing was changed".to_owned()),
        1..=PASSWORD_BYTES_MAX => password::hash(&password),
        _ => Err(format!("a password has at most {PASSWORD_BYTES_MAX} bytes; nothing was changed")),
    }
}

fn list(users: &Users) -> String {
    let rows: Vec<[String; 4]> = users
        .iter()
        .map(|user| {
            let root = user.root.display().to_string();
            let permissions = match user.permissions {
                Permissions::ALL => "all".to_owned(),
                Permissions::READ_ONLY => "read-only".to_owned(),
                some => some.to_string(),
            };
            [user.name.clone(), root, permissions, bounds(user)]
        })
        .collect();
    let heads = ["NAME", "ROOT", "PERMISSIONS", "LIMITS"].map(str::to_owned);
    let width = |column: usize| {
        rows.iter().chain([&heads]).map(|row| row[column].chars().count()).max().expect("the heads are there")
    };
    let widths = [width(0), width(1), width(2)];
    let mut out = String::new();
    for [name, root, permissions, bounds] in [&heads].into_iter().chain(&rows) {
        let [first, second, third] = widths;
        let _ = writeln!(out, "{name:first$}  {root:second$}  {permissions:third$}  {bounds}");
    }
    out
}

fn bounds(user: &User) -> String {
    let Allowance { quota_bytes, quota_files, rate_up, rate_down, sessions, sessions_per_address } = user.allowance;
    let mut bounds = Vec::new();
    bounds.extend(quota_bytes.map(show_size));
    bounds.extend(quota_files.map(|count| format!("{count} files")));
    bounds.extend(rate_up.map(|size| format!("up {}/s", show_size(size))));
    bounds.extend(rate_down.map(|size| format!("down {}/s", show_size(size))));
    bounds.extend(sessions.map(|count| format!("{count} sessions")));
    bounds.extend(sessions_per_address.map(|count| format!("{count} sessions per address")));
    bounds.extend(user.from.iter().map(|range| format!("from {range}")));
    if bounds.is_empty() { "none".to_owned() } else { bounds.join(", ") }
}

fn tell(text: &str) {
    // A reader that went away wants no more.
    let _ = io::stdout().write_all(text.as_bytes());
}

/// Where the users are when nothing says otherwise.
pub fn default_file() -> PathBuf {
    PathBuf::from("muxftpd-users.toml")
}

/// Longer than any that is typed or made, and it fits into a line of the control connection.
const PASSWORD_BYTES_MAX: usize = 512;
