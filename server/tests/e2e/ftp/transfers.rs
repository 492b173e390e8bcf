//! Transfers: what may be said meanwhile, how they end, and what moves over them.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::fs::FileExt;
use std::time::Duration;

use socket2::SockRef;

use super::client::{Ftp, Way, address_command};
use super::server;
use crate::support::{TestServer, noise, read_all};

/// More than all buffers between the server and a client that does not read.
const LARGE: usize = 30_000_000;

#[test]
fn files_come_and_go_by_every_kind_of_data_connection() {
    let server = server();
    let content = noise(1, 300_000);
    let mut ftp = Ftp::guest(server.address);
    for way in [Way::Epsv, Way::Pasv, Way::Port, Way::Eprt] {
        let mut data = ftp.open_by(way, "STOR file").unwrap();
        data.write_all(&content).unwrap();
        drop(data);
        ftp.end().unwrap();
        assert!(server.file("file").unwrap() == content, "{way:?}");
        let mut data = ftp.open_by(way, "RETR file").unwrap();
        assert!(read_all(&mut data) == content, "{way:?}");
        ftp.end().unwrap();
    }
}

#[test]
fn bytes_that_come_with_an_active_data_connection_are_not_overlooked() {
    let server = server();
    let mut ftp = Ftp::guest(server.address);
    for round in 0..100 {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        ftp.expect("200 ", address_command(Way::Eprt, listener.local_addr().unwrap()));
        let sender = std::thread::spawn(move || listener.accept().unwrap().0.write_all(b"at once").unwrap());
        ftp.expect("150 ", "STOR file");
        ftp.end().unwrap();
        sender.join().unwrap();
        assert_eq!(server.file("file").unwrap(), b"at once", "round {round}");
        server.put_file("file", b"");
    }
}

#[test]
fn stat_and_noop_are_answered_while_bytes_move() {
    let server = server();
    server.put_file("large", &vec![7; LARGE]);
    let mut ftp = Ftp::guest(server.address);
    let mut data = ftp.open("RETR large").unwrap();
    data.read_exact(&mut [0; 1000]).unwrap();
    for _ in 0..10 {
        let status = ftp.expect("211-", "STAT");
        assert!(status.contains("\n RETR of /large: ") && status.ends_with("\n211 End"), "{status}");
        assert_eq!(ftp.ask("NOOP"), "200 OK");
    }
    // Others wait for the end.
    ftp.say("PWD");
    assert_eq!(read_all(&mut data).len(), LARGE - 1000);
    ftp.end().unwrap();
    ftp.expect_reply("257 ", "PWD");

    let mut data = ftp.open("STOR new").unwrap();
    data.write_all(b"abc").unwrap();
    while !ftp.expect("211-", "STAT").contains("\n STOR of /new: 3 bytes") {}
    drop(data);
    ftp.end().unwrap();
}

#[test]
fn abor_ends_a_transfer_and_the_session_goes_on() {
    let server = server();
    server.put_file("large", &vec![7; LARGE]);
    server.put_file("kept", b"old");
    let mut ftp = Ftp::guest(server.address);
    for urgent in [false, true] {
        for line in ["RETR large", "STOR kept"] {
            let mut data = ftp.open(line).unwrap();
            match line {
                "RETR large" => data.read_exact(&mut [0; 1000]).unwrap(),
                _ => data.write_all(b"a part").unwrap(),
            }
            abort(&mut ftp, urgent);
            assert_eq!(ftp.reply(), "426 Transfer Aborted", "{line}");
            assert_eq!(ftp.reply(), "226 Aborted", "{line}");
            assert_eq!(ftp.ask("NOOP"), "200 OK");
            // Closed; what was on its way may still come.
            let rest = data.read_to_end(&mut Vec::new());
            assert!(rest.as_ref().map_or_else(|error| error.kind() == ErrorKind::ConnectionReset, |n| *n < LARGE));
            assert_eq!(server.names(), ["kept", "large"]);
            assert_eq!(ftp.retr("kept").unwrap(), b"old");
        }
        abort(&mut ftp, urgent);
        assert_eq!(ftp.reply(), "226 Aborted", "nothing was to be ended");
    }
}

