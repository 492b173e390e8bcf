//! Quotas and rates.

use std::io::{Read, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use muxftp_server::config::Allowance;
use socket2::SockRef;

use super::client::Ftp;
use super::{People, server_with};
use crate::support::{TestServer, noise};

/// A server whose guest may keep so much.
fn server(allowance: Allowance) -> TestServer {
    server_with(|config| config.guest.allowance = allowance)
}

fn bytes(most: u64) -> Allowance {
    Allowance { quota_bytes: Some(most), ..Allowance::default() }
}

/// What AVBL tells.
fn available(ftp: &mut Ftp) -> u64 {
    ftp.expect("213 ", "AVBL")[4..].parse().unwrap()
}

/// The sizes of all files in a directory, what is on its way included.
fn sizes(directory: &Path) -> Vec<u64> {
    std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().metadata().unwrap().len()).collect()
}

/// Eight clients store ten files each at once; gives how many were stored, the others having been refused with 552.
fn store_at_once(server: &TestServer, size: usize) -> usize {
    let stored = std::thread::scope(|scope| {
        let clients = [0, 1, 2, 3, 4, 5, 6, 7].map(|id| {
            scope.spawn(move || {
                let mut ftp = Ftp::guest(server.address);
                let content = noise(id, size);
                let store = |n: &u64| match ftp.stor(&format!("{id}-{n}"), &content) {
                    Ok(()) => true,
                    Err(refused) => {
                        assert_eq!(refused, "552 Quota Exceeded");
                        false
                    }
                };
                (0..10).filter(store).count()
            })
        });
        clients.map(|client| client.join().unwrap())
    });
    stored.iter().sum()
}

#[test]
fn uploads_at_once_never_exceed_the_bytes() {
    const MOST: u64 = 1_000_000;
    let server = server(bytes(MOST));
    let stored = store_at_once(&server, 70_000);
    let sizes = sizes(server.path());
    assert_eq!((sizes.len(), sizes.iter().sum::<u64>()), (stored, stored as u64 * 70_000), "whole, or not there");
    assert!((1..=14).contains(&stored), "{stored} files of 70 kB fit into 1 MB");
    let mut ftp = Ftp::guest(server.address);
    let rest = MOST - stored as u64 * 70_000;
    assert_eq!(available(&mut ftp), rest, "nothing of what failed is counted");
    ftp.stor("rest", &vec![7; rest as usize]).unwrap();
    assert_eq!(ftp.stor("more", b"x").unwrap_err(), "552 Quota Exceeded");
    assert_eq!(available(&mut ftp), 0);
}

#[test]
fn uploads_at_once_never_exceed_the_files() {
    let server = server(Allowance { quota_files: Some(20), ..Allowance::default() });
    let stored = store_at_once(&server, 1000);
    assert_eq!((stored, server.names().len()), (20, 20));
    let mut ftp = Ftp::guest(server.address);
    for line in ["STOR new", "APPE new", "STOU"] {
        assert_eq!(ftp.give(line, b"x").unwrap_err(), "552 Quota Exceeded", "{line}");
    }
    // One for another, one by its name, one in place.
    let name = server.names().remove(0);
    ftp.stor(&name, b"again").unwrap();
    ftp.give(format!("APPE {name}"), b"!").unwrap();
    assert_eq!(server.file(&name).unwrap(), b"again!");
    ftp.expect("250 ", format!("DELE {name}"));
    ftp.stor("new", b"x").unwrap();
    assert_eq!(server.names().len(), 20);
}

