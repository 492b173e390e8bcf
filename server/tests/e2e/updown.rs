//! The dialect `updown`, by a client that is written from its transcripts alone.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, Instant};

use muxftp_proto::Dialect;
use muxftp_server::config::{Listen, TlsMode};
use muxftp_server::{Config, PortRange};

use crate::support::{TestServer, connect_from, connect_narrow, read_all};

/// A server of updown on an address of this machine that no other test has: its data ports are fixed.
fn server(ports: (u16, u16)) -> TestServer {
    server_with(ports, |_| {})
}

pub fn server_with(ports: (u16, u16), change: impl FnOnce(&mut Config)) -> TestServer {
    static NEXT: AtomicU8 = AtomicU8::new(1);
    let [_, _, high, low] = std::process::id().to_be_bytes();
    let address = Ipv4Addr::new(127, NEXT.fetch_add(1, Ordering::Relaxed), high.max(1), low);
    TestServer::with(|config: &mut Config| {
        config.listen = vec![Listen::new(Dialect::Updown, SocketAddr::new(address.into(), 0), TlsMode::Off)];
        config.updown_data_ports = PortRange::new(ports.0, ports.1).unwrap();
        change(config);
    })
}

pub const ONE_PORT: (u16, u16) = (5002, 5002);

/// A client of `updown`.
pub struct Client {
    control: BufReader<TcpStream>,
    server: SocketAddr,
    source: IpAddr,
}

impl Client {
    pub fn connect(server: SocketAddr) -> Client {
        Client::connect_from(Ipv4Addr::LOCALHOST, server)
    }

    pub fn connect_from(source: Ipv4Addr, server: SocketAddr) -> Client {
        Client::over(connect_from(source, server))
    }

    fn over(stream: TcpStream) -> Client {
        let (server, source) = (stream.peer_addr().unwrap(), stream.local_addr().unwrap().ip());
        Client { control: BufReader::new(stream), server, source }
    }

    pub fn say(&mut self, text: &str) {
        self.control.get_mut().write_all(text.as_bytes()).unwrap();
    }

    /// Says that no further command comes.
    pub fn half_close(&self) {
        self.control.get_ref().shutdown(std::net::Shutdown::Write).unwrap();
    }

    /// A reply without its end; empty when the server has closed.
    pub fn reply(&mut self) -> String {
        let mut line = String::new();
        self.control.read_line(&mut line).unwrap();
        assert!(!line.ends_with("\r\n"), "replies end in LF");
        line.trim_end().to_owned()
    }

    pub fn ask(&mut self, text: &str) -> String {
        self.say(&format!("{text}\n"));
        self.reply()
    }

    /// Connects to the port that a reply names last.
    pub fn data(&self, reply: &str) -> TcpStream {
        let port = reply.strip_prefix("OK ").and_then(|rest| rest.rsplit(' ').next()).unwrap();
        connect_from(self.source, SocketAddr::new(self.server.ip(), port.parse().unwrap()))
    }

    fn upload(&mut self, name: &str, bytes: &[u8]) -> String {
        let reply = self.ask(&format!("UPLOAD {name} {}", bytes.len()));
        let mut data = self.data(&reply);
        data.write_all(bytes).unwrap();
        // Not closed: the upload is complete at its size.
        let reply = self.reply();
        drop(data);
        reply
    }

    fn download(&mut self, name: &str) -> Vec<u8> {
        let reply = self.ask(&format!("DOWNLOAD {name}"));
        let size: usize = reply.split(' ').nth(1).unwrap().parse().unwrap();
        self.say("READY\n");
        let bytes = read_all(&mut self.data(&reply));
        assert_eq!(bytes.len(), size);
        assert_eq!(self.reply(), "DONE");
        bytes
    }

    pub fn list(&mut self) -> Vec<String> {
        assert_eq!(self.ask("LIST"), "OK");
        std::iter::from_fn(|| Some(self.reply()).filter(|line| line != "DONE")).collect()
    }
}

