//! Servers that lie: each lie is found, counted by its kind, shown with its dialogue, and is a failed run that ends.

use std::process::Output;

use crate::liar::{Liar, Lie};
use crate::support::{Bench, SMALL, operation, rows, text};

/// Only operations of these names.
fn only(names: &[&str]) -> Vec<String> {
    let all = ["get", "put", "ls"];
    let without = all.iter().filter(|name| !names.contains(name));
    without.flat_map(|name| ["--set".to_owned(), format!("operation.{name}.weight=0.0000001")]).collect()
}

fn run_against(lie: Lie, names: &[&str]) -> (Bench, Output) {
    let liar = Liar::start(lie);
    let bench = Bench::new(SMALL);
    let mut args = vec!["--plain".to_owned(), "--target".to_owned(), liar.url()];
    args.extend(only(names));
    let sets = ["run.operations=40", "clients.reply_timeout=200ms", "clients.stall_timeout=200ms", "run.drain=1s"];
    args.extend(sets.iter().flat_map(|set| ["--set".to_owned(), (*set).to_owned()]));
    let output = bench.run(&args);
    (bench, output)
}

#[test]
fn an_honest_server_passes() {
    let (bench, output) = run_against(Lie::None, &["get", "put", "ls"]);
    assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
    assert_eq!(bench.summary()["verification"]["failures"], 0);
}

#[test]
fn each_lie_about_bytes_and_names_is_found() {
    for (lie, names, kind) in [
        (Lie::WrongByte, &["get"][..], "wrong contents"),
        (Lie::CutShort, &["get"], "wrong length"),
        (Lie::OneMore, &["get"], "wrong length"),
        (Lie::MissingName, &["ls"], "incomplete listing"),
        (Lie::LostUpload, &["put"], "upload lost"),
    ] {
        let (bench, output) = run_against(lie, names);
        let shown = text(&output.stdout);
        assert_eq!(output.status.code(), Some(1), "{lie:?}: {shown}{}", text(&output.stderr));
        assert!(shown.contains("FAIL") && shown.contains(kind), "{lie:?}: {shown}");
        let summary = bench.summary();
        assert_eq!(summary["errors"][0]["kind"], kind, "{lie:?}");
        let errors = bench.file("errors.csv");
        assert!(rows(&errors)[1..].iter().any(|row| row[0] == kind), "{lie:?}: {errors}");
        assert!(summary["verification"]["failures"].as_u64().unwrap() > 0, "{lie:?}");
    }
}

#[test]
fn each_broken_dialogue_is_a_failure_of_its_kind() {
    for (lie, kind) in [
        (Lie::Garbage, "unexpected reply"),
        (Lie::EndlessLine, "unexpected reply"),
        (Lie::Refuses, "refused"),
        (Lie::HangsUp, "connection closed"),
        (Lie::Silent, "timed out"),
        (Lie::NoDataPort, "connect failed"),
    ] {
        let liar = Liar::start(lie);
        // Without files to be put in place first: each operation itself meets the lie.
        let start = SMALL.find("[[files]]").unwrap();
        let bench = Bench::new(&format!("{}\n[[operation]]\nname = \"ls\"\ndo = \"ls\"\n", &SMALL[..start]));
        let sets = ["run.operations=6", "clients.reply_timeout=100ms", "clients.stall_timeout=100ms"];
        let url = liar.url();
        let mut args = vec!["--plain", "--target", &url];
        args.extend(sets.iter().flat_map(|set| ["--set", *set]));
        let output = bench.run(&args);
        let shown = format!("{}{}", text(&output.stdout), text(&output.stderr));
        assert_eq!(output.status.code(), Some(1), "{lie:?}: {shown}");
        let summary = bench.summary();
        assert_eq!(summary["errors"][0]["kind"], kind, "{lie:?}: {shown}");
        let kept =
            std::fs::read_dir(bench.latest().join("errors")).unwrap().next().expect("a transcript is kept").unwrap();
        let transcript = std::fs::read_to_string(kept.path()).unwrap();
        assert!(transcript.starts_with("C: LS\n"), "{lie:?}: {transcript}");
        assert_eq!(operation(&summary, "ls")["failed"], 6, "{lie:?}");
    }
}

#[test]
fn files_that_cannot_be_put_in_place_are_told_before_the_clock_starts() {
    let (_bench, output) = run_against(Lie::Refuses, &["get"]);
    assert_eq!(output.status.code(), Some(3), "{}", text(&output.stdout));
    assert!(text(&output.stderr).contains("some-00000 could not be put in place: Permission Denied (550)"));
}
