//! The blocking connections of the clients here, encrypted or not.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::{Arc, LazyLock};

use muxftp_server::config::TlsSettings;
use rustls::client::{ClientConnection, ClientSessionMemoryCache, Resumption};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore, StreamOwned, SupportedProtocolVersion};

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
        self.0.conn.send_close_notify();
        // A server that has enough may be gone.
        let _ = self.0.flush();
    }
}

/// What a client knows of TLS: the one certificate that it trusts, and its sessions.
#[derive(Clone)]
pub struct TlsClient(Arc<ClientConfig>);

impl TlsClient {
    /// One that remembers sessions, so that data connections resume the control connection's.
    pub fn new(version: &'static SupportedProtocolVersion) -> TlsClient {
        TlsClient::remembering(version, Resumption::store(Arc::new(ClientSessionMemoryCache::new(32))))
    }

    /// One that makes each session anew.
    pub fn forgetful(version: &'static SupportedProtocolVersion) -> TlsClient {
        TlsClient::remembering(version, Resumption::disabled())
    }

    fn remembering(version: &'static SupportedProtocolVersion, resumption: Resumption) -> TlsClient {
        let mut roots = RootCertStore::empty();
        roots.add(CERTIFICATE.der.clone()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider).with_protocol_versions(&[version]).unwrap();
        let mut config = config.with_root_certificates(roots).with_no_client_auth();
        config.resumption = resumption;
        TlsClient(Arc::new(config))
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
        connection.writer().write_all(bytes)?;
        connection.send_close_notify();
        while connection.wants_write() || connection.is_handshaking() {
            connection.complete_io(&mut socket)?;
        }
        Ok(())
    }

    /// Encrypts a connection and makes the hand-shake.
    pub fn connect(&self, mut socket: TcpStream) -> io::Result<Box<dyn Pipe>> {
        let name = ServerName::try_from("localhost").unwrap();
        let mut connection = ClientConnection::new(Arc::clone(&self.0), name).unwrap();
        while connection.is_handshaking() {
            connection.complete_io(&mut socket)?;
        }
        Ok(Box::new(TlsPipe(StreamOwned::new(connection, socket))))
    }
}

/// The certificate of all servers here.
pub struct Certificate {
    directory: tempfile::TempDir,
    der: rustls::pki_types::CertificateDer<'static>,
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

    /// For other clients.
    pub fn path(&self) -> std::path::PathBuf {
        self.directory.path().join("cert.pem")
    }
}
