//! Signals reach the handler, each delivery once; in a process of its own.

#![allow(clippy::unwrap_used, reason = "clippy.toml allows it in test functions, but not in their helpers")]

use std::time::Duration;

use muxftp_reactor::{Again, Clock, Handler, Key, Reactor, Readiness};
use rustix::process::{Signal, getpid, kill_process};

#[derive(Default)]
struct Log(Vec<i32>);

impl Handler<()> for Log {
    fn ready(&mut self, _: &mut Reactor<()>, _: Key, (): (), _: Readiness) -> Again {
        Again::No
    }

    fn timeout(&mut self, _: &mut Reactor<()>, _: Key, (): ()) {}

    fn signal(&mut self, _: &mut Reactor<()>, signal: i32) {
        self.0.push(signal);
    }
}

fn send(signal: Signal) {
    kill_process(getpid(), signal).unwrap();
}

fn wait_for(reactor: &mut Reactor<()>, log: &mut Log, count: usize) {
    while log.0.len() < count {
        reactor.turn(log, None).unwrap();
    }
}

#[test]
fn each_delivery_is_told_once_and_the_second_too() {
    let (one, two) = (Signal::USR1, Signal::USR2);
    let mut reactor = Reactor::new(Clock::Poll).unwrap();
    reactor.watch_signals(&[one.as_raw(), two.as_raw()]).unwrap();
    // Watching twice is watching once.
    reactor.watch_signals(&[one.as_raw()]).unwrap();
    let mut log = Log::default();

    for count in 1..=3 {
        send(one);
        wait_for(&mut reactor, &mut log, count);
    }
    send(two);
    wait_for(&mut reactor, &mut log, 4);

    let (one, two) = (one.as_raw(), two.as_raw());
    assert_eq!(log.0, [one, one, one, two]);
}

#[test]
fn a_signal_that_interrupts_the_poll_makes_an_ordinary_turn() {
    let signal = Signal::WINCH;
    let mut reactor = Reactor::new(Clock::Timerfd).unwrap();
    reactor.watch_signals(&[signal.as_raw()]).unwrap();
    let mut log = Log::default();
    // From another thread, so that some arrive while this one is inside the poll.
    let sender = std::thread::spawn(move || {
        for _ in 0..200 {
            send(signal);
            std::thread::yield_now();
        }
    });
    while !sender.is_finished() || log.0.is_empty() {
        reactor.turn(&mut log, Some(Duration::from_millis(1))).unwrap();
    }
    sender.join().unwrap();
    assert!(log.0.len() <= 200);
}
