//! The reporting thread: takes in intervals, writes them down, gives the empty sets back.
//!
//! Must not know the event loop beyond its messages.
//!
//! Invariants: each interval is added to the totals and written before its set is given back; nothing is kept of an
//! interval but its sums and one point of each line of blocks.

use std::io::Write;
use std::sync::mpsc::{Receiver, Sender};
use std::time::{Instant, SystemTime};

use hdrhistogram::serialization::V2DeflateSerializer;

use crate::process::Process;
use crate::record::{EndOfRun, IntervalSet, Measure, Message, OperationSet, Series, Stage};
use crate::scenario::model::Scenario;

use super::files::csv::{self, IntervalRow, When};
use super::files::directory::{ResultsDirectory, RunFile};
use super::files::environment::cores_allowed;
use super::files::hlog::{LatencyLog, Span};
use super::files::{hgrm, plot};
use super::outcome::{self, Outcome};
use super::screen::{History, Progress, View};
use super::summary::{Summary, ThresholdResult};
use super::threshold::{self, Figures};
use super::totals::{Timeline, Totals};
use super::usage::{Usage, Watched};
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

/// The files that are written as the run goes.
#[derive(Debug)]
pub(super) struct RunFiles {
    latency: RunFile,
    intervals: RunFile,
    generator: RunFile,
    server: Option<RunFile>,
}

impl RunFiles {
    /// Makes them, with their heads.
    ///
    /// # Errors
    /// When one cannot be made.
    pub fn open(directory: &ResultsDirectory, server: bool) -> Result<RunFiles, super::FileError> {
        let table = |name: &str, head: &str| {
            let mut file = directory.open(name)?;
            writeln!(file, "{head}").expect("a RunFile takes all bytes");
            Ok(file)
        };
        Ok(RunFiles {
            latency: directory.open("latency.hlog")?,
            intervals: table("intervals.csv", csv::INTERVALS_HEAD)?,
            generator: table("generator.csv", csv::GENERATOR_HEAD)?,
            server: if server { Some(table("server.csv", csv::SERVER_HEAD)?) } else { None },
        })
    }
}

