//! How a run logs in to a server of `ftp`: the keys of `[target]` beyond its address.
//!
//! Opens no file and reads no environment: that is done when the run starts. Invariant: a password is never written out.

use std::path::PathBuf;

use muxftp_proto::Secret;
use muxftp_proto::client::io::{DataMode, Extended, Security};

use super::document::{Kind, Value};
use super::problems::Collector;
use super::schema::{Section, boolean, string, word};

/// Who logs in, and how the connections are made.
#[derive(Debug, Clone)]
pub struct Access {
    /// `None`: the guest (`anonymous`).
    pub user: Option<String>,
    /// Where the password comes from.
    pub password: Password,
    /// TLS.
    pub tls: Security,
    /// A file of authorities (PEM) that vouch for the server; `None`: those of this system.
    pub ca: Option<PathBuf>,
    /// Whoever is on the way may be the server: for tests.
    pub insecure: bool,
    /// How data connections are made.
    pub data: DataChoice,
}

/// Where the password comes from.
#[derive(Debug, Clone)]
pub enum Password {
    /// Nowhere: the guest's, or none.
    None,
    /// From this environment variable.
    Environment(String),
    /// From the URL on the command line. A resolved scenario does not have it.
    Given(Secret),
}

/// How data connections are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DataChoice {
    /// EPSV, and PASV once a server has refused that.
    Passive,
    /// EPSV only.
    Epsv,
    /// PASV only.
    Pasv,
    /// EPRT, and PORT once a server has refused that.
    Active,
    /// EPRT only.
    Eprt,
    /// PORT only.
    Port,
}

impl DataChoice {
    /// What it means to a session.
    pub fn modes(self) -> (DataMode, Extended) {
        match self {
            DataChoice::Passive => (DataMode::Passive, Extended::Preferred),
            DataChoice::Epsv => (DataMode::Passive, Extended::Only),
            DataChoice::Pasv => (DataMode::Passive, Extended::Never),
            DataChoice::Active => (DataMode::Active, Extended::Preferred),
            DataChoice::Eprt => (DataMode::Active, Extended::Only),
            DataChoice::Port => (DataMode::Active, Extended::Never),
        }
    }

    /// The word of the scenario file.
    pub fn word(self) -> &'static str {
        let found = DATA.iter().find(|(_, choice)| *choice == self);
        found.map_or("passive", |(word, _)| word)
    }
}

/// The word of the scenario file for TLS.
pub fn tls_word(tls: Security) -> &'static str {
    match tls {
        Security::None => "off",
        Security::Explicit { .. } => "required",
        Security::Implicit => "implicit",
    }
}

/// Reads the keys of a target that speaks `ftp`.
pub(super) fn read(section: &mut Section<'_>, problems: &mut Collector) -> Access {
    let user = section.read("user", problems, string);
    let variable = section.read("password_env", problems, string);
    let given = section.read("password", problems, given_password);
    let tls = section.read("tls", problems, word(TLS)).unwrap_or(Security::None);
    let ca = section.read("ca", problems, string).map(PathBuf::from);
    let insecure = section.read("insecure", problems, boolean).unwrap_or(false);
    if tls == Security::None {
        for key in ["ca", "insecure"] {
            section.refuse(key, problems, "TLS: tls = \"required\" or tls = \"implicit\"");
        }
    }
    if user.is_none() {
        for key in ["password", "password_env"] {
            section.refuse(key, problems, "`user`");
        }
    }
    let password = match (given, variable) {
        (Some(secret), _) => Password::Given(secret),
        (None, Some(variable)) => Password::Environment(variable),
        (None, None) => Password::None,
    };
    let data = section.read("data", problems, word(DATA)).unwrap_or(DataChoice::Passive);
    Access { user, password, tls, ca, insecure, data }
}

/// Reports the keys of `ftp` in a target that speaks something else.
pub(super) fn refuse(section: &mut Section<'_>, problems: &mut Collector) {
    for key in KEYS {
        section.refuse(key, problems, "dialect = \"ftp\"");
    }
}

/// Only from outside the file: a scenario is shown to others, and copied into the results.
fn given_password(value: &Value) -> Result<Secret, String> {
    match &value.kind {
        Kind::String(text) if value.place.source != 0 => Ok(Secret(text.clone().into_bytes())),
        _ => Err("a password does not stand in a scenario: name an environment variable, `password_env`".into()),
    }
}

const KEYS: [&str; 7] = ["user", "password_env", "password", "tls", "ca", "insecure", "data"];
const TLS: &[(&str, Security)] =
    &[("off", Security::None), ("required", Security::Explicit { required: true }), ("implicit", Security::Implicit)];
const DATA: &[(&str, DataChoice)] = &[
    ("passive", DataChoice::Passive),
    ("epsv", DataChoice::Epsv),
    ("pasv", DataChoice::Pasv),
    ("active", DataChoice::Active),
    ("eprt", DataChoice::Eprt),
    ("port", DataChoice::Port),
];
