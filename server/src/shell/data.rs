//! What a running transfer holds: the link to the peer, the content that moves over it, and the account's rate.
//!
//! It must not know the control connection or the session's rules: it does what it is told and says what happened.

use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Instant;

use muxftp_proto::Cause;
use muxftp_proto::representation::ascii::FromWire;
use muxftp_proto::server::io::{Event, OperationId};
use muxftp_reactor::pump;
use muxftp_reactor::tls::{Handshake, Stream, TlsLayer};
use muxftp_reactor::{Job, Key, Reactor};
use rustls::{HandshakeKind, ServerConfig};

use super::content::{Content, Intake, Next};
use super::lanes::{Lane, Place};
use super::link::Link;
use super::rate::{Rate, Share};
use super::work::Done;
use super::{Owner, Shared};
use crate::config::SessionReuse;
use crate::log;
use crate::storage::Upload;

/// The data side of a session.
pub(super) struct DataPlane {
    /// The transfer.
    op: OperationId,
    pub(super) link: Link,
    content: Content,
    bytes: u64,
    intake: Intake,
    /// Its part in the account's rate.
    share: Share,
    stage: Stage,
}

/// What the connection is for at present.
enum Stage {
    /// Nothing may move yet. Whether it is to be encrypted is not known, unless its peer has begun.
    Waiting,
    /// The hand-shake of TLS.
    Shaking(SessionReuse),
    /// Bytes move, through TLS if there is some.
    Moving,
    /// They have moved; with TLS, the last of them and the end are being written.
    Ending,
}

impl DataPlane {
    pub(super) fn new() -> DataPlane {
        DataPlane {
            op: OperationId::default(),
            link: Link::new(),
            content: Content::None,
            bytes: 0,
            intake: Intake::default(),
            share: Share::default(),
            stage: Stage::Waiting,
        }
    }

    /// Takes what a transfer is to move.
    pub(super) fn open(&mut self, op: OperationId, content: Content) {
        let link = std::mem::replace(&mut self.link, Link::new());
        *self = DataPlane { op, link, content, ..DataPlane::new() };
    }

    pub(super) fn op(&self) -> OperationId {
        self.op
    }

    /// Bytes moved on the data connection.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Whether the server is the one that writes.
    pub(super) fn sends(&self) -> bool {
        self.content.sends()
    }

    /// Whether only the peer's close marks the end of what it sends.
    pub(super) fn ends_by_close(&self) -> bool {
        !self.sends() && self.intake.limit.is_none()
    }

    /// Whether nothing is held any more.
    pub(super) fn is_empty(&self) -> bool {
        self.link.is_none() && matches!(self.content, Content::None)
    }

    /// Reads the next piece of a listing, for the control connection.
    pub(super) fn next_names(&mut self) -> (Next, &[u8]) {
        let Content::Names(names) = &mut self.content else { return (Next::Wait, &[]) };
        let (next, piece) = names.next_piece();
        self.bytes += piece.len() as u64;
        (next, piece)
    }

    /// How an upload is to be received.
    pub(super) fn take_in(&mut self, intake: Intake) {
        self.intake = intake;
    }

    /// Whether an upload over TLS has ended without close_notify, and is kept.
    pub(super) fn is_unclosed(&self) -> bool {
        self.intake.is_unclosed
    }

    /// Prepares for [`DataPlane::run`]. `ascii`: the bytes are text; `tls`: they are encrypted.
    ///
    /// # Errors
    /// The reactor cannot take the connection.
    pub(super) fn start(
        &mut self,
        rx: &mut Reactor<Owner>,
        session: Key,
        ascii: bool,
        tls: Option<(Arc<ServerConfig>, SessionReuse)>,
    ) -> Result<(), Cause> {
        self.stage = match (tls, self.link.stream()) {
            (Some((tls, reuse)), Some(stream)) => {
                secure(stream, tls)?;
                Stage::Shaking(reuse)
            }
            // It was agreed otherwise when its peer began.
            (None, Some(stream)) if stream.tls().is_some() => return Err(Cause::TlsFailed),
            _ => Stage::Moving,
        };
        if ascii
            && matches!(self.content, Content::Upload(_))
            && let Content::Upload(upload) = std::mem::replace(&mut self.content, Content::None)
        {
            self.content = Content::TextUpload(upload, FromWire::default());
        }
        // The peer of an upload needs a moment before its first byte is here; waiting for the event saves a read in vain.
        if self.sends() { Ok(()) } else { self.link.watch(rx, session) }
    }

    /// Goes on with a hand-shake that the peer makes before its command, once there are bytes of it.
    pub(super) fn shake_early(&mut self, rx: &mut Reactor<Owner>, tls: impl FnOnce() -> Arc<ServerConfig>) {
        if !matches!(self.stage, Stage::Waiting) {
            return;
        }
        let has_bytes = self.link.key().and_then(|key| rx.readiness(key)).is_some_and(|readiness| readiness.readable);
        if has_bytes
            && let Some(stream) = self.link.stream()
            && (stream.tls().is_some() || secure(stream, tls()).is_ok())
        {
            // What breaks here is told when bytes are to move: it breaks again.
            let _ = stream.handshake();
        }
    }

