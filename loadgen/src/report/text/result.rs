//! The result of a run as text: the last screen, and `summary.txt`.
//!
//! Must not know anything but the [`Summary`].

use crate::record::Phase;
use crate::report::summary::{ErrorSummary, OperationSummary, Summary, ThresholdResult, Trust, percentile_name};

use super::line::{Line, Style, Table};
use super::numbers;

/// The lines of the result.
pub(crate) fn render(summary: &Summary) -> Vec<Line> {
    let mut lines = head(summary);
    let blocks = [
        broken(summary),
        operations(summary),
        phases(summary),
        circumstances(summary),
        errors(summary),
        thresholds(summary),
        notes(summary),
    ];
    for block in blocks.into_iter().filter(|block| !block.is_empty()) {
        lines.push(Line::new());
        lines.extend(block);
    }
    lines.push(Line::new());
    lines.push(Line::of(Style::Normal, summary.directory.as_str()));
    lines
}

fn head(summary: &Summary) -> Vec<Line> {
    let (style, word) = match (summary.interrupted, summary.passed) {
        (true, _) => (Style::Warning, "STOPPED"),
        (_, true) => (Style::Good, "PASS"),
        (_, false) => (Style::Bad, "FAIL"),
    };
    let mut line = Line::of(style, word).plain("  ").with(Style::Bold, summary.name.as_str());
    line.push(Style::Normal, format!("   {}", numbers::seconds(summary.window.measured_s)));
    if summary.window.warmup_s > 0.0 {
        line.push(Style::Normal, format!(" after {} warm-up", numbers::seconds(summary.window.warmup_s)));
    }
    line.push(Style::Normal, format!("   seed {}   operations {}", summary.seed, short_digest(&summary.digest)));
    let target = format!("{}   {}", summary.load, summary.target);
    let mut lines = vec![line, Line::of(Style::Dim, target)];
    if !summary.failed_because.is_empty() {
        lines.push(Line::of(Style::Bad, summary.failed_because.join(", ")));
    }
    lines
}

/// Broken thresholds come before all figures.
fn broken(summary: &Summary) -> Vec<Line> {
    let broken: Vec<_> = summary.thresholds.iter().filter(|threshold| !threshold.kept).collect();
    threshold_lines(&broken)
}

fn thresholds(summary: &Summary) -> Vec<Line> {
    let kept: Vec<_> = summary.thresholds.iter().filter(|threshold| threshold.kept).collect();
    threshold_lines(&kept)
}

fn threshold_lines(thresholds: &[&ThresholdResult]) -> Vec<Line> {
    let wide = thresholds.iter().map(|threshold| threshold.that.chars().count()).max().unwrap_or(0);
    thresholds
        .iter()
        .map(|threshold| {
            let (style, mark) = if threshold.kept { (Style::Good, "✓ ") } else { (Style::Bad, "✗ ") };
            let mut line = Line::of(style, mark).plain(threshold.that.as_str());
            line.pad_to(2 + wide + 4);
            let value =
                threshold.value.map_or_else(|| "-".to_owned(), |value| numbers::with_unit(value, threshold.unit));
            line.push(if threshold.kept { Style::Normal } else { Style::Bad }, value);
            if !threshold.note.is_empty() {
                line.push(Style::Dim, format!("   ({})", threshold.note));
            }
            line
        })
        .collect()
}

fn operations(summary: &Summary) -> Vec<Line> {
    let mut table = Table::new();
    let mut head: Vec<String> = ["operation", "done", "rate/s", "MB/s", "failed"].map(str::to_owned).to_vec();
    head.extend(summary.percentiles.iter().map(|p| percentile_name(*p)));
    head.push("max".to_owned());
    table.row(Style::Dim, head);
    for operation in &summary.operations {
        table.styled_row(operation_row(summary, operation, Style::Normal));
    }
    if summary.operations.len() > 1 {
        table.styled_row(operation_row(summary, &summary.all, Style::Bold));
    }
    let mut lines = table.lines();
    if let Some(head) = lines.first_mut() {
        head.push(Style::Dim, "   (response, ms)");
    }
    lines
}

