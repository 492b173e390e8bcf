//! Many clients at once, and the end of the server.

use std::io::Write;
use std::time::Duration;

use crate::support::{TestServer, noise, read_all};

#[test]
fn eight_clients_at_once_with_verified_bytes() {
    let server = TestServer::start();
    let address = server.address;
    let threads: Vec<_> = (0..8u64)
        .map(|number| {
            std::thread::spawn(move || {
                let mut client = crate::support::Client::connect(address);
                for round in 0..30u64 {
                    let name = format!("client-{number} file-{}", round % 7);
                    let bytes = noise(number * 1000 + round, (round as usize * 7919) % 200_000);
                    if round % 2 == 0 {
                        client.put(&name, &bytes);
                    } else {
                        client.put_until_close(&name, &bytes);
                    }
                    assert!(client.get(&name) == bytes, "{name}");
                    assert!(client.list("LS").contains(&name));
                }
                assert_eq!(client.ask("EXIT"), "200 OK Goodbye");
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    assert_eq!(server.names().len(), 8 * 7);
}

#[test]
fn two_hundred_sessions_that_open_and_close_at_random() {
    let server = TestServer::with(|config| config.limits.sessions_per_address = 400);
    server.put_file("a", &noise(9, 50_000));
    let address = server.address;
    let threads: Vec<_> = (0..20u64)
        .map(|number| {
            std::thread::spawn(move || {
                let dice = noise(number, 60);
                let mut open = Vec::new();
                for roll in dice {
                    match roll % 6 {
                        0 | 1 => open.push(crate::support::Client::connect(address)),
                        2 => drop(open.pop()),
                        3 if !open.is_empty() => {
                            let client = open.last_mut().unwrap();
                            assert!(client.get("a") == noise(9, 50_000));
                        }
                        // A transfer that is left in the middle, with its session.
                        4 if !open.is_empty() => drop(open.pop().map(|mut client| client.open("GET a"))),
                        5 if !open.is_empty() => drop(open.pop().map(|mut client| client.say("PUT half 10\r\n"))),
                        _ => {}
                    }
                    while open.len() > 10 {
                        open.remove(0);
                    }
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    assert_eq!(server.connect().get("a"), noise(9, 50_000));
    assert_eq!(server.names(), ["a"]);
}

#[test]
fn a_stop_lets_the_transfer_finish_and_ends_the_idle() {
    let mut server = TestServer::start();
    let mut idle = server.connect();
    assert_eq!(idle.ask("GET nope"), "550 File Not Found");
    let mut busy = server.connect();
    let mut data = busy.open("PUT last 6");
    data.write_all(b"abc").unwrap();
    server.request_stop();
    assert_eq!(idle.reply(), "550 Server Shutting Down");
    assert_eq!(idle.reply(), "");
    data.write_all(b"def").unwrap();
    assert_eq!(busy.reply(), "226 Transfer Complete");
    assert_eq!(busy.reply(), "550 Server Shutting Down");
    server.join();
    assert_eq!(server.file("last").unwrap(), b"abcdef");
    assert!(std::net::TcpStream::connect(server.address).is_err());
}

#[test]
fn a_stop_cuts_a_transfer_that_does_not_end() {
    let mut server = TestServer::with(|config| config.timeouts.shutdown = Duration::from_millis(100));
    server.put_file("kept", b"old");
    let mut client = server.connect();
    let mut data = client.open("PUT kept 1000");
    data.write_all(b"abc").unwrap();
    server.request_stop();
    server.join();
    assert_eq!(server.names(), ["kept"]);
    assert_eq!(server.file("kept").unwrap(), b"old");
}

#[test]
fn a_download_that_is_under_way_survives_the_replacement_of_its_file() {
    let server = TestServer::start();
    let old = noise(4, 30_000_000);
    server.put_file("f", &old);
    let mut reader = server.connect();
    let mut data = reader.open("GET f");
    server.connect().put("f", b"new");
    assert!(read_all(&mut data) == old);
    assert_eq!(reader.reply(), "226 Transfer Complete");
    assert_eq!(server.connect().get("f"), b"new");
}
