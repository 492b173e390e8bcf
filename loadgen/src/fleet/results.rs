//! What becomes of a task that has ended: a sample for the record, and what is now known of the server's files.
//!
//! It must not begin anything: what comes next is [`super::Fleet::advance`]'s to say.

use std::rc::Rc;

use muxftp_reactor::Reactor;

use super::client::{self, Ended, Mark, Task};
use super::{Fleet, Owner, outcome};
use crate::plan::Work;
use crate::record::{Sample, SampleResult};
use crate::scenario::Expect;

impl Fleet<'_> {
    /// Records what has ended.
    pub(super) fn take_in(&mut self, rx: &mut Reactor<Owner>, index: usize, mut ended: Ended) {
        match ended.task {
            Task::Planned { ref planned, due, taken, warmup } => {
                let expect = &self.scenario.operations[planned.operation].expect;
                let result = outcome::judge(&mut ended.finished, expect, &ended.dialogue);
                let good = matches!(result, SampleResult::Good { .. });
                let completed = ended.finished.timeline.completed.unwrap_or_else(|| rx.now());
                let phases = outcome::phases(due, taken, &ended.finished.timeline, completed);
                self.note_upload(index, &ended, good);
                if good {
                    let tidying = self.shared.tidying(&planned.work);
                    self.clients[index].tidying = tidying.map(|what| (planned.operation, warmup, what));
                }
                let upload = matches!(planned.work, Work::Put { .. } | Work::Append { .. });
                let bytes = ended.finished.bytes;
                self.recorder.record(&Sample {
                    operation: planned.operation,
                    warmup,
                    phases,
                    bytes_in: if upload { 0 } else { bytes },
                    bytes_out: if upload { bytes } else { 0 },
                    result,
                });
            }
            Task::Preload { ref name, .. } => {
                let name = Rc::clone(name);
                self.take_in_preload(&name, &mut ended);
            }
            Task::ReadBack { ref name, .. } => {
                let name = name.clone();
                self.take_in_read_back(&name, &mut ended);
            }
            Task::Aside { operation, begun, warmup, .. } => {
                self.take_in_aside(rx, index, Mark { operation, begun, warmup }, &mut ended);
            }
            Task::LogIn(mark) | Task::Goodbye(mark) => {
                let is_log_in = matches!(ended.task, Task::LogIn(_));
                self.take_in_session(rx, mark, is_log_in, &mut ended);
            }
        }
    }

    /// What is done before or behind an operation is not recorded, unless it fails.
    fn take_in_aside(&mut self, rx: &mut Reactor<Owner>, index: usize, mark: Mark, ended: &mut Ended) {
        let result = outcome::judge(&mut ended.finished, &Expect::Ok, &ended.dialogue);
        let client = &mut self.clients[index];
        if let SampleResult::Good { .. } = result {
            client.is_prepared = client.waiting.is_some();
            return;
        }
        client.waiting = None;
        let Mark { operation, begun, warmup } = mark;
        self.recorder.due(operation);
        self.recorder.started(operation);
        let completed = ended.finished.timeline.completed.unwrap_or_else(|| rx.now());
        let phases = outcome::phases(begun, begun, &ended.finished.timeline, completed);
        self.recorder.record(&Sample { operation, warmup, phases, bytes_in: 0, bytes_out: 0, result });
    }

    /// Records a log-in or its end; without one nothing can be put in place or read back.
    fn take_in_session(&mut self, rx: &mut Reactor<Owner>, mark: Option<Mark>, is_log_in: bool, ended: &mut Ended) {
        let result = outcome::judge(&mut ended.finished, &Expect::Ok, &ended.dialogue);
        let Some(Mark { operation, begun, warmup }) = mark else {
            if is_log_in && let SampleResult::Failed(report) = result {
                self.fail_unrecorded_log_in(&report);
            }
            return;
        };
        let completed = ended.finished.timeline.completed.unwrap_or_else(|| rx.now());
        let phases = match is_log_in {
            true => outcome::log_in_phases(begun, &ended.finished.timeline, completed),
            false => outcome::phases(begun, begun, &ended.finished.timeline, completed),
        };
        self.recorder.record(&Sample { operation, warmup, phases, bytes_in: 0, bytes_out: 0, result });
    }

    /// Keeps what the server has acknowledged of an upload; of a failed one nobody knows which version is there.
    fn note_upload(&mut self, index: usize, ended: &Ended, good: bool) {
        let Task::Planned { planned, .. } = &ended.task else { return };
        let uploads = &mut self.clients[index].uploads;
        let is_done = good && client::is_complete(&ended.finished);
        match &planned.work {
            Work::Put { name, content } if is_done => {
                self.shared.known.add(name);
                uploads.insert(name.clone(), *content);
            }
            // What an append that failed has left is not known; the later ones add to that.
            Work::Append { name, content, from } if is_done && (*from == 0 || uploads.contains_key(name)) => {
                uploads.insert(name.clone(), *content);
            }
            Work::Put { name, .. } | Work::Append { name, .. } => {
                uploads.remove(name);
            }
            Work::Rename { from, to, content, .. } => {
                uploads.remove(from);
                uploads.remove(to);
                if is_done {
                    uploads.insert(to.clone(), *content);
                }
            }
            Work::Get { .. }
            | Work::List { .. }
            | Work::Delete { .. }
            | Work::MakeDirectory { .. }
            | Work::Stat { .. } => {}
        }
    }
}