/// Waits until the server has dealt with all that was said before.
fn settle(server: &TestServer) {
    assert_eq!(Client::connect(server.address).ask("FROB"), "ERROR UnknownCommand");
}

#[test]
fn the_transcripts_hold() {
    let server = server(ONE_PORT);
    let mut client = Client::connect(server.address);
    let photo: Vec<u8> = (0..118_601u32).map(|i| (i % 251) as u8).collect();
    assert_eq!(client.upload("photo.jpg", &photo), "DONE");
    assert_eq!(server.file("photo.jpg").unwrap(), photo);
    assert_eq!(client.download("photo.jpg"), photo);
    assert_eq!(client.upload("my notes 2024", b""), "DONE");
    assert_eq!(client.download("my notes 2024"), b"");
    assert_eq!(client.list(), ["my notes 2024", "photo.jpg"]);
    for (line, error) in [
        ("DOWNLOAD nope", "ERROR FileNotFound"),
        ("FROB", "ERROR UnknownCommand"),
        ("GET photo.jpg", "ERROR UnknownCommand"),
        ("UPLOAD photo.jpg", "ERROR BadSize"),
        ("UPLOAD ../x 3", "ERROR NameNotAllowed"),
        ("READY", "ERROR UnexpectedCommand"),
        ("LIST nope", "ERROR FileNotFound"),
    ] {
        assert_eq!(client.ask(line), error, "{line}");
    }
    assert_eq!(client.ask("QUIT"), "OK");
    assert_eq!(client.reply(), "", "closed");
}

#[test]
fn a_short_upload_leaves_the_old_file() {
    let server = server(ONE_PORT);
    server.put_file("a", b"old");
    let mut client = Client::connect(server.address);
    let reply = client.ask("UPLOAD a 10");
    client.data(&reply).write_all(b"123").unwrap();
    assert_eq!(client.reply(), "ERROR UploadShorterThanDeclared");
    assert_eq!(server.file("a").unwrap(), b"old");
    assert_eq!(server.names(), ["a"]);
}

