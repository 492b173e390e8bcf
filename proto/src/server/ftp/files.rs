//! The commands about files and directories that need no data connection, and the answers to them.

use crate::dialect::ftp::reply::FtpReply;
use crate::dialect::ftp::verbs::Verb;
use crate::representation::entry::{Entry, EntryKind, Relation, print_facts};
use crate::representation::time::{parse_time_val, print_time_val};
use crate::server::core::{Core, Phase};
use crate::server::io::{HashAlgorithm, Task, TaskAnswer};
use crate::vocab::cause::Cause;
use crate::vocab::path::VPath;
use crate::vocab::permission::{Permission, Permissions};

use super::agree::number;
use super::{Ftp, Login, Question, Restart, say};

impl Ftp {
    pub(super) fn change_directory(&mut self, argument: &[u8], core: &mut Core) -> Result<(), Cause> {
        let path = self.path(argument)?;
        self.ask(Question::Cwd(path.clone()), Task::Examine(path), core);
        Ok(())
    }

    pub(super) fn file_command(&mut self, verb: Verb, argument: &[u8], core: &mut Core) -> Result<(), Cause> {
        let (question, task) = self.file_task(verb, argument)?;
        match &task {
            // Files have these too, but not under a name with a slash at its end.
            Task::Examine(path) | Task::SetModified(path, _) | Task::SetMode(path, _)
                if VPath::names_directory(argument) =>
            {
                let path = path.clone();
                self.ask(Question::IfDirectory(Box::new((question, task))), Task::Examine(path), core);
            }
            _ => self.ask(question, task, core),
        }
        Ok(())
    }

    fn file_task(&mut self, verb: Verb, argument: &[u8]) -> Result<(Question, Task), Cause> {
        Ok(match verb {
            Verb::Mkd => {
                let path = self.named(argument)?;
                (Question::Mkd(path.clone()), Task::MakeDirectory(path))
            }
            Verb::Rmd => (Question::Do("Directory removed"), Task::RemoveDirectory(self.named(argument)?)),
            Verb::Dele => (Question::Do("File removed"), Task::RemoveFile(self.file(argument)?)),
            Verb::Rnfr => {
                let path = self.named(argument)?;
                (Question::RenameFrom(path.clone()), Task::Examine(path))
            }
            Verb::Rnto => {
                let (from, is_directory) = self.rename_from.take().ok_or(Cause::BadSequence)?;
                if VPath::names_directory(argument) && !is_directory {
                    return Err(Cause::NotDirectory);
                }
                let (to, may_replace) = (self.named(argument)?, self.may_replace());
                (Question::Do("Renamed"), Task::Rename { from, to, may_replace })
            }
            Verb::Size if self.ascii => (Question::Size, Task::AsciiSize(self.file(argument)?)),
            Verb::Size => (Question::Size, Task::Examine(self.file(argument)?)),
            Verb::Mdtm => (Question::Modified, Task::Examine(self.path(argument)?)),
            Verb::Mlst => {
                let path = self.path(argument)?;
                (Question::Mlst(path.clone()), Task::Examine(path))
            }
            Verb::Avbl => (Question::Available, Task::Available),
            Verb::Mfmt => {
                let (time, name) = split_once(argument).ok_or(Cause::BadArgument)?;
                let modified = parse_time_val(time).ok_or(Cause::BadArgument)?;
                let done = format!("Modify={}; {}", time_val(modified), String::from_utf8_lossy(name));
                (Question::Mfmt(done), Task::SetModified(self.path(name)?, modified))
            }
            Verb::SiteChmod => {
                let (mode, name) = split_once(argument).ok_or(Cause::BadArgument)?;
                (Question::Site("Mode set"), Task::SetMode(self.path(name)?, octal(mode)?))
            }
            Verb::SiteUtime => {
                let (time, name) = utime_arguments(argument).ok_or(Cause::BadArgument)?;
                (Question::Site("Time set"), Task::SetModified(self.path(name)?, time))
            }
            Verb::Hash => {
                let range = match std::mem::take(&mut self.restart) {
                    Restart::Range(first, last) => Some((first, last)),
                    Restart::None | Restart::At(_) => None,
                };
                let task = Task::Hash { path: self.file(argument)?, algorithm: self.hash, range };
                (Question::Hash(self.hash, argument.to_vec()), task)
            }
            Verb::Xcrc => self.digest(HashAlgorithm::Crc32, argument)?,
            Verb::Xsha256 => self.digest(HashAlgorithm::Sha256, argument)?,
            Verb::Xsha512 => self.digest(HashAlgorithm::Sha512, argument)?,
            _ => return Err(Cause::NotImplemented),
        })
    }

