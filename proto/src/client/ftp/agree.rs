//! How the data connection of a transfer is agreed on: EPSV or PASV, EPRT or PORT.
//!
//! It must not know what the transfer is. What a server has refused once is not asked again in its session.

use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

use crate::client::io::{ClientEffect, ClientStep, DataMode, Extended, Outcome};
use crate::client::talk::Talk;
use crate::dialect::ftp::address;
use crate::dialect::ftp::answer::{self, Answer};
use crate::dialect::ftp::request;
use crate::dialect::ftp::verbs::Verb;

use super::FtpClient;
use super::transfer::{Data, Stage, Transfer};

impl FtpClient {
    /// The data connection is to be agreed on.
    pub(super) fn agree(&mut self, talk: &mut Talk, mut transfer: Transfer, now: Instant) {
        match self.settings.data {
            DataMode::Passive => self.ask_passive(talk, transfer, self.says_extended(), now),
            DataMode::Active => {
                talk.effect(ClientEffect::ListenData { protected: self.protects_data });
                transfer.data = Data::Awaited;
                self.phase = transfer.wait(Stage::Listening, now);
            }
        }
    }

    /// Whether EPSV or EPRT is said next.
    fn says_extended(&self) -> bool {
        match self.settings.extended {
            _ if self.server.is_ipv6() => true,
            Extended::Preferred => !self.extended_refused,
            Extended::Only => true,
            Extended::Never => false,
        }
    }

    /// Whether PASV or PORT is worth a try after EPSV or EPRT.
    pub(super) fn has_another_way(&self, extended: bool) -> bool {
        extended && self.settings.extended == Extended::Preferred && self.server.is_ipv4()
    }

    fn ask_passive(&mut self, talk: &mut Talk, transfer: Transfer, extended: bool, now: Instant) {
        self.say(talk, &request::line(if extended { Verb::Epsv } else { Verb::Pasv }, b""));
        self.phase = transfer.wait(Stage::Passive { extended }, now);
    }

    pub(super) fn ask_active(&mut self, talk: &mut Talk, transfer: Transfer, address: SocketAddr, now: Instant) {
        let v4 = match address {
            SocketAddr::V4(address) => Some(address),
            SocketAddr::V6(_) => None,
        };
        let mut argument = Vec::new();
        let (verb, extended) = match v4.filter(|_| !self.says_extended()) {
            Some(address) => {
                address::print_pasv(address, &mut argument);
                (Verb::Port, false)
            }
            None => {
                address::print_eprt(address, &mut argument);
                (Verb::Eprt, true)
            }
        };
        self.say(talk, &request::line(verb, &argument));
        self.phase = transfer.wait(Stage::Active { extended, address }, now);
    }

    pub(super) fn passive_answered(
        &mut self,
        talk: &mut Talk,
        mut transfer: Transfer,
        extended: bool,
        answer: &Answer,
        now: Instant,
    ) {
        let told = match extended {
            _ if !answer.is_complete() => None,
            true => answer::extended_passive_port(answer).map(|port| (port, None)),
            false => answer::passive_address(answer).map(|address| {
                let trusted = self.settings.trust_passive_address && !address.ip().is_unspecified();
                (address.port(), trusted.then_some(IpAddr::V4(*address.ip())))
            }),
        };
        match told {
            Some((port, address)) => {
                talk.effect(ClientEffect::ConnectData { port, address, protected: self.protects_data });
                transfer.data = Data::Awaited;
                self.phase = transfer.wait(Stage::Connecting { extended }, now);
            }
            None if (answer.is_permanent_refusal() || answer.is_complete()) && self.has_another_way(extended) => {
                self.extended_refused = true;
                self.ask_passive(talk, transfer, false, now);
            }
            None => self.refuse(talk, answer),
        }
    }

    /// Behind some firewalls only one of the two ways leads to a port that can be reached.
    pub(super) fn connect_failed(&mut self, talk: &mut Talk, mut transfer: Transfer, extended: bool, now: Instant) {
        transfer.drop_data(talk);
        if self.has_another_way(extended) {
            self.extended_refused = true;
            return self.ask_passive(talk, transfer, false, now);
        }
        self.finish(talk, Outcome::DataFailed { step: ClientStep::DataConnect });
    }
}
