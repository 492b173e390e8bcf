//! `loadgen FILE`: from a scenario file to a report and an exit code.
//!
//! It must not know how operations run or how figures are shown; it brings the parts together, and sees to it that what
//! was started is ended.

use std::io::IsTerminal;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use muxftp_client::driver::{Endpoint, Speech};
use muxftp_proto::Dialect;
use muxftp_proto::client::io::{ClientTimeouts, Security};
use socket2::{Domain, Socket, Type};

use crate::args::{EmbeddedTls, RunArgs};
use crate::embedded::Embedded;
use crate::fleet::{self, FleetError};
use crate::machine;
use crate::plan::Plan;
use crate::process;
use crate::report::{self, Circumstances, ReportConfig, Screen};
use crate::scenario::access::Access;
use crate::scenario::{self, Action, Scenario, Target, TargetPid};
use crate::speech;

/// Exit code: the scenario or the command line is wrong; nothing was run.
pub const EXIT_WRONG: u8 = 2;

/// Exit code: the run could not be started.
pub const EXIT_NO_START: u8 = 3;

/// Runs a scenario and gives the exit code.
pub fn run(args: &RunArgs) -> u8 {
    let loaded = match scenario::load(&args.scenario.file, &args.overrides()) {
        Ok(loaded) => loaded,
        Err(problems) => {
            eprint!("{problems}");
            return EXIT_WRONG;
        }
    };
    for warning in &loaded.warnings {
        eprintln!("loadgen: {warning}");
    }
    match run_loaded(args, loaded) {
        Ok(code) => code,
        Err(message) => {
            eprintln!("loadgen: {message}");
            EXIT_NO_START
        }
    }
}

fn run_loaded(args: &RunArgs, loaded: scenario::Loaded) -> Result<u8, String> {
    let scenario = loaded.scenario;
    machine::raise_descriptor_limit();
    let mut ground = Ground::prepare(&scenario)?;
    let plan = Plan::new(&scenario);
    let config = ReportConfig {
        scenario: scenario.clone(),
        resolved_toml: loaded.resolved_toml,
        out_dir: scenario.report.directory.clone(),
        screen: screen(args),
        server_pid: ground.pid,
        target_text: ground.describe(),
        digest: plan.digest(),
        circumstances: ground.circumstances(),
    };
    let (recorder, reporter) = report::start(config).map_err(|error| error.to_string())?;
    let endpoints = ground.endpoints(&scenario);
    let ended = fleet::run(&scenario, &plan, endpoints, recorder, Box::new(|| ground.lost()));
    match ended {
        Ok(end) => {
            let summary = reporter.finish(end);
            Ok(summary.exit_code())
        }
        Err(error) => {
            reporter.abandon();
            Err(match error {
                FleetError::Loop(error) => format!("the event loop failed: {error}"),
                FleetError::Start(text) => text,
            })
        }
    }
}

/// What a run stands on: a server, its address, and its process when it can be seen.
struct Ground {
    embedded: Option<Embedded>,
    address: SocketAddr,
    speech: Speech,
    pid: Option<u32>,
    sources: Vec<IpAddr>,
    connect_time: Duration,
}

impl Ground {
    fn prepare(scenario: &Scenario) -> Result<Ground, String> {
        match &scenario.target {
            None => Ground::embedded(scenario),
            Some(target) => Ground::existing(target, scenario.access.as_ref(), scenario.clients.connect_timeout),
        }
    }

