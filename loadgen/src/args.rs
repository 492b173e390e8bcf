//! The command line of `loadgen`.
//!
//! Turns words into values; opens no file but through [`load`](crate::scenario::load), which its callers call.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args as _, FromArgMatches as _, Subcommand as _};

use crate::scenario::Overrides;

/// What the command line asks for.
#[derive(Debug)]
pub enum Command {
    /// Run a scenario.
    Run(RunArgs),
    /// Check a scenario and print its plan.
    Check(CheckArgs),
    /// Be the server of a run without a target (started by `run` only).
    EmbeddedServer(EmbeddedServerArgs),
}

/// `loadgen [run] FILE`.
#[derive(Debug, Clone, clap::Args)]
pub struct RunArgs {
    /// The scenario and what changes it.
    #[command(flatten)]
    pub scenario: ScenarioArgs,
    /// Write the results below DIR instead of the scenario's `report.directory`
    #[arg(long, value_name = "DIR")]
    pub out: Option<String>,
    /// Show no progress, only the result
    #[arg(long, short, conflicts_with_all = ["plain", "json"])]
    pub quiet: bool,
    /// Print a line every few seconds instead of redrawing the screen (always so without a terminal)
    #[arg(long)]
    pub plain: bool,
    /// Print summary.json on standard output at the end, and nothing else there
    #[arg(long, conflicts_with = "plain")]
    pub json: bool,
}

/// `loadgen check FILE`.
#[derive(Debug, Clone, clap::Args)]
pub struct CheckArgs {
    /// The scenario and what changes it.
    #[command(flatten)]
    pub scenario: ScenarioArgs,
}

/// `loadgen embedded-server`.
#[derive(Debug, Clone, clap::Args)]
pub struct EmbeddedServerArgs {
    /// Speak `ftp`, with this TLS.
    #[arg(long, value_name = "TLS")]
    pub ftp: Option<EmbeddedTls>,
}

/// TLS of the embedded server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum EmbeddedTls {
    /// None.
    Off,
    /// AUTH TLS before the log-in.
    Required,
    /// From the first byte on.
    Implicit,
}

/// A scenario file and what the command line changes in it.
#[derive(Debug, Clone, clap::Args)]
pub struct ScenarioArgs {
    /// The scenario (TOML)
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Drive this server instead of the scenario's target, or of the embedded one
    #[arg(long, value_name = "[DIALECT://][USER[:PASSWORD]@]HOST:PORT[/DIR]")]
    pub target: Option<String>,
    /// The seed of every draw and of all contents
    #[arg(long, value_name = "NUMBER")]
    pub seed: Option<u64>,
    /// Set any key of the scenario, e.g. clients.count=50 or operation.put.weight=10 (repeatable)
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub sets: Vec<String>,
}

impl RunArgs {
    /// What changes the scenario, the environment included.
    pub fn overrides(&self) -> Overrides {
        Overrides { out: self.out.clone(), ..self.scenario.overrides() }
    }
}

impl CheckArgs {
    /// What changes the scenario, the environment included.
    pub fn overrides(&self) -> Overrides {
        self.scenario.overrides()
    }
}

impl ScenarioArgs {
    fn overrides(&self) -> Overrides {
        Overrides {
            // What is not UTF-8 is shown as such in the message about it.
            environment: std::env::var_os("LOADGEN_SET").map(|value| value.to_string_lossy().into_owned()),
            sets: self.sets.clone(),
            target: self.target.clone(),
            seed: self.seed,
            out: None,
        }
    }
}

/// Reads the command line of this process; on a wrong one prints why and exits with code 2.
pub fn parse() -> Command {
    parse_from(std::env::args_os()).unwrap_or_else(|error| error.exit())
}

/// Reads a command line, the program's name first.
///
/// # Errors
/// What clap says of it; also `--help` and `--version`.
pub fn parse_from<I, T>(arguments: I) -> Result<Command, clap::Error>
where
    I: IntoIterator<Item = T>,
    T: Into<OsString> + Clone,
{
    let matches = definition().try_get_matches_from(arguments)?;
    if matches.subcommand().is_none() {
        return RunArgs::from_arg_matches(&matches).map(Command::Run);
    }
    Ok(match Subcommand::from_arg_matches(&matches)? {
        Subcommand::Run(run) => Command::Run(run),
        Subcommand::Check(check) => Command::Check(check),
        Subcommand::EmbeddedServer(server) => Command::EmbeddedServer(server),
    })
}

