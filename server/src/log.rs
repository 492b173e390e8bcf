#![allow(missing_docs)]
//! The log.

use std::net::SocketAddr;
use std::time::Duration;

use muxftp_proto::{Cause, Dialect, VPath};

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
/// Writes what is buffered.
pub fn flush() {}
/// A session begins.
pub fn session_opened(_session: &Session) {}
/// A session is over.
pub fn session_closed(_session: &Session, _transfers: u64, _duration: Duration, _why: &str) {}
/// A transfer is over.
pub fn transfer(_session: &Session, _transfer: &Transfer<'_>) {}

pub fn start_quiet() {}
pub fn leftovers(_: crate::storage::Leftovers) {}
pub fn turns(_: &muxftp_reactor::TurnStats) {}
pub fn signal(_: i32, _: usize) {}
pub fn turned_away(_: SocketAddr, _: Cause) {}
pub fn stranger(_: SocketAddr, _: SocketAddr) {}
pub fn accept_paused(_: &std::io::Error) {}
pub fn accept_failed(_: &std::io::Error) {}
