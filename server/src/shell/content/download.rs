//! A file on its way to the peer: from the page cache by this thread, from the disk by a worker.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use muxftp_proto::Cause;
use muxftp_proto::representation::ascii;
use muxftp_reactor::pump::{PumpError, Step};
use muxftp_reactor::tls::SEAL_BYTES;

use super::{Means, Next, Pending};
use crate::limits;
use crate::storage::{self, SourceFile, is_cached, read_cached};

/// A file, or a part of it, as it is.
pub(in crate::shell) struct Download {
    file: Arc<SourceFile>,
    /// The next byte to send, or to have fetched.
    offset: u64,
    /// Behind the last one.
    end: u64,
    is_remote: bool,
    fetched: Fetched,
}

/// A file as text: what is converted but not yet sent stands in `pending`.
pub(in crate::shell) struct TextDownload {
    source: Download,
    encoder: ascii::ToWire,
    pending: Pending,
}

enum Fetched {
    /// The page cache is asked.
    No,
    /// A worker reads.
    Out,
    /// What a worker has read, and not yet sent.
    Bytes(Pending, #[expect(dead_code, reason = "counts until it is dropped")] Room),
    Failed(Cause),
}

/// The next piece, for a worker to read.
pub(in crate::shell) struct Fetch {
    file: Arc<SourceFile>,
    offset: u64,
    room: Room,
    bytes: io::Result<Vec<u8>>,
}

/// Counts a buffer of fetched bytes, of all sessions.
struct Room(usize);

static FETCHED_BYTES: AtomicUsize = AtomicUsize::new(0);

impl Room {
    /// Less when many sessions have some.
    fn take(wanted: u64) -> Room {
        let is_scarce = FETCHED_BYTES.load(Ordering::Relaxed) >= limits::FETCHED_BYTES_MAX;
        let most = if is_scarce { limits::FETCH_BYTES_SCARCE } else { limits::FETCH_BYTES };
        let bytes = usize::try_from(wanted).map_or(most, |wanted| wanted.min(most));
        FETCHED_BYTES.fetch_add(bytes, Ordering::Relaxed);
        Room(bytes)
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        FETCHED_BYTES.fetch_sub(self.0, Ordering::Relaxed);
    }
}

impl Fetch {
    pub(super) fn run(mut self) -> Fetch {
        self.bytes = read_piece(&self.file, self.offset, self.room.0);
        self
    }
}

fn read_piece(file: &File, offset: u64, most: usize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; most];
    let mut count = 0;
    while count < most {
        match file.read_at(&mut bytes[count..], offset + count as u64) {
            Ok(0) => break,
            Ok(read) => count += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) if count > 0 => break,
            Err(error) => return Err(error),
        }
    }
    bytes.truncate(count);
    Ok(bytes)
}

impl Download {
    pub(in crate::shell) fn new(file: SourceFile, offset: u64, end: u64, is_remote: bool) -> Download {
        Download { file: Arc::new(file), offset, end, is_remote, fetched: Fetched::No }
    }

    fn left(&self, most: usize) -> usize {
        usize::try_from(self.end - self.offset).map_or(most, |left| left.min(most))
    }

    pub(super) fn errand(&mut self) -> Option<Fetch> {
        if matches!(self.fetched, Fetched::Out) {
            return None;
        }
        self.fetched = Fetched::Out;
        let room = Room::take(self.end - self.offset);
        Some(Fetch { file: Arc::clone(&self.file), offset: self.offset, room, bytes: Ok(Vec::new()) })
    }

    pub(super) fn fetched(&mut self, fetch: Fetch) {
        self.fetched = match fetch.bytes {
            Err(error) => Fetched::Failed(storage::cause_of(&error)),
            // Somebody on this machine has cut the file: what was promised cannot be sent.
            Ok(bytes) if bytes.is_empty() => Fetched::Failed(Cause::DiskError),
            Ok(bytes) => {
                self.offset += bytes.len() as u64;
                Fetched::Bytes(Pending { bytes, sent: 0 }, fetch.room)
            }
        };
    }

    pub(super) fn send(&mut self, mut means: Means<'_>, sent: &mut u64) -> Next {
        let mut budget = means.most.min(limits::SEND_BYTES_PER_TURN);
        loop {
            match &mut self.fetched {
                Fetched::No => {}
                Fetched::Out => return Next::Wait,
                Fetched::Failed(cause) => return Next::Failed(*cause),
                Fetched::Bytes(pending, _) => {
                    let before = *sent;
                    if let Some(next) = pending.send(means.stream, budget, sent) {
                        return next;
                    }
                    budget -= usize::try_from(*sent - before).unwrap_or(budget);
                    self.fetched = Fetched::No;
                }
            }
            if self.offset >= self.end {
                return Next::Moved;
            }
            if budget == 0 {
                return Next::Again;
            }
            match self.send_cached(&mut means, budget) {
                Ok(count) => {
                    *sent += count as u64;
                    budget -= count;
                }
                Err(next) => return next,
            }
        }
    }

