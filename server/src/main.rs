//! muxftpd: from the command line to the server, and from its end to an exit code.

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;
use muxftp_server::args::{CertCommand, Cli, Command, Flags, UserCommand};
use muxftp_server::config::{self, Config};
use muxftp_server::start::{self, Exit, StartError};
use muxftp_server::tls::command::CertError;
use muxftp_server::users::command::UserError;
use muxftp_server::{Server, log, process, tls, users};

fn main() -> ExitCode {
    let cli = Cli::parse();
    match &cli.command {
        None => with_config(&cli.flags, |config| {
            serve(config).unwrap_or_else(|error| {
                log::tell(&format!("error: {error}"));
                Exit::CannotStart
            })
        }),
        Some(Command::CheckConfig) => with_config(&cli.flags, check_config),
        Some(Command::User(command)) => with_config(&cli.flags, |config| user(command, &cli.flags, config)),
        // Without the configuration, which may wait for this certificate to be right.
        Some(Command::Cert(command)) => make_certificate(command),
    }
    .into()
}

fn with_config(flags: &Flags, act: impl FnOnce(&Config) -> Exit) -> Exit {
    match config::load(flags) {
        Ok(config) => act(&config),
        Err(errors) => {
            eprintln!("{errors}");
            Exit::Usage
        }
    }
}

fn user(command: &UserCommand, flags: &Flags, config: &Config) -> Exit {
    let path = config.users.clone().unwrap_or_else(users::command::default_file);
    match users::command::run(command, flags.root.as_deref(), &path, config.users.is_some()) {
        Ok(()) => Exit::Ended,
        Err(error) => {
            eprintln!("{error}");
            if matches!(error, UserError::Usage(_)) { Exit::Usage } else { Exit::Failed }
        }
    }
}

fn make_certificate(command: &CertCommand) -> Exit {
    match tls::command::run(command) {
        Ok(()) => Exit::Ended,
        Err(error) => {
            eprintln!("{error}");
            if matches!(error, CertError::Usage(_)) { Exit::Usage } else { Exit::Failed }
        }
    }
}

fn check_config(config: &Config) -> Exit {
    if let Err(error) = start::check_secrets(config) {
        eprintln!("error: {error}");
        return Exit::CannotStart;
    }
    // A reader that went away (`| head`) wants no more.
    let _ = std::io::stdout().write_all(config.to_toml().as_bytes());
    Exit::Ended
}

fn serve(config: &Config) -> Result<Exit, StartError> {
    let system = |what| move |error| StartError::System { what, error };
    process::gain_no_privileges().map_err(system("give up gaining privileges"))?;
    let _log = log::init(config.log).map_err(system("start a thread"))?;
    if process::is_root() {
        log::running_as_root();
    }
    let mut server = Server::start(config)?;
    server.watch_signals().map_err(system("take signals"))?;
    server.watch_loop().map_err(system("start a thread"))?;
    log::flush();
    match server.run() {
        Ok(()) => Ok(Exit::Ended),
        Err(error) => {
            log::loop_failed(&error);
            Ok(Exit::Failed)
        }
    }
}
