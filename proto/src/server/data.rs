//! The data connection of a session: from the agreement on it to the transfer that uses it.
//!
//! In `simple` and `updown` a transfer asks for its own. In `ftp` it is agreed on before (PASV, EPSV, PORT, EPRT), and may
//! even be there before the command that uses it; it lives in the session until a transfer takes it over.
//!
//! It must not know a transfer's rules or wire text.

use std::net::SocketAddr;
use std::time::Instant;

use super::io::{Deadline, Event, OperationId, SessionConfig};

/// A data connection, agreed on or there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct DataLeg {
    /// Its number.
    pub(super) op: OperationId,
    pub(super) state: LegState,
    /// Since when it is in this state.
    pub(super) since: Deadline,
}

/// How far it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum LegState {
    /// Nothing was agreed on.
    #[default]
    None,
    /// A port was asked for.
    Asked,
    /// The peer may connect to this port.
    Listening(u16),
    /// We are to connect there when a transfer needs it.
    Target(SocketAddr),
    /// We are connecting.
    Connecting,
    /// It is there; the port is that of [`LegState::Listening`].
    Connected(u16),
    /// It could not be had, or is broken: the shell is to let go of it.
    Failed,
}

impl DataLeg {
    /// Takes an event of this data connection.
    pub(super) fn handle(&mut self, event: &Event, now: Instant) {
        let before = self.state;
        self.state = match (event, self.state) {
            (Event::DataListening { port, .. }, LegState::Asked) => LegState::Listening(*port),
            (Event::DataConnected { .. }, LegState::Listening(port)) => LegState::Connected(port),
            (Event::DataConnected { .. }, LegState::Connecting) => LegState::Connected(0),
            (Event::DataFailed { .. }, _) => LegState::Failed,
            (_, state) => state,
        };
        if self.state != before {
            self.since = Some(now);
        }
    }

    /// When it is given up, unless a transfer takes it over before.
    pub(super) fn deadline(&self, config: &SessionConfig) -> Deadline {
        let time = match self.state {
            LegState::Listening(_) => config.data_connect_timeout,
            LegState::Connected(_) => config.stall_timeout,
            _ => return None,
        };
        self.since.map(|since| since + time)
    }

    /// Whether the shell holds something for it.
    pub(super) fn is_held(&self) -> bool {
        !matches!(self.state, LegState::None | LegState::Target(_))
    }
}
