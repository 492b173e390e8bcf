//! The commands that move bytes, and what may be said while they do: RETR, STOR, APPE, STOU, LIST, NLST, MLSD, STAT, ABOR.

use std::time::Instant;

use crate::dialect::DataPlan;
use crate::dialect::ftp::reply::FtpReply;
use crate::dialect::ftp::verbs::{Verb, VerbRow};
use crate::representation::glob;
use crate::server::core::{Core, Phase};
use crate::server::data::LegState;
use crate::server::io::{Effect, ListForm, ListingSpec, Part, StoreMode, TransferKind};
use crate::server::transfer::{Step, TransferSpec};
use crate::vocab::cause::Cause;
use crate::vocab::path::VPath;
use crate::vocab::reply::Reply;

use super::{Ftp, Login, Restart, say};

impl Ftp {
    pub(super) fn retr(&mut self, argument: &[u8], core: &mut Core, now: Instant) -> Result<(), Cause> {
        let path = self.path(argument)?;
        let (from, until) = match std::mem::take(&mut self.restart) {
            Restart::None => (0, None),
            Restart::At(position) => (position, None),
            Restart::Range(..) if self.ascii => return Err(Cause::BadParameter),
            Restart::Range(first, last) => (first, Some(last + 1)),
        };
        let protected = self.protection(core)?;
        agreed(core)?;
        let part = Part { from, until, ascii: self.ascii };
        let spec = self.spec(TransferKind::Download, "RETR", path.clone(), protected);
        core.begin(spec, |op| Effect::OpenRead { op, path, part }, now);
        Ok(())
    }

    /// A refusal of these has a number of its own.
    pub(super) fn store(&mut self, row: &VerbRow, argument: &[u8], core: &mut Core, now: Instant) {
        if let Err(cause) = self.try_store(row, argument, core, now) {
            core.reply(&Reply::Refused { cause, upload: true });
        }
    }

    fn try_store(&mut self, row: &VerbRow, argument: &[u8], core: &mut Core, now: Instant) -> Result<(), Cause> {
        let path = self.path(argument)?;
        let mode = match (row.verb, std::mem::take(&mut self.restart)) {
            (Verb::Stor, Restart::None) => StoreMode::Replace,
            (Verb::Stor, Restart::At(from)) => StoreMode::Restart { from, ascii: self.ascii },
            (Verb::Appe, Restart::None) => StoreMode::Append,
            (Verb::Stou, Restart::None) => StoreMode::New,
            (_, Restart::At(_)) => return Err(Cause::BadSequence),
            _ => return Err(Cause::BadParameter),
        };
        let protected = self.protection(core)?;
        agreed(core)?;
        let spec = self.spec(TransferKind::Upload { declared: None }, row.word, path.clone(), protected);
        core.begin(spec, |op| Effect::OpenWrite { op, path, size: None, mode }, now);
        Ok(())
    }

    pub(super) fn list(&mut self, row: &VerbRow, argument: &[u8], core: &mut Core, now: Instant) -> Result<(), Cause> {
        let name = if row.verb == Verb::Mlsd { argument } else { without_options(argument) };
        let path = self.path(name)?;
        let protected = self.protection(core)?;
        agreed(core)?;
        let (form, glob) = match (row.verb, &self.login) {
            (Verb::Mlsd, Login::In { permissions, .. }) => {
                (ListForm::Facts { facts: self.facts, permissions: *permissions }, false)
            }
            (Verb::Nlst, _) => (ListForm::Names(name.to_vec()), glob::has_wildcards(name)),
            _ => (ListForm::Long, glob::has_wildcards(name)),
        };
        // A listing is text, whatever the type of files; its lines end in CR LF already.
        let spec = TransferSpec { ascii: false, ..self.spec(TransferKind::Listing, row.word, path.clone(), protected) };
        core.begin(spec, |op| Effect::OpenList { op, path, listing: ListingSpec { form, glob } }, now);
        Ok(())
    }

