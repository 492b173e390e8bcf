//! A TCP connection that is plain, or has TLS on it from some moment on.
//!
//! Must not know who asks for TLS, or when.
//!
//! Invariants:
//! - The steps mean the same with and without TLS; only [`Stream::flush`], [`Stream::close`] and
//!   [`Stream::has_buffered`] have nothing to do without.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use mio::net::TcpStream;

use super::{Handshake, SEAL_BYTES, TlsLayer};
use crate::pump::{self, PumpError, Step};

/// A connection, with or without TLS.
#[derive(Debug)]
pub struct Stream {
    socket: TcpStream,
    tls: Option<TlsLayer>,
    is_drained: bool,
}

impl From<TcpStream> for Stream {
    fn from(socket: TcpStream) -> Stream {
        Stream { socket, tls: None, is_drained: false }
    }
}

impl Stream {
    /// Puts TLS on the connection; its hand-shake is next.
    pub fn secure(&mut self, layer: TlsLayer) {
        self.tls = Some(layer);
    }

    /// The connection itself, to look at and to set options.
    pub fn socket(&self) -> &TcpStream {
        &self.socket
    }

    /// The connection itself, to be registered.
    pub fn socket_mut(&mut self) -> &mut TcpStream {
        &mut self.socket
    }

    /// The TLS on the connection.
    pub fn tls(&self) -> Option<&TlsLayer> {
        self.tls.as_ref()
    }

    /// Goes on with the hand-shake; a plain connection is done with it.
    ///
    /// # Errors
    /// As [`TlsLayer::handshake`]; the [`TlsError`](super::TlsError) is inside.
    pub fn handshake(&mut self) -> io::Result<Handshake> {
        let Some(layer) = &mut self.tls else { return Ok(Handshake::Done) };
        let progress = layer.handshake(&self.socket)?;
        if progress == Handshake::BlockedOnRead {
            // GnuTLS writes its last flight in two parts: lftp took so long for each small file.
            self.acknowledge();
        }
        Ok(progress)
    }

    /// Has what was read, and the next that comes, acknowledged at once. The system would wait some 40 ms for something to
    /// send with it, while a peer that leaves Nagle's algorithm on keeps back what it has written in a second part.
    pub fn acknowledge(&self) {
        // Without it, it is only slower.
        let _ = rustix::net::sockopt::set_tcp_quickack(&self.socket, true);
    }

    /// Reads once into `buffer`, which must not be empty. `Moved` is never of 0 bytes.
    ///
    /// # Errors
    /// As [`pump::receive`] or [`TlsLayer::receive`]; the [`TlsError`](super::TlsError) is inside. A connection that
    /// ends without close_notify is `UnexpectedEof`.
    pub fn receive(&mut self, buffer: &mut [u8]) -> io::Result<Step> {
        if let Some(layer) = &mut self.tls {
            return Ok(layer.receive(&self.socket, buffer)?);
        }
        let step = pump::receive(&self.socket, buffer)?;
        self.is_drained = match step {
            Step::Moved(count) => count < buffer.len(),
            Step::Blocked => true,
            Step::End => false,
        };
        Ok(step)
    }

    /// Whether the last read emptied the connection and nothing is left over: the hint may be cleared, unless a hang-up
    /// was told before or urgent bytes may have cut the read short.
    pub fn is_drained(&self) -> bool {
        self.tls.as_ref().map_or(self.is_drained, TlsLayer::is_drained)
    }

    /// Sends from `bytes`, which must not be empty. With TLS, what is `Moved` may still wait for [`Stream::flush`].
    ///
    /// # Errors
    /// As [`pump::send`] or [`TlsLayer::send`].
    pub fn send(&mut self, bytes: &[u8]) -> io::Result<Step> {
        match &mut self.tls {
            Some(layer) => Ok(layer.send(&self.socket, bytes)?),
            None => pump::send(&self.socket, bytes),
        }
    }

    /// Sends at most `max` bytes of `file` from `offset` on: as [`pump::send_file`] without TLS, else at most one
    /// `buffer` and [`SEAL_BYTES`].
    ///
    /// # Errors
    /// Of the file or of the connection.
    pub fn send_file(
        &mut self,
        file: &File,
        offset: &mut u64,
        max: usize,
        buffer: &mut [u8],
    ) -> Result<Step, PumpError> {
        debug_assert!(max > 0, "a step of nothing looks like the end");
        let Some(layer) = &mut self.tls else {
            return pump::send_file(&self.socket, file, offset, max, buffer);
        };
        // Nothing is read from the file that could not be sealed.
        if !layer.flush(&self.socket).map_err(PumpError::Sink)? {
            return Ok(Step::Blocked);
        }
        let length = buffer.len().min(max).min(SEAL_BYTES);
        let read = pump::retry(|| file.read_at(&mut buffer[..length], *offset)).map_err(PumpError::Source)?;
        if read == 0 {
            return Ok(Step::End);
        }
        let step = layer.send(&self.socket, &buffer[..read]).map_err(|error| PumpError::Sink(error.into()))?;
        if let Step::Moved(moved) = step {
            *offset += moved as u64;
        }
        Ok(step)
    }

    /// Writes what is sealed; `true`: nothing is left, `false`: the connection takes no more at present.
    ///
    /// # Errors
    /// Of the connection.
    pub fn flush(&mut self) -> io::Result<bool> {
        self.tls.as_mut().map_or(Ok(true), |layer| layer.flush(&self.socket))
    }

    /// Seals a close_notify, once; [`Stream::flush`] sends it. A plain connection's end is its own.
    pub fn close(&mut self) {
        if let Some(layer) = &mut self.tls {
            layer.close();
        }
    }

    /// Whether [`Stream::receive`] has something to tell that no event will announce.
    pub fn has_buffered(&self) -> bool {
        self.tls.as_ref().is_some_and(TlsLayer::has_buffered)
    }

    /// Whether [`Stream::flush`] has something to write.
    pub fn wants_write(&self) -> bool {
        self.tls.as_ref().is_some_and(TlsLayer::wants_write)
    }
}
