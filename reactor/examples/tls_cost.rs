//! CPU seconds per gigabyte for each side of a TLS transfer over loopback, and bytes per idle connection.
//!
//! `cargo run --release -p muxftp-reactor --example tls_cost [gigabytes]`
//!
//! `layer` is what this crate does; `buffered` is the other way to use rustls, for comparison: its own buffers, and
//! reads and writes by `read_tls` and `write_tls`; `plain` is the same transfer without TLS. Each figure is
//! the least of some rounds, since other programs only ever add to it.

use std::error::Error;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::thread;

use mio::net::TcpStream;
use muxftp_reactor::pump::Step;
use muxftp_reactor::tls::{Handshake, Stream, TlsLayer};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::time::{ClockId, clock_gettime};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, Connection, RootCertStore, ServerConfig, ServerConnection};

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// One end of a transfer, driven until it has moved so many bytes.
trait Peer: Send {
    fn send(&mut self, bytes: &[u8]) -> Result<Step>;
    fn flush(&mut self) -> Result<bool>;
    fn receive(&mut self, buffer: &mut [u8]) -> Result<Step>;
    fn socket(&self) -> &TcpStream;
}

impl Peer for Stream {
    fn send(&mut self, bytes: &[u8]) -> Result<Step> {
        Ok(Stream::send(self, bytes)?)
    }
    fn flush(&mut self) -> Result<bool> {
        Ok(Stream::flush(self)?)
    }
    fn receive(&mut self, buffer: &mut [u8]) -> Result<Step> {
        Ok(Stream::receive(self, buffer)?)
    }
    fn socket(&self) -> &TcpStream {
        Stream::socket(self)
    }
}

/// rustls with its own buffers.
struct Buffered(Connection, TcpStream);

