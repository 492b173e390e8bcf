//! Clients that die, break off, stall or never come.

use std::io::{Read, Write};
use std::net::Ipv4Addr;
use std::time::Duration;

use super::speech::{Client, Speech};
use crate::support::{noise, wait_until};

in_each_dialect! {
    a_client_that_dies_in_the_middle_of_an_upload_leaves_the_old_file
    a_data_connection_that_is_reset_leaves_the_old_file
    a_client_that_dies_in_the_middle_of_a_download_disturbs_nobody
    a_data_connection_that_never_comes_ends_the_wait
    a_stalled_upload_is_given_up
    a_download_that_nobody_reads_is_given_up
    progress_however_slow_is_no_stall
    two_hundred_sessions_that_open_and_close_at_random
}

fn a_client_that_dies_in_the_middle_of_an_upload_leaves_the_old_file(speech: Speech) {
    let server = speech.server();
    server.put_file("kept", b"old");
    for size in [0, 1, 300_000] {
        let mut client = speech.connect(server.address);
        let mut data = client.begin_upload("kept", 1_000_000).unwrap();
        data.write_all(&noise(1, size)).unwrap();
        // The order in which a dying process closes its descriptors.
        drop(client);
        drop(data);
        wait_until(|| server.names() == ["kept"]);
        assert_eq!(server.file("kept").unwrap(), b"old", "{size}");
    }
}

fn a_data_connection_that_is_reset_leaves_the_old_file(speech: Speech) {
    let server = speech.server();
    server.put_file("kept", b"old");
    let mut client = speech.connect(server.address);
    let mut data = client.begin_upload("kept", 1_000_000).unwrap();
    data.write_all(b"half of it").unwrap();
    socket2::SockRef::from(data.socket()).set_linger(Some(Duration::ZERO)).unwrap();
    drop(data);
    let cause = client.end().unwrap_err();
    assert!(matches!(cause.as_str(), "DataConnectionLost" | "DataConnectionEndedWithoutTLSclose_notify"), "{cause}");
    assert_eq!(server.file("kept").unwrap(), b"old");
    assert_eq!(server.names(), ["kept"]);
    client.upload("kept", b"new").unwrap();
}

fn a_client_that_dies_in_the_middle_of_a_download_disturbs_nobody(speech: Speech) {
    let server = speech.server();
    let bytes = noise(2, 20_000_000);
    server.put_file("big", &bytes);
    let mut dying = speech.connect(server.address);
    let mut data = dying.begin_download("big").unwrap();
    data.read_exact(&mut [0; 1000]).unwrap();
    drop(data);
    assert_eq!(dying.end().unwrap_err(), "DataConnectionLost");
    let mut gone = speech.connect(server.address);
    let data = gone.begin_download("big").unwrap();
    drop((gone, data));
    assert!(dying.download("big").unwrap() == bytes);
}

fn a_data_connection_that_never_comes_ends_the_wait(speech: Speech) {
    let server = speech.server_with(|config| config.timeouts.data_connect = Duration::from_millis(500));
    server.put_file("a", b"x");
    let mut client = speech.connect(server.address);
    assert_eq!(client.neglect("a"), "DataConnectionTimedOut");
    assert_eq!(client.download("a").unwrap(), b"x");
    assert_eq!(server.names(), ["a"]);
}

fn a_stalled_upload_is_given_up(speech: Speech) {
    let server = speech.server_with(|config| config.timeouts.stall = Duration::from_millis(500));
    let mut client = speech.connect(server.address);
    let mut data = client.begin_upload("slow", 1000).unwrap();
    data.write_all(b"a few").unwrap();
    assert_eq!(client.end().unwrap_err(), "DataConnectionStalled");
    assert!(server.names().is_empty());
}

fn a_download_that_nobody_reads_is_given_up(speech: Speech) {
    let server = speech.server_with(|config| config.timeouts.stall = Duration::from_millis(500));
    server.put_file("big", &noise(5, 30_000_000));
    server.put_file("small", b"x");
    let mut client = speech.connect(server.address);
    let data = client.begin_download("big").unwrap();
    assert_eq!(client.end().unwrap_err(), "DataConnectionStalled");
    drop(data);
    assert_eq!(client.download("small").unwrap(), b"x");
}

fn progress_however_slow_is_no_stall(speech: Speech) {
    let server = speech.server_with(|config| config.timeouts.stall = Duration::from_secs(1));
    let mut client = speech.connect(server.address);
    let mut data = client.begin_upload("slow", 8).unwrap();
    for byte in b"12345678" {
        data.write_all(&[*byte]).unwrap();
        std::thread::sleep(Duration::from_millis(150));
    }
    data.finish();
    client.end().unwrap();
    assert_eq!(server.file("slow").unwrap(), b"12345678");
}

fn two_hundred_sessions_that_open_and_close_at_random(speech: Speech) {
    let server = speech.server_with(|config| config.limits.sessions_per_address = 400);
    let bytes = noise(9, 50_000);
    server.put_file("a", &bytes);
    std::thread::scope(|scope| {
        for number in 1..=20u64 {
            let (address, bytes) = (server.address, &bytes);
            // Each from an address of its own: updown gives a data connection to whom it has waited for longest there.
            let source = Ipv4Addr::new(127, 0, 1, number as u8);
            scope.spawn(move || {
                let mut open: Vec<Box<dyn Client>> = Vec::new();
                for roll in noise(number, 60) {
                    match (roll % 6, open.last_mut()) {
                        (0 | 1, _) => open.push(speech.connect_from(source, address)),
                        (2, Some(_)) => drop(open.pop()),
                        (3, Some(client)) => assert!(client.download("a").unwrap() == *bytes),
                        // A transfer that is left in the middle, with its session.
                        (4, Some(client)) => {
                            client.begin_download("a").unwrap();
                            open.pop();
                        }
                        (5, Some(client)) => {
                            let data = client.begin_upload("half", 10).unwrap();
                            open.pop();
                            drop(data);
                        }
                        _ => {}
                    }
                    if open.len() > 10 {
                        open.remove(0);
                    }
                }
            });
        }
    });
    assert!(speech.connect(server.address).download("a").unwrap() == bytes);
    wait_until(|| server.names() == ["a"]);
}
