//! Why there is no TLS, in a sentence that names the file and the remedy.

use std::fmt;
use std::io;
use std::path::PathBuf;

/// Why a certificate and its key cannot be used.
#[derive(Debug)]
pub enum TlsError {
    /// A file cannot be read.
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// A file is no PEM, or what it encloses is cut or changed.
    Damaged {
        /// Which.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// There is no certificate in the file.
    NoCertificate(PathBuf),
    /// There is no private key in the file.
    NoKey(PathBuf),
    /// The private key is protected with a passphrase, which nobody could type.
    EncryptedKey(PathBuf),
    /// The private key is of a kind that is not known.
    UnknownKey {
        /// Its file.
        path: PathBuf,
        /// What the library says.
        error: rustls::Error,
    },
    /// The private key belongs to another certificate.
    Mismatch {
        /// The file of the certificate.
        certificate: PathBuf,
        /// The file of the key.
        key: PathBuf,
    },
    /// The library refuses.
    Library(rustls::Error),
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TlsError::Read { path, error } => write!(
                f,
                "cannot read `{}`, which TLS needs: {error}; `muxftpd cert self-signed` makes a certificate and its key",
                path.display()
            ),
            TlsError::Damaged { path, reason } => {
                write!(f, "`{}` is damaged ({reason}); write it again, in PEM", path.display())
            }
            TlsError::NoCertificate(path) => {
                write!(f, "`{}` has no certificate: in PEM it begins with -----BEGIN CERTIFICATE-----", path.display())
            }
            TlsError::NoKey(path) => write!(
                f,
                "`{}` has no private key: in PEM it begins with -----BEGIN PRIVATE KEY-----, or with EC or RSA before \
                 PRIVATE",
                path.display()
            ),
            TlsError::EncryptedKey(path) => write!(
                f,
                "the private key in `{0}` has a passphrase; write it without one: `openssl pkey -in {0} -out KEY.pem`",
                path.display()
            ),
            TlsError::UnknownKey { path, error } => {
                write!(f, "the private key in `{}` is not one of ECDSA, Ed25519 or RSA ({error})", path.display())
            }
            TlsError::Mismatch { certificate, key } => write!(
                f,
                "the private key in `{}` does not belong to the first certificate in `{}`; name two that were made \
                 together",
                key.display(),
                certificate.display()
            ),
            TlsError::Library(error) => write!(f, "TLS cannot be had: {error}"),
        }
    }
}

impl std::error::Error for TlsError {}
