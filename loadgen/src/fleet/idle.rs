//! Sessions that connect and then stay silent.

use muxftp_client::driver::{Connection, Owners};
use muxftp_reactor::Reactor;

use super::Owner;
use super::client::Shared;
use super::payload::Payload;

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
        self.connections.push(Some(Connection::open(rx, endpoint, owners)?));
        Ok(())
    }

    pub(super) fn get(&mut self, index: usize) -> Option<&mut Connection<Owner, Payload>> {
        self.connections.get_mut(index)?.as_mut()
    }

    /// To be called after each event of a session.
    pub(super) fn check(&mut self, index: usize) {
        if self.get(index).is_some_and(|connection| connection.is_closed()) {
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
