//! One session with a server, for callers that wait: each call does one operation and comes back.
//!
//! It must not know the prompt, the terminal, or what the bytes are. It makes the control connection when one is needed
//! and makes it anew when the server has closed it meanwhile.
//!
//! Invariant: after an error the session is either ready for the next operation or closed.

mod connect;
mod doubt;
mod peer;
mod speaker;
mod verdict;

use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use muxftp_client::driver::{Connection, Finished, OperationResult, Timeline};
use muxftp_proto::client::io::{ClientStep, ClientTimeouts, Failure, Operation, Outcome, Told};
use muxftp_proto::{Dialect, Escaped, Features};
use muxftp_reactor::{Clock, Reactor};
use rustix::process::Signal;

use crate::args;
use crate::content::Content;
use crate::login::{self, LogIn};
use crate::target::ServerName;
use crate::trouble::{Trouble, words};
use peer::{Peer, Source};
use speaker::{Probe, Speaker};

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
    /// The working directory, once it is another than the log-in leads to.
    directory: Option<Vec<u8>>,
    /// What the server turned out to speak, with what to do about it.
    foreign: Option<String>,
    /// The last operation, if only one reply shows that it was done.
    unconfirmed: Option<String>,
    /// An operation was reported as not confirmed; shared with the siblings.
    doubts: Arc<AtomicBool>,
}

/// An operation that was done.
pub(crate) struct Done {
    pub(crate) content: Content,
    /// Bytes on the data connection.
    pub(crate) bytes: u64,
    pub(crate) took: Duration,
    /// The server's answer, to what is a question.
    pub(crate) told: Option<Told>,
}

