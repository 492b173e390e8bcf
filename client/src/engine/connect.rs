//! From no session to one that is logged in, and in the directory where the last one was.
//!
//! It must not know what the session is for.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use muxftp_client::driver::{Connection, Endpoint, Finished, OperationResult, Owners, Speech};
use muxftp_client::tls;
use muxftp_proto::Dialect;
use muxftp_proto::client::io::{Failure, Operation, Outcome};

use super::speaker::{Probe, SILENCE, Speaker};
use super::{CLOSED, Engine, Source, Watch};
use crate::content::Content;
use crate::login::LogIn;
use crate::trouble::{Trouble, words};

impl Engine {
    /// Makes the control connection and logs in, unless there is one that the server has not closed.
    ///
    /// # Errors
    /// No address of the server can be connected to, it does not let us in, or a signal came.
    pub(crate) fn connect(&mut self) -> Result<(), Trouble> {
        self.catch_up()?;
        if let Some(reason) = self.foreign.take() {
            return Err(Trouble::Broken { what: self.server.to_string(), reason });
        }
        if self.is_open() {
            return Ok(());
        }
        let mut reason = String::from("it has no address");
        for address in self.addresses.clone() {
            match self.connect_to(address) {
                Ok(None) => return Ok(()),
                Ok(Some(finished)) => return self.settle_in(finished),
                Err(Trouble::CannotConnect { reason: last, .. }) => reason = last,
                Err(other) => return Err(other),
            }
        }
        Err(Trouble::CannotConnect { server: self.server.to_string(), reason })
    }

    /// Gives how the log-in ended, where there is one.
    fn connect_to(&mut self, address: SocketAddr) -> Result<Option<Finished<Content>>, Trouble> {
        let cannot = |error: &std::io::Error| Trouble::CannotConnect {
            server: format!("{address}"),
            reason: match error.kind() {
                std::io::ErrorKind::ConnectionRefused => {
                    format!("{}: is the server running, and is this its port?", words(error))
                }
                std::io::ErrorKind::TimedOut => "no answer: is the address right, and the port open?".to_owned(),
                _ => words(error),
            },
        };
        let endpoint = Endpoint {
            server: address,
            source: None,
            speech: self.log_in.speech.clone(),
            timeouts: self.timeouts,
            bandwidth: None,
            acknowledges_at_once: true,
        };
        let owners = Owners { control: Source::Control, data: Source::Data };
        let mut connection = Connection::open(&mut self.reactor, endpoint, owners).map_err(|error| cannot(&error))?;
        if matches!(self.log_in.speech, Speech::Ftp { .. }) {
            // Before it is connected: a server may greet and close at one go, and its words belong to the log-in.
            connection.start(&mut self.reactor, Operation::LogIn, Content::Nothing);
            self.peer.connection = Some(connection);
            let probe = (!self.server.is_implicit).then(|| Probe::after(SILENCE.min(self.timeouts.reply / 2), address));
            let finished = self.wait_for_end(false, &mut Watch { probe, ..Watch::default() })?;
            return match finished.result {
                OperationResult::ConnectFailed(error) => Err(cannot(&error)),
                _ => Ok(Some(finished)),
            };
        }
        self.peer.connection = Some(connection);
        loop {
            let Some(connection) = &mut self.peer.connection else { unreachable!("set above") };
            if let Some(error) = connection.take_connect_error() {
                return Err(cannot(&error));
            }
            if connection.is_connected() {
                return Ok(None);
            }
            if connection.is_closed() {
                // A greeting came together with the connection.
                self.look_for_surplus();
                self.wait_for_stranger()?;
                return Err(Trouble::CannotConnect { server: address.to_string(), reason: CLOSED.to_owned() });
            }
            self.wait(None)?;
        }
    }

