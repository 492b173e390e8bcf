//! What the TLS configuration of a session costs: `cargo run --release -p muxftp-server --example tls_session_cost`.

use std::time::Instant;

use muxftp_server::config::TlsSettings;
use muxftp_server::tls::Certificates;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let dir = tempfile::tempdir()?;
    let settings = TlsSettings::new(dir.path().join("cert.pem"), dir.path().join("key.pem"));
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
    std::fs::write(&settings.certificate, made.cert.pem())?;
    std::fs::write(&settings.key, made.signing_key.serialize_pem())?;
    let certificates = Certificates::open(settings)?;
    // What the first one alone costs is not of interest.
    drop(certificates.session()?.data(true));

    let before = resident_bytes()?;
    let start = Instant::now();
    let sessions: Vec<_> = (0..COUNT).map(|_| certificates.session()).collect::<Result<_, _>>()?;
    report("a session", start, resident_bytes()? - before);

    let before = resident_bytes()?;
    let start = Instant::now();
    let data: Vec<_> = sessions.iter().map(|session| session.data(true)).collect();
    report("a data connection", start, resident_bytes()? - before);
    drop(data);
    Ok(())
}

fn report(what: &str, start: Instant, bytes: u64) {
    let micros = start.elapsed().as_secs_f64() * 1e6 / f64::from(COUNT);
    println!("{what}: {micros:.2} us, {} bytes", bytes / u64::from(COUNT));
}

fn resident_bytes() -> Result<u64, Box<dyn std::error::Error>> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
    Ok(line.trim().trim_end_matches(" kB").parse::<u64>()? * 1024)
}

const COUNT: u32 = 20_000;
