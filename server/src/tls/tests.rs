//! Hand-shakes in memory: whose data connection is resumed, and which certificate is shown.

use std::collections::VecDeque;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use rustls::client::{
    ClientSessionMemoryCache, ClientSessionStore, Resumption, Tls12ClientSessionValue, Tls12Resumption,
    Tls13ClientSessionValue,
};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::version::{TLS12, TLS13};
use rustls::{
    ClientConfig, ClientConnection, HandshakeKind, NamedGroup, RootCertStore, ServerConfig, ServerConnection,
};

use super::*;
use crate::config::{TlsSettings, TlsVersion};

/// A directory with a certificate and its key.
struct Pair(tempfile::TempDir);

impl Pair {
    fn new() -> Pair {
        let pair = Pair(tempfile::tempdir().unwrap());
        pair.write();
        pair
    }

    /// Another certificate with another key.
    fn write(&self) {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
        fs::write(self.certificate(), made.cert.pem()).unwrap();
        fs::write(self.key(), made.signing_key.serialize_pem()).unwrap();
    }

    fn certificate(&self) -> PathBuf {
        self.0.path().join("cert.pem")
    }

    fn key(&self) -> PathBuf {
        self.0.path().join("key.pem")
    }

    fn settings(&self) -> TlsSettings {
        TlsSettings::new(self.certificate(), self.key())
    }

    fn open(&self) -> Certificates {
        Certificates::open(self.settings()).unwrap()
    }

    fn error(&self) -> String {
        Certificates::open(self.settings()).unwrap_err().to_string()
    }

    fn der(&self) -> CertificateDer<'static> {
        CertificateDer::from_pem_file(self.certificate()).unwrap()
    }
}

/// How a client resumes.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Means {
    Tls13,
    Tickets12,
    Ids12,
}

const ALL_MEANS: [Means; 3] = [Means::Tls13, Means::Tickets12, Means::Ids12];

fn client(trusted: &Pair, means: Means, store: Arc<dyn ClientSessionStore>) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.der()).unwrap();
    let (versions, tls12): (&[_], _) = match means {
        Means::Tls13 => (&[&TLS13], Tls12Resumption::Disabled),
        Means::Tickets12 => (&[&TLS12], Tls12Resumption::SessionIdOrTickets),
        Means::Ids12 => (&[&TLS12], Tls12Resumption::SessionIdOnly),
    };
    let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
    let builder = builder.with_protocol_versions(versions).unwrap();
    let mut config = builder.with_root_certificates(roots).with_no_client_auth();
    config.resumption = Resumption::store(store).tls12_resumption(tls12);
    config
}

/// A client that uses each ticket of TLS 1.3 once.
fn frugal(trusted: &Pair, means: Means) -> Arc<ClientConfig> {
    Arc::new(client(trusted, means, Arc::new(ClientSessionMemoryCache::new(8))))
}

/// Until both have nothing more to say.
fn shake(
    client: Arc<ClientConfig>,
    server: Arc<ServerConfig>,
) -> Result<(ClientConnection, ServerConnection), rustls::Error> {
    shake_as("localhost", client, server)
}

fn shake_as(
    name: &'static str,
    client: Arc<ClientConfig>,
    server: Arc<ServerConfig>,
) -> Result<(ClientConnection, ServerConnection), rustls::Error> {
    let mut client = ClientConnection::new(client, ServerName::try_from(name).unwrap())?;
    let mut server = ServerConnection::new(server)?;
    while client.wants_write() || server.wants_write() {
        let mut bytes = Vec::new();
        while client.wants_write() {
            client.write_tls(&mut bytes).unwrap();
        }
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            server.read_tls(&mut rest).unwrap();
            server.process_new_packets()?;
        }
        bytes.clear();
        while server.wants_write() {
            server.write_tls(&mut bytes).unwrap();
        }
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            client.read_tls(&mut rest).unwrap();
            client.process_new_packets()?;
        }
    }
    assert!(!client.is_handshaking() && !server.is_handshaking());
    Ok((client, server))
}

/// What the server says of the connection.
fn kind(client: &Arc<ClientConfig>, server: Arc<ServerConfig>) -> HandshakeKind {
    shake(Arc::clone(client), server).unwrap().1.handshake_kind().unwrap()
}

