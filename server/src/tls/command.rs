//! `muxftpd cert self-signed`: a certificate for tests, and for those who tell their clients to trust it.

use std::fmt;
use std::fs::{self, Permissions};
use std::io::{self, Write};
use std::net::IpAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rcgen::{CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose};
use sha2::{Digest, Sha256};
use tempfile::{NamedTempFile, PersistError};

use super::identity::date;
use crate::args::{CertCommand, SelfSigned};

/// Why there is no certificate.
#[derive(Debug)]
pub enum CertError {
    /// The command line makes no sense, in a sentence.
    Usage(String),
    /// The file is there already.
    Exists(PathBuf),
    /// A file could not be written.
    Write {
        /// Which.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// The library refuses.
    Library(rcgen::Error),
}

/// Does what was asked for, and says so on standard output.
///
/// # Errors
/// Why it was not done. Then there is neither of the files, or both are as they were.
pub fn run(command: &CertCommand) -> Result<(), CertError> {
    let CertCommand::SelfSigned(wanted) = command;
    let (certificate_path, key_path) = paths(wanted)?;
    for path in [&certificate_path, &key_path] {
        check_free(path, wanted.force)?;
    }
    let names = if wanted.name.is_empty() { default_names() } else { wanted.name.clone() };
    let made = make(&names, wanted.days).map_err(CertError::Library)?;
    write_both(&made, &certificate_path, &key_path, wanted.force)?;
    // A reader that went away wants no more.
    let _ = io::stdout().write_all(made.report(&names, &certificate_path, &key_path).as_bytes());
    Ok(())
}

/// A name that a certificate can be for: that of a machine, `*.` before one, or an address.
pub(crate) fn parse_name(text: &str) -> Result<String, String> {
    let labels = text.strip_prefix("*.").unwrap_or(text).split('.');
    let is_label = |label: &str| {
        (1..=63).contains(&label.len()) && label.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
    };
    let is_name = text.len() <= 253 && labels.clone().all(is_label);
    if text.parse::<IpAddr>().is_ok() || is_name {
        return Ok(text.to_owned());
    }
    Err("neither an address nor the name of a machine, such as ftp.example.com".to_owned())
}

/// A certificate and its key, in PEM.
struct Made {
    certificate: String,
    key: String,
    fingerprint: String,
    not_after: i64,
}

fn make(names: &[String], days: u32) -> Result<Made, rcgen::Error> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    let mut params = CertificateParams::new(names)?;
    // A client whose clock is behind takes it too.
    params.not_before = epoch + now.saturating_sub(Duration::from_secs(60 * 60));
    params.not_after = epoch + (now + Duration::from_secs(u64::from(days) * 24 * 60 * 60));
    params.distinguished_name = DistinguishedName::new();
    let common_name = names.iter().find(|name| name.len() <= COMMON_NAME_MAX).map_or("muxftpd", String::as_str);
    params.distinguished_name.push(DnType::CommonName, common_name);
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    let not_after = params.not_after.unix_timestamp();
    let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256)?;
    let certificate = params.self_signed(&key)?;
    let digest = Sha256::digest(certificate.der());
    let fingerprint = digest.iter().map(|byte| format!("{byte:02X}")).collect::<Vec<_>>().join(":");
    Ok(Made { certificate: certificate.pem(), key: key.serialize_pem(), fingerprint, not_after })
}

impl Made {
    fn report(&self, names: &[String], certificate: &Path, key: &Path) -> String {
        format!(
            "made a certificate for {names}, until {until}\n  \
             certificate  {certificate}\n  \
             private key  {key} (readable by its owner only)\n  \
             SHA-256      {fingerprint}\n\
             nobody but you vouches for it: `curl --cacert {certificate_word}` trusts it, other clients show the SHA-256 and \
             ask\n\n\
             to serve with it: muxftpd --tls-certificate {certificate_word} --tls-key {key_word}\n\
             or in the configuration file:\n  \
             [tls]\n  certificate = {certificate_toml}\n  key = {key_toml}\n",
            names = names.join(", "),
            until = date(self.not_after),
            certificate = certificate.display(),
            key = key.display(),
            fingerprint = self.fingerprint,
            certificate_word = shell_word(certificate),
            key_word = shell_word(key),
            certificate_toml = toml_string(certificate),
            key_toml = toml_string(key),
        )
    }
}

