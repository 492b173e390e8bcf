//! The log.

use std::net::SocketAddr;
use std::time::Duration;

use muxftp_proto::{Cause, Dialect, VPath};

use crate::config::Log;

/// Flushes the log when it goes.
#[derive(Debug)]
#[must_use]
pub struct LogGuard;

/// What a session line says.
#[derive(Debug, Clone, Copy)]
pub struct Session {
    /// Number of the session, counted from the start.
    pub session: u64,
    /// The client's end of the control connection.
    pub peer: SocketAddr,
    /// What is spoken.
    pub dialect: Dialect,
}

/// What a transfer line says besides its session.
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

/// Sets the log up.
pub fn init(_config: Log) -> LogGuard {
    todo!()
}
/// Writes what is buffered.
pub fn flush() {
    todo!()
}
/// A session begins.
pub fn session_opened(_session: &Session) {
    todo!()
}
/// A session is over.
pub fn session_closed(_session: &Session, _transfers: u64, _duration: Duration, _why: &str) {
    todo!()
}
/// A transfer is over.
pub fn transfer(_session: &Session, _transfer: &Transfer<'_>) {
    todo!()
}