fn operation_row(summary: &Summary, operation: &OperationSummary, style: Style) -> Vec<(Style, String)> {
    let dash = || "-".to_owned();
    let response = operation.measures.get("response");
    let failed = if operation.failed > 0 { Style::Bad } else { style };
    let mut row = vec![
        (style, operation.name.clone()),
        (style, numbers::count(operation.done)),
        (style, operation.rate.map_or_else(dash, numbers::rate)),
        (style, operation.throughput.map_or_else(dash, |bytes| numbers::rate(bytes / 1e6))),
        (failed, numbers::count(operation.failed)),
    ];
    let percentile = |p: f64| response.and_then(|response| response.percentile(p));
    row.extend(summary.percentiles.iter().map(|p| (style, numbers::ms_or_dash(percentile(*p)))));
    row.push((style, numbers::ms_or_dash(response.map(|response| response.max))));
    row
}

/// The phases that took place, of each operation: the median, and the percentile that only one in a hundred exceeds.
fn phases(summary: &Summary) -> Vec<Line> {
    let shown: Vec<&'static str> = Phase::ALL
        .into_iter()
        .map(Phase::word)
        .filter(|word| summary.all.measures.get(*word).is_some_and(|measure| measure.max > 0))
        .collect();
    if shown.is_empty() {
        return Vec::new();
    }
    let mut table = Table::new();
    table.row(Style::Dim, std::iter::once(String::new()).chain(shown.iter().map(|word| (*word).to_owned())));
    for operation in summary.operations.iter().filter(|operation| operation.done > 0) {
        let cells = shown.iter().map(|word| {
            operation.measures.get(*word).map_or_else(
                || "-".to_owned(),
                |measure| {
                    let [middle, late] = [50.0, 99.0].map(|p| numbers::ms_or_dash(measure.percentile(p)));
                    format!("{middle} / {late}")
                },
            )
        });
        table.row(Style::Normal, std::iter::once(operation.name.clone()).chain(cells));
    }
    let mut lines = vec![Line::of(Style::Bold, "where the time goes").with(Style::Dim, " (p50 / p99, ms)")];
    lines.extend(table.lines());
    lines
}

fn circumstances(summary: &Summary) -> Vec<Line> {
    let mut lines = vec![labelled("contents", contents(summary))];
    if summary.verification.read_back > 0 {
        let verification = &summary.verification;
        let whole = verification.read_back - verification.read_back_failed.min(verification.read_back);
        let style = if verification.read_back_failed > 0 { Style::Bad } else { Style::Normal };
        let text = format!(
            "{} of {} uploads read back after the run were whole",
            numbers::count(whole),
            numbers::count(verification.read_back)
        );
        lines.push(labelled("", Line::of(style, text)));
    }
    if let Some(server) = &summary.server {
        let mut text = String::new();
        if let (Some(cpu_ns), Some(cpu)) = (server.cpu_ns, server.cpu) {
            text += &format!("CPU {:.1} s ({} of a core), ", cpu_ns as f64 / 1e9, numbers::percent(cpu));
        }
        text += &format!("RSS {} at most", numbers::memory(server.rss_max));
        if let Some(descriptors) = server.descriptors_max {
            text += &format!(", {} descriptors", numbers::count(descriptors));
        }
        lines.push(labelled("server", Line::new().plain(text)));
    }
    lines.extend(generator(summary));
    lines.push(Line::of(Style::Dim, "closed loop: these latencies hold for the pace that the server itself allowed"));
    lines
}

fn contents(summary: &Summary) -> Line {
    let verification = &summary.verification;
    let of = |part: u64, whole: u64| format!("{} of {}", numbers::count(part), numbers::count(whole));
    let mut line = Line::new();
    if verification.transfers > 0 {
        let text = of(verification.transfers_verified, verification.transfers);
        line.push(Style::Normal, format!("{text} transfers verified ({})", numbers::bytes(verification.bytes)));
    }
    if verification.listings > 0 {
        let text = of(verification.listings_verified, verification.listings);
        let comma = if verification.transfers > 0 { ", " } else { "" };
        line.push(Style::Normal, format!("{comma}{text} listings complete"));
    }
    if verification.failures > 0 {
        line.push(Style::Bad, format!("   {} FAILED", numbers::count(verification.failures)));
    }
    if line.width() == 0 { Line::of(Style::Normal, "nothing was transferred") } else { line }
}

