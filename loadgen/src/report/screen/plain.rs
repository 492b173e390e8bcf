//! A line every five seconds, for logs and pipes.

use std::io::Write as _;

use hdrhistogram::Histogram;

use crate::record::{Series, Stage};
use crate::report::text::numbers;

use super::View;

/// Collects intervals until a line is due.
#[derive(Debug)]
pub(crate) struct Plain {
    since: Since,
    next_s: f64,
    begun: bool,
}

/// What happened since the last line.
#[derive(Debug, Default)]
struct Since {
    seconds: f64,
    good: u64,
    response: Series,
    lag: Series,
}

impl Plain {
    pub fn new() -> Plain {
        Plain { since: Since::default(), next_s: EVERY_S, begun: false }
    }

    /// An interval is over.
    pub fn show(&mut self, view: &View<'_>) {
        for line in self.lines(view) {
            // A closed standard error must not end the run.
            let _ = writeln!(std::io::stderr(), "{line}");
        }
    }

    /// The lines that are due.
    fn lines(&mut self, view: &View<'_>) -> Vec<String> {
        let mut lines = Vec::new();
        if !self.begun {
            self.begun = true;
            lines.push(format!("{}  {}", view.scenario.name, view.target));
        }
        if !view.stage.has_operations() {
            return lines;
        }
        self.since.add(view);
        if view.time_s + HALF_AN_INTERVAL_S >= self.next_s {
            lines.push(self.since.line(view));
            self.since.reset();
            self.next_s = (view.time_s / EVERY_S).round() * EVERY_S + EVERY_S;
        }
        lines
    }
}

impl Since {
    fn add(&mut self, view: &View<'_>) {
        self.seconds += view.interval_s;
        let sets = view.interval.measured.iter().chain(&view.interval.warmup);
        self.good += sets.map(|set| set.counts.good).sum::<u64>();
        self.response.add(view.response);
        self.lag.add(&view.interval.lag);
    }

    fn line(&self, view: &View<'_>) -> String {
        let totals = view.totals;
        let counts = totals.warmup.iter().map(|set| set.counts.good).sum::<u64>() + totals.all.counts.good;
        let rate = if self.seconds > 0.0 { self.good as f64 / self.seconds } else { 0.0 };
        let mut line = format!("t={}s", view.time_s.round());
        if view.stage != Stage::Measure {
            line += &format!(" stage={}", view.stage.word());
        }
        line += &format!(" done={} rate={}/s", numbers::count(counts), numbers::rate(rate));
        line += &format!(" p50={} p99={}", value(&self.response, 50.0), value(&self.response, 99.0));
        line += &format!(" failed={}", numbers::count(totals.failures.operations()));
        if view.interval.gauges.waiting > 0 {
            line += &format!(" waiting={}", numbers::count(view.interval.gauges.waiting));
        }
        if self.lag.count() > 0 {
            line += &format!(" lag99={}", value(&self.lag, 99.0));
        }
        line
    }

    fn reset(&mut self) {
        self.seconds = 0.0;
        self.good = 0;
        self.response.reset();
        self.lag.reset();
    }
}

/// `4.2ms`, without a space, so that a line splits at its spaces.
fn value(series: &Series, percent: f64) -> String {
    let histogram: &Histogram<u64> = series.histogram();
    if histogram.is_empty() { "-".to_owned() } else { numbers::ms(series.percentile(percent)) + "ms" }
}

const EVERY_S: f64 = 5.0;

/// Intervals do not end on the second to the microsecond.
const HALF_AN_INTERVAL_S: f64 = 0.5;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::screen::tests::Scene;

    #[test]
    fn a_line_comes_every_five_seconds_and_covers_them() {
        let mut plain = Plain::new();
        let mut lines = Vec::new();
        let mut scene = Scene::new();
        for second in 1..=11 {
            scene.run_a_second();
            lines.extend(plain.lines(&scene.view(f64::from(second) + 0.003)));
        }
        assert_eq!(
            lines,
            [
                "made-up  simple 127.0.0.1:2121",
                "t=5s done=500 rate=100.0/s p50=0.50ms p99=0.99ms failed=5 lag99=0.05ms",
                "t=10s done=1,000 rate=100.0/s p50=0.50ms p99=0.99ms failed=10 lag99=0.05ms",
            ]
        );
    }
}
