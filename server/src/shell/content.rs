//! What moves over a data connection: a file's bytes either way, as they are or as text, or the lines of a listing.
//!
//! It must not know where the connection comes from or what a session makes of the end.
//!
//! Invariant: a step moves a bounded number of bytes.

use std::io::ErrorKind;
use std::os::unix::fs::FileExt;

use muxftp_proto::representation::ascii;
use muxftp_proto::representation::entry::{Relation, print_facts, print_long};
use muxftp_proto::server::io::ListForm;
use muxftp_proto::{Cause, Dialect};
use muxftp_reactor::pump::{PumpError, Step};
use muxftp_reactor::tls::{Stream, TlsLayer};

use super::screen::Screen;
use crate::limits;
use crate::storage::{self, ListProgress, Listed, Listing, SourceFile, Upload};

/// The storage side of a transfer.
pub(super) enum Content {
    /// Nothing yet, or no longer.
    None,
    Download(Download),
    Text(TextDownload),
    Upload(Upload),
    /// An upload in TYPE A.
    TextUpload(Upload, ascii::FromWire),
    Names(Names),
}

/// How an upload is received.
#[derive(Default)]
pub(super) struct Intake {
    /// Bytes after which it is whole; `None`: when the peer closes its side.
    pub(super) limit: Option<u64>,
    /// What looks at the first bytes.
    pub(super) screen: Option<Box<Screen>>,
    /// Over TLS it may end without close_notify.
    pub(super) keeps_unclosed: bool,
    /// It did.
    pub(super) is_unclosed: bool,
}

/// What comes after a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// An event.
    Wait,
    /// Another step, when the others have had theirs.
    Again,
    /// All bytes have moved.
    Moved,
    /// None will move any more.
    Failed(Cause),
}

/// A file, or a part of it, as it is.
pub(super) struct Download {
    pub(super) file: SourceFile,
    /// The next byte to send.
    pub(super) offset: u64,
    /// Behind the last one.
    pub(super) end: u64,
}

/// A file as text: what is converted but not yet sent stands in `pending`.
pub(super) struct TextDownload {
    source: Download,
    encoder: ascii::ToWire,
    pending: Pending,
}

/// A directory being sent: the names that are read but not yet written.
pub(super) struct Names {
    listing: Listing,
    lines: Lines,
    pending: Pending,
    complete: bool,
}

/// How the lines of a listing are printed.
pub(super) struct Lines {
    pub(super) dialect: Dialect,
    pub(super) form: ListForm,
    /// What NLST puts before each name.
    pub(super) prefix: Vec<u8>,
    /// Seconds since 1970, for lines that tell the hour or the year.
    pub(super) now: i64,
}

#[derive(Default)]
struct Pending {
    bytes: Vec<u8>,
    sent: usize,
}

impl Content {
    /// Whether the server is the one that writes.
    pub(super) fn sends(&self) -> bool {
        !matches!(self, Content::Upload(_) | Content::TextUpload(..))
    }

    /// Moves up to `most` bytes; `bytes` counts those on the wire. `intake` is about an upload.
    pub(super) fn run(
        &mut self,
        stream: &mut Stream,
        intake: &mut Intake,
        most: usize,
        bytes: &mut u64,
        buffer: &mut [u8],
    ) -> Next {
        match self {
            Content::None => Next::Wait,
            Content::Download(download) => download.send(stream, most, bytes, buffer),
            Content::Text(text) => text.send(stream, most, bytes, buffer),
            Content::Names(names) => names.send(stream, most, bytes),
            Content::Upload(upload) => {
                let mut write = |piece: &[u8]| upload.write(piece);
                match receive(stream, intake, most, bytes, buffer, &mut write) {
                    Next::Moved => {
                        screen_end(&mut intake.screen, &mut write).map_or_else(Next::Failed, |()| Next::Moved)
                    }
                    next => next,
                }
            }
            Content::TextUpload(upload, decoder) => {
                let mut text = Vec::new();
                let mut write = |piece: &[u8]| {
                    text.clear();
                    decoder.convert(piece, &mut text);
                    upload.write(&text)
                };
                let next = receive(stream, intake, most, bytes, buffer, &mut write);
                if next != Next::Moved {
                    return next;
                }
                if let Err(cause) = screen_end(&mut intake.screen, &mut write) {
                    return Next::Failed(cause);
                }
                text.clear();
                decoder.finish(&mut text);
                upload.write(&text).map_or_else(Next::Failed, |()| Next::Moved)
            }
        }
    }
}

