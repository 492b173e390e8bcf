//! Who logs in, and with what: from the URL, the environment, `.netrc`, or the terminal.
//!
//! Invariant: a password is never printed.

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use muxftp_proto::{Escaped, Secret};

use crate::netrc::{self, Entry};
use crate::target::ServerName;
use crate::trouble::{Trouble, words};

/// A user and the password.
pub(crate) struct Credentials {
    pub(crate) user: Vec<u8>,
    pub(crate) password: Secret,
    /// The guest: the password is none.
    pub(crate) is_guest: bool,
}

/// Finds them; `user`: of the command line.
///
/// # Errors
/// `.netrc` is not to be trusted, or there is no password and nobody to ask.
pub(crate) fn find(server: &ServerName, user: Option<&str>) -> Result<Credentials, Trouble> {
    let named = server.user.clone().or_else(|| user.map(|user| user.as_bytes().to_vec()));
    if named.as_deref().is_some_and(is_guest) {
        return Ok(guest());
    }
    if let (Some(user), Some(password)) = (&named, server.password.clone().or_else(of_environment)) {
        return Ok(Credentials { user: user.clone(), password, is_guest: false });
    }
    let entry = of_netrc(&server.host, named.as_deref())?.unwrap_or_default();
    let Some(user) = named.or_else(|| entry.login.clone().map(String::into_bytes)).filter(|user| !is_guest(user))
    else {
        return Ok(guest());
    };
    let password = match entry.password {
        Some(password) => Secret(password.into_bytes()),
        None => match of_environment() {
            Some(password) => password,
            None => ask(&user, server)?,
        },
    };
    Ok(Credentials { user, password, is_guest: false })
}

fn is_guest(user: &[u8]) -> bool {
    user == b"anonymous" || user == b"ftp"
}

fn guest() -> Credentials {
    Credentials { user: b"anonymous".to_vec(), password: Secret(b"anonymous@".to_vec()), is_guest: true }
}

fn of_environment() -> Option<Secret> {
    std::env::var_os(PASSWORD_VARIABLE).map(|password| Secret(password.into_encoded_bytes()))
}

fn of_netrc(host: &str, user: Option<&[u8]>) -> Result<Option<Entry>, Trouble> {
    let named = std::env::var_os("NETRC").map(PathBuf::from);
    let Some(path) = named.or_else(|| Some(std::env::home_dir()?.join(".netrc"))) else { return Ok(None) };
    let user = match user.map(str::from_utf8) {
        None => None,
        Some(Ok(user)) => Some(user),
        // The file is text.
        Some(Err(_)) => return Ok(None),
    };
    let (text, is_private) = match read(&path) {
        Ok(read) => read,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Trouble::local("read", path.display(), error)),
    };
    let entry = netrc::find(&text, host, user);
    if !is_private && entry.as_ref().is_some_and(|entry| entry.password.is_some()) {
        let path = path.display();
        return Err(Trouble::Usage(format!(
            "{path} holds passwords that others on this machine can read: chmod 600 {path}"
        )));
    }
    Ok(entry)
}

/// The text of a file, and whether nobody but its owner can read it.
fn read(path: &Path) -> io::Result<(String, bool)> {
    let mut file = File::open(path)?;
    let is_private = file.metadata()?.permissions().mode() & OTHERS == 0;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok((String::from_utf8_lossy(&bytes).into_owned(), is_private))
}

fn ask(user: &[u8], server: &ServerName) -> Result<Secret, Trouble> {
    let question = format!("password of {} at {}: ", Escaped(user), Escaped(server.host.as_bytes()));
    match rpassword::prompt_password(question) {
        Ok(password) => Ok(Secret(password.into_bytes())),
        Err(error) => Err(Trouble::Usage(format!(
            "no password for {}: put it into {PASSWORD_VARIABLE} or ~/.netrc; it cannot be asked for here ({})",
            Escaped(user),
            words(&error)
        ))),
    }
}

const PASSWORD_VARIABLE: &str = "MUXFTP_PASSWORD";

/// The permissions of a file that are not its owner's.
const OTHERS: u32 = 0o077;
