//! The `loadgen` program: the command line, and nothing else.

use std::process::ExitCode;

use muxftp_loadgen::args::{self, Command};
use muxftp_loadgen::check;

fn main() -> ExitCode {
    match args::parse() {
        Command::Check(arguments) => check::run(&arguments),
        Command::Run(_) | Command::EmbeddedServer(_) => {
            eprintln!("error: this build can only check scenarios");
            ExitCode::from(3)
        }
    }
}