    fn embedded(scenario: &Scenario) -> Result<Ground, String> {
        let embedded = Embedded::start(scenario.access.as_ref().map(|access| embedded_tls(access.tls)))?;
        for directory in directories(scenario) {
            let path = embedded.root().join(directory);
            std::fs::create_dir_all(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        }
        let address = embedded.address();
        let connect_time = reach(address, None, scenario.clients.connect_timeout)?;
        let pid = Some(embedded.pid());
        let speech = match &scenario.access {
            None => Speech::Line(Dialect::Simple),
            Some(access) => speech::of_access(access, &address.ip().to_string(), embedded.certificate())?,
        };
        Ok(Ground { embedded: Some(embedded), address, speech, pid, sources: Vec::new(), connect_time })
    }

    fn existing(target: &Target, access: Option<&Access>, timeout: Duration) -> Result<Ground, String> {
        let address = resolve(&target.address)?;
        let speech = match access {
            None => Speech::Line(target.dialect),
            Some(access) => {
                let host = target.address.rsplit_once(':').map_or(&*target.address, |(host, _)| host);
                speech::of_access(access, host.trim_matches(['[', ']']), None)?
            }
        };
        let connect_time = reach(address, target.source_addresses.first().copied(), timeout)?;
        let pid = match target.pid {
            TargetPid::Pid(pid) => Some(pid),
            TargetPid::Auto if address.ip().is_loopback() => process::listener_on(address.port()),
            TargetPid::Auto => None,
        };
        let sources = target.source_addresses.clone();
        Ok(Ground { embedded: None, address, speech, pid, sources, connect_time })
    }

    fn describe(&self) -> String {
        let embedded = if self.embedded.is_some() { "embedded muxftpd  " } else { "" };
        let spoken = match &self.speech {
            Speech::Line(dialect) => dialect.word(),
            Speech::Ftp { tls: None, .. } => "ftp",
            Speech::Ftp { tls: Some(_), .. } => "ftp with TLS",
        };
        format!("{embedded}{spoken} {}", self.address)
    }

    fn circumstances(&self) -> Circumstances {
        Circumstances {
            greeting: None,
            rtt_ns: u64::try_from(self.connect_time.as_nanos()).ok(),
            root_file_system: self.embedded.as_ref().and_then(|embedded| machine::file_system(embedded.root())),
        }
    }

    /// One endpoint for each source address; the clients use them in turn.
    fn endpoints(&self, scenario: &Scenario) -> Vec<Endpoint> {
        let clients = &scenario.clients;
        let endpoint = |source| Endpoint {
            server: self.address,
            source,
            speech: self.speech.clone(),
            timeouts: ClientTimeouts {
                connect: clients.connect_timeout,
                reply: clients.reply_timeout,
                stall: clients.stall_timeout,
            },
            bandwidth: clients.bandwidth,
            acknowledges_at_once: false,
        };
        if self.sources.is_empty() {
            vec![endpoint(None)]
        } else {
            self.sources.iter().map(|&source| endpoint(Some(source))).collect()
        }
    }

    fn lost(&mut self) -> Option<String> {
        self.embedded.as_mut()?.ended()
    }
}

/// What the embedded server is to demand.
fn embedded_tls(tls: Security) -> EmbeddedTls {
    match tls {
        Security::None => EmbeddedTls::Off,
        Security::Explicit { .. } => EmbeddedTls::Required,
        Security::Implicit => EmbeddedTls::Implicit,
    }
}

fn screen(args: &RunArgs) -> Screen {
    if args.json {
        Screen::Json
    } else if args.quiet {
        Screen::Quiet
    } else if args.plain || !std::io::stdout().is_terminal() {
        Screen::Plain
    } else {
        Screen::Live
    }
}

/// The directories that a scenario's names lie in.
fn directories(scenario: &Scenario) -> impl Iterator<Item = PathBuf> {
    let of_sets = scenario.files.iter().map(|set| set.directory.as_str());
    let of_listings = scenario.operations.iter().filter_map(|operation| match &operation.action {
        Action::List { path, .. } => Some(path.as_str()),
        _ => None,
    });
    of_sets.chain(of_listings).filter(|directory| !directory.is_empty()).map(PathBuf::from)
}

fn resolve(address: &str) -> Result<SocketAddr, String> {
    let mut found = address.to_socket_addrs().map_err(|error| format!("{address}: {error}"))?;
    found.next().ok_or_else(|| format!("{address}: no address"))
}

/// Connects once, so that a target that is not there is told before anything else; the time that it took.
fn reach(address: SocketAddr, source: Option<IpAddr>, timeout: Duration) -> Result<Duration, String> {
    let start = Instant::now();
    let connect = || {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
        if let Some(source) = source {
            socket.bind(&SocketAddr::new(source, 0).into())?;
        }
        socket.connect_timeout(&address.into(), timeout)
    };
    connect()
        .map_err(|error| format!("cannot connect to the target {address}: {error}; is the server running there?"))?;
    Ok(start.elapsed())
}
