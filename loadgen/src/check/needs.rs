//! What a scenario needs, and whether this machine has it.
//!
//! Figures about the machine are values ([`Limits`]), so that tests can set them.

use hdrhistogram::Histogram;
use rustix::process::{Resource, getrlimit};

use super::{bytes, grouped};
use crate::plan::Plan;
use crate::record::Phase;
use crate::scenario::{Action, Operation, Scenario};

/// What this machine allows.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Open descriptors of a process; `None`: no limit.
    pub descriptors: Option<u64>,
    /// Local ports that the system gives to connections, per address.
    pub ports: u64,
    /// Bytes free where an embedded server keeps its files; `None`: not known.
    pub disk_free: Option<u64>,
}

impl Limits {
    /// The limits of this process and machine.
    pub fn of_this_machine() -> Limits {
        let range = std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap_or_default();
        let ends: Vec<u64> = range.split_whitespace().filter_map(|end| end.parse().ok()).collect();
        let disk = rustix::fs::statvfs(std::env::temp_dir());
        Limits {
            descriptors: getrlimit(Resource::Nofile).current,
            ports: match ends[..] {
                [first, last] if first <= last => last - first + 1,
                // The kernel's default.
                _ => 60_999 - 32_768 + 1,
            },
            disk_free: disk.ok().map(|disk| disk.f_bavail.saturating_mul(disk.f_frsize)),
        }
    }
}

/// What a run needs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Needs {
    /// Bytes put in place before the clock starts.
    pub preload: u64,
    /// Bytes on the server's disk once every client has used all its upload names, by the mean sizes.
    pub disk: f64,
    /// Descriptors of the generator.
    pub descriptors: u64,
    /// Descriptors of the server.
    pub server_descriptors: u64,
    /// Control connections at once.
    pub control_ports: u64,
    /// Data connections at once.
    pub data_ports: u64,
    /// Bytes of the histograms of the generator.
    pub histograms: u64,
}

impl Needs {
    /// What this scenario needs.
    pub fn of(scenario: &Scenario, plan: &Plan) -> Needs {
        let (count, idle) = (scenario.clients.count as u64, scenario.clients.idle as u64);
        let preload = plan.preload().iter().map(|file| file.content.size).sum();
        let uploads = |operation: &Operation| match &operation.action {
            Action::Put { size, names } => count as f64 * *names as f64 * size.mean(),
            _ => 0.0,
        };
        Needs {
            preload,
            disk: preload as f64 + scenario.operations.iter().map(uploads).sum::<f64>(),
            descriptors: GENERATOR_CONNECTIONS * count + idle + OWN_DESCRIPTORS,
            server_descriptors: SERVER_DESCRIPTORS * count + idle + OWN_DESCRIPTORS,
            control_ports: count + idle,
            data_ports: count,
            histograms: histogram_bytes(scenario.operations.len() as u64),
        }
    }
}

/// What this machine does not have enough of, one sentence each.
pub fn shortages(scenario: &Scenario, needs: &Needs, limits: &Limits) -> Vec<String> {
    let mut shortages = Vec::new();
    let embedded = scenario.target.is_none();
    let wanted = if embedded { needs.descriptors.max(needs.server_descriptors) } else { needs.descriptors };
    if let Some(allowed) = limits.descriptors.filter(|allowed| *allowed < wanted) {
        shortages.push(format!(
            "{} descriptors are needed, {} are allowed: `ulimit -n {wanted}` before the run",
            grouped(wanted),
            grouped(allowed)
        ));
    }
    let addresses = source_addresses(scenario);
    let ports = limits.ports * addresses;
    if needs.control_ports > ports {
        shortages.push(format!(
            "{} sessions at once need as many local ports, there are {} on {addresses} address{}: \
             give more `source_addresses`, or widen net.ipv4.ip_local_port_range",
            grouped(needs.control_ports),
            grouped(ports),
            if addresses == 1 { "" } else { "es" }
        ));
    }
    if !embedded && needs.data_ports > DEFAULT_DATA_PORTS {
        shortages.push(format!(
            "up to {} transfers at once need as many data ports on the target; a muxftpd has {} by default",
            grouped(needs.data_ports),
            grouped(DEFAULT_DATA_PORTS)
        ));
    }
    if let Some(free) = limits.disk_free.filter(|free| embedded && (*free as f64) < needs.disk) {
        shortages.push(format!(
            "the files need {} of disk, {} are free in {}: set TMPDIR to a larger place",
            bytes(needs.disk),
            bytes(free as f64),
            std::env::temp_dir().display()
        ));
    }
    shortages
}