/// What the waiting caller wants.
#[derive(Default)]
pub(crate) struct Watch<'a> {
    /// Told now and then how many bytes have moved, and of how many, when the server told.
    pub(crate) progress: Option<&'a mut dyn FnMut(u64, Option<u64>)>,
    /// Give up, and close the session, after this time.
    pub(crate) limit: Option<Duration>,
    /// Find out what a server speaks that does not greet.
    pub(crate) probe: Option<Probe>,
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
        Ok(Engine {
            reactor: new_reactor()?,
            peer: Peer::new(),
            server: server.clone(),
            log_in,
            addresses,
            timeouts: connection.timeouts(),
            verbose: connection.verbose,
            clear_is_told: false,
            directory: None,
            foreign: None,
            unconfirmed: None,
            doubts: Arc::default(),
        })
    }

    /// The server of this session.
    pub(crate) fn server(&self) -> &ServerName {
        &self.server
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
        if self.server.dialect != Dialect::Ftp && !is_of_all_dialects(operation) {
            let dialect = self.server.dialect;
            return Err(Trouble::Usage(format!(
                "{what}: {dialect} has no such command, only ls, get and put; ftp has it"
            )));
        }
        let was_open = self.is_open();
        self.connect()?;
        if moves_data(operation) {
            self.renew_tickets()?;
        }
        let finished = self.run_once(operation.clone(), content, &mut watch)?;
        // A server may close an idle session at the very moment of the command; nothing has been done then. When it had said
        // something that nobody asked for, nothing was sent.
        self.look_for_surplus();
        if let Some(reason) = self.foreign.take() {
            return Err(Trouble::Broken { what: what.to_owned(), reason });
        }
        let was_stale = was_open && matches!(&finished.result, OperationResult::Ended(outcome, _) if is_stale(outcome));
        let finished = match was_stale {
            true => {
                self.connect()?;
                self.run_once(operation.clone(), finished.body, &mut watch)?
            }
            false => finished,
        };
        let done = self.conclude(finished, what)?;
        self.note_done(operation, what);
        self.look_for_surplus();
        Ok(done)
    }

    /// Does an operation that moves no bytes; gives the answer, if it is a question.
    ///
    /// # Errors
    /// It did not succeed.
    pub(crate) fn ask(&mut self, operation: &Operation, what: &str) -> Result<Option<Told>, Trouble> {
        self.run(operation, Content::Nothing, what, Watch::default()).map(|done| done.told)
    }

    /// Finds out where the server has led us, to come back there after the next log-in.
    ///
    /// # Errors
    /// The server does not tell.
    pub(crate) fn remember_directory(&mut self) -> Result<Vec<u8>, Trouble> {
        match self.ask(&Operation::WorkingDirectory, "pwd")? {
            Some(Told::Path(path)) => {
                self.directory = Some(path.clone());
                Ok(path)
            }
            _ => Err(Trouble::Broken { what: "pwd".into(), reason: "the server told no directory".into() }),
        }
    }

    /// The next log-in is to lead there.
    pub(crate) fn begin_in(&mut self, directory: Vec<u8>) {
        self.directory = Some(directory);
    }

    /// Another session with the same server, made when it is first needed.
    ///
    /// # Errors
    /// The system has no descriptors left.
    pub(crate) fn sibling(&self) -> Result<Engine, Trouble> {
        Ok(Engine {
            reactor: new_reactor()?,
            peer: Peer::new(),
            server: self.server.clone(),
            log_in: self.log_in.clone(),
            addresses: self.addresses.clone(),
            timeouts: self.timeouts,
            verbose: self.verbose,
            clear_is_told: self.clear_is_told,
            directory: self.directory.clone(),
            foreign: None,
            unconfirmed: None,
            doubts: Arc::clone(&self.doubts),
        })
    }

    /// What the server offers, as far as it was asked.
    pub(crate) fn features(&self) -> Features {
        self.peer.connection.as_ref().map(Connection::features).unwrap_or_default()
    }

    /// Ends the session politely, if there is one; a server that does not answer is left.
    ///
    /// # Errors
    /// An operation that had seemed done was reported as not confirmed.
    pub(crate) fn quit(&mut self) -> Result<(), Trouble> {
        if self.catch_up().is_ok() && self.is_open() {
            let mut watch = Watch { limit: Some(FAREWELL_TIME), ..Watch::default() };
            // The session is over either way, and nobody waits for anything from it.
            if let Ok(finished) = self.run_once(Operation::Quit, Content::Nothing, &mut watch) {
                self.judge_farewell(&finished);
            }
        }
        self.hang_up();
        self.verdict_of_doubts()
    }

    /// Before a person's next command: an old Ctrl-C was meant for what ran then.
    ///
    /// # Errors
    /// The system fails.
    pub(crate) fn forget_interruption(&mut self) -> Result<(), Trouble> {
        self.take_note()?;
        self.peer.signal = self.peer.signal.filter(|&signal| signal != Signal::INT.as_raw());
        Ok(())
    }

    /// As [`Engine::take_note`]; a signal that came between two operations ends what they are parts of.
    ///
    /// # Errors
    /// A signal came, or the system fails.
    pub(crate) fn catch_up(&mut self) -> Result<(), Trouble> {
        self.take_note()?;
        self.peer.signal.take().map_or(Ok(()), |signal| Err(Trouble::Interrupted(signal)))
    }

    /// Takes note of what came while nobody waited: a signal, or a server that has closed the session.
    fn take_note(&mut self) -> Result<(), Trouble> {
        self.reactor.turn(&mut self.peer, Some(Duration::ZERO)).map_err(system)?;
        self.look_for_surplus();
        Ok(())
    }

    fn run_once(
        &mut self,
        operation: Operation,
        content: Content,
        watch: &mut Watch<'_>,
    ) -> Result<Finished<Content>, Trouble> {
        let can_be_given_up = self.server.dialect == Dialect::Ftp && moves_data(&operation);
        match &mut self.peer.connection {
            Some(connection) if !connection.is_closed() => connection.start(&mut self.reactor, operation, content),
            // Closed together with the last reply.
            _ => return Ok(lost(content)),
        }
        self.wait_for_end(can_be_given_up, watch)
    }

    /// Waits for the end of the operation that was started.
    fn wait_for_end(&mut self, can_be_given_up: bool, watch: &mut Watch<'_>) -> Result<Finished<Content>, Trouble> {
        let mut interrupted = None;
        let until = watch.limit.map(|limit| Instant::now() + limit);
        loop {
            let Some(connection) = &mut self.peer.connection else { unreachable!("started by the caller") };
            if let Some(finished) = connection.take_finished() {
                self.show_dialogue();
                // Whatever the server said then, it is what was wanted, unless all had been done before.
                return match (interrupted, &finished.result) {
                    (Some(signal), OperationResult::Ended(outcome, _)) if !outcome.is_success() => {
                        Err(Trouble::Interrupted(signal))
                    }
                    (Some(signal), _) => {
                        // It is not lost on what would follow.
                        self.peer.signal = Some(signal);
                        Ok(finished)
                    }
                    (None, _) => Ok(finished),
                };
            }
            if let Some(progress) = &mut watch.progress {
                progress(connection.bytes_moved(), connection.bytes_expected());
            }
            if let Some(advice) = self.look_at_silence(watch) {
                self.hang_up();
                return Err(Trouble::Broken { what: self.server.to_string(), reason: advice });
            }
            let left = until.map(|until| until.saturating_duration_since(Instant::now()));
            if left == Some(Duration::ZERO) {
                self.hang_up();
                return Err(Trouble::Broken { what: self.server.to_string(), reason: "no answer in time".into() });
            }
            let is_watched = watch.progress.is_some() || watch.probe.is_some();
            let tick = is_watched.then_some(PROGRESS_TICK);
            let Some(signal) = self.turn(left.into_iter().chain(tick).min())? else { continue };
            // Of an impatient person, or the system: at once.
            if !can_be_given_up || signal != Signal::INT.as_raw() || interrupted.replace(signal).is_some() {
                self.hang_up();
                return Err(Trouble::Interrupted(signal));
            }
            if let Some(connection) = &mut self.peer.connection {
                connection.give_up(&mut self.reactor);
            }
        }
    }

    /// What to do about a server that does not greet, once it is known what it speaks.
    fn look_at_silence(&self, watch: &mut Watch<'_>) -> Option<String> {
        let probe = watch.probe.as_mut()?;
        if self.peer.connection.as_ref().is_some_and(|connection| !connection.dialogue().is_empty()) {
            watch.probe = None;
            return None;
        }
        let speaker = probe.poll()?;
        watch.probe = None;
        speaker.and_then(|speaker| speaker.advice(&self.server))
    }

    /// Waits for the next event; a signal ends the session.
    fn wait(&mut self, most: Option<Duration>) -> Result<(), Trouble> {
        match self.turn(most)? {
            None => Ok(()),
            Some(signal) => {
                self.hang_up();
                Err(Trouble::Interrupted(signal))
            }
        }
    }

    /// One turn of the loop; gives the signal that came.
    fn turn(&mut self, most: Option<Duration>) -> Result<Option<i32>, Trouble> {
        self.reactor.turn(&mut self.peer, most).map_err(system)?;
        Ok(self.peer.signal.take())
    }

    fn hang_up(&mut self) {
        if let Some(mut connection) = self.peer.connection.take() {
            connection.abort(&mut self.reactor);
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

/// Of an operation for a session that was over before it began.
fn lost(content: Content) -> Finished<Content> {
    let outcome = Outcome::Failed { step: ClientStep::Negotiate, failure: Failure::ControlLost };
    Finished { result: OperationResult::Ended(outcome, None), timeline: Timeline::default(), bytes: 0, body: content }
}

/// Whether it needs a data connection.
fn moves_data(operation: &Operation) -> bool {
    matches!(operation, Operation::Get { .. } | Operation::Put { .. } | Operation::List { .. })
}

/// Whether the session had ended before the command came.
fn is_stale(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Failed { step: ClientStep::Negotiate, failure: Failure::ControlLost })
}

/// Whether the dialects other than `ftp` have it, too.
fn is_of_all_dialects(operation: &Operation) -> bool {
    moves_data(operation) || matches!(operation, Operation::LogIn | Operation::Quit)
}

fn new_reactor() -> Result<Reactor<Source>, Trouble> {
    let mut reactor = Reactor::new(Clock::Poll).map_err(system)?;
    reactor.watch_signals(&SIGNALS).map_err(system)?;
    Ok(reactor)
}

fn system(error: std::io::Error) -> Trouble {
    Trouble::local("wait for", "the network", error)
}

const SIGNALS: [i32; 3] = [Signal::INT.as_raw(), Signal::TERM.as_raw(), Signal::HUP.as_raw()];

/// Of a server that has gone without a word.
const CLOSED: &str = "the server has closed the connection";

/// How often a person sees a figure change.
const PROGRESS_TICK: Duration = Duration::from_millis(100);

/// A reply to EXIT is worth no longer a wait.
const FAREWELL_TIME: Duration = Duration::from_secs(2);
