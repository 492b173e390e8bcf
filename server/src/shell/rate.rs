//! A bound on bytes per second that several transfers share in equal parts.
//!
//! It must not know transfers; time is an argument. Two things are counted. A bucket fills with time and bounds the sum: what
//! is taken at once may make it owe, the next one then waits longer, and the mean holds. Beside it, what time brings is granted
//! in equal parts to the transfers that take part, and each takes from its own part only. A transfer whose peer does not keep
//! up takes no part until it can move again, so its part goes to the others.
//!
//! # Invariants
//! - All transfers together move no more than the rate, but for what was saved in a rest.
//! - While several transfers take part, each gets the same, whoever asks first or most often.
//! - What a transfer took alone after a rest is given back by and by to those who join it.

use std::sync::Arc;
use std::time::{Duration, Instant};

/// Bytes per second, and what is left of them.
#[derive(Debug)]
pub(super) struct Rate {
    per_second: u64,
    /// What may be taken in all. May be below zero: then so much was taken ahead.
    tokens: f64,
    /// Of these, what belongs to the transfers that take part.
    claimed: f64,
    /// What each that took part all the time has been granted since the beginning.
    granted: f64,
    filled: Option<Instant>,
    /// Each that takes part holds it too; so one that is dropped takes part no more.
    members: Arc<()>,
}

/// The part of one transfer.
#[derive(Debug, Default)]
pub(super) struct Share {
    member: Option<Arc<()>>,
    /// [`Rate::granted`] when it was last looked at.
    seen: f64,
    /// What it may take.
    balance: f64,
    /// What it has taken after a rest, before others came.
    debt: f64,
    /// It has moved something since it takes part.
    has_moved: bool,
    /// It has been told to wait.
    waits: bool,
}

impl Rate {
    /// Sets, changes or lifts a bound.
    pub(super) fn set(rate: &mut Option<Rate>, per_second: Option<u64>) {
        match (rate.as_mut(), per_second) {
            (Some(rate), Some(per_second)) => rate.per_second = per_second,
            (None, Some(per_second)) => {
                *rate = Some(Rate {
                    per_second,
                    tokens: 0.0,
                    claimed: 0.0,
                    granted: 0.0,
                    filled: None,
                    members: Arc::new(()),
                });
            }
            (_, None) => *rate = None,
        }
    }

    /// How many bytes a transfer may move now.
    ///
    /// # Errors
    /// How long it must wait for the next piece.
    pub(super) fn available(&mut self, share: &mut Share, now: Instant) -> Result<usize, Duration> {
        self.fill(now);
        self.enter(share);
        self.settle(share);
        let may = share.balance.min(self.tokens);
        // Soon for one that comes back: it may have been its peer that was slow until now.
        let piece = if share.has_moved { self.piece() } else { self.piece().min(PIECE_BYTES) };
        if may >= if share.waits { piece } else { 1.0 } {
            share.waits = false;
            share.has_moved = true;
            return Ok(may as usize);
        }
        share.waits = true;
        let own = (piece - share.balance) * self.count() / self.rate();
        let all = (piece - self.tokens) / self.rate();
        // A fraction that is lost in rounding must not make it a pause of nothing.
        Err(Duration::from_secs_f64(own.max(all).clamp(PAUSE_MIN.as_secs_f64(), WAIT_MAX.as_secs_f64())))
    }

    /// A transfer has moved bytes.
    pub(super) fn take(&mut self, share: &mut Share, count: u64) {
        self.tokens -= count as f64;
        self.claimed -= count as f64;
        share.balance -= count as f64;
    }

    /// A transfer cannot move more at the moment, since its peer or a disk is slower, or has moved its last byte.
    pub(super) fn rest(&mut self, share: &mut Share) {
        let own = share.member.take().is_some_and(|member| Arc::ptr_eq(&member, &self.members));
        if own {
            self.claimed -= share.balance;
            self.grant(share.balance);
        }
        // What it gives back it has not taken.
        *share = Share { debt: (share.debt - share.balance).max(0.0), ..Share::default() };
    }

    /// What time has brought since the last call.
    fn fill(&mut self, now: Instant) {
        let new = match self.filled {
            Some(filled) => self.rate() * now.saturating_duration_since(filled).as_secs_f64(),
            None => self.burst(),
        };
        self.filled = Some(now);
        if self.members() == 0 {
            // Those that were dropped have left something, or nothing.
            self.claimed = 0.0;
            self.tokens = self.burst().min(self.tokens + new);
        } else {
            // Those who take part need room for the parts of all.
            let most = 2.0 * (self.burst() + self.count());
            let new = new.min(most - self.tokens);
            self.tokens += new;
            self.grant(new);
        }
    }

    fn enter(&mut self, share: &mut Share) {
        if share.member.as_ref().is_some_and(|member| Arc::ptr_eq(member, &self.members)) {
            return;
        }
        let free = (self.tokens - self.claimed).max(0.0);
        let debt = (share.debt + free).min(self.burst());
        let member = Some(Arc::clone(&self.members));
        *share = Share { member, seen: self.granted, balance: free, debt, ..Share::default() };
        self.claimed += free;
    }

    /// Takes over what was granted since the last call.
    fn settle(&mut self, share: &mut Share) {
        let granted = self.granted - share.seen;
        share.seen = self.granted;
        // A part of it, so that it is slower for a while, and never silent.
        let paid = share.debt.min(granted * DEBT_PART).max(0.0);
        let most = (self.burst() / self.count()).max(self.piece() + 1.0);
        let excess = (share.balance + granted - paid - most).max(0.0);
        share.balance += granted - paid - excess;
        share.debt = (share.debt - paid - excess).max(0.0);
        self.claimed -= paid + excess;
        self.grant(paid + excess);
    }

    /// Divides bytes among all that take part.
    fn grant(&mut self, bytes: f64) {
        if self.members() > 0 {
            self.granted += bytes / self.count();
            self.claimed += bytes;
        }
    }

    fn members(&self) -> usize {
        Arc::strong_count(&self.members) - 1
    }

    /// How many take part; at least one, to divide by.
    fn count(&self) -> f64 {
        self.members().max(1) as f64
    }

    fn rate(&self) -> f64 {
        self.per_second as f64
    }

    fn burst(&self) -> f64 {
        (self.rate() * BURST.as_secs_f64()).max(1.0)
    }

    /// What a transfer waits for: large enough to be worth a system call, small enough that it moves several times in a second
    /// however many there are.
    fn piece(&self) -> f64 {
        let own = self.rate() / self.count();
        let pause = (PIECE_BYTES / own).clamp(PAUSE.as_secs_f64(), PAUSE_MAX.as_secs_f64());
        (own * pause).max(1.0)
    }
}

/// What may come at once after a rest.
const BURST: Duration = Duration::from_millis(250);

/// What a transfer that found something after a rest gives of its part to those who joined it.
const DEBT_PART: f64 = 2.0 / 3.0;

/// What fills a packet.
const PIECE_BYTES: f64 = 1400.0;

const PAUSE: Duration = Duration::from_millis(50);

/// For pieces that fill no packet even after this, it is no longer. Ten times a second a client sees that its transfer moves.
const PAUSE_MAX: Duration = Duration::from_millis(100);

const PAUSE_MIN: Duration = Duration::from_millis(1);

/// A byte of the slowest rate for the largest number of sessions is longer on its way; it is asked for again.
const WAIT_MAX: Duration = Duration::from_secs(3600);

#[cfg(test)]
#[path = "rate_tests.rs"]
mod tests;
