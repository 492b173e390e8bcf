//! Python's ftplib: all of its methods.

use super::{HUGE, program, put_huge, run, server};
use crate::support::noise;

#[test]
fn every_method_of_ftplib_does_what_it_says() {
    let server = server();
    put_huge(&server);
    std::fs::write(server.path().join("more.bin"), noise(9, 200_000)).unwrap();
    let here = tempfile::tempdir().unwrap();
    let Some(mut python) = program("python3", here.path()) else { return };
    let (host, port) = (server.address.ip().to_string(), server.address.port().to_string());
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/e2e/clients/all_of_ftplib.py");
    // The interpreter's own choice of version must not depend on the home that the other clients get.
    python.env("HOME", std::env::var_os("HOME").unwrap_or_default());
    let said = run(python.args([script, &host, &port, &HUGE.to_string()]));
    assert_eq!(said.trim(), "all of ftplib");
}
