//! Scenarios for tests, and the program under test.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// Two clients, all kinds of operations, a fixed number of them: short, and the same each time.
pub const SMALL: &str = r#"
schema      = 1
name        = "small"
description = "a little of everything, for tests"
seed        = 7

[clients]
count = 2

[run]
warmup     = "0s"
operations = 300
drain      = "5s"
interval   = "100ms"

[[files]]
set   = "some"
count = 5
size  = "uniform(0B, 4KiB)"

[[operation]]
name   = "get"
do     = "get"
files  = "some"
weight = 5

[[operation]]
name   = "put"
do     = "put"
size   = "uniform(0B, 4KiB)"
weight = 3

[[operation]]
name = "ls"
do   = "ls"
"#;

/// A scenario in a directory of its own, and what came of running it.
pub struct Bench {
    pub directory: TempDir,
    scenario: PathBuf,
}

impl Bench {
    pub fn new(scenario: &str) -> Bench {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("scenario.toml");
        fs::write(&file, scenario).unwrap();
        Bench { directory, scenario: file }
    }

    /// loadgen on the scenario, writing below this directory.
    pub fn command<S: AsRef<OsStr>>(&self, args: &[S]) -> Command {
        let mut command = loadgen(args);
        command.arg(&self.scenario).arg("--out").arg(self.out());
        // The embedded root in memory where there is such a place: disks of test machines are slow.
        if Path::new("/dev/shm").is_dir() {
            command.env("TMPDIR", "/dev/shm");
        }
        command
    }

    pub fn run<S: AsRef<OsStr>>(&self, args: &[S]) -> Output {
        self.command(args).output().unwrap()
    }

    pub fn out(&self) -> PathBuf {
        self.directory.path().join("out")
    }

    /// The directory of the last run.
    pub fn latest(&self) -> PathBuf {
        self.out().join("latest")
    }

    pub fn file(&self, name: &str) -> String {
        fs::read_to_string(self.latest().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    pub fn summary(&self) -> Value {
        serde_json::from_str(&self.file("summary.json")).unwrap()
    }
}

/// The program with these arguments.
pub fn loadgen<S: AsRef<OsStr>>(args: &[S]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_loadgen"));
    command.args(args).stdin(Stdio::null()).env_remove("LOADGEN_SET");
    command
}

pub fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

/// A number of a summary, by its path.
pub fn number(summary: &Value, path: &str) -> f64 {
    summary.pointer(path).and_then(Value::as_f64).unwrap_or_else(|| panic!("no number at {path}: {summary:#}"))
}

/// The operation of this name.
pub fn operation<'a>(summary: &'a Value, name: &str) -> &'a Value {
    let operations = summary["operations"].as_array().unwrap();
    operations.iter().find(|operation| operation["name"] == name).unwrap()
}

/// The rows of a CSV file without quotes, its head first.
pub fn rows(csv: &str) -> Vec<Vec<&str>> {
    csv.lines().map(|line| line.split(',').collect()).collect()
}

/// The sum of a column of a CSV file over the rows that hold.
pub fn sum(csv: &str, column: &str, holds: impl Fn(&[&str]) -> bool) -> f64 {
    let rows = rows(csv);
    let index = rows[0].iter().position(|name| *name == column).unwrap();
    rows[1..].iter().filter(|row| holds(row)).map(|row| row[index].parse::<f64>().unwrap()).sum()
}