    /// Sends what is in the page cache.
    ///
    /// # Errors
    /// What comes instead.
    fn send_cached(&mut self, means: &mut Means<'_>, most: usize) -> Result<usize, Next> {
        if self.is_remote {
            return Err(Next::Errand);
        }
        let piece = self.left(most);
        let is_copied = piece <= limits::COPIED_BYTES_MAX && !self.file.is_in_memory();
        let step = if means.stream.tls().is_some() || is_copied {
            match means.stream.flush() {
                Ok(true) => {}
                Ok(false) => return Err(Next::Wait),
                Err(_) => return Err(Next::Failed(Cause::DataLost)),
            }
            let piece = piece.min(SEAL_BYTES).min(means.buffer.len());
            let count = self.read(&mut means.buffer[..piece])?;
            let step = means.stream.send(&means.buffer[..count]).map_err(|_| Next::Failed(Cause::DataLost))?;
            if let Step::Moved(count) = step {
                self.offset += count as u64;
            }
            step
        } else {
            if !self.file.is_in_memory() && !is_cached(&self.file, self.offset, piece) {
                return Err(Next::Errand);
            }
            means.stream.send_file(&self.file, &mut self.offset, piece, means.buffer).map_err(|error| match error {
                PumpError::Source(error) => Next::Failed(storage::cause_of(&error)),
                PumpError::Sink(_) => Next::Failed(Cause::DataLost),
            })?
        };
        match step {
            Step::Moved(count) => Ok(count),
            Step::Blocked => Err(Next::Wait),
            // Somebody on this machine has cut the file: what was promised cannot be sent.
            Step::End => Err(Next::Failed(Cause::DiskError)),
        }
    }

    /// Reads from the page cache, without moving on.
    fn read(&self, buffer: &mut [u8]) -> Result<usize, Next> {
        let read = if self.file.is_in_memory() {
            self.file.read_at(buffer, self.offset).map(Some)
        } else {
            read_cached(&self.file, buffer, self.offset)
        };
        match read {
            Ok(Some(0)) => Err(Next::Failed(Cause::DiskError)),
            Ok(Some(count)) => Ok(count),
            Ok(None) => Err(Next::Errand),
            Err(error) => Err(Next::Failed(storage::cause_of(&error))),
        }
    }
}

impl TextDownload {
    /// `after_cr`: the byte before, on the wire, is a CR.
    pub(in crate::shell) fn new(source: Download, after_cr: bool) -> TextDownload {
        TextDownload { source, encoder: ascii::ToWire::from_middle(after_cr), pending: Pending::default() }
    }

    pub(super) fn errand(&mut self) -> Option<Fetch> {
        self.source.errand()
    }

    pub(super) fn fetched(&mut self, fetch: Fetch) {
        self.source.fetched(fetch);
    }

    pub(super) fn send(&mut self, means: Means<'_>, sent: &mut u64) -> Next {
        let mut budget = means.most.min(limits::SEND_BYTES_PER_TURN);
        loop {
            let before = *sent;
            if let Some(next) = self.pending.send(means.stream, budget, sent) {
                return next;
            }
            budget -= usize::try_from(*sent - before).unwrap_or(budget).min(budget);
            if budget == 0 {
                return Next::Again;
            }
            if let Err(next) = self.convert(means.buffer) {
                return next;
            }
        }
    }

    /// Converts the next piece.
    ///
    /// # Errors
    /// What comes instead.
    fn convert(&mut self, buffer: &mut [u8]) -> Result<(), Next> {
        self.pending.clear();
        match std::mem::replace(&mut self.source.fetched, Fetched::No) {
            Fetched::Bytes(fetched, _) => {
                self.encoder.convert(&fetched.bytes, &mut self.pending.bytes);
                return Ok(());
            }
            Fetched::Out => {
                self.source.fetched = Fetched::Out;
                return Err(Next::Wait);
            }
            Fetched::Failed(cause) => return Err(Next::Failed(cause)),
            Fetched::No => {}
        }
        if self.source.offset >= self.source.end {
            return Err(Next::Moved);
        }
        if self.source.is_remote {
            return Err(Next::Errand);
        }
        let piece = self.source.left(limits::TEXT_PIECE_BYTES);
        let count = self.source.read(&mut buffer[..piece])?;
        self.source.offset += count as u64;
        self.encoder.convert(&buffer[..count], &mut self.pending.bytes);
        Ok(())
    }
}
