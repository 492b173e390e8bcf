//! From the access of a scenario to what a connection is told: user, password, TLS.
//!
//! Reads the environment and files of authorities; it must not know how a run goes.

use std::path::Path;
use std::sync::Arc;

use muxftp_client::driver::{Speech, TlsTrust};
use muxftp_client::tls::{self, Authorities};
use muxftp_proto::Secret;
use muxftp_proto::client::io::{FtpSettings, Security};
use rustls::pki_types::ServerName;

use crate::scenario::access::{Access, Password};

/// What is said to a server of `ftp`. `host` is whom its certificate must be of, `ca` vouches instead of the access's own.
///
/// # Errors
/// In words: no such variable, or a file that is of no use.
pub fn of_access(access: &Access, host: &str, ca: Option<&Path>) -> Result<Speech, String> {
    let named = match (&access.user, password(&access.password)?) {
        (Some(user), Secret(password)) => FtpSettings::of_user(user.as_bytes(), &password),
        (None, _) => FtpSettings::anonymous(),
    };
    let (data, extended) = access.data.modes();
    let settings = Arc::new(FtpSettings { security: access.tls, data, extended, ..named });
    let tls = match access.tls {
        Security::None => None,
        Security::Explicit { .. } | Security::Implicit => Some(trust(access, host, ca)?),
    };
    Ok(Speech::Ftp { settings, tls })
}

fn password(password: &Password) -> Result<Secret, String> {
    match password {
        Password::None => Ok(Secret(Vec::new())),
        Password::Given(secret) => Ok(secret.clone()),
        Password::Environment(name) => {
            let value = std::env::var(name).map_err(|error| format!("password_env: {name}: {error}"))?;
            Ok(Secret(value.into_bytes()))
        }
    }
}

fn trust(access: &Access, host: &str, ca: Option<&Path>) -> Result<Arc<TlsTrust>, String> {
    let name = ServerName::try_from(host.to_owned()).map_err(|error| format!("{host}: {error}"))?;
    let authorities = match (access.insecure, ca.or(access.ca.as_deref())) {
        (true, _) => Authorities::Anybody,
        (false, Some(file)) => Authorities::File(file),
        (false, None) => Authorities::System,
    };
    let configs = tls::configs(authorities).map_err(|error| error.to_string())?;
    Ok(Arc::new(TlsTrust::new(configs, name)))
}
