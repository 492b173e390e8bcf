//! The commands of `ftp` (RFC 959 and its extensions) on the server's side.
//!
//! Each line is held against its row of the verb table first: argument, login, right. Then the verb's own function, in
//! the file of its kind, answers it, asks the shell for something, or begins a transfer. Lines that come meanwhile wait,
//! but for those that the table lets through, and for ABOR, which ends the transfer wherever it stands among them.
//!
//! # Invariants
//! - Every line gets exactly one final reply; they come in order, but for the lines that are let through.
//! - Nothing is done in the name of an account before the shell has said that it is that account's user.
//! - A position of REST or RANG, and the name of RNFR, are forgotten unless the command that they are for follows.

mod agree;
mod files;
mod inform;
mod login;
mod security;
mod transfers;

use std::time::Instant;

use crate::dialect::foreign::is_foreign_start;
use crate::dialect::ftp::reply::FtpReply;
use crate::dialect::ftp::telnet::TelnetFilter;
use crate::dialect::ftp::verbs::{Argument, Verb, VerbRow, parse_line};
use crate::representation::entry::FactSet;
use crate::vocab::cause::Cause;
use crate::vocab::path::VPath;
use crate::vocab::permission::Permissions;
use crate::wire::line::{Line, LineBuffer};

use super::core::{Core, Phase};
use super::data::LegState;
use super::io::{Ends, Event, HashAlgorithm, Task, TaskAnswer, TlsMode};
use super::transfer::Step;

use security::Security;

