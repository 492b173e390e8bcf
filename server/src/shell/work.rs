//! The worker pool: what takes long, and what its answers bring about.
//!
//! It must not know what a job does. An answer belongs to a session by its key: when that is gone, nobody hears it.

use std::io;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use muxftp_proto::Cause;
use muxftp_proto::server::io::{Event, OperationId};
use muxftp_reactor::{Again, Key, Reactor};

use super::accounts::Opened;
use super::content::Errand;
use super::files::{AskedBy, Outcome, Work};
use super::held::Held;
use super::lanes::Lane;
use super::passwords::Asker;
use super::tasks::Looked;
use super::{Owner, Shell};
use crate::storage::Reach;
use crate::users::User;

/// An answer of the worker pool.
pub(super) enum Done {
    PasswordChecked {
        asker: Asker,
        user: Option<Arc<User>>,
    },
    RootOpened {
        session: Key,
        op: OperationId,
        user: Arc<User>,
        opened: io::Result<Opened>,
    },
    Surveyed {
        session: Key,
        op: OperationId,
        looked: Held<Looked>,
    },
    /// Work on the files of a session.
    Worked {
        session: Key,
        op: OperationId,
        asker: AskedBy,
        /// Boxed, since an upload is large.
        result: Box<Result<Held<Outcome>, Cause>>,
        took: Duration,
    },
    /// Its path leads out of the mount.
    LeadsFarther {
        session: Key,
        op: OperationId,
        asker: AskedBy,
        work: Work,
    },
    /// What a running transfer waits for.
    Errand {
        session: Key,
        op: OperationId,
        errand: Held<Option<Errand>>,
        took: Duration,
    },
    /// An upload has its name, or has not got it.
    Committed {
        session: Key,
        event: Event,
        took: Duration,
    },
    PublicAddress(Result<Ipv4Addr, String>),
}

impl Shell {
    pub(super) fn work_done(&mut self, rx: &mut Reactor<Owner>, done: Done) {
        let _ = match done {
            Done::PasswordChecked { asker, user } => {
                self.password_checked(rx, &asker, user);
                Again::No
            }
            Done::RootOpened { session, op, user, opened } => self.with(rx, session, |session, shared, rx| {
                session.root_opened(op, &user, opened, shared, rx);
                session.begin(shared, rx)
            }),
            Done::Surveyed { session, op, looked } => self.with(rx, session, |session, shared, rx| {
                session.surveyed(op, looked, shared, rx);
                session.begin(shared, rx)
            }),
            Done::Worked { session, op, asker, result, took } => self.with(rx, session, |session, shared, rx| {
                session.took(took, shared, rx);
                session.worked(op, asker, *result, shared, rx);
                session.begin(shared, rx)
            }),
            Done::LeadsFarther { session, op, asker, work } => self.with(rx, session, |session, shared, rx| {
                if session.awaits(op) {
                    session.submit_work(op, asker, Reach::Anywhere, work, shared, rx);
                }
                session.begin(shared, rx)
            }),
            Done::Errand { session, op, errand, took } => self.with(rx, session, |session, shared, rx| {
                session.took(took, shared, rx);
                session.errand_done(op, errand, shared, rx)
            }),
            Done::Committed { session, event, took } => self.with(rx, session, |session, shared, rx| {
                session.took(took, shared, rx);
                session.event(event, shared, rx)
            }),
            Done::PublicAddress(found) => {
                self.advertised.found(found);
                Again::No
            }
        };
    }

    /// Has the public address looked up, if it is time.
    pub(super) fn look_address_up(&mut self, now: Instant) {
        if let Some(lookup) = self.advertised.due(now) {
            // One that hangs is still in the lane: another is asked for later.
            let job = Box::new(move || Done::PublicAddress(lookup.run()));
            let _ = self.shared.workers.submit(Lane::Network, job);
        }
    }
}