/// The arguments of `run` beside the subcommands, of which one takes their place.
fn definition() -> clap::Command {
    let line = clap::Command::new("loadgen")
        .version(env!("CARGO_PKG_VERSION"))
        .after_help(AFTER_HELP)
        .arg_required_else_help(true)
        .args_conflicts_with_subcommands(true)
        .subcommand_negates_reqs(true);
    // Last, or the description of the arguments would take its place.
    Subcommand::augment_subcommands(RunArgs::augment_args(line)).about(ABOUT)
}

#[derive(Debug, clap::Subcommand)]
enum Subcommand {
    /// Run a scenario (the same as without a command)
    #[command(after_help = AFTER_HELP)]
    Run(RunArgs),
    /// Check a scenario, print its plan and what it needs from this machine; run nothing
    Check(CheckArgs),
    /// Serve a run that has no target
    #[command(hide = true)]
    EmbeddedServer(EmbeddedServerArgs),
}

const ABOUT: &str = "Drives FTP servers by a scenario, verifies every byte, and measures what their users would feel";

const AFTER_HELP: &str = "\
Examples:
  loadgen scenarios/mixed3.toml
        three clients against an embedded muxftpd
  loadgen scenarios/mixed3.toml --target 192.0.2.10:21 --set clients.count=50
        fifty, against a server that is running
  loadgen check scenarios/mixed3.toml --set run.duration=5m
        what would be done, and what it needs

A scenario without [target] starts a muxftpd of its own on 127.0.0.1, in an empty directory.
Values come from the file, then the environment variable LOADGEN_SET (key=value, separated by
commas), then --set, then --target, --seed and --out; the last one wins.

Exit codes:
  0    ran; all thresholds kept, nothing failed
  1    a threshold broken, a verification failed, or operations failed
  2    scenario or command line wrong; nothing was run
  3    could not start (target not reachable, limits too low)
  130  interrupted; the reports of what ran are written";

#[cfg(test)]
mod tests {
    use super::*;

    fn line(arguments: &[&str]) -> Result<Command, clap::Error> {
        parse_from([&["loadgen"], arguments].concat())
    }

    fn run(arguments: &[&str]) -> RunArgs {
        match line(arguments) {
            Ok(Command::Run(run)) => run,
            other => panic!("{arguments:?}: {other:?}"),
        }
    }

    #[test]
    fn the_definition_holds_together() {
        definition().debug_assert();
    }

    #[test]
    fn a_file_alone_is_run() {
        for arguments in [&["a.toml", "--seed", "7"][..], &["run", "a.toml", "--seed", "7"], &["--seed=7", "a.toml"]] {
            let run = run(arguments);
            assert_eq!(run.scenario.file, PathBuf::from("a.toml"));
            assert_eq!(run.overrides().seed, Some(7));
        }
    }

    #[test]
    fn all_flags_reach_the_overrides() {
        let run = run(&["a.toml", "--target", "h:1", "--set", "a=1", "--set", "b=2", "--out", "d", "--plain"]);
        assert!(run.plain && !run.quiet && !run.json);
        let overrides = run.overrides();
        assert_eq!(overrides.target.as_deref(), Some("h:1"));
        assert_eq!(overrides.sets, ["a=1", "b=2"]);
        assert_eq!(overrides.out.as_deref(), Some("d"));
        match line(&["check", "a.toml", "--set", "a=1"]) {
            Ok(Command::Check(check)) => assert_eq!(check.overrides().sets, ["a=1"]),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn wrong_lines_are_refused_with_code_2() {
        for arguments in [&["a.toml", "b.toml"][..], &["check"], &["a.toml", "--sed", "7"], &["a.toml", "-q", "--json"]]
        {
            assert_eq!(line(arguments).unwrap_err().exit_code(), 2, "{arguments:?}");
        }
        assert_eq!(line(&[]).unwrap_err().exit_code(), 2, "help, since there is nothing to do");
    }

    #[test]
    fn help_shows_examples_and_exit_codes_but_no_internals() {
        let help = line(&["--help"]).unwrap_err();
        assert_eq!(help.exit_code(), 0);
        let help = help.to_string();
        assert!(help.contains("loadgen scenarios/mixed3.toml") && help.contains("Exit codes"), "{help}");
        assert!(!help.contains("embedded-server"), "{help}");
    }
}
