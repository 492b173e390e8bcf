//! From what the driver says of an operation to what is recorded of it.
//!
//! Invariant: the phases of a sample add up to the time from due to completed.

use std::time::Instant;

use muxftp_client::driver::{Finished, OperationResult, Timeline};
use muxftp_proto::Escaped;
use muxftp_proto::client::io::{ClientStep, Failure, Outcome, Told};

use super::payload::{Mismatch, Payload};
use crate::record::{FailureKind, FailureReport, Phase, SampleResult};
use crate::scenario::Expect;

/// Nanoseconds of each phase, indexed by `Phase as usize`. Where a mark is missing the operation ended: the rest of its
/// time belongs to that phase.
pub(super) fn phases(due: Instant, taken: Instant, timeline: &Timeline, completed: Instant) -> [u64; 8] {
    // A session that was there already needs no connect.
    let connected = if timeline.connected == timeline.started { Some(taken) } else { timeline.connected };
    // `simple` has no log-in: its phase ends where it begins.
    let marks = [
        Some(taken),
        connected,
        connected,
        timeline.negotiated,
        timeline.data_connected,
        timeline.first_byte,
        timeline.last_byte,
        None,
    ];
    let mut phases = [0; 8];
    let mut before = due;
    for (phase, mark) in phases.iter_mut().zip(marks) {
        let end = mark.unwrap_or(completed).clamp(before, completed.max(before));
        *phase = u64::try_from((end - before).as_nanos()).unwrap_or(u64::MAX);
        before = end;
        if mark.is_none() {
            break;
        }
    }
    phases
}

/// The same of a log-in: after the connect all is one phase.
pub(super) fn log_in_phases(begun: Instant, timeline: &Timeline, completed: Instant) -> [u64; 8] {
    let mut phases = phases(begun, begun, timeline, completed);
    if timeline.connected.is_some() {
        let rest: u64 = phases[Phase::Login as usize..].iter().sum();
        phases[Phase::Login as usize..].fill(0);
        phases[Phase::Login as usize] = rest;
    }
    phases
}

/// The phase in which an operation without further marks ended.
pub(super) fn last_phase(timeline: &Timeline) -> Phase {
    if timeline.last_byte.is_some() {
        Phase::Complete
    } else if timeline.first_byte.is_some() {
        Phase::Transfer
    } else if timeline.data_connected.is_some() {
        Phase::FirstByte
    } else if timeline.negotiated.is_some() {
        Phase::DataConnect
    } else if timeline.connected.is_some() {
        Phase::Negotiate
    } else {
        Phase::Connect
    }
}

/// Whether an operation went as expected; `dialogue` is its control dialogue.
pub(super) fn judge(finished: &mut Finished<Payload>, expect: &Expect, dialogue: &[u8]) -> SampleResult {
    let fault = match (&finished.result, expect) {
        (OperationResult::Ended(Outcome::Complete | Outcome::Told(_), _), Expect::Ok) => {
            return verified(finished, dialogue);
        }
        // A dialect without numbers has one kind of refusal.
        (OperationResult::Ended(Outcome::Refused { code, .. }, _), Expect::Refusal(wanted))
            if code == wanted || *code == 0 =>
        {
            return SampleResult::Good { contents_verified: false, listing_verified: false };
        }
        (OperationResult::Ended(Outcome::Complete | Outcome::Told(_), _), Expect::Refusal(wanted)) => Fault {
            kind: FailureKind::UnexpectedSuccess,
            code: None,
            text: format!("completed, though {wanted} was expected"),
        },
        (result, _) => Fault::of(result),
    };
    SampleResult::Failed(Box::new(fault.report(last_phase(&finished.timeline), dialogue)))
}

/// What went wrong, in words.
struct Fault {
    kind: FailureKind,
    code: Option<u16>,
    text: String,
}

impl Fault {
    fn new(kind: FailureKind, text: impl Into<String>) -> Fault {
        Fault { kind, code: None, text: text.into() }
    }

    fn of(result: &OperationResult) -> Fault {
        match result {
            OperationResult::ConnectFailed(error) => Fault::of_connect(error),
            OperationResult::BodyFailed(error) => Fault::new(FailureKind::Local, error.to_string()),
            OperationResult::Ended(Outcome::Refused { code, text } | Outcome::LogInRefused { code, text, .. }, _) => {
                Fault { kind: FailureKind::Refused, code: Some(*code), text: Escaped(text).to_string() }
            }
            OperationResult::Ended(Outcome::Failed { step, failure }, error) => {
                let system = error.as_ref().map(|error| format!(": {error}")).unwrap_or_default();
                Fault::of_failure(*step, failure, &system)
            }
            OperationResult::Ended(Outcome::Unsayable, _) => {
                Fault::new(FailureKind::Local, "the name cannot be said in this dialect")
            }
            OperationResult::Ended(Outcome::DataFailed { step }, error) => {
                let system = error.as_ref().map(|error| format!(": {error}")).unwrap_or_default();
                let failure = if *step == ClientStep::DataConnect { Failure::DataConnect } else { Failure::DataLost };
                Fault::of_failure(*step, &failure, &system)
            }
            OperationResult::Ended(Outcome::Aborted { .. }, _) => Fault::new(FailureKind::Local, "given up"),
            OperationResult::Ended(Outcome::Complete | Outcome::Told(_), _) => {
                Fault::new(FailureKind::UnexpectedSuccess, "completed")
            }
        }
    }

