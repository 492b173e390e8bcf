//! `loadgen check`: the resolved plan in words, and what it needs from this machine.
//!
//! Runs nothing and opens no socket.

mod needs;

use std::fmt::{self, Write as _};
use std::io::Write as _;
use std::process::ExitCode;

pub use needs::{Limits, Needs, shortages};

use crate::args::CheckArgs;
use crate::plan::Plan;
use crate::scenario::access::tls_word;
use crate::scenario::units::print_duration;
use crate::scenario::{Action, Distribution, Expect, Loaded, Popularity, Scenario, TargetPid, load};

/// Checks a scenario and prints its plan. Exit code 0, or 2 when it is wrong.
pub fn run(args: &CheckArgs) -> ExitCode {
    match load(&args.scenario.file, &args.overrides()) {
        Ok(loaded) => {
            let text = describe(&loaded, &Plan::new(&loaded.scenario), &Limits::of_this_machine());
            // A reader that has seen enough (`| head`) makes the scenario no worse.
            let _ = std::io::stdout().write_all(text.as_bytes());
            ExitCode::SUCCESS
        }
        Err(problems) => {
            eprintln!("{problems}");
            ExitCode::from(2)
        }
    }
}

/// The plan in words, warnings at its end.
pub fn describe(loaded: &Loaded, plan: &Plan, limits: &Limits) -> String {
    let needs = Needs::of(&loaded.scenario, plan);
    let mut out = String::new();
    write_plan(&mut out, &loaded.scenario, plan).expect("a String takes everything");
    write_needs(&mut out, &loaded.scenario, plan, &needs, limits).expect("a String takes everything");
    for warning in loaded.warnings.iter().cloned().chain(shortages(&loaded.scenario, &needs, limits)) {
        out += &format!("\nwarning: {warning}");
    }
    out + "\nno errors; nothing was run\n"
}

fn write_plan(out: &mut String, scenario: &Scenario, plan: &Plan) -> fmt::Result {
    let separator = if scenario.description.is_empty() { "" } else { "   " };
    writeln!(out, "{}{separator}{}", scenario.name, scenario.description)?;
    writeln!(out, "seed {}   operations {}\n", scenario.seed, plan.digest())?;
    match &scenario.target {
        None if scenario.access.is_some() => {
            writeln!(out, "target      embedded muxftpd (ftp) on 127.0.0.1, in a process of its own")?;
        }
        None => writeln!(out, "target      embedded muxftpd on 127.0.0.1, in a process of its own")?,
        Some(target) => {
            let pid = match target.pid {
                TargetPid::Auto => "sampled when it is local".to_owned(),
                TargetPid::Pid(pid) => format!("process {pid} is sampled"),
            };
            writeln!(out, "target      {}://{}{}, {pid}", target.dialect, target.address, target.directory)?;
        }
    }
    if let Some(access) = &scenario.access {
        let user = access.user.as_deref().unwrap_or("anonymous");
        writeln!(out, "log-in      {user}, TLS {}, data {}", tls_word(access.tls), access.data.word())?;
    }
    write_clients(out, scenario)?;
    let think = scenario.load.think.mean();
    write!(out, "load        closed loop, think time {}", scenario.load.think)?;
    if think > 0.0 {
        write!(out, " (at most {:.1} operations/s)", scenario.clients.count as f64 * 1e9 / think)?;
    }
    let run = &scenario.run;
    let measured = match (run.duration, run.operations) {
        (Some(duration), None) => print_duration(duration),
        (None, Some(operations)) => format!("{} operations", grouped(operations)),
        (Some(duration), Some(operations)) => {
            format!("{} or {} operations (whichever comes first)", print_duration(duration), grouped(operations))
        }
        (None, None) => unreachable!("a resolved scenario has an end"),
    };
    writeln!(
        out,
        "\nrun         {measured} measured after {} of warm-up, {} of drain at most",
        print_duration(run.warmup),
        print_duration(run.drain)
    )?;
    let verified = match (scenario.verify.contents, scenario.verify.listings) {
        (true, true) => "contents and listings",
        (true, false) => "contents only",
        (false, true) => "listings only",
        (false, false) => "nothing",
    };
    writeln!(out, "verified    {verified}\n")?;
    write_mix(out, scenario)?;
    if !scenario.thresholds.is_empty() {
        writeln!(out)?;
    }
    for threshold in &scenario.thresholds {
        writeln!(out, "threshold   {}", threshold.text)?;
    }
    Ok(())
}

