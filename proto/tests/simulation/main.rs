//! Both ends of the protocol in one small world: client sessions, server sessions, files in memory, a clock that obeys.
//!
//! Everything that a network, a disk and a person can do to a session is drawn from one seed: pieces of lines, cuts,
//! data connections that are late, lost or refused, disks that are slow, full or broken, servers that end. After each
//! step, and at the end, the sessions' promises are checked:
//!
//! - each command gets exactly one final reply, in order, or the control connection is gone;
//! - what a client takes for done is done: a confirmed upload is visible, whole and once; a refused one changed nothing;
//!   a download that succeeded is a version that was visible meanwhile, byte for byte; a listing has all names;
//! - nothing leaks: when all is over, no port, connection, file, temporary upload or timer is left;
//! - late answers to transfers that have ended change nothing.
//!
//! There is a world for each dialect, and `ftp-pair` for both ends of `ftp`.
//!
//! `SIM_SEED=simple:17 cargo test -p muxftp-proto --test simulation -- --nocapture` shows one seed step by step;
//! `SIM_SEEDS=100000` in its place tries that many.
#![allow(clippy::unwrap_used, reason = "clippy.toml allows it in test functions, but not in their helpers")]

mod client;
mod disk;
mod env;
mod ftp;
mod link;
mod pair;
mod raw;
mod running;
mod server;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};

use muxftp_proto::Dialect;

use env::Stats;
use ftp::FtpWorld;
use pair::PairWorld;
use world::World;

#[test]
fn sessions_keep_their_promises_whatever_happens() {
    if let Ok(wanted) = std::env::var("SIM_SEED") {
        let (world, seed) = wanted.split_once(':').expect("SIM_SEED is WORLD:NUMBER");
        let stats = run(world, seed.parse().expect("a number"), true);
        println!("{stats:#?}");
        return;
    }
    let seeds = std::env::var("SIM_SEEDS").map_or(SEEDS, |count| count.parse::<u64>().expect("a number").max(SEEDS));
    let mut total = Stats::default();
    for world in WORLDS {
        for seed in 0..seeds {
            match catch_unwind(AssertUnwindSafe(|| run(world, seed, false))) {
                Ok(stats) => total.add(&stats),
                Err(_) => panic!(
                    "seed {seed} of {world} fails; to see it:\n\
                     SIM_SEED={world}:{seed} cargo test -p muxftp-proto --test simulation -- --nocapture"
                ),
            }
        }
    }
    // A simulation in which nothing happens proves nothing.
    for &event in EXPECTED {
        assert!(total.count(event) > 0, "no seed has seen `{event}`: {total:#?}");
    }
}

fn run(world: &str, seed: u64, trace: bool) -> Stats {
    match world {
        "simple" => World::new(seed, Dialect::Simple, trace).run(),
        "updown" => World::new(seed, Dialect::Updown, trace).run(),
        "ftp" => FtpWorld::new(seed, trace).run(),
        "ftp-pair" => PairWorld::new(seed, trace).run(),
        other => panic!("no world is called `{other}`: {WORLDS:?}"),
    }
}

/// The dialects; in `ftp` once with a client that says what it likes, once with the session of ours.
const WORLDS: [&str; 4] = ["simple", "updown", "ftp", "ftp-pair"];

#[test]
fn a_seed_gives_the_same_run_again() {
    for world in WORLDS {
        assert_eq!(run(world, 141, false), run(world, 141, false));
    }
}

const SEEDS: u64 = 1_000;

/// What must have happened in some seed, for the checks to have had something to check.
const EXPECTED: &[&str] = &[
    "get complete",
    "put complete",
    "list complete",
    "quit complete",
    "refused FileNotFound",
    "refused NoSpaceLeft",
    "refused DiskError",
    "refused NoDataPortFree",
    "refused DataConnectionTimedOut",
    "refused DataConnectionStalled",
    "refused DataConnectionLost",
    "refused ServerShuttingDown",
    "failed ControlLost",
    "failed TimedOut",
    "failed DataConnect",
    "failed DataLost",
    "control cut",
    "late answer",
    "commit after loss",
    "part of an undeclared upload",
    "session closed by the server",
    "raw session answered",
    "raw flood",
    "replies wait",
    "commands wait for their turn",
    "peer does not read",
    "late connect",
    "server drained",
    "ftp: RETR complete",
    "ftp: STOR complete",
    "ftp: APPE complete",
    "ftp: STOU complete",
    "ftp: LIST complete",
    "ftp: STAT complete",
    "ftp: quota exceeded",
    "ftp: late answer",
    "ftp: data connection broke",
    "ftp: client is deaf",
    "ftp: timer fired",
    "ftp: session lost",
    "ftp: server drained",
    "pair: LogIn complete",
    "pair: log-in refused: credentials",
    "pair: log-in refused: before them",
    "pair: Get complete",
    "pair: Put complete",
    "pair: List complete",
    "pair: Stat complete",
    "pair: Size complete",
    "pair: Delete complete",
    "pair: Rename complete",
    "pair: MakeDirectory complete",
    "pair: RemoveDirectory complete",
    "pair: ChangeDirectory complete",
    "pair: WorkingDirectory complete",
    "pair: Quote complete",
    "pair: Quit complete",
    "pair: Get refused 554",
    "pair: Put refused 553",
    "pair: Put refused 425",
    "pair: Put refused 426",
    "pair: Get DataFailed",
    "pair: Put DataFailed",
    "pair: Get Aborted",
    "pair: Put Aborted",
    "pair: failed ControlLost",
    "pair: failed Farewell",
    "pair: failed TimedOut",
    "pair: data connection stalled",
    "pair: server drained",
    "pair: client's timer fired",
    "pair: server's timer fired",
];