/// Addresses that connections can come from.
pub(super) fn source_addresses(scenario: &Scenario) -> u64 {
    scenario.target.as_ref().map_or(1, |target| target.source_addresses.len().max(1) as u64)
}

/// Memory of the histograms of so many operations.
fn histogram_bytes(operations: u64) -> u64 {
    let histogram = Histogram::<u64>::new_with_bounds(1, LATENCY_MAX_NS, 3).expect("the bounds are right");
    let measures = 2 + Phase::ALL.len() as u64;
    let counters = histogram.distinct_values() as u64 * size_of::<u64>() as u64;
    operations * measures * HISTOGRAM_SETS * counters
}

/// A control and a data connection.
const GENERATOR_CONNECTIONS: u64 = 2;
/// A control connection, a data listener, a data connection and a file.
const SERVER_DESCRIPTORS: u64 = 4;
/// Standard streams, epoll, timers, log and result files, with room.
const OWN_DESCRIPTORS: u64 = 32;
/// Data ports of a muxftpd as it comes: 20000-21000.
const DEFAULT_DATA_PORTS: u64 = 1_001;
/// The bound of the latency histograms: one hour.
const LATENCY_MAX_NS: u64 = 3_600_000_000_000;
/// The one being filled, the one being reported, and the total.
const HISTOGRAM_SETS: u64 = 3;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::tests::{ROOM, loaded};

    fn shortages_of(sets: &[&str], limits: Limits) -> Vec<String> {
        let loaded = loaded(sets);
        shortages(&loaded.scenario, &Needs::of(&loaded.scenario, &Plan::new(&loaded.scenario)), &limits)
    }

    #[test]
    fn the_needs_are_counted() {
        let scenario = loaded(&["clients.count=4", "clients.idle=100"]).scenario;
        let needs = Needs::of(&scenario, &Plan::new(&scenario));
        assert_eq!(needs.preload, 10 << 20);
        assert_eq!(needs.disk, f64::from((10 + 4 * 5 * 2) << 20));
        assert_eq!(needs.descriptors, 2 * 4 + 100 + 32);
        assert_eq!(needs.server_descriptors, 4 * 4 + 100 + 32);
        assert_eq!((needs.control_ports, needs.data_ports), (104, 4));
    }

    #[test]
    fn what_does_not_suffice_is_said_with_the_remedy() {
        assert_eq!(shortages_of(&[], ROOM), [] as [&str; 0]);
        assert_eq!(
            shortages_of(&["clients.count=300"], ROOM),
            [
                "1,232 descriptors are needed, 1,024 are allowed: `ulimit -n 1232` before the run",
                "the files need 2.9 GiB of disk, 1.0 GiB are free in TMP: set TMPDIR to a larger place"
            ]
            .map(|text| text.replace("TMP:", &format!("{}:", std::env::temp_dir().display())))
        );
        let many = ["target.address=h:1", "clients.count=2_000", "clients.idle=30_000"];
        let unlimited = Limits { descriptors: None, ..ROOM };
        assert_eq!(
            shortages_of(&many, unlimited),
            [
                "32,000 sessions at once need as many local ports, there are 28,232 on 1 address: give more \
              `source_addresses`, or widen net.ipv4.ip_local_port_range",
                "up to 2,000 transfers at once need as many data ports on the target; a muxftpd has 1,001 by default"
            ]
        );
        let two = [&many[..], &["target.source_addresses=[\"127.0.0.1\", \"127.0.0.2\"]"]].concat();
        assert_eq!(shortages_of(&two, unlimited).len(), 1, "two addresses have ports enough");
    }
}
