//! One session with a server, for callers that wait: each call does one operation and comes back.
//!
//! It must not know the prompt, the terminal, or what the bytes are. It makes the control connection when one is needed
//! and makes it anew when the server has closed it meanwhile.
//!
//! Invariant: after an error the session is either ready for the next operation or closed.

use std::net::{SocketAddr, ToSocketAddrs};
use std::time::{Duration, Instant};

use muxftp_client::driver::{Connection, Endpoint, Finished, OperationResult, Owners, Speech};
use muxftp_client::tls;
use muxftp_proto::Escaped;
use muxftp_proto::client::io::{ClientStep, ClientTimeouts, Failure, Operation, Outcome, Told};
use muxftp_reactor::{Again, Clock, Handler, Key, Reactor, Readiness};
use rustix::process::Signal;

use crate::args;
use crate::content::Content;
use crate::login::{self, LogIn};
use crate::target::ServerName;
use crate::trouble::{Trouble, words};

/// A session, made when it is first needed.
pub(crate) struct Engine {
    reactor: Reactor<Source>,
    peer: Peer,
    server: ServerName,
    log_in: LogIn,
    addresses: Vec<SocketAddr>,
    timeouts: ClientTimeouts,
    verbose: bool,
    /// That the password went in the clear.
    clear_is_told: bool,
}

/// An operation that was done.
pub(crate) struct Done {
    pub(crate) content: Content,
    /// Bytes on the data connection.
    pub(crate) bytes: u64,
    pub(crate) took: Duration,
}

/// What the waiting caller wants.
#[derive(Default)]
pub(crate) struct Watch<'a> {
    /// Told now and then how many bytes have moved, and of how many, when the server told.
    pub(crate) progress: Option<&'a mut dyn FnMut(u64, Option<u64>)>,
    /// Give up, and close the session, after this time.
    pub(crate) limit: Option<Duration>,
}

/// What a source of the reactor is.
#[derive(Debug, Clone, Copy)]
enum Source {
    Control,
    Data,
}

/// What the reactor calls.
struct Peer {
    connection: Option<Connection<Source, Content>>,
    buffer: Box<[u8]>,
    signal: Option<i32>,
}

impl Engine {
    /// Looks the host up, and may ask for a password; connects later. From now on SIGINT, SIGTERM and SIGHUP end operations, not the program.
    ///
    /// # Errors
    /// There is no such host, the options do not fit, or the system has no descriptors left.
    pub(crate) fn new(server: &ServerName, connection: &args::Connection) -> Result<Engine, Trouble> {
        let cannot = |reason| Trouble::CannotConnect { server: server.to_string(), reason };
        let log_in = login::prepare(server, connection)?;
        // Before the signals are watched: a slow look-up can be interrupted as any program can.
        let addresses: Vec<SocketAddr> = (server.host.as_str(), server.port)
            .to_socket_addrs()
            .map_err(|error| cannot(format!("cannot find the host: {}", words(&error))))?
            .collect();
        let mut reactor = Reactor::new(Clock::Poll).map_err(system)?;
        reactor.watch_signals(&SIGNALS).map_err(system)?;
        Ok(Engine {
            reactor,
            peer: Peer { connection: None, buffer: vec![0; BUFFER_BYTES].into(), signal: None },
            server: server.clone(),
            log_in,
            addresses,
            timeouts: connection.timeouts(),
            verbose: connection.verbose,
            clear_is_told: false,
        })
    }

    /// The server of this session.
    pub(crate) fn server(&self) -> &ServerName {
        &self.server
    }

    /// Makes the control connection and logs in, unless there is one that the server has not closed.
    ///
    /// # Errors
    /// No address of the server can be connected to, it does not let us in, or a signal came.
    pub(crate) fn connect(&mut self) -> Result<(), Trouble> {
        self.catch_up()?;
        if self.is_open() {
            return Ok(());
        }
        let mut reason = String::from("it has no address");
        for address in self.addresses.clone() {
            match self.connect_to(address) {
                Ok(()) => return self.log_in(),
                Err(Trouble::CannotConnect { reason: last, .. }) => reason = last,
                Err(other) => return Err(other),
            }
        }
        Err(Trouble::CannotConnect { server: self.server.to_string(), reason })
    }

    /// Whether there is a session that, as far as is known, is alive.
    pub(crate) fn is_open(&self) -> bool {
        self.peer.connection.as_ref().is_some_and(|connection| !connection.is_closed())
    }

