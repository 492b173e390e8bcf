//! The worker pool: what takes long, and what its answers bring about.
//!
//! It must not know what a job does. An answer belongs to a session by its key: when that is gone, nobody hears it.

use std::io;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Instant;

use muxftp_proto::server::io::{Event, OperationId};
use muxftp_reactor::{Again, Key, Reactor};

use super::accounts::Opened;
use super::lanes::Lane;
use super::passwords::Asker;
use super::tasks::Purpose;
use super::{Owner, Shell};
use crate::storage::SurveyProgress;
use crate::users::User;

/// An answer of the worker pool.
pub(super) enum Done {
    /// An event of a session.
    Of(Key, Event),
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
        purpose: Purpose,
        progress: io::Result<SurveyProgress>,
    },
    PublicAddress(Result<Ipv4Addr, String>),
}

impl Shell {
    pub(super) fn work_done(&mut self, rx: &mut Reactor<Owner>, done: Done) {
        let _ = match done {
            Done::Of(session, event) => self.with(rx, session, |session, shared, rx| session.event(event, shared, rx)),
            Done::PasswordChecked { asker, user } => {
                self.password_checked(rx, &asker, user);
                Again::No
            }
            Done::RootOpened { session, op, user, opened } => self.with(rx, session, |session, shared, rx| {
                session.root_opened(op, &user, opened, shared, rx);
                session.begin(shared, rx)
            }),
            Done::Surveyed { session, op, purpose, progress } => self.with(rx, session, |session, shared, rx| {
                session.surveyed(op, purpose, progress, shared, rx);
                session.begin(shared, rx)
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
