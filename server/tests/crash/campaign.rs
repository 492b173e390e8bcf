//! The kill campaign: muxftpd is killed at random moments while clients of all dialects store files below nested roots, with and
//! without a quota and `fsync`. Every acknowledged upload must be whole and have its name, nothing may be torn, and what
//! was left must go with the next start, while new uploads run.
//!
//! `KILL_ROUNDS=500 KILL_SEED=7 cargo test -p muxftp-server --test crash campaign -- --nocapture` runs longer.

use std::collections::HashMap;
use std::io;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::clients::{Ftp, Simple, Updown};
use super::process::{Place, Server, leftovers, wait_until};

/// Who writes, and where; `srv` holds all roots.
const WRITERS: [Writer; 7] = [
    Writer { how: How::Ftp("anonymous"), dir: "srv/pub" },
    Writer { how: How::Ftp("admin"), dir: "srv" },
    Writer { how: How::Ftp("alice"), dir: "srv/pub/alice" },
    Writer { how: How::Append("alice"), dir: "srv/pub/alice" },
    Writer { how: How::Patch("admin"), dir: "srv" },
    Writer { how: How::Simple, dir: "srv/pub" },
    Writer { how: How::Updown, dir: "srv/pub" },
];

#[derive(Clone, Copy)]
struct Writer {
    how: How,
    dir: &'static str,
}

