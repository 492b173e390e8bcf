//! From the tree of a scenario file to a [`Scenario`]: defaults, and the checks of single values.
//!
//! The mix (files and operations) is read in [`super::mix`], conditions in [`super::threshold`].

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use muxftp_proto::{Dialect, VPath};

use super::access::{self, Access};
use super::document::{Kind, Table, Value};
use super::mix;
use super::model::*;
use super::problems::Collector;
use super::schema::{Section, boolean, distribution, duration, quantity, string, whole, word};
use super::threshold::Threshold;
use super::units::{self, Unit};
use super::{Distribution, document};

/// Reads the whole tree; the scenario is right only when the collector stays empty.
pub(super) fn resolve(root: &Table, source_text: &str, problems: &mut Collector) -> Scenario {
    let mut top = Section::new("", Some(root));
    top.require("schema", problems, schema);
    let name = top.require("name", problems, run_name).unwrap_or_default();
    let description = top.read("description", problems, string).unwrap_or_default();
    let seed = top.read("seed", problems, whole(0, u64::MAX)).unwrap_or(1);
    let target = top.section("target", problems);
    let (target, access) = if target.is_present() { read_target(target, problems) } else { (None, None) };
    let clients = read_clients(top.section("clients", problems), problems);
    let load = read_load(top.section("load", problems), problems);
    let run = read_run(top.section("run", problems), problems);
    let files = mix::read_files(top.sections("files", "set", problems), problems);
    let operations = top.sections("operation", "name", problems);
    if operations.is_empty() {
        top.report("operation", problems, "there is no [[operation]]: nothing would be done");
    }
    let mut operations = mix::read_operations(operations, &files, access.is_some(), problems);
    if access.is_some() {
        operations.extend(mix::of_session());
    }
    let verify = read_verify(top.section("verify", problems), problems);
    let thresholds = top.sections("threshold", "that", problems);
    let thresholds = read_thresholds(thresholds, &operations, problems);
    let report = read_report(top.section("report", problems), problems);
    top.finish(problems);
    Scenario {
        name,
        description,
        seed,
        target,
        access,
        clients,
        load,
        run,
        files,
        operations,
        verify,
        thresholds,
        report,
        source_text: source_text.to_owned(),
    }
}

/// A path below some directory, in its shortest form; empty: that directory.
pub(super) fn directory(value: &Value) -> Result<String, String> {
    path_text(VPath::parse(string(value)?.as_bytes()))
}

/// A file's path below some directory.
pub(super) fn file_name(value: &Value) -> Result<String, String> {
    path_text(VPath::parse_file(string(value)?.as_bytes()))
}

fn path_text(path: Result<VPath, muxftp_proto::PathError>) -> Result<String, String> {
    use muxftp_proto::PathError;
    match path {
        Ok(path) => Ok(String::from_utf8_lossy(path.as_bytes()).into_owned()),
        Err(PathError::Escapes) => Err("a path here is relative and without `..`".into()),
        Err(PathError::BadByte) => Err("a path holds no line end and no NUL".into()),
        Err(PathError::TooLong) => Err("the path is too long".into()),
        Err(PathError::Empty) => Err("a file's name is expected here".into()),
    }
}

fn schema(value: &Value) -> Result<(), String> {
    match value.kind {
        Kind::Integer(1) => Ok(()),
        _ => Err("this loadgen reads schema = 1".into()),
    }
}

fn run_name(value: &Value) -> Result<String, String> {
    let name = string(value)?;
    let good = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if !name.is_empty() && name.len() <= NAME_MAX && name.chars().all(good) {
        return Ok(name);
    }
    Err(format!("a name has 1 to {NAME_MAX} letters, digits, `-` and `_`: it becomes part of a directory's name"))
}

/// A server of `ftp` may be the embedded one, which has no address beforehand.
fn read_target(mut section: Section<'_>, problems: &mut Collector) -> (Option<Target>, Option<Access>) {
    let dialect = section.read("dialect", problems, dialect).unwrap_or(Dialect::Simple);
    let access = match dialect {
        Dialect::Ftp => Some(access::read(&mut section, problems)),
        Dialect::Simple | Dialect::Updown => {
            access::refuse(&mut section, problems);
            None
        }
    };
    if dialect == Dialect::Ftp && section.value("address").is_none() {
        for key in ["directory", "pid", "source_addresses", "user", "password", "password_env", "ca"] {
            section.refuse(key, problems, "`address`: the embedded server has its own");
        }
        section.finish(problems);
        return (None, access);
    }
    let target = Target {
        address: section.require("address", problems, address).unwrap_or_default(),
        dialect,
        directory: section.read("directory", problems, target_directory).unwrap_or_else(|| "/".into()),
        pid: section.read("pid", problems, pid).unwrap_or(TargetPid::Auto),
        source_addresses: section
            .value("source_addresses")
            .map(|value| read_list(value, problems, ip_address))
            .unwrap_or_default(),
    };
    section.finish(problems);
    (Some(target), access)
}

