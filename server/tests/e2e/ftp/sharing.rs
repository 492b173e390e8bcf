//! What many share: the rate of a user, and the data ports.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use muxftp_server::PortRange;
use muxftp_server::config::TlsMode;
use rustls::version::TLS13;

use super::client::Ftp;
use super::{People, server_with};
use crate::pipe::{CERTIFICATE, TlsClient};
use crate::support::{TestServer, connect_from, connect_narrow, noise};

const RATE: &str = "1 MB";

/// What all sessions together move before they are compared.
const TOTAL: u64 = 3_000_000;

/// Alice, who has one rate for all her sessions, and a large file of hers.
fn server(people: &People) -> TestServer {
    people.add("alice", &["--rate-down", RATE, "--rate-up", RATE]);
    std::fs::write(people.root("alice").join("large"), noise(1, 20_000_000)).unwrap();
    people.server(|config| {
        config.listen[0].tls = TlsMode::Optional;
        config.tls = Some(CERTIFICATE.settings());
    })
}

fn alice(server: SocketAddr, tls: bool) -> Ftp {
    let mut ftp = Ftp::connect(server);
    if tls {
        ftp.secure(&TlsClient::new(&TLS13));
    }
    assert_eq!(ftp.log_in("alice", "alice-pw"), "230 Logged in");
    ftp.expect("200 ", "TYPE I");
    ftp
}

/// The measurement's own error is larger than the server's: a loaded machine lets the test's threads wait.
fn assert_equal(moved: &[u64]) {
    let mean = moved.iter().sum::<u64>() / moved.len() as u64;
    assert!(moved.iter().all(|moved| moved.abs_diff(mean) < mean / 5), "{moved:?}");
}

#[test]
fn downloads_of_a_user_get_the_same() {
    let people = People::none();
    let server = server(&people);
    // One that reads nothing holds nothing back.
    let mut silent = alice(server.address, false);
    let port = silent.epsv();
    let _unread = connect_narrow((server.address.ip(), port).into());
    silent.expect("150 ", "RETR large");
    let counts = [const { AtomicU64::new(0) }; 3];
    let is_over = AtomicBool::new(false);
    let moved = std::thread::scope(|scope| {
        for (index, count) in counts.iter().enumerate() {
            let (address, is_over) = (server.address, &is_over);
            scope.spawn(move || {
                let mut ftp = alice(address, index == 1);
                let mut data = ftp.open_pipe("RETR large").unwrap();
                let mut buffer = [0; 8192];
                while !is_over.load(Ordering::Relaxed) {
                    count.fetch_add(data.read(&mut buffer).unwrap() as u64, Ordering::Relaxed);
                }
            });
        }
        let read = || [0, 1, 2].map(|index: usize| counts[index].load(Ordering::Relaxed));
        let wait_for = |condition: &dyn Fn([u64; 3]) -> bool| {
            while !condition(read()) {
                std::thread::sleep(Duration::from_millis(5));
            }
            read()
        };
        let begun = wait_for(&|now| now.iter().all(|count| *count > 0));
        let end = wait_for(&|now| now.iter().sum::<u64>() - begun.iter().sum::<u64>() >= TOTAL);
        is_over.store(true, Ordering::Relaxed);
        [0, 1, 2].map(|index| end[index] - begun[index])
    });
    assert_equal(&moved);
}

