//! The passwords that wait to be checked: fair by address, and few at once.
//!
//! A check takes tens of milliseconds of a processor, so whoever asks for a thousand would make everybody else wait. The
//! addresses take turns; each has its next check in its turn, so a client waits for the checks of its own address and for
//! one of each other address, whatever these have in the queue. It must not know sessions, threads or what a check is.
//!
//! # Invariants
//! - At most `running_max` checks run at once, and at most [`limits::CHECKS_PER_ADDRESS`] of an address.
//! - An address is in `turns` once as long as it has checks that wait.
//! - `waiting` is the number of all that wait, at most [`limits::PASSWORDS_WAITING_MAX`].
//! - What is taken out of the queue to run is counted until [`PasswordQueue::finished`].

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;

use crate::failures::counted;
use crate::limits;

/// What waits, by address. A `T` is a check.
#[derive(Debug)]
pub(super) struct PasswordQueue<T> {
    lines: HashMap<IpAddr, Line<T>>,
    turns: VecDeque<IpAddr>,
    waiting: usize,
    running: usize,
    running_max: usize,
}

#[derive(Debug)]
struct Line<T> {
    waiting: VecDeque<T>,
    running: usize,
}

impl<T> PasswordQueue<T> {
    pub(super) fn new(running_max: usize) -> PasswordQueue<T> {
        PasswordQueue { lines: HashMap::new(), turns: VecDeque::new(), waiting: 0, running: 0, running_max }
    }

    /// Puts a check at the end of its address's line; gives the check for which there is no room: this one, or, in a full
    /// queue, the last of the longest line when that is longer than this address's.
    #[must_use = "whoever waits for it must be answered"]
    pub(super) fn push(&mut self, address: IpAddr, check: T) -> Option<T> {
        let address = counted(address);
        let own = self.lines.get(&address).map_or(0, |line| line.waiting.len());
        if own >= limits::PASSWORDS_WAITING_PER_ADDRESS {
            return Some(check);
        }
        let mut displaced = None;
        if self.waiting >= limits::PASSWORDS_WAITING_MAX {
            displaced = self.displace(own + 1);
            if displaced.is_none() {
                return Some(check);
            }
        }
        let line = self.lines.entry(address).or_insert_with(|| Line { waiting: VecDeque::new(), running: 0 });
        if line.waiting.is_empty() {
            self.turns.push_back(address);
        }
        line.waiting.push_back(check);
        self.waiting += 1;
        displaced
    }

    /// The next check to run. `most` says of an address how many of its checks may run at once, beside the bound for all.
    pub(super) fn next(&mut self, most: impl Fn(IpAddr) -> usize) -> Option<T> {
        if self.running >= self.running_max {
            return None;
        }
        // Only those are passed over that have checks running: no more than run at once.
        for _ in 0..self.turns.len() {
            let address = self.turns.pop_front()?;
            let Some(line) = self.lines.get_mut(&address) else { continue };
            if line.running >= most(address).min(limits::CHECKS_PER_ADDRESS) {
                self.turns.push_back(address);
                continue;
            }
            let Some(check) = line.waiting.pop_front() else { continue };
            line.running += 1;
            self.running += 1;
            self.waiting -= 1;
            if !line.waiting.is_empty() {
                self.turns.push_back(address);
            }
            return Some(check);
        }
        None
    }

    /// A check of this address that ran is over, or will not be made.
    pub(super) fn finished(&mut self, address: IpAddr) {
        let address = counted(address);
        let Some(line) = self.lines.get_mut(&address) else { return };
        line.running = line.running.saturating_sub(1);
        self.running = self.running.saturating_sub(1);
        self.drop_if_empty(address);
    }

    /// Takes out all checks of an address that wait.
    pub(super) fn take_all(&mut self, address: IpAddr) -> VecDeque<T> {
        let address = counted(address);
        let Some(line) = self.lines.get_mut(&address) else { return VecDeque::new() };
        let taken = std::mem::take(&mut line.waiting);
        self.waiting -= taken.len();
        self.turns.retain(|turn| *turn != address);
        self.drop_if_empty(address);
        taken
    }