    /// Does one operation. `what` names it in errors.
    ///
    /// # Errors
    /// It did not succeed; what came of it is gone with `content`.
    pub(crate) fn run(
        &mut self,
        operation: &Operation,
        content: Content,
        what: &str,
        mut watch: Watch<'_>,
    ) -> Result<Done, Trouble> {
        let was_open = self.is_open();
        self.connect()?;
        if moves_data(operation) {
            self.renew_tickets()?;
        }
        let finished = self.run_once(operation.clone(), content, &mut watch)?;
        // A server may close an idle session at the very moment of the command; nothing has been done then.
        let was_stale = was_open && matches!(&finished.result, OperationResult::Ended(outcome, _) if is_stale(outcome));
        let finished = match was_stale {
            true => {
                self.connect()?;
                self.run_once(operation.clone(), finished.body, &mut watch)?
            }
            false => finished,
        };
        self.conclude(finished, what)
    }

    /// Ends the session politely, if there is one; a server that does not answer is left.
    pub(crate) fn quit(&mut self) {
        if self.catch_up().is_ok() && self.is_open() {
            let mut watch = Watch { limit: Some(FAREWELL_TIME), ..Watch::default() };
            // The session is over either way, and nobody waits for anything from it.
            let _ = self.run_once(Operation::Quit, Content::Nothing, &mut watch);
        }
        self.hang_up();
    }

    /// Takes note of what came while nobody waited: a server that has closed the session. An old Ctrl-C is forgotten, it
    /// was meant for what ran then.
    fn catch_up(&mut self) -> Result<(), Trouble> {
        self.reactor.turn(&mut self.peer, Some(Duration::ZERO)).map_err(system)?;
        match self.peer.signal.take() {
            Some(signal) if signal != Signal::INT.as_raw() => Err(Trouble::Interrupted(signal)),
            _ => Ok(()),
        }
    }

    fn connect_to(&mut self, address: SocketAddr) -> Result<(), Trouble> {
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
        };
        let owners = Owners { control: Source::Control, data: Source::Data };
        let connection = Connection::open(&mut self.reactor, endpoint, owners).map_err(|error| cannot(&error))?;
        self.peer.connection = Some(connection);
        loop {
            let Some(connection) = &mut self.peer.connection else { unreachable!("set above") };
            if let Some(error) = connection.take_connect_error() {
                return Err(cannot(&error));
            }
            if connection.is_connected() {
                return Ok(());
            }
            self.wait(None)?;
        }
    }

    /// The first operation of `ftp`.
    fn log_in(&mut self) -> Result<(), Trouble> {
        if !matches!(self.log_in.speech, Speech::Ftp { .. }) {
            return Ok(());
        }
        let finished = self.run_once(Operation::LogIn, Content::Nothing, &mut Watch::default())?;
        if let OperationResult::Ended(Outcome::Failed { failure: Failure::Tls, .. }, Some(error)) = &finished.result {
            let reason = tls::explain(error).unwrap_or_else(|| format!("no TLS: {}", words(error)));
            return Err(Trouble::CannotConnect { server: self.server.to_string(), reason });
        }
        self.conclude(finished, "log in")?;
        let is_secured = self.peer.connection.as_ref().is_some_and(Connection::is_secured);
        if self.log_in.has_secret && !is_secured && !std::mem::replace(&mut self.clear_is_told, true) {
            eprintln!("muxftp: note: no TLS here: the password went in the clear (--tls required forbids that)");
        }
        Ok(())
    }

    /// A server that demands resumption takes no data connection without a ticket, and some give none with uploads: a new
    /// log-in gets new ones.
    fn renew_tickets(&mut self) -> Result<(), Trouble> {
        if !self.peer.connection.as_ref().is_some_and(Connection::is_out_of_tickets) {
            return Ok(());
        }
        let asked = self.run_once(Operation::WorkingDirectory, Content::Nothing, &mut Watch::default())?;
        self.quit();
        self.connect()?;
        if let OperationResult::Ended(Outcome::Told(Told::Path(name)), _) = asked.result {
            let back = Operation::ChangeDirectory { name };
            let finished = self.run_once(back, Content::Nothing, &mut Watch::default())?;
            self.conclude(finished, "return to the directory")?;
        }
        Ok(())
    }

    fn run_once(
        &mut self,
        operation: Operation,
        content: Content,
        watch: &mut Watch<'_>,
    ) -> Result<Finished<Content>, Trouble> {
        let until = watch.limit.map(|limit| Instant::now() + limit);
        if let Some(connection) = &mut self.peer.connection {
            connection.start(&mut self.reactor, operation, content);
        }
        loop {
            let Some(connection) = &mut self.peer.connection else { unreachable!("connected by the caller") };
            if let Some(finished) = connection.take_finished() {
                self.show_dialogue();
                return Ok(finished);
            }
            if let Some(progress) = &mut watch.progress {
                progress(connection.bytes_moved(), connection.bytes_expected());
            }
            let left = until.map(|until| until.saturating_duration_since(Instant::now()));
            if left == Some(Duration::ZERO) {
                self.hang_up();
                return Err(Trouble::Broken { what: self.server.to_string(), reason: "no answer in time".into() });
            }
            let tick = watch.progress.as_ref().map(|_| PROGRESS_TICK);
            self.wait(left.into_iter().chain(tick).min())?;
        }
    }

    /// One turn of the loop; a signal ends the session, because what runs on it cannot be taken back.
    fn wait(&mut self, most: Option<Duration>) -> Result<(), Trouble> {
        self.reactor.turn(&mut self.peer, most).map_err(system)?;
        match self.peer.signal.take() {
            None => Ok(()),
            Some(signal) => {
                self.hang_up();
                Err(Trouble::Interrupted(signal))
            }
        }
    }

    fn hang_up(&mut self) {
        if let Some(mut connection) = self.peer.connection.take() {
            connection.abort(&mut self.reactor);
        }
    }

    fn conclude(&self, finished: Finished<Content>, what: &str) -> Result<Done, Trouble> {
        let broken = |reason| Trouble::Broken { what: what.to_owned(), reason };
        match finished.result {
            OperationResult::Ended(Outcome::Complete | Outcome::Told(_), _) => {
                let took = finished.timeline.started.zip(finished.timeline.completed);
                let took = took.map_or(Duration::ZERO, |(from, to)| to - from);
                Ok(Done { content: finished.body, bytes: finished.bytes, took })
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
            OperationResult::Ended(Outcome::Aborted { .. }, _) => Err(broken("given up".to_owned())),
            OperationResult::ConnectFailed(error) => Err(broken(words(&error))),
            OperationResult::BodyFailed(error) => Err(finished.body.blame(error)),
        }
    }

    fn explain(&self, step: ClientStep, failure: &Failure) -> String {
        let ClientTimeouts { reply, stall, .. } = self.timeouts;
        match (failure, step) {
            (Failure::TimedOut | Failure::DataConnect, ClientStep::DataConnect) => {
                "cannot make the data connection: does a firewall close the server's data ports?".to_owned()
            }
            (Failure::TimedOut, ClientStep::Transfer) => {
                format!("no byte has moved for {} s", stall.as_secs())
            }
            (Failure::TimedOut, _) => format!("no reply from the server in {} s", reply.as_secs()),
            (Failure::ControlLost, _) => "the server has closed the connection".to_owned(),
            (Failure::Tls, _) => "TLS could not be had".to_owned(),
            (Failure::Farewell(text), _) => format!("the server has ended the session: {}", Escaped(text)),
            (Failure::DataLost | Failure::DataConnect, _) => "the data connection broke".to_owned(),
            (Failure::UnexpectedReply(line), _) => format!(
                "`{}` makes no sense here: does the server speak {}?",
                Escaped(&line[..line.len().min(SHOWN_BYTES)]),
                self.server.dialect
            ),
        }
    }

    fn show_dialogue(&self) {
        if !self.verbose {
            return;
        }
        let Some(connection) = &self.peer.connection else { return };
        for line in connection.dialogue().split(|&byte| byte == b'\n').filter(|line| !line.is_empty()) {
            eprintln!("{}", Escaped(line));
        }
    }
}

