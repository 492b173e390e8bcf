//! What the event loop calls: each event goes to the one whom it is about.
//!
//! It must not know what a session does with it.

use std::sync::atomic::Ordering;

use muxftp_reactor::{Again, Handler, Key, Reactor, Readiness};
use rustix::process::Signal;

use super::session::Session;
use super::{Owner, Shell, State};
use crate::log;

impl Handler<Owner> for Shell {
    fn ready(&mut self, rx: &mut Reactor<Owner>, _key: Key, owner: Owner, readiness: Readiness) -> Again {
        match owner {
            Owner::Listener(index) => self.accept(rx, index),
            Owner::Control(session) => {
                self.with(rx, session, |session, shared, rx| session.ready_control(shared, rx, readiness))
            }
            Owner::DataListener(session) => self.with(rx, session, Session::ready_data_listener),
            Owner::SharedPort(index) => self.accept_data(rx, index),
            Owner::Data(session) => self.with(rx, session, Session::ready_data),
            Owner::Shutdown => Again::No,
        }
    }

    fn timeout(&mut self, rx: &mut Reactor<Owner>, key: Key, owner: Owner) {
        match owner {
            // The pause after a shortage of descriptors is over.
            Owner::Listener(_) | Owner::SharedPort(_) => rx.queue(key),
            Owner::Control(session) | Owner::DataListener(session) => {
                let _ = self.with(rx, session, Session::timeout);
            }
            // The account's rate has something to give again.
            Owner::Data(_) => rx.queue(key),
            Owner::Shutdown => self.state = State::Ended,
        }
    }

    fn woken(&mut self, rx: &mut Reactor<Owner>) {
        while let Some(done) = self.shared.workers.next_result() {
            self.work_done(rx, done);
        }
        while self.stops_answered < self.stop_requests.load(Ordering::Acquire) {
            self.stops_answered += 1;
            self.stop(rx);
        }
    }

    fn signal(&mut self, rx: &mut Reactor<Owner>, signal: i32) {
        match signal == Signal::HUP.as_raw() {
            true => self.reload(),
            false => self.stop(rx),
        }
    }

    fn end_of_turn(&mut self, rx: &mut Reactor<Owner>) {
        self.grant_ports(rx);
        self.check_passwords(rx);
        if self.state == State::Draining && self.sessions.is_empty() {
            self.state = State::Ended;
        }
        log::flush();
    }
}
