//! The TLS of one session: its own configuration, so that a resumed data connection proves whose it is.
//!
//! What it costs is measured by the test `the_cost_of_a_session`.

use std::sync::Arc;

use rustls::{Error, HandshakeKind, ServerConfig};

use super::tickets::{ControlId, DataId, DataTickets, SessionTickets};

/// For one control connection and its data connections.
#[derive(Debug, Clone)]
pub struct SessionTls {
    control: Arc<ServerConfig>,
    tickets: Arc<SessionTickets>,
    id: Arc<ControlId>,
}

/// For one data connection.
#[derive(Debug)]
pub struct DataTls {
    config: Arc<ServerConfig>,
    tickets: Arc<DataTickets>,
}

impl SessionTls {
    pub(super) fn new(base: &ServerConfig) -> Result<SessionTls, Error> {
        let tickets = SessionTickets::new().map_err(|_| Error::FailedToGetRandomBytes)?;
        let (tickets, id) = (Arc::new(tickets), Arc::new(ControlId::default()));
        let mut control = base.clone();
        control.ticketer = tickets.clone();
        control.session_storage = id.clone();
        control.send_tls13_tickets = CONTROL_TICKETS;
        Ok(SessionTls { control: Arc::new(control), tickets, id })
    }

    /// For the control connection.
    pub fn control(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.control)
    }

    /// For one data connection.
    pub fn data(&self) -> DataTls {
        let tickets = Arc::new(DataTickets::new(Arc::clone(&self.tickets)));
        let mut config = ServerConfig::clone(&self.control);
        config.ticketer = tickets.clone();
        config.session_storage = Arc::new(DataId(Arc::clone(&self.id)));
        config.send_tls13_tickets = DATA_TICKETS;
        DataTls { config: Arc::new(config), tickets }
    }
}

impl DataTls {
    /// For the connection.
    pub fn config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.config)
    }

    /// To be told whenever the connection has processed bytes, until its hand-shake is done: `true` once it has proved to
    /// be of this session. Without this it gets no new tickets, and a client that uses each only once runs out of them.
    pub fn is_resumed(&self, kind: Option<HandshakeKind>) -> bool {
        let resumed = kind == Some(HandshakeKind::Resumed);
        if resumed {
            self.tickets.set_resumed();
        }
        resumed
    }
}

/// For clients that use each ticket once: so many transfers before the first that has given them another.
const CONTROL_TICKETS: usize = 8;

/// In the place of the one that was used, as other servers do. A client that uploads may close without having read it.
const DATA_TICKETS: usize = 1;
