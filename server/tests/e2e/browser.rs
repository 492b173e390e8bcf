//! Requests of browsers, and clients of other protocols, at control and data connections of each dialect: nothing that a web
//! page puts into a request is executed or stored.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};

use muxftp_proto::Dialect;
use muxftp_server::config::{TlsMode, TlsSettings};
use rustls::version::{TLS12, TLS13};

use crate::ftp::client::Ftp;
use crate::pipe::{CERTIFICATE, TlsClient};
use crate::support::{HANG, TestServer};
use crate::{simple, updown};

/// What stands in the body of a request: an upload that makes a file at once, and one that replaces a file.
fn body(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Simple => "\r\n\nPUT planted 0\nPUT there 0\n",
        Dialect::Updown => "\r\n\nUPLOAD planted 0\nUPLOAD there 0\n",
        Dialect::Ftp => "\r\n\nUSER anonymous\nPASS x\nMKD planted\nDELE there\n",
    }
}

fn server(dialect: Dialect) -> TestServer {
    let server = match dialect {
        Dialect::Updown => updown::server_with(updown::ONE_PORT, |_| {}),
        dialect => TestServer::with(|config| config.listen[0].dialect = dialect),
    };
    server.put_file("there", b"kept");
    server
}

/// All that the server says until it closes.
fn said(address: SocketAddr, pieces: &[&[u8]]) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(HANG)).unwrap();
    stream.set_nodelay(true).unwrap();
    for piece in pieces {
        // It may have closed already.
        if stream.write_all(piece).is_err() {
            break;
        }
    }
    let mut bytes = Vec::new();
    // What was not read by the server resets the connection, perhaps before its reply is read here.
    let _ = stream.read_to_end(&mut bytes);
    String::from_utf8_lossy(&bytes).into_owned()
}

const FIRST_LINES: &[&str] = &[
    "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\n",
    "POST / HTTP/1.1\n",
    "GET / HTTP/1.1\r\n",
    "GET /x HTTP/2\r\n",
    "PUT /there HTTP/1.1\r\n",
    "PUT http://localhost/x HTTP/1.0\r\n",
    "put /there http/1.1\r\n",
    "OPTIONS * HTTP/1.1\r\n",
    "CONNECT localhost:1 HTTP/1.1\r\n",
    "FROBNICATE / HTTP/1.1\r\n",
    "propfind / HTTP/1.1\r\n",
    "PRI * HTTP/2.0\r\n\r\nSM\r\n",
    "HTTP/1.1 200 OK\r\n",
    "OPTIONS rtsp://localhost/x RTSP/1.0\r\n",
    "Host: localhost:5001\r\n",
    "Content-Type: text/plain\n",
    "EHLO mail.example\r\n",
    "helo mail\r\n",
    "SSH-2.0-OpenSSH_9.2p1\r\n",
    "\u{16}\u{3}\u{1}\u{2}\u{0}\u{1}",
    "wrong\r\nwrong again\r\nPOST / HTTP/1.1\r\n",
];

#[test]
fn a_session_ends_at_the_first_line_of_another_protocol() {
    for dialect in Dialect::ALL {
        let server = server(dialect);
        for first in FIRST_LINES {
            let text = format!("{first}{}", body(dialect));
            let text = said(server.address, &[text.as_bytes()]);
            let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with("220 ")).collect();
            let wrong = first.matches("wrong").count();
            assert_eq!(lines.len(), wrong + 1, "{dialect}: {first:?}: {text}");
            let last = lines[wrong];
            let expected = match dialect {
                Dialect::Simple => "550 This Is An FTP Server",
                Dialect::Updown => "ERROR ThisIsAnFTPServer",
                Dialect::Ftp => "421 This Is An FTP Server",
            };
            assert_eq!(last, expected, "{dialect}: {first:?}");
        }
        assert_eq!(server.names(), ["there"], "{dialect}");
        assert_eq!(server.file("there").unwrap(), b"kept", "{dialect}");
    }
}

