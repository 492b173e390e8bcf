//! Things whose closing may wait for a file system that does not answer: they are dropped on a lane, never on the loop.

use muxftp_reactor::{Chores, QueueFull};

use super::lanes::Lane;
use super::work::Done;

/// A thing, and where it is dropped and worked on; without such a place, anywhere.
#[derive(Debug)]
pub(super) struct Held<T: Send + 'static> {
    /// Taken only by [`Held::take`] and on drop.
    thing: Option<T>,
    closer: Option<Closer>,
}

/// Where things are dropped.
#[derive(Debug, Clone)]
pub(super) struct Closer {
    lane: Lane,
    chores: Chores<Lane, Done>,
}

impl Closer {
    pub(super) fn new(lane: Lane, chores: Chores<Lane, Done>) -> Closer {
        Closer { lane, chores }
    }
}

impl<T: Send + 'static> Held<T> {
    pub(super) fn new(thing: T, closer: Option<Closer>) -> Held<T> {
        Held { thing: Some(thing), closer }
    }

    /// Where all work on it has to be done, if not on the loop.
    pub(super) fn lane(&self) -> Option<Lane> {
        self.closer.as_ref().map(|closer| closer.lane)
    }

    /// Another thing with the same place.
    pub(super) fn beside<U: Send + 'static>(&self, thing: U) -> Held<U> {
        Held::new(thing, self.closer.clone())
    }

    pub(super) fn get(&self) -> Option<&T> {
        self.thing.as_ref()
    }

    pub(super) fn get_mut(&mut self) -> Option<&mut T> {
        self.thing.as_mut()
    }

    /// The thing and where it is to be dropped.
    pub(super) fn take(mut self) -> (Option<T>, Option<Closer>) {
        (self.thing.take(), self.closer.take())
    }
}

impl<T: Send + 'static> Drop for Held<T> {
    fn drop(&mut self) {
        let (Some(thing), Some(closer)) = (self.thing.take(), &self.closer) else { return };
        if let Err(QueueFull(chore)) = closer.chores.submit(closer.lane, Box::new(move || drop(thing))) {
            // The pool has ended, and the process is about to: its end closes everything, and waits for nothing.
            std::mem::forget(chore);
        }
    }
}
