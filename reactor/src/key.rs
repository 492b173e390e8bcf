//! The generational key: names one use of one slot, and packs into a [`mio::Token`].
//!
//! Must not know what is stored under it.
//!
//! Invariants:
//! - A key that was handed out never equals a later key of the same index
//!   (until 2^32 keys have been handed out by the same table).
//! - No key has an index at or above `FIRST_RESERVED`; those tokens belong to the loop itself.

use mio::Token;

/// Names a slot of a [`Table`](crate::Table) for as long as that slot is in use.
///
/// A key that outlived its slot is *stale*: every operation on it is a no-op.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Key {
    index: u32,
    generation: u32,
}

impl Key {
    pub(crate) fn new(index: usize, generation: u32) -> Self {
        let index = u32::try_from(index)
            .ok()
            .filter(|&index| index < FIRST_RESERVED)
            .expect("a process has far fewer than 2^32 slots: descriptors and memory end first");
        Self { index, generation }
    }

    pub(crate) fn index(self) -> usize {
        self.index as usize
    }

    pub(crate) fn generation(self) -> u32 {
        self.generation
    }

    pub(crate) fn to_token(self) -> Token {
        Token((self.generation as usize) << 32 | self.index as usize)
    }
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.index, self.generation)
    }
}

/// What a token that came back from the kernel stands for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Mark {
    /// A source of the owner.
    Source(Key),
    /// The waker.
    Waker,
    /// The timerfd.
    Timer,
    /// The pipe of this signal.
    Signal(i32),
}

impl Mark {
    pub(crate) fn to_token(self) -> Token {
        match self {
            Self::Source(key) => key.to_token(),
            Self::Waker => Token(WAKER as usize),
            Self::Timer => Token(TIMER as usize),
            Self::Signal(signal) => Token((signal as u32 as usize) << 32 | SIGNAL as usize),
        }
    }

    pub(crate) fn from_token(token: Token) -> Self {
        let index = token.0 as u32;
        let generation = (token.0 >> 32) as u32;
        match index {
            WAKER => Self::Waker,
            TIMER => Self::Timer,
            SIGNAL => Self::Signal(generation as i32),
            _ => Self::Source(Key { index, generation }),
        }
    }
}

const FIRST_RESERVED: u32 = u32::MAX - 2;
const WAKER: u32 = FIRST_RESERVED;
const TIMER: u32 = FIRST_RESERVED + 1;
const SIGNAL: u32 = FIRST_RESERVED + 2;

const _: () = assert!(usize::BITS == 64, "a token holds two 32-bit halves");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mark_survives_the_token() {
        let marks = [
            Mark::Source(Key::new(0, 0)),
            Mark::Source(Key::new(3, 7)),
            Mark::Source(Key::new(FIRST_RESERVED as usize - 1, u32::MAX)),
            Mark::Waker,
            Mark::Timer,
            Mark::Signal(15),
        ];
        for mark in marks {
            assert_eq!(Mark::from_token(mark.to_token()), mark);
        }
    }

    #[test]
    #[should_panic(expected = "far fewer")]
    fn a_reserved_index_is_never_handed_out() {
        Key::new(FIRST_RESERVED as usize, 0);
    }
}