#[test]
fn whatever_takes_bytes_away_gives_room_back() {
    let server = server(bytes(100_000));
    let mut ftp = Ftp::guest(server.address);
    let content = noise(1, 100_000);
    assert_eq!(available(&mut ftp), 100_000);
    ftp.stor("a", &content[..60_000]).unwrap();
    assert_eq!(ftp.stor("b", &content[..40_001]).unwrap_err(), "552 Quota Exceeded");
    assert_eq!((available(&mut ftp), server.names()), (40_000, vec!["a".to_owned()]));
    ftp.expect("250 ", "DELE a");
    assert_eq!(available(&mut ftp), 100_000);
    ftp.stor("b", &content[..60_000]).unwrap();
    ftp.stor("c", &content[..30_000]).unwrap();
    ftp.expect("350 ", "RNFR c");
    ftp.expect("250 ", "RNTO b");
    assert_eq!(available(&mut ftp), 70_000, "renamed over");
    ftp.stor("b", &content[..10_000]).unwrap();
    assert_eq!(available(&mut ftp), 90_000, "overwritten");
    ftp.expect("350 ", "REST 4000");
    ftp.stor("b", &content[..1000]).unwrap();
    assert_eq!((available(&mut ftp), sizes(server.path())), (90_000, vec![10_000]), "in place of other bytes");
    assert_eq!(ftp.give("APPE b", &content).unwrap_err(), "552 Quota Exceeded");
    let kept = sizes(server.path())[0];
    assert!((10_000..=100_000).contains(&kept));
    assert_eq!(available(&mut ftp), 100_000 - kept, "what an APPE has brought stays, and counts");
    ftp.expect("250 ", "DELE b");
    assert_eq!(available(&mut ftp), 100_000);
}

#[test]
fn a_refused_upload_is_read_on_so_that_its_reply_can_be_read() {
    let server = server(bytes(100_000));
    let mut ftp = Ftp::guest(server.address);
    for _ in 0..3 {
        let mut data = ftp.data();
        ftp.expect("150 ", "STOR large");
        // Much more than all buffers on the way hold: a reset would end the writing.
        data.write_all(&vec![b'x'; 32 << 20]).unwrap();
        drop(data);
        ftp.expect_reply("552 ", "STOR large");
    }
    assert_eq!((available(&mut ftp), server.names().len()), (100_000, 0));
}

#[test]
fn failed_uploads_give_back_what_they_took() {
    let server = server(bytes(100_000));
    server.put_file("old", b"");
    let mut ftp = Ftp::guest(server.address);
    for name in ["old", "new"] {
        // Reset by us.
        let mut data = ftp.open(format!("STOR {name}")).unwrap();
        data.write_all(&noise(1, 50_000)).unwrap();
        SockRef::from(&data).set_linger(Some(Duration::ZERO)).unwrap();
        drop(data);
        assert_eq!(ftp.reply(), "426 Data Connection Lost");
        assert_eq!(available(&mut ftp), 100_000);
        // Ended by ABOR.
        let mut data = ftp.open(format!("STOR {name}")).unwrap();
        data.write_all(&noise(1, 50_000)).unwrap();
        ftp.expect("426 ", "ABOR");
        ftp.expect_reply("226 ", "ABOR");
        assert_eq!(available(&mut ftp), 100_000);
        // By a client that goes away.
        let mut other = Ftp::guest(server.address);
        let mut data = other.open(format!("STOR {name}")).unwrap();
        data.write_all(&noise(1, 50_000)).unwrap();
        drop((other, data));
        while available(&mut ftp) != 100_000 || server.names() != ["old"] {
            std::thread::yield_now();
        }
    }
}

#[test]
fn allo_tells_whether_there_is_room() {
    let server = server(bytes(1000));
    let mut ftp = Ftp::guest(server.address);
    ftp.stor("a", &[1; 400]).unwrap();
    ftp.expect("200 ", "ALLO 600");
    ftp.expect("552 ", "ALLO 601");
    ftp.expect("200 ", "ALLO 600 R 80");
    ftp.expect("501 ", "ALLO much");
    ftp.expect("250 ", "DELE a");
    ftp.expect("200 ", "ALLO 1000");
}

