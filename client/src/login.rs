//! From the command line and the URL to what is spoken with a server: dialect, user, TLS.
//!
//! It must not know the network.

use std::sync::Arc;

use muxftp_client::driver::{Speech, TlsTrust};
use muxftp_client::tls::{self, Authorities, ConfigError};
use muxftp_proto::Dialect;
use muxftp_proto::client::io::{DataMode, FtpSettings, Security};
use rustls::pki_types;

use crate::args::{Connection, TlsChoice};
use crate::credentials::{self, Credentials};
use crate::target::ServerName;
use crate::trouble::Trouble;

/// What is spoken with a server.
#[derive(Clone)]
pub(crate) struct LogIn {
    pub(crate) speech: Speech,
    /// Without TLS the password of a user goes in the clear, and nobody has said that it may.
    pub(crate) has_secret: bool,
    /// The server does not speak TLS 1.2.
    pub(crate) is_tls12_refused: bool,
}

impl LogIn {
    /// The same by TLS 1.2; `None`: there is no TLS, or the server has refused that one.
    pub(crate) fn by_tls12(&self) -> Option<LogIn> {
        let Speech::Ftp { settings, tls: Some(trust) } = &self.speech else { return None };
        let speech =
            Speech::Ftp { settings: settings.clone(), tls: Some(Arc::new(trust.as_ref().clone().only_tls12())) };
        (!self.is_tls12_refused).then(|| LogIn { speech, ..*self })
    }
}

/// Puts it together; may ask for a password.
///
/// # Errors
/// Options that do not fit, no password, or a file of authorities that is of no use.
pub(crate) fn prepare(server: &ServerName, connection: &Connection) -> Result<LogIn, Trouble> {
    if server.dialect != Dialect::Ftp {
        return match connection {
            Connection { user: None, tls: None, ca: None, insecure: false, active: false, .. } => {
                Ok(LogIn { speech: Speech::Line(server.dialect), has_secret: false, is_tls12_refused: false })
            }
            _ => Err(Trouble::Usage(format!(
                "{server}: --user, --tls, --ca, --insecure and --active are for ftp:// and ftps://"
            ))),
        };
    }
    let security = security(server, connection.tls)?;
    let tls = (security != Security::None).then(|| trust(server, connection)).transpose()?;
    let Credentials { user, password, is_guest } = credentials::find(server, connection.user.as_deref())?;
    let has_secret = !is_guest && security != Security::None;
    let settings = FtpSettings {
        password,
        security,
        data: if connection.active { DataMode::Active } else { DataMode::Passive },
        ..FtpSettings::of_user(&user, b"")
    };
    let speech = Speech::Ftp { settings: Arc::new(settings), tls };
    Ok(LogIn { speech, has_secret, is_tls12_refused: false })
}

fn security(server: &ServerName, choice: Option<TlsChoice>) -> Result<Security, Trouble> {
    match (server.is_implicit, choice) {
        (true, Some(TlsChoice::Off)) => {
            Err(Trouble::Usage("ftps:// is TLS from the first byte on: `--tls off` goes with ftp://".to_owned()))
        }
        (true, _) => Ok(Security::Implicit),
        (false, Some(TlsChoice::Off)) => Ok(Security::None),
        (false, None | Some(TlsChoice::Optional)) => Ok(Security::Explicit { required: false }),
        (false, Some(TlsChoice::Required)) => Ok(Security::Explicit { required: true }),
    }
}

fn trust(server: &ServerName, connection: &Connection) -> Result<Arc<TlsTrust>, Trouble> {
    let name = pki_types::ServerName::try_from(server.host.clone())
        .map_err(|_| Trouble::Usage(format!("{server}: no certificate can be of a host of this name (--tls off)")))?;
    let authorities = match (connection.insecure, &connection.ca) {
        (true, _) => {
            eprintln!(
                "muxftp: WARNING: --insecure: nobody looks whether this is the server, or anyone on the way to it"
            );
            Authorities::Anybody
        }
        (false, Some(file)) => Authorities::File(file),
        (false, None) => Authorities::System,
    };
    let configs = tls::configs(authorities).map_err(|error| match error {
        ConfigError::Read(file, error) => Trouble::local("read", file.display(), error),
        other => Trouble::Usage(other.to_string()),
    })?;
    Ok(Arc::new(TlsTrust::new(configs, name)))
}
