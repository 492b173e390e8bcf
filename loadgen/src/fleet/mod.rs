//! The fleet: all clients of a run in one thread, on one reactor.
//!
//! It must not know files, screens or how a server came to be there. It takes a plan through the stages of a run and tells
//! the recorder what happened.
//!
//! ```text
//!   Preload --files in place, sessions there--> Warmup --time--> Measure --time or count--> Drain --all ended--> Audit
//!      |                                            '------------ interrupted ----------------^                    |
//!      '--> not possible: an error, nothing was measured                                      the end <-----------'
//! ```
//!
//! # Invariants
//! - A closed loop: a client's next operation is due when its last has ended and its think time is over.
//! - Every operation that was begun is recorded once, or reported as unfinished.

mod audit;
mod client;
mod events;
mod idle;
mod names;
mod outcome;
mod payload;
mod results;
mod stages;

use std::collections::VecDeque;
use std::io;
use std::rc::Rc;
use std::time::{Duration, Instant};

use muxftp_client::driver::{Endpoint, OperationResult};
use muxftp_reactor::{Clock, Key, Reactor, TurnStats};
use rustix::process::Signal;

use crate::contents::{Content, Contents};
use crate::plan::{Plan, Work};
use crate::record::{EndOfRun, Gauges, Recorder, Stage, Unfinished};
use crate::scenario::{Action, Scenario, Timer};
use audit::Audit;
use client::{Client, Ended, Mark, Shared, Task};
use idle::IdleSessions;
use payload::Payload;
use stages::Times;

/// What a source of the reactor is.
#[derive(Debug, Clone, Copy)]
enum Owner {
    /// The control connection of an active client.
    Control(usize),
    /// Its data connection.
    Data(usize),
    /// Its due time.
    Due(usize),
    /// An idle session.
    Idle(usize),
    /// Stages and intervals.
    Clock,
    /// The generator's own lag.
    Heartbeat,
}

/// Why a run could not be started.
#[derive(Debug)]
pub enum FleetError {
    /// The event loop failed.
    Loop(io::Error),
    /// Files or sessions could not be put in place: in words.
    Start(String),
}

/// Looks, once per interval, whether the target is still there; says why not.
pub type Watch<'a> = Box<dyn FnMut() -> Option<String> + 'a>;

/// Runs a scenario to its end.
///
/// `endpoints` are used by the clients in turn. `watch` may end the run early.
///
/// # Errors
/// Nothing was measured: the event loop failed, or files and sessions could not be put in place.
pub fn run(
    scenario: &Scenario,
    plan: &Plan,
    endpoints: Vec<Endpoint>,
    recorder: Recorder,
    watch: Watch<'_>,
) -> Result<EndOfRun, FleetError> {
    let clock = match scenario.run.timer {
        Timer::Timerfd => Clock::Timerfd,
        Timer::Spin => Clock::Spin,
    };
    let mut rx = Reactor::new(clock).map_err(FleetError::Loop)?;
    rx.watch_signals(&[Signal::INT.as_raw(), Signal::TERM.as_raw()]).map_err(FleetError::Loop)?;
    let mut fleet = Fleet::new(scenario, plan, endpoints, recorder, watch, &mut rx);
    fleet.start(&mut rx);
    while !fleet.over {
        rx.turn(&mut fleet, None).map_err(FleetError::Loop)?;
    }
    fleet.finish(&mut rx)
}

struct Fleet<'a> {
    scenario: &'a Scenario,
    shared: Shared,
    clients: Vec<Client>,
    idle: IdleSessions,
    recorder: Recorder,
    watch: Watch<'a>,
    buffer: Box<[u8]>,
    clock: Key,
    heartbeat: Key,
    next_heartbeat: Instant,
    spare_stats: Option<TurnStats>,
    times: Times,
    preload: VecDeque<(Rc<str>, Content)>,
    preload_total: u64,
    preload_done: u64,
    /// Clients and idle sessions whose first connect has been begun.
    connects_begun: usize,
    in_flight: usize,
    measured_started: u64,
    audit: Audit,
    unfinished: Vec<Unfinished>,
    interrupted: bool,
    /// Why the target is not there any more.
    lost_target: Option<String>,
    /// Why the run could not be started or go on.
    fatal: Option<String>,
    over: bool,
}