#[test]
fn data_connections_resume_the_session_of_their_control_connection_as_often_as_they_like() {
    let pair = Pair::new();
    let certificates = pair.open();
    for means in ALL_MEANS {
        let session = certificates.session().unwrap();
        let client = frugal(&pair, means);
        assert_eq!(kind(&client, session.control()), HandshakeKind::Full, "{means:?}");
        // More than there were tickets at the beginning: each transfer has to bring a new one.
        for transfer in 0..40 {
            assert_eq!(kind(&client, session.data(true)), HandshakeKind::Resumed, "{means:?}, transfer {transfer}");
        }
    }
}

#[test]
fn the_same_ticket_is_taken_again() {
    let pair = Pair::new();
    let session = pair.open().session().unwrap();
    for means in [Means::Tickets12, Means::Ids12] {
        let client = Arc::new(client(&pair, means, Arc::new(Counting::default())));
        kind(&client, session.control());
        for _ in 0..20 {
            assert_eq!(kind(&client, session.data(true)), HandshakeKind::Resumed, "{means:?}");
        }
    }
    // The client of rustls takes a ticket of TLS 1.3 once only. What others send again is taken again.
    let ticket = session.control().ticketer.encrypt(b"state").unwrap();
    for _ in 0..3 {
        assert_eq!(session.data(true).ticketer.decrypt(&ticket).as_deref(), Some(&b"state"[..]));
    }
    for length in 0..ticket.len() {
        assert_eq!(session.data(true).ticketer.decrypt(&ticket[..length]), None, "cut at {length}");
    }
}

#[test]
fn the_session_of_another_control_connection_is_not_resumed() {
    let pair = Pair::new();
    let certificates = pair.open();
    for means in ALL_MEANS {
        let (ours, theirs) = (certificates.session().unwrap(), certificates.session().unwrap());
        let (client, other) = (frugal(&pair, means), frugal(&pair, means));
        kind(&other, theirs.control());
        kind(&client, ours.control());
        assert_eq!(kind(&client, theirs.data(true)), HandshakeKind::Full, "{means:?}");
        assert_eq!(kind(&client, theirs.control()), HandshakeKind::Full, "{means:?}");
    }
}

#[test]
fn a_full_hand_shake_on_a_data_connection_gives_nothing_to_resume() {
    let pair = Pair::new();
    let certificates = pair.open();
    for means in ALL_MEANS {
        let session = certificates.session().unwrap();
        kind(&frugal(&pair, means), session.control());
        let thief = frugal(&pair, means);
        for attempt in 0..3 {
            assert_eq!(kind(&thief, session.data(true)), HandshakeKind::Full, "{means:?}, attempt {attempt}");
        }
    }
}

/// Somebody who has seen a ticket in a ClientHello, but not its secret, can offer it in a hand-shake that does not take
/// it: here for another name.
#[test]
fn a_ticket_that_is_shown_but_not_taken_opens_nothing() {
    let pair = Pair::new();
    let certificates = pair.open();
    for means in [Means::Tls13, Means::Tickets12] {
        let session = certificates.session().unwrap();
        let store = Arc::new(Counting::default());
        let client = Arc::new(client(&pair, means, store.clone()));
        kind(&client, session.control());
        let before = store.given();
        assert!(before > 0, "{means:?}");
        let (_, server) = shake_as("127.0.0.1", Arc::clone(&client), session.data(true)).unwrap();
        assert_eq!(server.handshake_kind(), Some(HandshakeKind::Full), "{means:?}");
        assert_eq!(store.given(), before, "{means:?}: new tickets");
    }
}

#[test]
fn a_new_certificate_is_for_new_sessions() {
    let pair = Pair::new();
    let mut certificates = pair.open();
    let session = certificates.session().unwrap();
    let old = frugal(&pair, Means::Tls13);
    kind(&old, session.control());
    pair.write();
    certificates.reload().unwrap();

    let fresh = frugal(&pair, Means::Tls13);
    let (shown, _) = shake(Arc::clone(&fresh), certificates.session().unwrap().control()).unwrap();
    assert_eq!(shown.peer_certificates().unwrap(), [pair.der()]);
    assert!(shake(fresh, session.data(true)).is_err(), "the old session shows the old certificate");
    assert_eq!(kind(&old, session.data(true)), HandshakeKind::Resumed);
}

#[test]
fn a_wrong_pair_changes_nothing() {
    let pair = Pair::new();
    let other = Pair::new();
    let mut certificates = pair.open();
    let client = frugal(&pair, Means::Tls13);
    fs::copy(other.key(), pair.key()).unwrap();
    let error = certificates.reload().unwrap_err().to_string();
    assert!(error.contains("does not belong to the first certificate in"), "{error}");
    fs::remove_file(pair.certificate()).unwrap();
    assert!(matches!(certificates.reload(), Err(TlsError::Read { .. })));
    kind(&client, certificates.session().unwrap().control());
}

