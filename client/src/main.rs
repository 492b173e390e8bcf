//! muxftp: from the command line to an exit code.
#![forbid(unsafe_code)]

mod args;
mod content;
mod credentials;
mod engine;
mod login;
mod many;
mod mirror;
mod names;
mod netrc;
mod oneshot;
mod place;
mod progress;
mod prompt;
mod remote;
mod resume;
mod target;
mod trouble;

use std::io::{IsTerminal, Write};
use std::process::ExitCode;

use clap::Parser;
use muxftp_proto::client::io::Operation;

use args::{Cli, Command};
use trouble::Trouble;

fn main() -> ExitCode {
    let cli = Cli::parse();
    match run(&cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(trouble) => {
            report(&trouble);
            trouble.exit_code().into()
        }
    }
}

fn run(cli: &Cli) -> Result<(), Trouble> {
    if cli.command.is_some() && (cli.host.is_some() || cli.port.is_some() || cli.dialect.is_some()) {
        let text = "--host, --port and --dialect open a prompt: a command takes a URL, such as";
        return Err(Trouble::Usage(format!("{text} {}", target::EXAMPLE)));
    }
    match (&cli.command, cli.server.as_deref()) {
        (Some(_), Some(url)) => Err(Trouble::Usage(format!(
            "a command comes before its URL, and `{}` before it is no option",
            target::shown(url)
        ))),
        (Some(Command::Ls(ls)), None) => oneshot::ls(ls, &cli.connection),
        (Some(Command::Get(get)), None) => oneshot::get(get, &cli.connection),
        (Some(Command::Put(put)), None) => oneshot::put(put, &cli.connection),
        (Some(Command::Mget(get)), None) => oneshot::mget(get, &cli.connection),
        (Some(Command::Mput(put)), None) => oneshot::mput(put, &cli.connection),
        (Some(Command::Mirror(mirror)), None) => oneshot::mirror(mirror, &cli.connection),
        (Some(Command::Mkdir(names)), None) => {
            remote::each(names, &cli.connection, "mkdir", |name| Operation::MakeDirectory { name })
        }
        (Some(Command::Rmdir(names)), None) => {
            remote::each(names, &cli.connection, "rmdir", |name| Operation::RemoveDirectory { name })
        }
        (Some(Command::Rm(names)), None) => {
            remote::each(names, &cli.connection, "rm", |name| Operation::Delete { name })
        }
        (Some(Command::Size(names)), None) => {
            remote::each(names, &cli.connection, "size", |name| Operation::Size { name })
        }
        (Some(Command::Mv(mv)), None) => remote::mv(mv, &cli.connection),
        (Some(Command::Chmod(chmod)), None) => remote::chmod(chmod, &cli.connection),
        (None, server) => {
            let host = server.or(cli.host.as_deref()).unwrap_or_default();
            let port = cli.port_word.as_deref().or(cli.port.as_deref());
            prompt::run((host, port, cli.dialect.as_deref()), &cli.connection, cli.menu)
        }
    }
}

/// What went wrong, on standard error; a line that a progress bar or a prompt has left is ended first.
fn report(trouble: &Trouble) {
    let text = trouble.to_string();
    if text.is_empty() {
        return;
    }
    let mut stderr = std::io::stderr().lock();
    let start = if trouble.is_interruption() && stderr.is_terminal() { "\r" } else { "" };
    // With nobody left to tell, the exit code has to do.
    let _ = writeln!(stderr, "{start}muxftp: {text}");
}
