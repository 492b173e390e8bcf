//! Deadlines: one wanted per key, kept in a heap that is corrected only when an entry comes up.
//!
//! Must not know the clock (`now` is an argument) nor what a timeout does.
//!
//! ```text
//!   wanted later than armed   nothing happens now; the entry is moved when it comes up
//!   wanted earlier than armed a new entry is pushed; the old one is dead (its ticket is old)
//!   wanted none               nothing happens now; the entry is dropped when it comes up
//! ```
//!
//! Invariants:
//! - Each key has at most one live entry: the one whose ticket is the slot's.
//! - The heap never holds more than `2 * live + SLACK` entries.
//! - A live entry is never later than the deadline wanted.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::time::Instant;

use crate::slot::Slot;
use crate::{Key, Table};

/// The part of a slot that belongs to the timers.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Deadline {
    /// When the owner wants its timeout.
    wanted: Option<Instant>,
    /// When the live heap entry comes up.
    armed: Option<Instant>,
    /// Tells the live entry from the dead ones of the same key.
    ticket: u32,
}

#[derive(Debug, Default)]
pub(crate) struct Timers {
    heap: BinaryHeap<Entry>,
    live: usize,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Entry {
    at: Instant,
    key: Key,
    ticket: u32,
}

/// A deadline that has passed, taken off its slot.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Due<T> {
    pub(crate) key: Key,
    pub(crate) owner: T,
    pub(crate) deadline: Instant,
}

impl Timers {
    /// Sets the one deadline of `key`; `None` cancels it.
    pub(crate) fn arm<T>(&mut self, slots: &mut Table<Slot<T>>, key: Key, wanted: Option<Instant>) {
        let Some(slot) = slots.get_mut(key).filter(|slot| !slot.released) else {
            return;
        };
        slot.deadline.wanted = wanted;
        let Some(at) = wanted else { return };
        match slot.deadline.armed {
            Some(armed) if armed <= at => {}
            Some(_) => {
                self.push(key, &mut slot.deadline, at);
                self.drop_dead_entries_if_many(slots);
            }
            None => {
                self.live += 1;
                self.push(key, &mut slot.deadline, at);
            }
        }
    }

    /// Takes the earliest deadline that is not after `now`. Corrects entries on the way.
    pub(crate) fn pop_due<T: Copy>(&mut self, slots: &mut Table<Slot<T>>, now: Instant) -> Option<Due<T>> {
        while let Some(top) = self.heap.peek().copied().filter(|top| top.at <= now) {
            self.heap.pop();
            let Some(slot) = live_slot(slots, &top) else {
                continue;
            };
            match slot.deadline.wanted {
                Some(later) if later > now => self.push(top.key, &mut slot.deadline, later),
                wanted => {
                    self.live -= 1;
                    slot.deadline.armed = None;
                    slot.deadline.wanted = None;
                    if let Some(deadline) = wanted {
                        return Some(Due { key: top.key, owner: slot.owner, deadline });
                    }
                }
            }
        }
        None
    }

    /// When to look again. May be earlier than the earliest deadline wanted, never later.
    pub(crate) fn next<T>(&mut self, slots: &mut Table<Slot<T>>) -> Option<Instant> {
        while let Some(top) = self.heap.peek() {
            if live_slot(slots, top).is_some() {
                return Some(top.at);
            }
            self.heap.pop();
        }
        None
    }

    /// Lets go of the deadline of a slot that is about to be freed.
    pub(crate) fn forget<T>(&mut self, slots: &mut Table<Slot<T>>, key: Key) {
        let Some(slot) = slots.get_mut(key) else {
            return;
        };
        slot.deadline.wanted = None;
        if slot.deadline.armed.take().is_some() {
            self.live -= 1;
            self.drop_dead_entries_if_many(slots);
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.heap.is_empty()
    }

    fn push(&mut self, key: Key, deadline: &mut Deadline, at: Instant) {
        deadline.armed = Some(at);
        deadline.ticket = deadline.ticket.wrapping_add(1);
        self.heap.push(Entry { at, key, ticket: deadline.ticket });
    }

    /// Each dead entry was pushed once, so dropping them when they are the majority costs
    /// constant time per push on the average.
    fn drop_dead_entries_if_many<T>(&mut self, slots: &mut Table<Slot<T>>) {
        if self.heap.len() > 2 * self.live + SLACK {
            self.heap.retain(|entry| live_slot(slots, entry).is_some());
        }
    }
}

/// The slot of a live entry; `None` when the entry is dead.
fn live_slot<'a, T>(slots: &'a mut Table<Slot<T>>, entry: &Entry) -> Option<&'a mut Slot<T>> {
    slots.get_mut(entry.key).filter(|slot| slot.deadline.armed.is_some() && slot.deadline.ticket == entry.ticket)
}

impl Ord for Entry {
    /// The earliest is the greatest: `BinaryHeap` pops the greatest.
    fn cmp(&self, other: &Self) -> Ordering {
        other.at.cmp(&self.at).then(other.ticket.cmp(&self.ticket))
    }
}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Dead entries that are always tolerated, so that a small heap is never swept.
const SLACK: usize = 64;

#[cfg(test)]
#[path = "timers_tests.rs"]
mod tests;
