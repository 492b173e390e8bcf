//! Operations without a data connection: what is said for each, and what its answer tells.

use std::time::Instant;

use crate::client::io::{ListingForm, Operation, Outcome, PutMode, Told};
use crate::client::talk::Talk;
use crate::dialect::Unsayable;
use crate::dialect::ftp::answer::{self, Answer};
use crate::dialect::ftp::feature::{Feature, Features};
use crate::dialect::ftp::request::{self, is_sayable, path};
use crate::dialect::ftp::verbs::Verb;
use crate::representation::listed::{Listed, ListedKind, parse_facts};
use crate::representation::time::print_time_val;

use super::transfer::{Errand, Way};
use super::{FtpClient, Phase};

/// What is asked, for the answer.
#[derive(Debug)]
pub(super) enum Question {
    /// Is it done?
    Done,
    Path,
    Size,
    Modified,
    /// By MLST.
    Entry,
    /// The size of this file; its time is to be asked, too.
    SizeOf(Vec<u8>),
    /// The time of this file of that size.
    TimeOf(Vec<u8>, u64),
    /// TYPE I, before this line and its question.
    Binary(Vec<u8>, Box<Question>),
    /// RNFR, before this line.
    RenameFrom(Vec<u8>),
    /// Whatever a person has said.
    Quoted,
    Farewell,
}

/// How an operation is carried out.
pub(super) enum Plan {
    Ask(Vec<u8>, Question),
    Transfer(Errand),
}

/// What is said for an operation.
///
/// # Errors
/// [`Unsayable`]: no line can carry it.
pub(super) fn plan(operation: &Operation, features: Features) -> Result<Plan, Unsayable> {
    let named = |verb, name: &[u8]| Ok(request::line(verb, &path(name)?));
    let ask = |line: Result<Vec<u8>, Unsayable>, question| Ok(Plan::Ask(line?, question));
    let in_binary = |line: Result<Vec<u8>, Unsayable>, question| {
        Ok(Plan::Ask(binary(), Question::Binary(line?, Box::new(question))))
    };
    match operation {
        Operation::LogIn => Err(Unsayable),
        Operation::Get { name, offset } => transfer(Way::Down, named(Verb::Retr, name)?, *offset),
        Operation::Put { name, mode, .. } => match *mode {
            PutMode::Replace => transfer(Way::Up, named(Verb::Stor, name)?, 0),
            PutMode::From(offset) => transfer(Way::Up, named(Verb::Stor, name)?, offset),
            PutMode::Append => transfer(Way::Up, named(Verb::Appe, name)?, 0),
            PutMode::Unique => transfer(Way::Up, request::line(Verb::Stou, b""), 0),
        },
        Operation::List { path: directory, form } => {
            let (verb, option) = match form {
                ListingForm::Names => (Verb::Nlst, None),
                ListingForm::Long => (Verb::List, None),
                ListingForm::LongAll => (Verb::List, Some(b"-a".to_vec())),
                ListingForm::Facts => (Verb::Mlsd, None),
            };
            let directory = directory.as_deref().map(path).transpose()?.map(|directory| directory.to_vec());
            let words: Vec<_> = option.into_iter().chain(directory).collect();
            transfer(Way::Down, request::line(verb, &words.join(&b' ')), 0)
        }
        Operation::Stat { name } if features.has(Feature::Mlst) => ask(named(Verb::Mlst, name), Question::Entry),
        Operation::Stat { name } => in_binary(named(Verb::Size, name), Question::SizeOf(name.clone())),
        Operation::Size { name } => in_binary(named(Verb::Size, name), Question::Size),
        Operation::ModifiedTime { name } => ask(named(Verb::Mdtm, name), Question::Modified),
        Operation::SetModifiedTime { name, modified } => {
            let mut argument = Vec::new();
            print_time_val(*modified, &mut argument);
            argument.extend_from_slice(&[b" ", &*path(name)?].concat());
            ask(Ok(request::line(Verb::Mfmt, &argument)), Question::Done)
        }
        Operation::SetMode { name, mode } => {
            let argument = [format!("{mode:03o} ").as_bytes(), &path(name)?].concat();
            ask(Ok(request::line(Verb::SiteChmod, &argument)), Question::Done)
        }
        Operation::Delete { name } => ask(named(Verb::Dele, name), Question::Done),
        Operation::Rename { from, to } => ask(named(Verb::Rnfr, from), Question::RenameFrom(named(Verb::Rnto, to)?)),
        Operation::MakeDirectory { name } => ask(named(Verb::Mkd, name), Question::Done),
        Operation::RemoveDirectory { name } => ask(named(Verb::Rmd, name), Question::Done),
        Operation::ChangeDirectory { name } => ask(named(Verb::Cwd, name), Question::Done),
        Operation::WorkingDirectory => ask(Ok(request::line(Verb::Pwd, b"")), Question::Path),
        Operation::Quote { line } if is_sayable(line) && !line.is_empty() => ask(Ok(line.clone()), Question::Quoted),
        Operation::Quote { .. } => Err(Unsayable),
        Operation::Noop => ask(Ok(request::line(Verb::Noop, b"")), Question::Done),
        Operation::Quit => ask(Ok(request::line(Verb::Quit, b"")), Question::Farewell),
    }
}

