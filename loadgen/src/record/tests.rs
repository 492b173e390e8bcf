//! The way of sets between the recorder and its reporter.

use std::sync::mpsc::{self, Receiver, Sender};
use std::time::{Duration, Instant};

use super::*;
use crate::report::fixture;

struct Reporter {
    messages: Receiver<Message>,
    give_back: Sender<Box<IntervalSet>>,
}

fn pair(now: Instant) -> (Recorder, Reporter) {
    let (to_reporter, messages) = mpsc::channel();
    let (give_back, from_reporter) = mpsc::channel();
    (Recorder::new(&fixture::scenario(), to_reporter, from_reporter, now), Reporter { messages, give_back })
}

impl Reporter {
    /// The sets that have come, as boxes, since they are given back as such.
    #[allow(clippy::vec_box)]
    fn sets(&self) -> Vec<Box<IntervalSet>> {
        self.messages
            .try_iter()
            .filter_map(|message| match message {
                Message::Interval(set) => Some(set),
                Message::Stage(..) | Message::End(..) => None,
            })
            .collect()
    }
}

fn get() -> Sample {
    fixture::good(0, [0, 0, 0, 1_000, 0, 0, 0, 0], 10)
}

#[test]
fn a_slow_reporter_loses_nothing_and_holds_nothing_up() {
    let now = Instant::now();
    let (mut recorder, reporter) = pair(now);
    recorder.record(&get());
    recorder.hand_over(now);
    for _ in 0..3 {
        // Nothing comes back: the present set is kept.
        recorder.record(&get());
        recorder.hand_over(now);
    }
    let mut sets = reporter.sets();
    assert_eq!(sets.len(), 1);
    let mut first = sets.remove(0);
    assert_eq!(first.measured[0].counts.good, 1);
    first.reset();
    reporter.give_back.send(first).unwrap();
    recorder.hand_over(now);
    let sets = reporter.sets();
    assert_eq!((sets.len(), sets[0].measured[0].counts.good, sets[0].late_hand_overs), (1, 3, 3));
}

#[test]
fn two_sets_go_round() {
    let now = Instant::now();
    let (mut recorder, reporter) = pair(now);
    let mut addresses = std::collections::BTreeSet::new();
    for _ in 0..100 {
        recorder.record(&get());
        recorder.hand_over(now);
        for mut set in reporter.sets() {
            assert_eq!(set.measured[0].counts.good, 1, "nothing is left of the interval before");
            assert_eq!(set.measured[0].series(Measure::Response).unwrap().count(), 1);
            addresses.insert(std::ptr::from_ref(&*set) as usize);
            set.reset();
            reporter.give_back.send(set).unwrap();
        }
    }
    assert_eq!(addresses.len(), 2);
}

#[test]
fn a_stage_begins_with_an_empty_set_even_when_none_came_back() {
    let now = Instant::now();
    let (mut recorder, reporter) = pair(now);
    for stage in [Stage::Warmup, Stage::Measure, Stage::Drain] {
        recorder.enter(stage, now);
        recorder.record(&get());
    }
    recorder.finish(now);
    let good: Vec<_> = reporter.sets().iter().map(|set| (set.stage, set.measured[0].counts.good)).collect();
    assert_eq!(good, [(Stage::Preload, 0), (Stage::Warmup, 1), (Stage::Measure, 1), (Stage::Drain, 1)]);
}

#[test]
fn intervals_keep_to_their_grid() {
    let now = Instant::now();
    let (mut recorder, _reporter) = pair(now);
    recorder.enter(Stage::Measure, now);
    let at = |ms| now + Duration::from_millis(ms);
    assert!(!recorder.interval_due(at(999)) && recorder.interval_due(at(1_000)));
    recorder.hand_over(at(1_004));
    assert_eq!(recorder.next_hand_over(), at(2_000), "lateness does not add up");
    recorder.hand_over(at(5_500));
    assert_eq!(recorder.next_hand_over(), at(6_000), "missed intervals are not made up for");
}

#[test]
fn a_value_too_long_is_counted() {
    let now = Instant::now();
    let (mut recorder, reporter) = pair(now);
    recorder.lag(LONGEST_NS + 1);
    recorder.record(&fixture::good(0, [0, 0, 0, LONGEST_NS + 1, 0, 0, 0, 0], 0));
    recorder.finish(now);
    let sets = reporter.sets();
    // The lag, and the operation's response, service and phase.
    assert_eq!((sets[0].unrecordable, sets[0].measured[0].counts.good), (4, 1));
}

#[test]
fn failed_operations_are_in_no_measure_of_good_ones() {
    let now = Instant::now();
    let (mut recorder, reporter) = pair(now);
    recorder.record(&fixture::failed(1));
    recorder.finish(now);
    let set = reporter.sets().remove(0);
    let values: Vec<_> = Measure::all()
        .filter(|measure| set.measured[1].series(*measure).is_some_and(|series| series.count() > 0))
        .collect();
    assert_eq!(values, [Measure::Failed]);
    assert_eq!((set.measured[1].counts.good, set.measured[1].counts.failed), (0, 1));
}
