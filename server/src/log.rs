//! The log: its lines, their two forms, and one write for many lines.
//!
//! Lines gather in memory and go to standard error when the loop ends a turn, when there are many, or at once when
//! something is wrong (warnings and errors). A server that logs each of ten thousand transfers per second so pays for
//! one system call per turn and not per line.
//!
//! It must not fail: when nobody reads standard error any more, lines are lost and the server goes on.
//!
//! Invariant: the buffer never holds more than 64 KiB and one line.

use std::fmt;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use mio::net::TcpStream;
use muxftp_proto::{Cause, Dialect, Escaped, VPath};
use muxftp_reactor::TurnStats;
use muxftp_reactor::tls::TlsLayer;
use tracing::{Level, Metadata, Subscriber, field, info, warn};
use tracing_subscriber::field::MakeExt;
use tracing_subscriber::fmt::format::{Writer, debug_fn};
use tracing_subscriber::fmt::{MakeWriter, SubscriberBuilder};

use crate::config::{Listen, Log, LogFormat, TlsMode, Words};
use crate::limits;

/// Writes what is left when it goes: keep it until the end of `main`.
#[derive(Debug)]
#[must_use = "dropped at once it would not flush at the end"]
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

/// Sets the log of this process up; once per process.
pub fn init(config: Log) -> LogGuard {
    let set = match config.format {
        LogFormat::Text => tracing::subscriber::set_global_default(text(config, &STDERR)),
        LogFormat::Json => tracing::subscriber::set_global_default(json(config, &STDERR)),
    };
    set.expect("the log is set up once per process");
    LogGuard(())
}

/// Writes what has gathered: at the end of a turn of the loop.
pub fn flush() {
    STDERR.flush();
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
        Ok(()) => info!(session = number, %peer, user = %Escaped(name), "logged in"),
        Err(cause) => warn!(session = number, %peer, user = %Escaped(name), result = ?cause, "log-in failed"),
    }
}

/// The directory of a user cannot be served.
pub fn root_unusable(user: &str, root: &std::path::Path, error: &io::Error) {
    warn!(user, root = %root.display(), %error, "the user's directory cannot be served");
}

/// A transfer is over, whether or not it succeeded.
pub fn transfer(session: &Session, transfer: &Transfer<'_>) {
    let Transfer { verb, path, bytes, duration, result } = *transfer;
    info!(
        session = session.number,
        peer = %session.peer,
        %verb,
        path = %Escaped(path.as_bytes()),
        bytes,
        duration_us = micros(duration),
        result = %Outcome(result),
        "transfer"
    );
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
    warn!(%error, "accepting pauses");
}

/// A connection, or the listener, failed.
pub fn accept_failed(error: &io::Error) {
    warn!(%error, "accepting failed");
}

/// The server was asked to end.
pub fn ending(sessions: usize, at_once: bool) {
    if at_once {
        info!(sessions, "ending at once");
    } else {
        info!(sessions, "ending: running transfers may finish, a second signal ends them");
    }
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
    warn!(session = session.number, peer = %session.peer, %error, "TLS failed");
}

/// The hand-shake on a data connection failed.
pub fn data_tls_failed(connection: &TcpStream, error: &io::Error) {
    warn!(peer = %Peer(connection), %error, "TLS failed on a data connection");
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
        flush();
    }
}

/// `2026-11-21T01:02:03.456789Z  INFO transfer session=7 peer=127.0.0.1:40112 verb=GET path="my notes.txt" ...`
fn text(config: Log, lines: &'static Lines) -> impl Subscriber + Send + Sync {
    let fields = debug_fn(|writer, field, value: &dyn fmt::Debug| match field.name() {
        "message" => write!(writer, "{value:?}"),
        // A name may hold spaces and quotes; it must not look like further fields.
        name @ "path" => {
            write!(writer, "{name}=\"")?;
            fmt::Write::write_fmt(&mut QuotesEscaped(writer), format_args!("{value:?}"))?;
            writer.write_char('"')
        }
        name => write!(writer, "{name}={value:?}"),
    });
    builder(config).with_ansi(false).fmt_fields(fields.delimited(" ")).with_writer(ToLines(lines)).finish()
}

fn json(config: Log, lines: &'static Lines) -> impl Subscriber + Send + Sync {
    builder(config).json().flatten_event(true).with_writer(ToLines(lines)).finish()
}

fn builder(
    config: Log,
) -> SubscriberBuilder<
    tracing_subscriber::fmt::format::DefaultFields,
    tracing_subscriber::fmt::format::Format,
    tracing::level_filters::LevelFilter,
> {
    tracing_subscriber::fmt().with_max_level(config.level).with_target(false).log_internal_errors(false)
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
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

/// Passes text on with `"` as `\"`.
struct QuotesEscaped<'a, 'w>(&'a mut Writer<'w>);

impl fmt::Write for QuotesEscaped<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for (index, piece) in text.split('"').enumerate() {
            if index > 0 {
                self.0.write_str("\\\"")?;
            }
            self.0.write_str(piece)?;
        }
        Ok(())
    }
}

/// Lines on their way to a sink.
struct Lines {
    buffer: Mutex<Vec<u8>>,
    sink: fn(&[u8]),
}

impl Lines {
    const fn new(sink: fn(&[u8])) -> Lines {
        Lines { buffer: Mutex::new(Vec::new()), sink }
    }

    fn append(&self, line: &[u8], urgent: bool) {
        let mut buffer = self.lock();
        buffer.extend_from_slice(line);
        if urgent || buffer.len() > limits::LOG_BYTES_MAX {
            self.write_out(&mut buffer);
        }
    }

    fn flush(&self) {
        let mut buffer = self.lock();
        if !buffer.is_empty() {
            self.write_out(&mut buffer);
        }
    }

    fn write_out(&self, buffer: &mut Vec<u8>) {
        (self.sink)(buffer);
        buffer.clear();
    }

    /// A thread that panicked while it held the lock leaves whole bytes behind: the log goes on.
    fn lock(&self) -> MutexGuard<'_, Vec<u8>> {
        self.buffer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Gives the log's formatter a place for each line.
struct ToLines(&'static Lines);

struct Line {
    lines: &'static Lines,
    urgent: bool,
}

impl<'a> MakeWriter<'a> for ToLines {
    type Writer = Line;

    fn make_writer(&'a self) -> Line {
        Line { lines: self.0, urgent: false }
    }

    fn make_writer_for(&'a self, metadata: &Metadata<'_>) -> Line {
        Line { lines: self.0, urgent: *metadata.level() <= Level::WARN }
    }
}

impl Write for Line {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.lines.append(line, self.urgent);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn write_stderr(lines: &[u8]) {
    // A closed pipe or a full disk behind it: there is no better place to say so.
    let _ = io::stderr().lock().write_all(lines);
}

static STDERR: Lines = Lines::new(write_stderr);

#[cfg(test)]
mod tests;
