//! A server of TLS 1.2 only, that takes no data connection which does not resume the session of the control connection.

use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::Arc;

use rustls::version::TLS12;
use rustls::{HandshakeKind, ProtocolVersion, ServerConfig};

use crate::support::{CERTIFICATE, Fake, run, text};
use crate::tls_server::{Tls, config, hear, secure};

/// Lets in so many sessions, one after the other; keeps the last upload for downloads.
fn server(is_implicit: bool, sessions: usize) -> Fake {
    Fake::start(move |listener| {
        let config = config(&[&TLS12]);
        let mut kept = Vec::new();
        for _ in 0..sessions {
            let stream = listener.accept().unwrap().0;
            let mut control = match is_implicit {
                true => greet(secure(&config, stream)),
                false => secure(&config, ask_for_tls(greet(stream))),
            };
            obey(&mut control, &config, &mut kept);
            assert_eq!(control.conn.protocol_version(), Some(ProtocolVersion::TLSv1_2));
        }
    })
}

fn greet<T: Write>(mut control: T) -> T {
    control.write_all(b"220 here\r\n").unwrap();
    control
}

/// Nothing else is done in the clear.
fn ask_for_tls(mut control: TcpStream) -> TcpStream {
    while hear(&mut control) != "AUTH TLS" {
        control.write_all(b"530 first AUTH TLS\r\n").unwrap();
    }
    control.write_all(b"234 go\r\n").unwrap();
    control
}

fn obey(control: &mut Tls, config: &Arc<ServerConfig>, kept: &mut Vec<u8>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    loop {
        let line = hear(control);
        let verb = line.split(' ').next().unwrap();
        let answer = match verb {
            "QUIT" => return control.write_all(b"221 bye\r\n").unwrap(),
            "EPSV" => format!("229 ok (|||{}|)", listener.local_addr().unwrap().port()),
            "FEAT" => "502 no".to_owned(),
            "NLST" | "RETR" | "STOR" => {
                control.write_all(b"150 now\r\n").unwrap();
                let mut data = secure(config, listener.accept().unwrap().0);
                data.conn.complete_io(&mut data.sock).unwrap();
                assert_eq!(data.conn.handshake_kind(), Some(HandshakeKind::Resumed));
                match verb {
                    "NLST" => data.write_all(b"file\r\n").unwrap(),
                    "RETR" => data.write_all(kept).unwrap(),
                    // An end without close_notify would be an error.
                    _ => drop(
                        data.read_to_end({
                            kept.clear();
                            kept
                        })
                        .unwrap(),
                    ),
                }
                data.conn.send_close_notify();
                data.flush().unwrap();
                "226 done".to_owned()
            }
            "TYPE" | "PBSZ" | "PROT" => "200 fine".to_owned(),
            _ => "230 fine".to_owned(),
        };
        control.write_all(format!("{answer}\r\n").as_bytes()).unwrap();
    }
}

#[test]
fn files_go_both_ways_and_sessions_are_resumed() {
    for (scheme, is_implicit) in [("ftp", false), ("ftps", true)] {
        let here = tempfile::tempdir().unwrap();
        let bytes: Vec<u8> = (0..300_000u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        fs::write(here.path().join("up"), &bytes).unwrap();
        let server = server(is_implicit, 3);
        let url = |path: &str| format!("{scheme}://127.0.0.1:{}/{path}", server.port());
        // Two transfers in one session: each resumes.
        for args in
            [&["put", "up", "up", &url("")][..], &["get", "-o", "down", &url("file")], &["ls", &url(""), &url("")]]
        {
            let output = run(here.path(), &[args, &["--ca", &CERTIFICATE.file()]].concat());
            assert!(output.status.success(), "{scheme} {args:?}: {}", text(&output.stderr));
            let listed = if args[0] == "ls" { 2 } else { 0 };
            assert_eq!(text(&output.stdout).matches("file\n").count(), listed);
        }
        assert!(fs::read(here.path().join("down")).unwrap() == bytes, "{scheme}");
        server.join();
    }
}
