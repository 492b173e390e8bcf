//! The passwords that sessions have given: in which order they are checked, and what becomes of the answers.
//!
//! It must not know how a password is checked. A failure counts whether or not its session is still there: a client that
//! closes the connection after each PASS would guess without end.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use muxftp_proto::server::io::OperationId;
use muxftp_proto::{Cause, Secret};
use muxftp_reactor::{Job, Key, Reactor};

use super::lanes::Lane;
use super::password_queue::PasswordQueue;
use super::work::Done;
use super::{Owner, Shared, Shell};
use crate::failures::Guess;
use crate::limits;
use crate::log;
use crate::users::User;

/// The passwords that wait to be checked, and the sessions that are to be refused without a check.
pub(super) struct Passwords {
    queue: PasswordQueue<Check>,
    refused: VecDeque<(Asker, Cause)>,
}

/// A name and a password.
struct Check {
    asker: Asker,
    password: Secret,
}

/// Who has given a password.
pub(super) struct Asker {
    pub(super) session: Key,
    pub(super) op: OperationId,
    /// The session in the log.
    pub(super) line: log::Session,
    pub(super) name: Vec<u8>,
    pub(super) guess: Guess,
}

/// What a check has come to.
pub(super) enum Verdict {
    Right(Arc<User>),
    /// The answer is to be held back for so long.
    Wrong(Duration),
    Refused(Cause),
}

impl Asker {
    fn address(&self) -> IpAddr {
        self.line.peer.ip()
    }
}

impl Passwords {
    pub(super) fn new() -> Passwords {
        Passwords { queue: PasswordQueue::new(limits::PASSWORD_CHECKS), refused: VecDeque::new() }
    }

    /// Has a password checked when it is its turn.
    pub(super) fn submit(&mut self, asker: Asker, password: Secret) {
        let displaced = self.queue.push(asker.address(), Check { asker, password });
        self.refused.extend(displaced.map(|check| (check.asker, Cause::OutOfResources)));
    }

    /// The session has ended.
    pub(super) fn forget(&mut self, session: Key, address: IpAddr) {
        self.queue.forget(address, |check| check.asker.session == session);
    }
}

impl Shared {
    /// A wrong name or password: gives how long its answer is to be held back. When it was one too many, all passwords from
    /// there that wait are refused.
    pub(super) fn login_failed(&mut self, asker: &Asker, now: Instant) -> Duration {
        let address = asker.address();
        log::login(&asker.line, &asker.name, Err(Cause::LoginFailed));
        let delay = self.failures.failed(address, asker.guess, now);
        if self.failures.is_locked_out(address, now) {
            let waiting = self.passwords.queue.take_all(address);
            self.passwords.refused.extend(waiting.into_iter().map(|check| (check.asker, Cause::LockedOut)));
        }
        delay
    }

    /// A worker has held the password against the name.
    fn judge(&mut self, asker: &Asker, user: Option<Arc<User>>, now: Instant) -> Verdict {
        let address = asker.address();
        // Others from there may have failed while this one was checked: then even a right answer is one guess too many.
        if self.failures.is_locked_out(address, now) {
            return Verdict::Refused(Cause::LockedOut);
        }
        match user.filter(|user| user.may_come_from(address)) {
            Some(user) => {
                self.failures.succeeded(address, asker.guess);
                Verdict::Right(user)
            }
            None => Verdict::Wrong(self.login_failed(asker, now)),
        }
    }
}

impl Shell {
    /// Starts the checks whose turn it is, and answers those for which there will be none.
    pub(super) fn check_passwords(&mut self, rx: &mut Reactor<Owner>) {
        while let Some(check) = self.next_check() {
            let awaited = self.sessions.get(check.asker.session).and_then(Option::as_ref);
            let address = check.asker.address();
            if !awaited.is_some_and(|session| session.awaits(check.asker.op)) {
                self.shared.passwords.queue.finished(address);
            } else if let Err(asker) = self.start_check(check) {
                self.shared.passwords.queue.finished(address);
                self.shared.passwords.refused.push_back((asker, Cause::OutOfResources));
            }
        }
        for _ in 0..limits::REFUSALS_PER_TURN {
            let Some((asker, cause)) = self.shared.passwords.refused.pop_front() else { return };
            self.answer(rx, &asker, Verdict::Refused(cause));
        }
        if !self.shared.passwords.refused.is_empty() {
            // The others have their turn first. It fails only when the reactor has ended.
            let _ = rx.waker().wake();
        }
    }

    /// A worker has held the password against the name.
    pub(super) fn password_checked(&mut self, rx: &mut Reactor<Owner>, asker: &Asker, user: Option<Arc<User>>) {
        self.shared.passwords.queue.finished(asker.address());
        let verdict = self.shared.judge(asker, user, rx.now());
        self.answer(rx, asker, verdict);
    }

    fn next_check(&mut self) -> Option<Check> {
        let Shared { passwords, failures, .. } = &mut self.shared;
        passwords.queue.next(|address| match failures.is_suspect(address) {
            true => limits::CHECKS_PER_SUSPECT,
            false => limits::CHECKS_PER_ADDRESS,
        })
    }

    /// Hands a check to a worker; gives its asker back when that cannot be.
    fn start_check(&mut self, check: Check) -> Result<(), Asker> {
        let Check { asker, password } = check;
        let Some(users) = self.shared.users.clone() else { return Err(asker) };
        let (session, op, guess, line, name) = (asker.session, asker.op, asker.guess, asker.line, asker.name.clone());
        let job: Job<Done> = Box::new(move || {
            let user = users.check(&asker.name, &password.0);
            Done::PasswordChecked { asker, user }
        });
        self.shared.workers.submit(Lane::Passwords, job).map_err(|_| Asker { session, op, line, name, guess })
    }

    fn answer(&mut self, rx: &mut Reactor<Owner>, asker: &Asker, verdict: Verdict) {
        let _ = self.with(rx, asker.session, |session, shared, rx| {
            session.password_checked(asker, verdict, shared, rx);
            session.begin(shared, rx)
        });
    }
}
