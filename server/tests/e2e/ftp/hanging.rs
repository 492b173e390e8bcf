//! Disks and mounts that answer late or never: who does not use them is not held up.

use std::fs::File;
use std::io::{Read, Write};
use std::time::Duration;

use muxftp_server::storage::Durability;
use muxftp_testkit::or_skip;
use muxftp_testkit::slow_fs::{Operation, Pace, SlowFs, content};
use rustix::fs::{FlockOperation, flock};

use super::client::Ftp;
use super::{People, server_with};
use crate::support::{TestServer, noise};

/// What others do meanwhile.
fn others_go_on(server: &TestServer) {
    let mut guest = Ftp::guest(server.address);
    guest.stor("of-guest", b"guest").unwrap();
    assert_eq!(guest.retr("of-guest").unwrap(), b"guest");
    guest.expect("250-", "MLST of-guest");
    guest.expect("257 ", "MKD made");
    guest.expect("250 ", "RMD made");
    for _ in 0..200 {
        guest.expect("200 ", "NOOP");
    }
}

/// Two requests, as two signals: whatever hangs does not keep the server.
fn ends_at_once(server: &mut TestServer) {
    server.request_stop();
    server.request_stop();
    server.join();
}

/// More log-ins than a lane has threads, none of whose replies is read.
fn alice_logs_in(server: &TestServer) -> Vec<Ftp> {
    let logging_in = |_| {
        let mut alice = Ftp::connect(server.address);
        alice.expect("331 ", "USER alice");
        alice.say("PASS alice-pw");
        alice
    };
    (0..5).map(logging_in).collect()
}

fn alice_and_bob() -> People {
    let people = People::none();
    people.add("alice", &[]);
    people.add("bob", &[]);
    people
}

fn bob_goes_on(server: &TestServer) {
    let mut bob = Ftp::user(server.address, "bob", "bob-pw");
    bob.stor("of-bob", &noise(1, 100_000)).unwrap();
    assert_eq!(bob.retr("of-bob").unwrap(), noise(1, 100_000));
}

#[test]
fn a_root_that_is_locked_stops_nobody_else() {
    let people = alice_and_bob();
    let root = File::open(people.root("alice")).unwrap();
    flock(&root, FlockOperation::LockExclusive).unwrap();
    let mut server = people.server(|config| config.durability = Durability::Fsync);
    let _alice = alice_logs_in(&server);
    bob_goes_on(&server);
    others_go_on(&server);
    ends_at_once(&mut server);
}

#[test]
fn a_root_that_never_answers_stops_nobody_else() {
    let people = alice_and_bob();
    let mut server = people.server(|config| config.durability = Durability::Fsync);
    let Some(dead) = or_skip(SlowFs::mount(&people.root("alice"), &[])) else { return };
    dead.set_pace(Pace::Never);
    let _alice = alice_logs_in(&server);
    dead.wait_for_held(1);
    bob_goes_on(&server);
    others_go_on(&server);
    ends_at_once(&mut server);
}

/// Commands that reach into the mount `dead`; those with a data connection have one.
const INTO_THE_MOUNT: [(&str, bool); 19] = [
    ("CWD dead", false),
    ("CWD dead/sub", false),
    ("SIZE dead/a", false),
    ("MDTM dead/a", false),
    ("MLST dead/a", false),
    ("STAT dead", false),
    ("HASH dead/a", false),
    ("MKD dead/new", false),
    ("RMD dead/sub", false),
    ("DELE dead/a", false),
    ("RNFR dead/a", false),
    ("SITE CHMOD 600 dead/a", false),
    ("MFMT 20200101000000 dead/a", false),
    ("RETR dead/a", true),
    ("STOR dead/new", true),
    ("APPE dead/a", true),
    ("STOU dead/new", true),
    ("LIST dead", true),
    ("NLST dead/*", true),
];

#[test]
fn a_mount_that_never_answers_stops_nobody_whatever_is_said() {
    let mut server = server_with(|_| {});
    let Some(dead) = or_skip(SlowFs::mount(&server.path().join("dead"), &[("a", 4096), ("sub/", 0)])) else { return };
    dead.set_pace(Pace::Never);
    let mut waiting = Vec::new();
    for (line, has_data) in INTO_THE_MOUNT {
        let mut ftp = Ftp::guest(server.address);
        let data = has_data.then(|| ftp.data());
        ftp.say(line);
        waiting.push((ftp, data));
    }
    dead.wait_for_held(1);
    others_go_on(&server);
    // The directory that it is in.
    let mut guest = Ftp::guest(server.address);
    for line in ["LIST", "NLST", "MLSD"] {
        let names = guest.list(line);
        assert!(names.iter().any(|name| name.ends_with("dead")), "{line}: {names:?}");
    }
    // Names beside it, also what is not there.
    guest.expect("550 ", "CWD absent");
    assert!(guest.retr("absent").unwrap_err().starts_with("550 "));
    guest.expect("350 ", "RNFR of-guest");
    guest.expect("250 ", "RNTO renamed");
    ends_at_once(&mut server);
}

#[test]
fn who_uses_a_mount_that_never_answers_gets_451_in_time() {
    let server = server_with(|config| config.timeouts.storage = Duration::from_millis(200));
    let Some(dead) = or_skip(SlowFs::mount(&server.path().join("dead"), &[("a", 4096), ("sub/", 0)])) else { return };
    dead.set_pace(Pace::Never);
    for (line, has_data) in INTO_THE_MOUNT {
        let mut ftp = Ftp::guest(server.address);
        let _data = has_data.then(|| ftp.data());
        let reply = match ftp.ask(line) {
            opening if opening.starts_with("1") || opening.starts_with("213-") => ftp.reply(),
            reply => reply,
        };
        assert!(reply.starts_with("451 "), "{line}: {reply}");
        ftp.expect("200 ", "NOOP");
    }
    others_go_on(&server);
}

