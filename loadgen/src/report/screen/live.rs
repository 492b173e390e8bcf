//! The screen that is redrawn in place each interval.
//!
//! A frame is written at once, over the one before, each line cut off at the width of the terminal and cleared behind
//! its end: nothing flickers, and nothing wraps.

use std::io::{self, Write as _};

use rustix::termios::tcgetwinsize;

use crate::record::{Measure, OperationSet, Stage};
use crate::report::text::bars;
use crate::report::text::line::{Line, Style, Table};
use crate::report::text::numbers;
use crate::report::usage::Usage;
use crate::scenario::model::Scenario;

use super::View;

/// The drawn screen.
#[derive(Debug)]
pub(crate) struct Live {
    colours: bool,
    /// Lines drawn, to be drawn over.
    drawn: usize,
}

impl Live {
    pub fn new(colours: bool) -> Live {
        Live { colours, drawn: 0 }
    }

    /// Draws an interval over the one before.
    pub fn show(&mut self, view: &View<'_>) {
        let (columns, rows) = size();
        write(&self.draw(view, columns, rows));
    }

    fn draw(&mut self, view: &View<'_>, columns: usize, rows: usize) -> String {
        let mut lines = frame(view, columns);
        // The cursor needs a row of its own below.
        lines.truncate(rows.saturating_sub(1));
        let frame = self.over_the_last(&lines, columns);
        self.drawn = lines.len();
        frame
    }

    /// Makes room for the result.
    pub fn clear(&mut self) {
        let frame = self.over_the_last(&[], 0);
        self.drawn = 0;
        write(&frame);
    }

    fn over_the_last(&self, lines: &[Line], columns: usize) -> String {
        let mut out = String::new();
        if self.drawn > 0 {
            out += &format!("\r\x1b[{}A", self.drawn);
        }
        for line in lines {
            out += &line.fitted(columns, self.colours);
            out += "\x1b[K\n";
        }
        out + "\x1b[J"
    }
}

fn write(frame: &str) {
    let mut stderr = io::stderr().lock();
    // A terminal that went away must not end the run.
    let _ = stderr.write_all(frame.as_bytes()).and_then(|()| stderr.flush());
}

fn size() -> (usize, usize) {
    match tcgetwinsize(io::stderr()) {
        Ok(size) if size.ws_col > 0 && size.ws_row > 0 => (size.ws_col.into(), size.ws_row.into()),
        _ => (80, 24),
    }
}

fn frame(view: &View<'_>, columns: usize) -> Vec<Line> {
    let mut lines = vec![title(view, columns), progress(view, columns)];
    if matches!(view.stage, Stage::Preload | Stage::Audit) {
        return lines;
    }
    lines.push(Line::new());
    lines.extend(operations(view));
    lines.push(Line::new());
    lines.push(history(view));
    lines.push(processes(view));
    if !view.thresholds.is_empty() {
        lines.push(thresholds(view));
    }
    lines
}

fn title(view: &View<'_>, columns: usize) -> Line {
    let load = crate::report::outcome::load_text(view.scenario);
    let mut line = Line::of(Style::Bold, view.scenario.name.as_str());
    line.push(Style::Normal, format!("  {load}, seed {}", view.scenario.seed));
    let target = Line::of(Style::Dim, format!("target {}", view.target));
    line.pad_to(columns.saturating_sub(target.width()).min(TABLE_COLUMNS).max(line.width() + 3));
    line.append(target);
    line
}

fn progress(view: &View<'_>, columns: usize) -> Line {
    let (share, text) = stage_progress(view);
    let wide = columns.saturating_sub(56).clamp(10, 44);
    let (full, rest) = bars::progress(share, wide);
    let mut line = Line::of(Style::Bold, format!("{:<8}", view.stage.word()));
    line.push(Style::Good, full);
    line.push(Style::Dim, rest);
    line.push(Style::Normal, format!("  {text}"));
    if matches!(view.stage, Stage::Preload | Stage::Audit) {
        return line;
    }
    let (good, _) = view.totals.finished();
    let failed = view.totals.failures.operations();
    line.push(Style::Normal, format!("   done {}   ", numbers::count(good)));
    line.push(if failed > 0 { Style::Bad } else { Style::Normal }, format!("failed {}", numbers::count(failed)));
    match view.totals.failures.verification() {
        0 if view.scenario.verify.contents => line.push(Style::Good, "   all verified"),
        0 => (),
        wrong => line.push(Style::Bad, format!("   {} WRONG", numbers::count(wrong))),
    }
    line
}

