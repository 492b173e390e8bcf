//! The files of a run are all there, and say the same.

use std::fs;

use hdrhistogram::Histogram;
use hdrhistogram::serialization::Deserializer;
use muxftp_loadgen::plan::Plan;
use muxftp_loadgen::scenario::{Overrides, load};

use base64::Engine;

use crate::support::{Bench, SMALL, number, operation, rows, sum, text};

/// The histogram of a tag over all lines of a log, decoded as other tools do it.
fn from_hlog(hlog: &str, tag: &str) -> Histogram<u64> {
    let mut total = Histogram::<u64>::new(3).unwrap();
    let prefix = format!("Tag={tag},");
    for line in hlog.lines().filter_map(|line| line.strip_prefix(&prefix)) {
        let payload = line.rsplit(',').next().unwrap();
        let bytes = base64::engine::general_purpose::STANDARD.decode(payload).unwrap();
        let part: Histogram<u64> = Deserializer::new().deserialize(&mut bytes.as_slice()).unwrap();
        total.add(part).unwrap();
    }
    total
}

#[test]
fn all_files_are_there_and_agree() {
    let bench = Bench::new(SMALL);
    let output = bench.run(&["--plain"]);
    assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
    let summary = bench.summary();
    assert_eq!(number(&summary, "/all/done"), 300.0);
    assert_eq!(summary["passed"], true);

    let intervals = bench.file("intervals.csv");
    let hlog = bench.file("latency.hlog");
    for name in ["get", "put", "ls"] {
        let operation = operation(&summary, name);
        let done = number(operation, "/done");
        assert!(done > 0.0);
        assert_eq!(sum(&intervals, "done", |row| row[3] == name), done, "{name} in intervals.csv");
        let response = from_hlog(&hlog, &format!("{name}.response"));
        assert_eq!(response.len() as f64, done, "{name} in latency.hlog");
        for (percentile, value) in operation["measures"]["response"]["percentiles"].as_object().unwrap() {
            if let Some(value) = value.as_u64() {
                let percent: f64 = percentile[1..].parse().unwrap();
                assert_eq!(response.value_at_quantile(percent / 100.0), value, "{name} {percentile}");
            }
        }
        let hgrm = bench.file(&format!("hgrm/{name}.response.hgrm"));
        assert!(hgrm.contains(&format!("Total count    = {:>12}", done)), "{name}: {hgrm}");
    }
    for csv in ["generator.csv", "server.csv"] {
        let file = bench.file(csv);
        assert!(rows(&file).len() > 1 && rows(&file).iter().all(|row| row.len() == rows(&file)[0].len()), "{file}");
    }
    assert_eq!(rows(&bench.file("errors.csv")).len(), 1, "only the head");
    let environment: serde_json::Value = serde_json::from_str(&bench.file("environment.json")).unwrap();
    assert!(environment.as_object().unwrap().len() > 5);
    let svg = bench.file("latency.svg");
    assert!(svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>"));
    assert_eq!(text(&output.stdout), bench.file("summary.txt"));
}

#[test]
fn the_phases_of_the_operations_add_up_to_their_responses() {
    let bench = Bench::new(SMALL);
    assert!(bench.run(&["--quiet"]).status.success());
    for operation in bench.summary()["operations"].as_array().unwrap() {
        let measures = operation["measures"].as_object().unwrap();
        let total =
            |name: &str| measures.get(name).map_or(0.0, |measure| number(measure, "/n") * number(measure, "/mean"));
        let phases = ["wait", "connect", "login", "negotiate", "data-connect", "first-byte", "transfer", "complete"];
        let sum: f64 = phases.iter().map(|phase| total(phase)).sum();
        let response = total("response");
        // The means are exact but for the last digits of a float.
        assert!((sum - response).abs() < 1e-6 * response, "{}: {sum} and {response}", operation["name"]);
    }
}

#[test]
fn a_run_can_be_repeated_from_its_own_files() {
    let bench = Bench::new(SMALL);
    assert!(bench.run(&["--quiet", "--set", "clients.count=1", "--seed", "11"]).status.success());
    let given = fs::read_to_string(bench.directory.path().join("scenario.toml")).unwrap();
    assert_eq!(bench.file("scenario.toml"), given, "as it was given, to the byte");
    let digest = bench.summary()["digest"].clone();
    let resolved = load(&bench.latest().join("resolved.toml"), &Overrides::default()).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!((resolved.scenario.clients.count, resolved.scenario.seed), (1, 11));
    assert_eq!(digest, Plan::new(&resolved.scenario).digest().as_str());

    // Each client's operations are fixed; with several, their speed decides who does how many.
    let again = Bench::new(&resolved.resolved_toml);
    assert!(again.run(&["--quiet"]).status.success());
    let (first, second) = (bench.summary(), again.summary());
    assert_eq!(second["digest"], digest);
    for name in ["get", "put", "ls"] {
        let bytes = |summary| (operation(summary, name)["bytes_out"].clone(), operation(summary, name)["done"].clone());
        assert_eq!(bytes(&second), bytes(&first), "{name}: the same operations");
    }
}
