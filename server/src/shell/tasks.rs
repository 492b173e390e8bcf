//! What a session of `ftp` wants done without a data connection: log-ins, questions about files, changes of the tree.
//!
//! What may take long or wait for a disk is a worker's; a look at what is in memory is done at once.

use std::sync::Arc;
use std::time::Duration;

use muxftp_proto::server::io::{Event, OperationId, Task, TaskAnswer};
use muxftp_proto::{Cause, Secret};
use muxftp_reactor::{Job, Key, Reactor};

use super::accounts::Opened;
use super::files::{AskedBy, Outcome, Try, Work};
use super::held::Held;
use super::lanes::{Lane, Place};
use super::open::{self, Waiting};
use super::passwords::{Asker, Verdict};
use super::session::Session;
use super::work::Done;
use super::{Owner, Shared};
use crate::log;
use crate::storage::{Found, ReadFile, Root, Survey, SurveyProgress};
use crate::users::User;

/// What a survey is for.
pub(super) enum Purpose {
    /// SIZE in TYPE A.
    Size,
    /// HASH, of these bytes.
    Digest(u64, u64),
    /// The position of a transfer.
    Open(Waiting),
}

/// A step of a survey, and what it is for.
pub(super) type Looked = Option<(std::io::Result<SurveyProgress>, Purpose)>;

impl Session {
    pub(super) fn run_task(&mut self, op: OperationId, task: Task, shared: &mut Shared, rx: &mut Reactor<Owner>) {
        let first = match task {
            Task::LogIn { name, password } => return self.log_in(op, name, password, shared, rx),
            Task::Examine(_) => Try::Loop,
            _ => Try::Lane,
        };
        self.work(op, AskedBy::Task, first, Arc::new(move |root| done(root, &task)), shared, rx);
    }

    fn log_in(
        &mut self,
        op: OperationId,
        name: Vec<u8>,
        password: Secret,
        shared: &mut Shared,
        rx: &mut Reactor<Owner>,
    ) {
        let (key, address) = (self.key(), self.peer().ip());
        if shared.failures.is_locked_out(address, rx.now()) {
            log::login(self.line(), &name, Err(Cause::LockedOut));
            return self.answer(Event::TaskDone { op, result: Err(Cause::LockedOut) }, rx);
        }
        let asker = |guess| Asker { session: key, op, line: *self.line(), name: name.clone(), guess };
        if is_guest(&name) {
            let guest = shared.accounts.guest();
            let open = shared.accounts.get(guest).is_some_and(|guest| guest.permissions != Default::default());
            // No password is asked of a guest, so whatever it is, it is the same guess.
            let asker = asker(shared.failures.guess(GUEST, b""));
            return match open {
                true => self.enter(op, guest, shared, rx),
                false => self.login_failed(&asker, shared, rx),
            };
        }
        let asker = asker(shared.failures.guess(&name, &password.0));
        if shared.users.is_none() {
            return self.login_failed(&asker, shared, rx);
        }
        shared.passwords.submit(asker, password);
    }

    /// What the password has come to.
    pub(super) fn password_checked(
        &mut self,
        asker: &Asker,
        verdict: Verdict,
        shared: &mut Shared,
        rx: &mut Reactor<Owner>,
    ) {
        let op = asker.op;
        if !self.awaits(op) {
            return;
        }
        let user = match verdict {
            Verdict::Right(user) => user,
            Verdict::Wrong(delay) => {
                let event = Event::TaskDone { op, result: Err(Cause::LoginFailed) };
                return self.answer_later(delay, event, rx);
            }
            Verdict::Refused(cause) => {
                log::login(self.line(), &asker.name, Err(cause));
                return self.answer(Event::TaskDone { op, result: Err(cause) }, rx);
            }
        };
        if let Some(account) = shared.accounts.find(&user.name) {
            shared.accounts.update(account, user.permissions, &user.allowance);
            return self.enter(op, account, shared, rx);
        }
        let (key, durability, secrets) = (self.key(), shared.durability, Arc::clone(&shared.secrets));
        let place = Place::of(&user.root);
        let job: Job<Done> = Box::new(move || {
            // The users' file may have changed since the start.
            let opened = match secrets.check_user(&user.name, &user.root) {
                Err(exposed) => Err(std::io::Error::other(exposed)),
                Ok(()) => Root::open(&user.root, durability).map(|root| Opened::new(root, place, &user.allowance)),
            };
            Done::RootOpened { session: key, op, user, opened }
        });
        if shared.workers.submit(Lane::Opening(place), job).is_err() {
            self.answer(Event::TaskDone { op, result: Err(Cause::OutOfResources) }, rx);
        }
    }

