//! The data side of a session: its connection agreed on, its content opened, bytes moved within their budget.
//!
//! What happened is told to the session's protocol; what is to be done next comes from there.

use std::time::{Duration, Instant};

use mio::net::TcpStream;
use muxftp_proto::server::io::{Event, OperationId, TransferReport};
use muxftp_proto::{Cause, DataPortPolicy, Dialect};
use muxftp_reactor::{Again, Job, Reactor};

use super::super::content::{Errand, Intake, Next};
use super::super::data::DataPlane;
use super::super::held::{Closer, Held};
use super::super::lanes::Lane;
use super::super::open::Ready;
use super::super::screen::Screen;
use super::super::work::Done;
use super::super::{Owner, Shared};
use super::Session;
use crate::config::UploadsWithoutClose;
use crate::log;
use crate::ports::Holder;
use crate::storage::Upload;
use crate::tls::Certificates;

impl Session {
    /// A peer is at the data port.
    pub(in crate::shell) fn ready_data_listener(&mut self, shared: &mut Shared, rx: &mut Reactor<Owner>) -> Again {
        if let Some(data) = &mut self.data {
            let op = data.link.op;
            match data.link.accept(rx, self.line.peer) {
                Ok(false) => {}
                Ok(true) => {
                    let event = match self.watch_for_tls(rx) {
                        Ok(()) => Event::DataConnected { op },
                        Err(cause) => Event::DataFailed { op, cause },
                    };
                    self.proto.handle_event(event, rx.now());
                }
                Err(cause) => self.proto.handle_event(Event::DataFailed { op, cause }, rx.now()),
            }
            self.settle(shared, rx);
        }
        Again::No
    }

    /// The transfer has got a shared port.
    pub(in crate::shell) fn data_port_granted(
        &mut self,
        port: u16,
        shared: &mut Shared,
        rx: &mut Reactor<Owner>,
    ) -> Again {
        if let Some(data) = &self.data {
            self.proto.handle_event(Event::DataListening { op: data.link.op, port }, rx.now());
            self.settle(shared, rx);
        }
        Again::No
    }

    /// The data connection has come to a shared port.
    pub(in crate::shell) fn data_connected(
        &mut self,
        stream: TcpStream,
        shared: &mut Shared,
        rx: &mut Reactor<Owner>,
    ) -> Again {
        if let Some(data) = &mut self.data {
            data.link.take(stream);
            self.proto.handle_event(Event::DataConnected { op: data.link.op }, rx.now());
            self.settle(shared, rx);
        }
        Again::No
    }

    /// The data connection has news, or its budget is renewed.
    pub(in crate::shell) fn ready_data(&mut self, shared: &mut Shared, rx: &mut Reactor<Owner>) -> Again {
        if let Some(data) = &mut self.data
            && let Some(connected) = data.link.finish_connect()
        {
            let op = data.link.op;
            let event = match connected {
                Ok(()) => Event::DataConnected { op },
                Err(cause) => Event::DataFailed { op, cause },
            };
            self.proto.handle_event(event, rx.now());
        }
        self.shake_early(rx);
        let again = self.run_data(shared, rx);
        self.settle(shared, rx);
        again
    }

    /// There are clients (those that stand on Python's asyncio) that begin TLS with the connection, and wait for its end before
    /// they say their command.
    fn watch_for_tls(&mut self, rx: &mut Reactor<Owner>) -> Result<(), Cause> {
        match &mut self.data {
            Some(data) if self.proto.protects_data() => data.link.watch(rx, self.key),
            _ => Ok(()),
        }
    }

    /// Without new tickets: it is not known yet whether their peer would read them.
    fn shake_early(&mut self, rx: &mut Reactor<Owner>) {
        if let (Some(data), Some(tls)) = (&mut self.data, &self.tls)
            && self.proto.protects_data()
        {
            data.shake_early(rx, || tls.data(false));
        }
    }

    pub(in crate::shell) fn opened(
        &mut self,
        op: OperationId,
        ready: Result<(Ready, Option<Closer>), Cause>,
        rx: &mut Reactor<Owner>,
    ) {
        // Too late: the content is dropped here, before it can take the place of a later transfer's.
        if !self.awaits(op) {
            return;
        }
        let event = match ready {
            Ok((Ready { content, size, name, .. }, closer)) => {
                self.data().open(op, Held::new(content, closer));
                Event::StorageReady { op, size, name }
            }
            Err(cause) => Event::StorageFailed { op, cause },
        };
        self.proto.handle_event(event, rx.now());
    }

