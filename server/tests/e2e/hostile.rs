//! Peers that die, stall, lie, flood or are strangers.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpStream};
use std::time::Duration;

use crate::support::{Client, TestServer, connect_from, noise, port, read_all};

#[test]
fn a_client_that_dies_in_the_middle_of_a_put_leaves_nothing() {
    let server = TestServer::start();
    server.put_file("kept", b"old");
    for line in ["PUT kept 1000000", "PUT kept"] {
        let mut client = server.connect();
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
fn a_data_connection_that_is_reset_leaves_the_old_file() {
    let server = TestServer::start();
    server.put_file("kept", b"old");
    let mut client = server.connect();
    let data = client.open("PUT kept");
    (&data).write_all(b"half of it").unwrap();
    socket2::SockRef::from(&data).set_linger(Some(Duration::ZERO)).unwrap();
    drop(data);
    assert_eq!(client.reply(), "550 Data Connection Lost");
    assert_eq!(server.file("kept").unwrap(), b"old");
    assert_eq!(server.names(), ["kept"]);
}

#[test]
fn a_client_that_dies_in_the_middle_of_a_get_disturbs_nobody() {
    let server = TestServer::start();
    let bytes = noise(2, 20_000_000);
    server.put_file("big", &bytes);
    let mut dying = server.connect();
    let mut data = dying.open("GET big");
    data.read_exact(&mut [0; 1000]).unwrap();
    drop(data);
    assert_eq!(dying.reply(), "550 Data Connection Lost");
    let mut gone = server.connect();
    let data = gone.open("GET big");
    drop((gone, data));
    assert_eq!(server.connect().get("big"), bytes);
}

#[test]
fn a_data_connection_that_never_comes_ends_the_wait() {
    let server = TestServer::with(|config| config.timeouts.data_connect = Duration::from_millis(100));
    server.put_file("a", b"x");
    let mut client = server.connect();
    assert!(port(&client.ask("GET a")).is_some());
    assert_eq!(client.reply(), "550 Data Connection Timed Out");
    assert!(port(&client.ask("PUT b 3")).is_some());
    assert_eq!(client.reply(), "550 Data Connection Timed Out");
    assert_eq!(server.names(), ["a"]);
    assert_eq!(client.get("a"), b"x");
}

#[test]
fn a_stalled_upload_is_given_up() {
    let server = TestServer::with(|config| config.timeouts.stall = Duration::from_millis(100));
    let mut client = server.connect();
    let mut data = client.open("PUT slow 1000");
    data.write_all(b"a few").unwrap();
    assert_eq!(client.reply(), "550 Data Connection Stalled");
    assert_eq!(server.names(), Vec::<String>::new());
}

#[test]
fn progress_however_slow_is_no_stall() {
    let server = TestServer::with(|config| config.timeouts.stall = Duration::from_millis(400));
    let mut client = server.connect();
    let mut data = client.open("PUT slow 8");
    for byte in b"12345678" {
        data.write_all(&[*byte]).unwrap();
        std::thread::sleep(Duration::from_millis(100));
    }
    assert_eq!(client.reply(), "226 Transfer Complete");
    assert_eq!(server.file("slow").unwrap(), b"12345678");
}

#[test]
fn a_stranger_at_the_data_port_gets_nothing() {
    let server = TestServer::start();
    server.put_file("secret", b"not for strangers");
    let mut client = server.connect();
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
fn a_slow_reader_gets_every_byte_and_holds_nobody_up() {
    let server = TestServer::start();
    let bytes = noise(3, 8_000_000);
    server.put_file("big", &bytes);
    server.put_file("small", b"quick");
    let mut slow = server.connect();
    let mut data = slow.open("GET big");
    let mut received = Vec::new();
    let mut other = server.connect();
    let mut piece = vec![0; 400_000];
    loop {
        assert_eq!(other.get("small"), b"quick");
        match data.read(&mut piece).unwrap() {
            0 => break,
            count => received.extend_from_slice(&piece[..count]),
        }
    }
    assert_eq!(slow.reply(), "226 Transfer Complete");
    assert!(received == bytes);
}

#[test]
fn a_line_of_a_megabyte_gets_one_error_and_the_rest_is_dropped() {
    let server = TestServer::start();
    let mut client = server.connect();
    client.say(&"x".repeat(1 << 20));
    client.say("\r\nGET nope\r\n");
    assert_eq!(client.reply(), "550 Line Too Long");
    assert_eq!(client.reply(), "550 File Not Found");
}

#[test]
fn a_flood_of_commands_without_reading_is_held_back_and_answered() {
    let server = TestServer::start();
    let mut client = server.connect();
    let writer = client.control.get_ref().try_clone().unwrap();
    let commands = 40_000;
    let flood = std::thread::spawn(move || {
        (&writer).write_all("GET nope\r\n".repeat(commands).as_bytes()).unwrap();
    });
    server.connect().ask("GET nope");
    for _ in 0..commands {
        assert_eq!(client.reply(), "550 File Not Found");
    }
    flood.join().unwrap();
}

#[test]
fn a_scanner_that_only_errs_is_sent_away() {
    let server = TestServer::start();
    let mut client = server.connect();
    let mut last = String::new();
    for _ in 0..60 {
        let _ = client.control.get_mut().write_all(b"GET / HTTP/1.1 is not for here\r\nHost: x\r\n");
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
fn limits_on_sessions_are_told_and_freed() {
    let server = TestServer::with(|config| {
        config.limits.sessions = 3;
        config.limits.sessions_per_address = 2;
    });
    server.put_file("a", b"x");
    let mut first = server.connect();
    let mut second = server.connect();
    assert_eq!(first.get("a"), b"x");
    assert_eq!(second.get("a"), b"x");
    assert_eq!(server.connect().reply(), "550 Too Many Sessions From Your Address");
    let third = connect_from(Ipv4Addr::new(127, 0, 0, 2), server.address);
    let mut fourth = Client::from_stream(connect_from(Ipv4Addr::new(127, 0, 0, 3), server.address));
    assert_eq!(fourth.reply(), "550 Too Many Sessions");
    drop((first, third));
    wait_until(|| {
        let mut again = server.connect();
        again.say("GET nope\r\n");
        again.reply() == "550 File Not Found"
    });
}

#[test]
fn a_silent_session_is_ended_with_a_word() {
    let server = TestServer::with(|config| config.timeouts.idle = Duration::from_millis(100));
    let mut client = server.connect();
    assert_eq!(client.reply(), "550 Idle Timeout");
    assert_eq!(client.reply(), "");
}

#[test]
fn all_data_ports_in_use_is_an_error_and_no_end() {
    let server = TestServer::with(|config| config.data_ports = one_free_port());
    server.put_file("a", b"x");
    let (mut first, mut second) = (server.connect(), server.connect());
    let data = first.open("PUT b 1");
    assert_eq!(second.ask("GET a"), "550 No Data Port Free");
    (&data).write_all(b"y").unwrap();
    assert_eq!(first.reply(), "226 Transfer Complete");
    assert_eq!(second.get("a"), b"x");
}

#[test]
fn half_a_dialogue_through_a_closed_side_is_still_answered() {
    let server = TestServer::start();
    let mut client = server.connect();
    client.say("GET nope\r\nGET nope2\r\n");
    client.control.get_ref().shutdown(Shutdown::Write).unwrap();
    assert_eq!(client.reply(), "550 File Not Found");
    assert_eq!(client.reply(), "550 File Not Found");
    assert_eq!(client.reply(), "");
}

impl Client {
    fn from_stream(stream: TcpStream) -> Client {
        Client { control: std::io::BufReader::new(stream) }
    }
}

/// A range of one port that nobody listens on at the moment.
fn one_free_port() -> muxftp_server::PortRange {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    muxftp_server::PortRange::new(port, port).unwrap()
}

/// Polls for an effect that another process's or thread's work brings; fails when it never comes.
fn wait_until(condition: impl Fn() -> bool) {
    for _ in 0..3000 {
        if condition() {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("it never came");
}
