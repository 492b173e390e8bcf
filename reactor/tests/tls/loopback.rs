//! Real connections, with and without TLS, in the loop.

use std::io::Write;
use std::net::{Ipv4Addr, Shutdown, TcpListener};

use mio::net::TcpStream;
use muxftp_reactor::pump::Step;
use muxftp_reactor::tls::{Handshake, Stream, TlsLayer};
use muxftp_reactor::{Again, Clock, Handler, Key, Reactor, Readiness};

use crate::wire::{VERSIONS, client, client_config, pattern, server, server_config};

/// More than the socket buffers of both sides hold.
const LENGTH: usize = 24 << 20;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Who {
    Client,
    Server,
}

/// The server sends a file and closes; the client reads to the end.
struct Download {
    client: Stream,
    server: Stream,
    file: std::fs::File,
    offset: u64,
    buffer: Vec<u8>,
    received: Vec<u8>,
    ended: bool,
    /// Turns that found a hint and moved nothing.
    idle_runs: usize,
}

impl Download {
    fn stream(&mut self, who: Who) -> &mut Stream {
        match who {
            Who::Client => &mut self.client,
            Who::Server => &mut self.server,
        }
    }

    /// As far as it goes within a few steps.
    fn work(&mut self, rx: &mut Reactor<Who>, key: Key, who: Who) -> Again {
        match self.stream(who).handshake().unwrap() {
            Handshake::Done => {}
            Handshake::BlockedOnRead => return wait(rx, key, |readiness| readiness.readable = false),
            Handshake::BlockedOnWrite => return wait(rx, key, |readiness| readiness.writable = false),
        }
        for _ in 0..4 {
            let step = match who {
                Who::Server => self.server.send_file(&self.file, &mut self.offset, 1 << 20, &mut self.buffer).unwrap(),
                Who::Client => self.client.receive(&mut self.buffer).unwrap(),
            };
            match (who, step) {
                (Who::Server, Step::Moved(_)) => {}
                (Who::Client, Step::Moved(count)) => self.received.extend_from_slice(&self.buffer[..count]),
                (Who::Server, Step::Blocked) => return wait(rx, key, |readiness| readiness.writable = false),
                (Who::Client, Step::Blocked) => return wait(rx, key, |readiness| readiness.readable = false),
                (Who::Server, Step::End) => {
                    self.server.close();
                    if !self.server.flush().unwrap() {
                        return wait(rx, key, |readiness| readiness.writable = false);
                    }
                    self.server.socket().shutdown(Shutdown::Write).unwrap();
                    return Again::No;
                }
                (Who::Client, Step::End) => {
                    self.ended = true;
                    return Again::No;
                }
            }
        }
        Again::Yes
    }
}

impl Handler<Who> for Download {
    fn ready(&mut self, rx: &mut Reactor<Who>, key: Key, who: Who, _readiness: Readiness) -> Again {
        let before = (self.offset, self.received.len(), self.client.tls().map(|tls| tls.is_handshaking()));
        let again = self.work(rx, key, who);
        let after = (self.offset, self.received.len(), self.client.tls().map(|tls| tls.is_handshaking()));
        self.idle_runs += usize::from(before == after && again == Again::Yes);
        again
    }

    fn timeout(&mut self, _rx: &mut Reactor<Who>, _key: Key, who: Who) {
        panic!("nothing was armed for {who:?}");
    }
}

fn wait(rx: &mut Reactor<Who>, key: Key, clear: impl FnOnce(&mut Readiness)) -> Again {
    clear(rx.readiness(key).unwrap());
    Again::No
}

#[test]
fn a_file_goes_over_real_connections_by_events_alone() {
    for version in [None, Some(VERSIONS[0]), Some(VERSIONS[1])] {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let near = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (far, _) = listener.accept().unwrap();
        let stream = |socket: std::net::TcpStream| {
            socket.set_nonblocking(true).unwrap();
            Stream::from(TcpStream::from_std(socket))
        };
        let contents = pattern(LENGTH);
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&contents).unwrap();
        let mut download = Download {
            client: stream(near),
            server: stream(far),
            file,
            offset: 0,
            buffer: vec![0; 1 << 16],
            received: Vec::new(),
            ended: false,
            idle_runs: 0,
        };
        if let Some(version) = version {
            download.client.secure(client(client_config(version)));
            download.server.secure(server(server_config(version)));
        }

        let mut rx = Reactor::new(Clock::default()).unwrap();
        for who in [Who::Client, Who::Server] {
            rx.register(download.stream(who).socket_mut(), who).unwrap();
        }
        while !download.ended {
            rx.turn(&mut download, None).unwrap();
        }
        assert!(!download.client.has_buffered() && !download.server.wants_write());
        assert_eq!(download.client.tls().and_then(TlsLayer::protocol_version), version.map(|version| version.version));
        assert!(download.received == contents);
        assert_eq!(download.idle_runs, 0);
    }
}
