//! What the reactor calls: passes events on to the connection, and keeps the signal that came.

use muxftp_client::driver::Connection;
use muxftp_reactor::{Again, Handler, Key, Reactor, Readiness};

use crate::content::Content;

/// What a source of the reactor is.
#[derive(Debug, Clone, Copy)]
pub(super) enum Source {
    Control,
    Data,
}

/// What the reactor calls.
pub(super) struct Peer {
    pub(super) connection: Option<Connection<Source, Content>>,
    buffer: Box<[u8]>,
    pub(super) signal: Option<i32>,
}

impl Peer {
    pub(super) fn new() -> Peer {
        Peer { connection: None, buffer: vec![0; BUFFER_BYTES].into(), signal: None }
    }
}

impl Handler<Source> for Peer {
    fn ready(&mut self, rx: &mut Reactor<Source>, _key: Key, source: Source, readiness: Readiness) -> Again {
        match (&mut self.connection, source) {
            (None, _) => Again::No,
            (Some(connection), Source::Control) => connection.ready_control(rx, readiness, &mut self.buffer),
            (Some(connection), Source::Data) => connection.ready_data(rx, &mut self.buffer),
        }
    }

    fn timeout(&mut self, rx: &mut Reactor<Source>, _key: Key, _source: Source) {
        if let Some(connection) = &mut self.connection {
            connection.timeout(rx);
        }
    }

    fn signal(&mut self, _rx: &mut Reactor<Source>, signal: i32) {
        self.signal = Some(signal);
    }
}

/// As the server reads and writes: large enough that system calls do not count.
const BUFFER_BYTES: usize = 256 * 1024;
