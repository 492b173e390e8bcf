//! Whether the figures of a run can be trusted.
//!
//! A generator that is late, busy or short of sessions measures itself. The limits are below; each reason names the
//! figure that broke one, and what to do about it where that is known.
//!
//! Must not know how the verdict is shown.

use super::summary::{GeneratorSummary, OperationSummary, Trust, Verdict, Window};
use super::text::numbers;

/// What the verdict is made from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Evidence<'a> {
    pub generator: &'a GeneratorSummary,
    pub all: &'a OperationSummary,
    pub window: Window,
    /// Seconds that the system's clock moved against the monotonic one during the run.
    pub clock_shift_s: f64,
}

/// Judges a run.
pub(super) fn judge(evidence: &Evidence<'_>) -> Verdict {
    let mut reasons: Vec<(Trust, String)> = Vec::new();
    reasons.extend(samples(evidence));
    reasons.extend(sessions(evidence.generator));
    reasons.extend(lateness(evidence));
    reasons.extend(clocks(evidence));
    // Stable: within a rank, the order above.
    reasons.sort_by_key(|(trust, _)| std::cmp::Reverse(*trust));
    Verdict {
        trust: reasons.first().map_or(Trust::Trustworthy, |(trust, _)| *trust),
        reasons: reasons.into_iter().map(|(_, reason)| reason).collect(),
    }
}

fn samples(evidence: &Evidence<'_>) -> Vec<(Trust, String)> {
    let mut reasons = Vec::new();
    let done = evidence.all.done;
    if done == 0 {
        reasons.push((Trust::Invalid, "no operation ended well in the measured window".to_owned()));
    } else if done < SAMPLES_FOR_P99 {
        let done = numbers::things(done, "operation");
        reasons.push((Trust::Doubtful, format!("only {done}: p99 needs {SAMPLES_FOR_P99}")));
    }
    if evidence.window.measured_s < evidence.window.warmup_s {
        let measured = numbers::seconds(evidence.window.measured_s);
        let reason = format!("measured for {measured} only, less than the warm-up");
        reasons.push((Trust::Doubtful, reason));
    }
    let unrecordable = evidence.generator.unrecordable;
    if unrecordable > 0 {
        let reason = format!("{} above one hour left out of all figures", numbers::things(unrecordable, "time"));
        reasons.push((Trust::Invalid, reason));
    }
    reasons
}

fn sessions(generator: &GeneratorSummary) -> Vec<(Trust, String)> {
    let mut reasons = Vec::new();
    let (wanted, reached) = (generator.sessions_wanted, generator.sessions_reached);
    if reached < wanted {
        let reason = format!("only {} of {} open", numbers::count(reached), numbers::things(wanted, "session"));
        reasons.push((Trust::Invalid, reason));
    }
    if generator.sessions_lost > 0 {
        let lost = numbers::things(generator.sessions_lost, "session");
        reasons.push((Trust::Doubtful, format!("{lost} lost and made anew")));
    }
    reasons
}

fn lateness(evidence: &Evidence<'_>) -> Vec<(Trust, String)> {
    let mut reasons = Vec::new();
    let generator = evidence.generator;
    reasons.extend([99.0, 90.0, 50.0].into_iter().find_map(|percent| late_at(evidence, percent)));
    let turn = generator.turn.as_ref().and_then(|turn| turn.percentile(99.0));
    if let Some(turn) = turn.filter(|turn| *turn > TURN_LIMIT_NS) {
        let turn = numbers::duration(turn);
        reasons.push((Trust::Doubtful, format!("the generator was busy for {turn} at a stretch (p99 of its turns)")));
    }
    if let Some(cpu) = generator.cpu.filter(|cpu| *cpu > CPU_LIMIT) {
        let reason = format!("generator CPU {} of a core: it may be the bottleneck", numbers::percent(cpu));
        reasons.push((Trust::Doubtful, reason));
    }
    if generator.cores == Some(1) {
        let reason = "the generator may use one core only, which it may share with the server";
        reasons.push((Trust::Doubtful, reason.to_owned()));
    }
    reasons
}

fn clocks(evidence: &Evidence<'_>) -> Vec<(Trust, String)> {
    let shift = evidence.clock_shift_s.abs();
    if shift <= CLOCK_SHIFT_LIMIT_S {
        return Vec::new();
    }
    let reason = format!(
        "the system's clock was moved by {} during the run, or the machine slept: times of day are wrong",
        numbers::seconds(shift)
    );
    vec![(Trust::Doubtful, reason)]
}

/// The generator's own lateness at one percentile (a short run has no p99 of its heartbeat), held against the latencies that it can distort: the same percentile of the response
/// may be too long by as much.
fn late_at(evidence: &Evidence<'_>, percent: f64) -> Option<(Trust, String)> {
    let lag = evidence.generator.lag.as_ref()?.percentile(percent)?;
    let response = evidence.all.measures.get("response")?.percentile(percent)?;
    let limit = ((response as f64 * LAG_SHARE_LIMIT) as u64).max(LAG_LIMIT_LEAST_NS);
    (lag > limit).then(|| {
        let (lag, response) = (numbers::duration(lag), numbers::duration(response));
        let reason = format!("the generator was late itself by {lag} (p{percent}), the response being {response}");
        (
            Trust::Doubtful,
            reason + ": other programs on this machine, or too many clients; timer = \"spin\" is more exact",
        )
    })
}

