//! The command line of `loadgen`.
//!
//! Turns words into values; opens no file but through [`load`](crate::scenario::load), which its callers call.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{CommandFactory, FromArgMatches, Parser};

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
    /// Write the results below DIR instead of the scenario's [report] directory
    #[arg(long, value_name = "DIR")]
    pub out: Option<String>,
    /// Print nothing but errors; the files are written all the same
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
pub struct EmbeddedServerArgs {}

/// A scenario file and what the command line changes in it.
#[derive(Debug, Clone, clap::Args)]
pub struct ScenarioArgs {
    /// The scenario (TOML)
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Drive this server instead of the scenario's target, or of the embedded one
    #[arg(long, value_name = "[DIALECT://]HOST:PORT[/DIR]")]
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
            environment: std::env::var("LOADGEN_SET").ok(),
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
    let line = Line::from_arg_matches(&Line::command().try_get_matches_from(arguments)?)?;
    match (line.command, line.run) {
        (Some(Subcommand::Run(run)), _) | (None, Some(run)) => Ok(Command::Run(run)),
        (Some(Subcommand::Check(check)), _) => Ok(Command::Check(check)),
        (Some(Subcommand::EmbeddedServer(server)), _) => Ok(Command::EmbeddedServer(server)),
        (None, None) => Err(Line::command().error(clap::error::ErrorKind::MissingRequiredArgument, "which scenario?")),
    }
}

/// Drives FTP servers by a scenario, verifies every byte, and measures what their users would feel
#[derive(Debug, Parser)]
#[command(name = "loadgen", version, arg_required_else_help = true, after_help = AFTER_HELP)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
struct Line {
    #[command(subcommand)]
    command: Option<Subcommand>,
    #[command(flatten)]
    run: Option<RunArgs>,
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
