//! The dialogues of the dialect, over real sockets.

use std::io::Write;

use super::{Client, port, server};
use crate::support::TestServer;

#[test]
fn a_file_goes_up_is_listed_and_comes_down() {
    let server = server();
    let mut client = Client::connect(server.address);
    client.put("notes.txt", b"some notes\n");
    client.put_until_close("other notes.txt", b"without a size");
    client.put("empty", b"");
    client.put_until_close("empty too", b"");
    assert_eq!(client.list("LS"), ["empty", "empty too", "notes.txt", "other notes.txt"]);
    assert_eq!(client.get("notes.txt"), b"some notes\n");
    assert_eq!(client.get("other notes.txt"), b"without a size");
    assert_eq!(client.get("empty"), b"");
    assert_eq!(server.file("notes.txt").unwrap(), b"some notes\n");
    assert_eq!(client.ask("EXIT"), "200 OK Goodbye");
    assert_eq!(client.reply(), "", "the server closes");
}

#[test]
fn verbs_in_any_case_and_lines_ended_by_lf() {
    let server = server();
    server.put_file("a", b"x");
    let mut client = Client::connect(server.address);
    client.say("get a\n");
    let reply = client.reply();
    let mut data = client.connect_data(port(&reply).unwrap());
    assert_eq!(crate::support::read_all(&mut data), b"x");
    assert_eq!(client.reply(), "226 Transfer Complete");
    assert_eq!(client.list("ls"), ["a"]);
    client.say("Exit\n");
    assert_eq!(client.reply(), "200 OK Goodbye");
}

#[test]
fn each_wrong_line_gets_one_550_and_the_session_goes_on() {
    let server = server();
    std::fs::create_dir(server.path().join("dir")).unwrap();
    server.put_file("file", b"x");
    let mut client = Client::connect(server.address);
    let long_name = "x".repeat(300);
    let table = [
        ("GET nope", "550 File Not Found"),
        ("GET dir", "550 Is A Directory"),
        ("GET dir/nope", "550 File Not Found"),
        ("GET file/x", "550 Not A Directory"),
        ("GET ../etc/passwd", "550 Name Not Allowed"),
        ("GET /etc/passwd", "550 Name Not Allowed"),
        ("GET dir/../../x", "550 Name Not Allowed"),
        ("PUT ../x 1", "550 Name Not Allowed"),
        ("PUT dir 1", "550 Is A Directory"),
        ("PUT nodir/x 1", "550 File Not Found"),
        ("PUT x -1", "550 Bad Size"),
        ("LS nope", "550 File Not Found"),
        ("LS file", "550 Not A Directory"),
        ("GET", "550 Bad Argument"),
        ("", "550 Unknown Command (GET, PUT, LS, EXIT)"),
        ("FETCH x", "550 Unknown Command (GET, PUT, LS, EXIT)"),
    ];
    for (line, reply) in table {
        assert_eq!(client.ask(line), reply, "{line:?}");
    }
    assert_eq!(client.ask(&format!("GET {long_name}")), "550 Name Too Long");
    assert_eq!(client.list("LS"), ["dir/", "file"]);
    assert_eq!(client.list("LS dir"), Vec::<String>::new());
}

#[test]
fn a_short_upload_keeps_the_old_file() {
    let server = server();
    server.put_file("kept", b"the old contents");
    let mut client = Client::connect(server.address);
    let mut data = client.open("PUT kept 1000");
    data.write_all(b"far fewer bytes").unwrap();
    drop(data);
    assert_eq!(client.reply(), "550 Upload Shorter Than Declared");
    assert_eq!(client.get("kept"), b"the old contents");
    assert_eq!(server.names(), ["kept"]);
    client.put("kept", b"the new contents");
    assert_eq!(client.get("kept"), b"the new contents");
}

#[test]
fn an_upload_is_complete_at_its_size_though_the_client_does_not_close() {
    let server = server();
    let mut client = Client::connect(server.address);
    let mut data = client.open("PUT f 4");
    data.write_all(b"abcd").unwrap();
    assert_eq!(client.reply(), "226 Transfer Complete");
    assert_eq!(server.file("f").unwrap(), b"abcd");
    drop(data);
}

#[test]
fn commands_sent_during_a_transfer_wait_for_their_turn() {
    let server = server();
    server.put_file("a", b"first");
    server.put_file("b", b"second");
    let mut client = Client::connect(server.address);
    client.say("GET a\r\nGET nope\r\nGET b\r\nEXIT\r\n");
    for bytes in [b"first".as_slice(), b"second"] {
        let reply = client.reply();
        let mut data = client.connect_data(port(&reply).unwrap_or_else(|| panic!("{reply}")));
        assert_eq!(crate::support::read_all(&mut data), bytes);
        assert_eq!(client.reply(), "226 Transfer Complete");
        if bytes == b"first" {
            assert_eq!(client.reply(), "550 File Not Found");
        }
    }
    assert_eq!(client.reply(), "200 OK Goodbye");
    assert_eq!(client.reply(), "");
}

#[test]
fn each_transfer_has_a_fresh_port_that_listens_before_it_is_named() {
    let server = server();
    server.put_file("a", b"x");
    let mut client = Client::connect(server.address);
    let mut ports = Vec::new();
    for _ in 0..20 {
        let reply = client.ask("GET a");
        let port = port(&reply).unwrap();
        assert!(!ports.contains(&port), "{port} was used before: {ports:?}");
        ports.push(port);
        crate::support::read_all(&mut client.connect_data(port));
        assert_eq!(client.reply(), "226 Transfer Complete");
    }
}

#[test]
fn it_works_over_ipv6() {
    let server = TestServer::with(|config| config.listen[0].address = "[::1]:0".parse().unwrap());
    let mut client = Client::connect(server.address);
    client.put("six", b"over IPv6");
    assert_eq!(client.get("six"), b"over IPv6");
}