fn transfer(way: Way, line: Vec<u8>, offset: u64) -> Result<Plan, Unsayable> {
    Ok(Plan::Transfer(Errand { way, line, offset }))
}

/// Bytes as they are.
pub(super) fn binary() -> Vec<u8> {
    request::line(Verb::Type, b"I")
}

impl FtpClient {
    pub(super) fn ask(&mut self, talk: &mut Talk, line: &[u8], question: Question, now: Instant) {
        match question {
            Question::Binary(line, question) if self.binary => return self.ask(talk, &line, *question, now),
            // It may be another TYPE, or a log-in.
            Question::Quoted => self.binary = false,
            _ => {}
        }
        self.say(talk, line);
        self.phase = Phase::Asking { since: now, question };
    }

    pub(super) fn answered(&mut self, talk: &mut Talk, question: Question, answer: &Answer, now: Instant) {
        if answer.is_preliminary() {
            self.phase = Phase::Asking { since: now, question };
            return;
        }
        match (question, answer.class()) {
            // Not done, and therefore not granted.
            (Question::Done, 2) if answer.code == SUPERFLUOUS => self.refuse(talk, answer),
            (Question::Farewell, _) => {
                self.end(talk);
                talk.conclude(Outcome::Complete);
            }
            (Question::Quoted, _) => {
                let told = Told::Reply { code: answer.code, text: answer.text() };
                self.finish(talk, Outcome::Told(told));
            }
            (Question::RenameFrom(line), 3) => self.ask(talk, &line, Question::Done, now),
            (Question::Done, 2) => self.finish(talk, Outcome::Complete),
            (Question::Binary(line, question), 2) => {
                self.binary = true;
                self.ask(talk, &line, *question, now);
            }
            (Question::SizeOf(name), 2) => match (answer::size(answer), path(&name)) {
                (Some(size), Ok(said)) => {
                    let line = request::line(Verb::Mdtm, &said);
                    self.ask(talk, &line, Question::TimeOf(name, size), now);
                }
                _ => self.lose_step(talk, Question::SizeOf(name), answer, now),
            },
            (question @ Question::TimeOf(..), 2) if is_of_another(&question, answer) => {
                self.lose_step(talk, question, answer, now);
            }
            (Question::TimeOf(name, size), _) => {
                let modified = answer.is_complete().then(|| answer::modified(answer)).flatten();
                let entry = Listed { name, kind: ListedKind::File, size: Some(size), modified, ..Listed::UNKNOWN };
                self.finish(talk, Outcome::Told(Told::Entry(entry)));
            }
            (question, 2) => match told(&question, answer) {
                Some(told) => self.finish(talk, Outcome::Told(told)),
                None if is_of_another(&question, answer) => self.lose_step(talk, question, answer, now),
                None => self.refuse(talk, answer),
            },
            _ => self.refuse(talk, answer),
        }
    }

    fn lose_step(&mut self, talk: &mut Talk, question: Question, answer: &Answer, now: Instant) {
        self.phase = Phase::Asking { since: now, question };
        self.out_of_step(talk, answer);
    }
}

/// Whether the answer cannot be to this question, although its number could: SIZE, MDTM and MFMT share 213, and MLST has
/// the 250 of DELE.
fn is_of_another(question: &Question, answer: &Answer) -> bool {
    match question {
        Question::Size | Question::SizeOf(_) => answer::size(answer).is_none(),
        Question::Modified | Question::TimeOf(..) => !answer::is_like_a_time(answer),
        Question::Entry => answer.lines.len() == 1,
        _ => false,
    }
}

/// RFC 959 5.4: the command is not implemented, and superfluous at this site.
const SUPERFLUOUS: u16 = 202;

/// The value in an answer; `None`: there is none.
fn told(question: &Question, answer: &Answer) -> Option<Told> {
    match question {
        Question::Path => answer::quoted_path(answer).map(Told::Path),
        Question::Size => answer::size(answer).map(Told::Size),
        Question::Modified => answer::modified(answer).map(Told::Modified),
        Question::Entry => {
            let inside = answer.lines.get(1..answer.lines.len().saturating_sub(1))?;
            // RFC 3659 7.2: behind one blank, which some servers forget.
            let line = inside.first()?;
            parse_facts(line.strip_prefix(b" ").unwrap_or(line)).map(Told::Entry)
        }
        _ => None,
    }
}
