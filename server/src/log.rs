//! The log: what its lines say.
//!
//! Lines gather in memory (`queue`) and are handed over to a thread that writes them to standard error: at the end of a
//! turn of the loop, when there are many, or at once when something is wrong (warnings and errors). Logging never waits,
//! whoever reads standard error or does not: lines that find no room are dropped and counted.
//!
//! Invariant: what comes from a peer is a `Shown`.

mod form;
mod queue;

use std::any::Any;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::os::unix::ffi::OsStrExt;
use std::panic::PanicHookInfo;
use std::path::Path;
use std::sync::mpsc;
use std::time::Duration;

use mio::net::TcpStream;
use muxftp_proto::{Cause, Dialect, VPath};
use muxftp_reactor::TurnStats;
use muxftp_reactor::tls::TlsLayer;
use tracing::{error, field, info, warn};

use crate::config::{Listen, Log, LogFormat, TlsMode, Words};
pub(crate) use form::Shown;
use queue::Queue;

/// Writes what is left when it is dropped: keep it until the end of `main`.
#[derive(Debug)]
#[must_use = "dropped at once it would end the log at once"]
pub struct LogGuard(());

/// Whose line it is.
#[derive(Debug, Clone, Copy)]
pub struct Session {
    /// Number of the session, counted from the start of the server.
    pub number: u64,
    /// The client's end of the control connection.
    pub peer: SocketAddr,
    /// What is spoken.
    pub dialect: Dialect,
}

/// What a transfer's line says besides its session.
#[derive(Debug, Clone, Copy)]
pub struct Transfer<'a> {
    /// The verb as the dialect writes it.
    pub verb: &'static str,
    /// The name.
    pub path: &'a VPath,
    /// Bytes over the data connection.
    pub bytes: u64,
    /// From the command to its final reply.
    pub duration: Duration,
    /// How it ended.
    pub result: Result<(), Cause>,
}

/// Sets up the log of this process, panics included; once per process.
///
/// # Errors
/// The system has no thread left.
pub fn init(config: Log) -> io::Result<LogGuard> {
    STDERR.start()?;
    let set = match config.format {
        LogFormat::Text => tracing::subscriber::set_global_default(form::text(config, &STDERR)),
        LogFormat::Json => tracing::subscriber::set_global_default(form::json(config, &STDERR)),
    };
    set.expect("the log is set up once per process");
    // The usual hook writes to standard error itself, for as long as nobody reads it.
    std::panic::set_hook(Box::new(panicked));
    Ok(LogGuard(()))
}

/// Hands over what has gathered: at the end of a turn of the loop.
pub fn flush() {
    STDERR.hand_over();
}

/// Writes a text to standard error outside of the log, but does not wait long for somebody to read it.
pub fn tell(text: &str) {
    let text: String = text.chars().filter(|c| !c.is_control() || matches!(c, '\n' | '\t')).collect();
    let (done, written) = mpsc::channel();
    let started = std::thread::Builder::new().spawn(move || {
        eprintln!("{text}");
        let _ = done.send(());
    });
    if started.is_ok() {
        let _ = written.recv_timeout(LAST_WORDS);
    }
}

fn panicked(info: &PanicHookInfo<'_>) {
    let place = info.location().map(field::display);
    let thread = std::thread::current();
    let text: &dyn Any = info.payload();
    let text = text.downcast_ref::<&str>().copied().or_else(|| text.downcast_ref::<String>().map(String::as_str));
    let error = Shown::long(text.unwrap_or("").as_bytes());
    error!(thread = thread.name(), place, %error, "a fault of this program: it panicked");
}

/// A session began.
pub fn session_opened(session: &Session) {
    let Session { number, peer, dialect } = *session;
    info!(session = number, %peer, %dialect, "session opened");
}

/// A session is over. `why` is a word or two of ours, such as "client closed" or "idle".
pub fn session_closed(session: &Session, transfers: u64, duration: Duration, why: &str) {
    let Session { number, peer, dialect } = *session;
    info!(session = number, %peer, %dialect, transfers, duration_us = micros(duration), result = why, "session closed");
}

