//! Which work waits for which: the lanes of the worker pool.
//!
//! Two jobs share a lane only if what makes one hang would make the other hang too, or if both only need CPU.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;

use muxftp_reactor::{Bounds, Lane as ReactorLane};

use crate::limits;

/// A lane of the worker pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Lane {
    /// Passwords held against their hashes.
    Passwords,
    /// Lookups of the public address.
    Network,
    /// Opening and measuring a root.
    Opening(Place),
    /// Flushing and renaming uploads to a root.
    Commits(Place),
    /// Reading whole files of a root.
    Surveys(Place),
    /// Looking at, listing and changing names within the mount of a root.
    Home(Place),
    /// Reading what is not in memory, for downloads.
    Reads(Place),
    /// Writing uploads, while the disk is slow.
    Writes(Place),
    /// Everything with files of a root on remote file systems, and paths that lead out of the mount of a root.
    Far(Place),
}

/// What accounts with the same root share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Place(u64);

impl Place {
    /// By the path as configured. That two paths meet by chance would only make them share lanes.
    pub(crate) fn of(root: &Path) -> Place {
        let mut hasher = DefaultHasher::new();
        root.hash(&mut hasher);
        Place(hasher.finish())
    }
}

impl ReactorLane for Lane {
    fn bounds(self) -> Bounds {
        let (class, (threads, class_threads), queue) = match self {
            Lane::Passwords => (0, limits::PASSWORD_THREADS, limits::PASSWORDS_QUEUE),
            Lane::Network => (1, limits::NETWORK_THREADS, limits::PLACE_QUEUE),
            Lane::Opening(_) => (2, limits::OPENING_THREADS, limits::PLACE_QUEUE),
            Lane::Commits(_) => (3, limits::COMMIT_THREADS, limits::COMMITS_QUEUE),
            Lane::Surveys(_) => (4, limits::SURVEY_THREADS, limits::PLACE_QUEUE),
            Lane::Home(_) => (5, limits::HOME_THREADS, limits::TRANSFERS_QUEUE),
            Lane::Reads(_) | Lane::Writes(_) => (6, limits::TRANSFER_THREADS, limits::TRANSFERS_QUEUE),
            Lane::Far(_) => (7, limits::FAR_THREADS, limits::TRANSFERS_QUEUE),
        };
        Bounds { threads, queue, class, class_threads }
    }
}
