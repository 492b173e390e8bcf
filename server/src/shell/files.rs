//! What sessions want done with the files of their accounts: at once where the kernel need not wait, else on a lane.
//!
//! ```text
//!             loop                 Home                    Far
//!   work --> memory --waits------> mount --other mount--> anywhere
//!                `-----------other mount-------------------^
//! ```
//!
//! The loop follows paths only through what the kernel has in memory. The lane of the root follows them within its mount, so
//! that a mount below it that does not answer never takes its threads. Roots whose own file system is remote have no use
//! for either.

use std::sync::Arc;
use std::time::{Duration, Instant};

use muxftp_proto::Cause;
use muxftp_proto::server::io::{Event, OperationId, TaskAnswer};
use muxftp_reactor::{Job, Reactor};

use super::content::Errand;
use super::held::{Closer, Held};
use super::lanes::Lane;
use super::open::Opened;
use super::session::Session;
use super::tasks::Purpose;
use super::work::Done;
use super::{Owner, Shared};
use crate::limits;
use crate::storage::{Farther, Reach, Root, Survey, within};

/// What is to be done with the files of an account. It may be begun again where paths may lead farther, so that it does
/// nothing before its paths are resolved.
pub(super) type Work = Arc<dyn Fn(&Root) -> Result<Outcome, Cause> + Send + Sync>;

/// What came of it.
pub(super) enum Outcome {
    Answer(TaskAnswer),
    Opened(Opened),
    /// A file has to be read first, which may be on a remote file system.
    Look(Survey, Purpose, bool),
}

/// Which event tells of a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AskedBy {
    Task,
    Transfer,
}

/// Where it is tried first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Try {
    /// It may change or read a disk, whatever is in memory.
    Lane,
    /// It only looks at, or opens, what is in memory.
    Loop,
}

impl Session {
    /// Does some work, now or later.
    pub(super) fn work(
        &mut self,
        op: OperationId,
        asker: AskedBy,
        first: Try,
        work: Work,
        shared: &mut Shared,
        rx: &mut Reactor<Owner>,
    ) {
        let root = match self.root(shared) {
            Ok(root) => root,
            Err(cause) => return self.refused(op, asker, cause, rx),
        };
        let mut reach = if root.is_remote() { Reach::Anywhere } else { Reach::Mount };
        if first == Try::Loop && !root.is_remote() {
            let begun = Instant::now();
            match within(Reach::Memory, || work(&root)) {
                Ok(result) => {
                    self.took(begun.elapsed(), shared, rx);
                    return self.worked(op, asker, result.map(|outcome| Held::new(outcome, None)), shared, rx);
                }
                Err(Farther::Waits) => {}
                Err(Farther::OtherMount) => reach = Reach::Anywhere,
            }
        }
        self.submit_work(op, asker, reach, work, shared, rx);
    }

    /// Has some work done where paths may lead so far.
    pub(super) fn submit_work(
        &mut self,
        op: OperationId,
        asker: AskedBy,
        reach: Reach,
        work: Work,
        shared: &mut Shared,
        rx: &mut Reactor<Owner>,
    ) {
        let submitted = self.root(shared).and_then(|root| {
            let place = self.place(shared)?;
            let lane = if reach == Reach::Anywhere { Lane::Far(place) } else { Lane::Home(place) };
            let closer = Closer::new(lane, shared.workers.chores());
            let session = self.key();
            let job: Job<Done> = Box::new(move || {
                let begun = Instant::now();
                match within(reach, || work(&root)) {
                    Ok(result) => {
                        let took = begun.elapsed();
                        let result = Box::new(result.map(|outcome| hold(outcome, closer)));
                        Done::Worked { session, op, asker, result, took }
                    }
                    Err(_) => Done::LeadsFarther { session, op, asker, work },
                }
            });
            shared.workers.submit(lane, job).map_err(|_| Cause::OutOfResources)
        });
        if let Err(cause) = submitted {
            self.refused(op, asker, cause, rx);
        }
    }