    /// A worker has opened the user's directory. Another session of the user may have been faster.
    pub(super) fn root_opened(
        &mut self,
        op: OperationId,
        user: &User,
        opened: std::io::Result<Opened>,
        shared: &mut Shared,
        rx: &mut Reactor<Owner>,
    ) {
        if !self.awaits(op) {
            return;
        }
        let account = match (shared.accounts.find(&user.name), opened) {
            (Some(account), _) => account,
            (None, Ok(opened)) => shared.accounts.add(&user.name, opened, user.permissions, &user.allowance),
            (None, Err(error)) => {
                log::root_unusable(&user.name, &user.root, &error);
                let cause = match crate::storage::cause_of(&error) {
                    Cause::OutOfResources => Cause::OutOfResources,
                    _ => Cause::HomeUnavailable,
                };
                return self.answer(Event::TaskDone { op, result: Err(cause) }, rx);
            }
        };
        self.enter(op, account, shared, rx);
    }

    fn enter(&mut self, op: OperationId, account: Key, shared: &mut Shared, rx: &mut Reactor<Owner>) {
        let entered = shared.accounts.enter(account, self.peer().ip());
        let (name, permissions) = match shared.accounts.get(account) {
            Some(account) => (account.name().to_owned(), account.permissions),
            None => return self.answer(Event::TaskDone { op, result: Err(Cause::OutOfResources) }, rx),
        };
        if entered.is_ok() {
            self.set_account(account);
        }
        log::login(self.line(), name.as_bytes(), entered);
        self.answer(Event::TaskDone { op, result: entered.map(|()| TaskAnswer::LoggedIn(permissions)) }, rx);
    }

    fn login_failed(&mut self, asker: &Asker, shared: &mut Shared, rx: &mut Reactor<Owner>) {
        let delay = shared.login_failed(asker, rx.now());
        self.answer_later(delay, Event::TaskDone { op: asker.op, result: Err(Cause::LoginFailed) }, rx);
    }

    /// Has a file looked at from beginning to end.
    pub(super) fn survey(
        &self,
        op: OperationId,
        survey: Held<(Survey, Purpose)>,
        shared: &mut Shared,
    ) -> Result<(), Cause> {
        let session = self.key();
        let lane = match survey.lane() {
            Some(lane) => lane,
            None => Lane::Surveys(self.place(shared)?),
        };
        let job: Job<Done> = Box::new(move || {
            let (survey, closer) = survey.take();
            let looked = survey.map(|(survey, purpose)| (survey.step(), purpose));
            Done::Surveyed { session, op, looked: Held::new(looked, closer) }
        });
        shared.workers.submit(lane, job).map_err(|_| Cause::OutOfResources)
    }

