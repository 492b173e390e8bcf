//! What the event loop calls: each event goes to the client or the clock whom it is about.
//!
//! It must not know what they do with it.

use muxftp_reactor::{Again, Handler, Key, Reactor, Readiness};

use super::{Fleet, Owner, nanoseconds};

impl Handler<Owner> for Fleet<'_> {
    fn ready(&mut self, rx: &mut Reactor<Owner>, _key: Key, owner: Owner, readiness: Readiness) -> Again {
        match owner {
            Owner::Control(index) => {
                let Some(connection) = self.clients[index].connection() else { return Again::No };
                let again = connection.ready_control(rx, readiness, &mut self.buffer);
                self.advance(rx, index);
                again
            }
            Owner::Data(index) => {
                let Some(connection) = self.clients[index].connection() else { return Again::No };
                let again = connection.ready_data(rx, &mut self.buffer);
                self.advance(rx, index);
                again
            }
            Owner::Idle(index) => {
                if let Some(connection) = self.idle.get(index) {
                    let _ = connection.ready_control(rx, readiness, &mut self.buffer);
                }
                self.idle.check(rx, index);
                Again::No
            }
            Owner::Due(_) | Owner::Clock | Owner::Heartbeat => Again::No,
        }
    }

    fn timeout(&mut self, rx: &mut Reactor<Owner>, _key: Key, owner: Owner) {
        match owner {
            Owner::Control(index) | Owner::Data(index) => {
                if let Some(connection) = self.clients[index].connection() {
                    connection.timeout(rx);
                    self.advance(rx, index);
                }
            }
            Owner::Due(index) => {
                if let Some((planned, due)) = self.clients[index].waiting.take() {
                    self.recorder.lag(nanoseconds(rx.now().saturating_duration_since(due)));
                    self.take(rx, index, planned, due);
                    self.advance(rx, index);
                }
            }
            Owner::Idle(index) => {
                if let Some(connection) = self.idle.get(index) {
                    connection.timeout(rx);
                }
                self.idle.check(rx, index);
            }
            Owner::Clock => self.tick(rx),
            Owner::Heartbeat => self.beat(rx),
        }
    }

    fn signal(&mut self, rx: &mut Reactor<Owner>, _signal: i32) {
        if self.interrupted {
            self.over = true;
        } else {
            self.interrupted = true;
            self.interrupt(rx);
        }
    }

    fn end_of_turn(&mut self, rx: &mut Reactor<Owner>) {
        self.check_stage(rx);
    }
}
