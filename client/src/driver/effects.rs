//! What the session wants done, and the order of things after each input.
//!
//! It must not know what came in.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

use muxftp_proto::client::io::{ClientEffect, ClientEvent};
use muxftp_reactor::Reactor;

use super::data::Plan;
use super::{Body, Connection, DataConnection, Endpoint, OperationResult, Speech, Timeline, direction};

impl<T: Copy, B: Body> Connection<T, B> {
    /// The one rule after each input: flush, effects, outcome, timer.
    pub(super) fn settle(&mut self, rx: &mut Reactor<T>, now: Instant) {
        loop {
            self.flush(rx);
            match self.session.poll_effect() {
                Some(effect) => self.apply(rx, effect, now),
                None if self.shake(rx, now) => {}
                None => break,
            }
        }
        if let Some(outcome) = self.session.poll_outcome() {
            self.drop_data(rx);
            let error = self.running.as_mut().and_then(|running| running.error.take());
            self.finish(OperationResult::Ended(outcome, error), now);
        }
        if let Some(control) = &self.control
            && control.connecting.is_none()
        {
            let deadlines = [self.session.next_timeout(), self.paced_until];
            rx.arm(control.key, deadlines.into_iter().flatten().min());
        }
    }

    fn apply(&mut self, rx: &mut Reactor<T>, effect: ClientEffect, now: Instant) {
        match effect {
            ClientEffect::StartTls => self.begin_tls(now),
            ClientEffect::ConnectData { port, address, protected } => {
                self.connect_data(rx, port, address, protected, now);
            }
            ClientEffect::ListenData { protected } => self.listen_for_data(rx, protected, now),
            ClientEffect::TakeNames { lines } => self.take_names(rx, &lines, now),
            ClientEffect::StartMoving { expected } => {
                if let Some(running) = &mut self.running {
                    running.expected = expected;
                    running.moving = true;
                }
            }
            ClientEffect::StopMoving => {
                if let Some(running) = &mut self.running {
                    running.moving = false;
                }
                self.paced_until = None;
            }
            ClientEffect::AbandonData => self.drop_data(rx),
            ClientEffect::CloseControl => self.drop_control(rx),
        }
    }

    /// The session has said all that is to be said in the clear: it waits for a reply before each line.
    fn begin_tls(&mut self, now: Instant) {
        debug_assert!(self.session.outbox().pending().is_empty());
        let Some(control) = &mut self.control else { return };
        let Speech::Ftp { tls: Some(trust), .. } = &self.endpoint.speech else {
            self.note_error(io::Error::new(io::ErrorKind::Unsupported, "nobody said whom to trust"));
            return self.session.handle_event(ClientEvent::TlsFailed, now);
        };
        let tls = trust.session();
        match tls.layer() {
            Ok(layer) => control.secure(layer),
            Err(error) => {
                self.note_error(io::Error::other(error));
                self.session.handle_event(ClientEvent::TlsFailed, now);
            }
        }
        self.tls = Some(tls);
    }

    /// Goes on with the hand-shake of the control connection; `true`: the session has heard news of it.
    fn shake(&mut self, rx: &mut Reactor<T>, now: Instant) -> bool {
        let Some(control) = self.control.as_mut().filter(|control| control.is_shaking()) else { return false };
        match control.shake(rx) {
            Ok(false) => false,
            Ok(true) => {
                self.session.handle_event(ClientEvent::TlsDone, now);
                true
            }
            Err(error) => {
                self.note_error(error);
                self.session.handle_event(ClientEvent::TlsFailed, now);
                true
            }
        }
    }

    fn connect_data(&mut self, rx: &mut Reactor<T>, port: u16, address: Option<IpAddr>, protected: bool, now: Instant) {
        let Endpoint { source, server, .. } = self.endpoint;
        let target = SocketAddr::new(address.unwrap_or(server.ip()), port);
        let opened =
            self.plan(protected, now).and_then(|plan| DataConnection::open(rx, target, source, plan, self.owners.data));
        match opened {
            Ok(data) => self.data = Some(data),
            Err(error) => self.lose_data(error, now),
        }
    }

    fn listen_for_data(&mut self, rx: &mut Reactor<T>, protected: bool, now: Instant) {
        let Some(control) = &self.control else { return };
        let local = control.stream.socket().local_addr();
        let opened = local.and_then(|local| {
            let plan = self.plan(protected, now)?;
            DataConnection::listen(rx, local.ip(), self.endpoint.server.ip(), plan, self.owners.data)
        });
        match opened {
            Ok((data, address)) => {
                self.data = Some(data);
                self.session.handle_event(ClientEvent::DataListening { address }, now);
            }
            Err(error) => self.lose_data(error, now),
        }
    }

    /// What the present operation's data connection is to be.
    fn plan(&mut self, protected: bool, now: Instant) -> io::Result<Plan> {
        let Some(running) = &mut self.running else { return Err(io::ErrorKind::NotConnected.into()) };
        running.timeline.negotiated = Some(now);
        let direction = direction(&running.operation);
        let layer = match (protected, &self.tls) {
            (false, _) => None,
            (true, Some(tls)) => Some(tls.layer().map_err(io::Error::other)?),
            (true, None) => return Err(io::ErrorKind::Unsupported.into()),
        };
        Ok(Plan { direction, bandwidth: self.endpoint.bandwidth, layer })
    }

    /// Names that came on the control connection; their phases are those of a data connection that was there at once.
    fn take_names(&mut self, rx: &mut Reactor<T>, lines: &[u8], now: Instant) {
        let Some(running) = &mut self.running else { return };
        let Timeline { negotiated, data_connected, first_byte, last_byte, .. } = &mut running.timeline;
        for mark in [negotiated, data_connected] {
            mark.get_or_insert(now);
        }
        if lines.is_empty() {
            return;
        }
        first_byte.get_or_insert(now);
        *last_byte = Some(now);
        running.bytes += lines.len() as u64;
        if let Err(error) = running.body.receive(lines) {
            self.fail_body(rx, error);
        }
    }

    /// Writes what the session says; not into a hand-shake, before which it has said all.
    fn flush(&mut self, rx: &mut Reactor<T>) {
        while let Some(control) = self.control.as_mut().filter(|control| !control.is_shaking()) {
            match control.write(rx, self.session.outbox().pending()) {
                Ok(Some(bytes)) => self.session.outbox().consume(bytes),
                Ok(None) => return,
                Err(error) => {
                    self.note_error(error);
                    return self.session.handle_lost();
                }
            }
        }
    }
}