/// What an `ftp` session keeps between its lines.
#[derive(Debug)]
pub(super) struct Ftp {
    ends: Ends,
    telnet: TelnetFilter,
    login: Login,
    /// Log-ins that have failed in this session.
    failed_logins: u32,
    /// The working directory.
    directory: VPath,
    /// TYPE A.
    ascii: bool,
    /// Where the next transfer begins, and ends.
    restart: Restart,
    /// What RNFR has named, and whether it is a directory.
    rename_from: Option<(VPath, bool)>,
    /// EPSV ALL was said: nothing else may set up data connections (RFC 2428 4).
    epsv_only: bool,
    hash: HashAlgorithm,
    facts: FactSet,
    /// What the answer that is waited for is about.
    question: Question,
    security: Security,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Login {
    Out,
    /// USER was said; PASS is to follow.
    Named(Vec<u8>),
    In {
        name: Vec<u8>,
        permissions: Permissions,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Restart {
    #[default]
    None,
    /// REST.
    At(u64),
    /// RANG: first and last byte.
    Range(u64, u64),
}

/// What is done with the answer to a task.
#[derive(Debug, Default)]
enum Question {
    #[default]
    None,
    LogIn(Vec<u8>),
    Pasv,
    Epsv,
    Cwd(VPath),
    RenameFrom(VPath),
    /// If it is a directory, this is asked next.
    IfDirectory(Box<(Question, Task)>),
    Size,
    Modified,
    Mlst(VPath),
    Mkd(VPath),
    /// The time and the name as they were given.
    Mfmt(String),
    Hash(HashAlgorithm, Vec<u8>),
    Digest,
    Allo(u64),
    Available,
    /// 250 and these words.
    Do(&'static str),
    /// 200 and these words.
    Site(&'static str),
}

impl Ftp {
    pub(super) fn new(ends: Ends, core: &mut Core, now: Instant) -> Ftp {
        let ftp = Ftp {
            ends,
            telnet: TelnetFilter::default(),
            login: Login::Out,
            failed_logins: 0,
            directory: VPath::root(),
            ascii: true,
            restart: Restart::None,
            rename_from: None,
            epsv_only: false,
            hash: HashAlgorithm::default(),
            facts: FactSet::default(),
            question: Question::None,
            security: Security::default(),
        };
        core.login_deadline = Some(now + core.config.login_timeout);
        match core.config.tls {
            // The first byte is TLS's: the greeting follows.
            TlsMode::Implicit => core.secure(now),
            TlsMode::Off | TlsMode::Optional | TlsMode::Required => say(core, FtpReply::Welcome),
        }
        ftp
    }

    /// Bytes of the peer, without their Telnet commands.
    pub(super) fn push(&mut self, bytes: &[u8], input: &mut LineBuffer) {
        if self.telnet.is_clean(bytes) {
            return input.push(bytes);
        }
        let mut text = Vec::with_capacity(bytes.len());
        self.telnet.filter(bytes, &mut text);
        input.push(&text);
    }

    /// Takes up the lines that may be taken up now.
    pub(super) fn take_commands(&mut self, input: &mut LineBuffer, core: &mut Core, now: Instant) {
        loop {
            if core.is_ready() && core.draining {
                return core.close(Some(Cause::ShuttingDown), now);
            }
            if core.is_deserted() {
                return core.close(Some(Cause::IdleTimeout), now);
            }
            if core.outbox.is_full() || !core.may_take(input.waiting()) {
                return;
            }
            match core.phase {
                Phase::Ready => {}
                // The file gets its name at this moment: it is too late to say that it does not, and ABOR waits.
                Phase::Transferring(ref transfer) if transfer.is_committing() && input.next_is(is_abort) => return,
                // The final reply has begun.
                Phase::Transferring(ref transfer) if transfer.has_probed() => return,
                // What comes within a reply of several lines would be taken for a part of it.
                Phase::Transferring(ref transfer) if !transfer.is_on_control() && input.next_is(is_let_through) => {}
                Phase::Transferring(ref transfer) if !transfer.is_committing() && input.any_is(is_abort) => {
                    core.carry_out(Step::End(Err(Cause::Aborted)), now);
                    continue;
                }
                _ => return,
            }
            let (is_last, is_tls) = (input.is_last(), input.starts(is_foreign_start));
            let Some(line) = input.next_line() else {
                return if is_tls {
                    core.close(Some(Cause::NotFtp), now)
                };
            };
            core.budget -= 1;
            match line {
                Line::Complete(line) => self.take(line, is_last, core, now),
                Line::TooLong => core.refuse_line(Cause::LineTooLong, now),
            }
        }
    }

    pub(super) fn handle_event(&mut self, core: &mut Core, event: Event, now: Instant) {
        let asked = match &mut core.phase {
            Phase::Asking(asked) if asked.op == event.op() => {
                asked.since = now;
                true
            }
            _ => false,
        };
        match event {
            Event::TaskProgress { .. } if asked => {}
            Event::TaskDone { result, .. } if asked => {
                core.phase = Phase::Ready;
                core.last_activity = now;
                self.answered(result, core, now);
            }
            // A task of a session that is over.
            Event::TaskDone { .. } => {}
            event => {
                let failed = if let Event::DataFailed { cause, .. } = event { Some(cause) } else { None };
                core.handle_event(event, now);
                if asked {
                    self.agreed(failed, core);
                }
            }
        }
    }

    /// The time of [`Core::next_timeout`] has come. A question without an answer ends here; a late answer is dropped.
    pub(super) fn handle_timeout(&mut self, core: &mut Core, now: Instant) {
        let is_due = core.phase_deadline().is_some_and(|deadline| deadline <= now);
        if !matches!(core.phase, Phase::Asking(_)) || !is_due {
            return core.handle_timeout(now);
        }
        core.expire_agreed(now);
        core.phase = Phase::Ready;
        core.last_activity = now;
        if matches!(self.question, Question::Pasv | Question::Epsv) {
            core.disagree();
            return self.agreed(None, core);
        }
        self.answered(Err(Cause::StorageTimeout), core, now);
    }

    /// One line; `is_last`: nothing has come behind it.
    fn take(&mut self, line: &[u8], is_last: bool, core: &mut Core, now: Instant) {
        let (row, argument) = match parse_line(line) {
            Ok(parsed) => parsed,
            Err(Cause::NotFtp) => return core.close(Some(Cause::NotFtp), now),
            Err(cause) => return core.refuse_line(cause, now),
        };
        self.forget(row.verb, core);
        if let Err(cause) = self.admit(row, argument) {
            // The position was for this command. The next one must not begin there.
            if uses_position(row.verb) {
                self.restart = Restart::None;
            }
            return core.refuse(cause);
        }
        // What came in the clear behind AUTH must not count as encrypted: whoever stands between could have put it there.
        if row.verb == Verb::Auth && !is_last {
            return core.refuse(Cause::BadSequence);
        }
        core.bad_commands = 0;
        core.taken_up = now;
        if let Err(cause) = self.run(row, argument, core, now) {
            core.refuse(cause);
        }
    }

    /// Holds a command against its row of the table.
    fn admit(&self, row: &VerbRow, argument: &[u8]) -> Result<(), Cause> {
        let empty = argument.trim_ascii().is_empty();
        match row.argument {
            Argument::None if !empty => return Err(Cause::BadArgument),
            Argument::Required if empty => return Err(Cause::BadArgument),
            _ => {}
        }
        let only_with_path = row.verb == Verb::Stat;
        let permission = row.permission.filter(|_| !(only_with_path && empty));
        match &self.login {
            Login::In { permissions, .. } if permission.is_none_or(|needed| permissions.has(needed)) => Ok(()),
            Login::In { .. } => Err(Cause::NotAllowed),
            _ if row.login || permission.is_some() => Err(Cause::NotLoggedIn),
            _ => Ok(()),
        }
    }

    /// A position and a name hold for the next command only; what sets up its data connection may stand between.
    fn forget(&mut self, verb: Verb, core: &Core) {
        let neutral = matches!(verb, Verb::Noop | Verb::Stat) || !core.is_ready();
        if !neutral && !sets_up(verb) && !uses_position(verb) {
            self.restart = Restart::None;
        }
        if !neutral && verb != Verb::Rnto {
            self.rename_from = None;
        }
    }

    fn run(&mut self, row: &VerbRow, argument: &[u8], core: &mut Core, now: Instant) -> Result<(), Cause> {
        match row.verb {
            Verb::Auth => self.auth(argument, core, now)?,
            Verb::Pbsz => self.pbsz(argument, core)?,
            Verb::Prot => self.prot(argument, core)?,
            Verb::Ccc => self.ccc()?,
            Verb::User => self.user(argument, core)?,
            Verb::Pass => self.pass(argument, core),
            Verb::Acct => say(core, FtpReply::Superfluous),
            Verb::Rein => self.reinitialize(core, now)?,
            Verb::Quit => login::quit(core, now),
            Verb::Host => self.host(core)?,
            Verb::Clnt => say(core, FtpReply::Done("Welcome")),
            Verb::Lang => login::language(argument, core)?,
            Verb::Smnt => return Err(Cause::NotImplemented),
            Verb::Site => return Err(Cause::BadParameter),
            Verb::Cwd => self.change_directory(argument, core)?,
            Verb::Cdup => self.change_directory(b"..", core)?,
            Verb::Pwd => say(core, FtpReply::Directory(&self.directory)),
            Verb::Port => self.port(argument, core)?,
            Verb::Eprt => self.eprt(argument, core)?,
            Verb::Pasv => self.pasv(core)?,
            Verb::Epsv => self.epsv(argument, core)?,
            Verb::Type => self.set_type(argument, core)?,
            Verb::Stru => agree::set_structure(argument, core)?,
            Verb::Mode => agree::set_mode(argument, core)?,
            Verb::Rest => self.rest(argument, core)?,
            Verb::Rang => self.rang(argument, core)?,
            Verb::Allo => self.allo(argument, core)?,
            Verb::Retr => self.retr(argument, core, now)?,
            Verb::Stor | Verb::Appe | Verb::Stou => self.store(row, argument, core, now),
            Verb::List | Verb::Nlst | Verb::Mlsd => self.list(row, argument, core, now)?,
            Verb::Stat => self.stat(row, argument, core, now)?,
            Verb::Abor => self.abort(core, now),
            Verb::Mkd
            | Verb::Rmd
            | Verb::Dele
            | Verb::Rnfr
            | Verb::Rnto
            | Verb::Size
            | Verb::Mdtm
            | Verb::Mlst
            | Verb::Mfmt
            | Verb::Hash
            | Verb::Xcrc
            | Verb::Xsha256
            | Verb::Xsha512
            | Verb::Avbl
            | Verb::SiteChmod
            | Verb::SiteUtime => self.file_command(row.verb, argument, core)?,
            Verb::Syst => say(core, FtpReply::System),
            Verb::Noop => say(core, FtpReply::Done("OK")),
            Verb::Feat => self.features(core),
            Verb::Opts => self.set_option(argument, core)?,
            Verb::Help => inform::help(argument, core)?,
            Verb::SiteHelp => inform::site_help(core),
        }
        Ok(())
    }

    /// The answer to a task has come.
    fn answered(&mut self, result: Result<TaskAnswer, Cause>, core: &mut Core, now: Instant) {
        let question = std::mem::take(&mut self.question);
        match (question, result) {
            (Question::LogIn(name), result) => self.logged_in(name, result, core, now),
            (_, Err(cause)) => core.refuse(cause),
            (question, Ok(answer)) => {
                if let Err(cause) = self.tell(question, answer, core) {
                    core.refuse(cause);
                }
            }
        }
    }

    /// A path as the peer writes it, from the working directory.
    fn path(&self, argument: &[u8]) -> Result<VPath, Cause> {
        Ok(self.directory.resolve(argument)?)
    }

    /// The path of a file.
    ///
    /// # Errors
    /// [`Cause::IsDirectory`] for a name that is written as that of a directory.
    fn file(&self, argument: &[u8]) -> Result<VPath, Cause> {
        if VPath::names_directory(argument) { Err(Cause::IsDirectory) } else { self.path(argument) }
    }

    /// Nothing is done with the answer that is waited for.
    pub(super) fn forget_question(&mut self) {
        self.question = Question::None;
    }

    /// For the checks between inputs.
    pub(super) fn check_invariants(&self, core: &Core) {
        let asking = matches!(core.phase, Phase::Asking(_));
        debug_assert!(core.is_over() || asking != matches!(self.question, Question::None), "an answer to nothing");
        debug_assert!(
            core.is_over() || core.agreed.state == LegState::None || matches!(self.login, Login::In { .. }),
            "a data connection for nobody"
        );
    }
}

fn say(core: &mut Core, reply: FtpReply<'_>) {
    reply.print(core.outbox.buffer());
}

/// Whether the verb prepares a transfer, so that it may come between REST or RANG and the transfer's command.
fn sets_up(verb: Verb) -> bool {
    matches!(verb, Verb::Pasv | Verb::Epsv | Verb::Port | Verb::Eprt | Verb::Type)
}

/// Whether the verb is one that a position of REST or RANG is for.
fn uses_position(verb: Verb) -> bool {
    matches!(verb, Verb::Retr | Verb::Stor | Verb::Appe | Verb::Hash | Verb::Stou)
}

/// Whether a line is answered at once while a transfer runs. STAT with a path is a transfer itself, and waits.
fn is_let_through(line: &[u8]) -> bool {
    parse_line(line).is_ok_and(|(row, argument)| {
        let is_transfer = row.verb == Verb::Stat && !argument.trim_ascii().is_empty();
        row.in_transfer && !is_transfer
    })
}

/// Whether the peer announces the end of the session.
pub(super) fn is_quit(line: &[u8]) -> bool {
    parse_line(line).is_ok_and(|(row, _)| row.verb == Verb::Quit)
}

fn is_abort(line: &[u8]) -> bool {
    parse_line(line).is_ok_and(|(row, _)| row.verb == Verb::Abor)
}