#[test]
fn the_oldest_version_is_that_of_the_configuration() {
    let pair = Pair::new();
    let settings = TlsSettings { min_version: TlsVersion::V1_3, ..pair.settings() };
    let certificates = Certificates::open(settings).unwrap();
    let session = certificates.session().unwrap();
    assert!(shake(frugal(&pair, Means::Tickets12), session.control()).is_err());
    kind(&frugal(&pair, Means::Tls13), session.control());
}

#[test]
fn a_client_that_names_only_other_application_protocols_is_refused() {
    let pair = Pair::new();
    let session = pair.open().session().unwrap();
    let named = |protocols: &[&str], server: Arc<ServerConfig>| {
        let mut client = client(&pair, Means::Tls13, Arc::new(ClientSessionMemoryCache::new(8)));
        client.alpn_protocols = protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
        shake(Arc::new(client), server).is_ok()
    };
    for protocols in [&[][..], &["ftp"], &["h2", "ftp"]] {
        assert!(named(protocols, session.control()), "{protocols:?}");
        assert!(named(protocols, session.data(false)), "{protocols:?}");
    }
    assert!(named(&["ftp-data"], session.data(false)), "FileZilla's data connections");
    for protocols in [&["http/1.1"][..], &["h2", "http/1.1"], &["smtp"], &["FTP"]] {
        assert!(!named(protocols, session.control()), "{protocols:?}");
        assert!(!named(protocols, session.data(false)), "{protocols:?}");
    }
}

#[test]
fn every_kind_of_wrong_file_has_its_sentence() {
    let pair = Pair::new();
    let rest = |path: &Path, text: &str| {
        let before = fs::read(path).unwrap();
        fs::write(path, text).unwrap();
        let error = pair.error();
        fs::write(path, before).unwrap();
        assert!(error.contains(&path.display().to_string()), "{error}");
        error
    };
    let (certificate, key) = (pair.certificate(), pair.key());
    let key_text = fs::read_to_string(&key).unwrap();
    assert!(rest(&certificate, &key_text).contains("has no certificate: in PEM it begins with -----BEGIN CERTIFICATE"));
    assert!(rest(&certificate, "-----BEGIN CERTIFICATE-----\nAAAA\n").contains("damaged (it ends in the middle)"));
    let junk = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    assert!(rest(&certificate, junk).contains("damaged (its first certificate is none)"));
    assert!(rest(&key, "").contains("has no private key"));
    let junk = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
    assert!(rest(&key, junk).contains("is not one of ECDSA, Ed25519 or RSA"));
    let locked = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
    assert!(rest(&key, locked).contains("openssl pkey -in"));
    fs::remove_file(&key).unwrap();
    assert!(pair.error().contains("No such file") && pair.error().contains("muxftpd cert self-signed"));
}

/// A client that forgets nothing of TLS 1.2, uses tickets of TLS 1.3 once, and both for every name.
#[derive(Default)]
struct Counting(Mutex<Given>);

#[derive(Default)]
struct Given {
    count: usize,
    tls12: Option<Tls12ClientSessionValue>,
    tls13: VecDeque<Tls13ClientSessionValue>,
}

impl Counting {
    /// So often it was given something to resume with.
    fn given(&self) -> usize {
        self.0.lock().unwrap().count
    }
}

impl ClientSessionStore for Counting {
    fn set_kx_hint(&self, _: ServerName<'static>, _: NamedGroup) {}

    fn kx_hint(&self, _: &ServerName<'_>) -> Option<NamedGroup> {
        None
    }

    fn set_tls12_session(&self, _: ServerName<'static>, value: Tls12ClientSessionValue) {
        let mut given = self.0.lock().unwrap();
        given.count += 1;
        given.tls12.get_or_insert(value);
    }

    fn tls12_session(&self, _: &ServerName<'_>) -> Option<Tls12ClientSessionValue> {
        self.0.lock().unwrap().tls12.clone()
    }

    fn remove_tls12_session(&self, _: &ServerName<'static>) {}

    fn insert_tls13_ticket(&self, _: ServerName<'static>, value: Tls13ClientSessionValue) {
        let mut given = self.0.lock().unwrap();
        given.count += 1;
        given.tls13.push_back(value);
    }

    fn take_tls13_ticket(&self, _: &ServerName<'static>) -> Option<Tls13ClientSessionValue> {
        self.0.lock().unwrap().tls13.pop_front()
    }
}

impl fmt::Debug for Counting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Counting")
    }
}
