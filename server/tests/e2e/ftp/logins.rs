//! Guesses at passwords, many at once and over time, and the people at the same address or at another one.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use muxftp_server::Config;

use super::People;
use super::client::Ftp;
use crate::support::{TestServer, connect_from};

const LOCKED: &str = "421 Too Many Failed Logins From Your Address";

/// Where the guesses come from.
const BAD: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 66);

/// Alice, bob and mallory; wrong passwords are answered at once.
fn server(people: &People, failures: u32) -> TestServer {
    for name in ["alice", "bob", "mallory"] {
        people.add(name, &[]);
    }
    people.server(|config| {
        config.logins.delay = Duration::ZERO;
        config.logins.failures = failures;
    })
}

/// A connection on which USER and PASS are sent, and nothing is read.
fn give(from: Ipv4Addr, server: SocketAddr, name: &str, password: &str) -> TcpStream {
    let mut control = connect_from(from, server);
    control.write_all(format!("USER {name}\r\nPASS {password}\r\n").as_bytes()).unwrap();
    control
}

/// The last reply before the end of the session.
fn verdict(mut control: TcpStream) -> String {
    // Ends the session when the password did not.
    let _ = control.write_all(b"QUIT\r\n");
    let mut text = Vec::new();
    // A server that closes with the QUIT unread resets the connection, behind its last reply.
    let _ = control.read_to_end(&mut text);
    let text = String::from_utf8(text).unwrap();
    let mut replies = text.lines().rev().filter(|line| !line.starts_with("221 "));
    replies.next().unwrap_or_default().to_owned()
}

fn log_in(from: Ipv4Addr, server: &TestServer, name: &str, password: &str) -> String {
    verdict(give(from, server.address, name, password))
}

#[test]
fn a_thousand_guesses_at_once_are_ten_and_the_right_one_comes_too_late() {
    let people = People::none();
    let server = server(&people, 10);
    let mut inside = Ftp::connect_from(BAD, server.address);
    assert_eq!(inside.log_in("mallory", "mallory-pw"), "230 Logged in");
    let start = Instant::now();
    let guess = |n: usize| {
        let password = if n == 901 { "bob-pw".to_owned() } else { format!("guess-{n}") };
        give(BAD, server.address, "bob", &password)
    };
    // Both ends of each are in this process.
    muxftp_server::process::fit_to_descriptors(&mut Config::defaults().limits);
    let sessions: Vec<TcpStream> = (0..1000).map(guess).collect();
    let alice = Ftp::user(server.address, "alice", "alice-pw");
    println!("1,000 guesses and alice's login: {:?}", start.elapsed());
    let verdicts: Vec<String> = sessions.into_iter().map(verdict).collect();
    let count = |reply: &str| verdicts.iter().filter(|verdict| *verdict == reply).count();
    assert_eq!(count("530 Login Incorrect"), 10, "checked and found wrong");
    // Where checks are slow, so many wait that the last ones find no room.
    let refused = count(LOCKED) + count("451 Server Out Of Resources");
    assert_eq!(refused, 990, "the right one among them: {}", verdicts[901]);
    assert_eq!(log_in(BAD, &server, "bob", "bob-pw"), LOCKED, "a new connection");
    inside.expect("257 ", "PWD");
    drop(alice);
}

#[test]
fn guesses_that_wait_hold_up_nobody_at_another_address() {
    const STORM: usize = 100;
    let people = People::none();
    let server = server(&people, u32::MAX);
    let storm: Vec<TcpStream> = (0..STORM).map(|n| give(BAD, server.address, &format!("nobody-{n}"), "x")).collect();
    let answered = |storm: &[TcpStream]| {
        let has_reply = |control: &TcpStream| {
            let mut text = [0; 4096];
            let count = control.peek(&mut text).unwrap();
            text[..count].windows(4).any(|window| window == b"530 ")
        };
        storm.iter().filter(|control| has_reply(control)).count()
    };
    let mut alice = Ftp::connect(server.address);
    let (before, start) = (answered(&storm), Instant::now());
    assert_eq!(alice.log_in("alice", "alice-pw"), "230 Logged in");
    let (ahead, waited) = (answered(&storm) - before, start.elapsed());
    println!("{ahead} of {} checks were ahead of alice's, {waited:?}", STORM - before);
    assert!(ahead < 10, "{ahead} of {} checks were ahead of alice's", STORM - before);
}

#[test]
fn an_account_of_ones_own_buys_no_guesses() {
    let people = People::none();
    let server = server(&people, 10);
    let mut verdicts = Vec::new();
    for round in 0..5 {
        for n in 0..8 {
            verdicts.push(log_in(BAD, &server, "bob", &format!("guess-{round}-{n}")));
        }
        verdicts.push(log_in(BAD, &server, "mallory", "mallory-pw"));
    }
    let right = verdicts.iter().filter(|reply| *reply == "230 Logged in").count();
    let wrong = verdicts.iter().filter(|reply| *reply == "530 Login Incorrect").count();
    assert_eq!((right, wrong), (1, 10), "{verdicts:?}");
    assert!(verdicts[11..].iter().all(|reply| reply == LOCKED));
}

#[test]
fn one_forgotten_password_locks_no_office_out() {
    let people = People::none();
    let server = server(&people, 3);
    for _ in 0..4 {
        assert_eq!(log_in(BAD, &server, "bob", "old"), "530 Login Incorrect");
    }
    assert_eq!(log_in(BAD, &server, "alice", "alice-pw"), "230 Logged in");
    // What is different counts: a second password, and another name.
    assert_eq!(log_in(BAD, &server, "bob", "older"), "530 Login Incorrect");
    assert_eq!(log_in(BAD, &server, "mallory", "old"), "530 Login Incorrect");
    assert_eq!(log_in(BAD, &server, "alice", "alice-pw"), LOCKED);
}

#[test]
fn an_exempt_address_is_never_locked_out() {
    let people = People::none();
    people.add("alice", &[]);
    let server = people.server(|config| {
        config.logins.failures = 1;
        // Held back for so long, no answer would come within this test.
        config.logins.delay = Duration::from_secs(3600);
        config.logins.exempt = vec!["127.0.0.66".parse().unwrap()];
    });
    for password in ["1", "2", "3"] {
        assert_eq!(log_in(BAD, &server, "alice", password), "530 Login Incorrect");
    }
    assert_eq!(log_in(BAD, &server, "alice", "alice-pw"), "230 Logged in");
    let other = Ipv4Addr::new(127, 0, 0, 67);
    let _held_back = give(other, server.address, "alice", "1");
    let refused = || verdict(connect_from(other, server.address)) == LOCKED;
    while !refused() {
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn who_closes_after_each_password_is_locked_out_too() {
    let people = People::none();
    let server = server(&people, 3);
    let mut guesses = 0;
    loop {
        let mut control = connect_from(BAD, server.address);
        let mut greeting = [0; 64];
        let count = control.read(&mut greeting).unwrap();
        if greeting[..count].starts_with(b"421 ") {
            break;
        }
        // What has not reached a worker yet is dropped with its session, unchecked.
        let _ = control.write_all(format!("USER bob\r\nPASS guess-{guesses}\r\n").as_bytes());
        std::thread::sleep(Duration::from_millis(5));
        guesses += 1;
        assert!(guesses < 2000, "never locked out");
    }
}
