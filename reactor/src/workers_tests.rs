use std::sync::mpsc::RecvTimeoutError;

use super::*;
use crate::{Again, Clock, Handler, Key, Reactor, Readiness};

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct TestLane {
    name: u32,
    threads: usize,
    queue: usize,
    class: usize,
    class_threads: usize,
}

impl Lane for TestLane {
    fn bounds(self) -> Bounds {
        let TestLane { threads, queue, class, class_threads, .. } = self;
        Bounds { threads, queue, class, class_threads }
    }
}

fn lane(name: u32, threads: usize, queue: usize) -> TestLane {
    TestLane { name, threads, queue, class: 0, class_threads: 100 }
}

struct Owner {
    workers: Workers<TestLane, u32>,
    results: Vec<u32>,
}

impl Handler<()> for Owner {
    fn ready(&mut self, _: &mut Reactor<()>, _: Key, (): (), _: Readiness) -> Again {
        Again::No
    }

    fn timeout(&mut self, _: &mut Reactor<()>, _: Key, (): ()) {}

    fn woken(&mut self, _: &mut Reactor<()>) {
        self.workers.drain(|result| self.results.push(result));
    }
}

fn pool() -> (Reactor<()>, Owner) {
    let reactor = Reactor::new(Clock::Poll).unwrap();
    let workers = Workers::new(&reactor.waker());
    (reactor, Owner { workers, results: Vec::new() })
}

/// Turns until only so many jobs have not given a result.
fn finish(reactor: &mut Reactor<()>, owner: &mut Owner, hanging: usize) {
    while owner.workers.pending() > hanging {
        reactor.turn(owner, None).unwrap();
    }
}

/// A job that tells when it runs, and ends when the sender is dropped or used.
fn hanging(number: u32) -> (Job<u32>, Receiver<()>, Sender<()>) {
    let (started, wait_for_start) = mpsc::channel();
    let (release, wait_for_release) = mpsc::channel::<()>();
    let job = move || {
        started.send(()).unwrap();
        let _ = wait_for_release.recv();
        number
    };
    (Box::new(job), wait_for_start, release)
}

#[test]
fn each_job_gives_one_result() {
    let (mut reactor, mut owner) = pool();
    for number in 0..100 {
        owner.workers.submit(lane(number % 7, 3, 100), Box::new(move || number)).unwrap();
    }
    finish(&mut reactor, &mut owner, 0);
    owner.results.sort_unstable();
    assert!(owner.results.iter().copied().eq(0..100));
}

#[test]
fn one_thread_keeps_the_order() {
    let (mut reactor, mut owner) = pool();
    for number in 0..100 {
        owner.workers.submit(lane(0, 1, 100), Box::new(move || number)).unwrap();
    }
    finish(&mut reactor, &mut owner, 0);
    assert!(owner.results.iter().copied().eq(0..100));
}

#[test]
fn jobs_that_hang_stop_no_other_lane() {
    let (mut reactor, mut owner) = pool();
    let mut releases = Vec::new();
    for number in 0..2 {
        let (job, started, release) = hanging(number);
        owner.workers.submit(lane(0, 2, 10), job).unwrap();
        started.recv().unwrap();
        releases.push(release);
    }
    // Behind those that hang.
    owner.workers.submit(lane(0, 2, 10), Box::new(|| 2)).unwrap();
    for number in 10..60 {
        owner.workers.submit(lane(number % 5 + 1, 1, 10), Box::new(move || number)).unwrap();
    }
    finish(&mut reactor, &mut owner, 3);
    owner.results.sort_unstable();
    assert!(owner.results.iter().copied().eq(10..60));

    drop(releases);
    finish(&mut reactor, &mut owner, 0);
    owner.results.sort_unstable();
    assert_eq!(owner.results[..3], [0, 1, 2]);
}

