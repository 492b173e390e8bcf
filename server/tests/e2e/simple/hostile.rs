//! Peers that die, stall, lie, flood or are strangers.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown};
use std::time::Duration;

use super::{Client, port, server};
use crate::support::{TestServer, connect_from, noise, read_all, wait_until};

#[test]
fn a_client_that_dies_in_the_middle_of_a_put_leaves_nothing() {
    let server = server();
    server.put_file("kept", b"old");
    for line in ["PUT kept 1000000", "PUT kept"] {
        let mut client = Client::connect(server.address);
        let mut data = client.open(line);
        data.write_all(&noise(1, 300_000)).unwrap();
        // The order in which a dying process closes its descriptors.
        drop(client);
        drop(data);
        wait_until(|| server.names() == ["kept"]);
        assert_eq!(server.file("kept").unwrap(), b"old", "{line}");
    }
}

#[test]
fn a_client_that_half_closes_gets_its_replies() {
    let server = server();
    let content = noise(7, 200_000);
    for lines in ["PUT a\r\n", "PUT a\r\nEXIT\r\n"] {
        let mut client = Client::connect(server.address);
        client.say(lines);
        client.control.get_ref().shutdown(Shutdown::Write).unwrap();
        let port = port(&client.reply()).unwrap();
        let mut data = client.connect_data(port);
        data.write_all(&content).unwrap();
        drop(data);
        assert_eq!(client.reply(), "226 Transfer Complete");
        if lines.contains("EXIT") {
            assert_eq!(client.reply(), "200 OK Goodbye");
        }
        assert_eq!(client.reply(), "");
        assert!(server.file("a").unwrap() == content);
        std::fs::remove_file(server.path().join("a")).unwrap();
    }
}

#[test]
fn a_data_connection_that_is_reset_leaves_the_old_file() {
    let server = server();
    server.put_file("kept", b"old");
    let mut client = Client::connect(server.address);
    let data = client.open("PUT kept");
    (&data).write_all(b"half of it").unwrap();
    socket2::SockRef::from(&data).set_linger(Some(Duration::ZERO)).unwrap();
    drop(data);
    assert_eq!(client.reply(), "550 Data Connection Lost");
    assert_eq!(server.file("kept").unwrap(), b"old");
    assert_eq!(server.names(), ["kept"]);
}

#[test]
fn a_data_connection_that_never_comes_ends_the_wait() {
    let server = TestServer::with(|config| config.timeouts.data_connect = Duration::from_millis(500));
    server.put_file("a", b"x");
    let mut client = Client::connect(server.address);
    assert!(port(&client.ask("GET a")).is_some());
    assert_eq!(client.reply(), "550 Data Connection Timed Out");
    assert!(port(&client.ask("PUT b 3")).is_some());
    assert_eq!(client.reply(), "550 Data Connection Timed Out");
    assert_eq!(server.names(), ["a"]);
    assert_eq!(client.get("a"), b"x");
}

#[test]
fn a_stranger_at_the_data_port_gets_nothing() {
    let server = server();
    server.put_file("secret", b"not for strangers");
    let mut client = Client::connect(server.address);
    let port = port(&client.ask("GET secret")).unwrap();
    for _ in 0..20 {
        let mut stranger = connect_from(Ipv4Addr::new(127, 0, 0, 2), (Ipv4Addr::LOCALHOST, port).into());
        let mut bytes = Vec::new();
        let _ = stranger.read_to_end(&mut bytes);
        assert!(bytes.is_empty());
    }
    assert_eq!(read_all(&mut client.connect_data(port)), b"not for strangers");
    assert_eq!(client.reply(), "226 Transfer Complete");
}

#[test]
fn a_line_of_a_megabyte_gets_one_error_and_the_rest_is_dropped() {
    let server = server();
    let mut client = Client::connect(server.address);
    client.say(&"x".repeat(1 << 20));
    client.say("\r\nGET nope\r\n");
    assert_eq!(client.reply(), "550 Line Too Long");
    assert_eq!(client.reply(), "550 File Not Found");
}

#[test]
fn a_flood_of_commands_without_reading_is_held_back_and_answered() {
    let server = server();
    let mut client = Client::connect(server.address);
    let writer = client.control.get_ref().try_clone().unwrap();
    let commands = 40_000;
    let flood = std::thread::spawn(move || {
        (&writer).write_all("GET nope\r\n".repeat(commands).as_bytes()).unwrap();
    });
    Client::connect(server.address).ask("GET nope");
    for _ in 0..commands {
        assert_eq!(client.reply(), "550 File Not Found");
    }
    flood.join().unwrap();
}

#[test]
fn a_scanner_that_only_errs_is_sent_away() {
    let server = server();
    let mut client = Client::connect(server.address);
    let mut last = String::new();
    for _ in 0..60 {
        let _ = client.control.get_mut().write_all(b"STATUS of nothing\r\nRSET\r\n");
    }
    let mut line = client.reply();
    while !line.is_empty() {
        last = std::mem::take(&mut line);
        let mut buffer = String::new();
        // The rest of the flood was not read: the connection may end by a reset.
        if std::io::BufRead::read_line(&mut client.control, &mut buffer).is_err() {
            return;
        }
        line = buffer.trim_end().to_owned();
    }
    assert_eq!(last, "550 Too Many Errors");
}

#[test]
fn all_data_ports_in_use_is_an_error_and_no_end() {
    let server = TestServer::with(|config| config.data_ports = one_free_port());
    server.put_file("a", b"x");
    let (mut first, mut second) = (Client::connect(server.address), Client::connect(server.address));
    let data = first.open("PUT b 1");
    assert_eq!(second.ask("GET a"), "550 No Data Port Free");
    (&data).write_all(b"y").unwrap();
    assert_eq!(first.reply(), "226 Transfer Complete");
    assert_eq!(second.get("a"), b"x");
}

#[test]
fn half_a_dialogue_through_a_closed_side_is_still_answered() {
    let server = server();
    let mut client = Client::connect(server.address);
    client.say("GET nope\r\nGET nope2\r\n");
    client.control.get_ref().shutdown(Shutdown::Write).unwrap();
    assert_eq!(client.reply(), "550 File Not Found");
    assert_eq!(client.reply(), "550 File Not Found");
    assert_eq!(client.reply(), "");
}

/// A range of one port that nobody listens on at the moment.
fn one_free_port() -> muxftp_server::PortRange {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    muxftp_server::PortRange::new(port, port).unwrap()
}