fn write_clients(out: &mut String, scenario: &Scenario) -> fmt::Result {
    let clients = &scenario.clients;
    write!(out, "clients     {} active", grouped(clients.count as u64))?;
    if clients.idle > 0 {
        write!(out, ", {} idle", grouped(clients.idle as u64))?;
    }
    match clients.connect_rate {
        None => write!(out, ", connecting all at once")?,
        Some(rate) => write!(out, ", connecting at {rate}/s")?,
    }
    match clients.operations_per_session {
        None => write!(out, ", sessions kept")?,
        Some(operations) => write!(out, ", {} operations per session", grouped(operations))?,
    }
    match clients.bandwidth {
        None => writeln!(out),
        Some(bandwidth) => writeln!(out, ", {}/s each at most", bytes(bandwidth as f64)),
    }
}

fn write_mix(out: &mut String, scenario: &Scenario) -> fmt::Result {
    let total: f64 = scenario.operations.iter().map(|operation| operation.weight).sum();
    let widest = scenario.operations.iter().map(|operation| operation.name.len()).max().unwrap_or(0);
    let width = widest.max("operation".len());
    writeln!(out, "{:width$}  do     share  expect        mean     largest  of", "operation")?;
    for operation in &scenario.operations {
        let expect = match operation.expect {
            Expect::Ok => "ok".to_owned(),
            Expect::Refusal(code) => code.to_string(),
        };
        let (size, of) = match &operation.action {
            Action::GetFromSet { set } => {
                let set = &scenario.files[*set];
                let popular = match set.popularity {
                    Popularity::Uniform => String::new(),
                    Popularity::Zipf(exponent) => format!(", zipf({exponent})"),
                };
                let of = format!("{} files \"{}\": {}{popular}", grouped(set.count as u64), set.set, set.size);
                (Some(&set.size), of)
            }
            Action::Put { size, names } => (Some(size), format!("{} names per client: {size}", grouped(*names))),
            Action::GetPath { path } => (None, path.clone()),
            Action::List { path, .. } => (None, format!("/{path}")),
            Action::Append { size } => (Some(size), format!("a file per client: {size}")),
            Action::Delete => (None, "a file made for it".to_owned()),
            Action::Rename => (None, "a file per client, there and back".to_owned()),
            Action::MakeDirectory => (None, "a directory per client, removed afterwards".to_owned()),
            Action::Stat { set } => (None, format!("files \"{}\"", scenario.files[*set].set)),
            Action::LogIn => (None, "of each session".to_owned()),
            Action::LogOut => (None, "of each session that has had its operations".to_owned()),
        };
        writeln!(
            out,
            "{:width$}  {:3} {:7.2} %  {expect:6}  {:>10}  {:>10}  {of}",
            operation.name,
            operation.action.word(),
            operation.weight / total * 100.0,
            size.map_or_else(|| "-".to_owned(), |size| bytes(size.mean())),
            size.map_or_else(|| "-".to_owned(), largest),
        )?;
    }
    Ok(())
}

fn largest(size: &Distribution) -> String {
    size.max().map_or_else(|| "no bound".to_owned(), |max| bytes(max as f64))
}

