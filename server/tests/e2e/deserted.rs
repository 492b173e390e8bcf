//! Clients of one address that share a data port, and peers that vanish: nobody waits without end, and nothing is left.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

use crate::support::{connect_from, wait_until};
use crate::updown::{Client, ONE_PORT, server_with};

/// A connection to the shared port, as the clients of these tests make it.
fn connect_data(server: SocketAddr) -> TcpStream {
    connect_from(Ipv4Addr::LOCALHOST, SocketAddr::new(server.ip(), ONE_PORT.0))
}

#[test]
fn a_second_connection_does_not_take_the_turn_of_the_transfer_that_is_held_back() {
    let server = server_with(ONE_PORT, |_| {});
    for round in 0..20 {
        let mut first = Client::connect(server.address);
        let mut second = Client::connect(server.address);
        assert_eq!(first.ask("UPLOAD a 10"), "OK 5002");
        second.say("UPLOAD b 10\n");
        // It is held back once the server has read it: its temporary file is there.
        wait_until(|| server.names().iter().filter(|name| name.ends_with(".part")).count() == 2);
        let mut data = [connect_data(server.address), connect_data(server.address)];
        assert_eq!(second.reply(), "OK 5002", "round {round}: the second transfer has its turn");
        data[0].write_all(b"0123456789").unwrap();
        assert_eq!(first.reply(), "DONE");
        // The connection that came too early is closed, unless it came after the reply to the second client.
        let _ = data[1].write_all(b"0123456789");
        let _ = data[1].read(&mut [0]);
        let _ = connect_data(server.address).write_all(b"0123456789");
        assert_eq!(second.reply(), "DONE", "round {round}");
        assert_eq!(server.names(), ["a", "b"]);
    }
}

#[test]
fn a_client_that_vanishes_with_its_input_full_leaves_nothing() {
    let server = server_with(ONE_PORT, |config| config.limits.sessions = 2);
    for _ in 0..3 {
        let mut first = Client::connect(server.address);
        let mut second = Client::connect(server.address);
        assert_eq!(first.ask("UPLOAD a 10"), "OK 5002");
        second.say(&"UPLOAD b 10\n".repeat(900));
        wait_until(|| server.names().iter().filter(|name| name.ends_with(".part")).count() == 2);
        drop(second);
        let mut data = connect_data(server.address);
        data.write_all(b"0123456789").unwrap();
        assert_eq!(first.reply(), "DONE");
        drop((first, data));
        let both_are_gone = || {
            let mut clients = [Client::connect(server.address), Client::connect(server.address)];
            clients.iter_mut().all(|client| client.ask("LIST nope") == "ERROR FileNotFound")
        };
        wait_until(both_are_gone);
        wait_until(|| server.names() == ["a"]);
    }
}

#[test]
fn a_transfer_is_held_back_no_longer_than_a_session_may_be_silent() {
    let server = server_with(ONE_PORT, |config| {
        config.timeouts.data_connect = Duration::from_secs(60);
        config.timeouts.idle = Duration::from_millis(400);
    });
    let mut first = Client::connect(server.address);
    assert_eq!(first.ask("UPLOAD a 10"), "OK 5002");
    let mut second = Client::connect(server.address);
    assert_eq!(second.ask("UPLOAD b 10"), "ERROR NoDataPortFree");
    assert_eq!(second.reply(), "ERROR IdleTimeout");
    assert_eq!(second.reply(), "");
}

#[test]
fn a_client_that_half_closes_gets_its_replies() {
    let server = server_with(ONE_PORT, |_| {});
    for _ in 0..5 {
        let mut client = Client::connect(server.address);
        client.say("UPLOAD a 10\nLIST nope\n");
        client.half_close();
        assert_eq!(client.reply(), "OK 5002");
        let mut data = connect_data(server.address);
        data.write_all(b"0123456789").unwrap();
        assert_eq!(client.reply(), "DONE");
        assert_eq!(client.reply(), "ERROR FileNotFound");
        assert_eq!(client.reply(), "");
        assert_eq!(server.file("a").unwrap(), b"0123456789");
        std::fs::remove_file(server.path().join("a")).unwrap();
    }
}
