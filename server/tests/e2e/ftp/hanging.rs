//! Disks and mounts that do not answer: who does not use them is not held up.

use std::fs::File;

use muxftp_server::storage::Durability;
use rustix::fs::{FlockOperation, flock};

use super::People;
use super::client::Ftp;
use crate::dead_mount::DeadMount;
use crate::support::{TestServer, noise};

/// All that others do meanwhile: log in, store with a flush, fetch, and end the server.
fn others_go_on(server: &mut TestServer) {
    let mut bob = Ftp::user(server.address, "bob", "bob-pw");
    bob.stor("of-bob", &noise(1, 100_000)).unwrap();
    assert_eq!(bob.retr("of-bob").unwrap(), noise(1, 100_000));
    let mut guest = Ftp::guest(server.address);
    guest.stor("of-guest", b"guest").unwrap();
    assert_eq!(guest.retr("of-guest").unwrap(), b"guest");
    for _ in 0..200 {
        guest.expect("200 ", "NOOP");
    }
    server.request_stop();
    server.request_stop();
    server.join();
}

/// More log-ins than there ever were threads, none of whose replies is read.
fn alice_logs_in(server: &TestServer) -> Vec<Ftp> {
    let logging_in = |_| {
        let mut alice = Ftp::connect(server.address);
        alice.expect("331 ", "USER alice");
        alice.say("PASS alice-pw");
        alice
    };
    (0..5).map(logging_in).collect()
}

#[test]
fn a_root_that_is_locked_stops_nobody_else() {
    let people = People::none();
    people.add("alice", &[]);
    people.add("bob", &[]);
    let root = File::open(people.root("alice")).unwrap();
    flock(&root, FlockOperation::LockExclusive).unwrap();
    let mut server = people.server(|config| config.durability = Durability::Fsync);
    let _alice = alice_logs_in(&server);
    others_go_on(&mut server);
}

#[test]
fn a_root_that_never_answers_stops_nobody_else() {
    let people = People::none();
    people.add("alice", &[]);
    people.add("bob", &[]);
    let Some(_dead) = DeadMount::over(&people.root("alice")) else { return };
    let mut server = people.server(|config| config.durability = Durability::Fsync);
    let _alice = alice_logs_in(&server);
    others_go_on(&mut server);
}
