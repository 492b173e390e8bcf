//! Storage and password checks that do not answer in time.

use std::fs::File;
use std::io::Write;
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, flock};

use super::client::Ftp;
use super::{People, server_with};
use crate::support::wait_until;

/// No worker answers so fast.
const AT_ONCE: Duration = Duration::from_millis(1);

#[test]
fn a_password_check_that_takes_too_long_lets_nobody_in() {
    let people = People::none();
    people.add("ann", &[]);
    let server = people.server(|config| config.timeouts.storage = AT_ONCE);
    let mut ftp = Ftp::connect(server.address);
    for _ in 0..3 {
        assert_eq!(ftp.log_in("ann", "ann-pw"), "451 Storage Does Not Answer");
        // The workers' answers come meanwhile.
        let start = Instant::now();
        while start.elapsed() < Duration::from_secs(1) {
            ftp.expect("530 ", "PWD");
        }
    }
    assert_eq!(ftp.log_in("ann", "ann-pw"), "451 Storage Does Not Answer", "and it counts as no failed login");
}

#[test]
fn a_root_that_another_program_has_locked_stops_nobody() {
    let people = People::none();
    people.add("ann", &[]);
    let lock = File::open(people.root("ann")).unwrap();
    flock(&lock, FlockOperation::LockExclusive).unwrap();
    let server = people.server(|_| {});
    let mut ftp = Ftp::connect(server.address);
    assert_eq!(ftp.log_in("ann", "ann-pw"), "230 Logged in");
    ftp.stor("new", b"content").unwrap();
    assert_eq!(std::fs::read(people.root("ann").join("new")).unwrap(), b"content");
}

#[test]
fn a_position_that_is_found_too_late_does_not_touch_the_next_transfer() {
    let server = server_with(|config| config.timeouts.storage = AT_ONCE);
    let large = File::create(server.path().join("large")).unwrap();
    large.set_len(60_000_000).unwrap();
    let mut ftp = Ftp::guest(server.address);
    ftp.expect("200 ", "TYPE A");
    let mut data = ftp.data();
    ftp.expect("350 ", "REST 50000000");
    ftp.expect("451 ", "RETR large");
    // The data connection is still agreed on.
    ftp.expect("200 ", "TYPE I");
    ftp.expect("150 ", "STOR new");
    data.write_all(b"first, ").unwrap();
    let arrived = || server.names().iter().any(|name| name.ends_with(".part"));
    wait_until(arrived);
    // The survey of the large file ends in this time, or later and then after the upload.
    std::thread::sleep(Duration::from_millis(1500));
    data.write_all(b"second").unwrap();
    drop(data);
    ftp.expect_reply("226 ", "STOR");
    assert_eq!(server.file("new").unwrap(), b"first, second");
}