/// How much of the stage is done, as a share and in words.
fn stage_progress(view: &View<'_>) -> (f64, String) {
    let Scenario { run, .. } = view.scenario;
    let of = |length: f64| {
        let share = if length > 0.0 { view.stage_s / length } else { 1.0 };
        (share, format!("{:.1} / {:.1} s", view.stage_s.min(length), length))
    };
    match view.stage {
        Stage::Warmup => of(run.warmup.as_secs_f64()),
        Stage::Drain => of(run.drain.as_secs_f64()),
        Stage::Measure => {
            let (good, failed) = view.totals.finished();
            let counted = run.operations.map(|all| ((good + failed) as f64 / all.max(1) as f64, all));
            let timed = run.duration.map(|duration| of(duration.as_secs_f64()));
            match (timed, counted) {
                (Some((share, text)), Some((by_count, _))) => (share.max(by_count), text),
                (Some(timed), None) => timed,
                (None, Some((share, all))) => (share, format!("of {} operations", numbers::count(all))),
                (None, None) => (0.0, numbers::seconds(view.stage_s)),
            }
        }
        Stage::Preload | Stage::Audit => {
            let gauges = view.interval.gauges;
            let share = gauges.steps_done as f64 / gauges.steps_total.max(1) as f64;
            let what = if view.stage == Stage::Preload { "files put in place" } else { "uploads read back" };
            let (done, total) = (numbers::count(gauges.steps_done), numbers::count(gauges.steps_total));
            (share, format!("{done} of {total} {what}"))
        }
    }
}

fn operations(view: &View<'_>) -> Vec<Line> {
    let mut table = Table::new();
    let head = ["", "now/s", "total", "response ms", "p50", "p90", "p99", "max", "errors", "MB/s"];
    table.row(Style::Dim, head.map(str::to_owned));
    // The warm-up has figures of its own until the measured ones begin.
    let warm = view.stage == Stage::Warmup;
    let totals = if warm { &view.totals.warmup } else { &view.totals.measured };
    for (index, operation) in view.scenario.operations.iter().enumerate() {
        let now = [&view.interval.measured[index], &view.interval.warmup[index]];
        table.styled_row(operation_row(&operation.name, &totals[index], now, view.interval_s));
    }
    table.lines()
}

fn operation_row(name: &str, total: &OperationSet, now: [&OperationSet; 2], seconds: f64) -> Vec<(Style, String)> {
    let per_second = |count: u64| if seconds > 0.0 { count as f64 / seconds } else { 0.0 };
    let good = now.iter().map(|set| set.counts.good).sum();
    let bytes = now.iter().map(|set| set.counts.bytes_in + set.counts.bytes_out).sum();
    let response = total.series(Measure::Response);
    let percentile = |p: f64| numbers::ms_or_dash(response.and_then(|series| series.supported_percentile(p)));
    let failed = total.counts.failed;
    vec![
        (Style::Bold, name.to_owned()),
        (Style::Normal, numbers::count(per_second(good).round() as u64)),
        (Style::Normal, numbers::count(total.counts.good)),
        (Style::Normal, String::new()),
        (Style::Normal, percentile(50.0)),
        (Style::Normal, percentile(90.0)),
        (Style::Normal, percentile(99.0)),
        (Style::Normal, numbers::ms_or_dash(response.filter(|series| series.count() > 0).map(|series| series.max()))),
        (if failed > 0 { Style::Bad } else { Style::Normal }, numbers::count(failed)),
        (Style::Normal, numbers::rate(per_second(bytes) / 1e6)),
    ]
}

