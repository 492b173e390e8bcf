//! What is agreed on before a transfer: the data connection, the representation, the position.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4};

use crate::dialect::ftp::address::{EprtError, EpsvArgument, parse_eprt, parse_epsv, parse_port};
use crate::dialect::ftp::reply::FtpReply;
use crate::server::core::{Core, Phase};
use crate::server::data::{DataLeg, LegState};
use crate::server::io::{Effect, Task};
use crate::vocab::cause::Cause;

use super::{Ftp, Question, Restart, say};

impl Ftp {
    pub(super) fn port(&mut self, argument: &[u8], core: &mut Core) -> Result<(), Cause> {
        self.refuse_after_epsv_all()?;
        let address = parse_port(argument).ok_or(Cause::BadArgument)?;
        self.connect_there(SocketAddr::V4(address), core)
    }

    pub(super) fn eprt(&mut self, argument: &[u8], core: &mut Core) -> Result<(), Cause> {
        self.refuse_after_epsv_all()?;
        let address = parse_eprt(argument).map_err(cause_of)?;
        if address.is_ipv4() != self.ends.peer.ip().to_canonical().is_ipv4() {
            return Err(Cause::WrongProtocol);
        }
        self.connect_there(address, core)
    }

    /// Only to the peer itself, and to no port of a service (RFC 2577 3): else we would do somebody's attack for him.
    fn connect_there(&mut self, to: SocketAddr, core: &mut Core) -> Result<(), Cause> {
        if to.ip().to_canonical() != self.ends.peer.ip().to_canonical() || to.port() < FIRST_USER_PORT {
            return Err(Cause::ForeignAddress);
        }
        core.disagree();
        // With the peer's scope, when it has one.
        let to = SocketAddr::new(self.ends.peer.ip(), to.port());
        core.agreed = DataLeg { op: core.next_op(), state: LegState::Target(to), since: None };
        say(core, FtpReply::Done("The next transfer connects there"));
        Ok(())
    }

    pub(super) fn pasv(&mut self, core: &mut Core) -> Result<(), Cause> {
        self.refuse_after_epsv_all()?;
        if self.passive_address().is_none() {
            return Err(Cause::WrongProtocol);
        }
        self.listen(Question::Pasv, core);
        Ok(())
    }

    pub(super) fn epsv(&mut self, argument: &[u8], core: &mut Core) -> Result<(), Cause> {
        let is_v4 = self.ends.peer.ip().to_canonical().is_ipv4();
        match parse_epsv(argument).map_err(cause_of)? {
            EpsvArgument::All => {
                self.epsv_only = true;
                say(core, FtpReply::Done("Only EPSV from now on"));
                return Ok(());
            }
            EpsvArgument::V4 if !is_v4 => return Err(Cause::WrongProtocol),
            EpsvArgument::V6 if is_v4 => return Err(Cause::WrongProtocol),
            EpsvArgument::Any | EpsvArgument::V4 | EpsvArgument::V6 => {}
        }
        self.listen(Question::Epsv, core);
        Ok(())
    }

    fn listen(&mut self, question: Question, core: &mut Core) {
        core.disagree();
        let op = core.next_op();
        core.agreed = DataLeg { op, state: LegState::Asked, since: None };
        core.effect(Effect::ListenData { op });
        core.wait_for(op);
        self.question = question;
    }

    /// The data port is open, or could not be opened for the reason `failed`. (The peer cannot have connected to a port
    /// that it does not know yet.)
    pub(super) fn agreed(&mut self, failed: Option<Cause>, core: &mut Core) {
        core.phase = Phase::Ready;
        match (std::mem::take(&mut self.question), core.agreed.state) {
            (Question::Pasv, LegState::Listening(port)) => {
                let address = self.passive_address().unwrap_or(Ipv4Addr::UNSPECIFIED);
                say(core, FtpReply::Passive(SocketAddrV4::new(address, port)));
            }
            (_, LegState::Listening(port)) => say(core, FtpReply::ExtendedPassive(port)),
            _ => core.refuse(failed.unwrap_or(Cause::NoDataPort)),
        }
    }