fn write_needs(out: &mut String, scenario: &Scenario, plan: &Plan, needs: &Needs, limits: &Limits) -> fmt::Result {
    let embedded = scenario.target.is_none();
    writeln!(out, "\npreload     {} files, {}", grouped(plan.preload().len() as u64), bytes(needs.preload as f64))?;
    write!(out, "disk        {} with all uploads in place", bytes(needs.disk))?;
    match limits.disk_free.filter(|_| embedded) {
        Some(free) => writeln!(out, "; {} free in {}", bytes(free as f64), std::env::temp_dir().display())?,
        None => writeln!(out, ", on the target")?,
    }
    let allowed =
        limits.descriptors.map_or_else(|| "no limit".to_owned(), |allowed| format!("{} allowed", grouped(allowed)));
    write!(out, "descriptors {} in loadgen", grouped(needs.descriptors))?;
    writeln!(out, ", {} in the server; {allowed} here", grouped(needs.server_descriptors))?;
    let ports = limits.ports * needs::source_addresses(scenario);
    writeln!(
        out,
        "ports       {} for control and {} for data connections at once; {} for each port of the target",
        grouped(needs.control_ports),
        grouped(needs.data_ports),
        grouped(ports)
    )?;
    if scenario.operations.iter().any(|operation| matches!(operation.action, Action::Put { .. })) {
        // The side that closes first keeps the port: for an upload that is this side.
        writeln!(
            out,
            "            an upload keeps its port for {TIME_WAIT_S} s: at most {} uploads/s for each data port in use",
            grouped(ports / TIME_WAIT_S)
        )?;
    }
    writeln!(out, "memory      {} of histograms, however long the run", bytes(needs.histograms as f64))
}

/// `12,345`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `4.0 KiB`.
fn bytes(bytes: f64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut value = bytes;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    if unit == 0 { format!("{value:.0} B") } else { format!("{value:.1} {}", UNITS[unit]) }
}

/// Seconds that Linux keeps a port after a connection that this side closed first.
const TIME_WAIT_S: u64 = 60;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::{Overrides, load_text};

    pub(super) const ROOM: Limits = Limits { descriptors: Some(1_024), ports: 28_232, disk_free: Some(1 << 30) };

    pub(super) fn loaded(sets: &[&str]) -> Loaded {
        let text = "schema = 1\nname = \"t\"\nfiles = [{ set = \"s\", count = 10, size = \"1MiB\" }]\n\
                    operation = [{ name = \"g\", do = \"get\", files = \"s\", weight = 3 },\n\
                    { name = \"p\", do = \"put\", size = \"uniform(1MiB, 3MiB)\", names = 5 }]\n";
        let sets = sets.iter().map(|set| (*set).to_owned()).collect();
        load_text("t.toml", text, &Overrides { sets, ..Overrides::default() })
            .unwrap_or_else(|problems| panic!("{problems}"))
    }

    #[test]
    fn the_plan_is_shown() {
        let loaded = loaded(&["run.operations=5_000", "load.think=10ms", "threshold=[{that=\"all.errors == 0\"}]"]);
        let plan = Plan::new(&loaded.scenario);
        let expected = format!(
            r#"t
seed 1   operations {}

target      embedded muxftpd on 127.0.0.1, in a process of its own
clients     1 active, connecting all at once, sessions kept
load        closed loop, think time 10ms (at most 100.0 operations/s)
run         5,000 operations measured after 2s of warm-up, 10s of drain at most
verified    contents and listings

operation  do     share  expect        mean     largest  of
g          get   75.00 %  ok         1.0 MiB     1.0 MiB  10 files "s": 1MiB
p          put   25.00 %  ok         2.0 MiB     3.0 MiB  5 names per client: uniform(1MiB, 3MiB)

threshold   all.errors == 0

preload     10 files, 10.0 MiB
disk        20.0 MiB with all uploads in place; 1.0 GiB free in {}
descriptors 34 in loadgen, 36 in the server; 1,024 allowed here
ports       1 for control and 1 for data connections at once; 28,232 for each port of the target
            an upload keeps its port for 60 s: at most 470 uploads/s for each data port in use
memory      15.5 MiB of histograms, however long the run

no errors; nothing was run
"#,
            plan.digest(),
            std::env::temp_dir().display()
        );
        assert_eq!(describe(&loaded, &plan, &ROOM), expected);
    }

    #[test]
    fn numbers_are_shown_for_people() {
        assert_eq!([0, 999, 1_000, 1_234_567].map(grouped), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!([0.0, 1_023.0, 1_536.0, 5e12].map(bytes), ["0 B", "1023 B", "1.5 KiB", "4.5 TiB"]);
    }
}
