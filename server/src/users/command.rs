//! `muxftpd user …`: the users' file from the command line.

use std::fmt::Write as _;
use std::io::{self, BufRead, IsTerminal, Write};
use std::path::{Path, PathBuf};

use super::{User, Users, check_name, edit, password};
use crate::args::{UserAdd, UserCommand};
use crate::config::{Allowance, show_size};

/// Does what was asked for with the users in `path`; `root` is the directory of a new one.
///
/// # Errors
/// Why it was not done, as a sentence.
pub fn run(command: &UserCommand, root: Option<&Path>, path: &Path) -> Result<(), String> {
    match command {
        UserCommand::Add(user) => add(user, root, path),
        UserCommand::Passwd { name } => {
            if existing(path)?.find(name.as_bytes()).is_none() {
                return Err(format!("there is no user `{name}`; `muxftpd user list` shows all"));
            }
            let hash = password::hash(&ask_password()?)?;
            edit::set_hash(path, name, &hash)?;
            tell(&format!("`{name}` has another password from now on\n"))
        }
        UserCommand::List => tell(&list(&existing(path)?)),
        UserCommand::Remove { name } => {
            edit::remove(path, name)?;
            tell(&format!("`{name}` is removed; the files are where they were\n"))
        }
    }
}

fn add(user: &UserAdd, root: Option<&Path>, path: &Path) -> Result<(), String> {
    check_name(&user.name)?;
    let root = root.ok_or("in which directory is the user to be confined? Add --root DIR")?;
    // Before the password is asked for.
    if path.exists() && existing(path)?.find(user.name.as_bytes()).is_some() {
        return Err(format!("there is a user `{}` already: `muxftpd user passwd` sets another password", user.name));
    }
    let hash = password::hash(&ask_password()?)?;
    let user = User {
        name: user.name.clone(),
        hash,
        // A relative path in the file would be meant from the directory of the file.
        root: std::path::absolute(root).map_err(|error| format!("`{}`: {error}", root.display()))?,
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
    edit::add(path, &user)?;
    let file = path.display();
    tell(&format!("`{}` is a user in {file}; to serve: muxftpd --users {file}\n", user.name))
}

fn existing(path: &Path) -> Result<Users, String> {
    Users::load(path).map_err(|errors| errors.to_string())
}

/// Twice on the terminal, without showing it; one line of anything else.
fn ask_password() -> Result<Vec<u8>, String> {
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
        io::stdin().lock().read_until(b'\n', &mut line).map_err(failed)?;
        let line = line.strip_suffix(b"\n").unwrap_or(&line);
        line.strip_suffix(b"\r").unwrap_or(line).to_vec()
    };
    if password.is_empty() {
        return Err("an empty password is none; nothing was changed".to_owned());
    }
    Ok(password)
}

fn list(users: &Users) -> String {
    let mut out = String::new();
    let width = users.iter().map(|user| user.name.chars().count()).max().unwrap_or(0).max("NAME".len());
    let _ = writeln!(out, "{:width$}  RIGHTS, BOUNDS AND DIRECTORY", "NAME");
    for user in users.iter() {
        let bounds: String = bounds(user).iter().map(|bound| format!("; {bound}")).collect();
        let _ = writeln!(out, "{:width$}  {}{bounds}; {}", user.name, user.permissions, user.root.display());
    }
    out
}

fn bounds(user: &User) -> Vec<String> {
    let Allowance { quota_bytes, quota_files, rate_up, rate_down, sessions, sessions_per_address } = user.allowance;
    let mut bounds = Vec::new();
    bounds.extend(quota_bytes.map(|size| format!("quota {}", show_size(size))));
    bounds.extend(quota_files.map(|count| format!("{count} files")));
    bounds.extend(rate_up.map(|size| format!("up {}/s", show_size(size))));
    bounds.extend(rate_down.map(|size| format!("down {}/s", show_size(size))));
    bounds.extend(sessions.map(|count| format!("{count} sessions")));
    bounds.extend(sessions_per_address.map(|count| format!("{count} sessions per address")));
    bounds.extend(user.from.iter().map(|range| format!("from {range}")));
    bounds
}

fn tell(text: &str) -> Result<(), String> {
    // A reader that went away wants no more.
    let _ = io::stdout().write_all(text.as_bytes());
    Ok(())
}

/// Where the users are when nothing says otherwise.
pub fn default_file() -> PathBuf {
    PathBuf::from("muxftpd-users.toml")
}