/// Where the two are to be.
fn paths(wanted: &SelfSigned) -> Result<(PathBuf, PathBuf), CertError> {
    let (certificate, key) = match (&wanted.certificate, &wanted.key) {
        (Some(certificate), Some(key)) => (certificate.clone(), key.clone()),
        (None, None) => {
            let directory = wanted.out.clone().unwrap_or_default();
            fs::create_dir_all(&directory).map_err(|error| CertError::Write { path: directory.clone(), error })?;
            (directory.join("cert.pem"), directory.join("key.pem"))
        }
        _ => return Err(CertError::Usage("--certificate and --key go together".to_owned())),
    };
    if certificate == key {
        return Err(CertError::Usage("the certificate and its key need a file each".to_owned()));
    }
    Ok((certificate, key))
}

fn check_free(path: &Path, force: bool) -> Result<(), CertError> {
    match fs::symlink_metadata(path) {
        Ok(found) if found.is_dir() => {
            Err(CertError::Write { path: path.to_owned(), error: io::ErrorKind::IsADirectory.into() })
        }
        Ok(_) if !force => Err(CertError::Exists(path.to_owned())),
        _ => Ok(()),
    }
}

/// This machine, as its own clients call it, and as others may.
fn default_names() -> Vec<String> {
    let mut names = ["localhost", "127.0.0.1", "::1"].map(str::to_owned).to_vec();
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    if !names.contains(&host) && parse_name(&host).is_ok() {
        names.push(host);
    }
    names
}

/// Both are whole on the disk before the first gets its name.
fn write_both(made: &Made, certificate: &Path, key: &Path, force: bool) -> Result<(), CertError> {
    let new_key = write_beside(key, made.key.as_bytes(), KEY_MODE)?;
    let new_certificate = write_beside(certificate, made.certificate.as_bytes(), CERTIFICATE_MODE)?;
    let old_key = if force { fs::read(key).ok() } else { None };
    name(new_key, key, force)?;
    name(new_certificate, certificate, force).inspect_err(|_| {
        // One without the other is of no use. If this fails too, the error that is told is still the first one.
        let _ = match old_key {
            Some(old) => write_beside(key, &old, KEY_MODE).and_then(|file| name(file, key, true)),
            None => fs::remove_file(key).map_err(|error| CertError::Write { path: key.to_owned(), error }),
        };
    })
}

/// A file without a name of its own, which vanishes unless it gets one. It is made for its owner only.
fn write_beside(path: &Path, text: &[u8], mode: u32) -> Result<NamedTempFile, CertError> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let write = || {
        let mut file = tempfile::Builder::new().prefix(".muxftpd-cert-").tempfile_in(directory)?;
        file.write_all(text)?;
        file.as_file().set_permissions(Permissions::from_mode(mode))?;
        file.as_file().sync_all()?;
        Ok(file)
    };
    write().map_err(|error| CertError::Write { path: path.to_owned(), error })
}

fn name(file: NamedTempFile, path: &Path, force: bool) -> Result<(), CertError> {
    let named = if force { file.persist(path) } else { file.persist_noclobber(path) };
    match named {
        Ok(_) => Ok(()),
        Err(PersistError { error, .. }) if error.kind() == io::ErrorKind::AlreadyExists => {
            Err(CertError::Exists(path.to_owned()))
        }
        Err(PersistError { error, .. }) => Err(CertError::Write { path: path.to_owned(), error }),
    }
}

/// A path as a shell takes it.
fn shell_word(path: &Path) -> String {
    let text = path.to_string_lossy();
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '/' | '.' | '-' | '_' | '+' | ':' | '@' | ',');
    if text.chars().all(plain) { text.into_owned() } else { format!("'{}'", text.replace('\'', "'\\''")) }
}

/// An absolute path as TOML takes it: a relative one would count from the directory of the configuration file.
fn toml_string(path: &Path) -> String {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    toml::Value::String(path.to_string_lossy().into_owned()).to_string()
}

impl fmt::Display for CertError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CertError::Usage(sentence) => write!(f, "error: {sentence}"),
            CertError::Exists(path) => {
                write!(f, "error: `{}` is there already; --force replaces both files", path.display())
            }
            CertError::Write { path, error } => write!(f, "error: cannot write `{}`: {error}", path.display()),
            CertError::Library(error) => write!(f, "error: the certificate cannot be made: {error}"),
        }
    }
}

impl std::error::Error for CertError {}

/// Of X.509 (RFC 5280, appendix A.1).
const COMMON_NAME_MAX: usize = 64;

const KEY_MODE: u32 = 0o600;
const CERTIFICATE_MODE: u32 = 0o644;
