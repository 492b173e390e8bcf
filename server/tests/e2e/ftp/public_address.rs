//! The address that PASV tells, with a stand-in for the metadata service of a cloud.

use std::io::{BufRead, BufReader, Write};
use std::net::{IpAddr, Ipv4Addr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use muxftp_server::config::PublicAddress;

use super::client::Ftp;
use super::server_with;
use crate::support::{TestServer, read_all};

#[test]
fn an_address_of_the_configuration_is_told() {
    let address = Ipv4Addr::new(203, 0, 113, 7);
    let server = server_with(|config| config.public_address = PublicAddress::Fixed(address));
    let mut ftp = Ftp::guest(server.address);
    let told = ftp.pasv();
    assert_eq!(told.ip(), address);
    // The port is where it always is, and EPSV tells no address.
    server.put_file("a", b"x");
    ftp.say("RETR a");
    assert_eq!(read_all(&mut ftp.connect_data(told.port())), b"x");
    ftp.expect_reply("150 ", "RETR");
    ftp.end().unwrap();
    assert_eq!(ftp.retr("a").unwrap(), b"x");
}

#[test]
fn the_address_of_a_name_is_told() {
    // The server is elsewhere, so that its own address cannot be meant.
    let own = Ipv4Addr::new(127, 0, 0, 9);
    let server = server_with(|config| {
        config.listen[0].address.set_ip(own.into());
        config.public_address = PublicAddress::Name("localhost".to_owned());
    });
    assert!(is_told_in_time(&server, Ipv4Addr::LOCALHOST, own));
}

#[test]
fn the_cloud_is_asked_for_the_address() {
    let service = Service::start(|request, token| match (request, token) {
        ("PUT /latest/api/token HTTP/1.1", _) => Some((200, "a-token")),
        ("GET /latest/meta-data/public-ipv4 HTTP/1.1", Some("a-token")) => Some((200, "198.51.100.4")),
        ("GET /latest/meta-data/public-ipv4 HTTP/1.1", _) => Some((401, "")),
        _ => Some((404, "")),
    });
    let server = service.server();
    assert!(is_told_in_time(&server, Ipv4Addr::new(198, 51, 100, 4), Ipv4Addr::LOCALHOST));
    assert_eq!(service.asked(), 2, "once for a token, once with it");
}

#[test]
fn a_service_that_is_of_no_use_leaves_the_own_address() {
    let answers: [fn(&str) -> Answer; 5] = [
        |_| Some((403, "")),
        |_| Some((500, "198.51.100.4")),
        |_| Some((200, "<html>Not an address</html>")),
        |request| Some(if request.starts_with("PUT") { (200, "a-token") } else { (404, "") }),
        // Never.
        |_| None,
    ];
    for (index, answer) in answers.into_iter().enumerate() {
        let service = Service::start(move |request, _| answer(request));
        let server = service.server();
        let mut ftp = Ftp::guest(server.address);
        service.wait_until_asked();
        for n in 0..20 {
            assert_eq!(ftp.pasv().ip(), Ipv4Addr::LOCALHOST, "answer {index}");
            ftp.stor(&format!("file-{n}"), b"x").unwrap();
            assert_eq!(ftp.retr(&format!("file-{n}")).unwrap(), b"x");
        }
    }
}

#[test]
fn without_a_service_the_own_address_is_told() {
    let nobody = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap();
    let server = server_with(|config| {
        config.public_address = PublicAddress::Auto;
        config.metadata_service = format!("http://{nobody}");
    });
    let mut ftp = Ftp::guest(server.address);
    for _ in 0..20 {
        assert_eq!(ftp.pasv().ip(), Ipv4Addr::LOCALHOST);
    }
}

/// Whether PASV comes to tell `expected`, having told nothing but `before` until then. A session keeps what was known when
/// it began.
fn is_told_in_time(server: &TestServer, expected: Ipv4Addr, before: Ipv4Addr) -> bool {
    (0..ATTEMPTS_MAX).any(|_| {
        let told = Ftp::guest(server.address).pasv().ip();
        assert!(told == IpAddr::V4(expected) || told == IpAddr::V4(before), "{told}");
        told == IpAddr::V4(expected)
    })
}

/// Far more than a lookup on this machine takes; it only turns a hang into a failure.
const ATTEMPTS_MAX: u32 = 10_000;

/// What stands in for the metadata service.
/// Status and body; `None`: silence.
type Answer = Option<(u16, &'static str)>;

struct Service {
    url: String,
    asked: Arc<AtomicU32>,
}

impl Service {
    /// `answer` gives status and body to a request line and the token that came with it; none: it stays silent.
    fn start(answer: impl Fn(&str, Option<&str>) -> Answer + Send + 'static) -> Service {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(AtomicU32::new(0));
        let service = Service { url, asked: Arc::clone(&asked) };
        // Ends with the tests' process.
        std::thread::spawn(move || {
            let mut silent = Vec::new();
            for stream in listener.incoming() {
                let stream = stream.unwrap();
                let (line, token) = read_request(&stream);
                match answer(&line, token.as_deref()) {
                    Some((status, body)) => respond(stream, status, body),
                    None => silent.push(stream),
                }
                asked.fetch_add(1, Ordering::Release);
            }
        });
        service
    }

    fn server(&self) -> TestServer {
        server_with(|config| {
            config.public_address = PublicAddress::Auto;
            config.metadata_service = self.url.clone();
        })
    }

    fn asked(&self) -> u32 {
        self.asked.load(Ordering::Acquire)
    }

    fn wait_until_asked(&self) {
        while self.asked() == 0 {
            std::thread::yield_now();
        }
    }
}

/// The first line of a request, and its token.
fn read_request(stream: &TcpStream) -> (String, Option<String>) {
    let mut lines = BufReader::new(stream).lines().map(Result::unwrap);
    let line = lines.next().unwrap_or_default();
    let (mut token, mut has_lifetime) = (None, false);
    for header in lines.take_while(|header| !header.is_empty()) {
        let (name, value) = header.split_once(':').unwrap();
        match name.to_ascii_lowercase().as_str() {
            "x-aws-ec2-metadata-token" => token = Some(value.trim().to_owned()),
            "x-aws-ec2-metadata-token-ttl-seconds" => has_lifetime = value.trim().parse::<u32>().is_ok(),
            _ => {}
        }
    }
    // The real one gives no token without its time to live.
    assert_eq!(has_lifetime, line.starts_with("PUT "), "{line}");
    (line, token)
}

fn respond(mut stream: TcpStream, status: u16, body: &str) {
    let head = format!("HTTP/1.1 {status} Status\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
    // A client that has gone is told nothing.
    let _ = stream.write_all(format!("{head}{body}").as_bytes());
}