    /// Drops what waits for somebody who has gone.
    pub(super) fn forget(&mut self, address: IpAddr, is_gone: impl Fn(&T) -> bool) {
        // Nearly every session ends while nothing waits.
        if self.waiting == 0 {
            return;
        }
        let address = counted(address);
        let Some(line) = self.lines.get_mut(&address) else { return };
        let before = line.waiting.len();
        line.waiting.retain(|check| !is_gone(check));
        self.waiting -= before - line.waiting.len();
        if before > 0 && line.waiting.is_empty() {
            self.turns.retain(|turn| *turn != address);
        }
        self.drop_if_empty(address);
    }

    /// Takes out the last check of the longest line, when that is longer than `than`.
    fn displace(&mut self, than: usize) -> Option<T> {
        let longest = self.lines.iter().max_by_key(|(_, line)| line.waiting.len()).map(|(address, _)| *address)?;
        let line = self.lines.get_mut(&longest).filter(|line| line.waiting.len() > than)?;
        let last = line.waiting.pop_back()?;
        self.waiting -= 1;
        Some(last)
    }

    fn drop_if_empty(&mut self, address: IpAddr) {
        if self.lines.get(&address).is_some_and(|line| line.running == 0 && line.waiting.is_empty()) {
            self.lines.remove(&address);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(last: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, last])
    }

    /// A check is an address and a number.
    type Check = (u8, usize);

    fn queue(threads: usize) -> PasswordQueue<Check> {
        PasswordQueue::new(threads)
    }

    fn push(queue: &mut PasswordQueue<Check>, from: u8, numbers: std::ops::Range<usize>) {
        for number in numbers {
            assert_eq!(queue.push(address(from), (from, number)), None);
        }
    }

    fn any(_: IpAddr) -> usize {
        usize::MAX
    }

    /// Runs one check after the other to its end.
    fn drain(queue: &mut PasswordQueue<Check>) -> Vec<Check> {
        std::iter::from_fn(|| {
            let check = queue.next(any)?;
            queue.finished(address(check.0));
            Some(check)
        })
        .collect()
    }

    fn assert_empty(queue: &PasswordQueue<Check>) {
        assert!(queue.lines.is_empty() && queue.turns.is_empty(), "{queue:?}");
        assert_eq!((queue.waiting, queue.running), (0, 0));
    }

    #[test]
    fn a_storm_from_one_address_leaves_the_next_turn_to_others() {
        let mut queue = queue(2);
        push(&mut queue, 66, 0..limits::PASSWORDS_WAITING_PER_ADDRESS);
        assert_eq!((queue.next(any), queue.next(any)), (Some((66, 0)), Some((66, 1))));
        push(&mut queue, 1, 0..1);
        assert_eq!(queue.next(any), None, "both threads are busy");
        queue.finished(address(66));
        assert_eq!(queue.next(any), Some((66, 2)), "whose turn it was already");
        queue.finished(address(66));
        assert_eq!(queue.next(any), Some((1, 0)), "after one more check, and not after 510");
    }

    #[test]
    fn addresses_take_turns_and_each_keeps_its_order() {
        let mut queue = queue(2);
        push(&mut queue, 1, 0..3);
        push(&mut queue, 2, 0..2);
        push(&mut queue, 3, 0..1);
        assert_eq!(drain(&mut queue), [(1, 0), (2, 0), (3, 0), (1, 1), (2, 1), (1, 2)]);
        assert_empty(&queue);
    }

    #[test]
    fn few_checks_run_at_once_and_fewer_of_one_address() {
        let mut queue = queue(3);
        push(&mut queue, 1, 0..10);
        push(&mut queue, 2, 0..10);
        let running: Vec<_> = std::iter::from_fn(|| queue.next(any)).collect();
        assert_eq!(running, [(1, 0), (2, 0), (1, 1)], "three in all");
        let mut queue = self::queue(10);
        push(&mut queue, 1, 0..10);
        push(&mut queue, 2, 0..10);
        let running: Vec<_> = std::iter::from_fn(|| queue.next(any)).collect();
        assert_eq!(running.iter().filter(|check| check.0 == 1).count(), limits::CHECKS_PER_ADDRESS);
        assert_eq!(running.len(), 2 * limits::CHECKS_PER_ADDRESS);
    }

