//! loadgen against servers of other people: every operation, in passive, extended passive and active mode, plain and TLS.

use std::thread;

use crate::ftp::ALL as OPERATIONS;
use crate::server::{ALL, PASSWORD, PeerServer, Program, Wire};
use crate::support::{Bench, number, operation, text};

/// Both ways to make data connections passive, and both to make them active.
const MODES: [&str; 4] = ["epsv", "pasv", "eprt", "port"];

#[test]
fn every_operation_works_against_servers_of_others() {
    thread::scope(|scope| {
        for (program, wire) in ALL {
            scope.spawn(move || {
                if let Some(server) = PeerServer::start(program, wire, None) {
                    MODES.iter().for_each(|mode| drive(&server, mode));
                }
            });
        }
    });
}

fn drive(server: &PeerServer, mode: &str) {
    // What a server does not have is left out.
    let scenario = match server.program() {
        Program::Vsftpd => OPERATIONS.replace("form = \"facts\"", "form = \"long-all\""),
        Program::PureFtpd | Program::Pyftpdlib => OPERATIONS.to_owned(),
    };
    let bench = Bench::new(&scenario.replace("operations = 600", "operations = 200"));
    let tls = match server.wire() {
        Wire::Plain => "off",
        Wire::Explicit => "required",
        Wire::Implicit => "implicit",
    };
    // Active, pyftpdlib (1.5.7 and 2.2.0) loses sight of a session now and then when there are two: it ends one data
    // connection, and no longer hears the other's control connection. Python's own ftplib stalls there, too.
    let is_active = matches!(mode, "eprt" | "port");
    let clients = if server.program() == Program::Pyftpdlib && is_active { 1 } else { 3 };
    let sets = [
        format!("clients.count={clients}"),
        format!("target.data={mode}"),
        format!("target.tls={tls}"),
        format!("target.user={}", server.user()),
        "target.password_env=PEER_PASSWORD".to_owned(),
        format!("target.ca={}", server.certificate().display()),
    ];
    let mut arguments = vec!["--plain".to_owned(), "--target".to_owned(), format!("ftp://{}", server.address())];
    // Authorities belong to TLS.
    for set in sets.iter().filter(|set| server.wire() != Wire::Plain || !set.starts_with("target.ca")) {
        arguments.extend(["--set".to_owned(), set.clone()]);
    }
    let output = bench.command(&arguments).env("PEER_PASSWORD", PASSWORD).output().unwrap();
    let told = format!("{server}, {mode}: {}{}", text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{told}");
    let summary = bench.summary();
    for name in ["get", "put", "ls", "long", "facts", "append", "delete", "rename", "mkdir", "stat", "login", "logout"]
    {
        assert!(number(operation(&summary, name), "/done") > 0.0, "{told}: {name}");
    }
    assert_eq!(summary["verification"]["failures"], 0, "{told}");
}