    pub(super) fn listen_data(&mut self, op: OperationId, shared: &mut Shared, rx: &mut Reactor<Owner>) {
        let (key, local, peer) = (self.key, self.local, self.line.peer.ip());
        let policy = self.line.dialect.data_ports();
        let guest = shared.accounts.guest();
        let holder = Holder::new(peer, self.account.filter(|account| *account != guest));
        let link = &mut self.data().link;
        link.op = op;
        let listening = match policy {
            DataPortPolicy::Fresh => link.listen(shared, rx, key, local, holder).map(Some),
            DataPortPolicy::Shared => {
                link.share(shared, key, local, peer);
                Ok(None)
            }
        };
        match listening {
            Ok(Some(port)) => self.proto.handle_event(Event::DataListening { op, port }, rx.now()),
            // It is told at the end of the turn, or when a port is free for it: see `data_port_granted`.
            Ok(None) => {}
            Err(cause) => self.proto.handle_event(Event::DataFailed { op, cause }, rx.now()),
        }
    }

    pub(super) fn start_moving(
        &mut self,
        limit: Option<u64>,
        ascii: bool,
        protected: bool,
        shared: &mut Shared,
        rx: &mut Reactor<Owner>,
    ) {
        let reuse = shared.tls.as_ref().map(Certificates::session_reuse);
        let Some(data) = &mut self.data else { return };
        let tls = self.tls.as_ref().filter(|_| protected).zip(reuse);
        let tls = tls.map(|(tls, reuse)| (tls.data(data.sends()), reuse));
        if !data.sends() {
            let screen = match self.line.dialect {
                _ if tls.is_some() => None,
                Dialect::Simple | Dialect::Updown => Some(Screen::any_request()),
                // Somebody has logged in to store this: it may be a capture of a request, unless it is one to this port.
                Dialect::Ftp => data.link.port().map(Screen::request_to),
            };
            let keeps_unclosed = self.uploads_without_close == UploadsWithoutClose::Keep;
            data.take_in(Intake { limit, screen: screen.map(Box::new), keeps_unclosed, ..Intake::default() });
        }
        // One that we have made ourselves is watched already, and its bytes may have come with the event that it is there.
        let is_watched = data.link.key().is_some();
        if let Err(cause) = data.start(rx, self.key, ascii, tls) {
            let event = Event::MoveFailed { op: data.op(), bytes: 0, cause };
            return self.proto.handle_event(event, rx.now());
        }
        if data.sends() {
            // A fresh connection takes bytes at once: a small file needs no event at all.
            if self.run_data(shared, rx) == Again::Yes {
                self.defer_data(rx);
            }
        } else if is_watched && let Some(key) = data.link.key() {
            rx.queue(key);
        }
    }

    /// Moves more bytes when the other sessions have had their turn.
    fn defer_data(&self, rx: &mut Reactor<Owner>) {
        if let Some(key) = self.data.as_ref().and_then(|data| data.link.key()) {
            rx.defer(key);
        }
    }

    /// Moves bytes within the budget, and tells the session.
    pub(super) fn run_data(&mut self, shared: &mut Shared, rx: &mut Reactor<Owner>) -> Again {
        let is_slow = self.disk_is_slow(shared, rx.now());
        let Some(data) = &mut self.data else { return Again::No };
        let before = data.bytes();
        let account = self.account.and_then(|account| shared.accounts.get(account));
        let rate = account.and_then(|account| if data.sends() { account.down.as_mut() } else { account.up.as_mut() });
        let now = rx.now();
        let writes = !data.sends();
        let begun = writes.then(Instant::now);
        let next = data.run(rate, is_slow, &mut shared.buffer, rx, self.key, now);
        let (op, bytes) = (data.op(), data.bytes());
        let (ends_by_close, is_unclosed) = (data.ends_by_close(), data.is_unclosed());
        if let Some(begun) = begun {
            self.took(begun.elapsed(), shared, rx);
        }
        if bytes > before {
            self.idle_wakes = 0;
            self.proto.handle_event(Event::Progress { op, bytes }, now);
        }
        match next {
            Next::Wait => Again::No,
            Next::Again => Again::Yes,
            Next::Errand => {
                self.begin_errand(shared, rx);
                Again::No
            }
            Next::Moved => {
                if is_unclosed {
                    log::kept_without_close(&self.line, bytes);
                }
                if ends_by_close {
                    // A client that dies closes both connections: the session is to know when both have ended.
                    let _ = self.read(shared, rx);
                }
                self.proto.handle_event(Event::Moved { op, bytes }, now);
                Again::No
            }
            Next::Failed(cause) => {
                if let Some(data) = &mut self.data {
                    data.fail(cause);
                }
                self.proto.handle_event(Event::MoveFailed { op, bytes, cause }, now);
                Again::No
            }
        }
    }

    /// Has a worker do what the transfer waits for.
    fn begin_errand(&mut self, shared: &mut Shared, rx: &mut Reactor<Owner>) {
        let Some(errand) = self.data.as_mut().and_then(|data| data.errand()) else { return };
        self.send_errand(false, errand, shared, rx);
    }

