//! `ftp` with and without TLS: every operation, and log-ins that are refused.

use muxftp_proto::Dialect;
use muxftp_server::{Config, PortRange, Running};

use crate::support::{Bench, number, operation, text};

/// Every operation of `ftp`; what was appended, renamed or put is read back after the run.
pub const ALL: &str = r#"
schema = 1
name = "all"

[target]
dialect = "ftp"

[clients]
count = 3
session = "40 operations"

[run]
warmup = "0s"
operations = 600

[[files]]
set = "small"
count = 10
size = "uniform(0B, 20KiB)"

[[operation]]
name = "get"
do = "get"
files = "small"

[[operation]]
name = "put"
do = "put"
size = "4KiB"

[[operation]]
name = "ls"
do = "ls"

[[operation]]
name = "long"
do = "ls"
form = "long"

[[operation]]
name = "facts"
do = "ls"
form = "facts"

[[operation]]
name = "append"
do = "append"
size = "uniform(0B, 3KiB)"

[[operation]]
name = "delete"
do = "delete"

[[operation]]
name = "rename"
do = "rename"

[[operation]]
name = "mkdir"
do = "mkdir"

[[operation]]
name = "stat"
do = "stat"
files = "small"
"#;

fn assert_all_work(sets: &[&str]) {
    let bench = Bench::new(ALL);
    let mut arguments = vec!["--plain"];
    for set in sets {
        arguments.extend(["--set", set]);
    }
    let output = bench.run(&arguments);
    assert!(output.status.success(), "{sets:?}: {}{}", text(&output.stdout), text(&output.stderr));
    let summary = bench.summary();
    for name in ["get", "put", "ls", "long", "facts", "append", "delete", "rename", "mkdir", "stat", "login", "logout"]
    {
        assert!(number(operation(&summary, name), "/done") > 3.0, "{sets:?}: {name}");
    }
    assert_eq!(summary["verification"]["failures"], 0, "{sets:?}");
}

#[test]
fn every_operation_works_passive_and_active() {
    assert_all_work(&["target.data=passive"]);
    assert_all_work(&["target.data=port"]);
}

#[test]
fn every_operation_works_with_tls_explicit_and_implicit() {
    assert_all_work(&["target.tls=required", "target.data=eprt"]);
    assert_all_work(&["target.tls=implicit"]);
}

#[test]
fn a_log_in_that_is_refused_is_told_with_the_words_of_the_server_and_without_the_password() {
    let root = tempfile::tempdir().unwrap();
    let mut config = Config::embedded(root.path().to_owned(), PortRange::new(20000, 21000).unwrap());
    config.listen[0].dialect = Dialect::Ftp;
    let server = Running::start(&config).unwrap();
    let bench = Bench::new(ALL);
    let output = bench.run(&["--plain", "--target", &format!("ftp://nobody:hidden@{}", server.address())]);
    assert_eq!(output.status.code(), Some(3), "{}", text(&output.stdout));
    let shown = format!("{}{}", text(&output.stdout), text(&output.stderr));
    assert!(shown.contains("no log-in: ") && shown.contains("(530)"), "{shown}");
    assert!(!shown.contains("hidden"), "{shown}");
}