    /// Behind the log-in: goes on where the last session was.
    fn settle_in(&mut self, finished: Finished<Content>) -> Result<(), Trouble> {
        if let Some(reason) = self.why_no_tls(&finished.result) {
            return Err(Trouble::CannotConnect { server: self.server.to_string(), reason });
        }
        let is_silence =
            matches!(finished.result, OperationResult::Ended(Outcome::Failed { failure: Failure::TimedOut, .. }, _))
                && self.peer.connection.as_ref().is_some_and(|connection| connection.dialogue().is_empty());
        self.conclude(finished, "log in").map_err(|trouble| match trouble {
            // Servers that wait for a TLS handshake, or speak a dialect without a login, do not greet.
            Trouble::Broken { what, reason } if is_silence && !self.server.is_implicit => {
                let text = "no greeting either: is it a server of ftps://, simple:// or updown://?";
                Trouble::Broken { what, reason: format!("{reason}, and {text}") }
            }
            other => other,
        })?;
        let is_secured = self.peer.connection.as_ref().is_some_and(Connection::is_secured);
        if self.log_in.has_secret && !is_secured && !std::mem::replace(&mut self.clear_is_told, true) {
            eprintln!("muxftp: note: no TLS here: the password went in the clear (--tls required forbids that)");
        }
        if let Some(name) = self.directory.clone() {
            let back = Operation::ChangeDirectory { name };
            let finished = self.run_once(back, Content::Nothing, &mut Watch::default())?;
            self.conclude(finished, "return to the directory")?;
        }
        Ok(())
    }

    /// Why the control connection has no TLS; `None`: that is not what went wrong.
    fn why_no_tls(&self, result: &OperationResult) -> Option<String> {
        let OperationResult::Ended(Outcome::Failed { step, failure }, error) = result else { return None };
        let reason = match (failure, error) {
            (Failure::Tls, Some(error)) => tls::explain(error).unwrap_or_else(|| format!("no TLS: {}", words(error))),
            (Failure::ClearBeforeTls, _) => self.explain(*step, failure),
            _ => return None,
        };
        let is_in_the_clear = matches!(failure, Failure::ClearBeforeTls) || error.as_ref().is_some_and(tls::is_none);
        let is_closed =
            |error: &std::io::Error| matches!(error.kind(), ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset);
        if self.server.is_implicit
            && (is_in_the_clear || error.as_ref().is_some_and(is_closed))
            && let Some(advice) = self.ask_what_is_spoken()
        {
            return Some(advice);
        }
        match self.server.is_implicit && is_in_the_clear {
            true => Some(format!("{reason}: use ftp:// with --tls required, if it offers AUTH TLS")),
            false => Some(reason),
        }
    }

    /// What the server of the last connection speaks, if it is not what the URL says.
    fn ask_what_is_spoken(&self) -> Option<String> {
        let address = *self.addresses.first()?;
        Speaker::ask(address).and_then(|speaker| speaker.advice(&self.server))
    }

    /// Waits a moment for a greeting, which shows that the server does not speak a dialect without one.
    ///
    /// # Errors
    /// It does not, or a signal came.
    pub(crate) fn wait_for_stranger(&mut self) -> Result<(), Trouble> {
        let until = Instant::now() + GREETING_TIME;
        while self.server.dialect != Dialect::Ftp && self.is_open() {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            self.wait(Some(left))?;
            self.look_for_surplus();
        }
        match self.foreign.take() {
            Some(reason) => Err(Trouble::Broken { what: self.server.to_string(), reason }),
            None => Ok(()),
        }
    }

    /// A server that demands resumption takes no data connection without a ticket, and some give few, and none with uploads
    /// (proftpd: two): a new log-in gets new ones. By TLS 1.2, if the server speaks that, it is the last.
    pub(super) fn renew_tickets(&mut self) -> Result<(), Trouble> {
        if !self.peer.connection.as_ref().is_some_and(Connection::is_out_of_tickets) {
            return Ok(());
        }
        // A doubt is reported at the end.
        let _ = self.quit();
        let Some(by_tls12) = self.log_in.by_tls12() else { return self.connect() };
        let usual = std::mem::replace(&mut self.log_in, by_tls12);
        match self.connect() {
            Err(Trouble::CannotConnect { .. }) => {
                self.log_in = LogIn { is_tls12_refused: true, ..usual };
                self.connect()
            }
            result => result,
        }
    }
}

/// A greeting comes at once, or the server waits for a command.
const GREETING_TIME: Duration = Duration::from_millis(150);