impl Handler<Source> for Peer {
    fn ready(&mut self, rx: &mut Reactor<Source>, _key: Key, source: Source, readiness: Readiness) -> Again {
        match (&mut self.connection, source) {
            (None, _) => Again::No,
            (Some(connection), Source::Control) => connection.ready_control(rx, readiness, &mut self.buffer),
            (Some(connection), Source::Data) => connection.ready_data(rx, &mut self.buffer),
        }
    }

    fn timeout(&mut self, rx: &mut Reactor<Source>, _key: Key, _source: Source) {
        if let Some(connection) = &mut self.connection {
            connection.timeout(rx);
        }
    }

    fn signal(&mut self, _rx: &mut Reactor<Source>, signal: i32) {
        self.signal = Some(signal);
    }
}

/// An error's words, of TLS or the system.
fn told(error: &std::io::Error) -> String {
    tls::explain(error).unwrap_or_else(|| words(error))
}

/// Whether it needs a data connection.
fn moves_data(operation: &Operation) -> bool {
    matches!(operation, Operation::Get { .. } | Operation::Put { .. } | Operation::List { .. })
}

/// Whether the session had ended before the command came.
fn is_stale(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Failed { step: ClientStep::Negotiate, failure: Failure::ControlLost })
}

fn system(error: std::io::Error) -> Trouble {
    Trouble::local("wait for", "the network", error)
}

const SIGNALS: [i32; 3] = [Signal::INT.as_raw(), Signal::TERM.as_raw(), Signal::HUP.as_raw()];

/// As the server reads and writes: large enough that system calls do not count.
const BUFFER_BYTES: usize = 256 * 1024;

/// How often a person sees a figure change.
const PROGRESS_TICK: Duration = Duration::from_millis(100);

/// A reply to EXIT is worth no longer a wait.
const FAREWELL_TIME: Duration = Duration::from_secs(2);

/// Of a reply that makes no sense, in a message.
const SHOWN_BYTES: usize = 120;
