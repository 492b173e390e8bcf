//! A connection in memory that gives and takes pieces of any size, and configurations for its ends.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io;
use std::rc::Rc;
use std::sync::{Arc, LazyLock};

use muxftp_reactor::pump::Step;
use muxftp_reactor::tls::{Handshake, TlsError, TlsLayer, Transport};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, RootCertStore, ServerConfig, SupportedProtocolVersion};

pub const VERSIONS: [&SupportedProtocolVersion; 2] = [&TLS12, &TLS13];

/// One direction.
pub struct Lane {
    pub bytes: RefCell<VecDeque<u8>>,
    pub capacity: Cell<usize>,
    pub is_closed: Cell<bool>,
}

/// One end of a connection.
pub struct End {
    pub incoming: Rc<Lane>,
    pub outgoing: Rc<Lane>,
    /// The size of the next piece; 0: not now.
    next_piece: RefCell<Box<dyn FnMut() -> usize>>,
    pub reads: Cell<usize>,
    blocked: Cell<bool>,
}

impl Lane {
    fn new() -> Rc<Lane> {
        Rc::new(Lane { bytes: RefCell::default(), capacity: Cell::new(1 << 20), is_closed: Cell::new(false) })
    }
}

impl End {
    /// Whether a call since the last question was answered with `WouldBlock`.
    pub fn was_blocked(&self) -> bool {
        self.blocked.replace(false)
    }

    fn block(&self) -> io::Error {
        self.blocked.set(true);
        io::ErrorKind::WouldBlock.into()
    }
}

impl Transport for End {
    fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.reads.set(self.reads.get() + 1);
        let mut bytes = self.incoming.bytes.borrow_mut();
        if bytes.is_empty() {
            return if self.incoming.is_closed.get() { Ok(0) } else { Err(self.block()) };
        }
        let count = (self.next_piece.borrow_mut())().min(buffer.len()).min(bytes.len());
        if count == 0 {
            return Err(self.block());
        }
        for (to, from) in buffer.iter_mut().zip(bytes.drain(..count)) {
            *to = from;
        }
        Ok(count)
    }

    fn write(&self, from: &[u8]) -> io::Result<usize> {
        let mut bytes = self.outgoing.bytes.borrow_mut();
        let room = self.outgoing.capacity.get().saturating_sub(bytes.len());
        let count = (self.next_piece.borrow_mut())().min(from.len()).min(room);
        if count == 0 {
            return Err(self.block());
        }
        bytes.extend(&from[..count]);
        Ok(count)
    }
}

/// A layer with its end of the connection; it checks what must hold after every call.
pub struct Side {
    pub layer: TlsLayer,
    pub end: End,
}

impl Side {
    pub fn handshake(&mut self) -> Result<Handshake, TlsError> {
        self.end.was_blocked();
        let result = self.layer.handshake(&self.end);
        if let Ok(Handshake::BlockedOnRead | Handshake::BlockedOnWrite) = result {
            assert!(self.end.was_blocked(), "blocked without a reason");
        }
        result
    }

    pub fn receive(&mut self, buffer: &mut [u8]) -> Result<Step, TlsError> {
        self.end.was_blocked();
        let result = self.layer.receive(&self.end, buffer);
        match result {
            Ok(Step::Blocked) => assert!(self.end.was_blocked(), "blocked without a reason"),
            Ok(Step::Moved(count)) => assert!(count > 0, "nothing is no progress"),
            _ => {}
        }
        result
    }

    pub fn send(&mut self, bytes: &[u8]) -> Result<Step, TlsError> {
        self.end.was_blocked();
        let result = self.layer.send(&self.end, bytes);
        if let Ok(Step::Blocked) = result {
            assert!(self.end.was_blocked(), "blocked without a reason");
        }
        result
    }

    pub fn flush(&mut self) -> bool {
        self.layer.flush(&self.end).unwrap()
    }

    /// Receives what is there; the end is an `Ok`.
    pub fn drain(&mut self, received: &mut Vec<u8>) -> Result<Step, TlsError> {
        let mut buffer = vec![0; 1 << 16];
        loop {
            match self.receive(&mut buffer)? {
                Step::Moved(count) => received.extend_from_slice(&buffer[..count]),
                other => return Ok(other),
            }
        }
    }
}

/// Client and server on one connection, with pieces as `next_piece` gives them.
pub fn join_with(
    client: TlsLayer,
    server: TlsLayer,
    next_piece: impl FnMut() -> usize + Clone + 'static,
) -> (Side, Side) {
    let (up, down) = (Lane::new(), Lane::new());
    let side = |layer, incoming: &Rc<Lane>, outgoing: &Rc<Lane>| Side {
        layer,
        end: End {
            incoming: incoming.clone(),
            outgoing: outgoing.clone(),
            next_piece: RefCell::new(Box::new(next_piece.clone())),
            reads: Cell::new(0),
            blocked: Cell::new(false),
        },
    };
    (side(client, &down, &up), side(server, &up, &down))
}

pub fn join(version: &'static SupportedProtocolVersion) -> (Side, Side) {
    join_with(client(client_config(version)), server(server_config(version)), || usize::MAX)
}

/// Joins two sides and shakes hands.
pub fn connect(version: &'static SupportedProtocolVersion) -> (Side, Side) {
    let (mut client, mut server) = join(version);
    shake(&mut client, &mut server).unwrap();
    (client, server)
}

/// Shakes hands to the end; the first error counts.
pub fn shake(client: &mut Side, server: &mut Side) -> Result<(), TlsError> {
    loop {
        let (at_client, at_server) = (client.handshake()?, server.handshake()?);
        if (at_client, at_server) == (Handshake::Done, Handshake::Done) {
            return Ok(());
        }
    }
}

pub fn server(config: ServerConfig) -> TlsLayer {
    TlsLayer::server(Arc::new(config)).unwrap()
}

pub fn client(config: ClientConfig) -> TlsLayer {
    TlsLayer::client(Arc::new(config), ServerName::try_from("localhost").unwrap()).unwrap()
}

pub fn server_config(version: &'static SupportedProtocolVersion) -> ServerConfig {
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(IDENTITY.1.clone()));
    ServerConfig::builder_with_protocol_versions(&[version])
        .with_no_client_auth()
        .with_single_cert(vec![IDENTITY.0.clone()], key)
        .unwrap()
}

pub fn client_config(version: &'static SupportedProtocolVersion) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add(IDENTITY.0.clone()).unwrap();
    ClientConfig::builder_with_protocol_versions(&[version]).with_root_certificates(roots).with_no_client_auth()
}

pub fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at % 251) as u8).collect()
}

/// A certificate for localhost, and its key.
static IDENTITY: LazyLock<(CertificateDer<'static>, Vec<u8>)> = LazyLock::new(|| {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    (made.cert.der().clone(), made.signing_key.serialize_der())
});