/// Runs the thread until the end of the run; `None` when the run went away without one.
pub(super) fn run(start: Start) -> Option<Summary> {
    let Start { config, directory, files, created, messages, give_back } = start;
    let RunFiles { mut latency, mut intervals, mut generator, mut server } = files;
    let mut reporter = Reporter::new(&config, &directory, created);
    let mut serializer = V2DeflateSerializer::new();
    // The log's times count from the start of the operations, which is known when they start.
    let mut log = None;
    let mut latency = Some(&mut latency);
    let mut serializer = Some(&mut serializer);
    while let Ok(message) = messages.recv() {
        match message {
            Message::Stage(stage, at) => {
                reporter.enter(stage, at);
                if let (Some(file), Some(serializer)) = (latency.take_if(|_| stage.has_operations()), serializer.take())
                {
                    let base = reporter.time_of_day(at);
                    let log_started = LatencyLog::begin(file, serializer, &log_comment(&config), base);
                    log = Some(log_started.expect("a RunFile takes all bytes"));
                }
            }
            Message::Interval(mut set) => {
                reporter.take_in(&mut set);
                if let Some(log) = log.as_mut().filter(|_| set.stage.has_operations()) {
                    reporter.write_log(log, &set);
                    reporter.write_intervals(&mut intervals, &set);
                    reporter.write_processes(&mut generator, server.as_mut(), &set);
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

fn log_comment(config: &ReportConfig) -> String {
    format!("{}: values in ns; untagged: response of all good operations", config.scenario.name)
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
    usage: (Option<Usage>, Option<Usage>),
    /// Response times of the last interval: one for each operation, and of all; warm-up included.
    response: Vec<Series>,
    all_response: Series,
    tags: Tags,
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
            usage: (None, None),
            response: (0..operations).map(|_| Series::new()).collect(),
            all_response: Series::new(),
            tags: Tags::new(scenario),
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
        self.all_response.reset();
        for (index, response) in self.response.iter_mut().enumerate() {
            response.reset();
            for half in [&set.measured[index], &set.warmup[index]] {
                if let Some(series) = half.series(Measure::Response) {
                    response.add(series);
                }
            }
            self.all_response.add(response);
        }
        self.usage = (self.generator.look(), self.server.as_mut().and_then(Watched::look));
        if set.stage.has_operations() && seconds(set) > 0.0 {
            let rate = self.all_response.count() as f64 / seconds(set);
            self.history.add(rate, self.all_response.percentile(99.0) as f64);
        }
    }

    fn write_log<W: Write>(&self, log: &mut LatencyLog<'_, W>, set: &IntervalSet) {
        let start = set.from.saturating_duration_since(self.timeline.zero());
        let span = Span { start, length: set.to.saturating_duration_since(set.from) };
        let mut all = Series::new();
        for operation in &set.measured {
            if let Some(response) = operation.series(Measure::Response) {
                all.add(response);
            }
        }
        log.add(all.histogram(), span, None);
        for (sets, tags) in [(&set.measured, &self.tags.measured), (&set.warmup, &self.tags.warmup)] {
            for (operation, tags) in sets.iter().zip(tags) {
                for (measure, tag) in Measure::all().zip(tags) {
                    if let Some(series) = operation.series(measure) {
                        log.add(series.histogram(), span, Some(tag));
                    }
                }
            }
        }
        log.add(set.lag.histogram(), span, Some("generator.lag"));
        log.add(set.turn.histogram(), span, Some("generator.turn"));
    }

    fn write_intervals(&self, out: &mut RunFile, set: &IntervalSet) {
        let when = self.when(set);
        let mut all = IntervalRow {
            operation: "all",
            offered: set.due.iter().sum(),
            started: set.started.iter().sum(),
            counts: Default::default(),
            response: &self.all_response,
            gauges: Some(set.gauges),
        };
        for (index, operation) in self.scenario.operations.iter().enumerate() {
            let mut counts = set.measured[index].counts;
            counts.add(&set.warmup[index].counts);
            all.counts.add(&counts);
            let row = IntervalRow {
                operation: &operation.name,
                offered: set.due[index],
                started: set.started[index],
                counts,
                response: &self.response[index],
                gauges: None,
            };
            csv::interval(out, when, &row).expect("a RunFile takes all bytes");
        }
        csv::interval(out, when, &all).expect("a RunFile takes all bytes");
    }

    fn write_processes(&self, generator: &mut RunFile, server: Option<&mut RunFile>, set: &IntervalSet) {
        let when = self.when(set);
        let (own, served) = &self.usage;
        csv::generator(generator, when, set, own.as_ref()).expect("a RunFile takes all bytes");
        if let (Some(out), Some(usage)) = (server, served) {
            csv::server(out, when, usage).expect("a RunFile takes all bytes");
        }
    }

    fn when(&self, set: &IntervalSet) -> When {
        let time_s = set.from.saturating_duration_since(self.timeline.zero()).as_secs_f64();
        When { time_s, length_s: seconds(set), stage: set.stage.word() }
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
            response: &self.all_response,
            history: &self.history,
            generator: self.usage.0,
            server: self.usage.1,
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
        summary.notes.extend(self.directory.problems().words());
        let told = self.directory.problems().words().len();
        self.directory.write("summary.json", &summary.to_json());
        self.directory.write("summary.txt", &text::plain(summary));
        summary.notes.extend(self.directory.problems().words().split_off(told));
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

/// The tags of the log, made once.
struct Tags {
    measured: Vec<Vec<String>>,
    warmup: Vec<Vec<String>>,
}

impl Tags {
    fn new(scenario: &Scenario) -> Tags {
        let tags = |prefix: &str| {
            let of = |name: &str| Measure::all().map(|measure| format!("{prefix}{name}.{}", measure.word())).collect();
            scenario.operations.iter().map(|operation| of(&operation.name)).collect()
        };
        Tags { measured: tags(""), warmup: tags("warmup.") }
    }
}

fn seconds(set: &IntervalSet) -> f64 {
    set.to.saturating_duration_since(set.from).as_secs_f64()
}