impl<'a> Fleet<'a> {
    fn new(
        scenario: &'a Scenario,
        plan: &Plan,
        endpoints: Vec<Endpoint>,
        recorder: Recorder,
        watch: Watch<'a>,
        rx: &mut Reactor<Owner>,
    ) -> Fleet<'a> {
        let directory = scenario.target.as_ref().map_or("", |target| target.directory.trim_matches('/'));
        let clients = (0..scenario.clients.count)
            .map(|index| Client::new(index, plan.client(index), rx.add_timer(Owner::Due(index))))
            .collect();
        let preload: VecDeque<_> = plan.preload().iter().map(|file| (Rc::from(&*file.name), file.content)).collect();
        Fleet {
            scenario,
            shared: Shared {
                endpoints,
                prefix: if directory.is_empty() { String::new() } else { format!("{directory}/") },
                contents: Rc::new(Contents::new(scenario.seed)),
                known: names::KnownNames::default(),
                verify_contents: scenario.verify.contents,
                verify_listings: scenario.verify.listings,
            },
            clients,
            idle: IdleSessions::default(),
            recorder,
            watch,
            buffer: vec![0; BUFFER_BYTES].into_boxed_slice(),
            clock: rx.add_timer(Owner::Clock),
            heartbeat: rx.add_timer(Owner::Heartbeat),
            next_heartbeat: rx.now(),
            spare_stats: Some(TurnStats::new()),
            times: Times::new(rx.now()),
            preload_total: preload.len() as u64,
            preload,
            preload_done: 0,
            connects_begun: 0,
            in_flight: 0,
            measured_started: 0,
            audit: Audit::default(),
            unfinished: Vec::new(),
            interrupted: false,
            lost_target: None,
            fatal: None,
            over: false,
        }
    }

    /// The event of a client is dealt with: takes what has ended, and goes on until there is something to wait for.
    fn advance(&mut self, rx: &mut Reactor<Owner>, index: usize) {
        while let Some(ended) = self.clients[index].take_ended(rx) {
            self.in_flight -= 1;
            let refused = matches!(ended.finished.result, OperationResult::ConnectFailed(_))
                || (matches!(ended.task, Task::LogIn(_)) && !client::is_complete(&ended.finished));
            self.take_in(rx, index, ended);
            match self.recorder.stage() {
                // A closed loop without think time would else try as fast as it can.
                Stage::Warmup | Stage::Measure if refused => self.retry_later(rx, index),
                _ => self.next_task(rx, index),
            }
        }
    }

    /// Gives a client without a task its next one, by the stage of the run.
    fn next_task(&mut self, rx: &mut Reactor<Owner>, index: usize) {
        if let Some((operation, warmup, what)) = self.clients[index].tidying.take()
            && !self.clients[index].needs_log_in(&self.shared)
        {
            let what = Some((what, Payload::Discard));
            return self.begin(rx, index, Task::Aside { operation, begun: rx.now(), warmup, what });
        }
        match self.recorder.stage() {
            Stage::Preload => self.next_preload(rx, index),
            Stage::Warmup | Stage::Measure => self.next_operation(rx, index),
            Stage::Drain => {}
            Stage::Audit => self.next_read_back(rx, index),
        }
    }

    fn begin(&mut self, rx: &mut Reactor<Owner>, index: usize, task: Task) {
        self.in_flight += 1;
        if let Err(error) = self.clients[index].begin(rx, &self.shared, task) {
            // No socket, or no such source address: as if the connect had failed.
            self.in_flight -= 1;
            self.fail_unbegun(rx, index, &error);
        }
    }

    fn next_operation(&mut self, rx: &mut Reactor<Owner>, index: usize) {
        if self.clients[index].wants_new_session(self.scenario.clients.operations_per_session) {
            return self.begin_goodbye(rx, index);
        }
        let client = &mut self.clients[index];
        // It had to wait for the log-in.
        if let Some((planned, due)) = client.waiting.take() {
            return self.take(rx, index, planned, due);
        }
        let planned = client.plan.next();
        let due = rx.refresh_now() + Duration::from_nanos(planned.think_ns);
        self.wait_for(rx, index, planned, due);
    }

    /// Waits for the due time, or begins at once.
    fn wait_for(&mut self, rx: &mut Reactor<Owner>, index: usize, planned: crate::plan::Planned, due: Instant) {
        if due > rx.now() {
            let client = &mut self.clients[index];
            client.waiting = Some((planned, due));
            rx.arm(client.timer, Some(due));
        } else {
            self.take(rx, index, planned, due);
        }
    }

    /// The time of an operation has come.
    fn take(&mut self, rx: &mut Reactor<Owner>, index: usize, planned: crate::plan::Planned, due: Instant) {
        if !matches!(self.recorder.stage(), Stage::Warmup | Stage::Measure) {
            return;
        }
        let warmup = due < self.times.warmup_end;
        if !warmup && self.scenario.run.operations.is_some_and(|most| self.measured_started >= most) {
            return self.end_measuring(rx);
        }
        if self.clients[index].needs_log_in(&self.shared) {
            self.clients[index].waiting = Some((planned, due));
            return self.begin_log_in(rx, index);
        }
        let is_prepared = std::mem::take(&mut self.clients[index].is_prepared);
        if !is_prepared && let Some(what) = self.shared.preparation(&planned.work) {
            let operation = planned.operation;
            // What it held before is gone, whether or not the operation is still to come.
            if let Work::Append { name, .. } | Work::Rename { from: name, .. } = &planned.work {
                self.clients[index].uploads.remove(name);
            }
            self.clients[index].waiting = Some((planned, due));
            return self.begin(rx, index, Task::Aside { operation, begun: rx.now(), warmup, what: Some(what) });
        }
        // What was done for it is no part of it.
        let due = if is_prepared { rx.refresh_now() } else { due };
        self.measured_started += u64::from(!warmup);
        self.recorder.due(planned.operation);
        self.recorder.started(planned.operation);
        let taken = rx.refresh_now();
        self.begin(rx, index, Task::Planned { planned, due, taken, warmup });
    }

    fn begin_log_in(&mut self, rx: &mut Reactor<Owner>, index: usize) {
        let mark = self.mark(rx, &Action::LogIn);
        self.begin(rx, index, Task::LogIn(mark));
    }

    fn begin_goodbye(&mut self, rx: &mut Reactor<Owner>, index: usize) {
        let mark = self.mark(rx, &Action::LogOut);
        self.begin(rx, index, Task::Goodbye(mark));
    }

    /// The beginning of a part of a session; `None`: it is not recorded, in this stage or in this dialect.
    fn mark(&mut self, rx: &mut Reactor<Owner>, action: &Action) -> Option<Mark> {
        if !matches!(self.recorder.stage(), Stage::Warmup | Stage::Measure) {
            return None;
        }
        let is_it = |action_of: &Action| std::mem::discriminant(action_of) == std::mem::discriminant(action);
        let operation = self.scenario.operations.iter().position(|operation| is_it(&operation.action))?;
        let begun = rx.refresh_now();
        self.recorder.due(operation);
        self.recorder.started(operation);
        Some(Mark { operation, begun, warmup: begun < self.times.warmup_end })
    }

    fn gauges(&self) -> Gauges {
        let (steps_done, steps_total) = match self.recorder.stage() {
            Stage::Preload => (self.preload_done, self.preload_total),
            Stage::Audit => (self.audit.read_back, self.audit.total),
            Stage::Warmup | Stage::Measure | Stage::Drain => (0, 0),
        };
        let connected = self.clients.iter().filter(|client| client.is_connected()).count() + self.idle.connected();
        Gauges {
            in_flight: self.in_flight as u64,
            waiting: 0,
            sessions_wanted: self.sessions_wanted() as u64,
            sessions_open: connected as u64,
            sessions_lost: self.clients.iter().map(|client| client.sessions_lost).sum::<u64>() + self.idle.lost,
            steps_done,
            steps_total,
        }
    }

    fn sessions_wanted(&self) -> usize {
        self.scenario.clients.count + self.scenario.clients.idle
    }

    fn finish(mut self, rx: &mut Reactor<Owner>) -> Result<EndOfRun, FleetError> {
        let now = rx.refresh_now();
        self.hand_over_turns(rx);
        self.recorder.set_gauges(self.gauges());
        for client in &mut self.clients {
            client.stop(rx);
        }
        self.idle.stop(rx);
        self.recorder.finish(now);
        match self.fatal {
            Some(text) => Err(FleetError::Start(text)),
            None => Ok(EndOfRun {
                interrupted: self.interrupted,
                lost_target: self.lost_target,
                audit: crate::record::Audit { read_back: self.audit.read_back, failed: self.audit.failed },
                unfinished: self.unfinished,
            }),
        }
    }
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// One buffer for all clients: large enough that a fast transfer needs few calls, small enough for the cache.
const BUFFER_BYTES: usize = 256 * 1024;
