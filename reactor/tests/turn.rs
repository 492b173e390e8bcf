//! The contract of a turn: its order, fairness, who may free what, and wake-ups.

#![allow(clippy::unwrap_used, reason = "clippy.toml allows it in test functions, but not in their helpers")]

use std::collections::HashMap;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream as Peer;
use std::time::Duration;

use mio::net::UnixStream;
use muxftp_reactor::{Again, Clock, Handler, Key, Reactor, Readiness, TurnStats};

/// A name for a source, as an owner would have it.
type Name = &'static str;

/// What the loop called, in order.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Call {
    Ready(Name),
    Timeout(Name),
    Woken,
    End,
}

/// Notes each call, and then does what the test has planned for it.
#[derive(Default)]
struct Script {
    calls: Vec<Call>,
    plans: HashMap<Name, Plan>,
    at_timeout: HashMap<Name, Plan>,
}

type Plan = Box<dyn FnMut(&mut Reactor<Name>, Key, Readiness) -> Again>;

impl Script {
    fn when_ready(&mut self, name: Name, plan: impl FnMut(&mut Reactor<Name>, Key, Readiness) -> Again + 'static) {
        self.plans.insert(name, Box::new(plan));
    }

    fn at_timeout(&mut self, name: Name, mut plan: impl FnMut(&mut Reactor<Name>, Key) + 'static) {
        let plan = move |rx: &mut Reactor<Name>, key: Key, _: Readiness| {
            plan(rx, key);
            Again::No
        };
        self.at_timeout.insert(name, Box::new(plan));
    }

    fn take_calls(&mut self) -> Vec<Call> {
        std::mem::take(&mut self.calls)
    }
}

impl Handler<Name> for Script {
    fn ready(&mut self, rx: &mut Reactor<Name>, key: Key, name: Name, now: Readiness) -> Again {
        self.calls.push(Call::Ready(name));
        match self.plans.get_mut(name) {
            Some(plan) => plan(rx, key, now),
            None => Again::No,
        }
    }

    fn timeout(&mut self, rx: &mut Reactor<Name>, key: Key, name: Name) {
        self.calls.push(Call::Timeout(name));
        if let Some(plan) = self.at_timeout.get_mut(name) {
            let _ = plan(rx, key, Readiness::default());
        }
    }

    fn woken(&mut self, _: &mut Reactor<Name>) {
        self.calls.push(Call::Woken);
    }

    fn end_of_turn(&mut self, _: &mut Reactor<Name>) {
        self.calls.push(Call::End);
    }
}

fn reactor() -> Reactor<Name> {
    Reactor::new(Clock::Poll).unwrap()
}

/// A registered stream and its peer.
fn stream(rx: &mut Reactor<Name>, name: Name) -> (Key, UnixStream, Peer) {
    let (peer, stream) = Peer::pair().unwrap();
    stream.set_nonblocking(true).unwrap();
    let mut stream = UnixStream::from_std(stream);
    let key = rx.register(&mut stream, name).unwrap();
    (key, stream, peer)
}

fn turn(rx: &mut Reactor<Name>, script: &mut Script) -> Vec<Call> {
    rx.turn(script, Some(Duration::ZERO)).unwrap();
    script.take_calls()
}

const NO_WAIT: Option<Duration> = Some(Duration::ZERO);

#[test]
fn a_turn_has_a_fixed_order() {
    let (mut rx, mut script) = (reactor(), Script::default());
    let timer = rx.add_timer("timer");
    rx.arm(timer, Some(rx.now()));
    let work = rx.add_timer("work");
    rx.queue(work);
    rx.waker().wake().unwrap();

    let expected = [Call::Woken, Call::Ready("work"), Call::Timeout("timer"), Call::End];
    assert_eq!(turn(&mut rx, &mut script), expected);
    assert_eq!(turn(&mut rx, &mut script), [Call::End]);
}