#[test]
fn a_class_bounds_its_lanes_together_and_no_other_class() {
    let (mut reactor, mut owner) = pool();
    let of_class = |name, class| TestLane { name, threads: 2, queue: 10, class, class_threads: 2 };
    let mut releases = Vec::new();
    for number in 0..2 {
        let (job, started, release) = hanging(number);
        owner.workers.submit(of_class(number, 1), job).unwrap();
        started.recv().unwrap();
        releases.push(release);
    }
    let (third, third_started, release) = hanging(2);
    owner.workers.submit(of_class(9, 1), third).unwrap();
    owner.workers.submit(of_class(9, 2), Box::new(|| 7)).unwrap();
    finish(&mut reactor, &mut owner, 3);
    assert_eq!(owner.results, [7]);
    assert_eq!(third_started.recv_timeout(Duration::from_millis(50)), Err(RecvTimeoutError::Timeout));

    releases.pop();
    third_started.recv().unwrap();
    drop((releases, release));
    finish(&mut reactor, &mut owner, 0);
}

#[test]
fn a_full_lane_gives_the_job_back() {
    let (mut reactor, mut owner) = pool();
    let (busy, started, release) = hanging(1);
    owner.workers.submit(lane(0, 1, 1), busy).unwrap();
    started.recv().unwrap();
    owner.workers.submit(lane(0, 1, 1), Box::new(|| 2)).unwrap();

    let QueueFull(job) = owner.workers.submit(lane(0, 1, 1), Box::new(|| 3)).unwrap_err();
    owner.workers.submit(lane(1, 1, 1), Box::new(|| 4)).unwrap();
    drop(release);
    finish(&mut reactor, &mut owner, 0);
    owner.workers.submit(lane(0, 1, 1), job).unwrap();
    finish(&mut reactor, &mut owner, 0);
    assert_eq!(owner.results.last(), Some(&3));
    owner.results.sort_unstable();
    assert_eq!(owner.results, [1, 2, 3, 4]);
}

#[test]
fn a_panic_reaches_the_loop() {
    let (mut reactor, mut owner) = pool();
    owner.workers.submit(lane(0, 1, 2), Box::new(|| panic!("a bug"))).unwrap();
    owner.workers.submit(lane(0, 1, 2), Box::new(|| 7)).unwrap();

    let turns = AssertUnwindSafe(|| finish(&mut reactor, &mut owner, 0));
    let panic = catch_unwind(turns).unwrap_err();
    assert_eq!(panic.downcast_ref(), Some(&"a bug"));

    // The lane has survived.
    owner.workers.submit(lane(0, 1, 2), Box::new(|| 8)).unwrap();
    finish(&mut reactor, &mut owner, 0);
    assert_eq!(owner.results, [7, 8]);
}

#[test]
fn dropping_the_pool_finishes_what_was_taken() {
    let (_reactor, mut owner) = pool();
    let (report, reports) = mpsc::channel();
    for number in 0..50 {
        let report = report.clone();
        let job = move || {
            report.send(number).unwrap();
            number
        };
        owner.workers.submit(lane(number % 3, 2, 50), Box::new(job)).unwrap();
    }
    drop((owner, report));
    assert_eq!(reports.try_iter().count(), 50);
}

#[test]
fn dropping_the_pool_does_not_wait_for_a_job_that_hangs() {
    for abandoned in [false, true] {
        let (_reactor, mut owner) = pool();
        let (job, started, release) = hanging(1);
        owner.workers.submit(lane(0, 1, 1), job).unwrap();
        started.recv().unwrap();
        if abandoned {
            owner.workers.abandon();
        }
        // It comes back, though the job does not end before this test.
        drop(owner);
        drop(release);
    }
}

#[test]
fn chores_run_without_a_result_and_not_after_the_end() {
    let (mut reactor, mut owner) = pool();
    let chores = owner.workers.chores();
    let (report, reports) = mpsc::channel();
    let done = report.clone();
    chores.submit(lane(0, 1, 1), Box::new(move || done.send(1).unwrap())).unwrap();
    assert_eq!(reports.recv(), Ok(1));
    owner.workers.submit(lane(0, 1, 1), Box::new(|| 2)).unwrap();
    finish(&mut reactor, &mut owner, 0);
    assert_eq!(owner.results, [2]);

    drop(owner);
    let chore: Chore = Box::new(move || report.send(3).unwrap());
    assert!(chores.submit(lane(0, 1, 1), chore).is_err());
    assert_eq!(reports.try_iter().count(), 0);
}
