//! The client session of `ftp` against servers that tests make up.
//!
//! Golden dialogues (`transcripts/*.txt`) show what is said, what is asked of the driver, and how each operation ends:
//!
//! ```text
//! session explicit, required       a new session; what its settings have besides the usual
//! do get notes.txt from 5          the person wants
//! C: RETR notes.txt                the session says
//! S: 150 Here it comes             the server says; `a | b` is two lines that come together
//! -> connect to port 20001         the session wants
//! <- connected                     the driver tells
//! = complete                       how the operation ended
//! wait 30 s                        time passes, and the timer fires if it is due
//! ```
//!
//! `session in` begins behind a log-in to a server without features, in TYPE I. `\xNN` is a byte, `#` begins a comment line.
//! Each is played with the server's lines arriving whole and byte by byte: it must always be the same.
#![allow(clippy::unwrap_used, reason = "clippy.toml allows it in test functions, but not in their helpers")]

mod cells;
mod out_of_step;
mod player;
#[path = "../transcripts/said.rs"]
mod said;

use std::fs;
use std::path::Path;

use player::{Pieces, Player};

#[test]
fn transcripts_are_played_to_the_letter() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/ftp_client/transcripts");
    let mut played = 0;
    for entry in fs::read_dir(&directory).unwrap() {
        let path = entry.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        for pieces in [Pieces::Lines, Pieces::Bytes] {
            let name = path.file_name().unwrap().to_string_lossy();
            Player::play(&text, pieces, &format!("{name} ({pieces:?})"));
        }
        played += 1;
    }
    assert!(played > 0, "no transcript in {}", directory.display());
}
