//! Servers with an IPv6 address.

use std::fs;
use std::net::{Ipv6Addr, SocketAddr, TcpListener};

use muxftp_server::config::TlsMode;

use crate::support::{Certificate, TestServer, names, run, text};

#[test]
fn files_go_both_ways_over_ipv6() {
    if TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_err() {
        eprintln!("this machine has no ::1: nothing was tested");
        return;
    }
    let certificate = Certificate::of(&["::1"], |_| {});
    for (tls, scheme) in [(TlsMode::Off, "ftp"), (TlsMode::Required, "ftp"), (TlsMode::Implicit, "ftps")] {
        for (way, verb) in [(&[][..], "C: EPSV"), (&["--active"], "C: EPRT |2|::1|")] {
            let server = TestServer::of_ftp(tls, |config| {
                config.listen[0].address = SocketAddr::new(Ipv6Addr::LOCALHOST.into(), 0);
                config.tls = (tls != TlsMode::Off).then(|| certificate.settings());
            });
            let here = tempfile::tempdir().unwrap();
            fs::write(here.path().join("file"), "bytes").unwrap();
            fs::create_dir(here.path().join("back")).unwrap();
            let url = |path: &str| format!("{scheme}://[::1]:{}/{path}", server.port());
            for args in [&["put", "file", &url("new name")][..], &["get", "-o", "back", &url("new%20name")]] {
                let output = run(here.path(), &[args, way, &["-v", "--ca", &certificate.file()]].concat());
                let told = text(&output.stderr);
                assert!(output.status.success() && told.contains(verb), "{scheme} {args:?}: {told}");
            }
            let output = run(here.path(), &[&["ls", &url(""), "--ca", &certificate.file()], way].concat());
            assert_eq!(text(&output.stdout), "new name\n", "{scheme}: {}", text(&output.stderr));
            assert_eq!(names(&here.path().join("back")), ["new name"]);
            assert_eq!(fs::read(here.path().join("back/new name")).unwrap(), b"bytes");
        }
    }
}
