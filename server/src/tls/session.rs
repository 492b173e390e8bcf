//! The TLS of one session: its own configuration, so that a resumed data connection proves whose it is.
//!
//! A hand-shake costs two orders of magnitude more than this does: a session about 3 us and 1,060 bytes, and each data
//! connection 2 us and 940 bytes while it lasts. The example `tls_session_cost` measures it.

use std::sync::Arc;

use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{Error, ServerConfig};

use super::tickets::{ControlId, DataId, DataTickets, SessionTickets, Witness};
use crate::limits;

/// For one control connection and its data connections.
#[derive(Debug, Clone)]
pub struct SessionTls {
    control: Arc<ServerConfig>,
    certified: Arc<CertifiedKey>,
    tickets: Arc<SessionTickets>,
    id: Arc<ControlId>,
}

impl SessionTls {
    pub(super) fn new(base: &ServerConfig, certified: Arc<CertifiedKey>) -> Result<SessionTls, Error> {
        let tickets = SessionTickets::new().map_err(|_| Error::FailedToGetRandomBytes)?;
        let (tickets, id) = (Arc::new(tickets), Arc::new(ControlId::default()));
        let mut control = base.clone();
        control.ticketer = tickets.clone();
        control.session_storage = id.clone();
        control.send_tls13_tickets = limits::CONTROL_TICKETS;
        control.alpn_protocols = vec![ALPN_CONTROL.to_vec()];
        Ok(SessionTls { control: Arc::new(control), certified, tickets, id })
    }

    /// For the control connection, and for no other.
    pub fn control(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.control)
    }

    /// For one data connection, and for no other. Its hand-shake is [`rustls::HandshakeKind::Resumed`] exactly if it
    /// resumes the control connection's session, directly or by way of other data connections that did.
    ///
    /// `renews`: new tickets are given for the one that was used. Not to a peer that uploads: it has no reason to read, and
    /// its system resets a connection that is closed with something unread, which takes the last bytes of the upload with
    /// it. (lftp 4.9 lost one upload in ten so.)
    pub fn data(&self, renews: bool) -> Arc<ServerConfig> {
        let witness = Arc::new(Witness::new(Arc::clone(&self.certified.key)));
        let certified = CertifiedKey::new(self.certified.cert.clone(), witness.clone());
        let mut config = ServerConfig::clone(&self.control);
        config.cert_resolver = Arc::new(SingleCertAndKey::from(certified));
        config.ticketer = Arc::new(DataTickets::new(Arc::clone(&self.tickets), witness));
        config.session_storage = Arc::new(DataId(Arc::clone(&self.id)));
        config.alpn_protocols = vec![ALPN_DATA.to_vec(), ALPN_CONTROL.to_vec()];
        config.send_tls13_tickets = if renews { limits::DATA_TICKETS } else { 0 };
        Arc::new(config)
    }
}

/// The protocols that a client may name in its hello (RFC 7301). One that names only others, as a browser does, is refused
/// with the alert no_application_protocol, so that it cannot be made to speak with this server (ALPACA). Most FTP clients
/// name none, and are accepted. FileZilla names `ftp` and `ftp-data`; its `x-filezilla-ftp` is another protocol.
const ALPN_CONTROL: &[u8] = b"ftp";
const ALPN_DATA: &[u8] = b"ftp-data";
