//! One target's run: what is tried in which order, for how long, and what is left of a failure.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::PathBuf;
use std::str::FromStr;
use std::time::{Duration, Instant};

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::case::Case;
use crate::corpus;
use crate::mutate::mutate;

/// Plays what once failed, the corpus, and mutations of it. `play` panics when an input breaks a promise.
pub fn campaign(target: &str, play: impl Fn(&Case)) {
    if let Some(file) = std::env::var_os("FUZZ_REPLAY") {
        return play(&Case::parse(&std::fs::read(file).expect("the file of FUZZ_REPLAY")));
    }
    let check = |case: &Case| {
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| play(case))) {
            fail(target, case, &play, panic);
        }
    };
    corpus::regressions(target).iter().for_each(check);
    let seeds = corpus::seeds(target);
    for bytes in &seeds {
        check(&Case { seed: 0, bytes: bytes.clone() });
    }
    let seed = variable("FUZZ_SEED").unwrap_or(SEED);
    let end = variable("FUZZ_SECONDS").map(|seconds| Instant::now() + Duration::from_secs(seconds));
    for number in 0.. {
        if end.map_or(number >= CASES, |end| Instant::now() >= end) {
            break;
        }
        check(&mutated(&seeds, seed, number));
    }
}

/// The case of a number: the same for the same seed, whatever ran before.
fn mutated(seeds: &[Vec<u8>], seed: u64, number: u64) -> Case {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(number);
    Case { seed: rng.random(), bytes: mutate(seeds, &mut rng) }
}

/// Makes it small, writes it down, shows how to see it again.
fn fail(target: &str, case: &Case, play: &impl Fn(&Case), panic: Box<dyn Any + Send>) -> ! {
    println!("\n{target}: an input fails; it is being made smaller, and fails again and again meanwhile\n");
    let fails_alike = |case: &Case| {
        let result = catch_unwind(AssertUnwindSafe(|| play(case)));
        result.is_err_and(|other| complaint(&other) == complaint(&panic))
    };
    let small = shrink(case, &fails_alike);
    let file = std::env::temp_dir().join(format!("muxftp-fuzz-{target}-{:016x}", small.seed));
    let place = write(&file, &small);
    println!(
        "\n{target}: seed {}, b\"{}\"\n{place}\nFUZZ_REPLAY={} cargo test -p muxftp-proto --test fuzz -- --exact {target}\n",
        small.seed,
        small.bytes.escape_ascii(),
        file.display()
    );
    resume_unwind(panic);
}

/// What a panic says, without the values in it: a smaller input is to fail in the same way.
fn complaint(panic: &Box<dyn Any + Send>) -> String {
    let said = panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied());
    said.unwrap_or_default().split([':', '(']).next().unwrap_or_default().to_owned()
}

fn write(file: &PathBuf, case: &Case) -> String {
    match std::fs::write(file, case.print()) {
        Ok(()) => format!("It is in {}; to play it:", file.display()),
        Err(error) => format!("It could not be written to {}: {error}", file.display()),
    }
}

/// Leaves out what is not needed for the failure: larger parts first, then bytes.
fn shrink(case: &Case, fails: &impl Fn(&Case) -> bool) -> Case {
    let mut small = case.clone();
    let mut tries = 0;
    let mut part = small.bytes.len().div_ceil(2);
    while part > 0 {
        let mut at = 0;
        while at < small.bytes.len() && tries < SHRINKS_MAX {
            let end = small.bytes.len().min(at + part);
            let without = Case { seed: small.seed, bytes: [&small.bytes[..at], &small.bytes[end..]].concat() };
            tries += 1;
            if fails(&without) {
                small = without;
            } else {
                at = end;
            }
        }
        part /= 2;
    }
    small
}

fn variable<T: FromStr>(name: &str) -> Option<T> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().ok().unwrap_or_else(|| panic!("{name} is a number, not `{text}`")))
}

/// Of the run without variables.
const SEED: u64 = 959;

/// Mutations in a run without variables.
const CASES: u64 = 3_000;

/// More would make a failure wait.
const SHRINKS_MAX: u32 = 1_000;

#[test]
fn a_failure_becomes_small() {
    let fails = |case: &Case| case.bytes.contains(&b'!') && case.bytes.contains(&b'?');
    let case = Case { seed: 1, bytes: [&b"a".repeat(500), &b"!b"[..], &b"c".repeat(200), &b"?d"[..]].concat() };
    assert_eq!(shrink(&case, &fails).bytes, b"!?");
}

#[test]
fn a_seed_gives_the_same_cases_again() {
    let seeds = [b"GET a\r\n".to_vec(), b"LS\r\n".to_vec()];
    let cases = |seed| (0..50).map(|number| mutated(&seeds, seed, number)).collect::<Vec<_>>();
    assert_eq!(cases(1), cases(1));
    assert_ne!(cases(1), cases(2));
}
