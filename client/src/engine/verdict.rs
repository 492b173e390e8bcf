//! How an operation ended, in words for people.
//!
//! It must not know how an operation runs.

use std::time::Duration;

use muxftp_client::driver::{Finished, OperationResult};
use muxftp_client::limits;
use muxftp_client::tls;
use muxftp_proto::Escaped;
use muxftp_proto::client::io::{ClientStep, ClientTimeouts, Failure, Outcome};
use rustix::process::Signal;

use super::{CLOSED, Done, Engine, Speaker};
use crate::content::Content;
use crate::trouble::{Trouble, words};

impl Engine {
    /// The result for the caller, or the words for what went wrong with `what`.
    pub(super) fn conclude(&self, finished: Finished<Content>, what: &str) -> Result<Done, Trouble> {
        let broken = |reason| Trouble::Broken { what: what.to_owned(), reason };
        match finished.result {
            OperationResult::Ended(outcome @ (Outcome::Complete | Outcome::Told(_)), _) => {
                let told = if let Outcome::Told(told) = outcome { Some(told) } else { None };
                let took = finished.timeline.started.zip(finished.timeline.completed);
                let took = took.map_or(Duration::ZERO, |(from, to)| to - from);
                Ok(Done { content: finished.body, bytes: finished.bytes, took, told })
            }
            OperationResult::Ended(Outcome::Refused { code, text } | Outcome::LogInRefused { code, text, .. }, _) => {
                Err(Trouble::Refused { what: what.to_owned(), code, text })
            }
            OperationResult::Ended(Outcome::Unsayable, _) => Err(Trouble::Usage(format!(
                "{what}: this name cannot be said in the {} dialect: a line end, a blank at an end, or nothing",
                self.server.dialect
            ))),
            OperationResult::Ended(Outcome::Failed { step, failure }, error) => {
                let mut reason = self.explain(step, &failure);
                if let Some(error) = error {
                    reason = format!("{reason} ({})", told(&error));
                }
                Err(broken(reason))
            }
            OperationResult::Ended(Outcome::DataFailed { step }, error) => {
                let reason = self.explain(step, &Failure::DataConnect);
                Err(broken(error.map_or(reason.clone(), |error| format!("{reason} ({})", told(&error)))))
            }
            OperationResult::Ended(Outcome::Aborted { .. }, _) => Err(Trouble::Interrupted(Signal::INT.as_raw())),
            OperationResult::ConnectFailed(error) => Err(broken(words(&error))),
            OperationResult::BodyFailed(error) => Err(finished.body.blame(error)),
        }
    }

    pub(super) fn explain(&self, step: ClientStep, failure: &Failure) -> String {
        if let Failure::UnexpectedReply(line) = failure
            && let Some(advice) = Speaker::of(line).and_then(|speaker| speaker.advice(&self.server))
        {
            return advice;
        }
        let ClientTimeouts { reply, stall, .. } = self.timeouts;
        match (failure, step) {
            (Failure::TimedOut | Failure::DataConnect, ClientStep::DataConnect) => {
                "cannot make the data connection: does a firewall close the server's data ports?".to_owned()
            }
            (Failure::TimedOut, ClientStep::Transfer) => {
                format!("no byte has moved for {} s", stall.as_secs())
            }
            (Failure::TimedOut, _) => format!("no reply from the server in {} s", reply.as_secs()),
            (Failure::ControlLost, _) => CLOSED.to_owned(),
            (Failure::Tls, _) => "the TLS handshake failed".to_owned(),
            (Failure::ClearBeforeTls, _) => "the server sends plain text where the TLS handshake is due".to_owned(),
            (Failure::Farewell(text), _) => format!("the server has ended the session: {}", Escaped(text)),
            (Failure::DataLost | Failure::DataConnect, _) => "the data connection broke".to_owned(),
            (Failure::OutOfStep { command: Some(command), reply }, _) if command.is_empty() => {
                format!("`{}` is not the greeting of an ftp server", shown(reply))
            }
            (Failure::OutOfStep { command: Some(command), reply }, _) => format!(
                "the server's replies are out of step: `{}` is not a reply to {}, which was not confirmed",
                shown(reply),
                shown(command)
            ),
            (Failure::OutOfStep { command: None, reply }, _) => format!(
                "the server's replies are out of step: `{}` came unasked, and no further command was sent",
                shown(reply)
            ),
            (Failure::UnexpectedReply(line), _) => {
                format!("`{}` is no reply of this dialect: does the server speak {}?", shown(line), self.server.dialect)
            }
        }
    }
}

/// What a server said, for a message.
pub(super) fn shown(line: &[u8]) -> Escaped<'_> {
    Escaped(&line[..line.len().min(limits::SHOWN_BYTES)])
}

/// An error's words, of TLS or the system.
fn told(error: &std::io::Error) -> String {
    tls::explain(error).unwrap_or_else(|| words(error))
}