fn address(value: &Value) -> Result<String, String> {
    let text = string(value)?;
    let good = text.rsplit_once(':').is_some_and(|(host, port)| {
        let bracketed = host.starts_with('[') && host.ends_with(']');
        let host_good = !host.is_empty() && (bracketed || !host.contains(':')) && !host.contains(['/', ' ']);
        host_good && port.parse::<u16>().is_ok_and(|port| port > 0)
    });
    if good {
        Ok(text)
    } else {
        Err(format!("\"{text}\" is not HOST:PORT, e.g. \"192.0.2.10:2021\" or \"[::1]:2021\""))
    }
}

fn dialect(value: &Value) -> Result<Dialect, String> {
    let text = string(value)?;
    let known = || Dialect::ALL.iter().map(|dialect| dialect.word());
    text.parse().map_err(|_| document::no_such("dialect", &text, known))
}

/// A directory on the server, from its root.
fn target_directory(value: &Value) -> Result<String, String> {
    let text = string(value)?;
    match text.strip_prefix('/') {
        Some(relative) => Ok(format!("/{}", path_text(VPath::parse(relative.as_bytes()))?)),
        None => Err(format!("the target's directory begins at the server's root: write \"/{text}\"")),
    }
}

fn pid(value: &Value) -> Result<TargetPid, String> {
    match &value.kind {
        Kind::String(text) if text == "auto" => Ok(TargetPid::Auto),
        Kind::Integer(_) => whole(1, u64::from(u32::MAX))(value).map(|pid| TargetPid::Pid(pid as u32)),
        _ => Err("write \"auto\" or the number of a process".into()),
    }
}

fn ip_address(value: &Value) -> Result<IpAddr, String> {
    let text = string(value)?;
    text.parse().map_err(|_| format!("\"{text}\" is not an IP address"))
}

fn read_clients(mut section: Section<'_>, problems: &mut Collector) -> Clients {
    let mut timeout = |section: &mut Section<'_>, key| {
        section.read(key, problems, positive_duration).unwrap_or(Duration::from_secs(10))
    };
    let connect_timeout = timeout(&mut section, "connect_timeout");
    let reply_timeout = timeout(&mut section, "reply_timeout");
    let stall_timeout = timeout(&mut section, "stall_timeout");
    let clients = Clients {
        count: section.read("count", problems, whole(1, CLIENTS_MAX)).unwrap_or(1) as usize,
        operations_per_session: section.read("session", problems, session).flatten(),
        connect_rate: section.read("connect_at", problems, quantity(rate)),
        idle: section.read("idle", problems, whole(0, CLIENTS_MAX)).unwrap_or(0) as usize,
        bandwidth: section.read("bandwidth", problems, quantity(bandwidth)),
        connect_timeout,
        reply_timeout,
        stall_timeout,
    };
    section.finish(problems);
    clients
}

fn positive_duration(value: &Value) -> Result<Duration, String> {
    let duration = duration(value)?;
    if duration.is_zero() { Err("this time must be above 0".into()) } else { Ok(duration) }
}

fn session(value: &Value) -> Result<Option<u64>, String> {
    let text = string(value)?;
    if text == "keep" {
        return Ok(None);
    }
    let number = text.strip_suffix("operations").or_else(|| text.strip_suffix("operation"));
    match number.map(|number| number.trim().replace('_', "").parse()) {
        Some(Ok(operations)) if operations > 0 => Ok(Some(operations)),
        _ => Err(format!("\"{text}\": write \"keep\", or for example \"100 operations\"")),
    }
}

fn rate(text: &str) -> Result<f64, String> {
    let rate = units::parse_rate(text)?;
    if rate > 0.0 { Ok(rate) } else { Err("a rate must be above 0".into()) }
}

fn bandwidth(text: &str) -> Result<u64, String> {
    let bandwidth = units::parse_bandwidth(text)?;
    if bandwidth > 0 { Ok(bandwidth) } else { Err("a bandwidth must be above 0".into()) }
}

