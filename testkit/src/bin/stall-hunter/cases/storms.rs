//! Many connections, handshakes, logins, time-outs at once; a log that is not read.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, SignatureScheme};

use crate::client::{Ftp, connect_from, flood};
use crate::run::{Run, Until};

/// Runs `work` again and again in several threads until the time is over.
fn parallel(threads: usize, until: &Until, work: impl Fn() + Sync) {
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                super::stand_back();
                while until.lasts() {
                    work();
                }
            });
        }
    });
}

pub fn connects(run: &Run<'_>) -> Result<(), String> {
    let server = run.server()?;
    let address = SocketAddr::from(([127, 0, 0, 1], server.ftp));
    run.measure(&server, |until| {
        parallel(4, until, || match TcpStream::connect_timeout(&address, Duration::from_secs(1)) {
            Ok(stream) => drop(stream),
            Err(_) => super::pause(),
        });
        Ok(())
    })
}

pub fn handshakes(run: &Run<'_>) -> Result<(), String> {
    let server = run.server()?;
    let port = server.ftps;
    let config =
        ClientConfig::builder().dangerous().with_custom_certificate_verifier(Arc::new(Trusting)).with_no_client_auth();
    let config = Arc::new(config);
    let done = AtomicUsize::new(0);
    run.measure(&server, |until| {
        parallel(8, until, || {
            if handshake(&config, port).is_some() {
                done.fetch_add(1, Ordering::Relaxed);
            }
        });
        if done.load(Ordering::Relaxed) == 0 { Err("no handshake succeeded".to_owned()) } else { Ok(()) }
    })
}

fn handshake(config: &Arc<ClientConfig>, port: u16) -> Option<()> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(2))).ok()?;
    let name = ServerName::try_from("localhost").ok()?;
    // A session kept would make the next handshake cheap.
    let mut config = ClientConfig::clone(config);
    config.resumption = rustls::client::Resumption::disabled();
    let mut connection = ClientConnection::new(Arc::new(config), name).ok()?;
    connection.complete_io(&mut stream).ok().map(|_| ())
}

/// The load does not care who the server is.
#[derive(Debug)]
struct Trusting;

impl ServerCertVerifier for Trusting {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ECDSA_NISTP256_SHA256, SignatureScheme::ED25519, SignatureScheme::RSA_PSS_SHA256]
    }
}

/// The passwords are all sent before the right one; how long that takes to be accepted is the note of the row.
pub fn logins(run: &Run<'_>) -> Result<(), String> {
    let server = run.server()?;
    let mut attackers = Vec::new();
    for _ in 0..1000 {
        let stream = connect_from([127, 0, 0, 66], server.ftp).map_err(|error| format!("127.0.0.66: {error}"))?;
        attackers.push(stream);
    }
    for stream in &mut attackers {
        let mut greeting = [0; 512];
        stream.read(&mut greeting).map_err(|error| format!("greeting: {error}"))?;
    }
    run.measure(&server, |_| {
        for (number, stream) in attackers.iter_mut().enumerate() {
            // A server that has locked the address closes the connection.
            let _ = stream.write_all(format!("USER alice\r\nPASS wrong{number}\r\n").as_bytes());
        }
        let start = Instant::now();
        let mut alice = Ftp::connect(server.ftp)?;
        let reply = alice.log_in("alice", "secret").map_err(|error| format!("alice: {error}, waited 20 s"))?;
        Err(format!("alice: {} after {:.2} s", reply.get(..3).unwrap_or(&reply), start.elapsed().as_secs_f64()))
    })
}

pub fn timers(run: &Run<'_>) -> Result<(), String> {
    let server = run.server_with(crate::server::Options { config: "[timeouts]\nlogin = \"1s\"", ..run.options() })?;
    run.measure(&server, |until| {
        while until.lasts() {
            let waiting: Vec<_> =
                (0..1000).filter_map(|_| TcpStream::connect(("127.0.0.1", server.ftp)).ok()).collect();
            for mut stream in waiting {
                let _ = stream.set_read_timeout(Some(Duration::from_secs(5)));
                let _ = std::io::copy(&mut stream, &mut std::io::sink());
            }
        }
        Ok(())
    })
}

pub fn strangers(run: &Run<'_>) -> Result<(), String> {
    let server = run.server()?;
    let mut session = Ftp::guest(server.ftp)?;
    let reply = session.command("EPSV")?;
    let port = reply.split('|').nth(3).and_then(|port| port.parse().ok()).ok_or(reply)?;
    run.measure(&server, |until| {
        parallel(4, until, || match connect_from([127, 0, 0, 66], port) {
            Ok(stream) => drop(stream),
            Err(_) => super::pause(),
        });
        Ok(())
    })
}

pub fn log_unread(run: &Run<'_>) -> Result<(), String> {
    let server = run.server_with(crate::server::Options { log_unread: true, ..run.options() })?;
    let sessions = super::guests(&server, 20)?;
    run.measure(&server, |until| {
        super::stand_back();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                parallel(2, until, || {
                    if Ftp::guest(server.ftp).is_err() {
                        super::pause();
                    }
                });
            });
            flood(sessions, "MKD d\r\nRMD d", true, until)
        })
    })
}