    fn of_connect(error: &std::io::Error) -> Fault {
        let kind = match error.kind() {
            std::io::ErrorKind::TimedOut => FailureKind::Timeout,
            std::io::ErrorKind::AddrNotAvailable => FailureKind::Local,
            _ => FailureKind::Connect,
        };
        Fault::new(kind, error.to_string())
    }

    fn of_failure(step: ClientStep, failure: &Failure, system: &str) -> Fault {
        match failure {
            Failure::TimedOut => Fault::new(FailureKind::Timeout, step_words(step)),
            Failure::ControlLost => {
                Fault::new(FailureKind::Closed, format!("the control connection was closed{system}"))
            }
            Failure::Tls => Fault::new(FailureKind::Connect, format!("no TLS{system}")),
            Failure::ClearBeforeTls => Fault::new(FailureKind::Connect, "words in the clear where TLS was to begin"),
            Failure::Farewell(text) => Fault::new(FailureKind::Closed, Escaped(text).to_string()),
            Failure::DataConnect => Fault::new(FailureKind::Connect, format!("no data connection{system}")),
            Failure::DataLost => Fault::new(FailureKind::Closed, format!("the data connection broke{system}")),
            Failure::UnexpectedReply(line) => Fault::new(FailureKind::UnexpectedReply, Escaped(line).to_string()),
            Failure::OutOfStep { reply, .. } => {
                Fault::new(FailureKind::UnexpectedReply, format!("replies out of step: {}", Escaped(reply)))
            }
        }
    }

    fn report(self, phase: Phase, dialogue: &[u8]) -> FailureReport {
        let lines = dialogue.split(|&byte| byte == b'\n').filter(|line| !line.is_empty());
        FailureReport {
            kind: self.kind,
            phase,
            code: self.code,
            text: self.text,
            transcript: lines.map(|line| Escaped(line).to_string()).collect(),
        }
    }
}

/// A completed operation is good only if its bytes were.
fn verified(finished: &mut Finished<Payload>, dialogue: &[u8]) -> SampleResult {
    let fault = match &mut finished.body {
        Payload::Discard => return SampleResult::Good { contents_verified: false, listing_verified: false },
        Payload::Generate(..) | Payload::GenerateFrom(..) => {
            return SampleResult::Good { contents_verified: true, listing_verified: false };
        }
        Payload::Verify(verify) => match verify.finish() {
            Ok(()) => return SampleResult::Good { contents_verified: true, listing_verified: false },
            Err(Mismatch::Length { expected, received }) => {
                Fault::new(FailureKind::WrongLength, format!("{received} bytes instead of {expected}"))
            }
            Err(Mismatch::Contents { offset }) => {
                Fault::new(FailureKind::WrongContents, format!("the byte at offset {offset} differs"))
            }
        },
        Payload::Size(expected) => match &finished.result {
            OperationResult::Ended(Outcome::Told(Told::Entry(entry)), _) if entry.size == Some(*expected) => {
                return SampleResult::Good { contents_verified: false, listing_verified: false };
            }
            _ => Fault::new(FailureKind::WrongLength, format!("the server tells no size of {expected} bytes")),
        },
        Payload::Listing(check) => match check.finish() {
            Ok(()) => return SampleResult::Good { contents_verified: false, listing_verified: true },
            Err(text) => Fault::new(FailureKind::WrongListing, text),
        },
    };
    SampleResult::Failed(Box::new(fault.report(Phase::Transfer, dialogue)))
}

fn step_words(step: ClientStep) -> &'static str {
    match step {
        ClientStep::Negotiate => "no reply to the command",
        ClientStep::DataConnect => "the data connection was not made",
        ClientStep::Transfer => "no byte moved",
        ClientStep::Complete => "no final reply",
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn phases_add_up_to_the_response_wherever_an_operation_ends() {
        let due = Instant::now();
        let at = |ms: u64| due + Duration::from_millis(ms);
        let marks = [at(3), at(7), at(8), at(9), at(20)];
        for reached in 0..=marks.len() {
            let mark = |number: usize| (number < reached).then(|| marks[number]);
            let timeline = Timeline {
                started: Some(at(2)),
                connected: mark(0),
                negotiated: mark(1),
                data_connected: mark(2),
                first_byte: mark(3),
                last_byte: mark(4),
                ..Timeline::default()
            };
            let phases = phases(due, at(1), &timeline, at(40));
            assert_eq!(phases.iter().sum::<u64>(), 40_000_000, "{reached} marks");
            assert_eq!(phases[Phase::Wait as usize], 1_000_000);
            assert!(phases[last_phase(&timeline) as usize] > 0, "{reached} marks");
        }
    }
}