#[test]
fn uploads_of_a_user_get_the_same() {
    let people = People::none();
    let server = server(&people);
    let root = people.root("alice");
    let is_over = AtomicBool::new(false);
    // By name: hidden ones, as long as they are not whole.
    let stored = || -> BTreeMap<OsString, u64> {
        let entries = std::fs::read_dir(&root).unwrap().map(|entry| entry.unwrap());
        let parts = entries.filter(|entry| entry.file_name() != "large");
        parts.map(|entry| (entry.file_name(), entry.metadata().unwrap().len())).collect()
    };
    let wait_for = |condition: &dyn Fn(&BTreeMap<OsString, u64>) -> bool| loop {
        let now = stored();
        if condition(&now) {
            return now;
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    let sum = |sizes: &BTreeMap<OsString, u64>| sizes.values().sum::<u64>();
    let moved = std::thread::scope(|scope| {
        for index in 0..3 {
            let (address, is_over) = (server.address, &is_over);
            scope.spawn(move || {
                let mut ftp = alice(address, index == 1);
                let mut data = ftp.open_pipe(format!("STOR new-{index}")).unwrap();
                let piece = noise(index, 8192);
                while !is_over.load(Ordering::Relaxed) {
                    data.write_all(&piece).unwrap();
                }
            });
        }
        let begun = wait_for(&|now| now.len() == 3 && now.values().all(|size| *size > 0));
        let end = wait_for(&|now| sum(now) >= sum(&begun) + TOTAL);
        is_over.store(true, Ordering::Relaxed);
        end.iter().map(|(name, size)| size - begun[name]).collect::<Vec<u64>>()
    });
    assert_eq!(moved.len(), 3);
    assert_equal(&moved);
}

const GREEDY: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 66);

fn guest_from(source: Ipv4Addr, server: &TestServer) -> Ftp {
    let mut ftp = Ftp::connect_from(source, server.address);
    assert_eq!(ftp.log_in("anonymous", "x"), "230 Logged in");
    ftp
}

#[test]
fn one_address_cannot_take_all_data_ports() {
    let server = server_with(|config| {
        config.data_ports = PortRange::new(30100, 30107).unwrap();
        config.limits.data_ports_per_address = None;
    });
    server.put_file("file", b"content");
    let mut greedy: Vec<Ftp> = (0..12).map(|_| guest_from(GREEDY, &server)).collect();
    for round in 0..10 {
        let replies: Vec<String> = greedy.iter_mut().map(|ftp| ftp.ask("EPSV")).collect();
        let taken = replies.iter().filter(|reply| reply.starts_with("229 ")).count();
        let refused = replies.iter().filter(|reply| *reply == "425 No Data Port Free").count();
        assert_eq!(taken + refused, replies.len(), "{replies:?}");
        assert!(taken <= 4, "round {round}: half of eight");
        for last in 1..4 {
            let mut other = guest_from(Ipv4Addr::new(127, 0, 1, last), &server);
            assert_eq!(other.retr("file").unwrap(), b"content", "round {round}");
        }
    }
}

#[test]
fn one_user_cannot_take_all_data_ports_from_many_addresses() {
    let people = People::none();
    people.add("alice", &[]);
    people.add("bob", &[]);
    let server = people.server(|config| {
        config.data_ports = PortRange::new(30110, 30117).unwrap();
        config.limits.data_ports_per_address = None;
    });
    let log_in = |last: u8, name: &str| {
        let mut ftp = Ftp::connect_from(Ipv4Addr::new(127, 0, 2, last), server.address);
        assert_eq!(ftp.log_in(name, &format!("{name}-pw")), "230 Logged in");
        ftp
    };
    let mut sessions: Vec<Ftp> = (1..9).map(|last| log_in(last, "alice")).collect();
    let replies: Vec<String> = sessions.iter_mut().map(|ftp| ftp.ask("PASV")).collect();
    assert_eq!(replies.iter().filter(|reply| reply.starts_with("227 ")).count(), 4, "{replies:?}");
    assert_eq!(replies.iter().filter(|reply| *reply == "425 No Data Port Free").count(), 4, "{replies:?}");
    log_in(100, "bob").expect("227 ", "PASV");
}

#[test]
fn listings_of_simple_that_nobody_fetches_leave_ports_for_others() {
    let server = TestServer::with(|config| {
        config.data_ports = PortRange::new(30120, 30127).unwrap();
        config.limits.data_ports_per_address = None;
    });
    server.put_file("file", b"content");
    let mut greedy: Vec<_> = (0..20).map(|_| connect_from(GREEDY, server.address)).collect();
    for control in &mut greedy {
        control.write_all("LS\r\n".repeat(13).as_bytes()).unwrap();
    }
    for last in 1..20 {
        let control = connect_from(Ipv4Addr::new(127, 0, 3, last), server.address);
        let mut client = crate::simple::Client::over(control);
        assert_eq!(client.get("file"), b"content");
    }
}