#[test]
fn a_request_in_pieces_or_with_a_long_path_is_recognized_too() {
    for dialect in Dialect::ALL {
        let server = server(dialect);
        let path = "a".repeat(20_000);
        for request in
            ["POST / HTTP/1.1\r\nHost: localhost\r\n", &format!("POST /{path} HTTP/1.1\r\nHost: localhost\r\n")]
        {
            let text = format!("{request}{}", body(dialect));
            for size in [1, 7, 4096] {
                if size == 1 && text.len() > 1000 {
                    continue;
                }
                let pieces: Vec<&[u8]> = text.as_bytes().chunks(size).collect();
                said(server.address, &pieces);
            }
        }
        assert_eq!(server.names(), ["there"], "{dialect}");
        assert_eq!(server.file("there").unwrap(), b"kept", "{dialect}");
    }
}

#[test]
fn names_that_look_like_a_request_can_still_be_used() {
    let server = server(Dialect::Simple);
    let mut client = simple::Client::connect(server.address);
    for name in ["x HTTP", "notes on HTTP 1.1", "Host: x", "POST"] {
        client.put(name, b"content");
        assert_eq!(client.get(name), b"content", "{name}");
    }
}

/// Uploads that begin like a request, and what becomes of them where nobody logs in.
fn requests() -> Vec<Vec<u8>> {
    let long = format!("GET /{} HTTP/1.1\r\nHost: x\r\n\r\n", "a".repeat(40_000));
    let mut requests: Vec<Vec<u8>> = [
        "POST / HTTP/1.1\r\nHost: 127.0.0.1:5002\r\n\r\n<script>",
        "GET / HTTP/1.1\r\n\r\n",
        "get /x http/1.1\n",
        "OPTIONS * HTTP/1.1\r\n",
        "CONNECT localhost:1 HTTP/1.1\r\n",
        "FROB /x HTTP/1.0\r\n",
        "POST / HTTP/1.1",
        &long,
    ]
    .map(|text| text.as_bytes().to_vec())
    .into();
    requests.push([&[0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3][..], &[7; 500]].concat());
    requests
}

fn send(mut data: TcpStream, bytes: &[u8], piece: usize) {
    data.set_nodelay(true).unwrap();
    // A server that has seen enough closes.
    let _ = bytes.chunks(piece).try_for_each(|piece| data.write_all(piece));
    let _ = data.shutdown(Shutdown::Write);
}

#[test]
fn a_request_at_a_data_port_is_not_stored() {
    let (server, shared) = (server(Dialect::Simple), server(Dialect::Updown));
    let mut simple = simple::Client::connect(server.address);
    let mut updown = updown::Client::connect(shared.address);
    for request in requests() {
        for piece in [9, 50_000] {
            let what = String::from_utf8_lossy(&request[..request.len().min(40)]).into_owned();
            for line in ["PUT there".to_owned(), format!("PUT there {}", request.len())] {
                let data = simple.open(&line);
                send(data, &request, piece);
                assert_eq!(simple.reply(), "550 The Data Is A Web Request", "{what}");
            }
            let reply = updown.ask(&format!("UPLOAD there {}", request.len()));
            send(updown.data(&reply), &request, piece);
            assert_eq!(updown.reply(), "ERROR TheDataIsAWebRequest", "{what}");
        }
    }
    for server in [&server, &shared] {
        assert_eq!(server.names(), ["there"]);
        assert_eq!(server.file("there").unwrap(), b"kept");
    }
    // The sessions go on, and what is no request is stored as it came.
    for content in ["", "P", "POST it\n", "Upgrade to HTTP/2\n", "GET\n", "{\"GET\":1}", "\u{16}\u{3}\u{1}", "a b c"] {
        for piece in [1, 1000] {
            let data = simple.open("PUT other");
            send(data, content.as_bytes(), piece);
            assert_eq!(simple.reply(), "226 Transfer Complete", "{content:?}");
            assert_eq!(server.file("other").unwrap(), content.as_bytes());
        }
    }
}

