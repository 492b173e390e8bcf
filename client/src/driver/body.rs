//! Where the bytes of a transfer come from or go to, on the client's side.

use std::io;

/// The bytes of one transfer: a file, a check, a generator.
///
/// Calls come from the event loop, so each must be short.
pub trait Body {
    /// Takes the next bytes of a download.
    ///
    /// # Errors
    /// They cannot be kept: the transfer ends, and with it the session.
    fn receive(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// Fills `buffer` with the bytes of an upload from `offset` on; 0 at the end. What a socket did not take is asked for
    /// again.
    ///
    /// # Errors
    /// They cannot be had: the transfer ends, and with it the session.
    fn provide(&mut self, offset: u64, buffer: &mut [u8]) -> io::Result<usize>;
}