    /// What PASV tells; a peer that came over IPv6 has to use EPSV.
    fn passive_address(&self) -> Option<Ipv4Addr> {
        match self.ends.local.ip().to_canonical() {
            IpAddr::V4(local) => Some(self.ends.public.unwrap_or(local)),
            IpAddr::V6(_) => None,
        }
    }

    fn refuse_after_epsv_all(&self) -> Result<(), Cause> {
        if self.epsv_only { Err(Cause::BadSequence) } else { Ok(()) }
    }

    pub(super) fn set_type(&mut self, argument: &[u8], core: &mut Core) -> Result<(), Cause> {
        let mut words = argument.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
        let (kind, format) = (words.next().unwrap_or_default().to_ascii_uppercase(), words.next());
        self.ascii = match (kind.as_slice(), format.map(<[u8]>::to_ascii_uppercase).as_deref()) {
            (b"A", None | Some(b"N")) => true,
            (b"I", None) | (b"L", Some(b"8")) => false,
            // Print formats, EBCDIC, bytes of other sizes.
            (b"A" | b"E" | b"L" | b"I", _) => return Err(Cause::BadParameter),
            _ => return Err(Cause::BadArgument),
        };
        say(core, FtpReply::Done(if self.ascii { "Type is A" } else { "Type is I" }));
        Ok(())
    }

    pub(super) fn rest(&mut self, argument: &[u8], core: &mut Core) -> Result<(), Cause> {
        let position = number(argument.trim_ascii()).ok_or(Cause::BadArgument)?;
        self.restart = if position == 0 { Restart::None } else { Restart::At(position) };
        say(core, FtpReply::Restart(position));
        Ok(())
    }

    /// `RANG 1 0` takes a range back.
    pub(super) fn rang(&mut self, argument: &[u8], core: &mut Core) -> Result<(), Cause> {
        let mut words = argument.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
        let (first, last) = (words.next().and_then(number), words.next().and_then(number));
        let (Some(first), Some(last), None) = (first, last, words.next()) else { return Err(Cause::BadArgument) };
        let range = match (first, last) {
            (1, 0) => None,
            (first, last) if first <= last => Some((first, last)),
            _ => return Err(Cause::BadArgument),
        };
        self.restart = range.map_or(Restart::None, |(first, last)| Restart::Range(first, last));
        say(core, FtpReply::Range(range));
        Ok(())
    }

    pub(super) fn allo(&mut self, argument: &[u8], core: &mut Core) -> Result<(), Cause> {
        let word = argument.trim_ascii().split(u8::is_ascii_whitespace).next().unwrap_or_default();
        self.question = Question::Allo(number(word).ok_or(Cause::BadArgument)?);
        core.ask(Task::Available);
        Ok(())
    }
}

pub(super) fn set_structure(argument: &[u8], core: &mut Core) -> Result<(), Cause> {
    set_only(argument, b"F", b"RP", "Structure is F", core)
}

pub(super) fn set_mode(argument: &[u8], core: &mut Core) -> Result<(), Cause> {
    set_only(argument, b"S", b"BCZ", "Mode is S", core)
}

fn set_only(argument: &[u8], ours: &[u8], others: &[u8], done: &str, core: &mut Core) -> Result<(), Cause> {
    let word = argument.trim_ascii().to_ascii_uppercase();
    match word.as_slice() {
        word if word == ours => say(core, FtpReply::Done(done)),
        [letter] if others.contains(letter) => return Err(Cause::BadParameter),
        _ => return Err(Cause::BadArgument),
    }
    Ok(())
}

/// A position in a file: no sign, and no more than a file can have.
pub(super) fn number(word: &[u8]) -> Option<u64> {
    if word.is_empty() || !word.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(word).ok()?.parse().ok().filter(|&number| number <= i64::MAX as u64)
}

fn cause_of(error: EprtError) -> Cause {
    match error {
        EprtError::Syntax => Cause::BadArgument,
        EprtError::Protocol => Cause::WrongProtocol,
    }
}

/// Below stand the ports of services (RFC 2577 3).
const FIRST_USER_PORT: u16 = 1024;