#[test]
fn with_a_login_a_request_is_refused_only_if_it_is_one_to_this_data_port() {
    let server = server(Dialect::Ftp);
    let mut ftp = Ftp::guest(server.address);
    for (line, piece) in [("STOR there", 11), ("STOR there", 1000), ("APPE there", 11), ("STOR new", 1000)] {
        let port = ftp.epsv();
        let data = ftp.connect_data(port);
        ftp.expect("150 ", line);
        let request = format!("POST / HTTP/1.1\r\nUser-Agent: x\r\nHost: 127.0.0.1:{port}\r\n\r\n<script>");
        send(data, request.as_bytes(), piece);
        assert_eq!(ftp.reply(), "550 The Data Is A Web Request", "{line}");
    }
    assert_eq!(server.names(), ["there"]);
    assert_eq!(server.file("there").unwrap(), b"kept");
    // A capture, and a file of an HTTP client, are files like others.
    for content in [
        "POST / HTTP/1.1\r\nHost: 127.0.0.1:80\r\n\r\n",
        "GET https://example.com HTTP/1.1\n",
        "GET / HTTP/1.1\r\nHost",
    ] {
        for piece in [3, 1000] {
            let data = ftp.open("STOR capture").unwrap();
            send(data, content.as_bytes(), piece);
            ftp.end().unwrap();
            assert_eq!(server.file("capture").unwrap(), content.as_bytes());
        }
    }
}

#[test]
fn a_tls_client_of_another_protocol_is_refused_in_the_handshake() {
    for mode in [TlsMode::Optional, TlsMode::Implicit] {
        let server = TestServer::with(|config| {
            config.listen[0].dialect = Dialect::Ftp;
            config.listen[0].tls = mode;
            config.tls = Some(TlsSettings { ..CERTIFICATE.settings() });
        });
        let control = |tls: &TlsClient| {
            let stream = TcpStream::connect(server.address).unwrap();
            stream.set_read_timeout(Some(HANG)).unwrap();
            if mode == TlsMode::Optional {
                let mut ftp = Ftp::over(stream.try_clone().unwrap());
                ftp.expect_reply("220 ", "greeting");
                ftp.expect("234 ", "AUTH TLS");
            }
            tls.connect(stream).map(|_| ())
        };
        for version in [&TLS12, &TLS13] {
            for (names, is_accepted) in [
                (&[][..], true),
                (&["ftp"], true),
                (&["x-filezilla-ftp", "ftp"], true),
                (&["h2", "http/1.1"], false),
                (&["smtp"], false),
                (&["x-filezilla-ftp"], false),
            ] {
                let result = control(&TlsClient::new(version).naming(names));
                assert_eq!(result.is_ok(), is_accepted, "{mode:?} {version:?} {names:?}: {result:?}");
            }
        }
    }
}

#[test]
fn a_tls_data_connection_of_another_protocol_is_refused() {
    let server = TestServer::with(|config| {
        config.listen[0].dialect = Dialect::Ftp;
        config.listen[0].tls = TlsMode::Optional;
        config.tls = Some(TlsSettings { ..CERTIFICATE.settings() });
    });
    server.put_file("there", b"kept");
    for version in [&TLS12, &TLS13] {
        let mut ftp = Ftp::connect(server.address);
        ftp.secure(&TlsClient::new(version));
        assert_eq!(ftp.log_in("anonymous", ""), "230 Logged in");
        ftp.expect("200 ", "TYPE I");
        for (names, is_accepted) in [(&["ftp-data"][..], true), (&["ftp"], true), (&["h2", "http/1.1"], false)] {
            let data = ftp.open("STOR there").unwrap();
            let _ = TlsClient::new(version).naming(names).upload(data, b"new");
            let end = ftp.end();
            assert_eq!(end.is_ok(), is_accepted, "{version:?} {names:?}: {end:?}");
            let content: &[u8] = if is_accepted { b"new" } else { b"kept" };
            assert_eq!(server.file("there").unwrap(), content, "{version:?} {names:?}");
            server.put_file("there", b"kept");
        }
    }
}