/// Somebody has logged in, or not.
pub fn login(session: &Session, name: &[u8], result: Result<(), Cause>) {
    let (number, peer) = (session.number, session.peer);
    match result {
        Ok(()) => info!(session = number, %peer, user = %Shown::new(name), "logged in"),
        Err(cause) => warn!(session = number, %peer, user = %Shown::new(name), result = ?cause, "log-in failed"),
    }
}

/// The directory of a user cannot be served.
pub fn root_unusable(user: &str, root: &Path, error: &io::Error) {
    let (user, path) = (Shown::new(user.as_bytes()), Shown::long(root.as_os_str().as_bytes()));
    warn!(%user, %path, error = %ErrorText(error), "the user's directory cannot be served");
}

/// A transfer is over, whether or not it succeeded.
pub fn transfer(session: &Session, transfer: &Transfer<'_>) {
    let Transfer { verb, path, bytes, duration, result } = *transfer;
    macro_rules! line {
        ($level:ident) => {
            $level!(
                session = session.number,
                peer = %session.peer,
                %verb,
                path = %Shown::long(path.as_bytes()),
                bytes,
                duration_us = micros(duration),
                result = %Outcome(result),
                "transfer"
            )
        };
    }
    match result.err().is_some_and(concerns_operator) {
        true => line!(warn),
        false => line!(info),
    }
}

/// Whether a transfer failed for a reason that only somebody with access to the machine can do something about.
fn concerns_operator(cause: Cause) -> bool {
    matches!(cause, Cause::NoSpace | Cause::QuotaExceeded | Cause::DiskError | Cause::ReadOnly | Cause::OutOfResources)
}

/// A peer got no session, and was told why.
pub fn turned_away(peer: SocketAddr, cause: Cause) {
    info!(%peer, result = ?cause, "turned away");
}

/// Somebody else than the client was at a data port, and got nothing.
pub fn stranger(from: SocketAddr, client: SocketAddr) {
    warn!(%from, %client, "a stranger at a data port was closed");
}

/// A connection came to a shared data port from an address of which nobody waits for one, and got nothing.
pub fn uninvited(from: SocketAddr) {
    warn!(%from, "an uninvited data connection was closed");
}

/// No connection can be accepted for a moment.
pub fn accept_paused(error: &io::Error) {
    warn!(error = %ErrorText(error), "accepting pauses");
}

/// A connection, or the listener, failed.
pub fn accept_failed(error: &io::Error) {
    warn!(error = %ErrorText(error), "accepting failed");
}

/// The server was asked to end.
pub fn ending(sessions: usize, at_once: bool) {
    if at_once {
        info!(sessions, "ending at once");
    } else {
        info!(sessions, "ending: running transfers may finish, a second signal ends them");
    }
}

/// The loop has been in one callback for too long.
pub fn loop_hangs(doing: &'static str, session: Option<u64>, duration: Duration) {
    let duration_us = micros(duration);
    warn!(doing, session, duration_us, "the event loop hangs, and all sessions with it; two signals end the process");
}

/// It has left that callback.
pub fn loop_moves_again(duration: Duration) {
    warn!(duration_us = micros(duration), "the event loop runs again");
}

/// Two signals asked for the end, and the loop did not react. Writes what is left of the log.
pub fn abandoned() {
    error!("ending without the event loop: it has not reacted to the second signal");
    STDERR.close(LAST_WORDS);
}

/// A signal that has no meaning here.
pub fn signal_ignored(signal: &'static str) {
    info!(signal, "a signal without a meaning was ignored");
}

/// SIGHUP came because the terminal of the server has gone.
pub fn terminal_gone() {
    warn!(
        "the terminal that the server was started from has gone; to serve without it, start it with nohup or as a service"
    );
}

