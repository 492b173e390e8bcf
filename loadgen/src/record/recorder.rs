//! The recorder: the loop's end of the way from samples to reports.
//!
//! Must not know what becomes of a set once it is handed over.
//!
//! Invariants: every sample is in exactly one set, and every set is handed over exactly once; the loop never waits
//! for the reporter: when no empty set has come back, it goes on with the present one, and counts that.

use std::sync::mpsc::{Receiver, Sender};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use super::failures::TRANSCRIPTS_MAX;
use super::sample::{FailureReport, Sample, SampleResult};
use super::set::{Gauges, IntervalSet};
use crate::scenario::model::Scenario;

/// The stages of a run, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Files are put in place.
    Preload,
    /// Operations run and are recorded apart.
    Warmup,
    /// Operations run and count.
    Measure,
    /// No new operations; those under way may end.
    Drain,
    /// Uploads are read back.
    Audit,
}

impl Stage {
    /// The word used in files and on the screen.
    pub fn word(self) -> &'static str {
        match self {
            Stage::Preload => "preload",
            Stage::Warmup => "warmup",
            Stage::Measure => "run",
            Stage::Drain => "drain",
            Stage::Audit => "audit",
        }
    }

    /// Whether operations of the mix run in it.
    pub fn has_operations(self) -> bool {
        matches!(self, Stage::Warmup | Stage::Measure | Stage::Drain)
    }
}

/// What the reporter is sent.
#[derive(Debug)]
pub enum Message {
    /// A stage begins; the sets of the one before have been sent.
    Stage(Stage, Instant),
    /// An interval's recordings, to be given back empty.
    Interval(Box<IntervalSet>),
    /// Nothing more comes.
    End(EndOfRun, Instant),
}

/// What is known only when all is over.
#[derive(Debug, Clone, Default)]
pub struct EndOfRun {
    /// The user stopped it.
    pub interrupted: bool,
    /// Why the target is not there any more, when that ended the run.
    pub lost_target: Option<String>,
    /// What reading back found.
    pub audit: Audit,
    /// Operations that had not ended at the end of the drain.
    pub unfinished: Vec<Unfinished>,
}

/// Uploads read back from the server after the run.
#[derive(Debug, Clone, Copy, Default)]
pub struct Audit {
    /// Files read back.
    pub read_back: u64,
    /// Of these, the ones that were not what had been acknowledged.
    pub failed: u64,
}

/// An operation that had not ended at the end of the drain.
#[derive(Debug, Clone, Copy)]
pub struct Unfinished {
    /// Index into `Scenario::operations`.
    pub operation: usize,
    /// Since it was due.
    pub age: Duration,
}

/// Records samples on the loop.
#[derive(Debug)]
pub struct Recorder {
    present: Box<IntervalSet>,
    spare: Option<Box<IntervalSet>>,
    to_reporter: Sender<Message>,
    from_reporter: Receiver<Box<IntervalSet>>,
    interval: Duration,
    next_hand_over: Instant,
    started: Instant,
    transcripts_left: usize,
}

impl Recorder {
    /// A recorder in the stage [`Stage::Preload`], with both of its sets.
    pub fn new(
        scenario: &Scenario,
        to_reporter: Sender<Message>,
        from_reporter: Receiver<Box<IntervalSet>>,
        now: Instant,
    ) -> Recorder {
        let set = || Box::new(IntervalSet::new(scenario.operations.len(), Stage::Preload, now));
        let interval = scenario.run.interval;
        Recorder {
            present: set(),
            spare: Some(set()),
            to_reporter,
            from_reporter,
            interval,
            next_hand_over: now + interval,
            started: now,
            transcripts_left: TRANSCRIPTS_MAX,
        }
    }

    /// An operation became due.
    pub fn due(&mut self, operation: usize) {
        self.present.due[operation] += 1;
    }

    /// A session took an operation.
    pub fn started(&mut self, operation: usize) {
        self.present.started[operation] += 1;
    }

    /// An operation is over.
    pub fn record(&mut self, sample: &Sample) {
        self.present.record(sample);
        if let SampleResult::Failed(report) = &sample.result {
            let at = self.started.elapsed();
            let keep = self.transcripts_left > 0;
            let kept = self.present.failures.record(sample.operation, sample.warmup, report, at, keep);
            self.transcripts_left -= usize::from(kept);
        }
    }

    /// An acknowledged upload was not what was read back after the run: of this operation.
    pub fn lost_upload(&mut self, operation: usize, report: &FailureReport) {
        let at = self.started.elapsed();
        let kept = self.present.failures.record(operation, false, report, at, self.transcripts_left > 0);
        self.transcripts_left -= usize::from(kept);
    }

    /// A due time was served so many nanoseconds late.
    pub fn lag(&mut self, ns: u64) {
        let recorded = self.present.lag.record(ns);
        self.present.unrecordable += u64::from(recorded.is_err());
    }

    /// Takes in the loop's own count of its turns since the last time, `busy` being the nanoseconds of those that had
    /// work. To be called before [`Recorder::hand_over`], once per interval.
    pub fn add_turns(&mut self, turns: u64, busy: &Histogram<u64>) {
        self.present.turns += turns;
        self.present.turn.add_histogram(busy);
    }

    /// How things stand; the last before a hand-over is what it shows.
    pub fn set_gauges(&mut self, gauges: Gauges) {
        self.present.gauges = gauges;
    }

    /// The present stage.
    pub fn stage(&self) -> Stage {
        self.present.stage
    }

    /// When the present interval is to be handed over.
    pub fn next_hand_over(&self) -> Instant {
        self.next_hand_over
    }

    /// Whether the present interval is to be handed over.
    pub fn interval_due(&self, now: Instant) -> bool {
        now >= self.next_hand_over
    }

    /// Sends the present interval and goes on with an empty set.
    pub fn hand_over(&mut self, now: Instant) {
        while self.next_hand_over <= now {
            self.next_hand_over += self.interval;
        }
        match self.spare.take().or_else(|| self.from_reporter.try_recv().ok()) {
            Some(empty) => self.swap(empty, now),
            None => self.present.late_hand_overs += 1,
        }
    }

    /// Begins a stage: the present interval ends, the next one belongs to `stage`.
    pub fn enter(&mut self, stage: Stage, now: Instant) {
        // The border must not be blurred, so this may allocate; there are five stages.
        let empty = self.spare.take().or_else(|| self.from_reporter.try_recv().ok());
        let operations = self.present.due.len();
        self.swap(empty.unwrap_or_else(|| Box::new(IntervalSet::new(operations, stage, now))), now);
        self.present.stage = stage;
        self.next_hand_over = now + self.interval;
        self.send(Message::Stage(stage, now));
    }

    /// Sends what is left.
    pub fn finish(mut self, now: Instant) {
        self.present.to = now;
        let Recorder { present, to_reporter, .. } = self;
        // A reporter that is gone says so itself, when it is asked for the summary.
        let _ = to_reporter.send(Message::Interval(present));
    }

    fn swap(&mut self, mut empty: Box<IntervalSet>, now: Instant) {
        empty.stage = self.present.stage;
        empty.gauges = self.present.gauges;
        empty.from = now;
        let mut full = std::mem::replace(&mut self.present, empty);
        full.to = now;
        self.send(Message::Interval(full));
    }

    fn send(&self, message: Message) {
        // A reporter that is gone says so itself, when it is asked for the summary.
        let _ = self.to_reporter.send(message);
    }
}
