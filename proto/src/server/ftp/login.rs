//! Who is there: USER, PASS, REIN, QUIT, HOST, LANG.

use std::time::Instant;

use crate::dialect::ftp::reply::FtpReply;
use crate::limits;
use crate::server::core::Core;
use crate::server::io::{Effect, Task, TaskAnswer};
use crate::vocab::cause::Cause;
use crate::vocab::path::VPath;
use crate::vocab::reply::Reply;
use crate::vocab::secret::Secret;

use super::{Ftp, Login, Question, say};

impl Ftp {
    /// RFC 959 4.1.1: a new USER ends the old one's rights; the transfer parameters stay.
    pub(super) fn user(&mut self, argument: &[u8], core: &mut Core) -> Result<(), Cause> {
        self.refuse_in_the_clear(core)?;
        self.log_out(core);
        let name = argument.trim_ascii();
        self.login = Login::Named(name.to_vec());
        say(core, FtpReply::NeedPassword { guest: is_guest(name) });
        Ok(())
    }

    pub(super) fn pass(&mut self, argument: &[u8], core: &mut Core) {
        let Login::Named(name) = &mut self.login else {
            return core.refuse(Cause::BadSequence);
        };
        let name = std::mem::take(name);
        self.login = Login::Out;
        self.question = Question::LogIn(name.clone());
        core.ask(Task::LogIn { name, password: Secret(argument.to_vec()) });
    }

    pub(super) fn logged_in(
        &mut self,
        name: Vec<u8>,
        result: Result<TaskAnswer, Cause>,
        core: &mut Core,
        now: Instant,
    ) {
        match result {
            Ok(TaskAnswer::LoggedIn(permissions)) => {
                self.login = Login::In { name, permissions };
                self.failed_logins = 0;
                core.login_deadline = None;
                say(core, FtpReply::LoggedIn);
            }
            Err(cause @ (Cause::LockedOut | Cause::TooManyOfUser)) => core.close(Some(cause), now),
            // Nothing was found out about the password.
            Err(cause @ Cause::StorageTimeout) => core.refuse(cause),
            Err(cause) => {
                self.failed_logins += 1;
                core.refuse(cause);
                if self.failed_logins >= limits::FAILED_LOGINS_MAX {
                    core.close(Some(Cause::TooManyErrors), now);
                }
            }
            Ok(answer) => debug_assert!(false, "{answer:?} to a log-in"),
        }
    }

    /// RFC 959 4.1.1: as if the connection had just been made.
    pub(super) fn reinitialize(&mut self, core: &mut Core, now: Instant) -> Result<(), Cause> {
        // It would end the encryption (RFC 4217 11).
        if self.security.control {
            return Err(Cause::ClearRefused);
        }
        self.log_out(core);
        let new = Ftp::new(self.ends, core, now);
        let old = std::mem::replace(self, new);
        // Otherwise it would be the way to try passwords without end.
        self.failed_logins = old.failed_logins;
        // What came behind this line may have ended in the middle of a Telnet command.
        self.telnet = old.telnet;
        Ok(())
    }

    /// RFC 7151: the name of the server that is meant; all names mean this one.
    pub(super) fn host(&mut self, core: &mut Core) -> Result<(), Cause> {
        if self.login != Login::Out {
            return Err(Cause::BadSequence);
        }
        say(core, FtpReply::Welcome);
        Ok(())
    }

    pub(super) fn log_out(&mut self, core: &mut Core) {
        core.disagree();
        self.directory = VPath::root();
        if let Login::In { .. } = std::mem::replace(&mut self.login, Login::Out) {
            core.effect(Effect::LogOut);
            core.login_deadline = Some(core.last_activity + core.config.login_timeout);
        }
    }
}

pub(super) fn quit(core: &mut Core, now: Instant) {
    core.reply(&Reply::Goodbye);
    core.close(None, now);
}

/// RFC 2640 4: there is one language.
pub(super) fn language(argument: &[u8], core: &mut Core) -> Result<(), Cause> {
    let tag = argument.trim_ascii();
    let english = tag.len() >= 2 && tag[..2].eq_ignore_ascii_case(b"en") && matches!(tag.get(2), None | Some(b'-'));
    if !tag.is_empty() && !english {
        return Err(Cause::BadParameter);
    }
    say(core, FtpReply::Done("Replies are in English"));
    Ok(())
}

/// The names under which the guest logs in.
fn is_guest(name: &[u8]) -> bool {
    name.eq_ignore_ascii_case(b"anonymous") || name.eq_ignore_ascii_case(b"ftp")
}
