//! Whom a client trusts: the configurations of TLS for [`crate::driver::TlsTrust`], and what is wrong with a server in words.
//!
//! It must not know connections.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use muxftp_reactor::tls::TlsError;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::version::{TLS12, TLS13};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme, SupportedProtocolVersion,
};

/// Whose word a server's certificate needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Authorities<'a> {
    /// Of one that this system trusts.
    System,
    /// Of one in this file (PEM), and no other.
    File(&'a Path),
    /// Nobody's: whoever is on the way can be the server. For tests.
    Anybody,
}

/// Why there is no configuration.
#[derive(Debug)]
pub enum ConfigError {
    /// The file cannot be read.
    Read(PathBuf, io::Error),
    /// The file is no PEM, or no certificate that could be trusted.
    Unusable(PathBuf, String),
    /// rustls does not take it.
    Tls(rustls::Error),
}

/// How a client speaks TLS.
#[derive(Debug, Clone)]
pub struct Configs {
    /// TLS 1.3, or 1.2.
    pub(crate) usual: ClientConfig,
    /// A session of TLS 1.2 can be resumed any number of times; of TLS 1.3, as often as the server has given tickets.
    pub(crate) only_tls12: ClientConfig,
}

/// The configurations for those who trust these authorities.
///
/// # Errors
/// The file of authorities is of no use.
pub fn configs(authorities: Authorities<'_>) -> Result<Configs, ConfigError> {
    let roots = match authorities {
        Authorities::System => Some(Arc::new(of_system())),
        Authorities::File(file) => Some(Arc::new(of_file(file)?)),
        Authorities::Anybody => None,
    };
    Ok(Configs { usual: config(roots.clone(), &[&TLS13, &TLS12])?, only_tls12: config(roots, &[&TLS12])? })
}

/// Without roots, whoever is on the way can be the server.
fn config(
    roots: Option<Arc<RootCertStore>>,
    versions: &[&'static SupportedProtocolVersion],
) -> Result<ClientConfig, ConfigError> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(versions)
        .map_err(ConfigError::Tls)?;
    let builder = match roots {
        Some(roots) => builder.with_root_certificates(roots),
        None => builder.dangerous().with_custom_certificate_verifier(Arc::new(NoVerifier(provider))),
    };
    Ok(builder.with_no_client_auth())
}

/// Whether the error of a connection says that the server does not speak TLS at all.
pub fn is_none(error: &io::Error) -> bool {
    let error = error.get_ref().and_then(|error| error.downcast_ref::<TlsError>());
    matches!(error, Some(TlsError::NotTls))
}

/// What is wrong with TLS to a server, when the error of a connection is of TLS: for a person.
pub fn explain(error: &io::Error) -> Option<String> {
    let error = error.get_ref()?.downcast_ref::<TlsError>()?;
    let TlsError::Certificate(wrong) = error else { return Some(error.to_string()) };
    Some(match wrong {
        // All but the first: somebody else of the same name.
        CertificateError::UnknownIssuer
        | CertificateError::BadSignature
        | CertificateError::UnsupportedSignatureAlgorithmContext { .. }
        | CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => {
            "its certificate is not signed by anybody this system trusts: --ca FILE, or --insecure for a test"
                .to_owned()
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            format!("its certificate is of another server: {wrong}")
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            format!("its certificate is out of date: {wrong}")
        }
        other => format!("its certificate is not accepted: {other}"),
    })
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ConfigError::Read(file, error) => write!(f, "cannot read {}: {error}", file.display()),
            ConfigError::Unusable(file, why) => write!(f, "{}: {why}", file.display()),
            ConfigError::Tls(error) => write!(f, "TLS cannot be set up: {error}"),
        }
    }
}

impl std::error::Error for ConfigError {}

/// Certificates of the system that cannot be read are left out: a server that needs one will be told apart.
fn of_system() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    let _counts = roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    roots
}

fn of_file(file: &Path) -> Result<RootCertStore, ConfigError> {
    let wrong = |error| match error {
        pem::Error::Io(error) => ConfigError::Read(file.to_owned(), error),
        other => ConfigError::Unusable(file.to_owned(), other.to_string()),
    };
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(file).map_err(wrong)? {
        let added = roots.add(certificate.map_err(wrong)?);
        added.map_err(|error| ConfigError::Unusable(file.to_owned(), error.to_string()))?;
    }
    match roots.is_empty() {
        true => Err(ConfigError::Unusable(file.to_owned(), "there is no certificate in it (PEM is wanted)".to_owned())),
        false => Ok(roots),
    }
}

/// Takes any certificate; that the server holds its key is still asked for.
#[derive(Debug)]
struct NoVerifier(Arc<CryptoProvider>);

impl ServerCertVerifier for NoVerifier {
    fn verify_server_cert(
        &self,
        _certificate: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