#[test]
fn hints_stay_until_the_owner_clears_them() {
    let (mut rx, mut script) = (reactor(), Script::default());
    let (key, mut stream, mut peer) = stream(&mut rx, "stream");
    peer.write_all(b"12").unwrap();
    turn(&mut rx, &mut script);
    assert!(rx.readiness(key).unwrap().readable);

    stream.read_exact(&mut [0]).unwrap();
    turn(&mut rx, &mut script);
    assert!(rx.readiness(key).unwrap().readable);

    stream.read_exact(&mut [0]).unwrap();
    stream.read(&mut [0]).unwrap_err();
    rx.readiness(key).unwrap().readable = false;
    turn(&mut rx, &mut script);
    assert!(!rx.readiness(key).unwrap().readable);

    peer.write_all(b"3").unwrap();
    assert_eq!(turn(&mut rx, &mut script), [Call::Ready("stream"), Call::End]);
    assert!(rx.readiness(key).unwrap().readable);
}

#[test]
fn a_hang_up_is_a_hint_to_read_to_the_end() {
    let (mut rx, mut script) = (reactor(), Script::default());
    let (key, mut stream, mut peer) = stream(&mut rx, "stream");
    peer.write_all(b"last words").unwrap();
    drop(peer);
    turn(&mut rx, &mut script);

    let hints = *rx.readiness(key).unwrap();
    assert!(hints.read_closed && hints.readable);
    let mut heard = String::new();
    stream.read_to_string(&mut heard).unwrap();
    assert_eq!(heard, "last words");
}

#[test]
fn an_assumed_readiness_is_there_before_any_event() {
    let mut rx = reactor();
    let (_peer, stream) = Peer::pair().unwrap();
    stream.set_nonblocking(true).unwrap();
    let assumed = Readiness { readable: true, ..Readiness::default() };
    let mut stream = UnixStream::from_std(stream);
    let key = rx.register_assuming(&mut stream, "stream", assumed).unwrap();
    assert_eq!(rx.readiness(key), Some(&mut assumed.clone()));
}

#[test]
fn a_source_that_cannot_be_registered_leaves_nothing_behind() {
    let mut rx = reactor();
    let file = std::fs::File::open(std::env::current_exe().unwrap()).unwrap();
    let fd = std::os::fd::AsRawFd::as_raw_fd(&file);
    rx.register(&mut mio::unix::SourceFd(&fd), "file").unwrap_err();

    let (key, _stream, _peer) = stream(&mut rx, "stream");
    assert!(format!("{key:?}").starts_with("0."), "the slot is free again");
}

#[test]
fn endless_data_does_not_starve_another_source() {
    let (mut rx, mut script) = (reactor(), Script::default());
    let (_, mut endless, mut source) = stream(&mut rx, "endless");
    source.write_all(&[0; 4096]).unwrap();
    script.when_ready("endless", move |_, _, _| {
        endless.read_exact(&mut [0; 4096]).unwrap();
        source.write_all(&[0; 4096]).unwrap();
        Again::Yes
    });
    let (_, mut small, mut asker) = stream(&mut rx, "small");
    script.when_ready("small", move |_, _, _| {
        let _ = small.read(&mut [0; 16]);
        Again::No
    });
    turn(&mut rx, &mut script);

    for _ in 0..100 {
        asker.write_all(b"NOOP").unwrap();
        let mut calls = turn(&mut rx, &mut script);
        calls.sort_by_key(|call| call != &Call::Ready("endless"));
        let expected = [Call::Ready("endless"), Call::Ready("small"), Call::End];
        assert_eq!(calls, expected);
    }
}

#[test]
fn a_key_is_in_the_queue_at_most_once() {
    let (mut rx, mut script) = (reactor(), Script::default());
    let (key, _stream, mut peer) = stream(&mut rx, "stream");
    peer.write_all(b"x").unwrap();
    rx.queue(key);
    rx.queue(key);
    assert_eq!(turn(&mut rx, &mut script), [Call::Ready("stream"), Call::End]);
}