    /// What the answer to a task is told as.
    pub(super) fn tell(&mut self, question: Question, answer: TaskAnswer, core: &mut Core) -> Result<(), Cause> {
        match (question, answer) {
            (Question::Cwd(path), TaskAnswer::Entry(entry)) => {
                if entry.kind != EntryKind::Directory {
                    return Err(Cause::NotDirectory);
                }
                self.directory = path;
                say(core, FtpReply::FileDone("Directory changed"));
            }
            (Question::IfDirectory(_), TaskAnswer::Entry(entry)) if entry.kind != EntryKind::Directory => {
                return Err(Cause::NotDirectory);
            }
            (Question::IfDirectory(next), TaskAnswer::Entry(_)) => self.ask(next.0, next.1, core),
            (Question::RenameFrom(path), TaskAnswer::Entry(entry)) => {
                self.rename_from = Some((path, entry.kind == EntryKind::Directory));
                say(core, FtpReply::NeedTarget);
            }
            (Question::Size, TaskAnswer::Entry(entry)) => {
                only_file(&entry)?;
                say(core, FtpReply::Value(&entry.size.to_string()));
            }
            (Question::Size | Question::Available, TaskAnswer::Number(bytes)) => {
                say(core, FtpReply::Value(&bytes.to_string()));
            }
            (Question::Allo(wanted), TaskAnswer::Number(bytes)) if wanted > bytes => return Err(Cause::QuotaExceeded),
            (Question::Allo(_), TaskAnswer::Number(_)) => say(core, FtpReply::Done("There is room")),
            (Question::Modified, TaskAnswer::Entry(entry)) => say(core, FtpReply::Value(&time_val(entry.modified))),
            (Question::Mlst(path), TaskAnswer::Entry(entry)) => self.tell_facts(&path, &entry, core),
            (Question::Mkd(path), TaskAnswer::Done) => say(core, FtpReply::Made(&path)),
            (Question::Mfmt(done), TaskAnswer::Done) => say(core, FtpReply::Value(&done)),
            (Question::Hash(algorithm, name), TaskAnswer::Digest { digest, range }) => {
                say(core, FtpReply::Hash { algorithm, range, digest: &digest, path: &name });
            }
            (Question::Digest, TaskAnswer::Digest { digest, .. }) => say(core, FtpReply::Digest(&digest)),
            (Question::Do(words), TaskAnswer::Done) => say(core, FtpReply::FileDone(words)),
            (Question::Site(words), TaskAnswer::Done) => say(core, FtpReply::Done(words)),
            (question, answer) => debug_assert!(false, "{answer:?} to {question:?}"),
        }
        Ok(())
    }

    fn tell_facts(&self, path: &VPath, entry: &Entry<'static>, core: &mut Core) {
        let name = [b"/", path.as_bytes()].concat();
        let mut line = vec![b' '];
        print_facts(&Entry { name: &name, ..*entry }, self.facts, self.permissions(), Relation::Child, &mut line);
        line.extend_from_slice(b"\r\n");
        say(core, FtpReply::Lines { code: 250, first: "Facts follow", lines: &line, last: "End" });
    }

    fn ask(&mut self, question: Question, task: Task, core: &mut Core) {
        debug_assert!(!matches!(core.phase, Phase::Transferring(_)), "only STAT, NOOP and ABOR are let through");
        self.question = question;
        core.ask(task);
    }

    /// Whether this account may make the content of a file vanish: by storing another in its place, or by removing it.
    fn may_replace(&self) -> bool {
        let permissions = self.permissions();
        permissions.has(Permission::Write) || permissions.has(Permission::Delete)
    }

    /// The rights of this account; none before the login.
    fn permissions(&self) -> Permissions {
        match self.login {
            Login::In { permissions, .. } => permissions,
            Login::Named(_) | Login::Out => Permissions::NONE,
        }
    }

    /// A path that is not the root: the root can be neither made, removed nor renamed.
    fn named(&self, argument: &[u8]) -> Result<VPath, Cause> {
        let path = self.path(argument)?;
        if path.is_root() { Err(Cause::BadName) } else { Ok(path) }
    }