fn history(view: &View<'_>) -> Line {
    let history = view.history;
    let last = |values: &std::collections::VecDeque<f64>| values.back().copied().unwrap_or(0.0);
    Line::of(Style::Dim, "ops/s   ")
        .with(Style::Good, bars::blocks(history.rate.iter(), BLOCKS))
        .plain(format!("  {}", numbers::count(last(&history.rate).round() as u64)))
        .with(Style::Dim, "     p99 ms  ")
        .with(Style::Warning, bars::blocks(history.p99.iter(), BLOCKS))
        .plain(format!("  {}", numbers::ms(last(&history.p99) as u64)))
}

fn processes(view: &View<'_>) -> Line {
    let mut line = Line::new();
    if let Some(server) = view.server {
        line.push(Style::Dim, "server  ");
        line.push(Style::Normal, usage_text(&server));
        if let Some(descriptors) = server.now.descriptors {
            line.push(Style::Normal, format!("  fds {}", numbers::count(descriptors)));
        }
        line.push(Style::Normal, "          ");
    }
    line.push(Style::Dim, "generator");
    if let Some(generator) = view.generator {
        let style = if generator.cpu > 0.8 { Style::Warning } else { Style::Normal };
        line.push(style, format!("  CPU {}", numbers::percent(generator.cpu)));
    }
    let set = view.interval;
    let late = if set.lag.count() > 0 { ("lag", &set.lag) } else { ("turns", &set.turn) };
    if late.1.count() > 0 {
        line.push(Style::Normal, format!("  {} p99 {}", late.0, numbers::duration(late.1.percentile(99.0))));
    }
    let gauges = set.gauges;
    line.push(Style::Normal, format!("  sessions {} of {}", gauges.sessions_open, gauges.sessions_wanted));
    line
}

fn usage_text(usage: &Usage) -> String {
    format!("CPU {}  RSS {}", numbers::percent(usage.cpu), numbers::memory(usage.now.rss))
}

fn thresholds(view: &View<'_>) -> Line {
    let mut line = Line::of(Style::Dim, "thresholds");
    for threshold in view.thresholds {
        let (style, mark) = match (threshold.value.is_some(), threshold.kept) {
            (false, _) => (Style::Dim, "·"),
            (true, true) => (Style::Good, "✓"),
            (true, false) => (Style::Bad, "✗"),
        };
        line.push(Style::Normal, format!("   {} ", threshold.that));
        line.push(style, mark);
    }
    line
}

/// The width that the tables have on a terminal that is wide enough.
const TABLE_COLUMNS: usize = 72;

/// Intervals in a line of blocks.
const BLOCKS: usize = 20;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::screen::tests::Scene;

    #[test]
    fn a_frame_shows_how_the_run_goes() {
        let mut scene = Scene::new();
        (0..2).for_each(|_| scene.run_a_second());
        let text: String = frame(&scene.view(2.0), 100).iter().map(|line| line.text() + "\n").collect();
        assert_eq!(text, include_str!("golden/frame.txt"));
    }

    #[test]
    fn a_frame_is_drawn_over_the_one_before_and_fits() {
        let mut scene = Scene::new();
        scene.run_a_second();
        let mut live = Live::new(false);
        for (columns, rows) in [(100, 40), (30, 40), (30, 5), (1, 1)] {
            let before = live.drawn;
            let frame = live.draw(&scene.view(1.0), columns, rows);
            let up = format!("\r\x1b[{before}A");
            assert_eq!(frame.starts_with(&up), before > 0, "{frame:?}");
            let body = frame.trim_start_matches(&up).trim_end_matches("\x1b[J");
            assert_eq!(body.matches('\n').count(), live.drawn);
            assert!(live.drawn < rows, "the cursor has a row of its own");
            for line in body.lines() {
                assert!(line.trim_end_matches("\x1b[K").chars().count() <= columns, "{line:?}");
            }
        }
    }
}
