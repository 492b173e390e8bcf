//! Data connections: who may make them, how they fail, over which addresses, and where their ports come from.

use std::io::{ErrorKind, Read};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::time::Duration;

use muxftp_server::PortRange;

use super::client::{Ftp, Way, address_command};
use super::{server, server_with};
use crate::support::{connect_from, noise, read_all};

#[test]
fn a_stranger_at_the_data_port_is_shown_out_and_disturbs_nothing() {
    let server = server();
    server.put_file("secret", b"secret");
    let mut ftp = Ftp::guest(server.address);
    let stranger = |port| {
        let mut stream = connect_from(Ipv4Addr::new(127, 0, 0, 2), (Ipv4Addr::LOCALHOST, port).into());
        let mut bytes = Vec::new();
        match stream.read_to_end(&mut bytes) {
            Ok(_) => {}
            Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
        }
        assert_eq!(bytes, b"");
    };
    for before in [true, false] {
        let port = ftp.epsv();
        if before {
            stranger(port);
        }
        ftp.say("RETR secret");
        if !before {
            stranger(port);
        }
        assert_eq!(read_all(&mut ftp.connect_data(port)), b"secret");
        ftp.expect_reply("150 ", "RETR");
        ftp.end().unwrap();
    }
}

#[test]
fn a_data_connection_that_cannot_be_had_is_told_with_425() {
    let server = server_with(|config| config.timeouts.data_connect = Duration::from_millis(300));
    server.put_file("a", b"x");
    let mut ftp = Ftp::guest(server.address);
    let after_opening = |ftp: &mut Ftp, line: &str| match ftp.ask(line) {
        reply if reply.starts_with("150 ") => ftp.reply(),
        reply => reply,
    };
    assert_eq!(after_opening(&mut ftp, "RETR a"), "425 Use PASV, EPSV, PORT Or EPRT First");
    for (way, line) in [(Way::Port, "RETR a"), (Way::Eprt, "STOR b")] {
        let nobody = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap();
        ftp.expect("200 ", address_command(way, nobody));
        assert_eq!(after_opening(&mut ftp, line), "425 Data Connection Refused", "{line}");
        ftp.epsv();
        assert_eq!(after_opening(&mut ftp, line), "425 Data Connection Timed Out", "{line}");
    }
    assert_eq!(server.names(), ["a"]);
    assert_eq!(ftp.retr("a").unwrap(), b"x");
}

#[test]
fn a_data_port_that_is_not_used_is_given_back() {
    let server = server_with(|config| {
        config.timeouts.data_connect = Duration::from_millis(300);
        config.data_ports = PortRange::new(19_876, 19_876).unwrap();
    });
    let mut first = Ftp::guest(server.address);
    let mut second = Ftp::guest(server.address);
    first.epsv();
    // It is held until it is given back.
    while !second.ask("EPSV").starts_with("229 ") {}
    first.expect("425 Use PASV", "RETR a");
}

#[test]
fn the_server_connects_to_nobody_but_the_client() {
    let server = server();
    let listener = TcpListener::bind((Ipv4Addr::new(127, 0, 0, 2), 0)).unwrap();
    listener.set_nonblocking(true).unwrap();
    let mut ftp = Ftp::guest(server.address);
    for (way, address) in [
        (Way::Port, listener.local_addr().unwrap()),
        (Way::Eprt, listener.local_addr().unwrap()),
        (Way::Port, SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 25)),
        (Way::Eprt, SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 1023)),
    ] {
        let line = address_command(way, address);
        assert_eq!(ftp.ask(&line), "504 Data Address Not Allowed", "{line}");
        assert_eq!(ftp.ask("LIST"), "425 Use PASV, EPSV, PORT Or EPRT First");
    }
    assert_eq!(listener.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
}

#[test]
fn all_goes_over_ipv6_too() {
    let server = server_with(|config| config.listen[0].address = "[::1]:0".parse().unwrap());
    let content = noise(1, 100_000);
    let mut ftp = Ftp::guest(server.address);
    ftp.stor("a", &content).unwrap();
    for way in [Way::Epsv, Way::Eprt] {
        let mut data = ftp.open_by(way, "RETR a").unwrap();
        assert!(read_all(&mut data) == content, "{way:?}");
        ftp.end().unwrap();
    }
    for line in ["PASV", "EPSV 1", "EPRT |1|127.0.0.1|2000|"] {
        assert_eq!(ftp.ask(line), "522 Network Protocol Not Supported", "{line}");
    }
    ftp.expect("229 ", "EPSV 2");
    ftp.expect("200 ", "EPSV ALL");
    assert_eq!(ftp.ask("EPRT |2|::1|2000|"), "503 Unexpected Command");
    assert!(ftp.retr("a").unwrap() == content);
}

#[test]
fn ports_that_nobody_uses_come_back() {
    // On an address of this machine that no other test has.
    let [_, _, high, low] = std::process::id().to_be_bytes();
    let address = Ipv4Addr::new(127, 200, high.max(1), low);
    let server = server_with(|config| {
        config.listen[0].address = SocketAddr::new(address.into(), 0);
        config.data_ports = PortRange::new(30000, 30003).unwrap();
    });
    let connect = || {
        let mut ftp = Ftp::connect(server.address);
        assert_eq!(ftp.log_in("anonymous", "x"), "230 Logged in");
        ftp
    };
    let mut flood = connect();
    for _ in 0..2000 {
        flood.pasv();
    }
    drop(flood);
    for _ in 0..20 {
        connect().pasv();
    }
    // All four can be had at once, as soon as the server has heard of the closed connections.
    let mut four = [(); 4].map(|()| connect());
    for ftp in &mut four {
        while !ftp.ask("PASV").starts_with("227 ") {}
    }
    assert_eq!(connect().ask("PASV"), "425 No Data Port Free");
    // A log-out gives one back, and so does a transfer.
    four[0].expect("331 ", "USER anonymous");
    assert_eq!(server.file("a"), None);
    four[1].stor("a", b"x").unwrap();
    let mut others = [(); 2].map(|()| connect());
    for ftp in &mut others {
        ftp.expect("227 ", "PASV");
    }
}