#[test]
fn transfers_that_hang_in_the_middle_stop_nobody() {
    let mut server = server_with(|_| {});
    let Some(dead) = or_skip(SlowFs::mount(&server.path().join("dead"), &[("a", 1 << 20)])) else { return };
    let mut reading = Ftp::guest(server.address);
    dead.set_pace_of(Operation::Read, Pace::Never);
    let mut data = reading.open("RETR dead/a").unwrap();
    dead.wait_for_held(1);
    others_go_on(&server);

    let mut writing = Ftp::guest(server.address);
    dead.set_pace_of(Operation::Write, Pace::Never);
    let mut upload = writing.open("STOR dead/new").unwrap();
    upload.write_all(&noise(1, 100_000)).unwrap();
    dead.wait_for_held(2);
    others_go_on(&server);

    // What was held goes on where it was.
    dead.set_pace(Pace::Quick);
    let mut bytes = Vec::new();
    data.read_to_end(&mut bytes).unwrap();
    reading.end().unwrap();
    assert!(bytes.iter().enumerate().all(|(offset, &byte)| byte == content(offset)) && bytes.len() == 1 << 20);
    drop(upload);
    writing.end().unwrap();
    assert_eq!(reading.retr("dead/new").unwrap(), noise(1, 100_000));

    // One that ends while a worker hangs in it.
    dead.set_pace(Pace::Never);
    let mut aborted = Ftp::guest(server.address);
    let _data = aborted.data();
    aborted.say("RETR dead/a");
    dead.wait_for_held(1);
    aborted.say("ABOR");
    aborted.expect_reply("426 ", "RETR");
    aborted.expect_reply("226 ", "ABOR");
    others_go_on(&server);
    ends_at_once(&mut server);
}

/// All that is done with files, on whatever file system they are.
fn everything_works(ftp: &mut Ftp, within: &str) {
    let bytes = noise(3, 700_000);
    ftp.expect("257 ", format!("MKD {within}d"));
    ftp.expect("250 ", format!("CWD {within}d"));
    ftp.stor("file", &bytes).unwrap();
    assert_eq!(ftp.retr("file").unwrap(), bytes);
    ftp.stor("file", &bytes[..500_000]).unwrap();
    ftp.give("APPE file", &bytes[500_000..]).unwrap();
    ftp.expect("350 ", "REST 650000");
    assert_eq!(ftp.retr("file").unwrap(), bytes[650_000..]);
    ftp.expect("350 ", "REST 600000");
    ftp.stor("file", &bytes[600_000..]).unwrap();
    assert_eq!(ftp.expect("213 ", "SIZE file"), "213 700000");
    ftp.expect("350 ", "RNFR file");
    ftp.expect("250 ", "RNTO other");
    ftp.expect("213 ", "HASH other");
    ftp.expect("200 ", "TYPE A");
    ftp.stor("text", b"one\r\ntwo\r\n").unwrap();
    assert_eq!(ftp.retr("text").unwrap(), b"one\r\ntwo\r\n");
    assert_eq!(ftp.expect("213 ", "SIZE text"), "213 10");
    ftp.expect("350 ", "REST 5");
    assert_eq!(ftp.retr("text").unwrap(), b"two\r\n");
    ftp.expect("200 ", "TYPE I");
    assert_eq!(ftp.retr("text").unwrap(), b"one\ntwo\n");
    assert_eq!(ftp.list("NLST"), ["other", "text"]);
    assert_eq!(ftp.list("MLSD").len(), 2);
    assert_eq!(ftp.retr("other").unwrap(), bytes);
    assert!(ftp.retr("absent").unwrap_err().starts_with("550 "));
    ftp.expect("250 ", "DELE other");
    ftp.expect("250 ", "DELE text");
    ftp.expect("250 ", "CDUP");
    ftp.expect("250 ", "RMD d");
}

#[test]
fn files_on_a_remote_file_system_work_as_all_others_do() {
    let server = server_with(|_| {});
    everything_works(&mut Ftp::guest(server.address), "");
    let Some(_quick) = or_skip(SlowFs::mount(&server.path().join("remote"), &[])) else { return };
    everything_works(&mut Ftp::guest(server.address), "remote/");

    // As a root of its own.
    let people = alice_and_bob();
    let server = people.server(|_| {});
    let Some(_quick) = or_skip(SlowFs::mount(&people.root("alice"), &[])) else { return };
    everything_works(&mut Ftp::user(server.address, "alice", "alice-pw"), "");
}

#[test]
fn only_the_session_on_a_slow_file_system_is_slow() {
    let server = server_with(|_| {});
    let Some(slow) = or_skip(SlowFs::mount(&server.path().join("slow"), &[("a", 600_000)])) else { return };
    slow.set_pace(Pace::Delayed(Duration::from_millis(100)));
    std::thread::scope(|scope| {
        let transfer = scope.spawn(|| {
            let mut ftp = Ftp::guest(server.address);
            let bytes = ftp.retr("slow/a").unwrap();
            assert!(bytes.iter().enumerate().all(|(offset, &byte)| byte == content(offset)) && bytes.len() == 600_000);
            ftp.stor("slow/b", &noise(1, 300_000)).unwrap();
            assert_eq!(ftp.list("NLST slow").len(), 2);
        });
        let mut rounds = 0;
        while !transfer.is_finished() {
            others_go_on(&server);
            rounds += 1;
        }
        assert!(rounds > 0);
    });
}
