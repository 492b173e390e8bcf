//! What scenarios can ask for, seen from the server's side.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use muxftp_proto::Dialect;
use muxftp_server::config::{Listen, TlsMode};
use muxftp_server::{Config, PortRange, Running};

use crate::liar::{Liar, Lie};
use crate::support::{Bench, SMALL, number, operation, text};

/// Runs the small scenario against an honest server that watches, with these settings.
fn watched(sets: &[&str]) -> (Bench, Liar) {
    let liar = Liar::start(Lie::None);
    let bench = Bench::new(SMALL);
    let url = liar.url();
    let args: Vec<&str> =
        ["--plain", "--target", &url].into_iter().chain(sets.iter().flat_map(|set| ["--set", *set])).collect();
    let output = bench.run(&args);
    assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
    (bench, liar)
}

#[test]
fn a_number_of_operations_is_done_exactly() {
    let (bench, liar) = watched(&["run.operations=123"]);
    assert_eq!(number(&bench.summary(), "/all/done"), 123.0);
    let seen = liar.seen.lock().unwrap();
    let uploads = operation(&bench.summary(), "put")["done"].as_u64().unwrap() as usize;
    let read_back = bench.summary()["verification"]["read_back"].as_u64().unwrap() as usize;
    let transfers = seen.commands.iter().filter(|command| *command != "EXIT").count();
    assert_eq!(transfers, 123 + 5 + read_back, "the operations, five files before them, {uploads} uploads read back");
}

#[test]
fn a_session_ends_after_its_operations() {
    let (_bench, liar) = watched(&["run.operations=100", "clients.session=10 operations"]);
    let seen = liar.seen.lock().unwrap();
    assert!(seen.sessions >= 10, "{} sessions", seen.sessions);
    assert!(seen.commands.iter().filter(|command| *command == "EXIT").count() >= 8);
}

#[test]
fn idle_clients_are_there_and_say_nothing() {
    let (bench, liar) = watched(&["clients.idle=20"]);
    let seen = liar.seen.lock().unwrap();
    assert!(seen.sessions_at_once >= 22, "{}", seen.sessions_at_once);
    assert_eq!(number(&bench.summary(), "/generator/sessions_wanted"), 22.0);
}

#[test]
fn clients_come_from_the_addresses_that_are_given() {
    let (_bench, liar) = watched(&["clients.count=4", "target.source_addresses=[\"127.0.0.2\", \"127.0.0.3\"]"]);
    let seen = liar.seen.lock().unwrap();
    for last in [2, 3] {
        assert!(seen.peers.contains(&IpAddr::V4(Ipv4Addr::new(127, 0, 0, last))), "{:?}", seen.peers);
    }
    assert!(!seen.peers.contains(&IpAddr::V4(Ipv4Addr::LOCALHOST)), "{:?}", seen.peers);
}

#[test]
fn bandwidth_is_a_limit_of_each_transfer() {
    let (bench, _liar) = watched(&["clients.bandwidth=100KiB/s", "files.some.size=20KiB", "run.operations=10"]);
    let get = operation(&bench.summary(), "get").clone();
    // 20 KiB at 100 KiB/s are 200 ms; the first piece may go at once.
    assert!(number(&get, "/measures/response/min") > 100e6, "{get:#}");
}

#[test]
fn think_time_stretches_the_run() {
    let (bench, _liar) = watched(&["load.think=20ms", "run.operations=20", "clients.count=1"]);
    assert!(number(&bench.summary(), "/window/measured_s") > 19.0 * 0.020);
}

#[test]
fn files_can_live_in_a_directory_of_the_server() {
    let (_bench, liar) = watched(&["files.some.directory=data"]);
    let seen = liar.seen.lock().unwrap();
    assert!(seen.files.keys().any(|name| name.starts_with("data/")), "{:?}", seen.files.keys());
}

#[test]
fn a_thousand_clients_work_at_once() {
    let bench = Bench::new(SMALL);
    let output = bench.run(&["--plain", "--set", "clients.count=1000", "--set", "run.operations=3000"]);
    let shown = format!("{}{}", text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{shown}");
    let summary = bench.summary();
    assert_eq!(number(&summary, "/all/done"), 3000.0);
    assert_eq!(number(&summary, "/generator/sessions_reached"), 1000.0);
}

#[test]
fn updown_is_driven_as_well() {
    let root = tempfile::tempdir().unwrap();
    let mut config = Config::embedded(root.path().to_owned(), PortRange::new(20000, 21000).unwrap());
    // On an address of this machine that no other test has: the data port is fixed.
    let [_, _, high, low] = std::process::id().to_be_bytes();
    let address = SocketAddr::new(Ipv4Addr::new(127, 9, high.max(1), low).into(), 0);
    config.listen = vec![Listen::new(Dialect::Updown, address, TlsMode::Off)];
    let server = Running::start(&config).unwrap();
    let missing = "\n[[operation]]\nname = \"missing\"\ndo = \"get\"\npath = \"nope\"\nexpect = \"550\"\n";
    let bench = Bench::new(&format!("{SMALL}{missing}"));
    let output = bench.run(&["--plain", "--target", &format!("updown://{}", server.address())]);
    assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
    let summary = bench.summary();
    assert_eq!(number(&summary, "/all/done"), 300.0);
    assert!(number(operation(&summary, "missing"), "/done") > 0.0);
    assert_eq!(summary["verification"]["failures"], 0);
}