/// Share of a percentile of the response that may be the generator's own lateness.
const LAG_SHARE_LIMIT: f64 = 0.25;

/// A timerfd is late by tens of microseconds on an idle machine.
const LAG_LIMIT_LEAST_NS: u64 = 100_000;

/// A reply that arrives in a turn is noted at most this much late, 99 times in 100.
const TURN_LIMIT_NS: u64 = 1_000_000;

/// Share of a core above which the generator's own queue shows in the figures.
const CPU_LIMIT: f64 = 0.8;

/// With fewer, p99 is one of the ten greatest values.
const SAMPLES_FOR_P99: u64 = 1_000;

const CLOCK_SHIFT_LIMIT_S: f64 = 0.5;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture;

    fn verdict_of(change: impl FnOnce(&mut crate::report::Summary)) -> Verdict {
        let mut summary = fixture::summary();
        change(&mut summary);
        let Summary { generator, all, window, .. } = &summary;
        judge(&Evidence { generator, all, window: *window, clock_shift_s: 0.0 })
    }

    use crate::report::Summary;

    fn set_p99(measure: &mut Option<crate::report::MeasureSummary>, ns: u64) {
        let measure = measure.as_mut().unwrap();
        measure.percentiles.insert("p99".to_owned(), Some(ns));
    }

    #[test]
    fn a_quiet_run_is_trustworthy() {
        assert_eq!(verdict_of(|_| ()), Verdict { trust: Trust::Trustworthy, reasons: Vec::new() });
    }

    #[test]
    fn each_limit_gives_its_reason() {
        type Change = fn(&mut Summary);
        let table: [(Change, Trust, &str); 10] = [
            (|s| s.all.done = 0, Trust::Invalid, "no operation ended well"),
            (|s| s.all.done = 999, Trust::Doubtful, "only 999 operations"),
            (|s| s.window.measured_s = 1.0, Trust::Doubtful, "less than the warm-up"),
            (|s| s.generator.unrecordable = 1, Trust::Invalid, "above one hour"),
            (|s| s.generator.sessions_reached = 2, Trust::Invalid, "only 2 of 3 sessions"),
            (|s| s.generator.sessions_lost = 4, Trust::Doubtful, "4 sessions lost"),
            (
                |s| set_p99(&mut s.generator.lag, 900_000_000),
                Trust::Doubtful,
                "late itself by 900 ms (p99), the response",
            ),
            (|s| set_p99(&mut s.generator.turn, 1_500_000), Trust::Doubtful, "busy for 1.50 ms"),
            (|s| s.generator.cpu = Some(0.99), Trust::Doubtful, "CPU 99 %"),
            (|s| s.generator.cores = Some(1), Trust::Doubtful, "one core"),
        ];
        for (change, trust, words) in table {
            let verdict = verdict_of(change);
            assert_eq!(verdict.trust, trust, "{words}");
            assert!(verdict.reasons.len() == 1 && verdict.reasons[0].contains(words), "{verdict:?}");
        }
    }

    #[test]
    fn the_worst_reason_comes_first() {
        let verdict = verdict_of(|summary| {
            summary.generator.cpu = Some(0.99);
            summary.generator.sessions_reached = 0;
        });
        assert_eq!((verdict.trust, verdict.reasons.len()), (Trust::Invalid, 2));
        assert!(verdict.reasons[0].contains("sessions"));
    }

    #[test]
    fn lag_is_judged_by_what_it_would_distort() {
        let with = |percentile: &'static str, lag: u64, response: u64| {
            verdict_of(move |summary| {
                let set = |measure: &mut crate::report::MeasureSummary, ns| {
                    measure.percentiles.insert(percentile.to_owned(), Some(ns));
                };
                set(summary.generator.lag.as_mut().unwrap(), lag);
                set(summary.all.measures.get_mut("response").unwrap(), response);
            })
            .trust
        };
        assert_eq!(with("p99", 700_000, 4_000_000), Trust::Trustworthy, "less than a quarter");
        assert_eq!(with("p99", 1_100_000, 4_000_000), Trust::Doubtful);
        assert_eq!(with("p50", 1_100_000, 4_000_000), Trust::Doubtful);
        assert_eq!(with("p99", 90_000, 100_000), Trust::Trustworthy, "no timer can do better");
    }

    #[test]
    fn a_moved_clock_is_told() {
        let summary = fixture::summary();
        let Summary { generator, all, window, .. } = &summary;
        let verdict = judge(&Evidence { generator, all, window: *window, clock_shift_s: -3.0 });
        assert!(verdict.reasons[0].contains("moved by 3.0 s"), "{verdict:?}");
    }
}