    /// Moves bytes within the budget of one turn, and within the account's rate.
    pub(super) fn run(
        &mut self,
        rate: Option<&mut Rate>,
        buffer: &mut [u8],
        rx: &mut Reactor<Owner>,
        session: Key,
        now: Instant,
    ) -> Next {
        if matches!(self.stage, Stage::Waiting) {
            return Next::Wait;
        }
        if let Some(next) = self.shake() {
            return self.wait_for(next, None, rx, session);
        }
        let Some(stream) = self.link.stream() else { return Next::Wait };
        let before = self.bytes;
        let (next, pause) = match rate {
            _ if matches!(self.stage, Stage::Ending) => (Next::Moved, None),
            None => (self.content.run(stream, &mut self.intake, usize::MAX, &mut self.bytes, buffer), None),
            Some(rate) => match rate.available(&mut self.share, now) {
                Err(pause) => (Next::Wait, Some(now + pause)),
                Ok(most) => {
                    let next = self.content.run(stream, &mut self.intake, most, &mut self.bytes, buffer);
                    rate.take(&mut self.share, self.bytes - before);
                    if next != Next::Again {
                        rate.rest(&mut self.share);
                    }
                    (next, None)
                }
            },
        };
        let next = if next == Next::Moved { self.end(buffer) } else { next };
        self.wait_for(next, pause, rx, session)
    }

    /// Goes on with the hand-shake; `None`: there is none, or it is done.
    fn shake(&mut self) -> Option<Next> {
        let Stage::Shaking(reuse) = self.stage else { return None };
        let stream = self.link.stream()?;
        match stream.handshake() {
            Ok(Handshake::Done) => {
                let kind = stream.tls().and_then(TlsLayer::handshake_kind);
                match reuse {
                    SessionReuse::Require if kind != Some(HandshakeKind::Resumed) => {
                        return Some(Next::Failed(Cause::TlsNotResumed));
                    }
                    SessionReuse::Log if kind != Some(HandshakeKind::Resumed) => log::not_resumed(stream.socket()),
                    SessionReuse::Off | SessionReuse::Log | SessionReuse::Require => {}
                }
                self.stage = Stage::Moving;
                None
            }
            Ok(Handshake::BlockedOnRead | Handshake::BlockedOnWrite) => Some(Next::Wait),
            // It broke before TLS could say anything about it.
            Err(error) if error.kind() != ErrorKind::InvalidData => Some(Next::Failed(Cause::DataLost)),
            Err(error) => {
                log::data_tls_failed(stream.socket(), &error);
                Some(Next::Failed(Cause::TlsFailed))
            }
        }
    }

    /// All has moved: with TLS, the end is said and written before the connection is closed.
    fn end(&mut self, buffer: &mut [u8]) -> Next {
        let Some(stream) = self.link.stream() else { return Next::Moved };
        if stream.tls().is_none() {
            return Next::Moved;
        }
        self.stage = Stage::Ending;
        stream.close();
        match stream.flush() {
            Ok(true) => {
                // What is not read when the connection is closed makes the system drop what is still to be sent.
                let _ = pump::receive(stream.socket(), buffer);
                Next::Moved
            }
            Ok(false) => Next::Wait,
            // A peer that has said its own end may be gone: its upload is whole all the same.
            Err(_) if !self.content.sends() => Next::Moved,
            Err(_) => Next::Failed(Cause::DataLost),
        }
    }

    /// Sees to it that what is waited for wakes the session.
    fn wait_for(&mut self, next: Next, pause: Option<Instant>, rx: &mut Reactor<Owner>, session: Key) -> Next {
        if matches!(next, Next::Wait | Next::Again)
            && let Err(cause) = self.link.watch(rx, session)
        {
            return Next::Failed(cause);
        }
        if let (Some(pause), Some(key)) = (pause, self.link.key()) {
            rx.arm(key, Some(pause));
        }
        next
    }

    /// Gives the upload its name; `None`: the answer comes later, from a worker.
    pub(super) fn commit(
        &mut self,
        op: OperationId,
        session: Key,
        place: Result<Place, Cause>,
        shared: &mut Shared,
    ) -> Option<Event> {
        let upload = match std::mem::replace(&mut self.content, Content::None) {
            Content::Upload(upload) | Content::TextUpload(upload, _) => upload,
            _ => return None,
        };
        if !upload.needs_disk() {
            return Some(commit(upload, op));
        }
        let job: Job<Done> = Box::new(move || Done::Of(session, commit(upload, op)));
        let submitted = match place {
            Ok(place) => shared.workers.submit(Lane::Commits(place), job).map_err(|_| Cause::OutOfResources),
            Err(cause) => Err(cause),
        };
        submitted.err().map(|cause| Event::StorageFailed { op, cause })
    }

    /// Lets go of the storage; an upload that was not committed vanishes.
    pub(super) fn release(&mut self) {
        self.content = Content::None;
    }
}

/// Begins TLS, if it has not begun.
fn secure(stream: &mut Stream, tls: Arc<ServerConfig>) -> Result<(), Cause> {
    if stream.tls().is_some() {
        return Ok(());
    }
    // The last flight of the hand-shake, a short listing and the end are small, and none waits for an answer to the one
    // before.
    stream.socket().set_nodelay(true).map_err(|_| Cause::DataLost)?;
    stream.secure(TlsLayer::server(tls).map_err(|_| Cause::TlsFailed)?);
    Ok(())
}

fn commit(upload: Upload, op: OperationId) -> Event {
    match upload.commit() {
        Ok(()) => Event::Committed { op },
        Err(cause) => Event::StorageFailed { op, cause },
    }
}
