//! The stages of a run: when each begins, and what the clients do in it.

use std::io;
use std::time::{Duration, Instant};

use muxftp_reactor::Reactor;

use super::client::{self, RETRY_PAUSE, Task};
use super::outcome;
use super::{Audit, Ended, Fleet, Owner, nanoseconds};
use crate::record::{FailureKind, FailureReport, Phase, Sample, SampleResult, Stage, Unfinished};
use crate::scenario::Expect;

/// When the stages end.
#[derive(Debug, Clone, Copy)]
pub(super) struct Times {
    /// The first connects begin here.
    start: Instant,
    pub(super) warmup_end: Instant,
    measure_end: Option<Instant>,
    drain_end: Instant,
}

impl Times {
    pub(super) fn new(now: Instant) -> Times {
        Times { start: now, warmup_end: now, measure_end: None, drain_end: now }
    }
}

impl Fleet<'_> {
    /// Begins the first stage: sessions are made, files put in place.
    pub(super) fn start(&mut self, rx: &mut Reactor<Owner>) {
        let now = rx.refresh_now();
        self.times.start = now;
        self.next_heartbeat = now + HEARTBEAT;
        rx.arm(self.heartbeat, Some(self.next_heartbeat));
        self.connect_more(rx);
        self.arm_clock(rx);
    }

    /// A moment that the clock was armed for has come.
    pub(super) fn tick(&mut self, rx: &mut Reactor<Owner>) {
        let now = rx.now();
        self.connect_more(rx);
        self.check_stage(rx);
        if self.recorder.interval_due(now) {
            self.hand_over_turns(rx);
            let gauges = self.gauges();
            self.recorder.set_gauges(gauges);
            self.recorder.hand_over(now);
            if let Some(reason) = (self.watch)() {
                self.lose_target(rx, reason);
            }
        }
        self.arm_clock(rx);
    }

    /// Measures how late the loop serves a timer, whatever else it does.
    pub(super) fn beat(&mut self, rx: &mut Reactor<Owner>) {
        let now = rx.now();
        self.recorder.lag(nanoseconds(now.saturating_duration_since(self.next_heartbeat)));
        self.next_heartbeat = now + HEARTBEAT;
        rx.arm(self.heartbeat, Some(self.next_heartbeat));
    }

    /// Goes on to the next stage when this one is done.
    pub(super) fn check_stage(&mut self, rx: &mut Reactor<Owner>) {
        let now = rx.now();
        match self.recorder.stage() {
            Stage::Preload if self.preload_is_done() => self.begin_operations(rx),
            Stage::Warmup if now >= self.times.warmup_end => self.enter(rx, Stage::Measure),
            Stage::Measure if self.times.measure_end.is_some_and(|end| now >= end) => self.end_measuring(rx),
            Stage::Drain if self.in_flight == 0 => self.begin_audit(rx),
            Stage::Drain if now >= self.times.drain_end => self.give_up_unfinished(rx),
            Stage::Audit if self.audit.is_done() => self.over = true,
            _ => {}
        }
    }

    /// The run ends early: what is under way may end, but not for long.
    pub(super) fn interrupt(&mut self, rx: &mut Reactor<Owner>) {
        match self.recorder.stage() {
            Stage::Preload => {
                let why = self.lost_target.take().unwrap_or_else(|| "interrupted".to_owned());
                self.fatal = Some(why + " before anything was measured");
                self.over = true;
            }
            Stage::Warmup | Stage::Measure => {
                self.end_measuring(rx);
                self.times.drain_end = self.times.drain_end.min(rx.now() + INTERRUPTED_DRAIN);
                self.arm_clock(rx);
            }
            Stage::Drain | Stage::Audit => self.over = true,
        }
    }

    /// No new operations; those under way may end.
    pub(super) fn end_measuring(&mut self, rx: &mut Reactor<Owner>) {
        self.times.drain_end = rx.now() + self.scenario.run.drain;
        self.enter(rx, Stage::Drain);
        for client in &mut self.clients {
            client.waiting = None;
            rx.arm(client.timer, None);
        }
        self.arm_clock(rx);
    }

    /// Hands the loop's own counts to the recorder.
    pub(super) fn hand_over_turns(&mut self, rx: &mut Reactor<Owner>) {
        let fresh = self.spare_stats.take().unwrap_or_default();
        let mut full = rx.take_stats(fresh);
        self.recorder.add_turns(full.turns, &full.busy);
        full.clear();
        self.spare_stats = Some(full);
    }

    pub(super) fn next_preload(&mut self, rx: &mut Reactor<Owner>, index: usize) {
        if !self.is_session_ready(rx, index) {
            return;
        }
        if index < PRELOADERS
            && self.fatal.is_none()
            && let Some((name, content)) = self.preload.pop_front()
        {
            self.begin(rx, index, Task::Preload { name, content });
        }
    }

    pub(super) fn take_in_preload(&mut self, name: &str, ended: &mut Ended) {
        match outcome::judge(&mut ended.finished, &Expect::Ok, &ended.dialogue) {
            SampleResult::Good { .. } => {
                self.shared.known.add(name);
                self.preload_done += 1;
            }
            SampleResult::Failed(report) => self.fail_start(&format!("{name} could not be put in place"), &report),
        }
    }

    pub(super) fn next_read_back(&mut self, rx: &mut Reactor<Owner>, index: usize) {
        if self.audit.is_empty() || !self.is_session_ready(rx, index) {
            return;
        }
        if let Some((name, content)) = self.audit.next() {
            self.begin(rx, index, Task::ReadBack { name, content });
        }
    }

    pub(super) fn take_in_read_back(&mut self, name: &str, ended: &mut Ended) {
        match outcome::judge(&mut ended.finished, &Expect::Ok, &ended.dialogue) {
            SampleResult::Good { .. } => self.audit.read_back += 1,
            SampleResult::Failed(report) => self.lose_read_back(name, *report),
        }
    }

    /// Outside of the measurement: whether there is a session for the next task; if not, one is begun.
    fn is_session_ready(&mut self, rx: &mut Reactor<Owner>, index: usize) -> bool {
        let client = &self.clients[index];
        if client.needs_log_in(&self.shared) {
            self.begin(rx, index, Task::LogIn(None));
            return false;
        }
        // Only the tickets of TLS count here.
        if client.wants_new_session(None) {
            self.begin(rx, index, Task::Goodbye(None));
            return false;
        }
        true
    }

    /// A log-in outside of the measurement has failed: the start has, or the reading back of one more file.
    pub(super) fn fail_unrecorded_log_in(&mut self, report: &FailureReport) {
        match self.recorder.stage() {
            Stage::Preload => self.fail_start("no log-in", report),
            Stage::Audit => {
                if let Some((name, _)) = self.audit.next() {
                    self.lose_read_back(&name, report.clone());
                }
            }
            Stage::Warmup | Stage::Measure | Stage::Drain => {}
        }
    }

    fn lose_read_back(&mut self, name: &str, mut report: FailureReport) {
        self.audit.read_back += 1;
        self.audit.failed += 1;
        report.text = format!("{name}: {}: {}", report.kind.word(), report.text);
        report.kind = FailureKind::LostUpload;
        self.recorder.lost_upload(self.upload_operation(name), &report);
    }

    /// A task for which there was no socket.
    pub(super) fn fail_unbegun(&mut self, rx: &mut Reactor<Owner>, index: usize, error: &io::Error) {
        let report = FailureReport {
            kind: FailureKind::Local,
            phase: Phase::Connect,
            code: None,
            text: error.to_string(),
            transcript: Vec::new(),
        };
        match self.clients[index].take_unbegun() {
            Some(Task::Planned { planned, due, taken, warmup }) => {
                let phases = outcome::phases(due, taken, &Default::default(), rx.refresh_now());
                let operation = planned.operation;
                let result = SampleResult::Failed(Box::new(report));
                self.recorder.record(&Sample { operation, warmup, phases, bytes_in: 0, bytes_out: 0, result });
                self.retry_later(rx, index);
            }
            Some(Task::Preload { .. }) => self.fail_start("no session", &report),
            Some(Task::ReadBack { .. }) => {
                self.audit.read_back += 1;
                self.audit.failed += 1;
            }
            Some(Task::LogIn(Some(mark))) => {
                let client::Mark { operation, begun, warmup } = mark;
                let phases = outcome::phases(begun, begun, &Default::default(), rx.refresh_now());
                let result = SampleResult::Failed(Box::new(report));
                self.recorder.record(&Sample { operation, warmup, phases, bytes_in: 0, bytes_out: 0, result });
                self.retry_later(rx, index);
            }
            Some(Task::LogIn(None)) => self.fail_unrecorded_log_in(&report),
            Some(Task::Aside { .. } | Task::Goodbye(_)) | None => {}
        }
    }

    /// The client's next operation, but not before the server had a rest.
    pub(super) fn retry_later(&mut self, rx: &mut Reactor<Owner>, index: usize) {
        // What waited for a log-in is tried again with the next.
        let client = &mut self.clients[index];
        let planned = client.waiting.take().map_or_else(|| client.plan.next(), |(planned, _)| planned);
        let pause = RETRY_PAUSE.max(Duration::from_nanos(planned.think_ns));
        let due = rx.now() + pause;
        self.wait_for(rx, index, planned, due);
    }

    fn fail_start(&mut self, what: &str, report: &FailureReport) {
        let code = report.code.map(|code| format!(" ({code})")).unwrap_or_default();
        self.fatal.get_or_insert(format!("{what}: {}{code}", report.text));
        self.over = true;
    }

    /// Begins as many first connects as the scenario's rate allows by now.
    fn connect_more(&mut self, rx: &mut Reactor<Owner>) {
        if self.recorder.stage() != Stage::Preload {
            return;
        }
        let elapsed = rx.now().saturating_duration_since(self.times.start);
        let allowed = match self.scenario.clients.connect_rate {
            None => self.sessions_wanted(),
            Some(rate) => ((elapsed.as_secs_f64() * rate) as usize + 1).min(self.sessions_wanted()),
        };
        while self.connects_begun < allowed && self.fatal.is_none() {
            let index = self.connects_begun;
            self.connects_begun += 1;
            let opened = match self.clients.get_mut(index) {
                Some(client) => client.connect(rx, &self.shared),
                None => self.idle.open(rx, &self.shared),
            };
            match opened {
                Ok(()) if index < self.clients.len() => self.next_preload(rx, index),
                Ok(()) => {}
                Err(error) => {
                    self.fatal = Some(format!("session {} of {}: {error}", index + 1, self.sessions_wanted()));
                    self.over = true;
                }
            }
        }
    }

    fn preload_is_done(&mut self) -> bool {
        if self.connects_begun < self.sessions_wanted() || self.preload_done < self.preload_total || self.in_flight > 0
        {
            return false;
        }
        // A session that was refused or lost shows as such in the report; only all of them missing is no start.
        let pending = |connected: bool, closed: bool| !connected && !closed;
        let clients_pending = self.clients.iter_mut().any(|client| {
            client.connection().is_some_and(|connection| pending(connection.is_connected(), connection.is_closed()))
        });
        !clients_pending && self.idle.begun() == self.idle.connected() + self.idle.lost as usize
    }

    fn begin_operations(&mut self, rx: &mut Reactor<Owner>) {
        if !self.clients.iter().any(client::Client::is_connected) {
            self.fatal = Some("no session could be made: the target refuses or does not answer".to_owned());
            self.over = true;
            return;
        }
        let now = rx.refresh_now();
        self.times.warmup_end = now + self.scenario.run.warmup;
        self.times.measure_end = self.scenario.run.duration.map(|duration| self.times.warmup_end + duration);
        let stage = if self.scenario.run.warmup.is_zero() { Stage::Measure } else { Stage::Warmup };
        self.enter(rx, stage);
        for index in 0..self.clients.len() {
            self.next_operation(rx, index);
            self.advance(rx, index);
        }
        self.arm_clock(rx);
    }

    fn give_up_unfinished(&mut self, rx: &mut Reactor<Owner>) {
        let now = rx.now();
        for client in &mut self.clients {
            if let Some((operation, due)) = client.under_way() {
                let age = now.saturating_duration_since(due);
                self.unfinished.push(Unfinished { operation, age });
            }
            if client.is_busy() {
                client.stop(rx);
            }
        }
        self.in_flight = 0;
        self.begin_audit(rx);
    }

    fn begin_audit(&mut self, rx: &mut Reactor<Owner>) {
        if self.scenario.verify.contents && !self.interrupted && self.lost_target.is_none() {
            self.audit = Audit::of(self.clients.iter().flat_map(|client| &client.uploads));
        }
        self.enter(rx, Stage::Audit);
        for index in 0..self.clients.len() {
            self.next_read_back(rx, index);
            self.advance(rx, index);
        }
        self.arm_clock(rx);
    }

    /// The target is gone: there is nothing more to measure.
    fn lose_target(&mut self, rx: &mut Reactor<Owner>, reason: String) {
        self.lost_target.get_or_insert(reason);
        self.interrupt(rx);
    }

    fn enter(&mut self, rx: &mut Reactor<Owner>, stage: Stage) {
        self.hand_over_turns(rx);
        let gauges = self.gauges();
        self.recorder.set_gauges(gauges);
        let now = rx.refresh_now();
        self.recorder.enter(stage, now);
    }

    fn upload_operation(&self, name: &str) -> usize {
        let operations = &self.scenario.operations;
        let made_by = |operation: &crate::scenario::Operation| {
            name.strip_prefix(&*operation.name).is_some_and(|rest| rest.starts_with("-c"))
        };
        operations.iter().position(made_by).unwrap_or(0)
    }

    fn arm_clock(&mut self, rx: &mut Reactor<Owner>) {
        let stage_end = match self.recorder.stage() {
            Stage::Preload if self.connects_begun < self.sessions_wanted() => Some(rx.now() + CONNECT_STEP),
            Stage::Preload | Stage::Audit => None,
            Stage::Warmup => Some(self.times.warmup_end),
            Stage::Measure => self.times.measure_end,
            Stage::Drain => Some(self.times.drain_end),
        };
        let next = stage_end.map_or(self.recorder.next_hand_over(), |end| end.min(self.recorder.next_hand_over()));
        rx.arm(self.clock, Some(next));
    }
}

/// How often the loop measures its own lag: often enough for a p99 of a short run, seldom enough to cost nothing.
const HEARTBEAT: Duration = Duration::from_millis(10);

/// How often first connects are begun when they have a rate.
const CONNECT_STEP: Duration = Duration::from_millis(5);

/// How long operations may go on after Ctrl-C.
const INTERRUPTED_DRAIN: Duration = Duration::from_secs(2);

/// Clients that put files in place: enough to be fast, few enough not to be the first load test.
const PRELOADERS: usize = 16;