impl Peer for Buffered {
    fn send(&mut self, bytes: &[u8]) -> Result<Step> {
        if !self.flush()? {
            return Ok(Step::Blocked);
        }
        let count = self.0.writer().write(bytes)?;
        self.flush()?;
        Ok(Step::Moved(count))
    }
    fn flush(&mut self) -> Result<bool> {
        while self.0.wants_write() {
            match self.0.write_tls(&mut self.1) {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(true)
    }
    fn receive(&mut self, buffer: &mut [u8]) -> Result<Step> {
        loop {
            match self.0.reader().read(buffer) {
                Ok(count) => return Ok(Step::Moved(count)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error.into()),
            }
            match self.0.read_tls(&mut self.1) {
                Ok(_) => self.0.process_new_packets()?,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(Step::Blocked),
                Err(error) => return Err(error.into()),
            };
        }
    }
    fn socket(&self) -> &TcpStream {
        &self.1
    }
}

fn main() -> Result<()> {
    let gigabytes: f64 = std::env::args().nth(1).map_or(Ok(1.0), |text| text.parse())?;
    let bytes = (gigabytes * 1e9) as usize;
    let (server, client) = configurations()?;
    println!("idle connection after the hand-shake, both ends together: {} bytes", idle_bytes(&server, &client)?);
    println!("{:>9} {:>8} {:>16} {:>16}", "way", "buffer", "send CPU s/GB", "receive CPU s/GB");
    for buffer in [64 << 10, 128 << 10, 256 << 10] {
        let mut best = [(f64::MAX, f64::MAX); WAYS.len()];
        for _ in 0..ROUNDS {
            for (way, best) in WAYS.iter().zip(&mut best) {
                let (from, to) = peers(way, &server, &client)?;
                let (sent, received) = transfer(from, to, bytes, buffer)?;
                *best = (best.0.min(sent), best.1.min(received));
            }
        }
        for (way, (sent, received)) in WAYS.iter().zip(best) {
            println!("{way:>9} {buffer:>8} {:>16.3} {:>16.3}", sent / gigabytes, received / gigabytes);
        }
    }
    Ok(())
}

type Peers = (Box<dyn Peer>, Box<dyn Peer>);

fn peers(way: &str, server: &Arc<ServerConfig>, client: &Arc<ClientConfig>) -> Result<Peers> {
    let (near, far) = sockets()?;
    Ok(match way {
        "plain" => (Box::new(Stream::from(near)), Box::new(Stream::from(far))),
        "layer" => {
            let (near, far) = layers(near, far, server, client)?;
            (Box::new(near), Box::new(far))
        }
        _ => {
            let (near, far) = buffered(near, far, server, client)?;
            (Box::new(near), Box::new(far))
        }
    })
}

/// CPU seconds of the sender and of the receiver.
fn transfer(mut from: Box<dyn Peer>, mut to: Box<dyn Peer>, bytes: usize, size: usize) -> Result<(f64, f64)> {
    let sender = thread::spawn(move || -> Result<f64> {
        let (start, buffer, mut sent) = (cpu_seconds(), vec![7; size], 0);
        while sent < bytes {
            match from.send(&buffer[..size.min(bytes - sent)])? {
                Step::Moved(count) => sent += count,
                _ => wait(from.socket(), PollFlags::OUT)?,
            }
        }
        while !from.flush()? {
            wait(from.socket(), PollFlags::OUT)?;
        }
        Ok(cpu_seconds() - start)
    });
    let (start, mut buffer, mut received) = (cpu_seconds(), vec![0; size], 0);
    while received < bytes {
        match to.receive(&mut buffer)? {
            Step::Moved(count) => received += count,
            _ => wait(to.socket(), PollFlags::IN)?,
        }
    }
    let used = cpu_seconds() - start;
    Ok((sender.join().map_err(|_| "the sender panicked")??, used))
}

/// What the memory of the process grows by for each pair of layers.
fn idle_bytes(server: &Arc<ServerConfig>, client: &Arc<ClientConfig>) -> Result<usize> {
    const PAIRS: usize = 200;
    let mut pairs = Vec::with_capacity(PAIRS);
    let mut before = 0;
    for count in 0..2 * PAIRS {
        // The first half warms up what is shared.
        if count == PAIRS {
            before = resident_bytes()?;
        }
        let (near, far) = sockets()?;
        let (near, mut far) = layers(near, far, server, client)?;
        // The client takes its tickets.
        let _nothing = far.receive(&mut [0; 100])?;
        pairs.push((near, far));
    }
    Ok((resident_bytes()? - before) / PAIRS)
}

fn resident_bytes() -> Result<usize> {
    let statm = std::fs::read_to_string("/proc/self/statm")?;
    let pages: usize = statm.split(' ').nth(1).ok_or("statm")?.parse()?;
    Ok(pages * 4096)
}

fn layers(
    near: TcpStream,
    far: TcpStream,
    server: &Arc<ServerConfig>,
    client: &Arc<ClientConfig>,
) -> Result<(Stream, Stream)> {
    let (mut near, mut far) = (Stream::from(near), Stream::from(far));
    near.secure(TlsLayer::server(server.clone())?);
    far.secure(TlsLayer::client(client.clone(), ServerName::try_from("localhost")?)?);
    while (near.handshake()?, far.handshake()?) != (Handshake::Done, Handshake::Done) {}
    Ok((near, far))
}

fn buffered(
    near: TcpStream,
    far: TcpStream,
    server: &Arc<ServerConfig>,
    client: &Arc<ClientConfig>,
) -> Result<(Buffered, Buffered)> {
    let name = ServerName::try_from("localhost")?;
    let mut near = Buffered(ServerConnection::new(server.clone())?.into(), near);
    let mut far = Buffered(ClientConnection::new(client.clone(), name)?.into(), far);
    while near.0.is_handshaking() || far.0.is_handshaking() {
        for peer in [&mut near, &mut far] {
            peer.flush()?;
            let _nothing = peer.receive(&mut [0; 1])?;
            peer.flush()?;
        }
    }
    Ok((near, far))
}

fn configurations() -> Result<(Arc<ServerConfig>, Arc<ClientConfig>)> {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()])?;
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
    let mut server =
        ServerConfig::builder().with_no_client_auth().with_single_cert(vec![made.cert.der().clone()], key)?;
    server.ticketer = rustls::crypto::aws_lc_rs::Ticketer::new()?;
    let mut roots = RootCertStore::empty();
    roots.add(made.cert.der().clone())?;
    let mut client = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    client.resumption = rustls::client::Resumption::disabled();
    Ok((Arc::new(server), Arc::new(client)))
}

fn sockets() -> Result<(TcpStream, TcpStream)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let near = std::net::TcpStream::connect(listener.local_addr()?)?;
    let (far, _) = listener.accept()?;
    for socket in [&near, &far] {
        socket.set_nonblocking(true)?;
        socket.set_nodelay(true)?;
    }
    Ok((TcpStream::from_std(near), TcpStream::from_std(far)))
}

fn wait(socket: &TcpStream, flags: PollFlags) -> Result<()> {
    poll(&mut [PollFd::from_borrowed_fd(socket.as_fd(), flags)], None)?;
    Ok(())
}

fn cpu_seconds() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 * 1e-9
}

const WAYS: [&str; 3] = ["plain", "layer", "buffered"];

const ROUNDS: usize = 5;