    /// A worker has looked at a part of a file, or at all of it.
    pub(super) fn surveyed(
        &mut self,
        op: OperationId,
        looked: Held<Looked>,
        shared: &mut Shared,
        rx: &mut Reactor<Owner>,
    ) {
        // Only now, so that a client that has gone keeps no worker busy.
        if !self.awaits(op) {
            return;
        }
        let (Some(Some((progress, purpose))), closer) = looked.take() else { return };
        let asker = if matches!(purpose, Purpose::Open(_)) { AskedBy::Transfer } else { AskedBy::Task };
        let found = match progress {
            Ok(SurveyProgress::More(survey)) => {
                return match self.survey(op, Held::new((*survey, purpose), closer), shared) {
                    Ok(()) => self.answer(Event::TaskProgress { op }, rx),
                    Err(cause) => self.refused(op, asker, cause, rx),
                };
            }
            Ok(SurveyProgress::Found(found)) => found,
            Err(error) => return self.refused(op, asker, crate::storage::cause_of(&error), rx),
        };
        match (found, purpose) {
            (Found::AsciiPosition(None), _) => self.refused(op, asker, Cause::BadRestart, rx),
            (Found::AsciiPosition(Some(position)), Purpose::Open(Waiting::Download { file, end, is_remote })) => {
                self.opened(op, Ok((open::download_at(position, file, end, is_remote), closer)), rx);
            }
            (Found::AsciiPosition(Some(position)), Purpose::Open(Waiting::Upload { path, .. })) => {
                let work: Work = Arc::new(move |root| open::upload_at(root, position, &path).map(Outcome::Opened));
                self.work(op, asker, Try::Loop, work, shared, rx);
            }
            (Found::AsciiSize(bytes), _) => {
                self.answer(Event::TaskDone { op, result: Ok(TaskAnswer::Number(bytes)) }, rx);
            }
            (Found::Digest(digest), Purpose::Digest(first, last)) => {
                let result = Ok(TaskAnswer::Digest { digest, range: (first, last) });
                self.answer(Event::TaskDone { op, result }, rx);
            }
            _ => self.refused(op, asker, Cause::DiskError, rx),
        }
    }

    /// Tells the session something, once this much time has passed.
    fn answer_later(&mut self, pause: Duration, event: Event, rx: &Reactor<Owner>) {
        self.hold_back(rx.now() + pause, event);
    }
}

fn done(root: &Root, task: &Task) -> Result<Outcome, Cause> {
    match *task {
        Task::Examine(ref path) => return root.examine(path).map(TaskAnswer::Entry).map(Outcome::Answer),
        Task::Available => return root.available().map(TaskAnswer::Number).map(Outcome::Answer),
        Task::AsciiSize(ref path) => {
            let ReadFile { file, size, is_remote } = root.open_read(path)?;
            return Ok(Outcome::Look(Survey::ascii_size(file, size), Purpose::Size, is_remote));
        }
        Task::Hash { ref path, algorithm, range } => {
            let ReadFile { file, size, is_remote } = root.open_read(path)?;
            let (first, end) = range.map_or((0, size), |(first, last)| (first.min(size), size.min(last + 1)));
            let purpose = Purpose::Digest(first, end.saturating_sub(1).max(first));
            return Ok(Outcome::Look(Survey::hash(file, algorithm, first, end), purpose, is_remote));
        }
        Task::MakeDirectory(ref path) => root.make_dir(path)?,
        Task::RemoveDirectory(ref path) => root.remove_dir(path)?,
        Task::RemoveFile(ref path) => root.remove_file(path)?,
        Task::Rename { ref from, ref to, may_replace } => root.rename(from, to, may_replace)?,
        Task::SetMode(ref path, mode) => root.set_mode(path, mode)?,
        Task::SetModified(ref path, seconds) => root.set_modified(path, seconds)?,
        Task::LogIn { .. } => return Err(Cause::NotImplemented),
    }
    Ok(Outcome::Answer(TaskAnswer::Done))
}

fn is_guest(name: &[u8]) -> bool {
    name.eq_ignore_ascii_case(b"anonymous") || name.eq_ignore_ascii_case(b"ftp")
}

/// The name under which the failures of guests count.
const GUEST: &[u8] = b"anonymous";