#[test]
fn work_queued_while_the_queue_runs_waits_for_the_next_turn() {
    let (mut rx, mut script) = (reactor(), Script::default());
    let second = rx.add_timer("second");
    let first = rx.add_timer("first");
    script.when_ready("first", move |rx, _, _| {
        rx.queue(second);
        Again::No
    });
    rx.queue(first);
    assert_eq!(turn(&mut rx, &mut script), [Call::Ready("first"), Call::End]);
    // The queue holds work, so even a turn that may wait for ever does not.
    rx.turn(&mut script, None).unwrap();
    assert_eq!(script.take_calls(), [Call::Ready("second"), Call::End]);
}

/// Work that lasts longer than any slice of a turn.
fn long(_: &mut Reactor<Name>, _: Key, _: Readiness) -> Again {
    std::thread::sleep(Duration::from_millis(6));
    Again::Yes
}

#[test]
fn what_becomes_ready_runs_before_what_has_used_up_its_budget() {
    let (mut rx, mut script) = (reactor(), Script::default());
    for name in ["a", "b", "c"] {
        let key = rx.add_timer(name);
        script.when_ready(name, long);
        rx.defer(key);
    }
    let (_, mut small, mut asker) = stream(&mut rx, "small");
    script.when_ready("small", move |_, _, _| {
        let _ = small.read(&mut [0; 16]);
        Again::No
    });
    // It is writable from the beginning.
    turn(&mut rx, &mut script);
    for long in ["b", "c", "a", "b", "c", "a"] {
        asker.write_all(b"NOOP").unwrap();
        let expected = [Call::Ready("small"), Call::Ready(long), Call::End];
        assert_eq!(turn(&mut rx, &mut script), expected, "one slice of the backlog in each turn, in a circle");
    }
}

#[test]
fn what_the_slice_of_the_ready_queue_leaves_goes_on_before_the_backlog() {
    let (mut rx, mut script) = (reactor(), Script::default());
    let mut queued = |name, defer: bool| {
        let key = rx.add_timer(name);
        script.when_ready(name, |rx, key, readiness| {
            let _ = long(rx, key, readiness);
            Again::No
        });
        if defer { rx.defer(key) } else { rx.queue(key) }
    };
    queued("backlog", true);
    queued("more backlog", true);
    for name in ["a", "b", "c"] {
        queued(name, false);
    }
    assert_eq!(turn(&mut rx, &mut script), [Call::Ready("a"), Call::Ready("backlog"), Call::End]);
    for name in ["b", "c", "more backlog"] {
        // None may wait: there is work.
        rx.turn(&mut script, None).unwrap();
        assert_eq!(script.take_calls(), [Call::Ready(name), Call::End]);
    }
}

#[test]
fn timeouts_have_a_slice_of_the_turn() {
    let (mut rx, mut script) = (reactor(), Script::default());
    for name in ["a", "b"] {
        let key = rx.add_timer(name);
        script.at_timeout(name, |rx, key| {
            let _ = long(rx, key, Readiness::default());
        });
        rx.arm(key, Some(rx.now()));
    }
    let first = turn(&mut rx, &mut script);
    rx.turn(&mut script, None).unwrap();
    assert_eq!((first.len(), script.take_calls().len()), (2, 2), "one in each turn, and the end");
}

#[test]
fn answers_that_are_left_are_taken_in_the_next_turn() {
    let (mut rx, mut script) = (reactor(), Script::default());
    rx.wake_again();
    rx.turn(&mut script, None).unwrap();
    assert_eq!(script.take_calls(), [Call::Woken, Call::End]);
    assert_eq!(turn(&mut rx, &mut script), [Call::End]);
}

