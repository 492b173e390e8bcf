//! The client's driver: its data connection, and the bytes on it.

use std::collections::VecDeque;
use std::net::SocketAddr;

use muxftp_proto::ClientSession;
use muxftp_proto::client::io::{ClientEffect, ClientEvent};

use super::person::Person;
use super::{Common, Wire};

/// What the driver holds.
#[derive(Default)]
pub struct Driver {
    /// A data connection, or the wish for one.
    wanted: bool,
    wire: Option<usize>,
    moving: bool,
    closed: bool,
    /// What is to be told.
    news: VecDeque<ClientEvent>,
}

impl Driver {
    /// Whether a hand-shake on the control connection is under way.
    pub fn is_shaking(&self) -> bool {
        self.news.contains(&ClientEvent::TlsDone)
    }

    pub fn holds_data(&self) -> bool {
        self.wanted || self.wire.is_some()
    }

    pub fn apply(&mut self, effect: ClientEffect, world: &mut Common, person: &mut Person) {
        world.note(|| format!("client wants {effect:?}"));
        assert!(!self.closed, "{effect:?} after the end");
        match effect {
            ClientEffect::StartTls => {
                world.client_shakes = true;
                self.news.push_back(ClientEvent::TlsDone);
            }
            ClientEffect::ConnectData { port, address, protected } => {
                world.protected = protected;
                assert!(!self.holds_data(), "two data connections at once");
                assert!(address.is_none_or(|address| address == world.server_address), "somebody else is connected to");
                self.wanted = true;
                if world.fails() {
                    // Refused; or lost on its way, and only a timer can tell.
                    if world.chance.of(70) {
                        self.news.push_back(ClientEvent::DataFailed);
                    }
                } else if world.server_port == Some(port) && world.came_to_server.is_none() {
                    world.wires.push(Wire::default());
                    self.wire = Some(world.wires.len() - 1);
                    world.came_to_server = self.wire;
                    self.news.push_back(ClientEvent::DataConnected);
                } else {
                    self.news.push_back(ClientEvent::DataFailed);
                }
            }
            ClientEffect::ListenData { protected } => {
                world.protected = protected;
                assert!(!self.holds_data(), "two data connections at once");
                self.wanted = true;
                let port = 30_000 + world.chance.below(1000) as u16;
                if world.fails() {
                    self.news.push_back(ClientEvent::DataFailed);
                } else {
                    world.client_port = Some(port);
                    let address = SocketAddr::new(world.client_address, port);
                    self.news.push_back(ClientEvent::DataListening { address });
                }
            }
            ClientEffect::StartMoving { .. } => {
                assert!(self.wire.is_some() && !self.moving, "bytes move over nothing");
                self.moving = true;
            }
            ClientEffect::StopMoving => {
                assert!(std::mem::take(&mut self.moving), "nothing moved");
            }
            ClientEffect::AbandonData => {
                assert!(self.holds_data() || self.news.is_empty(), "nothing to abandon");
                if let Some(wire) = self.wire {
                    // An upload that is not whole is reset, so that its end is not taken for the file's.
                    world.wires[wire].broken |= person.has_unsent();
                }
                self.close(world);
            }
            ClientEffect::CloseControl => {
                self.closed = true;
                world.to_server.ended = true;
            }
            ClientEffect::TakeNames { .. } => unreachable!("not in `ftp`"),
        }
    }

    /// Does one thing, if there is one.
    pub fn act(&mut self, world: &mut Common, client: &mut ClientSession, person: &mut Person) -> bool {
        if let Some(event) = self.news.pop_front() {
            world.note(|| format!("client hears {event:?}"));
            if event == ClientEvent::DataFailed {
                self.wanted = false;
            }
            client.handle_event(event, world.now);
            return true;
        }
        if self.wire.is_none() && self.wanted && world.came_to_client.is_some() {
            self.wire = world.came_to_client.take();
            client.handle_event(ClientEvent::DataConnected, world.now);
            return true;
        }
        let Some(index) = self.wire.filter(|_| self.moving) else { return false };
        let wire = &mut world.wires[index];
        if wire.stalled {
            return false;
        }
        let news = match person.moves(wire, &mut world.chance) {
            Some(news) => news,
            None => return false,
        };
        if news != ClientEvent::Progress {
            self.close(world);
        }
        client.handle_event(news, world.now);
        true
    }

    fn close(&mut self, world: &mut Common) {
        if let Some(wire) = self.wire.take() {
            world.wires[wire].client_closed = true;
        }
        if let Some(wire) = world.came_to_client.take() {
            world.wires[wire].broken = true;
        }
        world.client_port = None;
        (self.wanted, self.moving) = (false, false);
        self.news.clear();
    }
}
