//! The reporting thread: takes in intervals, writes them down, gives the empty sets back.
//!
//! Must not know the event loop beyond its messages.
//!
//! Invariants: each interval is added to the totals and written before its set is given back; nothing is kept of an
//! interval but its sums and one point of each line of blocks.

use std::sync::mpsc::{Receiver, Sender};
use std::time::{Instant, SystemTime};

use hdrhistogram::serialization::V2DeflateSerializer;

use crate::process::Process;
use crate::record::{EndOfRun, IntervalSet, Measure, Message, OperationSet, Stage};
use crate::scenario::model::Scenario;

use super::files::directory::ResultsDirectory;
use super::files::environment::cores_allowed;
use super::files::{csv, hgrm, plot};
use super::journal::{Journal, RunFiles, seconds};
use super::outcome::{self, Outcome};
use super::screen::{History, Progress, View};
use super::summary::{Summary, ThresholdResult};
use super::threshold::{self, Figures};
use super::totals::{Responses, Timeline, Totals};
use super::usage::{Usages, Watched};
use super::{ReportConfig, text};

/// What the thread starts with.
#[derive(Debug)]
pub(super) struct Start {
    pub config: ReportConfig,
    pub directory: ResultsDirectory,
    pub files: RunFiles,
    /// The same moment on both clocks.
    pub created: (Instant, SystemTime),
    pub messages: Receiver<Message>,
    pub give_back: Sender<Box<IntervalSet>>,
}

/// Runs the thread until the end of the run; `None` when the run went away without one.
pub(super) fn run(start: Start) -> Option<Summary> {
    let Start { config, directory, mut files, created, messages, give_back } = start;
    let mut reporter = Reporter::new(&config, &directory, created);
    let mut serializer = V2DeflateSerializer::new();
    // The journal's times count from the start of the operations, which is known when they start.
    let mut parts = Some((&mut files, &mut serializer));
    let mut journal: Option<Journal<'_>> = None;
    while let Ok(message) = messages.recv() {
        match message {
            Message::Stage(stage, at) => {
                reporter.enter(stage, at);
                if stage.has_operations()
                    && let Some((files, serializer)) = parts.take()
                {
                    let zero = (at, reporter.time_of_day(at));
                    journal = Some(Journal::begin(files, serializer, &config.scenario, zero));
                }
            }
            Message::Interval(mut set) => {
                reporter.take_in(&mut set);
                if let Some(journal) = journal.as_mut().filter(|_| set.stage.has_operations()) {
                    journal.add(&set, &reporter.response, &reporter.usage);
                }
                reporter.show(&set);
                set.reset();
                // Nobody waits for it after the last one.
                let _ = give_back.send(set);
            }
            Message::End(end, at) => return Some(reporter.end(&end, at)),
        }
    }
    None
}

/// What the thread keeps.
struct Reporter<'a> {
    config: &'a ReportConfig,
    scenario: &'a Scenario,
    directory: &'a ResultsDirectory,
    created: (Instant, SystemTime),
    timeline: Timeline,
    totals: Totals,
    generator: Watched,
    server: Option<Watched>,
    /// What the processes used in the last interval.
    usage: Usages,
    response: Responses,
    history: History,
    progress: Progress,
    stage: Stage,
}

