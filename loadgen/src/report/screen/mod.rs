//! What is shown while a run goes on, on standard error.
//!
//! Must not know files.
//!
//! Invariant: the terminal's state is never changed (no hidden cursor, no other screen), so that no way of ending can
//! leave it broken.

mod live;
mod plain;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::io::{self, IsTerminal};

use crate::record::{IntervalSet, Series, Stage};
use crate::scenario::model::Scenario;

use super::Screen;
use super::summary::ThresholdResult;
use super::totals::Totals;
use super::usage::Usage;

/// The screen of a run.
#[derive(Debug)]
pub(super) enum Progress {
    Live(live::Live),
    Plain(Box<plain::Plain>),
    Silent,
}

/// What a screen shows.
#[derive(Debug)]
pub(super) struct View<'a> {
    pub scenario: &'a Scenario,
    pub target: &'a str,
    pub stage: Stage,
    /// Seconds of the present stage.
    pub stage_s: f64,
    /// Seconds since the operations began.
    pub time_s: f64,
    pub totals: &'a Totals,
    /// The last interval.
    pub interval: &'a IntervalSet,
    /// Its seconds.
    pub interval_s: f64,
    /// Response times of the last interval, all operations, warm-up included.
    pub response: &'a Series,
    pub history: &'a History,
    pub generator: Option<Usage>,
    pub server: Option<Usage>,
    pub thresholds: &'a [ThresholdResult],
}

/// The last intervals, oldest first, for the lines of blocks.
#[derive(Debug, Default)]
pub(super) struct History {
    /// Good operations per second.
    pub rate: VecDeque<f64>,
    /// p99 of the response, in nanoseconds.
    pub p99: VecDeque<f64>,
}

impl Progress {
    /// The screen asked for, or the plain one when there is no terminal to draw on.
    pub fn new(screen: Screen) -> Progress {
        match screen {
            Screen::Live if io::stderr().is_terminal() => Progress::Live(live::Live::new(colours_wanted())),
            Screen::Live | Screen::Plain => Progress::Plain(Box::new(plain::Plain::new())),
            Screen::Quiet | Screen::Json => Progress::Silent,
        }
    }

    /// An interval is over.
    pub fn show(&mut self, view: &View<'_>) {
        match self {
            Progress::Live(live) => live.show(view),
            Progress::Plain(plain) => plain.show(view),
            Progress::Silent => (),
        }
    }

    /// The result comes.
    pub fn clear(&mut self) {
        if let Progress::Live(live) = self {
            live.clear();
        }
    }
}

impl History {
    /// Adds an interval, forgetting the oldest.
    pub fn add(&mut self, rate: f64, p99: f64) {
        for (values, value) in [(&mut self.rate, rate), (&mut self.p99, p99)] {
            if values.len() == HISTORY_MAX {
                values.pop_front();
            }
            values.push_back(value);
        }
    }
}

/// Colours unless the user does not want them (<https://no-color.org>).
pub(super) fn colours_wanted() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

const HISTORY_MAX: usize = 60;
