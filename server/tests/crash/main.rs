//! What a `kill -9` of muxftpd leaves, and who clears it up.
#![allow(clippy::unwrap_used, reason = "clippy.toml allows it in test functions, but not in their helpers")]

mod campaign;
mod clients;
mod process;

use std::io::Write;

use clients::Ftp;
use process::{Place, leftovers, wait_until};

#[test]
fn a_killed_server_leaves_temporaries_that_the_next_one_removes_and_a_living_one_keeps_its_own() {
    let place = Place::new();
    let sub = place.dir("srv/sub");
    let living = place.start(&["--root", "srv"], &[]);
    let mut ours = Ftp::guest(living.address("ftp")).unwrap();
    let mut data = ours.open("STOR /sub/report").unwrap();
    data.write_all(b"first half, ").unwrap();

    let killed = place.start(&["--root", "srv/sub"], &[]);
    let mut lost = Ftp::guest(killed.address("ftp")).unwrap();
    let mut lost_data = lost.open("STOR lost").unwrap();
    lost_data.write_all(b"half").unwrap();
    wait_until(|| leftovers(&sub).len() == 2);
    killed.kill();
    assert_eq!(leftovers(&sub).len(), 2);

    let next = place.start(&["--root", "srv/sub"], &[]);
    wait_until(|| leftovers(&sub).len() == 1);
    // Another sweep, from above, while both live.
    let above = place.start(&["--root", "."], &[]);
    above.wait_for_log("listening");
    data.write_all(b"second half").unwrap();
    drop(data);
    ours.end().unwrap();
    assert_eq!(std::fs::read(sub.join("report")).unwrap(), b"first half, second half");
    assert!(leftovers(&sub).is_empty());
    drop((next, above));
}

#[test]
fn a_login_leaves_the_uploads_of_nested_roots_alone() {
    let place = Place::new();
    place.dir("srv/alice");
    place.user("admin", "srv", &[]);
    place.user("alice", "srv/alice", &[]);
    let server = place.start(&["--root", "srv/pub"], &[]);
    let address = server.address("ftp");
    let login = |name| Ftp::user(address, name, &format!("{name}-pw")).unwrap();

    let mut admin = login("admin");
    let mut data = admin.open("STOR /alice/report").unwrap();
    data.write_all(b"whole").unwrap();
    let mut alice = login("alice");
    let mut hers = alice.open("STOR mine").unwrap();
    hers.write_all(b"whole").unwrap();
    // One of a crashed server shows that the sweep has run, and would have taken the others.
    drop(admin);
    let left = place.dir("srv/alice").join(".muxftp-0123456789abcdef-7.part");
    std::fs::write(&left, "half").unwrap();
    let other = place.start(&["--root", "srv"], &[]);
    wait_until(|| !left.exists());
    drop(hers);
    alice.end().unwrap();
    drop(data);
    assert_eq!(std::fs::read(place.dir("srv/alice").join("mine")).unwrap(), b"whole");
    drop(other);
}
