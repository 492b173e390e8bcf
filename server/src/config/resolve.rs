//! Defaults, file and flags become one [`Config`], and the rules that need all of them are checked.

use std::net::IpAddr;
use std::path::PathBuf;

use muxftp_proto::{DataPortPolicy, Dialect};

use super::address::{ListenSpec, resolve_host};
use super::file::{FileListen, FileSettings, parse};
use super::reader::Source;
use super::tls;
use super::{Config, ConfigErrors, Guest, Limits, Listen, Log, Logins, PortRange, Problem, Timeouts};
use crate::args::Flags;

/// Reads the file if the flags name one, and resolves file and flags over the defaults.
///
/// # Errors
/// All problems at once: of the file, of the flags, and of what they come to together.
pub fn load(flags: &Flags) -> Result<Config, ConfigErrors> {
    let Some(path) = &flags.config else {
        return resolve(flags, None);
    };
    let name = path.display().to_string();
    match std::fs::read_to_string(path) {
        Ok(text) => resolve(flags, Some(Source { name: &name, text: &text })),
        Err(error) => Err(Problem::new(format!("cannot read `{name}`: {error}")).into()),
    }
}

fn resolve(flags: &Flags, source: Option<Source<'_>>) -> Result<Config, ConfigErrors> {
    let mut problems = Vec::new();
    let file = source.map_or_else(FileSettings::default, |source| parse(source, &mut problems));
    let defaults = Config::defaults();
    let data_ports = flags.data_ports.or(file.data_ports).unwrap_or(defaults.data_ports);
    let updown_data_ports = flags.updown_data_ports.or(file.updown_data_ports).unwrap_or(defaults.updown_data_ports);
    let tls = tls::settings(flags, &file, source, |path| beside(flags, path), &mut problems);
    // What is missing because it is wrong was told already.
    let certified = tls.is_some() || !problems.is_empty();
    let listen = listeners(flags, file.listen.as_deref(), source, certified, &mut problems);
    problems.extend(tls::for_nobody(&listen, flags));
    problems.extend(crossing_ports(&listen, data_ports));
    problems.extend(crossing_updown_ports(&listen, updown_data_ports, data_ports));
    // Only of a configuration that is right otherwise: a wrong `access` would be reported twice.
    let guest = flags.guest.or(file.guest);
    if guest.is_none() && problems.is_empty() {
        problems.extend(guest_not_stated(&listen));
    }
    let sessions = file.sessions.unwrap_or(defaults.limits.sessions);
    let per_address = file.sessions_per_address.unwrap_or(defaults.limits.sessions_per_address);
    ConfigErrors::none_or(problems)?;
    Ok(Config {
        file: flags.config.clone(),
        root: flags.root.clone().or(file.root).unwrap_or(defaults.root),
        listen,
        data_ports,
        updown_data_ports,
        users: flags.users.clone().or(file.users.map(|users| beside(flags, users))),
        guest: Guest {
            access: guest.unwrap_or(defaults.guest.access),
            root: file.guest_root,
            allowance: file.guest_allowance,
        },
        logins: Logins {
            failures: file.failures.unwrap_or(defaults.logins.failures),
            delay: file.failure_delay.unwrap_or(defaults.logins.delay),
            window: file.failure_window.unwrap_or(defaults.logins.window),
            lock: file.lock.unwrap_or(defaults.logins.lock),
            exempt: file.exempt.unwrap_or(defaults.logins.exempt),
        },
        public_address: flags.public_address.clone().or(file.public_address).unwrap_or(defaults.public_address),
        metadata_service: file.metadata_service.unwrap_or(defaults.metadata_service),
        tls,
        limits: Limits {
            sessions,
            sessions_per_address: per_address.min(sessions),
            data_ports_per_address: file.data_ports_per_address.or(defaults.limits.data_ports_per_address),
        },
        timeouts: Timeouts {
            data_connect: file.data_connect.unwrap_or(defaults.timeouts.data_connect),
            stall: file.stall.unwrap_or(defaults.timeouts.stall),
            storage: file.storage.unwrap_or(defaults.timeouts.storage),
            idle: file.idle.unwrap_or(defaults.timeouts.idle),
            login: file.login.unwrap_or(defaults.timeouts.login),
            shutdown: file.shutdown.unwrap_or(defaults.timeouts.shutdown),
        },
        durability: file.durability.unwrap_or(defaults.durability),
        log: Log {
            level: flags.log_level.or(file.log_level).unwrap_or(defaults.log.level),
            format: flags.log_format.or(file.log_format).unwrap_or(defaults.log.format),
        },
    })
}

/// A path in the configuration file, from the directory of that file.
fn beside(flags: &Flags, path: PathBuf) -> PathBuf {
    match flags.config.as_ref().and_then(|config| config.parent()) {
        Some(directory) => directory.join(path),
        None => path,
    }
}