/// As plain text, or as tnftp does: IAC IP, then IAC DM of which the DM is urgent (RFC 959 4.1.3, RFC 854).
fn abort(ftp: &mut Ftp, urgent: bool) {
    if urgent {
        ftp.send(&[0xFF, 0xF4]);
        SockRef::from(ftp.socket()).send_out_of_band(&[0xFF, 0xF2]).unwrap();
    }
    ftp.say("ABOR");
}

#[test]
fn abor_is_heard_behind_commands_that_wait_and_before_the_data_connection() {
    let server = server();
    server.put_file("large", &vec![7; LARGE]);
    let mut ftp = Ftp::guest(server.address);
    let _data = ftp.open("RETR large").unwrap();
    ftp.send(b"PWD\r\nSYST\r\nABOR\r\n");
    for code in ["426 ", "257 ", "215 ", "226 "] {
        ftp.expect_reply(code, "PWD, SYST, ABOR");
    }
    let port = ftp.epsv();
    ftp.say("RETR large");
    ftp.say("ABOR");
    let mut reply = ftp.reply();
    if reply.starts_with("150 ") {
        reply = ftp.reply();
    }
    assert_eq!(reply, "426 Transfer Aborted");
    ftp.expect_reply("226 ", "ABOR");
    let host = server.address.ip();
    assert_eq!(TcpStream::connect((host, port)).unwrap_err().kind(), ErrorKind::ConnectionRefused, "given back");
}

#[test]
fn quit_waits_for_the_transfer() {
    let server = server();
    server.put_file("large", &vec![7; LARGE]);
    let mut ftp = Ftp::guest(server.address);
    let mut data = ftp.open("RETR large").unwrap();
    ftp.say("QUIT");
    assert_eq!(read_all(&mut data).len(), LARGE);
    ftp.end().unwrap();
    ftp.expect_reply("221 ", "QUIT");
    assert_eq!(ftp.reply(), "", "closed");
}

#[test]
fn a_broken_upload_leaves_the_old_file_and_a_broken_append_what_came() {
    let server = server();
    server.put_file("a", b"old");
    let mut ftp = Ftp::guest(server.address);
    let content = noise(1, 100_000);
    let reset = |data: TcpStream| {
        SockRef::from(&data).set_linger(Some(Duration::ZERO)).unwrap();
    };
    let mut data = ftp.open("STOR a").unwrap();
    data.write_all(&content).unwrap();
    reset(data);
    assert_eq!(ftp.reply(), "426 Data Connection Lost");
    assert_eq!((server.file("a").unwrap(), server.names()), (b"old".to_vec(), vec!["a".to_owned()]));

    let mut data = ftp.open("APPE a").unwrap();
    data.write_all(&content).unwrap();
    // A reset throws away what has not been read yet.
    while server.file("a").unwrap().len() < 3 + content.len() {
        std::thread::yield_now();
    }
    reset(data);
    assert_eq!(ftp.reply(), "426 Data Connection Lost");
    assert!(server.file("a").unwrap() == [b"old", &content[..]].concat());
    // From there a client goes on.
    ftp.expect("213 100003", "SIZE a");
    ftp.expect("350 ", "REST 100003");
    ftp.stor("a", b"the rest").unwrap();
    assert!(server.file("a").unwrap() == [b"old", &content[..], b"the rest"].concat());
}

