//! TLS: what the file and the flags come to together.
//!
//! Only names of files are known here; `crate::tls` reads them.

use std::path::PathBuf;

use muxftp_proto::Dialect;
use toml::Spanned;

use super::address::ListenSpec;
use super::file::FileSettings;
use super::reader::Source;
use super::value::{TlsMode, Words};
use super::{Listen, Problem, TlsSettings};
use crate::args::Flags;

/// The certificate of the flags, else of the file, with all that belongs to it. `beside` tells what a path in the file
/// means.
pub(super) fn settings(
    flags: &Flags,
    file: &FileSettings,
    source: Option<Source<'_>>,
    beside: impl Fn(PathBuf) -> PathBuf,
    problems: &mut Vec<Problem>,
) -> Option<TlsSettings> {
    let path = |flag: &Option<PathBuf>, file: &Option<Spanned<PathBuf>>| {
        flag.clone().or_else(|| file.as_ref().map(|path| beside(path.get_ref().clone())))
    };
    let certificate = path(&flags.tls_certificate, &file.certificate);
    let key = path(&flags.tls_key, &file.key);
    if let (Some(certificate), Some(key)) = (certificate.clone(), key.clone()) {
        let mut settings = TlsSettings::new(certificate, key);
        settings.min_version = file.min_version.as_ref().map_or(settings.min_version, |value| *value.get_ref());
        settings.session_reuse = file.session_reuse.as_ref().map_or(settings.session_reuse, |value| *value.get_ref());
        return Some(settings);
    }
    // Only of a file that is right otherwise: a wrong `key` would be reported twice.
    if problems.is_empty() {
        let spans = [&file.certificate, &file.key].map(|path| path.as_ref().map(Spanned::span));
        let [certificate_span, key_span] = spans;
        let span = certificate_span
            .or(key_span)
            .or_else(|| file.min_version.as_ref().map(Spanned::span))
            .or_else(|| file.session_reuse.as_ref().map(Spanned::span));
        let message = match (certificate, key) {
            (Some(_), _) => "a certificate needs its private key: `key` in [tls], or --tls-key FILE",
            (_, Some(_)) => "a private key needs its certificate: `certificate` in [tls], or --tls-certificate FILE",
            (None, None) => "[tls] needs both `certificate` and `key`",
        };
        problems.extend(match (span, source) {
            (Some(span), Some(source)) => Some(source.problem(span, message)),
            _ if flags.tls_certificate.is_some() || flags.tls_key.is_some() => Some(Problem::new(message)),
            _ => None,
        });
    }
    None
}

/// Whether TLS is spoken at this listener.
///
/// # Errors
/// What is asked for cannot be had without a certificate.
pub(super) fn mode(spec: &ListenSpec, flags: &Flags, has_certificate: bool) -> Result<TlsMode, String> {
    if spec.dialect != Dialect::Ftp {
        return Ok(TlsMode::Off);
    }
    let default = if has_certificate { TlsMode::Optional } else { TlsMode::Off };
    let mode = match spec.tls {
        // Another port, another protocol: no flag turns it into AUTH TLS.
        Some(TlsMode::Implicit) => TlsMode::Implicit,
        given => flags.tls.or(given).unwrap_or(default),
    };
    if mode != TlsMode::Off && !has_certificate {
        return Err(format!(
            "TLS that is {} needs a certificate: name it with --tls-certificate and --tls-key, or `certificate` and `key` \
             in [tls]; `muxftpd cert self-signed` makes one for tests",
            mode.word()
        ));
    }
    Ok(mode)
}

/// Who asks for TLS must not get a server that has none, and believe in it.
pub(super) fn for_nobody(listen: &[Listen], flags: &Flags) -> Option<Problem> {
    let mode = flags.tls.filter(|&mode| mode != TlsMode::Off)?;
    let named = listen.first().filter(|_| listen.iter().all(|listen| listen.dialect != Dialect::Ftp))?;
    Some(Problem::new(format!(
        "--tls {}: there is no listener of ftp, and {} has no TLS: add --listen ftp://ADDRESS:PORT, or leave --tls out",
        mode.word(),
        named.dialect
    )))
}
