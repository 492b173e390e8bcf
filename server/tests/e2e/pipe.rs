//! The blocking connections of the clients here, encrypted or not.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::{Arc, LazyLock, Mutex};

use muxftp_server::config::TlsSettings;
use rustls::client::{
    ClientConnection, ClientSessionStore, Resumption, Tls12ClientSessionValue, Tls13ClientSessionValue,
};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::version::TLS13;
use rustls::{ClientConfig, NamedGroup, RootCertStore, StreamOwned, SupportedProtocolVersion};

/// A connection.
pub trait Pipe: Read + Write + Send {
    /// The TCP connection below.
    fn socket(&self) -> &TcpStream;

    /// Says that nothing more comes, as the protocol below wants it, and closes.
    fn finish(self: Box<Self>);
}

impl Pipe for TcpStream {
    fn socket(&self) -> &TcpStream {
        self
    }

    fn finish(self: Box<Self>) {}
}

/// TLS over a TCP connection.
struct TlsPipe(StreamOwned<ClientConnection, TcpStream>);

impl Read for TlsPipe {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl Write for TlsPipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl Pipe for TlsPipe {
    fn socket(&self) -> &TcpStream {
        &self.0.sock
    }

    fn finish(mut self: Box<Self>) {
        // A server that has enough may be gone.
        let _ = end(&mut self.0.conn, &mut self.0.sock);
    }
}

/// The sessions with the one server that there is. A ticket is used once, as TLS 1.3 would have it: rustls lets it be no
/// other way, while most clients use theirs again and again.
#[derive(Debug, Default)]
struct Sessions(Mutex<Last>);

#[derive(Debug, Default)]
struct Last {
    group: Option<NamedGroup>,
    tls12: Option<Tls12ClientSessionValue>,
    tls13: VecDeque<Tls13ClientSessionValue>,
}

impl ClientSessionStore for Sessions {
    fn set_kx_hint(&self, _server: ServerName<'static>, group: NamedGroup) {
        self.0.lock().unwrap().group = Some(group);
    }

    fn kx_hint(&self, _server: &ServerName<'_>) -> Option<NamedGroup> {
        self.0.lock().unwrap().group
    }

    fn set_tls12_session(&self, _server: ServerName<'static>, value: Tls12ClientSessionValue) {
        self.0.lock().unwrap().tls12 = Some(value);
    }

    fn tls12_session(&self, _server: &ServerName<'_>) -> Option<Tls12ClientSessionValue> {
        self.0.lock().unwrap().tls12.clone()
    }

    fn remove_tls12_session(&self, _server: &ServerName<'static>) {
        self.0.lock().unwrap().tls12 = None;
    }

    fn insert_tls13_ticket(&self, _server: ServerName<'static>, value: Tls13ClientSessionValue) {
        self.0.lock().unwrap().tls13.push_back(value);
    }

    fn take_tls13_ticket(&self, _server: &ServerName<'static>) -> Option<Tls13ClientSessionValue> {
        self.0.lock().unwrap().tls13.pop_front()
    }
}

/// What a client knows of TLS: the one certificate that it trusts, and its sessions.
#[derive(Clone)]
pub struct TlsClient(Arc<ClientConfig>);

impl TlsClient {
    /// One that remembers sessions, so that data connections resume the control connection's.
    pub fn new(version: &'static SupportedProtocolVersion) -> TlsClient {
        TlsClient::remembering(version, Resumption::store(Arc::new(Sessions::default())))
    }

    /// One that makes each session anew.
    pub fn forgetful(version: &'static SupportedProtocolVersion) -> TlsClient {
        TlsClient::remembering(version, Resumption::disabled())
    }

