//! Uploads over TLS from clients that never send close_notify: refused, or kept where the listener says so.

use std::io::Write;
use std::net::Shutdown;

use muxftp_server::config::{TlsMode, TlsSettings, UploadsWithoutClose};
use rustls::version::{TLS12, TLS13};

use super::client::Ftp;
use super::server_with;
use super::tls::Cut;
use crate::pipe::{CERTIFICATE, TlsClient};
use crate::support::{TestServer, noise};

fn server(setting: UploadsWithoutClose) -> TestServer {
    let server = server_with(|config| {
        config.listen[0].tls = TlsMode::Required;
        config.listen[0].uploads_without_close = setting;
        config.tls = Some(TlsSettings { ..CERTIFICATE.settings() });
    });
    server.put_file("there", b"old");
    server
}

fn guest(server: &TestServer, tls: &TlsClient) -> Ftp {
    let mut ftp = Ftp::connect(server.address);
    ftp.secure(tls);
    assert_eq!(ftp.log_in("anonymous", ""), "230 Logged in");
    ftp.expect("200 ", "TYPE I");
    ftp
}

#[test]
fn an_upload_without_close_notify_is_refused_or_kept_as_the_listener_says() {
    for (setting, is_kept) in [(UploadsWithoutClose::Refuse, false), (UploadsWithoutClose::Keep, true)] {
        let server = server(setting);
        for version in [&TLS12, &TLS13] {
            let tls = TlsClient::new(version);
            let mut ftp = guest(&server, &tls);
            for size in [1, 3_000, 300_000] {
                let content = noise(size as u64, size);
                let mut data = ftp.open_pipe("STOR there").unwrap();
                data.write_all(&content).unwrap();
                data.flush().unwrap();
                data.socket().shutdown(Shutdown::Write).unwrap();
                let reply = ftp.reply();
                if is_kept {
                    assert_eq!(reply, "226 Transfer complete", "{version:?} {size}");
                    assert_eq!(server.file("there").unwrap(), content, "{version:?} {size}");
                } else {
                    assert_eq!(reply, "426 Data Connection Ended Without TLS close_notify", "{version:?} {size}");
                    assert_eq!(server.file("there").unwrap(), b"old", "{version:?} {size}");
                }
            }
            // With it, there is nothing to decide.
            ftp.stor("there", b"old").unwrap();
        }
        assert_eq!(server.names(), ["there"]);
    }
}

#[test]
fn an_upload_that_is_cut_within_a_record_is_never_kept() {
    let server = server(UploadsWithoutClose::Keep);
    for version in [&TLS12, &TLS13] {
        let tls = TlsClient::new(version);
        let mut ftp = guest(&server, &tls);
        // One record of data, after a handshake of a few hundred bytes: every other cut is within one of them.
        let content = noise(1, 3_000);
        for left in (1_500..3_000).step_by(97) {
            ftp.fetch("NLST").unwrap();
            let socket = ftp.open("STOR there").unwrap();
            let _ = tls.upload(Cut { socket, left }, &content);
            assert_eq!(ftp.reply(), "426 Data Connection Ended Without TLS close_notify", "{version:?}: cut at {left}");
            assert_eq!(server.file("there").unwrap(), b"old", "{version:?}: cut at {left}");
        }
    }
}
