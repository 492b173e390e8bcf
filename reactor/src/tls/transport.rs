//! What TLS needs from the connection below it.

use std::io::{self, Read, Write};

use mio::net::TcpStream;

/// A connection that never waits: it answers `WouldBlock` instead.
pub trait Transport {
    /// Reads once; `0` is the end.
    ///
    /// # Errors
    /// `WouldBlock`, `Interrupted`, or what ended the connection.
    fn read(&self, buffer: &mut [u8]) -> io::Result<usize>;

    /// Writes once from `bytes`.
    ///
    /// # Errors
    /// As [`Transport::read`].
    fn write(&self, bytes: &[u8]) -> io::Result<usize>;
}

impl Transport for TcpStream {
    fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut stream = self;
        Read::read(&mut stream, buffer)
    }

    fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        let mut stream = self;
        Write::write(&mut stream, bytes)
    }
}
