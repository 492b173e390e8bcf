//! The certificate of a running server: the one that new sessions get, and how it is replaced.

use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::sign::SingleCertAndKey;
use rustls::version::{TLS12, TLS13};
use tracing::{info, warn};

use super::identity::date;
use super::{Identity, SessionTls, TlsError};
use crate::config::{SessionReuse, TlsSettings, TlsVersion};

/// The current certificate, and what sessions are made from.
#[derive(Debug)]
pub struct Certificates {
    settings: TlsSettings,
    provider: Arc<CryptoProvider>,
    identity: Identity,
    /// What all sessions of this certificate have in common. It has no tickets and no cache: see [`SessionTls`].
    base: Arc<ServerConfig>,
}

impl Certificates {
    /// Reads the files; what is doubtful about them is logged.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn open(settings: TlsSettings) -> Result<Certificates, TlsError> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let (identity, base) = load(&settings, &provider)?;
        let certificates = Certificates { settings, provider, identity, base };
        certificates.tell("the certificate");
        Ok(certificates)
    }

    /// Reads the files again, for the sessions from now on; those that are open keep what they have. Both outcomes are
    /// logged.
    ///
    /// # Errors
    /// What is wrong with the files. The certificate stays what it was.
    pub fn reload(&mut self) -> Result<(), TlsError> {
        match load(&self.settings, &self.provider) {
            Ok((identity, base)) => {
                (self.identity, self.base) = (identity, base);
                self.tell("the certificate is read again");
                Ok(())
            }
            Err(error) => {
                warn!("the certificate stays what it was: {error}");
                Err(error)
            }
        }
    }

    /// What becomes of data connections that do not resume.
    pub fn session_reuse(&self) -> SessionReuse {
        self.settings.session_reuse
    }

    /// What clients are shown now.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// The TLS of a new control connection and of its data connections.
    ///
    /// # Errors
    /// When the system has no random bytes.
    pub fn session(&self) -> Result<SessionTls, TlsError> {
        SessionTls::new(&self.base, Arc::clone(&self.identity.key)).map_err(TlsError::Library)
    }

    fn tell(&self, what: &'static str) {
        info!(path = %self.settings.certificate.display(), until = date(self.identity.not_after()), "{what}");
        for warning in self.identity.warnings() {
            warn!("{warning}");
        }
    }
}

fn load(settings: &TlsSettings, provider: &Arc<CryptoProvider>) -> Result<(Identity, Arc<ServerConfig>), TlsError> {
    let identity = Identity::load(&settings.certificate, &settings.key, provider)?;
    let versions: &[_] = match settings.min_version {
        TlsVersion::V1_2 => &[&TLS13, &TLS12],
        TlsVersion::V1_3 => &[&TLS13],
    };
    let config = ServerConfig::builder_with_provider(Arc::clone(provider))
        .with_protocol_versions(versions)
        .map_err(TlsError::Library)?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(Arc::clone(&identity.key))));
    Ok((identity, Arc::new(config)))
}
