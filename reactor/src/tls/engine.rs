//! rustls without buffers, the same for server and client.
//!
//! Must not know sockets: bytes come in as slices and go out into [`Sealed`].
//!
//! Invariants:
//! - What rustls wants sent before data (hand-shake, alerts, key updates) is in [`Sealed`] before the data is.

use std::fmt;
use std::io;

use rustls::client::UnbufferedClientConnection;
use rustls::server::UnbufferedServerConnection;
use rustls::unbuffered::{ConnectionState, EncodeError, EncryptError, UnbufferedStatus};
use rustls::{CommonState, Error};

use super::Transport;

/// The protocol's state, of either side. Boxed: some 1.2 KB, in owners that are mostly plain.
pub(super) enum Engine {
    Server(Box<UnbufferedServerConnection>),
    Client(Box<UnbufferedClientConnection>),
}

/// Why [`Engine::advance`] stopped.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Event {
    /// A record of data is open: [`Engine::take`] must be next.
    Data,
    /// Something happened; there may be more.
    Progress,
    /// The peer's close_notify has come. Told once.
    PeerClosed,
    /// More bytes of the peer are needed.
    NeedsInput,
}

impl Engine {
    pub(super) fn state(&self) -> &CommonState {
        match self {
            Engine::Server(connection) => connection,
            Engine::Client(connection) => connection,
        }
    }

    /// Works on the bytes of the peer until the next event; answers how many of them are done with,
    /// even when it fails.
    pub(super) fn advance(&mut self, input: &mut [u8], sealed: &mut Sealed) -> (usize, Result<Event, Error>) {
        match self {
            Engine::Server(connection) => advance(connection.process_tls_records(input), sealed),
            Engine::Client(connection) => advance(connection.process_tls_records(input), sealed),
        }
    }

    /// Gives the record that is open to `sink`.
    ///
    /// It is a step of its own so that the record's plaintext can be laid over its ciphertext, which
    /// [`Engine::advance`] still borrows. rustls gives out what is open before it looks at input.
    pub(super) fn take(&mut self, sink: impl FnMut(&[u8])) -> Result<(), Error> {
        match self {
            Engine::Server(connection) => take(connection.process_tls_records(&mut []), sink),
            Engine::Client(connection) => take(connection.process_tls_records(&mut []), sink),
        }
    }

    /// Seals all of `bytes` behind what waits in `sealed`. `held` are the unfinished bytes of the peer, in which nothing
    /// is left to do; `false`: data cannot be sent in this state.
    pub(super) fn seal(&mut self, held: &mut [u8], bytes: &[u8], sealed: &mut Sealed) -> Result<bool, Error> {
        match self {
            Engine::Server(connection) => seal(connection.process_tls_records(held), bytes, sealed),
            Engine::Client(connection) => seal(connection.process_tls_records(held), bytes, sealed),
        }
    }

    /// Has rustls make a close_notify, which the next [`Engine::advance`] hands out.
    pub(super) fn close(&mut self, held: &mut [u8]) {
        match self {
            Engine::Server(connection) => close(connection.process_tls_records(held)),
            Engine::Client(connection) => close(connection.process_tls_records(held)),
        }
    }
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Engine::Server(_) => "Server",
            Engine::Client(_) => "Client",
        })
    }
}

/// Records on their way out.
#[derive(Default)]
pub(super) struct Sealed {
    /// Its length is what was ever needed, so that it need not be zeroed for each batch.
    bytes: Vec<u8>,
    written: usize,
    end: usize,
}

impl Sealed {
    pub(super) fn is_empty(&self) -> bool {
        self.written == self.end
    }

    /// Writes until nothing is left (`true`) or the connection takes no more.
    pub(super) fn write(&mut self, io: &impl Transport) -> io::Result<bool> {
        while self.written < self.end {
            match io.write(&self.bytes[self.written..self.end]) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => self.written += count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        (self.written, self.end) = (0, 0);
        Ok(true)
    }

    /// Gives up what is not written.
    pub(super) fn clear(&mut self) {
        (self.written, self.end) = (0, 0);
    }

    /// Gives a big empty buffer back.
    pub(super) fn trim(&mut self) {
        if self.is_empty() && self.bytes.len() > KEPT_BYTES {
            *self = Sealed::default();
        }
    }

    /// Room for `length` more bytes.
    fn reserve(&mut self, length: usize) {
        if self.bytes.len() < self.end + length {
            self.bytes.resize(self.end + length, 0);
        }
    }

    fn room(&mut self) -> &mut [u8] {
        &mut self.bytes[self.end..]
    }
}

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sealed({} bytes)", self.end - self.written)
    }
}

fn advance<D>(status: UnbufferedStatus<'_, '_, D>, sealed: &mut Sealed) -> (usize, Result<Event, Error>) {
    let event = status.state.and_then(|state| match state {
        ConnectionState::ReadTraffic(_) => Ok(Event::Data),
        ConnectionState::EncodeTlsData(mut message) => {
            if let Err(EncodeError::InsufficientSize(size)) = message.encode(&mut []) {
                sealed.reserve(size.required_size);
            }
            match message.encode(sealed.room()) {
                Ok(length) => sealed.end += length,
                Err(error) => return Err(Error::General(error.to_string())),
            }
            Ok(Event::Progress)
        }
        ConnectionState::TransmitTlsData(transmit) => {
            transmit.done();
            Ok(Event::Progress)
        }
        ConnectionState::PeerClosed => Ok(Event::PeerClosed),
        ConnectionState::BlockedHandshake | ConnectionState::WriteTraffic(_) | ConnectionState::Closed => {
            Ok(Event::NeedsInput)
        }
        // Data before the end of the hand-shake can be replayed; no configuration of ours allows it.
        other => Err(Error::General(format!("unexpected state: {other:?}"))),
    });
    (status.discard, event)
}

fn take<D>(status: UnbufferedStatus<'_, '_, D>, mut sink: impl FnMut(&[u8])) -> Result<(), Error> {
    if let ConnectionState::ReadTraffic(mut traffic) = status.state? {
        while let Some(record) = traffic.next_record() {
            sink(record?.payload);
        }
    }
    Ok(())
}

fn seal<D>(status: UnbufferedStatus<'_, '_, D>, bytes: &[u8], sealed: &mut Sealed) -> Result<bool, Error> {
    let ConnectionState::WriteTraffic(mut traffic) = status.state? else { return Ok(false) };
    let mut result = traffic.encrypt(bytes, sealed.room());
    if let Err(EncryptError::InsufficientSize(size)) = &result {
        sealed.reserve(size.required_size);
        result = traffic.encrypt(bytes, sealed.room());
    }
    sealed.end += result.map_err(|error| Error::General(error.to_string()))?;
    Ok(true)
}

fn close<D>(status: UnbufferedStatus<'_, '_, D>) {
    if let Ok(ConnectionState::WriteTraffic(mut traffic)) = status.state {
        // There is no room in an empty slice; what counts is that the alert is now queued.
        let _no_room = traffic.queue_close_notify(&mut []);
    }
}

/// A reply on a control connection fits; the buffer of a bulk transfer does not.
const KEPT_BYTES: usize = 4096;
