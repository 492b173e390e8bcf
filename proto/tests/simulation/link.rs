//! The wires between one client and the server: a control connection, and the data connections made beside it.
//!
//! It must not know what the bytes mean. Order within a connection is kept; between connections there is none.

use std::collections::VecDeque;
use std::time::Instant;

use crate::env::Env;
use muxftp_proto::server::io::{Event, OperationId};

/// What can happen on a link.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Happening {
    /// The client begins its next operation, or says its next lines.
    Begin,
    /// Bytes, or the end, arrive at the server.
    ToServer,
    /// Bytes, or the end, arrive at the client.
    ToClient,
    /// The server's control socket takes bytes again.
    Flush,
    /// The server's shell has an answer.
    Answer(Answer),
    /// The server moves bytes of a transfer.
    ServerMoves(Number),
    /// The client's connect arrives at a data port.
    Connect(u16, Attempt),
    /// The client hears of its connect.
    Connected(Attempt, Option<usize>),
    /// The client moves bytes on a data connection.
    ClientMoves(usize),
    /// The control connection is cut.
    Cut,
    /// The server hears of it.
    ServerHearsOfCut,
    /// The server is told to end.
    Drain,
}

/// An answer of the shell that was not given at once.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Answer {
    Opened(Number),
    Listening(Number),
    Connected(Number),
    Committed(Number),
}

/// The transfers of a link, counted by the shell: the session's own numbers say nothing to the outside.
pub type Number = u64;

/// The connects of a client, counted.
pub type Attempt = u64;

/// An operation's number on both sides of the contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Numbered {
    pub number: Number,
    pub op: OperationId,
}

/// One direction of a control connection.
#[derive(Debug, Default)]
pub struct Pipe {
    bytes: VecDeque<u8>,
    ended: bool,
    scheduled: bool,
}

/// What a reader of a pipe gets.
#[derive(Debug, PartialEq, Eq)]
pub enum Arrival {
    Bytes(Vec<u8>),
    End,
    Nothing,
}

/// One data connection.
#[derive(Debug, Default)]
pub struct Data {
    pub to_client: VecDeque<u8>,
    pub to_server: VecDeque<u8>,
    /// The server sends no more.
    pub server_closed: bool,
    /// The client sends no more, and reads no more.
    pub client_closed: bool,
    pub broken: bool,
}

/// All wires of a link.
#[derive(Debug, Default)]
pub struct Wires {
    pub link: usize,
    pub to_server: Pipe,
    pub to_client: Pipe,
    pub data: Vec<Data>,
    /// The port that listens for this link.
    pub port: Option<u16>,
    /// A client has connected to it and was not yet accepted.
    pub waiting: Option<usize>,
    pub cut: bool,
    /// The server has closed the control connection with replies unsent.
    pub dropped: bool,
    /// The client does not read the control connection until then; the longest of times means never again.
    pub deaf_until: Option<Instant>,
}

impl Wires {
    pub fn send_to_server(&mut self, bytes: &[u8], env: &mut Env) {
        let link = self.link;
        if !self.cut {
            self.to_server.send(bytes, || env.soon(link, Happening::ToServer));
        }
    }

    pub fn send_to_client(&mut self, bytes: &[u8], env: &mut Env) {
        let link = self.link;
        if !self.cut {
            self.to_client.send(bytes, || env.soon(link, Happening::ToClient));
        }
    }

    pub fn end_to_server(&mut self, env: &mut Env) {
        self.to_server.ended = true;
        self.send_to_server(&[], env);
    }

    pub fn end_to_client(&mut self, env: &mut Env) {
        self.to_client.ended = true;
        self.send_to_client(&[], env);
    }

    /// What arrives at the server now, in a piece of any size.
    pub fn arrive_at_server(&mut self, env: &mut Env) -> Arrival {
        let arrival = self.to_server.take(env);
        self.send_to_server(&[], env);
        arrival
    }

    /// What arrives at the client now.
    pub fn arrive_at_client(&mut self, env: &mut Env) -> Arrival {
        let arrival = self.to_client.take(env);
        self.send_to_client(&[], env);
        arrival
    }

    /// Both directions are gone, with all that was under way and all that may be sent before an end hears of it.
    pub fn cut(&mut self) {
        self.cut = true;
        self.to_server = Pipe::default();
        self.to_client = Pipe::default();
    }
}

impl Pipe {
    fn send(&mut self, bytes: &[u8], schedule: impl FnOnce()) {
        self.bytes.extend(bytes);
        if !self.scheduled && (self.ended || !self.bytes.is_empty()) {
            self.scheduled = true;
            schedule();
        }
    }

    fn take(&mut self, env: &mut Env) -> Arrival {
        self.scheduled = false;
        match self.bytes.len() {
            0 if self.ended => {
                self.ended = false;
                Arrival::End
            }
            0 => Arrival::Nothing,
            waiting => {
                let count = if env.chance(30) { 1 } else { 1 + env.below(waiting) };
                Arrival::Bytes(self.bytes.drain(..count).collect())
            }
        }
    }
}

/// The event for an answer that the session gets.
pub fn connected(numbered: Numbered) -> Event {
    Event::DataConnected { op: numbered.op }
}
