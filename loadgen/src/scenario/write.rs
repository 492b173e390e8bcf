//! A scenario written out with every value, as a scenario file.
//!
//! Invariant: reading what is written gives the same scenario.

use std::fmt::{self, Display, Write as _};

use muxftp_proto::client::io::ListingForm;

use super::access::{self, Access, Password};
use super::model::*;
use super::units::{Unit, print_duration};

/// The scenario as a file.
pub(super) fn resolved_toml(scenario: &Scenario) -> String {
    let mut out = String::from("# Every value of this scenario, with all defaults and overrides.\n");
    write_all(&mut out, scenario).expect("a String takes everything");
    out
}

fn write_all(out: &mut String, scenario: &Scenario) -> fmt::Result {
    pair(out, "schema", 1)?;
    pair(out, "name", quoted(&scenario.name))?;
    pair(out, "description", quoted(&scenario.description))?;
    pair(out, "seed", scenario.seed)?;
    if scenario.target.is_some() || scenario.access.is_some() {
        header(out, "[target]")?;
    }
    if let Some(target) = &scenario.target {
        write_target(out, target)?;
    }
    if let Some(access) = &scenario.access {
        write_access(out, access, scenario.target.is_none())?;
    }
    write_clients(out, &scenario.clients)?;
    header(out, "[load]")?;
    pair(out, "model", quoted("closed"))?;
    pair(out, "think", quoted(&scenario.load.think))?;
    write_run(out, &scenario.run)?;
    for set in &scenario.files {
        header(out, "[[files]]")?;
        pair(out, "set", quoted(&set.set))?;
        pair(out, "count", set.count)?;
        pair(out, "size", quoted(&set.size))?;
        match set.popularity {
            Popularity::Uniform => pair(out, "popularity", quoted("uniform"))?,
            Popularity::Zipf(exponent) => pair(out, "popularity", quoted(format_args!("zipf({exponent})")))?,
        }
        pair(out, "directory", quoted(&set.directory))?;
    }
    for operation in scenario.operations.iter().filter(|operation| !operation.action.is_of_session()) {
        write_operation(out, operation, &scenario.files)?;
    }
    header(out, "[verify]")?;
    pair(out, "contents", scenario.verify.contents)?;
    pair(out, "listings", scenario.verify.listings)?;
    for threshold in &scenario.thresholds {
        header(out, "[[threshold]]")?;
        pair(out, "that", quoted(&threshold.text))?;
    }
    header(out, "[report]")?;
    pair(out, "directory", quoted(scenario.report.directory.display()))?;
    pair(out, "percentiles", list(&scenario.report.percentiles, f64::to_string))
}

fn write_target(out: &mut String, target: &Target) -> fmt::Result {
    pair(out, "address", quoted(&target.address))?;
    pair(out, "dialect", quoted(target.dialect))?;
    pair(out, "directory", quoted(&target.directory))?;
    match target.pid {
        TargetPid::Auto => pair(out, "pid", quoted("auto"))?,
        TargetPid::Pid(pid) => pair(out, "pid", pid)?,
    }
    pair(out, "source_addresses", list(&target.source_addresses, |address| quoted(address)))
}

/// All but a password from the command line, which is to be said again.
fn write_access(out: &mut String, access: &Access, is_embedded: bool) -> fmt::Result {
    if is_embedded {
        pair(out, "dialect", quoted(muxftp_proto::Dialect::Ftp))?;
    }
    if let Some(user) = &access.user {
        pair(out, "user", quoted(user))?;
    }
    if let Password::Environment(variable) = &access.password {
        pair(out, "password_env", quoted(variable))?;
    }
    pair(out, "tls", quoted(access::tls_word(access.tls)))?;
    if let Some(ca) = &access.ca {
        pair(out, "ca", quoted(ca.display()))?;
    }
    if access.insecure {
        pair(out, "insecure", true)?;
    }
    pair(out, "data", quoted(access.data.word()))
}

fn write_clients(out: &mut String, clients: &Clients) -> fmt::Result {
    header(out, "[clients]")?;
    pair(out, "count", clients.count)?;
    match clients.operations_per_session {
        None => pair(out, "session", quoted("keep"))?,
        Some(operations) => pair(out, "session", quoted(format_args!("{operations} operations")))?,
    }
    if let Some(rate) = clients.connect_rate {
        pair(out, "connect_at", quoted(format_args!("{rate}/s")))?;
    }
    pair(out, "idle", clients.idle)?;
    if let Some(bandwidth) = clients.bandwidth {
        pair(out, "bandwidth", quoted(format_args!("{}/s", Unit::Size.print(bandwidth))))?;
    }
    pair(out, "connect_timeout", quoted(print_duration(clients.connect_timeout)))?;
    pair(out, "reply_timeout", quoted(print_duration(clients.reply_timeout)))?;
    pair(out, "stall_timeout", quoted(print_duration(clients.stall_timeout)))
}

fn write_run(out: &mut String, run: &Run) -> fmt::Result {
    header(out, "[run]")?;
    pair(out, "warmup", quoted(print_duration(run.warmup)))?;
    if let Some(duration) = run.duration {
        pair(out, "duration", quoted(print_duration(duration)))?;
    }
    if let Some(operations) = run.operations {
        pair(out, "operations", operations)?;
    }
    pair(out, "drain", quoted(print_duration(run.drain)))?;
    pair(out, "interval", quoted(print_duration(run.interval)))?;
    let timer = match run.timer {
        Timer::Timerfd => "timerfd",
        Timer::Spin => "spin",
    };
    pair(out, "timer", quoted(timer))
}

fn write_operation(out: &mut String, operation: &Operation, files: &[FileSet]) -> fmt::Result {
    header(out, "[[operation]]")?;
    pair(out, "name", quoted(&operation.name))?;
    pair(out, "do", quoted(operation.action.word()))?;
    match &operation.action {
        Action::GetFromSet { set } | Action::Stat { set } => pair(out, "files", quoted(&files[*set].set))?,
        Action::GetPath { path } => pair(out, "path", quoted(path))?,
        Action::List { path, form } => {
            pair(out, "path", quoted(path))?;
            match form {
                // The other dialects know no other.
                ListingForm::Names => {}
                ListingForm::Long => pair(out, "form", quoted("long"))?,
                ListingForm::LongAll => pair(out, "form", quoted("long-all"))?,
                ListingForm::Facts => pair(out, "form", quoted("facts"))?,
            }
        }
        Action::Append { size } => pair(out, "size", quoted(size))?,
        Action::Put { size, names } => {
            pair(out, "size", quoted(size))?;
            pair(out, "names", names)?;
        }
        Action::Delete | Action::Rename | Action::MakeDirectory | Action::LogIn | Action::LogOut => {}
    }
    pair(out, "weight", operation.weight)?;
    match operation.expect {
        Expect::Ok => pair(out, "expect", quoted("ok")),
        Expect::Refusal(code) => pair(out, "expect", quoted(code)),
    }
}

fn header(out: &mut String, header: &str) -> fmt::Result {
    write!(out, "\n{header}\n")
}

fn pair(out: &mut String, key: &str, value: impl Display) -> fmt::Result {
    writeln!(out, "{key} = {value}")
}

/// A TOML string.
fn quoted(value: impl Display) -> toml::Value {
    toml::Value::String(value.to_string())
}

fn list<T, D: Display>(values: &[T], print: impl Fn(&T) -> D) -> String {
    let parts: Vec<String> = values.iter().map(|value| print(value).to_string()).collect();
    format!("[{}]", parts.join(", "))
}
