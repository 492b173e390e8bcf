//! Encryption (RFC 4217): AUTH, PBSZ, PROT, CCC.
//!
//! It must not know TLS itself: the shell makes the hand-shakes.

use std::time::Instant;

use crate::dialect::ftp::reply::FtpReply;
use crate::server::core::{Core, Phase};
use crate::server::io::TlsMode;
use crate::vocab::cause::Cause;

use super::{Ftp, Login, say};

/// What is encrypted.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Security {
    /// The control connection.
    pub(super) control: bool,
    /// PBSZ was said.
    sized: bool,
    /// Data connections.
    pub(super) data: bool,
}

impl Ftp {
    /// RFC 4217 4: a log-in from before does not count any more.
    pub(super) fn auth(&mut self, argument: &[u8], core: &mut Core, now: Instant) -> Result<(), Cause> {
        if core.config.tls == TlsMode::Off {
            return Err(Cause::NotImplemented);
        }
        if self.security.control {
            return Err(Cause::BadSequence);
        }
        // The old names for TLS with data connections that are encrypted without being asked for (RFC 4217 17).
        let protects_data = match argument.trim_ascii().to_ascii_uppercase().as_slice() {
            b"TLS" | b"TLS-C" => false,
            b"SSL" | b"TLS-P" => true,
            _ => return Err(Cause::BadParameter),
        };
        self.log_out(core);
        self.security = Security { control: false, sized: false, data: protects_data };
        say(core, FtpReply::Secure);
        core.secure(now);
        Ok(())
    }

    /// The hand-shake is done.
    pub(in crate::server) fn secured(&mut self, core: &mut Core, now: Instant) {
        self.security.control = true;
        core.phase = Phase::Ready;
        core.last_activity = now;
        if core.config.tls == TlsMode::Implicit {
            self.security = Security { control: true, sized: true, data: true };
            say(core, FtpReply::Welcome);
        }
    }

    /// RFC 4217 8: there is nothing to agree on, but it has to be said.
    pub(super) fn pbsz(&mut self, argument: &[u8], core: &mut Core) -> Result<(), Cause> {
        if !self.security.control {
            return Err(Cause::BadSequence);
        }
        let digits = argument.trim_ascii();
        if !std::str::from_utf8(digits).is_ok_and(|text| text.parse::<u32>().is_ok()) {
            return Err(Cause::BadArgument);
        }
        self.security.sized = true;
        say(core, FtpReply::Done("PBSZ=0"));
        Ok(())
    }

    /// RFC 4217 9.
    pub(super) fn prot(&mut self, argument: &[u8], core: &mut Core) -> Result<(), Cause> {
        if !self.security.sized {
            return Err(Cause::BadSequence);
        }
        match argument.trim_ascii() {
            b"P" | b"p" => {
                self.security.data = true;
                say(core, FtpReply::Done("Data connections are encrypted"));
            }
            b"C" | b"c" if core.config.tls != TlsMode::Optional => return Err(Cause::ClearRefused),
            b"C" | b"c" => {
                self.security.data = false;
                say(core, FtpReply::Done("Data connections are in the clear"));
            }
            b"S" | b"s" | b"E" | b"e" => return Err(Cause::BadProtection),
            _ => return Err(Cause::BadParameter),
        }
        Ok(())
    }

    /// RFC 4217 6: from then on anybody on the way could give commands.
    pub(super) fn ccc(&self) -> Result<(), Cause> {
        Err(if self.security.control { Cause::ClearRefused } else { Cause::BadSequence })
    }

    /// A name and a password are not to be sent where everybody can read them.
    pub(super) fn refuse_in_the_clear(&self, core: &Core) -> Result<(), Cause> {
        let is_required = core.config.tls == TlsMode::Required;
        if is_required && !self.security.control { Err(Cause::TlsRequired) } else { Ok(()) }
    }

    /// Whether data connections are to be encrypted.
    pub(in crate::server) fn protects_data(&self) -> bool {
        self.security.data
    }

    /// Whether the next data connection is encrypted.
    ///
    /// # Errors
    /// It would have to be.
    pub(super) fn protection(&self, core: &Core) -> Result<bool, Cause> {
        debug_assert!(matches!(self.login, Login::In { .. }));
        let is_required = core.config.tls == TlsMode::Required;
        if is_required && !self.security.data { Err(Cause::ProtRequired) } else { Ok(self.security.data) }
    }
}