#[derive(Clone, Copy, PartialEq)]
enum How {
    Ftp(&'static str),
    Append(&'static str),
    Patch(&'static str),
    Simple,
    Updown,
}

/// What was acknowledged last, and what was sent since and may have been stored.
type Contents = (Option<Vec<u8>>, Option<Vec<u8>>);

/// What one writer knows of its files, over all rounds.
#[derive(Default)]
struct Known {
    /// The number of the next content.
    next: u64,
    /// By the name.
    files: HashMap<String, Contents>,
    acknowledged: usize,
}

#[test]
fn campaign() {
    let number = |name: &str, default| std::env::var(name).map_or(default, |text| text.parse().expect(name));
    let (rounds, seed) = (number("KILL_ROUNDS", 4), number("KILL_SEED", 1));
    let mut random = StdRng::seed_from_u64(seed);
    let place = Place::new();
    place.dir("srv/pub/alice");
    place.user("admin", "srv", &[]);
    place.user("alice", "srv/pub/alice", &["--quota-bytes", "1GiB", "--quota-files", "1000"]);
    let mut known: Vec<Known> = WRITERS.iter().map(|_| Known::default()).collect();
    for round in 0..rounds {
        let left = leftovers(&place.dir("srv"));
        let durability = if round % 2 == 0 { "../none.toml" } else { "../fsync.toml" };
        let server = start(&place, durability);
        let pause = Duration::from_millis(random.random_range(0..400));
        let seeds: Vec<u64> = WRITERS.iter().map(|_| random.random()).collect();
        let log = std::thread::scope(|scope| {
            let addresses = ["ftp", "simple", "updown"].map(|dialect| server.address(dialect));
            let running: Vec<_> = WRITERS
                .iter()
                .zip(&mut known)
                .zip(seeds)
                .map(|((writer, known), seed)| {
                    scope.spawn(move || {
                        let mut random = StdRng::seed_from_u64(seed);
                        while write(*writer, known, addresses, &mut random).is_ok() {}
                    })
                })
                .collect();
            // The clients go on storing while what the round before left is removed.
            wait_until(|| left.iter().all(|path| !path.exists()) || running.iter().any(|one| one.is_finished()));
            std::thread::sleep(pause);
            let log = server.log();
            server.kill();
            for writer in running {
                writer.join().unwrap_or_else(|_| panic!("round {round} of KILL_SEED={seed}; the server said:\n{log}"));
            }
            log
        });
        let gone = left.iter().all(|path| !path.exists());
        assert!(gone, "round {round} of KILL_SEED={seed}: leftovers of the round before remain\n{log}");
        for (writer, known) in WRITERS.iter().zip(&mut known) {
            verify(*writer, known, &place.dir(writer.dir), &format!("round {round} of KILL_SEED={seed}"));
        }
    }
    let acknowledged: usize = known.iter().map(|known| known.acknowledged).sum();
    println!("{rounds} kills, {acknowledged} acknowledged uploads, none lost");
    assert!(acknowledged > 0);
}

fn start(place: &Place, durability: &str) -> Server {
    // The data port of updown is fixed: an address of its own keeps it free.
    let [_, _, high, low] = std::process::id().to_be_bytes();
    let own = Ipv4Addr::new(127, 200, high.max(1), low);
    let listen = ["simple://127.0.0.1:0".to_owned(), format!("updown://{own}:0")];
    place.start(&["--root", "srv/pub", "--config", durability], &[&listen[0], &listen[1]])
}

/// Stores files until the connection breaks.
fn write(
    writer: Writer,
    known: &mut Known,
    [ftp, simple, updown]: [std::net::SocketAddr; 3],
    random: &mut StdRng,
) -> io::Result<()> {
    let log_in = |name: &str| Ftp::user(ftp, name, &format!("{name}-pw"));
    match writer.how {
        How::Ftp(user) => {
            let mut client = log_in(user)?;
            store_all(known, random, "f", |name, content| client.store(&format!("STOR {name}"), content))
        }
        How::Simple => {
            let mut client = Simple::connect(simple)?;
            store_all(known, random, "s", |name, content| client.store(name, content))
        }
        How::Updown => {
            let mut client = Updown::connect(updown)?;
            store_all(known, random, "u", |name, content| client.store(name, content))
        }
        How::Append(user) => {
            let mut client = log_in(user)?;
            change_all(known, random, "log", |old, new| [old, new].concat(), |_, new| client.store("APPE log", new))
        }
        How::Patch(user) => {
            let mut client = log_in(user)?;
            if known.files.get("patched").is_none_or(|(file, _)| file.is_none()) {
                client.store("STOR patched", &[b'.'; 3000])?;
                known.files.insert("patched".to_owned(), (Some(vec![b'.'; 3000]), None));
            }
            let patched = |old: &[u8], new: &[u8]| [&old[..1000], new, &old[1000 + new.len()..]].concat();
            change_all(known, random, "patched", patched, |_, new| client.patch("patched", 1000, new))
        }
    }
}

fn store_all(
    known: &mut Known,
    random: &mut StdRng,
    prefix: &str,
    mut store: impl FnMut(&str, &[u8]) -> io::Result<()>,
) -> io::Result<()> {
    loop {
        let name = format!("{prefix}{}", random.random_range(0..6));
        let content = content(known, random);
        known.files.entry(name.clone()).or_default().1 = Some(content.clone());
        store(&name, &content)?;
        known.files.insert(name, (Some(content), None));
        known.acknowledged += 1;
    }
}

/// The same for a file that is written in place.
fn change_all(
    known: &mut Known,
    random: &mut StdRng,
    name: &str,
    change: impl Fn(&[u8], &[u8]) -> Vec<u8>,
    mut send: impl FnMut(&str, &[u8]) -> io::Result<()>,
) -> io::Result<()> {
    loop {
        known.next += 1;
        let piece = format!("[record {} {}]", known.next, "-".repeat(random.random_range(0..900)));
        let (file, sent) = known.files.entry(name.to_owned()).or_default();
        let changed = change(file.as_deref().unwrap_or_default(), piece.as_bytes());
        *sent = Some(changed.clone());
        send(name, piece.as_bytes())?;
        (*file, *sent) = (Some(changed), None);
        known.acknowledged += 1;
    }
}

/// Mostly small, at times large enough for reserved space and for the thread that frees large files.
fn content(known: &mut Known, random: &mut StdRng) -> Vec<u8> {
    known.next += 1;
    let size = match random.random_range(0..10) {
        0 => 0,
        1 => random.random_range(1 << 20..3 << 20),
        _ => random.random_range(1..60_000),
    };
    let stamp = format!("content {} ", known.next);
    stamp.bytes().cycle().take(size).collect()
}

/// After a kill: each name holds what was acknowledged last, or what was sent after that.
fn verify(writer: Writer, known: &mut Known, dir: &Path, when: &str) {
    for (name, (acknowledged, sent)) in &mut known.files {
        let path: PathBuf = dir.join(name);
        let found = std::fs::read(&path).ok();
        let is_whole = match writer.how {
            // What arrives in place stays, as far as it came.
            How::Append(_) => in_place(found.as_deref(), acknowledged.as_deref(), sent.as_deref(), true),
            How::Patch(_) => in_place(found.as_deref(), acknowledged.as_deref(), sent.as_deref(), false),
            _ => found == *acknowledged || (sent.is_some() && found == *sent),
        };
        let size = |content: &Option<Vec<u8>>| content.as_ref().map(Vec::len);
        assert!(
            is_whole,
            "{when}: {} has {:?} bytes; {:?} were acknowledged, then {:?} sent",
            path.display(),
            size(&found),
            size(acknowledged),
            size(sent)
        );
        (*acknowledged, *sent) = (found, None);
    }
}

/// The old bytes up to somewhere in the new ones, then the old ones (or nothing, when they are appended).
fn in_place(found: Option<&[u8]>, acknowledged: Option<&[u8]>, sent: Option<&[u8]>, appended: bool) -> bool {
    let (found, old) = (found.unwrap_or_default(), acknowledged.unwrap_or_default());
    let Some(sent) = sent else { return found == old };
    let same = found.iter().zip(sent).take_while(|(a, b)| a == b).count();
    if appended { found.len() >= old.len() && same == found.len() } else { found[same..] == old[same..] }
}
