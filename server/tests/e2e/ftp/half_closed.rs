//! The end of a control connection: half closed, announced by QUIT, or of a client that is gone.

use std::io::Write;
use std::net::Shutdown;

use super::client::Ftp;
use super::server;
use crate::support::{noise, wait_until};

/// Says that no further command comes.
fn half_close(ftp: &Ftp) {
    ftp.socket().shutdown(Shutdown::Write).unwrap();
}

fn ends(ftp: &mut Ftp) {
    assert_eq!(ftp.reply(), "", "and then it closes");
}

#[test]
fn a_half_close_after_all_data_gets_its_226() {
    let server = server();
    let content = noise(1, 1_000_000);
    for _ in 0..10 {
        let mut ftp = Ftp::guest(server.address);
        let mut data = ftp.open("STOR f").unwrap();
        data.write_all(&content).unwrap();
        drop(data);
        half_close(&ftp);
        ftp.expect_reply("226 ", "STOR");
        ends(&mut ftp);
        assert!(server.file("f").unwrap() == content);
        std::fs::remove_file(server.path().join("f")).unwrap();
    }
}

#[test]
fn quit_behind_stor_lets_the_upload_end() {
    let server = server();
    let content = noise(2, 300_000);
    for _ in 0..10 {
        let mut ftp = Ftp::guest(server.address);
        let mut data = ftp.data();
        ftp.send(b"STOR f\r\nQUIT\r\n");
        half_close(&ftp);
        ftp.expect_reply("150 ", "STOR");
        data.write_all(&content).unwrap();
        drop(data);
        ftp.expect_reply("226 ", "STOR");
        ftp.expect_reply("221 ", "QUIT");
        ends(&mut ftp);
        assert!(server.file("f").unwrap() == content);
        std::fs::remove_file(server.path().join("f")).unwrap();
    }
}

#[test]
fn a_half_close_in_the_middle_of_an_upload_lets_it_end() {
    let server = server();
    let content = noise(3, 600_000);
    for way in 0..9 {
        let mut ftp = Ftp::guest(server.address);
        let mut data = ftp.open("STOR f").unwrap();
        data.write_all(&content[..300_000]).unwrap();
        half_close(&ftp);
        if way % 3 == 0 {
            // Now the server knows of the end, and waits for the data.
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        data.write_all(&content[300_000..]).unwrap();
        drop(data);
        ftp.expect_reply("226 ", "STOR");
        ends(&mut ftp);
        assert!(server.file("f").unwrap() == content);
        std::fs::remove_file(server.path().join("f")).unwrap();
    }
}

#[test]
fn lines_before_a_half_close_each_have_one_reply() {
    let server = server();
    server.put_file("a", b"content");
    let mut ftp = Ftp::guest(server.address);
    // The data connection comes after the end of the commands.
    let port = ftp.epsv();
    let lines = "RETR a\r\nPWD\r\nSIZE a\r\n".to_owned() + &"NOOP\r\n".repeat(100) + "SYST\r\n";
    ftp.send(lines.as_bytes());
    half_close(&ftp);
    ftp.expect_reply("150 ", "RETR");
    let mut data = ftp.connect_data(port);
    assert_eq!(crate::support::read_all(&mut data), b"content");
    // NOOP is answered while the transfer runs, if it is read by then.
    let replies: Vec<String> = std::iter::from_fn(|| Some(ftp.reply()).filter(|reply| !reply.is_empty())).collect();
    let count = |code: &str| replies.iter().filter(|reply| reply.starts_with(code)).count();
    assert_eq!([count("226 "), count("257 "), count("213 "), count("200 "), count("215 ")], [1, 1, 1, 100, 1]);
    assert_eq!(replies.len(), 104, "{replies:?}");
}

#[test]
fn a_client_that_is_killed_in_the_middle_of_an_upload_leaves_the_old_file() {
    let server = server();
    server.put_file("kept", b"old");
    for (round, size) in [1, 1000, 300_000, 5_000_000].into_iter().enumerate() {
        let mut ftp = Ftp::guest(server.address);
        let mut data = ftp.open("STOR kept").unwrap();
        data.write_all(&noise(4, size)).unwrap();
        if round % 2 == 0 {
            wait_until(|| server.names().len() == 2);
        }
        // The order in which a dying process closes its descriptors.
        drop(ftp);
        drop(data);
        wait_until(|| server.names() == ["kept"]);
        assert_eq!(server.file("kept").unwrap(), b"old", "{size}");
    }
}
