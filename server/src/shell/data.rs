//! What a running transfer holds: the link to the peer, the content that moves over it, and the account's rate.
//!
//! It must not know the control connection or the session's rules: it does what it is told and says what happened.

use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Instant;

use muxftp_proto::Cause;
use muxftp_proto::server::io::OperationId;
use muxftp_reactor::pump;
use muxftp_reactor::tls::{Handshake, Stream, TlsLayer};
use muxftp_reactor::{Key, Reactor};
use rustls::{HandshakeKind, ServerConfig};

use super::Owner;
use super::content::{Content, Errand, Intake, Means, Next};
use super::held::{Closer, Held};
use super::link::Link;
use super::rate::{Rate, Share};
use crate::config::SessionReuse;
use crate::log;
use crate::storage::Upload;

/// The data side of a session.
pub(super) struct DataPlane {
    /// The transfer.
    op: OperationId,
    pub(super) link: Link,
    content: Held<Content>,
    /// The lines of a listing go to the control connection.
    on_control: bool,
    bytes: u64,
    intake: Intake,
    /// Its part in the account's rate.
    share: Share,
    is_refused: bool,
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
            content: Held::new(Content::None, None),
            on_control: false,
            bytes: 0,
            intake: Intake::default(),
            share: Share::default(),
            is_refused: false,
            stage: Stage::Waiting,
        }
    }

    /// Takes what a transfer is to move.
    pub(super) fn open(&mut self, op: OperationId, content: Held<Content>) {
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
        self.content.get().is_none_or(Content::sends)
    }

    /// Whether only the peer's close marks the end of what it sends.
    pub(super) fn ends_by_close(&self) -> bool {
        !self.sends() && self.intake.limit.is_none()
    }

    /// Whether nothing is held any more.
    pub(super) fn is_empty(&self) -> bool {
        self.link.is_none() && !self.has_content()
    }

    fn has_content(&self) -> bool {
        !matches!(self.content.get(), None | Some(Content::None))
    }

    /// The lines go to the control connection.
    pub(super) fn set_on_control(&mut self) {
        self.on_control = true;
    }

    pub(super) fn is_on_control(&self) -> bool {
        self.on_control
    }

    /// Reads the next piece of a listing, for the control connection.
    pub(super) fn next_names(&mut self) -> (Next, Vec<u8>) {
        let Some(Content::Names(names)) = self.content.get_mut() else { return (Next::Wait, Vec::new()) };
        let (next, piece) = names.next_piece();
        self.bytes += piece.len() as u64;
        (next, piece)
    }

    /// How an upload is to be received.
    pub(super) fn take_in(&mut self, intake: Intake) {
        self.intake = intake;
    }

    /// Bytes no longer move.
    pub(super) fn fail(&mut self, cause: Cause) {
        let is_connection =
            matches!(cause, Cause::DataLost | Cause::TlsTruncated | Cause::TlsFailed | Cause::TlsNotResumed);
        self.is_refused = !self.sends() && !is_connection;
    }

    /// Whether the upload was refused while its peer may still send.
    pub(super) fn is_refused(&self) -> bool {
        self.is_refused
    }

    /// Whether an upload over TLS has ended without close_notify, and is kept.
    pub(super) fn is_unclosed(&self) -> bool {
        self.intake.is_unclosed
    }

    /// What a worker has to do, after [`Next::Errand`].
    pub(super) fn errand(&mut self) -> Option<Held<Errand>> {
        let errand = self.content.get_mut()?.errand()?;
        Some(self.content.beside(errand))
    }

    /// Takes back what a worker has done. `Some`: it has to be done where every path may be followed.
    pub(super) fn errand_done(&mut self, op: OperationId, errand: Held<Errand>) -> Option<Held<Errand>> {
        // What it was for is over.
        if op != self.op || !self.has_content() {
            return None;
        }
        let (Some(errand), _) = errand.take() else { return None };
        let farther = self.content.get_mut()?.errand_done(errand)?;
        Some(self.content.beside(farther))
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
        if ascii && let Some(Content::Upload(receiving)) = self.content.get_mut() {
            receiving.set_text();
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

    /// Moves bytes within the budget of one turn, and within the account's rate. Files that are not remote may be written
    /// by this thread while their disk is not slow.
    pub(super) fn run(
        &mut self,
        rate: Option<&mut Rate>,
        disk_is_slow: bool,
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
        let files_are_quick = !disk_is_slow && self.content.lane().is_none();
        let Some(stream) = self.link.stream() else { return Next::Wait };
        let Some(content) = self.content.get_mut() else { return Next::Wait };
        let before = self.bytes;
        let (next, pause) = match rate {
            _ if matches!(self.stage, Stage::Ending) => (Next::Moved, None),
            None => {
                let means = Means { stream, most: usize::MAX, buffer, files_are_quick };
                (content.run(means, &mut self.intake, &mut self.bytes), None)
            }
            Some(rate) => match rate.available(&mut self.share, now) {
                Err(pause) => (Next::Wait, Some(now + pause)),
                Ok(most) => {
                    let means = Means { stream, most, buffer, files_are_quick };
                    let next = content.run(means, &mut self.intake, &mut self.bytes);
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
            Err(_) if !self.sends() => Next::Moved,
            Err(_) => Next::Failed(Cause::DataLost),
        }
    }

    /// Sees to it that what is waited for wakes the session.
    fn wait_for(&mut self, next: Next, pause: Option<Instant>, rx: &mut Reactor<Owner>, session: Key) -> Next {
        if matches!(next, Next::Wait | Next::Again | Next::Errand)
            && let Err(cause) = self.link.watch(rx, session)
        {
            return Next::Failed(cause);
        }
        if let (Some(pause), Some(key)) = (pause, self.link.key()) {
            rx.arm(key, Some(pause));
        }
        next
    }

    /// The upload that is to get its name.
    pub(super) fn take_upload(&mut self) -> Option<Held<Upload>> {
        let (content, closer) = std::mem::replace(&mut self.content, Held::new(Content::None, None)).take();
        match content? {
            Content::Upload(receiving) => Some(Held::new(receiving.into_upload()?, closer)),
            _ => None,
        }
    }

    /// Lets go of the storage; an upload that was not committed vanishes, at `closer` if its disk is slow.
    pub(super) fn release(&mut self, closer: Option<Closer>) {
        let (content, own) = std::mem::replace(&mut self.content, Held::new(Content::None, None)).take();
        drop(content.map(|content| Held::new(content, own.or(closer))));
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