    /// `file`, `"file name"`, each perhaps with the first and the last byte behind it.
    fn digest(&self, algorithm: HashAlgorithm, argument: &[u8]) -> Result<(Question, Task), Cause> {
        let (name, rest) = match argument.strip_prefix(b"\"") {
            Some(quoted) => {
                let end = quoted.iter().position(|&byte| byte == b'"').ok_or(Cause::BadArgument)?;
                (&quoted[..end], &quoted[end + 1..])
            }
            None => split_range(argument),
        };
        let numbers: Option<Vec<u64>> =
            rest.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty()).map(number).collect();
        let range = match numbers.ok_or(Cause::BadArgument)?.as_slice() {
            [] => None,
            [first, last] if first <= last => Some((*first, *last)),
            _ => return Err(Cause::BadArgument),
        };
        Ok((Question::Digest, Task::Hash { path: self.file(name)?, algorithm, range }))
    }
}

/// Splits `name 0 99`; what does not end in two numbers is a name.
fn split_range(argument: &[u8]) -> (&[u8], &[u8]) {
    let mut blanks = (0..argument.len()).rev().filter(|&at| argument[at] == b' ');
    if let (Some(second), Some(first)) = (blanks.next(), blanks.next())
        && number(&argument[first + 1..second]).is_some()
        && number(&argument[second + 1..]).is_some()
    {
        return (&argument[..first], &argument[first..]);
    }
    (argument, b"")
}

/// `YYYYMMDDhhmm[ss] path`, or `path` and three times (of access, change and making) and `UTC`.
fn utime_arguments(argument: &[u8]) -> Option<(i64, &[u8])> {
    let with_seconds = |time: &[u8]| match time.len() {
        12 => parse_time_val(&[time, b"00"].concat()),
        _ => parse_time_val(time),
    };
    if let Some(rest) = argument.strip_suffix(b" UTC") {
        let mut words = rest.rsplitn(4, |&byte| byte == b' ');
        let (_made, changed, _accessed) = (words.next()?, words.next()?, words.next()?);
        return Some((with_seconds(changed)?, words.next()?));
    }
    let (time, path) = split_once(argument)?;
    Some((with_seconds(time)?, path))
}

fn split_once(argument: &[u8]) -> Option<(&[u8], &[u8])> {
    let blank = argument.iter().position(|&byte| byte == b' ')?;
    let (first, rest) = (&argument[..blank], &argument[blank + 1..]);
    (!first.is_empty() && !rest.is_empty()).then_some((first, rest))
}

fn octal(digits: &[u8]) -> Result<u32, Cause> {
    let text = std::str::from_utf8(digits).ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
    text.and_then(|text| u32::from_str_radix(text, 8).ok()).filter(|mode| *mode <= 0o7777).ok_or(Cause::BadArgument)
}

fn only_file(entry: &Entry<'_>) -> Result<(), Cause> {
    match entry.kind {
        EntryKind::File => Ok(()),
        EntryKind::Directory => Err(Cause::IsDirectory),
        _ => Err(Cause::NotRegular),
    }
}

fn time_val(seconds: i64) -> String {
    let mut digits = Vec::with_capacity(14);
    print_time_val(seconds, &mut digits);
    String::from_utf8_lossy(&digits).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_of_site_utime_are_read() {
        let at = parse_time_val(b"20201121054600").unwrap();
        for (argument, expected) in [
            ("20201121054600 a b", Some((at, "a b"))),
            ("202011210546 a", Some((at, "a"))),
            ("a b 19990101000000 20201121054600 19990101000000 UTC", Some((at, "a b"))),
            ("a", None),
            ("20201321054600 a", None),
            ("1 2 3 UTC", None),
        ] {
            let expected = expected.map(|(time, path)| (time, path.as_bytes()));
            assert_eq!(utime_arguments(argument.as_bytes()), expected, "{argument}");
        }
    }

    #[test]
    fn a_range_is_two_numbers_at_the_end() {
        for (argument, name, rest) in [
            ("a", "a", ""),
            ("a 1", "a 1", ""),
            ("a 0 9", "a", " 0 9"),
            ("a b 0 9", "a b", " 0 9"),
            ("a -1 9", "a -1 9", ""),
        ] {
            assert_eq!(split_range(argument.as_bytes()), (name.as_bytes(), rest.as_bytes()), "{argument}");
        }
    }
}
