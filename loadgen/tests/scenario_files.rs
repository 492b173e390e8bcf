//! The scenarios of the repository, and what is written out of a scenario.

use std::path::{Path, PathBuf};
use std::process::Command;

use muxftp_loadgen::check::{Limits, describe};
use muxftp_loadgen::plan::Plan;
use muxftp_loadgen::scenario::{Overrides, Scenario, load, load_text};

fn scenarios() -> Vec<PathBuf> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios");
    let mut files: Vec<PathBuf> = std::fs::read_dir(directory)
        .expect("the repository has scenarios")
        .map(|entry| entry.expect("readable").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
        .collect();
    files.sort();
    files
}

/// Everything but the text that it came from.
fn without_source(scenario: &Scenario) -> String {
    format!("{:?}", Scenario { source_text: String::new(), ..scenario.clone() })
}

fn assert_fixed_point(text: &str, overrides: &Overrides) -> Scenario {
    let first = load_text("first", text, overrides).unwrap_or_else(|problems| panic!("{problems}"));
    let second = load_text("resolved", &first.resolved_toml, &Overrides::default())
        .unwrap_or_else(|problems| panic!("{problems}\n{}", first.resolved_toml));
    assert_eq!(second.resolved_toml, first.resolved_toml);
    assert_eq!(without_source(&second.scenario), without_source(&first.scenario));
    assert_eq!(Plan::new(&second.scenario).digest(), Plan::new(&first.scenario).digest());
    first.scenario
}

#[test]
fn every_scenario_of_the_repository_is_right_and_says_what_it_shows() {
    let files = scenarios();
    let names: Vec<&str> = files.iter().filter_map(|path| path.file_stem()?.to_str()).collect();
    for needed in
        ["mixed3", "mixed50", "large", "small-files", "idle1000", "smoke", "ftp-mixed3", "ftps-mixed3", "login-storm"]
    {
        assert!(names.contains(&needed), "{needed} is missing");
    }
    for (path, name) in files.iter().zip(names) {
        let loaded = load(path, &Overrides::default()).unwrap_or_else(|problems| panic!("{problems}"));
        let scenario = &loaded.scenario;
        assert_eq!(scenario.name, name);
        assert!(scenario.description.len() > 20, "{name} says what it shows");
        assert!(scenario.target.is_none(), "{name} runs on a fresh clone");
        assert_eq!(loaded.warnings, [] as [&str; 0], "{name}");
        for that in ["all.errors == 0", "verify.failures == 0"] {
            assert!(scenario.thresholds.iter().any(|threshold| threshold.text == that), "{name}: {that}");
        }
        let modest = Limits { descriptors: Some(4_096), ports: 28_232, disk_free: Some(2 << 30) };
        let shown = describe(&loaded, &Plan::new(scenario), &modest);
        assert!(!shown.contains("warning"), "{shown}");
        assert_fixed_point(&scenario.source_text, &Overrides::default());
    }
}

#[test]
fn a_resolved_scenario_with_every_key_resolves_to_itself() {
    let text = r#"
        schema = 1
        name = "every_key"
        description = "with \"quotes\", a \\ and é"
        seed = 18_446_744_073_709_551_615
        [target]
        address = "[::1]:2021"
        dialect = "simple"
        directory = "/bench/a b"
        pid = 4711
        source_addresses = ["127.0.0.1", "::1"]
        [clients]
        count = 7
        session = "1_000 operations"
        connect_at = "1/m"
        idle = 3
        bandwidth = "1.5MB/s"
        connect_timeout = "1.5s"
        reply_timeout = "90s"
        stall_timeout = "2m"
        [load]
        model = "closed"
        think = "choice(1ms: 2, 1h: 0.125)"
        [run]
        warmup = "0s"
        duration = "1h"
        operations = 10_000_000_000
        drain = "0s"
        interval = "100ms"
        timer = "spin"
        [[files]]
        set = "a"
        count = 1
        size = "exponential(1KiB, max 1GiB)"
        popularity = "zipf(0.9)"
        directory = "./x//y/"
        [[operation]]
        name = "g"
        do = "get"
        files = "a"
        weight = 0.1
        [[operation]]
        name = "m"
        do = "get"
        path = "no such file"
        expect = "550"
        [[operation]]
        name = "p"
        do = "put"
        size = "lognormal(1KB, 0.5, max 1MB)"
        names = 3
        weight = 1e3
        [[operation]]
        name = "l"
        do = "ls"
        path = "x/y"
        [verify]
        contents = false
        listings = false
        [[threshold]]
        that = "  g.first-byte.p99.99 <= 1.5ms  "
        [report]
        directory = "/tmp/it's here"
        percentiles = [50, 99.99]
    "#;
    let scenario = assert_fixed_point(text, &Overrides::default());
    assert_eq!(scenario.seed, u64::MAX);
    assert_eq!(scenario.files[0].directory, "x/y");
    assert_eq!(scenario.clients.connect_rate, Some(1.0 / 60.0));
    assert_eq!(scenario.clients.bandwidth, Some(1_500_000));
    assert_eq!(scenario.thresholds[0].text, "g.first-byte.p99.99 <= 1.5ms");
}