    #[test]
    fn an_address_may_be_held_to_one_check_at_a_time() {
        let mut queue = queue(2);
        push(&mut queue, 66, 0..3);
        let one = |from: IpAddr| if from == address(66) { 1 } else { 2 };
        assert_eq!((queue.next(one), queue.next(one)), (Some((66, 0)), None));
        push(&mut queue, 1, 0..1);
        assert_eq!(queue.next(one), Some((1, 0)), "it finds a thread free");
        queue.finished(address(66));
        assert_eq!(queue.next(one), Some((66, 1)));
    }

    #[test]
    fn a_full_queue_makes_room_for_those_who_have_little_in_it() {
        let mut queue = queue(1);
        let each = limits::PASSWORDS_WAITING_PER_ADDRESS;
        push(&mut queue, 66, 0..each);
        assert_eq!(queue.push(address(66), (66, each)), Some((66, each)), "its line is full");
        let others = (limits::PASSWORDS_WAITING_MAX / each - 1) as u8;
        for other in 0..others {
            push(&mut queue, 100 + other, 0..each);
        }
        assert_eq!(queue.waiting, limits::PASSWORDS_WAITING_MAX);
        let displaced = queue.push(address(1), (1, 0)).unwrap();
        assert!(displaced.0 != 1 && displaced.1 == each - 1, "the last of a long line: {displaced:?}");
        assert_eq!(queue.waiting, limits::PASSWORDS_WAITING_MAX);
        assert_eq!(drain(&mut queue).iter().position(|check| *check == (1, 0)), Some(1 + usize::from(others)));
        assert_empty(&queue);
    }

    #[test]
    fn many_addresses_with_one_check_each_are_bounded_too() {
        let mut queue = queue(1);
        let from = |n: usize| IpAddr::from((n as u32).to_be_bytes());
        for n in 0..limits::PASSWORDS_WAITING_MAX {
            assert_eq!(queue.push(from(n), (0, n)), None);
        }
        let one_more = limits::PASSWORDS_WAITING_MAX;
        assert_eq!(queue.push(from(one_more), (0, one_more)), Some((0, one_more)), "nobody has more than it");
    }

    #[test]
    fn what_is_taken_out_or_forgotten_leaves_nothing() {
        let mut queue = queue(2);
        push(&mut queue, 66, 0..5);
        push(&mut queue, 1, 0..2);
        assert_eq!(queue.next(any), Some((66, 0)));
        assert_eq!(queue.take_all(address(66)), [(66, 1), (66, 2), (66, 3), (66, 4)]);
        assert_eq!(queue.take_all(address(66)), []);
        queue.forget(address(1), |check| check.1 == 0);
        assert_eq!(queue.next(any), Some((1, 1)));
        push(&mut queue, 1, 2..3);
        queue.forget(address(1), |_| true);
        queue.forget(address(7), |_| true);
        assert_eq!(queue.next(any), None);
        queue.finished(address(66));
        queue.finished(address(1));
        assert_empty(&queue);
    }

    #[test]
    fn an_ipv6_network_is_one_address() {
        let mut queue = queue(2);
        let from = |text: &str| text.parse::<IpAddr>().unwrap();
        assert_eq!(queue.push(from("2001:db8::1"), (1, 0)), None);
        assert_eq!(queue.push(from("2001:db8::2"), (1, 1)), None);
        assert_eq!(queue.push(from("2001:db8:0:1::1"), (2, 0)), None);
        assert_eq!((queue.next(any), queue.next(any)), (Some((1, 0)), Some((2, 0))));
        assert_eq!(queue.take_all(from("2001:db8::3")), [(1, 1)]);
    }
}