impl Download {
    fn send(&mut self, stream: &mut Stream, most: usize, sent: &mut u64, buffer: &mut [u8]) -> Next {
        let mut budget = most.min(limits::SEND_BYTES_PER_TURN);
        while self.offset < self.end {
            if budget == 0 {
                return Next::Again;
            }
            let piece = usize::try_from(self.end - self.offset).map_or(budget, |left| left.min(budget));
            match stream.send_file(&self.file, &mut self.offset, piece, buffer) {
                Ok(Step::Moved(count)) => {
                    *sent += count as u64;
                    budget -= count;
                }
                Ok(Step::Blocked) => return Next::Wait,
                // Somebody on this machine has cut the file: what was promised cannot be sent.
                Ok(Step::End) => return Next::Failed(Cause::DiskError),
                Err(PumpError::Source(error)) => return Next::Failed(storage::cause_of(&error)),
                Err(PumpError::Sink(_)) => return Next::Failed(Cause::DataLost),
            }
        }
        Next::Moved
    }
}

impl TextDownload {
    /// `after_cr`: the byte before, on the wire, is a CR.
    pub(super) fn new(source: Download, after_cr: bool) -> TextDownload {
        TextDownload { source, encoder: ascii::ToWire::from_middle(after_cr), pending: Pending::default() }
    }

    fn send(&mut self, stream: &mut Stream, most: usize, sent: &mut u64, buffer: &mut [u8]) -> Next {
        let mut budget = most.min(limits::SEND_BYTES_PER_TURN);
        loop {
            let before = *sent;
            if let Some(next) = self.pending.send(stream, budget, sent) {
                return next;
            }
            budget -= usize::try_from(*sent - before).unwrap_or(budget).min(budget);
            if self.source.offset >= self.source.end {
                return Next::Moved;
            }
            if budget == 0 {
                return Next::Again;
            }
            let left = self.source.end - self.source.offset;
            let piece =
                usize::try_from(left).map_or(limits::TEXT_PIECE_BYTES, |left| left.min(limits::TEXT_PIECE_BYTES));
            match self.source.file.read_at(&mut buffer[..piece], self.source.offset) {
                Ok(0) => return Next::Failed(Cause::DiskError),
                Ok(count) => {
                    self.source.offset += count as u64;
                    self.pending.clear();
                    self.encoder.convert(&buffer[..count], &mut self.pending.bytes);
                }
                Err(error) => return Next::Failed(storage::cause_of(&error)),
            }
        }
    }
}

impl Names {
    pub(super) fn new(listing: Listing, lines: Lines) -> Names {
        Names { listing, lines, pending: Pending::default(), complete: false }
    }

    /// Reads the next piece, for the control connection.
    pub(super) fn next_piece(&mut self) -> (Next, &[u8]) {
        if self.complete {
            return (Next::Moved, &[]);
        }
        match self.read(limits::CONTROL_PIECE_BYTES) {
            Ok(()) => (Next::Again, &self.pending.bytes),
            Err(cause) => (Next::Failed(cause), &[]),
        }
    }

    fn read(&mut self, bytes_max: usize) -> Result<(), Cause> {
        self.pending.clear();
        let lines = &self.lines;
        let progress =
            self.listing.fill(&mut self.pending.bytes, bytes_max, |listed, out| lines.print(&listed, out))?;
        self.complete = progress == ListProgress::End;
        Ok(())
    }

    /// Reads and writes one piece of the listing.
    fn send(&mut self, stream: &mut Stream, most: usize, bytes: &mut u64) -> Next {
        if self.pending.is_empty() {
            if self.complete {
                return Next::Moved;
            }
            if let Err(cause) = self.read(limits::LISTING_PIECE_BYTES) {
                return Next::Failed(cause);
            }
        }
        match self.pending.send(stream, most, bytes) {
            Some(next) => next,
            None if self.complete => Next::Moved,
            None => Next::Again,
        }
    }
}