fn generator(summary: &Summary) -> Vec<Line> {
    let generator = &summary.generator;
    let mut facts = Vec::new();
    if let Some(lag) = generator.lag.as_ref().and_then(|lag| lag.percentile(99.0)) {
        facts.push(format!("lag p99 {}", numbers::duration(lag)));
    }
    if let Some(turn) = generator.turn.as_ref().and_then(|turn| turn.percentile(99.0)) {
        facts.push(format!("turns p99 {}", numbers::duration(turn)));
    }
    if let Some(cpu) = generator.cpu {
        facts.push(format!("CPU {} of a core", numbers::percent(cpu)));
    }
    let kept = generator.sessions_reached.saturating_sub(generator.sessions_lost);
    facts.push(format!("{} of {} sessions kept", numbers::count(kept), numbers::count(generator.sessions_wanted)));
    let trust = summary.verdict.trust;
    let (style, word) = match trust {
        Trust::Trustworthy => (Style::Good, trust.word().to_owned()),
        Trust::Doubtful => (Style::Warning, trust.word().to_uppercase()),
        Trust::Invalid => (Style::Bad, trust.word().to_uppercase()),
    };
    let mut lines = vec![labelled("generator", Line::of(style, word).plain(format!(": {}", facts.join(", "))))];
    lines.extend(summary.verdict.reasons.iter().map(|reason| labelled("", Line::of(style, reason.as_str()))));
    lines
}

fn errors(summary: &Summary) -> Vec<Line> {
    let mut lines: Vec<Line> = summary
        .errors
        .iter()
        .take(ERRORS_SHOWN)
        .enumerate()
        .map(|(index, error)| labelled(if index == 0 { "errors" } else { "" }, error_line(error)))
        .collect();
    let more = summary.errors.len().saturating_sub(ERRORS_SHOWN);
    if more > 0 {
        lines.push(labelled("", Line::of(Style::Dim, format!("and {more} more kinds: errors.csv"))));
    }
    if let Some(oldest) = summary.unfinished.first() {
        let text = format!(
            "unfinished at the end of the drain: {} (oldest {}, {})",
            numbers::count(summary.unfinished.len() as u64),
            numbers::seconds(oldest.age_s),
            oldest.operation
        );
        lines.push(Line::of(Style::Warning, text));
    }
    lines
}

fn error_line(error: &ErrorSummary) -> Line {
    let mut what = error.kind.clone();
    if let Some(code) = error.code {
        what += &format!(" {code}");
    }
    let mut line = Line::of(Style::Bad, what);
    line.push(Style::Normal, format!(" in {} at {} ×{}", error.operation, error.phase, numbers::count(error.count)));
    if error.in_warmup > 0 {
        line.push(Style::Dim, format!(" ({} in the warm-up)", numbers::count(error.in_warmup)));
    }
    line.push(Style::Dim, format!("  first {}", time_of_day(&error.first)));
    line.push(Style::Normal, format!("  \"{}\"", error.text));
    line
}

fn notes(summary: &Summary) -> Vec<Line> {
    summary.notes.iter().map(|note| Line::of(Style::Dim, format!("note: {note}"))).collect()
}

fn labelled(label: &str, text: Line) -> Line {
    let mut line = Line::of(Style::Bold, label);
    line.pad_to(LABEL_COLUMNS);
    line.append(text);
    line
}

/// `3f9c…a1`: enough to tell two runs apart by eye.
fn short_digest(digest: &str) -> String {
    match (digest.get(..4), digest.get(digest.len().saturating_sub(2)..)) {
        (Some(first), Some(last)) if digest.len() > 8 => format!("{first}…{last}"),
        _ => digest.to_owned(),
    }
}

/// `21:10:04.2` of an RFC 3339 time.
fn time_of_day(utc: &str) -> &str {
    utc.get(11..21).unwrap_or(utc)
}

const LABEL_COLUMNS: usize = 12;
const ERRORS_SHOWN: usize = 5;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture;

    fn text(summary: &Summary) -> String {
        render(summary).iter().map(|line| line.text() + "\n").collect()
    }

    #[test]
    fn a_run_that_passed() {
        assert_eq!(text(&fixture::summary()), include_str!("golden/pass.txt"));
    }

    #[test]
    fn a_run_that_failed() {
        assert_eq!(text(&fixture::failing_summary()), include_str!("golden/fail.txt"));
    }

    #[test]
    fn an_interrupted_run_says_so() {
        let summary = Summary { interrupted: true, ..fixture::summary() };
        assert!(text(&summary).starts_with("STOPPED  mixed3"));
    }
}
