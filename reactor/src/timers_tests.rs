use std::collections::BTreeMap;
use std::time::Duration;

use super::*;
use crate::Readiness;

/// Timers with their slots and a clock that is moved by hand.
struct World {
    timers: Timers,
    slots: Table<Slot<()>>,
    start: Instant,
}

impl World {
    fn new() -> Self {
        Self { timers: Timers::default(), slots: Table::new(), start: Instant::now() }
    }

    fn open(&mut self) -> Key {
        self.slots.insert(Slot::new((), Readiness::default()))
    }

    fn close(&mut self, key: Key) {
        self.timers.forget(&mut self.slots, key);
        self.slots.remove(key);
    }

    fn at(&self, ms: u64) -> Instant {
        self.start + Duration::from_millis(ms)
    }

    fn arm(&mut self, key: Key, ms: u64) {
        let at = self.at(ms);
        self.timers.arm(&mut self.slots, key, Some(at));
    }

    fn cancel(&mut self, key: Key) {
        self.timers.arm(&mut self.slots, key, None);
    }

    fn due(&mut self, now_ms: u64) -> Vec<Key> {
        let now = self.at(now_ms);
        std::iter::from_fn(|| self.timers.pop_due(&mut self.slots, now)).map(|due| due.key).collect()
    }

    fn next_ms(&mut self) -> Option<u128> {
        let next = self.timers.next(&mut self.slots)?;
        Some((next - self.start).as_millis())
    }
}

#[test]
fn deadlines_pass_in_their_order() {
    let mut world = World::new();
    let keys: Vec<Key> = (0..4).map(|_| world.open()).collect();
    for (key, ms) in keys.iter().zip([30, 10, 40, 20]) {
        world.arm(*key, ms);
    }
    assert_eq!(world.next_ms(), Some(10));
    assert_eq!(world.due(9), []);
    assert_eq!(world.due(30), [keys[1], keys[3], keys[0]]);
    assert_eq!(world.due(1000), [keys[2]]);
    assert_eq!(world.next_ms(), None);
}

#[test]
fn a_later_deadline_moves_its_entry_only_when_it_comes_up() {
    let mut world = World::new();
    let key = world.open();
    world.arm(key, 10);
    for ms in 11..1000 {
        world.arm(key, ms);
    }
    assert_eq!(world.timers.heap.len(), 1);
    assert_eq!(world.next_ms(), Some(10));

    assert_eq!(world.due(10), []);
    assert_eq!(world.next_ms(), Some(999));
    assert_eq!(world.due(999), [key]);
}

#[test]
fn an_earlier_deadline_passes_once() {
    let mut world = World::new();
    let key = world.open();
    world.arm(key, 300);
    world.arm(key, 10);
    assert_eq!(world.next_ms(), Some(10));
    assert_eq!(world.due(10), [key]);
    assert_eq!(world.next_ms(), None);
    assert_eq!(world.due(300), []);
}

#[test]
fn an_old_entry_of_the_same_moment_does_not_come_alive_again() {
    let mut world = World::new();
    let key = world.open();
    world.arm(key, 300);
    world.arm(key, 10);
    assert_eq!(world.due(10), [key]);
    world.arm(key, 300);
    assert_eq!(world.due(300), [key]);
}

#[test]
fn a_cancelled_deadline_never_passes() {
    let mut world = World::new();
    let key = world.open();
    world.arm(key, 10);
    world.cancel(key);
    assert_eq!(world.due(10), []);
    assert!(world.timers.is_empty());

    world.arm(key, 20);
    assert_eq!(world.due(20), [key]);
}

#[test]
fn a_reused_slot_does_not_inherit_a_deadline() {
    let mut world = World::new();
    let old = world.open();
    world.arm(old, 10);
    world.close(old);
    let new = world.open();
    assert_eq!(world.due(10), []);

    world.arm(old, 20);
    world.arm(new, 30);
    assert_eq!(world.due(30), [new]);
}

#[test]
fn alternating_deadlines_do_not_grow_the_heap() {
    let mut world = World::new();
    let key = world.open();
    // For a minute, 10,000 times per second: a transfer's stall and a session's idle time.
    for tick in 0..600_000 {
        let now_ms = tick / 10;
        world.arm(key, now_ms + 300_000);
        // An entry that comes up here goes back with the long deadline: the worst case.
        assert_eq!(world.due(now_ms), []);
        world.arm(key, now_ms + 10_000);
        assert!(world.timers.heap.len() <= 2 + SLACK);
    }
}

#[test]
fn earlier_and_earlier_deadlines_do_not_grow_the_heap() {
    let mut world = World::new();
    let key = world.open();
    for ms in (0..100_000).rev() {
        world.arm(key, ms);
        assert!(world.timers.heap.len() <= 2 + SLACK);
    }
    assert_eq!(world.due(0), [key]);
}

#[test]
fn closed_sessions_do_not_grow_the_heap() {
    let mut world = World::new();
    for _ in 0..10_000 {
        let key = world.open();
        world.arm(key, 300_000);
        world.close(key);
        assert!(world.timers.heap.len() <= SLACK);
    }
}

/// Random operations against a plain map of what is wanted.
#[test]
fn agrees_with_a_map_of_deadlines() {
    let mut world = World::new();
    let keys: Vec<Key> = (0..20).map(|_| world.open()).collect();
    let mut wanted: BTreeMap<usize, u64> = BTreeMap::new();
    let mut random = 0x9E37_79B9_7F4A_7C15_u64;
    let mut draw = |below: u64| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random % below
    };
    for now_ms in 0..20_000 {
        let which = draw(20) as usize;
        if draw(4) == 0 {
            world.cancel(keys[which]);
            wanted.remove(&which);
        } else {
            let ms = now_ms + draw(500);
            world.arm(keys[which], ms);
            wanted.insert(which, ms);
        }
        if let Some(earliest) = wanted.values().min() {
            assert!(world.next_ms().unwrap() <= u128::from(*earliest));
        }
        let mut due = world.due(now_ms);
        due.sort_unstable_by_key(|key| key.index());
        let expected: Vec<Key> =
            wanted.iter().filter(|(_, ms)| **ms <= now_ms).map(|(which, _)| keys[*which]).collect();
        wanted.retain(|_, ms| *ms > now_ms);
        assert_eq!(due, expected, "at {now_ms} ms");
    }
}
