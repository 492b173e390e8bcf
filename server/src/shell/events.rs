//! What the event loop calls: each event goes to the one whom it is about.
//!
//! It must not know what a session does with it.

use std::sync::atomic::Ordering;
use std::time::Duration;

use muxftp_reactor::{Again, Handler, Key, Look, Reactor, Readiness, Step};
use rustix::process::Signal;

use super::session::Session;
use super::{Owner, Shell, State};
use crate::limits;
use crate::log;
use crate::start::Exit;
use crate::terminal::Terminal;
use crate::watchdog::Alarm;

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
            Owner::Lingering(place) => self.shared.lingering.ready(place, &mut self.shared.buffer, rx),
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
            Owner::Lingering(place) => self.shared.lingering.close(place, rx),
            Owner::Shutdown if self.state == State::Draining => {
                self.cut(rx);
                // The last replies are small: a peer that reads has them soon.
                rx.arm(key, Some(rx.now() + limits::FAREWELL_TIME));
            }
            Owner::Shutdown => self.state = State::Ended,
        }
    }

    fn woken(&mut self, rx: &mut Reactor<Owner>) {
        let mut left = limits::RESULTS_PER_TURN;
        while let Some(done) = self.shared.workers.next_result() {
            self.work_done(rx, done);
            left -= 1;
            if left == 0 {
                rx.wake_again();
                break;
            }
        }
        while self.stops_answered < self.stop_requests.load(Ordering::Acquire) {
            self.stops_answered += 1;
            self.stop(rx);
        }
    }

    fn signal(&mut self, rx: &mut Reactor<Owner>, signal: i32) {
        let is = |other: Signal| signal == other.as_raw();
        if is(Signal::USR1) || is(Signal::USR2) {
            log::signal_ignored(if is(Signal::USR1) { "SIGUSR1" } else { "SIGUSR2" });
        } else if !is(Signal::HUP) {
            self.stop(rx);
        } else if self.terminal.as_ref().is_some_and(Terminal::is_gone) {
            log::terminal_gone();
            self.stop(rx);
        } else {
            self.reload();
        }
    }

    fn kind(&self, owner: Owner) -> u8 {
        match owner {
            Owner::Listener(_) => LISTENER,
            Owner::Control(_) => CONTROL,
            Owner::DataListener(_) => DATA_LISTENER,
            Owner::SharedPort(_) => SHARED_PORT,
            Owner::Data(_) | Owner::Lingering(_) => DATA,
            Owner::Shutdown => SHUTDOWN,
        }
    }

    fn end_of_turn(&mut self, rx: &mut Reactor<Owner>) {
        self.grant_ports(rx);
        self.check_passwords(rx);
        if matches!(self.state, State::Draining | State::Cut) && self.sessions.is_empty() {
            self.state = State::Ended;
        }
        log::flush();
    }
}

/// What the watchdog does in a real process.
#[derive(Debug)]
pub(super) struct OnHang;

impl Alarm for OnHang {
    fn hangs(&mut self, look: Look, duration: Duration) {
        log::loop_hangs(doing(look), (look.number > 0).then_some(look.number), duration);
    }

    fn moves_again(&mut self, duration: Duration) {
        log::loop_moves_again(duration);
    }

    fn exit(&mut self) {
        log::abandoned();
        signal_hook::low_level::exit(Exit::Abandoned as i32);
    }
}

/// What the loop is in, in words.
fn doing(look: Look) -> &'static str {
    match (look.step, look.kind) {
        (Step::Waiting, _) => "waiting for events",
        (Step::Signal, _) => "a signal",
        (Step::Woken, _) => "results of worker threads",
        (Step::Timeout, _) => "a timer",
        (Step::End, _) => "the end of a turn",
        (Step::Ready, LISTENER) => "accepting sessions",
        (Step::Ready, CONTROL) => "a control connection",
        (Step::Ready, DATA_LISTENER | SHARED_PORT) => "accepting a data connection",
        (Step::Ready, _) => "a data connection",
    }
}

// Kinds of sources, as the pulse of the loop shows them.
const LISTENER: u8 = 1;
const CONTROL: u8 = 2;
const DATA_LISTENER: u8 = 3;
const SHARED_PORT: u8 = 4;
const DATA: u8 = 5;
const SHUTDOWN: u8 = 6;
