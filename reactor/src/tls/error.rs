//! Why a TLS connection is over, in words for a log or a reply.

use std::{fmt, io};

use rustls::{AlertDescription, CertificateError, InvalidMessage};

/// What ended a TLS connection.
#[derive(Debug)]
pub enum TlsError {
    /// The first bytes were no TLS record.
    NotTls,
    /// The peer gave up, and said why.
    Alert(AlertDescription),
    /// The peer's certificate is not accepted.
    Certificate(CertificateError),
    /// The peer closed the connection during the hand-shake.
    Closed,
    /// The connection ended without close_notify: more may have been sent than came.
    Truncated,
    /// The peer keeps the connection busy with records that carry no data.
    Flood,
    /// Anything else that is not as the protocol wants it.
    Protocol(rustls::Error),
    /// The connection below failed.
    Io(io::Error),
}

impl From<rustls::Error> for TlsError {
    fn from(error: rustls::Error) -> TlsError {
        match error {
            rustls::Error::AlertReceived(alert) => TlsError::Alert(alert),
            rustls::Error::InvalidCertificate(error) => TlsError::Certificate(error),
            error => TlsError::Protocol(error),
        }
    }
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TlsError::NotTls => write!(f, "the peer does not speak TLS"),
            TlsError::Alert(alert) => write!(f, "the peer gave up TLS with the alert {alert:?}"),
            TlsError::Certificate(error) => write!(f, "the peer's certificate is not accepted: {error}"),
            TlsError::Closed => write!(f, "the peer closed the connection during the TLS hand-shake"),
            TlsError::Truncated => write!(f, "the connection ended without TLS close_notify"),
            TlsError::Flood => write!(f, "the peer sends TLS records without data"),
            TlsError::Protocol(error) => write!(f, "TLS failed: {error}"),
            TlsError::Io(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for TlsError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            TlsError::Protocol(error) => Some(error),
            TlsError::Io(error) => Some(error),
            _ => None,
        }
    }
}

impl From<io::Error> for TlsError {
    fn from(error: io::Error) -> TlsError {
        TlsError::Io(error)
    }
}

impl From<TlsError> for io::Error {
    /// Keeps the cause inside: [`io::Error::downcast`] gives it back.
    fn from(error: TlsError) -> io::Error {
        match error {
            TlsError::Io(error) => error,
            TlsError::Closed | TlsError::Truncated => io::Error::new(io::ErrorKind::UnexpectedEof, error),
            error => io::Error::new(io::ErrorKind::InvalidData, error),
        }
    }
}

/// Whether the bytes do not even look like a record.
pub(super) fn is_no_record(error: &rustls::Error) -> bool {
    use InvalidMessage::{InvalidContentType, UnknownProtocolVersion};
    matches!(error, rustls::Error::InvalidMessage(InvalidContentType | UnknownProtocolVersion))
}
