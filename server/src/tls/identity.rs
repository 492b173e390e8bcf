//! A certificate with its private key, out of two PEM files: checked as far as can be without a client.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use muxftp_proto::representation::time::Civil;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::TlsError;

/// What the server shows to clients.
#[derive(Debug, Clone)]
pub struct Identity {
    pub(super) key: Arc<CertifiedKey>,
    /// Both in seconds since 1970.
    not_before: i64,
    not_after: i64,
    /// The file of the key, if others than its owner and group may read it.
    exposed: Option<PathBuf>,
}

impl Identity {
    /// Reads both files.
    ///
    /// # Errors
    /// What is wrong with which of them. A time that is not within those of the certificate is no error: see
    /// [`Identity::warnings`].
    pub fn load(certificate: &Path, key: &Path, provider: &CryptoProvider) -> Result<Identity, TlsError> {
        let chain = chain(certificate)?;
        let private_key = private_key(key)?;
        let (not_before, not_after) = validity(certificate, &chain[0])?;
        let private_key = provider
            .key_provider
            .load_private_key(private_key)
            .map_err(|error| TlsError::UnknownKey { path: key.to_owned(), error })?;
        let certified = CertifiedKey::new(chain, private_key);
        certified.keys_match().map_err(|error| match error {
            rustls::Error::InconsistentKeys(_) => {
                TlsError::Mismatch { certificate: certificate.to_owned(), key: key.to_owned() }
            }
            error => TlsError::Damaged { path: certificate.to_owned(), reason: error.to_string() },
        })?;
        let exposed = is_readable_by_all(key)?.then(|| key.to_owned());
        Ok(Identity { key: Arc::new(certified), not_before, not_after, exposed })
    }

    /// Its last second, in seconds since 1970: after it no client takes it.
    pub fn not_after(&self) -> i64 {
        self.not_after
    }

    /// What somebody should look at, each in a sentence.
    pub fn warnings(&self) -> Vec<String> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs() as i64);
        self.warnings_at(now)
    }

    /// The same at another time.
    fn warnings_at(&self, now: i64) -> Vec<String> {
        let mut warnings = Vec::new();
        if now > self.not_after {
            warnings.push(format!("the certificate has expired on {}: clients will refuse it", date(self.not_after)));
        }
        if now < self.not_before {
            let since = date(self.not_before);
            warnings.push(format!("the certificate is not valid before {since}: clients will refuse it"));
        }
        if let Some(path) = &self.exposed {
            let path = path.display();
            warnings.push(format!("everybody on this machine may read the private key `{path}`: chmod 600 {path}"));
        }
        warnings
    }
}

/// `YYYY-MM-DD` in UTC.
pub(super) fn date(unix_seconds: i64) -> String {
    let Civil { year, month, day, .. } = Civil::of(unix_seconds);
    format!("{year:04}-{month:02}-{day:02}")
}

/// All certificates of the file, at least one.
fn chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let text = read(path)?;
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    match chain {
        Ok(chain) if chain.is_empty() => Err(TlsError::NoCertificate(path.to_owned())),
        Ok(chain) => Ok(chain),
        Err(error) => Err(damaged(path, &error)),
    }
}

/// The first private key of the file: PKCS #8, SEC 1 or PKCS #1.
fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    let text = read(path)?;
    PrivateKeyDer::from_pem_slice(&text).map_err(|error| match error {
        pem::Error::NoItemsFound if mentions(&text, b"BEGIN ENCRYPTED PRIVATE KEY") => {
            TlsError::EncryptedKey(path.to_owned())
        }
        pem::Error::NoItemsFound => TlsError::NoKey(path.to_owned()),
        error => damaged(path, &error),
    })
}

fn validity(path: &Path, certificate: &CertificateDer<'_>) -> Result<(i64, i64), TlsError> {
    match X509Certificate::from_der(certificate) {
        Ok((_, parsed)) => {
            let validity = parsed.validity();
            Ok((validity.not_before.timestamp(), validity.not_after.timestamp()))
        }
        Err(_) => Err(TlsError::Damaged { path: path.to_owned(), reason: "its first certificate is none".to_owned() }),
    }
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    fs::read(path).map_err(|error| TlsError::Read { path: path.to_owned(), error })
}

fn is_readable_by_all(path: &Path) -> Result<bool, TlsError> {
    let metadata = fs::metadata(path).map_err(|error| TlsError::Read { path: path.to_owned(), error })?;
    Ok(metadata.permissions().mode() & 0o004 != 0)
}

fn damaged(path: &Path, error: &pem::Error) -> TlsError {
    let reason = match error {
        pem::Error::MissingSectionEnd { .. } => "it ends in the middle".to_owned(),
        error => error.to_string(),
    };
    TlsError::Damaged { path: path.to_owned(), reason }
}

fn mentions(text: &[u8], words: &[u8]) -> bool {
    text.windows(words.len()).any(|window| window == words)
}

#[cfg(test)]
mod tests {
    use rustls::crypto::aws_lc_rs;

    use super::*;

    #[test]
    fn times_and_modes_are_warned_of() {
        let dir = tempfile::tempdir().unwrap();
        let (certificate, key) = (dir.path().join("c"), dir.path().join("k"));
        let mut params = rcgen::CertificateParams::new(["localhost".to_owned()]).unwrap();
        params.not_before = rcgen::date_time_ymd(2020, 2, 29);
        params.not_after = rcgen::date_time_ymd(2020, 12, 31);
        let pair = rcgen::KeyPair::generate().unwrap();
        fs::write(&certificate, params.self_signed(&pair).unwrap().pem()).unwrap();
        fs::write(&key, pair.serialize_pem()).unwrap();
        fs::set_permissions(&key, fs::Permissions::from_mode(0o640)).unwrap();
        let load = || Identity::load(&certificate, &key, &aws_lc_rs::default_provider()).unwrap();

        let identity = load();
        let [first, last] = [1_582_934_400, 1_609_372_800];
        assert_eq!(identity.not_after(), last);
        assert_eq!(identity.warnings_at(first), [""; 0]);
        assert_eq!(identity.warnings_at(last), [""; 0]);
        let early = "the certificate is not valid before 2020-02-29: clients will refuse it";
        assert_eq!(identity.warnings_at(first - 1), [early]);
        let late = "the certificate has expired on 2020-12-31: clients will refuse it";
        assert_eq!(
            (identity.warnings_at(last + 1), identity.warnings()),
            (vec![late.to_owned()], vec![late.to_owned()])
        );
        fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
        let [open] = &load().warnings_at(first)[..] else { panic!("one warning") };
        assert!(open.starts_with("everybody on this machine may read the private key") && open.contains("chmod 600"));
    }
}
