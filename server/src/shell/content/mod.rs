//! What moves over a data connection: a file's bytes either way, as they are or as text, or the lines of a listing.
//!
//! It must not know where the connection comes from or what a session makes of the end. What would wait for a disk is
//! given out as an [`Errand`], which a worker does while the content waits.
//!
//! Invariants:
//! - a step moves a bounded number of bytes;
//! - at most one errand is out.

mod download;
mod names;
mod receiving;

use muxftp_proto::Cause;
use muxftp_reactor::pump::Step;
use muxftp_reactor::tls::Stream;

use super::screen::Screen;
use crate::storage::{Reach, Upload};
pub(super) use download::{Download, TextDownload};
pub(super) use names::{Lines, Names};
pub(super) use receiving::Receiving;

/// The storage side of a transfer.
pub(super) enum Content {
    /// Nothing yet, or no longer.
    None,
    Download(Download),
    Text(TextDownload),
    Upload(Receiving),
    Names(Names),
}

/// What comes after a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// An event.
    Wait,
    /// Another step, when the others have had theirs.
    Again,
    /// A worker has to do [`Content::errand`]; then another step.
    Errand,
    /// All bytes have moved.
    Moved,
    /// None will move any more.
    Failed(Cause),
}

/// What a step may use.
pub(super) struct Means<'a> {
    pub(super) stream: &'a mut Stream,
    /// Bytes that may move.
    pub(super) most: usize,
    pub(super) buffer: &'a mut [u8],
    /// Files may be read and written by this thread; else only by errands.
    pub(super) files_are_quick: bool,
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

/// Work for a worker on a content, which waits for it.
pub(super) enum Errand {
    Fetch(download::Fetch),
    List(names::List),
    /// Boxed, since an upload is large.
    Store(Box<receiving::Store>),
}

impl Errand {
    pub(super) fn run(self, reach: Reach) -> Errand {
        match self {
            Errand::Fetch(fetch) => Errand::Fetch(fetch.run()),
            Errand::List(list) => Errand::List(list.run(reach)),
            Errand::Store(store) => Errand::Store(store.run()),
        }
    }
}

impl Content {
    pub(super) fn upload(upload: Upload) -> Content {
        Content::Upload(Receiving::new(upload))
    }

    /// Whether the server is the one that writes.
    pub(super) fn sends(&self) -> bool {
        !matches!(self, Content::Upload(_))
    }

    /// Moves some bytes; `bytes` counts those on the wire. `intake` is about an upload.
    pub(super) fn run(&mut self, means: Means<'_>, intake: &mut Intake, bytes: &mut u64) -> Next {
        match self {
            Content::None => Next::Wait,
            Content::Download(download) => download.send(means, bytes),
            Content::Text(text) => text.send(means, bytes),
            Content::Names(names) => names.send(means.stream, means.most, bytes),
            Content::Upload(receiving) => receiving.receive(means, intake, bytes),
        }
    }

    /// What a worker has to do, after [`Next::Errand`].
    pub(super) fn errand(&mut self) -> Option<Errand> {
        match self {
            Content::None => None,
            Content::Download(download) => download.errand().map(Errand::Fetch),
            Content::Text(text) => text.errand().map(Errand::Fetch),
            Content::Names(names) => names.errand().map(Errand::List),
            Content::Upload(receiving) => receiving.errand().map(Errand::Store),
        }
    }

    /// Takes back what a worker has done. `Some`: it has to be done where every path may be followed.
    pub(super) fn errand_done(&mut self, errand: Errand) -> Option<Errand> {
        match (self, errand) {
            (Content::Download(download), Errand::Fetch(fetch)) => download.fetched(fetch),
            (Content::Text(text), Errand::Fetch(fetch)) => text.fetched(fetch),
            (Content::Names(names), Errand::List(list)) => return names.listed(list).map(Errand::List),
            (Content::Upload(receiving), Errand::Store(store)) => receiving.stored(store),
            _ => {}
        }
        None
    }
}

/// Bytes that wait to be sent.
#[derive(Default)]
struct Pending {
    bytes: Vec<u8>,
    sent: usize,
}

impl Pending {
    fn is_empty(&self) -> bool {
        self.sent == self.bytes.len()
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.sent = 0;
    }

    fn set(&mut self, bytes: Vec<u8>) {
        *self = Pending { bytes, sent: 0 };
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