#[test]
fn two_clients_behind_one_address_do_not_get_each_others_bytes() {
    let server = server(ONE_PORT);
    let (mut first, mut second) = (Client::connect(server.address), Client::connect(server.address));
    let reply = first.ask("UPLOAD first 5");
    assert_eq!(reply, "OK 5002");
    second.say("UPLOAD second 6\n");
    settle(&server);
    // Held back: nothing comes until the first has its connection.
    second.control.get_ref().set_nonblocking(true).unwrap();
    assert_eq!(second.control.get_mut().read(&mut [0]).unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
    second.control.get_ref().set_nonblocking(false).unwrap();
    let mut data = first.data(&reply);
    assert_eq!(second.reply(), "OK 5002");
    second.data("OK 5002").write_all(b"second").unwrap();
    assert_eq!(second.reply(), "DONE");
    data.write_all(b"first").unwrap();
    assert_eq!(first.reply(), "DONE");
    assert_eq!(
        (server.file("first").unwrap(), server.file("second").unwrap()),
        (b"first".to_vec(), b"second".to_vec())
    );
}

#[test]
fn clients_of_two_addresses_wait_at_one_port_at_once() {
    let server = server(ONE_PORT);
    let mut first = Client::connect_from(Ipv4Addr::new(127, 0, 0, 2), server.address);
    let mut second = Client::connect_from(Ipv4Addr::new(127, 0, 0, 3), server.address);
    let replies = [first.ask("UPLOAD first 5"), second.ask("UPLOAD second 6")];
    assert_eq!(replies, ["OK 5002", "OK 5002"]);
    second.data(&replies[1]).write_all(b"second").unwrap();
    assert_eq!(second.reply(), "DONE");
    first.data(&replies[0]).write_all(b"first").unwrap();
    assert_eq!(first.reply(), "DONE");
    assert_eq!(
        (server.file("first").unwrap(), server.file("second").unwrap()),
        (b"first".to_vec(), b"second".to_vec())
    );
}

#[test]
fn a_range_of_ports_serves_several_of_one_address_at_once() {
    let server = server((5002, 5003));
    let mut clients = [(); 3].map(|()| Client::connect(server.address));
    let first = clients[0].ask("UPLOAD a 1");
    let second = clients[1].ask("UPLOAD b 1");
    assert_eq!([first.as_str(), second.as_str()], ["OK 5002", "OK 5003"]);
    clients[2].say("UPLOAD c 1\n");
    clients[1].data(&second).write_all(b"b").unwrap();
    assert_eq!(clients[2].reply(), "OK 5003");
    clients[2].data("OK 5003").write_all(b"c").unwrap();
    clients[0].data(&first).write_all(b"a").unwrap();
    for client in &mut clients {
        assert_eq!(client.reply(), "DONE");
    }
    assert_eq!(server.names(), ["a", "b", "c"]);
}

#[test]
fn who_waits_and_goes_away_makes_room_for_the_next() {
    let server = server(ONE_PORT);
    let mut clients = [(); 4].map(|()| Client::connect(server.address));
    assert_eq!(clients[0].ask("UPLOAD a 1"), "OK 5002");
    for (client, name) in clients[1..].iter_mut().zip(["b", "c", "d"]) {
        client.say(&format!("UPLOAD {name} 1\n"));
        settle(&server);
    }
    let [waiting, held, next, last] = clients;
    drop(held);
    drop(waiting);
    for (mut client, name) in [(next, "c"), (last, "d")] {
        assert_eq!(client.reply(), "OK 5002");
        client.data("OK 5002").write_all(b"x").unwrap();
        assert_eq!(client.reply(), "DONE", "{name}");
    }
    assert_eq!(server.names(), ["c", "d"]);
}

#[test]
fn nobody_else_gets_a_transfers_bytes() {
    let server = server(ONE_PORT);
    server.put_file("secret", b"secret");
    let mut client = Client::connect(server.address);
    let reply = client.ask("DOWNLOAD secret");
    client.say("READY\n");
    let stranger = Client::connect_from(Ipv4Addr::new(127, 0, 0, 2), server.address);
    assert_eq!(read_all(&mut stranger.data(&reply)), b"", "closed without a byte");
    assert_eq!(read_all(&mut client.data(&reply)), b"secret");
    assert_eq!(client.reply(), "DONE");
    assert_eq!(read_all(&mut client.data(&reply)), b"", "nothing waits any more");
}

#[test]
fn a_large_listing_comes_whole_and_no_name_ends_it() {
    let server = server(ONE_PORT);
    let mut wanted: Vec<String> = (0..20_000).map(|i| format!("a-file-with-a-longer-name-{i:05}")).collect();
    wanted.extend(["DONE".to_owned(), "ERROR FileNotFound".to_owned(), "OK 5002".to_owned()]);
    for name in &wanted {
        server.put_file(name, b"");
    }
    wanted.sort();
    let mut client = Client::connect(server.address);
    let listed = client.list();
    let names: Vec<&str> = listed.iter().map(|line| line.strip_prefix("./").unwrap_or(line)).collect();
    assert_eq!(names, wanted);
    assert_eq!(client.download("./DONE"), b"");
    assert_eq!(client.ask("QUIT"), "OK", "the dialogue goes on in order");
}

#[test]
fn eight_clients_of_one_address_move_their_bytes_at_once() {
    let server = server(ONE_PORT);
    std::thread::scope(|scope| {
        for id in 0..8u8 {
            let server = &server;
            scope.spawn(move || {
                let mut client = Client::connect(server.address);
                for round in 0..10 {
                    let bytes = vec![id * 16 + round; 10_000 + usize::from(id)];
                    assert_eq!(client.upload(&format!("file-{id}"), &bytes), "DONE");
                    assert_eq!(client.download(&format!("file-{id}")), bytes);
                }
            });
        }
    });
    assert_eq!(server.names().len(), 8);
}

#[test]
fn a_client_that_dies_in_the_middle_leaves_nothing_and_holds_up_nobody() {
    let server = server(ONE_PORT);
    server.put_file("a", b"old");
    server.put_file("large", &vec![7; 20 << 20]);
    let mut uploads = Client::connect(server.address);
    let reply = uploads.ask("UPLOAD a 1000000");
    let mut data = uploads.data(&reply);
    data.write_all(&[1; 1000]).unwrap();
    let mut downloads = Client::connect(server.address);
    let reply = downloads.ask("DOWNLOAD large");
    downloads.say("READY\n");
    downloads.data(&reply).read_exact(&mut [0; 1000]).unwrap();
    drop((uploads, data, downloads));
    let mut other = Client::connect(server.address);
    assert_eq!(other.download("a"), b"old");
    assert_eq!(other.list(), ["a", "large"]);
    // The unfinished upload vanishes as soon as the server has heard of the death.
    while server.names() != ["a", "large"] {
        std::thread::yield_now();
    }
}

#[test]
fn a_client_that_is_late_is_told_and_its_ready_belongs_to_nothing() {
    let server = server_with(ONE_PORT, |config| config.timeouts.data_connect = Duration::from_millis(300));
    server.put_file("a", b"abc");
    let mut client = Client::connect(server.address);
    assert_eq!(client.ask("DOWNLOAD a"), "OK 3 5002");
    assert_eq!(client.reply(), "ERROR DataConnectionTimedOut");
    client.say("READY\n");
    assert_eq!(client.ask("LIST nope"), "ERROR FileNotFound", "each command has its own reply");
    assert_eq!(client.download("a"), b"abc");
}

/// How many names come, and the line behind them, when others are served for a while before they are read.
fn listed_without_reading_for(wait: Duration, server: &TestServer) -> (usize, String) {
    let mut client = Client::over(connect_narrow(server.address));
    assert_eq!(client.ask("LIST"), "OK");
    let mut other = Client::connect(server.address);
    let start = Instant::now();
    while start.elapsed() < wait {
        assert_eq!(other.ask("LIST nope"), "ERROR FileNotFound");
    }
    let mut names = 0;
    loop {
        let line = client.reply();
        if line.starts_with("ERROR") || line == "DONE" {
            return (names, line);
        }
        names += 1;
    }
}

#[test]
fn a_listing_that_nobody_reads_is_given_up_and_says_so() {
    const NAMES: usize = 5_000;
    let stall = Duration::from_millis(100);
    let server = server_with(ONE_PORT, |config| config.timeouts.stall = stall);
    for i in 0..NAMES {
        server.put_file(&format!("{i:05}-{}", "x".repeat(200)), b"");
    }
    // A busy machine may need longer to notice; until it does, nothing is lost.
    let patience = (0..7).map(|doublings| 5 * stall * (1 << doublings));
    let noticed = patience.into_iter().any(|wait| match listed_without_reading_for(wait, &server) {
        (names, last) if last == "DONE" => {
            assert_eq!(names, NAMES);
            false
        }
        (names, last) => {
            assert_eq!(last, "ERROR DataConnectionStalled");
            assert!(names < NAMES);
            true
        }
    });
    assert!(noticed, "it waits for ever");
}

#[test]
fn a_running_transfer_outlives_the_wish_to_end() {
    let server = server(ONE_PORT);
    let mut client = Client::connect(server.address);
    let reply = client.ask("UPLOAD a 6");
    let mut data = client.data(&reply);
    data.write_all(b"abc").unwrap();
    settle(&server);
    server.request_stop();
    data.write_all(b"def").unwrap();
    assert_eq!(client.reply(), "DONE");
    assert_eq!(client.reply(), "ERROR ServerShuttingDown");
    assert_eq!(server.file("a").unwrap(), b"abcdef");
}

#[test]
fn a_line_of_a_megabyte_is_one_error() {
    let server = server(ONE_PORT);
    let mut client = Client::connect(server.address);
    client.say(&"x".repeat(1 << 20));
    assert_eq!(client.ask(""), "ERROR LineTooLong");
    assert_eq!(client.ask("QUIT"), "OK");
}
