//! `muxftpd cert self-signed` as people call it: what it makes, prints and refuses.

#![allow(clippy::unwrap_used, reason = "clippy.toml allows it in test functions, but not in their helpers")]

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;

use muxftp_server::config::TlsSettings;
use muxftp_server::tls::Certificates;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use sha2::{Digest, Sha256};
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

/// A directory to run `muxftpd` in.
struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Place {
        Place(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Exit code, standard output, standard error.
    fn run(&self, line: &[&str]) -> (i32, String, String) {
        let output = Command::new(env!("CARGO_BIN_EXE_muxftpd")).args(line).current_dir(&self.0).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (output.status.code().expect("not killed"), text(output.stdout), text(output.stderr))
    }

    fn done(&self, line: &[&str]) -> String {
        let (code, out, err) = self.run(line);
        assert_eq!((code, err.as_str()), (0, ""), "{line:?}");
        out
    }

    fn failed(&self, line: &[&str]) -> (i32, String) {
        let (code, out, err) = self.run(line);
        assert_eq!(out, "", "{line:?}");
        (code, err)
    }

    fn names(&self) -> Vec<String> {
        let mut names: Vec<_> =
            self.0.path().read_dir().unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    fn mode(&self, name: &str) -> u32 {
        self.path(name).metadata().unwrap().permissions().mode() & 0o7777
    }

    fn der(&self, name: &str) -> CertificateDer<'static> {
        CertificateDer::from_pem_file(self.path(name)).unwrap()
    }
}

const SELF_SIGNED: &[&str] = &["cert", "self-signed"];

#[test]
fn it_makes_a_pair_that_the_server_takes_and_says_how() {
    let place = Place::new();
    let said = place.done(SELF_SIGNED);
    assert_eq!(place.names(), ["cert.pem", "key.pem"]);
    assert_eq!((place.mode("cert.pem"), place.mode("key.pem")), (0o644, 0o600));
    let digest: Vec<_> = Sha256::digest(place.der("cert.pem")).iter().map(|byte| format!("{byte:02X}")).collect();
    assert!(said.contains(&format!("SHA-256      {}\n", digest.join(":"))), "{said}");
    assert!(said.contains("muxftpd --tls-certificate cert.pem --tls-key key.pem\n"), "{said}");

    let (_, section) = said.split_once("or in the configuration file:\n").unwrap();
    std::fs::write(place.path("m.toml"), section).unwrap();
    let shown = place.done(&["check-config", "--config", "m.toml"]);
    assert!(shown.contains("tls = \"optional\""), "{shown}");
    let certificates = Certificates::open(TlsSettings::new(place.path("cert.pem"), place.path("key.pem"))).unwrap();
    assert!(certificates.identity().warnings().is_empty());
}

#[test]
fn names_and_days_are_those_that_were_asked_for() {
    let place = Place::new();
    place.done(
        &[SELF_SIGNED, &["--name", "ftp.example.com", "--name", "192.0.2.7", "--name", "::1", "--days", "3"]].concat(),
    );
    let der = place.der("cert.pem");
    let (_, certificate) = X509Certificate::from_der(&der).unwrap();
    let names = &certificate.subject_alternative_name().unwrap().unwrap().value.general_names;
    let localhost6: [u8; 16] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
    let expected = [
        GeneralName::DNSName("ftp.example.com"),
        GeneralName::IPAddress(&[192, 0, 2, 7]),
        GeneralName::IPAddress(&localhost6),
    ];
    assert_eq!(names[..], expected);
    let validity = certificate.validity();
    assert_eq!(validity.not_after.timestamp() - validity.not_before.timestamp(), 3 * 86400 + 3600);

    place.done(&[SELF_SIGNED, &["--out", "sub/dir"]].concat());
    let der = place.der("sub/dir/cert.pem");
    let (_, certificate) = X509Certificate::from_der(&der).unwrap();
    let names = format!("{:?}", certificate.subject_alternative_name().unwrap().unwrap().value.general_names);
    assert!(names.contains("localhost") && names.contains("[127, 0, 0, 1]"), "{names}");
}

#[test]
fn nothing_is_replaced_unless_forced() {
    let place = Place::new();
    std::fs::write(place.path("key.pem"), "mine").unwrap();
    let expected = "error: `key.pem` is there already; --force replaces both files\n";
    assert_eq!(place.failed(SELF_SIGNED), (1, expected.to_owned()));
    assert_eq!(
        (place.names(), std::fs::read_to_string(place.path("key.pem")).unwrap()),
        (vec!["key.pem".to_owned()], "mine".to_owned())
    );
    place.done(&[SELF_SIGNED, &["--force"]].concat());
    assert_eq!(place.mode("key.pem"), 0o600);
    let first = place.der("cert.pem");
    place.done(&[SELF_SIGNED, &["--force"]].concat());
    assert_ne!(place.der("cert.pem"), first);
    assert_eq!(place.names(), ["cert.pem", "key.pem"]);
}

#[test]
fn both_files_or_none() {
    let place = Place::new();
    let (code, error) = place.failed(&[SELF_SIGNED, &["--certificate", "c.pem", "--key", "no/such/k.pem"]].concat());
    assert!(code == 1 && error.starts_with("error: cannot write `no/such/k.pem`: "), "{error}");
    let (code, error) = place.failed(&[SELF_SIGNED, &["--certificate", "no/such/c.pem", "--key", "k.pem"]].concat());
    assert!(code == 1 && error.starts_with("error: cannot write `no/such/c.pem`: "), "{error}");
    assert_eq!(place.names(), [""; 0]);
}

#[test]
fn a_wrong_command_line_has_code_2() {
    let place = Place::new();
    for wrong in [
        &["--name", "two words"][..],
        &["--name", ""],
        &["--days", "0"],
        &["--certificate", "c.pem"],
        &["--certificate", "same", "--key", "same"],
        &["--out", ".", "--certificate", "c", "--key", "k"],
    ] {
        assert_eq!(place.failed(&[SELF_SIGNED, wrong].concat()).0, 2, "{wrong:?}");
    }
    assert_eq!(place.names(), [""; 0]);
}

#[test]
fn a_server_does_not_start_without_the_tls_that_it_was_told_of() {
    let place = Place::new();
    let flags = ["--port", "0", "--tls-certificate", "cert.pem", "--tls-key", "key.pem"];
    let (code, error) = place.failed(&flags);
    assert_eq!(code, 3);
    assert!(error.contains("error: cannot read `cert.pem`, which TLS needs: No such file"), "{error}");
    assert!(error.contains("muxftpd cert self-signed"), "{error}");
    place.done(SELF_SIGNED);
    place.done(&[SELF_SIGNED, &["--out", "other"]].concat());
    let (code, error) = place.failed(&["--port", "0", "--tls-certificate", "cert.pem", "--tls-key", "other/key.pem"]);
    let mismatch = "error: the private key in `other/key.pem` does not belong to the first certificate in `cert.pem`";
    assert!(code == 3 && error.contains(mismatch), "{error}");
}
