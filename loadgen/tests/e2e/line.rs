//! The command line: what is printed where, and how it ends.

use std::net::TcpListener;

use crate::support::{Bench, SMALL, loadgen, text};

#[test]
fn json_prints_the_summary_and_nothing_else() {
    let bench = Bench::new(SMALL);
    let output = bench.run(&["--json"]);
    assert!(output.status.success());
    let printed: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(printed, bench.summary());
}

#[test]
fn quiet_prints_the_result_and_nothing_before() {
    let bench = Bench::new(SMALL);
    let output = bench.run(&["--quiet"]);
    assert!(output.status.success());
    assert_eq!(text(&output.stderr), "");
    assert_eq!(text(&output.stdout), bench.file("summary.txt"));
}

#[test]
fn a_broken_threshold_is_told_and_is_exit_code_1() {
    let bench = Bench::new(&format!("{SMALL}\n[[threshold]]\nthat = \"get.response.p50 < 1ns\"\n"));
    let output = bench.run(&["--plain"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stdout).contains("\u{2717} get.response.p50 < 1ns"), "{}", text(&output.stdout));
    assert_eq!(bench.summary()["passed"], false);
}

#[test]
fn what_is_wrong_is_told_before_anything_runs() {
    let bench = Bench::new(SMALL);
    for (args, hint) in [
        (&["--set", "clients.cuont=3"][..], "did you mean `count`?"),
        (&["--set", "clients.count=0"], "from 1 to"),
        (&["--set", "nonsense"], "nonsense"),
        (&["--target", "gopher://h:1"], "gopher"),
        (&["--seed", "x"], "--seed"),
        (&["--quiet", "--json"], "--json"),
        (&["--frob"], "--frob"),
    ] {
        let output = bench.run(args);
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert!(text(&output.stderr).contains(hint), "{args:?}: {}", text(&output.stderr));
    }
    let missing = loadgen(&["no-such-file.toml"]).output().unwrap();
    assert_eq!(missing.status.code(), Some(2));
    assert!(text(&missing.stderr).contains("no-such-file.toml"));
    assert_eq!(loadgen::<&str>(&[]).output().unwrap().status.code(), Some(2));
    assert!(!bench.out().exists(), "nothing was run");
}

#[test]
fn a_target_that_is_not_there_is_exit_code_3() {
    let bench = Bench::new(SMALL);
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let output = bench.run(&["--target", &format!("simple://127.0.0.1:{port}")]);
    assert_eq!(output.status.code(), Some(3), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("refused"), "{}", text(&output.stderr));
}

#[test]
fn a_place_that_cannot_be_written_is_exit_code_3() {
    let bench = Bench::new(SMALL);
    let output =
        loadgen(&["--out", "/proc/nowhere"]).arg(bench.directory.path().join("scenario.toml")).output().unwrap();
    assert_eq!(output.status.code(), Some(3), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("/proc/nowhere"), "{}", text(&output.stderr));
}

#[test]
fn check_shows_the_plan_and_runs_nothing() {
    let bench = Bench::new(SMALL);
    let file = bench.directory.path().join("scenario.toml");
    let output = loadgen(&["check", file.to_str().unwrap(), "--set", "clients.count=7"]).output().unwrap();
    assert!(output.status.success());
    assert!(text(&output.stdout).contains("7 active"), "{}", text(&output.stdout));
    let wrong =
        loadgen(&["check", file.to_str().unwrap(), "--set", "run.drian=1s", "--set", "x.y=1"]).output().unwrap();
    assert_eq!(wrong.status.code(), Some(2));
    let told = text(&wrong.stderr);
    assert!(told.contains("drain") && told.contains("`x`"), "all at once: {told}");
}

#[test]
fn help_names_every_exit_code() {
    let help = loadgen(&["--help"]).output().unwrap();
    for code in ["0 ", "1 ", "2 ", "3 ", "130 "] {
        assert!(text(&help.stdout).lines().any(|line| line.trim_start().starts_with(code)), "{code}");
    }
}