/// The listeners that the flags name, else those of the file, else the default ones with `--host` and `--port`.
fn listeners(
    flags: &Flags,
    file: Option<&[FileListen]>,
    source: Option<Source<'_>>,
    certified: bool,
    problems: &mut Vec<Problem>,
) -> Vec<Listen> {
    let mut found = Vec::new();
    let mut keep = |result: Result<Listen, Problem>| match result {
        Ok(listen) => found.push(listen),
        Err(problem) => problems.push(problem),
    };
    match (file, source) {
        _ if !flags.listen.is_empty() => {
            for spec in &flags.listen {
                keep(listener(spec, flags, certified).map_err(|wrong| match wrong {
                    Wrong::Address(message) | Wrong::Tls(message) => Problem::new(format!("--listen: {message}")),
                }));
            }
        }
        (Some(_), Some(source)) if flags.host.is_some() || flags.port.is_some() => keep(Err(Problem::new(format!(
            "--host and --port change the default listener, and {} names its own: use --listen, which replaces them",
            source.name
        )))),
        (Some(specs), Some(source)) => {
            for FileListen { spec, address, tls, uploads_without_close } in specs {
                let listen = listener(spec, flags, certified);
                let listen = listen.map(|listen| Listen { uploads_without_close: *uploads_without_close, ..listen });
                keep(listen.map_err(|wrong| match wrong {
                    Wrong::Address(message) => source.problem(address.clone(), message),
                    Wrong::Tls(message) => source.problem(tls.clone(), message),
                }));
            }
        }
        _ => {
            let wanted = |listen: &Listen| flags.port.is_none() || listen.dialect == Dialect::Simple;
            for listen in Config::defaults().listen.into_iter().filter(wanted) {
                keep(changed_by_flags(listen, flags, certified));
            }
        }
    }
    found
}

/// What is wrong with a listener.
enum Wrong {
    Address(String),
    Tls(String),
}

fn listener(spec: &ListenSpec, flags: &Flags, certified: bool) -> Result<Listen, Wrong> {
    let address = spec.resolve().map_err(Wrong::Address)?;
    let tls = tls::mode(spec, flags, certified).map_err(Wrong::Tls)?;
    Ok(Listen::new(spec.dialect, address, tls))
}

/// A default listener with the address of `--host`, the port of `--port`, and TLS as the certificate allows it.
fn changed_by_flags(mut listen: Listen, flags: &Flags, certified: bool) -> Result<Listen, Problem> {
    let spec = ListenSpec { dialect: listen.dialect, address: String::new(), tls: None };
    listen.tls = tls::mode(&spec, flags, certified).map_err(|message| Problem::new(format!("--tls: {message}")))?;
    if let Some(port) = flags.port {
        listen.address.set_port(port);
    }
    if let Some(host) = &flags.host {
        let resolved = resolve_host(host, listen.address.port());
        listen.address = resolved.map_err(|message| Problem::new(format!("--host: {message}")))?;
    }
    Ok(listen)
}

/// Listeners that would take a data port, or each other's port.
fn crossing_ports(listen: &[Listen], data_ports: PortRange) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (index, listener) in listen.iter().enumerate() {
        let port = listener.address.port();
        if data_ports.contains(port) {
            problems.push(Problem::new(format!("port {port} of {listener} is one of the data ports, {data_ports}")));
        }
        if port != 0 && listen[..index].iter().any(|other| other.address == listener.address) {
            problems.push(Problem::new(format!("{} is named twice as a listener", listener.address)));
        }
    }
    problems
}

/// Shared data ports that a listener, or the other data connections, would take.
fn crossing_updown_ports(listen: &[Listen], updown: PortRange, data_ports: PortRange) -> Vec<Problem> {
    if listen.iter().all(|listen| listen.dialect.data_ports() == DataPortPolicy::Fresh) {
        return Vec::new();
    }
    let mut problems = Vec::new();
    for listener in listen.iter().filter(|listener| updown.contains(listener.address.port())) {
        let port = listener.address.port();
        problems.push(Problem::new(format!("port {port} of {listener} is one of the data ports of updown, {updown}")));
    }
    if updown.iter().any(|port| data_ports.contains(port)) {
        problems
            .push(Problem::new(format!("the data ports of updown, {updown}, are among the data ports, {data_ports}")));
    }
    problems
}

/// Whoever reaches a listener is the guest. Beyond this machine that must have been wanted.
fn guest_not_stated(listen: &[Listen]) -> Option<Problem> {
    let open = listen.iter().find(|listen| !is_loopback(listen.address.ip()))?;
    Some(Problem::new(format!(
        "{open} can be reached from other machines, and what a guest may do there is not stated. Add one of\n  \
         --guest read-only    get and list files\n  \
         --guest read-write   put files too\n  \
         --guest off          nothing\n\
         or the same in the configuration file:\n  \
         [guest]\n  access = \"read-only\""
    )))
}

fn is_loopback(address: IpAddr) -> bool {
    address.to_canonical().is_loopback()
}

#[cfg(test)]
mod tests;
