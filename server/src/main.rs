//! muxftpd: from the command line to the server, and from its end to an exit code.

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;
use muxftp_server::args::{Cli, Command};
use muxftp_server::config::{self, Config};
use muxftp_server::start::{Exit, StartError};
use muxftp_server::users::command::UserError;
use muxftp_server::{Server, log, users};

fn main() -> ExitCode {
    let cli = Cli::parse();
    let config = match config::load(&cli.flags) {
        Ok(config) => config,
        Err(errors) => {
            eprintln!("{errors}");
            return Exit::Usage.into();
        }
    };
    match &cli.command {
        Some(Command::CheckConfig) => check_config(&config),
        Some(Command::User(command)) => {
            let path = config.users.clone().unwrap_or_else(users::command::default_file);
            match users::command::run(command, cli.flags.root.as_deref(), &path, config.users.is_some()) {
                Ok(()) => Exit::Ended,
                Err(error) => {
                    eprintln!("{error}");
                    if matches!(error, UserError::Usage(_)) { Exit::Usage } else { Exit::Failed }
                }
            }
        }
        None => serve(&config).unwrap_or_else(|error| {
            eprintln!("error: {error}");
            Exit::CannotStart
        }),
    }
    .into()
}

fn check_config(config: &Config) -> Exit {
    // A reader that went away (`| head`) wants no more.
    let _ = std::io::stdout().write_all(config.to_toml().as_bytes());
    Exit::Ended
}

fn serve(config: &Config) -> Result<Exit, StartError> {
    let _log = log::init(config.log);
    let mut server = Server::start(config)?;
    server.watch_signals().map_err(|error| StartError::System { what: "take signals", error })?;
    log::flush();
    match server.run() {
        Ok(()) => Ok(Exit::Ended),
        Err(error) => {
            eprintln!("error: the event loop failed: {error}");
            Ok(Exit::Failed)
        }
    }
}