#[test]
fn what_is_there_counts_from_the_beginning() {
    let people = People::none();
    people.add("alice", &["--quota-bytes", "10 kB", "--quota-files", "3"]);
    let root = people.root("alice");
    std::fs::create_dir_all(root.join("deep/er")).unwrap();
    std::fs::write(root.join("a"), [1; 4000]).unwrap();
    std::fs::write(root.join("deep/er/b"), [1; 3000]).unwrap();
    let server = people.server(|_| {});
    let mut ftp = Ftp::user(server.address, "alice", "alice-pw");
    assert_eq!(available(&mut ftp), 3000);
    ftp.stor("c", &[1; 1000]).unwrap();
    assert_eq!(ftp.stor("d", b"x").unwrap_err(), "552 Quota Exceeded", "a fourth file");
    let mut other = Ftp::user(server.address, "alice", "alice-pw");
    other.expect("250 ", "DELE deep/er/b");
    assert_eq!(available(&mut ftp), 5000, "one quota for all sessions of a user");
}

/// At this rate a quarter of a second's bytes may come at once; the rest takes this long.
const RATE: u64 = 400_000;
const BURST: u64 = RATE / 4;
const SIZE: u64 = 4 * BURST;
const AT_LEAST: Duration = Duration::from_millis(700);

#[test]
fn a_users_downloads_share_one_rate() {
    let people = People::none();
    people.add("alice", &["--rate-down", &RATE.to_string()]);
    let content = noise(1, SIZE as usize / 2);
    std::fs::write(people.root("alice").join("half"), &content).unwrap();
    let server = people.server(|_| {});
    let mut sessions = [(); 2].map(|()| Ftp::user(server.address, "alice", "alice-pw"));
    let start = Instant::now();
    std::thread::scope(|scope| {
        for ftp in &mut sessions {
            scope.spawn(|| assert_eq!(ftp.retr("half").unwrap(), content));
        }
    });
    assert!(start.elapsed() >= AT_LEAST, "{:?}", start.elapsed());
}

#[test]
fn a_users_uploads_share_one_rate() {
    let people = People::none();
    people.add("alice", &["--rate-up", &RATE.to_string()]);
    let content = noise(1, SIZE as usize / 2);
    let server = people.server(|_| {});
    let mut sessions = [(); 2].map(|()| Ftp::user(server.address, "alice", "alice-pw"));
    let start = Instant::now();
    std::thread::scope(|scope| {
        for (index, ftp) in sessions.iter_mut().enumerate() {
            let content = &content;
            scope.spawn(move || ftp.stor(&format!("half-{index}"), content).unwrap());
        }
    });
    assert!(start.elapsed() >= AT_LEAST, "{:?}", start.elapsed());
    assert_eq!(std::fs::read(people.root("alice").join("half-0")).unwrap(), content);
}

#[test]
fn who_waits_for_his_rate_holds_up_nobody() {
    let people = People::none();
    people.add("slow", &["--rate-down", "100", "--rate-up", "100"]);
    std::fs::write(people.root("slow").join("large"), noise(1, 1_000_000)).unwrap();
    let server = people.server(|_| {});
    let content = noise(2, 3_000_000);
    // Hours, at this rate.
    let mut down = Ftp::user(server.address, "slow", "slow-pw");
    let mut fetched = down.open("RETR large").unwrap();
    fetched.read_exact(&mut [0; 10]).unwrap();
    let mut up = Ftp::user(server.address, "slow", "slow-pw");
    let mut given = up.open("STOR new").unwrap();
    given.write_all(&content[..10_000]).unwrap();
    let mut other = Ftp::guest(server.address);
    for _ in 0..5 {
        other.stor("file", &content).unwrap();
        assert!(other.retr("file").unwrap() == content);
    }
    for ftp in [&mut down, &mut up] {
        ftp.expect("200 ", "NOOP");
        ftp.expect("426 ", "ABOR");
        ftp.expect_reply("226 ", "ABOR");
    }
}