    /// RFC 959 4.1.3: alone, the state of the session and its transfer; with a path, a listing on the control connection.
    pub(super) fn stat(&mut self, row: &VerbRow, argument: &[u8], core: &mut Core, now: Instant) -> Result<(), Cause> {
        let name = without_options(argument);
        if argument.trim_ascii().is_empty() {
            self.tell_state(core);
            return Ok(());
        }
        let path = self.path(name)?;
        let plan = DataPlan { listings_on_control: true, downloads_wait_for_ready: false };
        let spec =
            TransferSpec { plan, ascii: false, ..self.spec(TransferKind::Listing, row.word, path.clone(), false) };
        let listing = ListingSpec { form: ListForm::Long, glob: glob::has_wildcards(name) };
        // What was agreed on is for another command.
        let agreed = std::mem::take(&mut core.agreed);
        core.begin(spec, |op| Effect::OpenList { op, path, listing }, now);
        core.agreed = agreed;
        Ok(())
    }

    /// RFC 959 4.1.3: 426 for the transfer, if one runs, and 226 for the command.
    pub(super) fn abort(&mut self, core: &mut Core, now: Instant) {
        core.carry_out(Step::End(Err(Cause::Aborted)), now);
        core.disagree();
        say(core, FtpReply::Aborted);
    }

    fn spec(&self, kind: TransferKind, verb: &'static str, path: VPath, protected: bool) -> TransferSpec {
        let plan = DataPlan { downloads_wait_for_ready: false, listings_on_control: false };
        TransferSpec { kind, verb, path, plan, ascii: self.ascii, protected }
    }

    fn tell_state(&self, core: &mut Core) {
        let mut lines = Vec::new();
        let mut line = |text: String| lines.extend_from_slice(format!(" {text}\r\n").as_bytes());
        line(format!("Connected from {}", self.ends.peer.ip().to_canonical()));
        line(match &self.login {
            Login::In { name, .. } => format!("Logged in as {}", String::from_utf8_lossy(name)),
            Login::Named(_) | Login::Out => "Not logged in".to_owned(),
        });
        line(format!("TYPE {}, STRU F, MODE S", if self.ascii { "A" } else { "I" }));
        line(match (self.security.control, self.security.data) {
            (false, _) => "Nothing is encrypted".to_owned(),
            (true, false) => "The control connection is encrypted, data connections are not".to_owned(),
            (true, true) => "Control and data connections are encrypted".to_owned(),
        });
        match &core.phase {
            Phase::Transferring(transfer) => {
                let (verb, path, bytes) = transfer.describe();
                line(format!("{verb} of /{}: {bytes} bytes so far", String::from_utf8_lossy(path.as_bytes())));
            }
            _ => line("No transfer is running".to_owned()),
        }
        say(core, FtpReply::Lines { code: 211, first: "Status of muxftpd", lines: &lines, last: "End" });
    }
}

/// Whether there is, or can be, a data connection for a transfer.
fn agreed(core: &Core) -> Result<(), Cause> {
    if core.agreed.state == LegState::None { Err(Cause::NoDataAgreed) } else { Ok(()) }
}

/// Clients write `LIST -al path` as they would in a shell; all is listed in any case.
fn without_options(argument: &[u8]) -> &[u8] {
    let mut rest = argument;
    while rest.first() == Some(&b'-') {
        rest = match rest.iter().position(|&byte| byte == b' ') {
            Some(blank) => rest[blank..].trim_ascii_start(),
            None => b"",
        };
    }
    rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_of_ls_are_no_names() {
        for (argument, name) in
            [("", ""), ("-a", ""), ("-al dir name", "dir name"), ("-a -l x", "x"), ("dir -a", "dir -a"), ("- x", "x")]
        {
            assert_eq!(without_options(argument.as_bytes()), name.as_bytes(), "{argument:?}");
        }
    }
}
