//! The commands that move bytes, and what may be said while they do: RETR, STOR, APPE, STOU, LIST, NLST, MLSD, STAT, ABOR.

use std::time::Instant;

use crate::dialect::DataPlan;
use crate::dialect::ftp::reply::FtpReply;
use crate::dialect::ftp::verbs::{Verb, VerbRow};
use crate::limits;
use crate::representation::glob;
use crate::server::core::{Core, Phase};
use crate::server::data::LegState;
use crate::server::io::{Effect, ListForm, ListingSpec, LiteralName, Part, StoreMode, TransferKind};
use crate::server::transfer::{Step, TransferSpec};
use crate::vocab::cause::Cause;
use crate::vocab::path::VPath;
use crate::vocab::reply::Reply;

use super::{Ftp, Login, Restart, say};

impl Ftp {
    pub(super) fn retr(&mut self, argument: &[u8], core: &mut Core, now: Instant) -> Result<(), Cause> {
        let path = self.file(argument)?;
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
        let restart = std::mem::take(&mut self.restart);
        let is_new = row.verb == Verb::Stou;
        let path = if is_new { self.path(argument)? } else { self.file(argument)? };
        let mode = match (row.verb, restart) {
            (Verb::Stor, Restart::None) => StoreMode::Replace,
            (Verb::Stor, Restart::At(from)) => StoreMode::Restart { from, ascii: self.ascii },
            (Verb::Appe, Restart::None) => StoreMode::Append,
            (Verb::Stou, Restart::None) => StoreMode::New { in_directory: VPath::names_directory(argument) },
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
        // MLSD has no options (RFC 3659 7.1).
        let (name, literal) = if row.verb == Verb::Mlsd { (argument, Vec::new()) } else { self.listed(argument) };
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
        let directory = row.verb == Verb::Mlsd || VPath::names_directory(name);
        // A listing is text, whatever the type of files; its lines end in CR LF already.
        let spec = TransferSpec { ascii: false, ..self.spec(TransferKind::Listing, row.word, path.clone(), protected) };
        core.begin(
            spec,
            |op| Effect::OpenList { op, path, listing: ListingSpec { form, glob, directory, literal } },
            now,
        );
        Ok(())
    }

    /// RFC 959 4.1.3: alone, the state of the session and its transfer; with a path, a listing on the control connection.
    pub(super) fn stat(&mut self, row: &VerbRow, argument: &[u8], core: &mut Core, now: Instant) -> Result<(), Cause> {
        if argument.trim_ascii().is_empty() {
            self.tell_state(core);
            return Ok(());
        }
        let (name, literal) = self.listed(argument);
        let path = self.path(name)?;
        let plan = DataPlan { listings_on_control: true, downloads_wait_for_ready: false };
        let spec =
            TransferSpec { plan, ascii: false, ..self.spec(TransferKind::Listing, row.word, path.clone(), false) };
        let directory = VPath::names_directory(name);
        let listing = ListingSpec { form: ListForm::Long, glob: glob::has_wildcards(name), directory, literal };
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

    /// The name that a listing is about, and those that are listed in its place if they exist.
    fn listed<'a>(&self, argument: &'a [u8]) -> (&'a [u8], Vec<LiteralName>) {
        let (name, literal) = names_of(argument);
        // What cannot be a name is none that exists.
        let named = |argument: &[u8]| {
            let path = self.path(argument).ok()?;
            Some(LiteralName { path, argument: argument.to_vec() })
        };
        (name, literal.into_iter().filter_map(named).collect())
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

/// What a listing is about: the argument without its options, and before that the names that it may be as it is, or with
/// some of its words as options.
fn names_of(argument: &[u8]) -> (&[u8], Vec<&[u8]>) {
    let (mut rest, mut literal) = (argument, Vec::new());
    while let Some((shorter, more)) = without_option(rest) {
        if literal.len() < limits::OPTION_WORDS_MAX {
            literal.push(rest);
        }
        rest = shorter;
        if !more {
            break;
        }
    }
    (rest, literal)
}

/// The argument without its first word, if that is an option of `ls`, and whether further words may be options too.
///
/// Clients write `LIST -al path` as they would in a shell; everything is listed in any case.
fn without_option(argument: &[u8]) -> Option<(&[u8], bool)> {
    if argument.first() != Some(&b'-') {
        return None;
    }
    let end = argument.iter().position(|&byte| byte == b' ').unwrap_or(argument.len());
    Some((argument[end..].trim_ascii_start(), &argument[..end] != b"--"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(argument: &str) -> (String, Vec<String>) {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        let (name, literal) = names_of(argument.as_bytes());
        (text(name), literal.into_iter().map(text).collect())
    }

    #[test]
    fn words_that_look_like_options_may_be_names() {
        for (argument, name, literal) in [
            ("", "", &[][..]),
            ("dir -a", "dir -a", &[]),
            ("-a", "", &["-a"]),
            ("-al dir name", "dir name", &["-al dir name"]),
            ("-a -l x", "x", &["-a -l x", "-l x"]),
            ("-a -backup", "", &["-a -backup", "-backup"]),
            ("- x", "x", &["- x"]),
            ("-- -backup", "-backup", &["-- -backup"]),
            ("-a -- -b -c", "-b -c", &["-a -- -b -c", "-- -b -c"]),
            ("--", "", &["--"]),
            ("-a -b -c -d -e f", "f", &["-a -b -c -d -e f", "-b -c -d -e f", "-c -d -e f", "-d -e f"]),
        ] {
            assert_eq!(
                listed(argument),
                (name.to_owned(), literal.iter().map(|&l| l.to_owned()).collect()),
                "{argument:?}"
            );
        }
    }
}
