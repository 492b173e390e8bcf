//! SIGHUP: a new certificate is taken while clients are at work; a wrong one is not.

use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::process::{Pid, Signal, kill_process};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use super::client::Ftp;
use crate::pipe::TlsClient;
use crate::support::noise;

/// The program, with the certificate in its directory.
struct Program {
    child: Child,
    log: BufReader<std::process::ChildStderr>,
    address: SocketAddr,
}

impl Program {
    fn start(directory: &Path) -> Program {
        let mut child = Command::new(env!("CARGO_BIN_EXE_muxftpd"))
            .args(["--listen", "ftps://127.0.0.1:0", "--tls-certificate", "cert.pem", "--tls-key", "key.pem"])
            .args(["--root", "root", "--data-ports", "20000-29999"])
            .current_dir(directory)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap());
        let line = line_with(&mut log, " listening ");
        let address = line.split("address=").nth(1).unwrap().split_whitespace().next().unwrap();
        Program { child, log, address: address.parse().unwrap() }
    }

    /// Sends SIGHUP and waits until the log says what came of it.
    fn reload(&mut self, expected: &str) {
        kill_process(Pid::from_child(&self.child), Signal::HUP).unwrap();
        line_with(&mut self.log, expected);
    }

    fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).unwrap()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn line_with(log: &mut impl BufRead, text: &str) -> String {
    loop {
        let mut line = String::new();
        assert!(log.read_line(&mut line).unwrap() > 0, "it ended without `{text}`");
        if line.contains(text) {
            return line;
        }
    }
}

/// Makes a pair in the directory with the program itself.
fn make(directory: &Path) -> CertificateDer<'static> {
    let made = Command::new(env!("CARGO_BIN_EXE_muxftpd"))
        .args(["cert", "self-signed", "--out", ".", "--force"])
        .current_dir(directory)
        .stdout(Stdio::null())
        .status()
        .unwrap();
    assert!(made.success());
    CertificateDer::from_pem_file(directory.join("cert.pem")).unwrap()
}

#[test]
fn a_certificate_is_replaced_under_load_and_nobody_is_lost() {
    let here = tempfile::tempdir().unwrap();
    let first = make(here.path());
    let mut program = Program::start(here.path());
    let second = make(here.path());
    let bytes = noise(7, 300_000);
    let over = AtomicBool::new(false);
    let trusted = [first.clone(), second.clone()];
    std::thread::scope(|scope| {
        for number in 0..4 {
            let (address, trusted, bytes, over) = (program.address, &trusted, &bytes, &over);
            scope.spawn(move || {
                let begin = || {
                    let tls = TlsClient::trusting(trusted);
                    let mut ftp = Ftp::over_tls(TcpStream::connect(address).unwrap(), &tls);
                    assert_eq!(ftp.log_in("anonymous", ""), "230 Logged in");
                    ftp.expect("200 ", "TYPE I");
                    ftp
                };
                let mut lasting = begin();
                let name = format!("file-{number}");
                while !over.load(Ordering::Relaxed) {
                    lasting.stor(&name, bytes).unwrap();
                    assert!(begin().retr(&name).unwrap() == *bytes);
                }
            });
        }
        let client = TlsClient::trusting(&trusted);
        assert_eq!(client.shown_by(program.connect()), first, "until it is told");
        for _ in 0..5 {
            program.reload("the certificate is read again");
            assert_eq!(client.shown_by(program.connect()), second);
        }
        // Half of a pair.
        std::fs::write(here.path().join("key.pem"), "no key").unwrap();
        program.reload("the certificate stays what it was");
        assert_eq!(client.shown_by(program.connect()), second);
        over.store(true, Ordering::Relaxed);
    });
}
