//! The command `loadgen`.

use std::process::ExitCode;

use muxftp_loadgen::args::{self, Command};
use muxftp_loadgen::{check, embedded, run};

fn main() -> ExitCode {
    match args::parse() {
        Command::Run(args) => run::run(&args).into(),
        Command::Check(args) => check::run(&args),
        Command::EmbeddedServer(args) => embedded::serve(&args).into(),
    }
}
