//! An upload on its way from the peer: written by this thread while its disk is quick, else by a worker.

use std::borrow::Cow;
use std::io::ErrorKind;

use muxftp_proto::Cause;
use muxftp_proto::representation::ascii;
use muxftp_reactor::pump::Step;
use muxftp_reactor::tls::{Stream, TlsLayer};

use super::super::screen::Screen;
use super::{Intake, Means, Next};
use crate::limits;
use crate::storage::Upload;

/// An upload, and how far its bytes are.
pub(in crate::shell) struct Receiving {
    /// Not here while a worker writes.
    upload: Option<Upload>,
    /// In TYPE A.
    decoder: Option<ascii::FromWire>,
    /// What a worker is to write.
    piece: Vec<u8>,
    /// Nothing more will come.
    ended: bool,
    failed: Option<Cause>,
}

/// A piece, for a worker to write.
pub(in crate::shell) struct Store {
    upload: Upload,
    piece: Vec<u8>,
    result: Result<(), Cause>,
}

impl Store {
    pub(super) fn run(mut self: Box<Store>) -> Box<Store> {
        self.result = self.upload.write(&self.piece);
        self
    }
}

impl Receiving {
    pub(super) fn new(upload: Upload) -> Receiving {
        Receiving { upload: Some(upload), decoder: None, piece: Vec::new(), ended: false, failed: None }
    }

    /// Converts line ends from now on.
    pub(in crate::shell) fn set_text(&mut self) {
        self.decoder = Some(ascii::FromWire::default());
    }

    /// The upload, once all has moved.
    pub(in crate::shell) fn into_upload(self) -> Option<Upload> {
        self.upload
    }

    pub(super) fn errand(&mut self) -> Option<Box<Store>> {
        let upload = self.upload.take()?;
        Some(Box::new(Store { upload, piece: std::mem::take(&mut self.piece), result: Ok(()) }))
    }

    pub(super) fn stored(&mut self, store: Box<Store>) {
        let Store { upload, result, .. } = *store;
        self.upload = Some(upload);
        self.failed = result.err();
    }

    pub(super) fn receive(&mut self, means: Means<'_>, intake: &mut Intake, received: &mut u64) -> Next {
        let Means { stream, most, buffer, files_are_quick } = means;
        let limit = intake.limit;
        if self.upload.is_none() {
            return Next::Wait;
        }
        let mut budget = most;
        for _ in 0..limits::UPLOAD_READS_PER_TURN {
            match self.failed {
                Some(cause) => return Next::Failed(cause),
                None if self.ended => return Next::Moved,
                None => {}
            }
            let left = limit.map_or(u64::MAX, |limit| limit - *received);
            if left > 0 && budget == 0 {
                return Next::Again;
            }
            let room = usize::try_from(left).map_or(buffer.len(), |left| left.min(buffer.len())).min(budget);
            let count = match read(stream, &mut buffer[..room], intake) {
                Ok(count) => count,
                Err(next) => return next,
            };
            *received += count as u64;
            budget -= count;
            self.ended = count == 0 || limit == Some(*received);
            let bytes = match screened(&mut intake.screen, &buffer[..count], self.ended) {
                Ok(bytes) => bytes,
                Err(cause) => return Next::Failed(cause),
            };
            let next = if files_are_quick { self.write(&bytes) } else { self.keep(&bytes) };
            if let Some(next) = next {
                return next;
            }
        }
        if self.ended { Next::Moved } else { Next::Again }
    }

    /// Writes a piece; `Some`: that was the end.
    fn write(&mut self, bytes: &[u8]) -> Option<Next> {
        let mut text = Vec::new();
        let bytes = decode(&mut self.decoder, bytes, self.ended, &mut text);
        if !bytes.is_empty()
            && let Some(upload) = &mut self.upload
            && let Err(cause) = upload.write(bytes)
        {
            self.failed = Some(cause);
            return Some(Next::Failed(cause));
        }
        self.ended.then_some(Next::Moved)
    }

    /// Keeps a piece for a worker.
    fn keep(&mut self, bytes: &[u8]) -> Option<Next> {
        let mut text = Vec::new();
        self.piece = decode(&mut self.decoder, bytes, self.ended, &mut text).to_vec();
        match self.piece.is_empty() {
            false => Some(Next::Errand),
            true => self.ended.then_some(Next::Moved),
        }
    }
}

fn decode<'a>(
    decoder: &mut Option<ascii::FromWire>,
    bytes: &'a [u8],
    is_last: bool,
    text: &'a mut Vec<u8>,
) -> &'a [u8] {
    let Some(decoder) = decoder else { return bytes };
    decoder.convert(bytes, text);
    if is_last {
        decoder.finish(text);
    }
    text
}

/// What no browser has sent, as soon as that is known.
fn screened<'a>(screen: &mut Option<Box<Screen>>, piece: &'a [u8], is_last: bool) -> Result<Cow<'a, [u8]>, Cause> {
    let Some(open) = screen else { return Ok(Cow::Borrowed(piece)) };
    if open.clears(piece) {
        *screen = None;
        return Ok(Cow::Borrowed(piece));
    }
    let Some(held) = open.pass(piece, is_last)? else { return Ok(Cow::Borrowed(&[])) };
    *screen = None;
    Ok(Cow::Owned(held))
}

/// Reads once; nothing at the end, or into no room.
fn read(stream: &mut Stream, buffer: &mut [u8], intake: &mut Intake) -> Result<usize, Next> {
    if buffer.is_empty() {
        return Ok(0);
    }
    match stream.receive(buffer) {
        Ok(Step::Moved(count)) => Ok(count),
        Ok(Step::End) => Ok(0),
        Ok(Step::Blocked) => Err(Next::Wait),
        // Only TLS tells: somebody may have cut off the rest.
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => {
            // In the middle of a record there is no doubt that something is missing.
            if intake.keeps_unclosed && stream.tls().is_some_and(TlsLayer::is_between_records) {
                intake.is_unclosed = true;
                return Ok(0);
            }
            Err(Next::Failed(Cause::TlsTruncated))
        }
        Err(_) => Err(Next::Failed(Cause::DataLost)),
    }
}