#[test]
fn a_released_key_gets_no_callback() {
    let (mut rx, mut script) = (reactor(), Script::default());
    let (key, _stream, mut peer) = stream(&mut rx, "victim");
    let killer = rx.add_timer("killer");
    script.when_ready("killer", move |rx, _, _| {
        rx.release(key);
        rx.release(key);
        rx.queue(key);
        rx.arm(key, Some(rx.now()));
        assert!(rx.readiness(key).is_none());
        Again::No
    });
    rx.arm(key, Some(rx.now()));
    rx.queue(killer);
    peer.write_all(b"x").unwrap();

    let expected = [Call::Ready("killer"), Call::End];
    assert_eq!(turn(&mut rx, &mut script), expected);
    // The stream is still open and still in epoll: its events name a key that is stale now.
    peer.write_all(b"x").unwrap();
    assert_eq!(turn(&mut rx, &mut script), [Call::End]);
}

#[test]
fn a_source_may_release_itself_and_still_ask_for_more() {
    let (mut rx, mut script) = (reactor(), Script::default());
    let key = rx.add_timer("last");
    script.when_ready("last", |rx, key, _| {
        rx.release(key);
        Again::Yes
    });
    rx.queue(key);
    assert_eq!(turn(&mut rx, &mut script), [Call::Ready("last"), Call::End]);
    assert_eq!(turn(&mut rx, &mut script), [Call::End]);
}

#[test]
fn a_slot_is_not_reused_within_the_turn_of_its_release() {
    let (mut rx, mut script) = (reactor(), Script::default());
    let old = rx.add_timer("old");
    rx.release(old);
    let during = rx.add_timer("during");
    turn(&mut rx, &mut script);
    let after = rx.add_timer("after");

    let index = |key: Key| format!("{key:?}").split('.').next().map(str::to_owned);
    assert_ne!(index(during), index(old));
    assert_eq!(index(after), index(old));
    assert_ne!(after, old);
}

#[test]
fn a_timeout_that_arms_itself_for_now_does_not_hold_the_turn() {
    let (mut rx, mut script) = (reactor(), Script::default());
    let key = rx.add_timer("eager");
    script.at_timeout("eager", |rx, key| rx.arm(key, Some(rx.now())));
    rx.arm(key, Some(rx.now()));
    let work = rx.add_timer("work");
    rx.queue(work);

    let first = turn(&mut rx, &mut script);
    rx.queue(work);
    let second = turn(&mut rx, &mut script);
    assert!(first.contains(&Call::Timeout("eager")));
    assert!(second.contains(&Call::Ready("work")));
}

#[test]
fn another_thread_wakes_the_loop() {
    let (mut rx, mut script) = (reactor(), Script::default());
    let waker = rx.waker();
    let thread = std::thread::spawn(move || waker.wake().unwrap());
    while !script.calls.contains(&Call::Woken) {
        rx.turn(&mut script, None).unwrap();
    }
    thread.join().unwrap();

    // And again: an eventfd that is never read still tells of each write.
    script.take_calls();
    rx.waker().wake().unwrap();
    rx.waker().wake().unwrap();
    rx.turn(&mut script, None).unwrap();
    assert_eq!(script.take_calls(), [Call::Woken, Call::End]);
}

#[test]
fn only_turns_with_work_count_as_busy() {
    let (mut rx, mut script) = (reactor(), Script::default());
    let key = rx.add_timer("work");
    rx.turn(&mut script, NO_WAIT).unwrap();
    rx.queue(key);
    rx.turn(&mut script, NO_WAIT).unwrap();
    assert_eq!((rx.stats().turns, rx.stats().busy.len()), (2, 1));

    let mut taken = rx.take_stats(TurnStats::new());
    assert_eq!((taken.turns, taken.busy.len()), (2, 1));
    assert_eq!((rx.stats().turns, rx.stats().busy.len()), (0, 0));
    taken.clear();
    assert_eq!((taken.turns, taken.busy.len()), (0, 0));
}
