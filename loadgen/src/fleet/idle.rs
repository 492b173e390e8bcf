//! Sessions that connect, log in where there is a log-in, and then stay silent.

use muxftp_client::driver::{Connection, Owners};
use muxftp_proto::client::io::Operation;
use muxftp_reactor::Reactor;

use super::client::Shared;
use super::payload::Payload;
use super::{Owner, client};

/// The silent sessions of a run.
#[derive(Default)]
pub(super) struct IdleSessions {
    connections: Vec<Option<Connection<Owner, Payload>>>,
    pub(super) lost: u64,
}

impl IdleSessions {
    /// Begins one more.
    pub(super) fn open(&mut self, rx: &mut Reactor<Owner>, shared: &Shared) -> std::io::Result<()> {
        let index = self.connections.len();
        let endpoint = shared.endpoints[index % shared.endpoints.len()].clone();
        let owners = Owners { control: Owner::Idle(index), data: Owner::Idle(index) };
        let mut connection = Connection::open(rx, endpoint, owners)?;
        if shared.has_log_in() {
            connection.start(rx, Operation::LogIn, Payload::Discard);
        }
        self.connections.push(Some(connection));
        Ok(())
    }

    pub(super) fn get(&mut self, index: usize) -> Option<&mut Connection<Owner, Payload>> {
        self.connections.get_mut(index)?.as_mut()
    }

    /// To be called after each event of a session.
    pub(super) fn check(&mut self, rx: &mut Reactor<Owner>, index: usize) {
        let Some(connection) = self.get(index) else { return };
        let is_refused = connection.take_finished().is_some_and(|log_in| !client::is_complete(&log_in));
        if is_refused {
            connection.abort(rx);
        }
        if is_refused || connection.is_closed() {
            self.connections[index] = None;
            self.lost += 1;
        }
    }

    /// How many have been begun.
    pub(super) fn begun(&self) -> usize {
        self.connections.len()
    }

    /// How many are connected.
    pub(super) fn connected(&self) -> usize {
        self.connections.iter().flatten().filter(|connection| connection.is_connected()).count()
    }

    /// Lets go of all.
    pub(super) fn stop(&mut self, rx: &mut Reactor<Owner>) {
        for mut connection in self.connections.drain(..).flatten() {
            connection.abort(rx);
        }
    }
}
