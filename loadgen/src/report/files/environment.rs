//! `environment.json`: the circumstances of a run.
//!
//! Must not know what was measured. What this machine does not tell is left out as `null`.

use std::collections::BTreeMap;
use std::fs;
use std::thread;

use rustix::process::{Resource, getrlimit};
use serde::Serialize;

use crate::report::Circumstances;

/// The circumstances.
#[derive(Debug, Serialize)]
pub(crate) struct Environment {
    loadgen: &'static str,
    commit: Option<&'static str>,
    build: &'static str,
    command_line: Vec<String>,
    started: String,
    target: String,
    target_greeting: Option<String>,
    target_rtt_ns: Option<u64>,
    embedded_root_file_system: Option<String>,
    host: Option<String>,
    kernel: Option<String>,
    cpu_model: Option<String>,
    cpus: Option<u64>,
    cpus_allowed: Option<u64>,
    cpu_governor: Option<String>,
    memory_bytes: Option<u64>,
    descriptors_soft_limit: Option<u64>,
    descriptors_hard_limit: Option<u64>,
    local_ports: Option<String>,
    clock_source: Option<String>,
    network: BTreeMap<&'static str, Option<String>>,
}

impl Environment {
    /// Asks this machine.
    pub fn gather(started: String, target: &str, circumstances: &Circumstances) -> Environment {
        let limits = getrlimit(Resource::Nofile);
        let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let settings = ["tcp_tw_reuse", "tcp_congestion_control", "tcp_rmem", "tcp_wmem"];
        Environment {
            loadgen: env!("CARGO_PKG_VERSION"),
            commit: option_env!("MUXFTP_COMMIT"),
            build: if cfg!(debug_assertions) { "debug" } else { "release" },
            command_line: std::env::args().collect(),
            started,
            target: target.to_owned(),
            target_greeting: circumstances.greeting.clone(),
            target_rtt_ns: circumstances.rtt_ns,
            embedded_root_file_system: circumstances.root_file_system.clone(),
            host: line("/proc/sys/kernel/hostname"),
            kernel: line("/proc/version"),
            cpu_model: after(&cpuinfo, "model name"),
            cpus: count_lines(&cpuinfo, "processor"),
            cpus_allowed: cores_allowed(),
            cpu_governor: line("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
            memory_bytes: memory(),
            descriptors_soft_limit: limits.current,
            descriptors_hard_limit: limits.maximum,
            local_ports: line("/proc/sys/net/ipv4/ip_local_port_range"),
            clock_source: line("/sys/devices/system/clocksource/clocksource0/current_clocksource"),
            network: settings.into_iter().map(|name| (name, line(&format!("/proc/sys/net/ipv4/{name}")))).collect(),
        }
    }

    /// The file.
    pub fn to_json(&self) -> String {
        let mut json = serde_json::to_string_pretty(self).expect("plain values have a JSON form");
        json.push('\n');
        json
    }
}

/// Cores that this process may use: its affinity, and the quota of its control group.
pub(crate) fn cores_allowed() -> Option<u64> {
    thread::available_parallelism().ok().map(|cores| cores.get() as u64)
}

/// A one-line file, its white space evened out.
fn line(path: &str) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    Some(text.split_whitespace().collect::<Vec<_>>().join(" ")).filter(|text| !text.is_empty())
}

/// What follows the colon after a name at the start of a line.
fn after(text: &str, name: &str) -> Option<String> {
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

fn count_lines(text: &str, start: &str) -> Option<u64> {
    let count = text.lines().filter(|line| line.starts_with(start)).count() as u64;
    (count > 0).then_some(count)
}

fn memory() -> Option<u64> {
    let meminfo = fs::read_to_string("/proc/meminfo").ok()?;
    let kib: u64 = after(&meminfo, "MemTotal")?.split_whitespace().next()?.parse().ok()?;
    Some(kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_tells_what_matters() {
        let circumstances = Circumstances { rtt_ns: Some(42), ..Circumstances::default() };
        let json = Environment::gather("now".to_owned(), "simple 127.0.0.1:2121", &circumstances).to_json();
        let value: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!((value["target_rtt_ns"].as_u64(), value["started"].as_str()), (Some(42), Some("now")));
        for key in ["kernel", "cpus", "cpus_allowed", "memory_bytes", "local_ports"] {
            assert!(!value[key].is_null(), "{key} is missing in {json}");
        }
    }
}