#[test]
fn transfers_begin_beyond_what_32_bits_count() {
    let server = server();
    let at = (5 << 30) + 7;
    let file = std::fs::File::create(server.path().join("huge")).unwrap();
    file.set_len(at).unwrap();
    file.write_all_at(b"the end", at).unwrap();
    let mut ftp = Ftp::guest(server.address);
    ftp.expect(&format!("213 {}", at + 7), "SIZE huge");
    ftp.expect("350 ", format!("REST {}", at + 4));
    assert_eq!(ftp.retr("huge").unwrap(), b"end");
    ftp.expect("350 ", format!("REST {}", at + 4));
    ftp.stor("huge", b"END!").unwrap();
    ftp.expect("350 ", format!("REST {at}"));
    assert_eq!(ftp.retr("huge").unwrap(), b"the END!");
    ftp.expect("350 ", format!("RANG {} {}", at + 1, at + 2));
    assert_eq!(ftp.retr("huge").unwrap(), b"he");
    ftp.expect("350 ", format!("REST {}", at + 9));
    assert!(ftp.stor("huge", b"x").unwrap_err().starts_with("554 "), "beyond the end");
    assert!(ftp.stor("new", b"x").is_ok(), "a position holds for one command");
}

/// Text with all that can stand at a line's end, the pieces of several lengths.
fn text() -> Vec<u8> {
    let ends: [&[u8]; 6] = [b"\n", b"\r\n", b"\r\r\n", b"\n\n", b"\r", b"\n\r"];
    let lines = (0..600)
        .map(|n| [&noise(n, n as usize % 11).escape_ascii().to_string().into_bytes(), ends[n as usize % 6]].concat());
    lines.collect::<Vec<_>>().concat()
}

/// RFC 959 3.1.1.1, byte by byte.
fn to_wire(file: &[u8]) -> Vec<u8> {
    let mut wire = Vec::new();
    for &byte in file {
        if byte == b'\n' && wire.last() != Some(&b'\r') {
            wire.push(b'\r');
        }
        wire.push(byte);
    }
    wire
}

fn to_file(wire: &[u8]) -> Vec<u8> {
    let mut file: Vec<u8> = Vec::new();
    for &byte in wire {
        if byte == b'\n' && file.last() == Some(&b'\r') {
            file.pop();
        }
        file.push(byte);
    }
    file
}

#[test]
fn text_is_converted_wherever_it_is_cut() {
    let server = server();
    let text = text();
    server.put_file("text", &text);
    let wire = to_wire(&text);
    let mut ftp = Ftp::guest(server.address);
    ftp.expect("200 ", "TYPE A");
    ftp.expect(&format!("213 {}", wire.len()), "SIZE text");
    assert!(ftp.retr("text").unwrap() == wire);
    for from in (1..wire.len()).step_by(97).chain([wire.len() - 1, wire.len()]) {
        ftp.expect("350 ", format!("REST {from}"));
        assert!(ftp.retr("text").unwrap() == wire[from..], "from {from}");
    }
    for piece in [1, 2, 3, 7] {
        let mut data = ftp.open("STOR back").unwrap();
        data.set_nodelay(true).unwrap();
        for bytes in text.chunks(piece) {
            data.write_all(bytes).unwrap();
        }
        drop(data);
        ftp.end().unwrap();
        assert!(server.file("back").unwrap() == to_file(&text), "pieces of {piece}");
    }
    ftp.expect("200 ", "TYPE I");
    assert!(ftp.retr("text").unwrap() == text);
}

#[test]
fn one_file_is_written_in_place_by_one_transfer() {
    let server = server();
    server.put_file("a", b"0123456789");
    let mut first = Ftp::guest(server.address);
    let mut second = Ftp::guest(server.address);
    let mut data = first.open("APPE a").unwrap();
    data.write_all(b"first").unwrap();
    assert_eq!(second.give("APPE a", b"second").unwrap_err(), "450 File Busy");
    second.expect("350 ", "REST 5");
    assert_eq!(second.stor("a", b"second").unwrap_err(), "450 File Busy");
    drop(data);
    first.end().unwrap();
    assert_eq!(server.file("a").unwrap(), b"0123456789first");
    second.give("APPE a", b"second").unwrap();
    assert_eq!(server.file("a").unwrap(), b"0123456789firstsecond");
}

