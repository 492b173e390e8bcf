//! Deadlines by each clock: in order, never early, and a wait that is set can be shortened.

#![allow(clippy::unwrap_used, reason = "clippy.toml allows it in test functions, but not in their helpers")]

use std::time::{Duration, Instant};

use muxftp_reactor::{Again, Clock, Handler, Key, Reactor, Readiness};

const CLOCKS: [Clock; 3] = [Clock::Poll, Clock::Timerfd, Clock::Spin];

/// The owner's name of each timer is its deadline.
#[derive(Default)]
struct Fired(Vec<Instant>);

impl Handler<Instant> for Fired {
    fn ready(&mut self, _: &mut Reactor<Instant>, _: Key, _: Instant, _: Readiness) -> Again {
        Again::No
    }

    fn timeout(&mut self, rx: &mut Reactor<Instant>, _: Key, deadline: Instant) {
        assert!(rx.now() >= deadline, "early by {:?}", deadline - rx.now());
        self.0.push(deadline);
    }
}

fn add(rx: &mut Reactor<Instant>, deadline: Instant) {
    let key = rx.add_timer(deadline);
    rx.arm(key, Some(deadline));
}

fn far(rx: &Reactor<Instant>) -> Instant {
    rx.now() + Duration::from_secs(36_000)
}

#[test]
fn deadlines_pass_in_order_and_never_early() {
    for clock in CLOCKS {
        let mut rx = Reactor::new(clock).unwrap();
        let mut fired = Fired::default();
        let start = Instant::now();
        // Several expiries in a row show that a timerfd need not be read in between.
        let mut deadlines = [7, 1, 4].map(|ms| start + Duration::from_millis(ms));
        for deadline in deadlines {
            add(&mut rx, deadline);
        }
        while fired.0.len() < deadlines.len() {
            rx.turn(&mut fired, None).unwrap();
        }
        deadlines.sort_unstable();
        assert_eq!(fired.0, deadlines, "{clock:?}");
        assert_eq!(rx.stats().timer_lag.len(), 3);
    }
}

#[test]
fn an_earlier_deadline_shortens_a_wait_that_was_set() {
    for clock in CLOCKS {
        let mut rx = Reactor::new(clock).unwrap();
        let mut fired = Fired::default();
        let far = far(&rx);
        add(&mut rx, far);
        rx.turn(&mut fired, Some(Duration::from_millis(1))).unwrap();

        let near = rx.now() + Duration::from_millis(5);
        add(&mut rx, near);
        // Were the timer still set to the first deadline, this would not end.
        while fired.0.is_empty() {
            rx.turn(&mut fired, None).unwrap();
        }
        assert_eq!(fired.0, [near], "{clock:?}");
    }
}

#[test]
fn a_wait_ends_at_max_wait_although_a_deadline_is_far() {
    for clock in CLOCKS {
        let mut rx = Reactor::new(clock).unwrap();
        let mut fired = Fired::default();
        let far = far(&rx);
        add(&mut rx, far);
        rx.turn(&mut fired, Some(Duration::from_millis(2))).unwrap();
        assert!(fired.0.is_empty(), "{clock:?}");
    }
}
