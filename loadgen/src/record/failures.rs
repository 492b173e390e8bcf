//! Failures, counted by what they have in common.
//!
//! Must not know who prints them.
//!
//! Invariant: memory is bounded by the number of kinds, codes, phases and operations, not by the number of failures,
//! and there are at most [`TRANSCRIPTS_MAX`] transcripts in a run.

use std::collections::BTreeMap;
use std::time::Duration;

use super::sample::{FailureKind, FailureReport, Phase};

/// What equal failures have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FailureKey {
    /// What kind.
    pub kind: FailureKind,
    /// The reply's code, when a reply was the failure.
    pub code: Option<u16>,
    /// Index of the phase in [`Phase::ALL`].
    phase: u8,
    /// Index into `Scenario::operations`.
    pub operation: usize,
}

impl FailureKey {
    /// The phase it happened in.
    pub fn phase(&self) -> Phase {
        Phase::ALL[usize::from(self.phase)]
    }
}

/// Equal failures.
#[derive(Debug, Clone)]
pub struct FailureCount {
    /// How many.
    pub count: u64,
    /// How many of them were due in the warm-up.
    pub in_warmup: u64,
    /// When the first was seen, since the start of the run.
    pub first: Duration,
    /// When the last was seen, since the start of the run.
    pub last: Duration,
    /// The words of the first.
    pub text: String,
    /// The control dialogues of the first few.
    pub transcripts: Vec<Vec<String>>,
}

/// Failures by kind, code, phase and operation.
#[derive(Debug, Clone, Default)]
pub struct FailureTable {
    rows: BTreeMap<FailureKey, FailureCount>,
}

impl FailureTable {
    /// Counts a failure; takes its transcript away when `keep_transcript` says so, and returns whether there was one.
    pub fn record(
        &mut self,
        operation: usize,
        warmup: bool,
        report: &FailureReport,
        at: Duration,
        keep_transcript: bool,
    ) -> bool {
        let key = FailureKey { kind: report.kind, code: report.code, phase: report.phase as usize as u8, operation };
        let row = self.rows.entry(key).or_insert_with(|| FailureCount {
            count: 0,
            in_warmup: 0,
            first: at,
            last: at,
            text: report.text.clone(),
            transcripts: Vec::new(),
        });
        row.count += 1;
        row.in_warmup += u64::from(warmup);
        row.last = at;
        let kept = keep_transcript && !report.transcript.is_empty() && row.transcripts.len() < TRANSCRIPTS_OF_A_KIND;
        if kept {
            row.transcripts.push(report.transcript.clone());
        }
        kept
    }

    /// Moves the counts of a later table into this one and leaves that one empty.
    pub fn take_in(&mut self, later: &mut FailureTable) {
        for (key, mut row) in std::mem::take(&mut later.rows) {
            match self.rows.get_mut(&key) {
                None => {
                    self.rows.insert(key, row);
                }
                Some(total) => {
                    total.count += row.count;
                    total.in_warmup += row.in_warmup;
                    total.first = total.first.min(row.first);
                    total.last = total.last.max(row.last);
                    total.transcripts.append(&mut row.transcripts);
                    total.transcripts.truncate(TRANSCRIPTS_OF_A_KIND);
                }
            }
        }
    }

    /// All rows, by kind.
    pub fn rows(&self) -> impl Iterator<Item = (&FailureKey, &FailureCount)> {
        self.rows.iter()
    }

    /// Operations that failed. An upload that was lost afterwards is not one of them: its operation had ended well.
    pub fn operations(&self) -> u64 {
        self.rows.iter().filter(|(key, _)| key.kind != FailureKind::LostUpload).map(|(_, row)| row.count).sum()
    }

    /// Those that a check of contents, length or listing found.
    pub fn verification(&self) -> u64 {
        self.rows.iter().filter(|(key, _)| key.kind.is_verification()).map(|(_, row)| row.count).sum()
    }
}

/// Transcripts kept in one run.
pub const TRANSCRIPTS_MAX: usize = 20;

/// Transcripts kept of equal failures, so that one kind does not use up all.
const TRANSCRIPTS_OF_A_KIND: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

    fn report(code: u16, text: &str) -> FailureReport {
        FailureReport {
            kind: FailureKind::Refused,
            phase: Phase::Negotiate,
            code: Some(code),
            text: text.to_owned(),
            transcript: vec![format!("S: {code} {text}")],
        }
    }

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn equal_failures_share_a_row_and_keep_the_first_words() {
        let mut table = FailureTable::default();
        table.record(0, true, &report(550, "gone"), at(1), true);
        table.record(0, false, &report(550, "gone again"), at(2), true);
        table.record(0, false, &report(450, "busy"), at(3), true);
        table.record(1, false, &report(550, "gone"), at(4), true);
        assert_eq!((table.rows().count(), table.operations()), (3, 4));
        let (_, row) = table.rows().find(|(key, _)| key.operation == 0 && key.code == Some(550)).unwrap();
        assert_eq!((row.count, row.in_warmup, row.text.as_str()), (2, 1, "gone"));
        assert_eq!((row.first, row.last), (at(1), at(2)));
    }

    #[test]
    fn a_million_equal_failures_take_the_room_of_a_few() {
        let mut table = FailureTable::default();
        let kept = (0..1_000_000).filter(|_| table.record(0, false, &report(550, "gone"), at(1), true)).count();
        assert_eq!((table.rows().count(), kept), (1, TRANSCRIPTS_OF_A_KIND));
        assert_eq!(table.operations(), 1_000_000);
    }

    #[test]
    fn tables_of_intervals_add_up() {
        let mut total = FailureTable::default();
        for second in 1..=10 {
            let mut interval = FailureTable::default();
            interval.record(0, false, &report(550, &format!("at {second}")), at(second), true);
            total.take_in(&mut interval);
            assert_eq!(interval.operations(), 0);
        }
        let (_, row) = total.rows().next().unwrap();
        assert_eq!((row.count, row.first, row.last, row.text.as_str()), (10, at(1), at(10), "at 1"));
        assert_eq!(row.transcripts.len(), TRANSCRIPTS_OF_A_KIND);
    }
}
