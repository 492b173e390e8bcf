//! TLS of one session: whom the client trusts, and the tickets with which data connections resume the control connection's
//! session.
//!
//! It must not know sockets.
//!
//! # Invariants
//! - The tickets of a session are used by its control connection and its data connections, and by no other: a server that
//!   demands resumption takes no other's.
//! - A ticket of TLS 1.3 is used once. rustls lets it be no other way, and so nobody can link two connections by it.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use muxftp_reactor::tls::TlsLayer;
use rustls::client::{ClientSessionStore, Resumption, Tls12ClientSessionValue, Tls13ClientSessionValue};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, NamedGroup};

use crate::limits;
use crate::tls::Configs;

/// What a server has to prove to be, and to whom its proof must be good.
#[derive(Debug, Clone)]
pub struct TlsTrust {
    configs: Configs,
    server: ServerName<'static>,
    is_only_tls12: bool,
}

/// TLS of one control connection and its data connections.
#[derive(Debug)]
pub(super) struct SessionTls {
    config: Arc<ClientConfig>,
    server: ServerName<'static>,
    tickets: Arc<Tickets>,
}

/// The sessions with the one server that there is.
#[derive(Debug, Default)]
struct Tickets(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    group: Option<NamedGroup>,
    tls12: Option<Tls12ClientSessionValue>,
    tls13: VecDeque<Tls13ClientSessionValue>,
    /// The server gives tickets of TLS 1.3.
    gives_tickets: bool,
}

impl TlsTrust {
    /// `configs` say whom to trust, see [`crate::tls`]; their stores of sessions are not used.
    pub fn new(configs: Configs, server: ServerName<'static>) -> TlsTrust {
        TlsTrust { configs, server, is_only_tls12: false }
    }

    /// The same, by TLS 1.2 and no later one: there, no tickets run out.
    pub fn only_tls12(self) -> TlsTrust {
        TlsTrust { is_only_tls12: true, ..self }
    }

    pub(super) fn session(&self) -> SessionTls {
        let tickets = Arc::new(Tickets::default());
        let config = if self.is_only_tls12 { &self.configs.only_tls12 } else { &self.configs.usual };
        let mut config = config.clone();
        config.resumption = Resumption::store(tickets.clone());
        SessionTls { config: Arc::new(config), server: self.server.clone(), tickets }
    }
}

impl SessionTls {
    /// For the control connection, or one for data.
    pub(super) fn layer(&self) -> Result<TlsLayer, rustls::Error> {
        TlsLayer::client(Arc::clone(&self.config), self.server.clone())
    }

    /// The server gave tickets, and all are used.
    pub(super) fn is_out_of_tickets(&self) -> bool {
        let kept = self.tickets.lock();
        kept.gives_tickets && kept.tls13.is_empty()
    }
}

impl Tickets {
    /// Nothing that is done under the lock can panic half-way.
    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ClientSessionStore for Tickets {
    fn set_kx_hint(&self, _server: ServerName<'static>, group: NamedGroup) {
        self.lock().group = Some(group);
    }

    fn kx_hint(&self, _server: &ServerName<'_>) -> Option<NamedGroup> {
        self.lock().group
    }

    fn set_tls12_session(&self, _server: ServerName<'static>, value: Tls12ClientSessionValue) {
        self.lock().tls12 = Some(value);
    }

    fn tls12_session(&self, _server: &ServerName<'_>) -> Option<Tls12ClientSessionValue> {
        self.lock().tls12.clone()
    }

    fn remove_tls12_session(&self, _server: &ServerName<'static>) {
        self.lock().tls12 = None;
    }

    fn insert_tls13_ticket(&self, _server: ServerName<'static>, value: Tls13ClientSessionValue) {
        let mut kept = self.lock();
        kept.gives_tickets = true;
        if kept.tls13.len() == limits::TICKETS_MAX {
            kept.tls13.pop_front();
        }
        kept.tls13.push_back(value);
    }

    /// The newest: some servers take no other than that of the last connection.
    fn take_tls13_ticket(&self, _server: &ServerName<'static>) -> Option<Tls13ClientSessionValue> {
        self.lock().tls13.pop_back()
    }
}