fn read_load(mut section: Section<'_>, problems: &mut Collector) -> Load {
    section.read("model", problems, word(&[("closed", ())]));
    let think = section.read("think", problems, distribution(Unit::Time));
    section.finish(problems);
    Load { think: think.unwrap_or_else(|| Distribution::constant(0, Unit::Time)) }
}

fn read_run(mut section: Section<'_>, problems: &mut Collector) -> Run {
    let duration = section.read("duration", problems, positive_duration);
    let operations = section.read("operations", problems, whole(1, u64::MAX));
    let run = Run {
        warmup: section.read("warmup", problems, self::duration).unwrap_or(Duration::from_secs(2)),
        duration: if operations.is_none() { duration.or(Some(Duration::from_secs(20))) } else { duration },
        operations,
        drain: section.read("drain", problems, self::duration).unwrap_or(Duration::from_secs(10)),
        interval: section.read("interval", problems, interval).unwrap_or(Duration::from_secs(1)),
        timer: section
            .read("timer", problems, word(&[("timerfd", Timer::Timerfd), ("spin", Timer::Spin)]))
            .unwrap_or(Timer::Timerfd),
    };
    section.finish(problems);
    run
}

fn interval(value: &Value) -> Result<Duration, String> {
    let interval = duration(value)?;
    if interval < INTERVAL_MIN { Err("an interval is at least 100ms".into()) } else { Ok(interval) }
}

fn read_verify(mut section: Section<'_>, problems: &mut Collector) -> Verify {
    let verify = Verify {
        contents: section.read("contents", problems, boolean).unwrap_or(true),
        listings: section.read("listings", problems, boolean).unwrap_or(true),
    };
    section.finish(problems);
    verify
}

fn read_thresholds(sections: Vec<Section<'_>>, operations: &[Operation], problems: &mut Collector) -> Vec<Threshold> {
    let names: Vec<&str> = operations.iter().map(|operation| operation.name.as_str()).collect();
    let mut thresholds = Vec::with_capacity(sections.len());
    for mut section in sections {
        let parse = |value: &Value| Threshold::parse(&string(value)?, &names);
        thresholds.extend(section.require("that", problems, parse));
        section.finish(problems);
    }
    thresholds
}

fn read_report(mut section: Section<'_>, problems: &mut Collector) -> Report {
    let not_empty = |value: &Value| match string(value)? {
        text if text.is_empty() => Err("a directory is expected here, `.` for the current one".into()),
        text => Ok(PathBuf::from(text)),
    };
    let directory = section.read("directory", problems, not_empty).unwrap_or_else(|| "results".into());
    let percentiles = match section.value("percentiles") {
        Some(value) => read_percentiles(value, problems),
        None => PERCENTILES.to_vec(),
    };
    section.finish(problems);
    Report { directory, percentiles }
}

fn read_percentiles(value: &Value, problems: &mut Collector) -> Vec<f64> {
    let percentiles = read_list(value, problems, |element| match element.kind {
        Kind::Integer(number) if (1..100).contains(&number) => Ok(number as f64),
        Kind::Float(number) if number > 0.0 && number < 100.0 => Ok(number),
        _ => Err("a percentile is a number above 0 and below 100".to_owned()),
    });
    if !percentiles.is_sorted_by(|a, b| a < b) {
        problems.report(&value.place, "the percentiles must rise");
    }
    percentiles
}

/// Reads each element; a wrong one is reported at its own place.
fn read_list<T>(value: &Value, problems: &mut Collector, parse: impl Fn(&Value) -> Result<T, String>) -> Vec<T> {
    let Kind::Array(elements) = &value.kind else {
        problems.report(&value.place, format!("a list in [ ] is expected here, not {}", value.kind.word()));
        return Vec::new();
    };
    let mut list = Vec::with_capacity(elements.len());
    for element in elements {
        match parse(element) {
            Ok(read) => list.push(read),
            Err(message) => problems.report(&element.place, message),
        }
    }
    list
}

/// Bytes of a run's name.
const NAME_MAX: usize = 64;
/// Sessions of one process: far beyond the ports and descriptors of a machine.
const CLIENTS_MAX: u64 = 1_000_000;
/// Shorter intervals would cost more than what they measure.
const INTERVAL_MIN: Duration = Duration::from_millis(100);
const PERCENTILES: [f64; 4] = [50.0, 90.0, 99.0, 99.9];