#[test]
fn a_file_that_is_appended_to_is_not_taken_away_and_a_patch_leaves_the_rest() {
    let server = server();
    server.put_file("log", b"0123456789");
    server.put_file("text", b"one\ntwo\nthree\n");
    let mut first = Ftp::guest(server.address);
    let mut second = Ftp::guest(server.address);
    let mut data = first.open("APPE log").unwrap();
    data.write_all(b"kept").unwrap();
    for line in ["DELE log", "STOR log"] {
        let reply = if line.starts_with("STOR") { second.stor("log", b"x").unwrap_err() } else { second.ask(line) };
        assert_eq!(reply, "450 File Busy", "{line}");
    }
    second.expect("350 ", "RNFR log");
    second.expect("450 ", "RNTO log.1");
    drop(data);
    first.end().unwrap();
    assert_eq!(server.file("log").unwrap(), b"0123456789kept");
    first.expect("350 ", "REST 2");
    first.stor("log", b"ab").unwrap();
    assert_eq!(server.file("log").unwrap(), b"01ab456789kept");
    first.expect("200 ", "TYPE A");
    first.expect("350 ", "REST 5");
    first.stor("text", b"TWO\r\n").unwrap();
    assert_eq!(server.file("text").unwrap(), b"one\nTWO\nthree\n");
}

#[test]
fn commands_may_be_sent_ahead_and_in_pieces() {
    let server = server();
    server.put_file("file", b"content");
    let mut ftp = Ftp::guest(server.address);
    let lines: String = (0..500).map(|n| format!("MKD d{n}\r\nCWD /d{n}\r\nPWD\r\nCDUP\r\n")).collect();
    ftp.send(lines.as_bytes());
    for n in 0..500 {
        assert_eq!(ftp.reply(), format!("257 \"/d{n}\" is made"));
        ftp.expect_reply("250 ", "CWD");
        assert_eq!(ftp.reply(), format!("257 \"/d{n}\" is the working directory"));
        ftp.expect_reply("250 ", "CDUP");
    }
    let port = ftp.epsv();
    ftp.send(b"RETR file\r\nSIZE file\r\nPWD\r\n");
    assert_eq!(read_all(&mut ftp.connect_data(port)), b"content");
    for code in ["150 ", "226 ", "213 7", "257 "] {
        ftp.expect_reply(code, "RETR, SIZE, PWD");
    }
    ftp.socket().set_nodelay(true).unwrap();
    for byte in b"SIZE file\r\nNOOP\r\n" {
        ftp.send(&[*byte]);
    }
    ftp.expect_reply("213 7", "SIZE");
    ftp.expect_reply("200 ", "NOOP");
}

fn many() -> (TestServer, Vec<String>) {
    let server = server();
    let directory = server.path().join("many");
    std::fs::create_dir(&directory).unwrap();
    let names: Vec<String> = (0..5000).map(|n| format!("file {n:04}")).collect();
    for name in &names {
        std::fs::write(directory.join(name), b"").unwrap();
    }
    (server, names)
}

#[test]
fn a_large_directory_is_listed_in_every_form() {
    let (server, names) = many();
    let mut ftp = Ftp::guest(server.address);
    assert_eq!(ftp.list("NLST many"), names.iter().map(|name| format!("many/{name}")).collect::<Vec<_>>());
    let last_words = |lines: Vec<String>| -> Vec<String> {
        lines.iter().map(|line| line[line.len() - "file 0000".len()..].to_owned()).collect()
    };
    let long = ftp.list("LIST many");
    assert!(long.iter().all(|line| line.starts_with("-rw")));
    assert_eq!(last_words(long), names);
    let facts = ftp.list("MLSD many");
    let (here, files): (Vec<_>, Vec<_>) =
        facts.into_iter().partition(|line| line.contains("type=cdir;") || line.contains("type=pdir;"));
    assert!(here.len() <= 2 && files.iter().all(|line| line.contains("type=file;size=0;")), "{here:?} {}", files[0]);
    assert_eq!(last_words(files), names);
    let status = ftp.expect("213-", "STAT many");
    let lines: Vec<String> =
        status.lines().filter(|line| line.contains(" -rw") || line.starts_with("-rw")).map(str::to_owned).collect();
    assert_eq!(last_words(lines), names);
    assert!(status.ends_with("\n213 End of status"));
    assert_eq!(ftp.ask("NOOP"), "200 OK");
}