#[test]
fn the_smallest_scenario_has_the_documented_defaults() {
    let text = "schema = 1\nname = \"s\"\n[[operation]]\nname = \"ls\"\ndo = \"ls\"\n";
    let loaded = load_text("s.toml", text, &Overrides::default()).unwrap_or_else(|problems| panic!("{problems}"));
    let expected = r#"# Every value of this scenario, with all defaults and overrides.
schema = 1
name = "s"
description = ""
seed = 1

[clients]
count = 1
session = "keep"
idle = 0
connect_timeout = "10s"
reply_timeout = "10s"
stall_timeout = "10s"

[load]
model = "closed"
think = "0s"

[run]
warmup = "2s"
duration = "20s"
drain = "10s"
interval = "1s"
timer = "timerfd"

[[operation]]
name = "ls"
do = "ls"
path = ""
weight = 1
expect = "ok"

[verify]
contents = true
listings = true

[report]
directory = "results"
percentiles = [50, 90, 99, 99.9]
"#;
    assert_eq!(loaded.resolved_toml, expected);
    assert_fixed_point(text, &Overrides::default());
}

#[test]
fn later_sources_win_over_earlier_ones() {
    let text = "schema = 1\nname = \"s\"\nseed = 2\n[clients]\ncount = 2\nidle = 2\n[[operation]]\nname = \"ls\"\ndo = \"ls\"\n";
    let overrides = Overrides {
        environment: Some("clients.count=3,seed=3,operation.ls.weight=3\nclients.idle=3".into()),
        sets: vec!["clients.count=4".into(), "clients.count=5".into(), "seed=5".into()],
        target: Some("simple://h:9/d".into()),
        seed: Some(6),
        out: Some("elsewhere".into()),
    };
    let scenario = assert_fixed_point(text, &overrides);
    assert_eq!((scenario.clients.count, scenario.clients.idle, scenario.seed), (5, 3, 6));
    assert_eq!(scenario.operations[0].weight, 3.0);
    let target = scenario.target.expect("given");
    assert_eq!((target.address.as_str(), target.directory.as_str()), ("h:9", "/d"));
    assert_eq!(scenario.report.directory, Path::new("elsewhere"));
}

#[test]
fn the_program_checks_a_scenario_and_exits_with_0_or_2() {
    let loadgen = |arguments: &[&str]| {
        let path = scenarios().into_iter().find(|path| path.ends_with("smoke.toml")).expect("it is there");
        let mut command = Command::new(env!("CARGO_BIN_EXE_loadgen"));
        command.arg("check").arg(path).args(arguments).env("LOADGEN_SET", "clients.count=77");
        command.output().expect("loadgen starts")
    };
    let good = loadgen(&["--seed", "5"]);
    let shown = String::from_utf8_lossy(&good.stdout).into_owned();
    assert_eq!(good.status.code(), Some(0), "{shown}");
    assert!(shown.contains("77 active") && shown.contains("seed 5") && shown.ends_with("nothing was run\n"), "{shown}");
    let wrong = loadgen(&["--set", "clients.cuont=5"]);
    assert_eq!(wrong.status.code(), Some(2));
    assert!(wrong.stdout.is_empty());
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("did you mean `count`?"));
}