    /// Some work is done.
    pub(super) fn worked(
        &mut self,
        op: OperationId,
        asker: AskedBy,
        result: Result<Held<Outcome>, Cause>,
        shared: &mut Shared,
        rx: &mut Reactor<Owner>,
    ) {
        if !self.awaits(op) {
            return;
        }
        let held = match result {
            Ok(held) => held,
            Err(cause) => return self.refused(op, asker, cause, rx),
        };
        let (outcome, closer) = held.take();
        let looked = match outcome {
            None => return,
            Some(Outcome::Answer(answer)) => return self.answer(Event::TaskDone { op, result: Ok(answer) }, rx),
            Some(Outcome::Opened(Opened::Ready(ready))) => return self.opened(op, Ok((ready, closer)), rx),
            Some(Outcome::Opened(Opened::Position(survey, waiting))) => (survey, Purpose::Open(waiting)),
            Some(Outcome::Look(survey, purpose, _)) => (survey, purpose),
        };
        if let Err(cause) = self.survey(op, Held::new(looked, closer), shared) {
            self.refused(op, asker, cause, rx);
        }
    }

    pub(super) fn refused(&mut self, op: OperationId, asker: AskedBy, cause: Cause, rx: &Reactor<Owner>) {
        let event = match asker {
            AskedBy::Task => Event::TaskDone { op, result: Err(cause) },
            AskedBy::Transfer => Event::StorageFailed { op, cause },
        };
        self.answer(event, rx);
    }

    /// Has a worker do what the running transfer waits for.
    pub(super) fn submit_errand(
        &mut self,
        leads_farther: bool,
        errand: Held<Errand>,
        shared: &mut Shared,
    ) -> Result<(), Cause> {
        let place = self.place(shared)?;
        let (session, op) = (self.key(), self.data().op());
        let is_far = leads_farther || errand.lane().is_some();
        let reach = if is_far { Reach::Anywhere } else { Reach::Mount };
        let lane = match errand.get() {
            _ if is_far => Lane::Far(place),
            Some(Errand::Fetch(_)) => Lane::Reads(place),
            Some(Errand::Store(_)) => Lane::Writes(place),
            Some(Errand::List(_)) | None => Lane::Home(place),
        };
        let job: Job<Done> = Box::new(move || {
            let begun = Instant::now();
            let (errand, closer) = errand.take();
            let errand = Held::new(errand.map(|errand| errand.run(reach)), closer);
            Done::Errand { session, op, errand, took: begun.elapsed() }
        });
        shared.workers.submit(lane, job).map_err(|_| Cause::OutOfResources)
    }

    /// Takes note of how quick the account's disk is.
    pub(super) fn took(&self, time: Duration, shared: &mut Shared, rx: &Reactor<Owner>) {
        if time >= limits::SLOW_CALL
            && let Some(account) = self.account().and_then(|account| shared.accounts.get(account))
        {
            account.slow_until = Some(rx.now() + limits::SLOW_FOR);
        }
    }

    /// Whether changes are better not made by the loop. Lookups may be, since they do not wait.
    pub(super) fn disk_is_slow(&self, shared: &mut Shared, now: Instant) -> bool {
        let account = self.account().and_then(|account| shared.accounts.get(account));
        account.is_some_and(|account| account.slow_until.is_some_and(|until| now < until))
    }
}

/// What is on another file system than this machine's is closed where it was opened; so is what only workers touch.
fn hold(outcome: Outcome, closer: Closer) -> Held<Outcome> {
    let is_remote = match &outcome {
        Outcome::Answer(_) => false,
        Outcome::Opened(opened) => opened.is_remote(),
        Outcome::Look(_, _, is_remote) => *is_remote,
    };
    Held::new(outcome, is_remote.then_some(closer))
}
