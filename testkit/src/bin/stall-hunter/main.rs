//! stall-hunter: measures how long one session waits for its NOOP while others do whatever could stop the server.
//!
//! Each case starts a muxftpd of its own over a scratch directory, sends NOOP every 2 ms in one session, runs a load beside it,
//! and prints the round trips. A server that does not answer within the patience is killed; the next case starts another.

mod args;
mod cases;
mod client;
mod probe;
mod run;
mod server;
mod table;

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::Parser;

use args::Args;
use cases::Case;
use run::Run;
use table::{Row, Table};

fn main() -> ExitCode {
    let args = Args::parse();
    let cases: Vec<&Case> = cases::ALL.iter().filter(|case| args.wants(case)).collect();
    if args.list {
        cases.iter().for_each(|case| println!("{:<30} {}", case.name, case.about));
        return ExitCode::SUCCESS;
    }
    match hunt(&args, &cases) {
        Ok(0) => ExitCode::SUCCESS,
        Ok(stuck) => {
            eprintln!("stall-hunter: the server stopped answering in {stuck} of the measurements");
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("stall-hunter: {error}");
            ExitCode::from(2)
        }
    }
}

/// Runs the cases with each server in turn; returns how many measurements ended with a server that did not answer.
fn hunt(args: &Args, cases: &[&Case]) -> Result<usize, String> {
    if cases.is_empty() {
        return Err(format!("no case has {:?} in its name; --list shows all", args.case.join(", ")));
    }
    let servers = args.servers()?;
    // The probe and the servers, which inherit it, do not wait for the rest of the machine. Without the right, they do.
    let _ = rustix::process::nice(-10);
    let interrupted = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        // The second one ends the process at once.
        signal_hook::flag::register_conditional_default(signal, Arc::clone(&interrupted))
            .and_then(|_| signal_hook::flag::register(signal, Arc::clone(&interrupted)))
            .map_err(|error| format!("no handler for signal {signal}: {error}"))?;
    }
    let mut table = Table::begin(args, &servers)?;
    let mut stuck = 0;
    for case in cases {
        for (number, server) in servers.iter().enumerate() {
            let run = Run::new(args, server, &interrupted)?;
            let result = (case.play)(&run);
            let row = match (run.finish(), result) {
                _ if interrupted.load(Ordering::Relaxed) => return Err("interrupted".to_owned()),
                // A server that does not answer also fails the clients of the load.
                (Some(figures), result) => Row::Measured { figures, note: result.err() },
                (None, Err(reason)) => Row::Skipped(reason),
                (None, Ok(())) => Row::Skipped("nothing was measured".to_owned()),
            };
            stuck += usize::from(matches!(&row, Row::Measured { figures, .. } if !figures.answered));
            table.add(case, number, &row)?;
        }
    }
    Ok(stuck)
}
