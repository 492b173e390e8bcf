//! When the parts of an operation happened.

use std::time::Instant;

/// The marks of one operation, in the order in which they are passed. A mark that was not reached is `None`.
#[derive(Debug, Clone, Copy, Default)]
pub struct Timeline {
    /// The operation was given to the connection.
    pub started: Option<Instant>,
    /// The control connection was made; equal to `started` when it was there already.
    pub connected: Option<Instant>,
    /// The reply that names the data port was read.
    pub negotiated: Option<Instant>,
    /// The data connection was made.
    pub data_connected: Option<Instant>,
    /// The first byte was read or written, or the end was seen without one.
    pub first_byte: Option<Instant>,
    /// The end was read; or the last byte was written and the side closed.
    pub last_byte: Option<Instant>,
    /// The operation ended.
    pub completed: Option<Instant>,
}