    fn send_errand(&mut self, farther: bool, errand: Held<Errand>, shared: &mut Shared, rx: &mut Reactor<Owner>) {
        if let Err(cause) = self.submit_errand(farther, errand, shared) {
            let (op, bytes) = (self.data().op(), self.data().bytes());
            self.proto.handle_event(Event::MoveFailed { op, bytes, cause }, rx.now());
        }
    }

    /// A worker has done what the transfer waits for.
    pub(in crate::shell) fn errand_done(
        &mut self,
        op: OperationId,
        errand: Held<Option<Errand>>,
        shared: &mut Shared,
        rx: &mut Reactor<Owner>,
    ) -> Again {
        let (errand, closer) = errand.take();
        let Some(errand) = errand.flatten().map(|errand| Held::new(errand, closer)) else { return Again::No };
        let Some(data) = &mut self.data else { return Again::No };
        if let Some(farther) = data.errand_done(op, errand) {
            self.send_errand(true, farther, shared, rx);
        } else if data.op() != op {
            return Again::No;
        } else if data.is_on_control() {
            self.to_control = true;
        } else if self.run_data(shared, rx) == Again::Yes {
            self.defer_data(rx);
        }
        self.settle(shared, rx);
        Again::No
    }

    /// Puts the next piece of a listing behind the replies.
    pub(super) fn move_to_control(&mut self, shared: &mut Shared, rx: &mut Reactor<Owner>) {
        let Some(data) = &mut self.data else { return };
        let (next, piece) = data.next_names();
        self.proto.push_names(&piece);
        let (op, bytes) = (data.op(), data.bytes());
        self.to_control = next == Next::Again;
        let event = match next {
            Next::Wait => return,
            Next::Errand => {
                self.begin_errand(shared, rx);
                Event::Progress { op, bytes }
            }
            Next::Again => Event::Progress { op, bytes },
            Next::Moved => Event::Moved { op, bytes },
            Next::Failed(cause) => Event::MoveFailed { op, bytes, cause },
        };
        self.proto.handle_event(event, rx.now());
    }

    /// Gives the upload its name: here if its disk is quick, else by a worker.
    pub(super) fn commit(&mut self, op: OperationId, shared: &mut Shared, rx: &mut Reactor<Owner>) {
        let Some(upload) = self.data.as_mut().and_then(|data| data.take_upload()) else { return };
        let needs_disk = upload.get().is_some_and(Upload::needs_disk);
        if !needs_disk && upload.lane().is_none() && !self.disk_is_slow(shared, rx.now()) {
            let (event, took) = commit(upload, op);
            self.took(took, shared, rx);
            return self.proto.handle_event(event, rx.now());
        }
        let session = self.key;
        let submitted = self.place(shared).and_then(|place| {
            let lane = upload.lane().unwrap_or(Lane::Commits(place));
            let job: Job<Done> = Box::new(move || {
                let (event, took) = commit(upload, op);
                // A flush is slow on a quick disk too.
                Done::Committed { session, event, took: if needs_disk { Duration::ZERO } else { took } }
            });
            shared.workers.submit(lane, job).map_err(|_| Cause::OutOfResources)
        });
        if let Err(cause) = submitted {
            self.proto.handle_event(Event::StorageFailed { op, cause }, rx.now());
        }
    }

    pub(super) fn release(&mut self, report: &TransferReport, shared: &mut Shared, rx: &mut Reactor<Owner>) {
        // A small transfer begins and ends in one turn, for which the session has one time.
        let begin = rx.now().checked_sub(report.duration).unwrap_or(rx.now());
        let duration = rx.refresh_now() - begin;
        self.to_control = false;
        let is_slow = self.disk_is_slow(shared, rx.now());
        let place = self.place(shared).ok().filter(|_| is_slow);
        let closer = place.map(|place| Closer::new(Lane::Home(place), shared.workers.chores()));
        if let Some(data) = &mut self.data {
            data.release(closer);
        }
        self.drop_empty_data();
        self.transfers += 1;
        let line = log::Transfer {
            verb: report.verb,
            path: &report.path,
            bytes: report.bytes,
            duration,
            result: report.result.map_err(|cause| cause.unwrap_or(Cause::DataLost)),
        };
        log::transfer(&self.line, &line);
    }

    pub(super) fn drop_empty_data(&mut self) {
        if self.data.as_ref().is_some_and(|data| data.is_empty()) {
            self.data = None;
        }
    }

    /// The data side, made if it is not there.
    pub(in crate::shell) fn data(&mut self) -> &mut DataPlane {
        self.data.get_or_insert_with(|| Box::new(DataPlane::new()))
    }
}

fn commit(upload: Held<Upload>, op: OperationId) -> (Event, Duration) {
    let begun = Instant::now();
    let event = match upload.take() {
        (Some(upload), _) => match upload.commit() {
            Ok(()) => Event::Committed { op },
            Err(cause) => Event::StorageFailed { op, cause },
        },
        (None, _) => Event::StorageFailed { op, cause: Cause::DiskError },
    };
    (event, begun.elapsed())
}