impl Lines {
    fn print(&self, listed: &Listed<'_>, out: &mut Vec<u8>) {
        match &self.form {
            ListForm::Plain => self.dialect.print_listed(listed.shown, out),
            ListForm::Names(_) => {
                out.extend_from_slice(&self.prefix);
                out.extend_from_slice(listed.name());
                out.extend_from_slice(b"\r\n");
            }
            ListForm::Long => listed.with_entry(|entry| print_long(entry, self.now, out)),
            ListForm::Facts { facts, permissions } => listed.with_resolved(|entry| {
                print_facts(entry, *facts, *permissions, Relation::Child, out);
                out.extend_from_slice(b"\r\n");
            }),
        }
    }
}

impl Pending {
    fn is_empty(&self) -> bool {
        self.sent == self.bytes.len()
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.sent = 0;
    }

    /// Writes up to `most` bytes; `None`: nothing is left.
    fn send(&mut self, stream: &mut Stream, most: usize, sent: &mut u64) -> Option<Next> {
        let mut budget = most;
        while !self.is_empty() {
            if budget == 0 {
                return Some(Next::Again);
            }
            let end = self.bytes.len().min(self.sent.saturating_add(budget));
            match stream.send(&self.bytes[self.sent..end]) {
                Ok(Step::Moved(count)) => {
                    self.sent += count;
                    *sent += count as u64;
                    budget -= count;
                }
                Ok(Step::Blocked | Step::End) => return Some(Next::Wait),
                Err(_) => return Some(Next::Failed(Cause::DataLost)),
            }
        }
        None
    }
}

/// Writes what no browser has sent, as soon as that is known.
fn screened(
    screen: &mut Option<Box<Screen>>,
    piece: &[u8],
    mut write: impl FnMut(&[u8]) -> Result<(), Cause>,
) -> Result<(), Cause> {
    let Some(open) = screen else { return write(piece) };
    if open.clears(piece) {
        *screen = None;
        return write(piece);
    }
    match open.pass(piece, false)? {
        None => Ok(()),
        Some(held) => {
            *screen = None;
            write(&held)
        }
    }
}

/// The same, when nothing more comes.
fn screen_end(
    screen: &mut Option<Box<Screen>>,
    mut write: impl FnMut(&[u8]) -> Result<(), Cause>,
) -> Result<(), Cause> {
    let Some(mut open) = screen.take() else { return Ok(()) };
    match open.pass(&[], true)? {
        Some(held) if !held.is_empty() => write(&held),
        _ => Ok(()),
    }
}

fn receive(
    stream: &mut Stream,
    intake: &mut Intake,
    most: usize,
    received: &mut u64,
    buffer: &mut [u8],
    mut write: impl FnMut(&[u8]) -> Result<(), Cause>,
) -> Next {
    let mut budget = most;
    for _ in 0..limits::UPLOAD_READS_PER_TURN {
        let left = intake.limit.map_or(u64::MAX, |limit| limit - *received);
        if left == 0 {
            return Next::Moved;
        }
        if budget == 0 {
            return Next::Again;
        }
        let room = usize::try_from(left).map_or(buffer.len(), |left| left.min(buffer.len())).min(budget);
        match stream.receive(&mut buffer[..room]) {
            Ok(Step::Moved(count)) => {
                if let Err(cause) = screened(&mut intake.screen, &buffer[..count], &mut write) {
                    return Next::Failed(cause);
                }
                *received += count as u64;
                budget -= count;
            }
            Ok(Step::End) => return Next::Moved,
            Ok(Step::Blocked) => return Next::Wait,
            // Only TLS tells: somebody may have cut off the rest.
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => {
                // In the middle of a record there is no doubt that something is missing.
                if intake.keeps_unclosed && stream.tls().is_some_and(TlsLayer::is_between_records) {
                    intake.is_unclosed = true;
                    return Next::Moved;
                }
                return Next::Failed(Cause::TlsTruncated);
            }
            Err(_) => return Next::Failed(Cause::DataLost),
        }
    }
    if intake.limit == Some(*received) { Next::Moved } else { Next::Again }
}