    /// One that trusts whichever of these certificates it is shown.
    pub fn trusting(certificates: &[CertificateDer<'static>]) -> TlsClient {
        TlsClient::made(&TLS13, certificates, Resumption::store(Arc::new(Sessions::default())))
    }

    fn remembering(version: &'static SupportedProtocolVersion, resumption: Resumption) -> TlsClient {
        TlsClient::made(version, std::slice::from_ref(&CERTIFICATE.der), resumption)
    }

    fn made(
        version: &'static SupportedProtocolVersion,
        trusted: &[CertificateDer<'static>],
        resumption: Resumption,
    ) -> TlsClient {
        let mut roots = RootCertStore::empty();
        for certificate in trusted {
            roots.add(certificate.clone()).unwrap();
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider).with_protocol_versions(&[version]).unwrap();
        let mut config = config.with_root_certificates(roots).with_no_client_auth();
        config.resumption = resumption;
        TlsClient(Arc::new(config))
    }

    /// The same client, which names these protocols in its hello (ALPN).
    pub fn naming(mut self, protocols: &[&str]) -> TlsClient {
        Arc::make_mut(&mut self.0).alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
        self
    }

    /// Encrypts a connection; the hand-shake is made with the first bytes, or by [`TlsClient::connect`].
    pub fn wrap(&self, socket: TcpStream) -> Box<dyn Pipe> {
        let name = ServerName::try_from("localhost").unwrap();
        let connection = ClientConnection::new(Arc::clone(&self.0), name).unwrap();
        Box::new(TlsPipe(StreamOwned::new(connection, socket)))
    }

    /// Sends all of an upload over such a connection, with its end.
    pub fn upload(&self, mut socket: impl Read + Write, bytes: &[u8]) -> io::Result<()> {
        let name = ServerName::try_from("localhost").unwrap();
        let mut connection = ClientConnection::new(Arc::clone(&self.0), name).unwrap();
        rustls::Stream::new(&mut connection, &mut socket).write_all(bytes)?;
        end(&mut connection, &mut socket)
    }

    /// The certificate that a server shows.
    pub fn shown_by(&self, mut socket: TcpStream) -> CertificateDer<'static> {
        let name = ServerName::try_from("localhost").unwrap();
        let mut connection = ClientConnection::new(Arc::clone(&self.0), name).unwrap();
        shake(&mut connection, &mut socket).unwrap();
        connection.peer_certificates().unwrap()[0].clone()
    }

    /// Encrypts a connection and makes the hand-shake.
    pub fn connect(&self, mut socket: TcpStream) -> io::Result<Box<dyn Pipe>> {
        let name = ServerName::try_from("localhost").unwrap();
        let mut connection = ClientConnection::new(Arc::clone(&self.0), name).unwrap();
        shake(&mut connection, &mut socket)?;
        Ok(Box::new(TlsPipe(StreamOwned::new(connection, socket))))
    }
}

fn shake(connection: &mut ClientConnection, socket: &mut (impl Read + Write)) -> io::Result<()> {
    while connection.is_handshaking() {
        connection.complete_io(socket)?;
    }
    Ok(())
}

/// Sends a close_notify behind all else.
fn end(connection: &mut ClientConnection, socket: &mut (impl Read + Write)) -> io::Result<()> {
    shake(connection, socket)?;
    connection.send_close_notify();
    while connection.wants_write() {
        connection.write_tls(socket)?;
    }
    // What is unread when a connection is closed makes a reset of the close.
    let mut rest = Vec::new();
    let _ = socket.read_to_end(&mut rest);
    Ok(())
}

/// The certificate of all servers here.
pub struct Certificate {
    directory: tempfile::TempDir,
    der: CertificateDer<'static>,
}

pub static CERTIFICATE: LazyLock<Certificate> = LazyLock::new(Certificate::make);

impl Certificate {
    fn make() -> Certificate {
        let directory = tempfile::tempdir().unwrap();
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
        std::fs::write(directory.path().join("cert.pem"), made.cert.pem()).unwrap();
        std::fs::write(directory.path().join("key.pem"), made.signing_key.serialize_pem()).unwrap();
        Certificate { directory, der: made.cert.der().clone() }
    }

    /// For a server's configuration.
    pub fn settings(&self) -> TlsSettings {
        TlsSettings::new(self.directory.path().join("cert.pem"), self.directory.path().join("key.pem"))
    }

    /// For clients that are programs.
    pub fn path(&self) -> std::path::PathBuf {
        self.directory.path().join("cert.pem")
    }
}