impl<'a> Reporter<'a> {
    fn new(config: &'a ReportConfig, directory: &'a ResultsDirectory, created: (Instant, SystemTime)) -> Reporter<'a> {
        let scenario = &config.scenario;
        let operations = scenario.operations.len();
        Reporter {
            config,
            scenario,
            directory,
            created,
            timeline: Timeline::new(created.0),
            totals: Totals::new(operations),
            generator: Watched::new(Process::own()),
            server: config.server_pid.map(|pid| Watched::new(Process::new(pid))),
            usage: Usages::default(),
            response: Responses::new(operations),
            history: History::default(),
            progress: Progress::new(config.screen),
            stage: Stage::Preload,
        }
    }

    fn enter(&mut self, stage: Stage, at: Instant) {
        if self.stage == Stage::Measure {
            self.generator.end_window();
            self.server.iter_mut().for_each(Watched::end_window);
        }
        if stage == Stage::Measure {
            self.generator.begin_window();
            self.server.iter_mut().for_each(Watched::begin_window);
        }
        self.timeline.enter(stage, at);
        self.stage = stage;
    }

    /// Adds an interval to the totals and looks at the processes.
    fn take_in(&mut self, set: &mut IntervalSet) {
        self.totals.add(set);
        self.response.take_in(set);
        self.usage = Usages { generator: self.generator.look(), server: self.server.as_mut().and_then(Watched::look) };
        if set.stage.has_operations() && seconds(set) > 0.0 {
            let rate = self.response.all.count() as f64 / seconds(set);
            self.history.add(rate, self.response.all.percentile(99.0) as f64);
        }
    }

    fn show(&mut self, set: &IntervalSet) {
        let thresholds = self.thresholds(set.to);
        let view = View {
            scenario: self.scenario,
            target: &self.config.target_text,
            stage: set.stage,
            stage_s: self.timeline.begun(set.stage).map_or(0.0, |begun| (set.to - begun).as_secs_f64()),
            time_s: set.to.saturating_duration_since(self.timeline.zero()).as_secs_f64(),
            totals: &self.totals,
            interval: set,
            interval_s: seconds(set),
            response: &self.response.all,
            history: &self.history,
            generator: self.usage.generator,
            server: self.usage.server,
            thresholds: &thresholds,
        };
        self.progress.show(&view);
    }

    /// The thresholds as they would be judged now.
    fn thresholds(&self, now: Instant) -> Vec<ThresholdResult> {
        let figures = Figures {
            totals: &self.totals,
            window_s: self.timeline.length(Stage::Measure, now).as_secs_f64(),
            verification_failures: self.totals.failures.verification(),
            generator: self.generator.window(),
            server: self.server.as_ref().and_then(Watched::window),
            server_rss_max: self.server.as_ref().and_then(Watched::rss_max),
            generator_rss_max: self.generator.rss_max(),
        };
        self.scenario.thresholds.iter().map(|threshold| threshold::evaluate(threshold, &figures)).collect()
    }

    fn time_of_day(&self, at: Instant) -> SystemTime {
        self.created.1 + at.saturating_duration_since(self.created.0)
    }

    fn end(&mut self, end: &EndOfRun, now: Instant) -> Summary {
        if self.stage == Stage::Measure {
            // An interrupted run may go straight to its end.
            self.generator.end_window();
            self.server.iter_mut().for_each(Watched::end_window);
        }
        self.timeline.end(now);
        self.progress.clear();
        let mut summary = self.summary(end, now);
        self.write_results(&mut summary);
        summary
    }

    fn summary(&self, end: &EndOfRun, now: Instant) -> Summary {
        let outcome = Outcome {
            scenario: self.scenario,
            target: &self.config.target_text,
            digest: &self.config.digest,
            directory: &self.directory.path().display().to_string(),
            created: self.created,
            timeline: &self.timeline,
            totals: &self.totals,
            generator: &self.generator,
            server: self.config.server_pid.zip(self.server.as_ref()),
            cores: cores_allowed(),
            end,
            now,
        };
        outcome.summary()
    }

    /// Writes the files of the end, the summary last: it tells what could not be written before.
    fn write_results(&self, summary: &mut Summary) {
        for (index, operation) in self.scenario.operations.iter().enumerate() {
            self.write_hgrm(&operation.name, &self.totals.measured[index]);
        }
        self.write_hgrm("all", &self.totals.all);
        self.directory.write("errors.csv", &csv::errors(&summary.errors));
        self.write_transcripts();
        match self.plot(summary) {
            Ok(svg) => self.directory.write("latency.svg", &svg),
            Err(error) => summary.notes.push(format!("no latency.svg: {error}")),
        }
        let problems = self.directory.problems().words();
        summary.notes.extend(problems.iter().cloned());
        self.directory.write("summary.json", &summary.to_json());
        self.directory.write("summary.txt", &text::plain(summary));
        // The screen at least tells that the summary itself could not be written.
        let more = self.directory.problems().words().into_iter().filter(|words| !problems.contains(words));
        summary.notes.extend(more);
    }

    fn write_hgrm(&self, name: &str, set: &OperationSet) {
        for measure in Measure::all() {
            if let Some(series) = set.series(measure).filter(|series| series.count() > 0) {
                self.directory.write(&format!("hgrm/{name}.{}.hgrm", measure.word()), &hgrm::table(series));
            }
        }
    }

    fn write_transcripts(&self) {
        let mut number = 0;
        for (key, row) in self.totals.failures.rows() {
            for transcript in &row.transcripts {
                number += 1;
                let name = format!("errors/{number:02}-{}.txt", outcome::failure_stem(self.scenario, key));
                self.directory.write(&name, &(transcript.join("\n") + "\n"));
            }
        }
    }

    fn plot(&self, summary: &Summary) -> Result<String, String> {
        let curves: Vec<plot::Curves<'_>> = (self.scenario.operations.iter().zip(&self.totals.measured))
            .filter_map(|(operation, set)| {
                let response = set.series(Measure::Response)?;
                (response.count() > 0).then(|| plot::Curves {
                    name: &operation.name,
                    response,
                    service: set.series(Measure::Service),
                })
            })
            .collect();
        let title = format!("{}: latency by percentile", summary.name);
        let subtitle = format!("{}, seed {}, {}", summary.load, summary.seed, summary.started);
        plot::draw(&title, &subtitle, &curves)
    }
}