/// The process has all rights.
pub fn running_as_root() {
    warn!(
        "running as root: a fault of this server would give away the whole machine, and the files of clients belong to \
         root; run it as a user of its own, with `User=` and `AmbientCapabilities=CAP_NET_BIND_SERVICE` in its systemd \
         unit, or with `setpriv --reuid USER --regid GROUP --clear-groups --inh-caps +net_bind_service --ambient-caps \
         +net_bind_service muxftpd ...`; ports above 1023 need no capability"
    );
}

/// The event loop failed, and with it the server.
pub fn loop_failed(error: &io::Error) {
    error!(error = %ErrorText(error), "the event loop failed");
}

/// The server listens.
pub fn listening(listen: &Listen, address: SocketAddr) {
    let dialect = listen.dialect;
    match listen.tls {
        TlsMode::Off => info!(%dialect, %address, "listening"),
        tls => info!(%dialect, %address, tls = tls.word(), "listening"),
    }
}

/// The control connection is encrypted.
pub fn secured(session: &Session, layer: &TlsLayer) {
    info!(
        session = session.number,
        peer = %session.peer,
        version = layer.protocol_version().map(field::debug),
        cipher = layer.cipher_suite().map(field::debug),
        "encrypted"
    );
}

/// The hand-shake on the control connection failed.
pub fn tls_failed(session: &Session, error: &io::Error) {
    warn!(session = session.number, peer = %session.peer, error = %ErrorText(error), "TLS failed");
}

/// The hand-shake on a data connection failed.
pub fn data_tls_failed(connection: &TcpStream, error: &io::Error) {
    warn!(peer = %Peer(connection), error = %ErrorText(error), "TLS failed on a data connection");
}

/// A data connection came with a TLS session of its own, and was let through.
pub fn not_resumed(connection: &TcpStream) {
    info!(peer = %Peer(connection), "a data connection did not resume the TLS session of its control connection");
}

/// An upload over TLS ended without close_notify and is stored, as the listener's setting says.
pub fn kept_without_close(session: &Session, bytes: u64) {
    warn!(
        session = session.number,
        peer = %session.peer,
        bytes,
        "an upload without TLS close_notify was kept: it may have been cut off"
    );
}

/// SIGHUP, and there is no certificate.
pub fn nothing_to_reload() {
    info!("nothing to read again: there is no certificate; the users' file is looked at without being told");
}

/// A session was closed since it woke again and again, and nothing came of it: a fault of ours.
pub fn spinning(session: &Session) {
    warn!(session = session.number, peer = %session.peer, "closed: it woke again and again for nothing");
}

/// The other end of a connection, if it is still known.
struct Peer<'a>(&'a TcpStream);

impl fmt::Display for Peer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.peer_addr() {
            Ok(address) => address.fmt(f),
            Err(_) => f.write_str("gone"),
        }
    }
}

/// The server listens on a data port that all sessions of a dialect share.
pub fn listening_for_data(address: SocketAddr) {
    info!(%address, "listening for shared data connections");
}

/// How long the turns of the loop were, at the end.
pub fn turns(stats: &TurnStats) {
    let us = |percentile| stats.busy.value_at_percentile(percentile) / 1000;
    let (p50_us, p99_us, max_us) = (us(50.0), us(99.0), stats.busy.max() / 1000);
    info!(turns = stats.turns, p50_us, p99_us, max_us, "ended; turns of the loop with work");
}

impl Drop for LogGuard {
    fn drop(&mut self) {
        STDERR.close(LAST_WORDS);
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// The text of an error, in which a library may quote what a peer sent.
struct ErrorText<'a>(&'a io::Error);

impl fmt::Display for ErrorText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Shown::new(self.0.to_string().as_bytes()).fmt(f)
    }
}

/// `ok`, or the name of the cause.
struct Outcome(Result<(), Cause>);

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Ok(()) => f.write_str("ok"),
            Err(cause) => fmt::Debug::fmt(&cause, f),
        }
    }
}

static STDERR: Queue = Queue::new();

/// How long the end of the process waits for somebody to read standard error.
const LAST_WORDS: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests;
