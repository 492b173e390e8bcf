//! Bytes that no peer in his right mind would send: each parser, and whole sessions of both ends, fed with mutated inputs.
//!
//! A target begins with its regressions (inputs that once failed), goes on with its corpus (`corpus/TARGET/`, for sessions
//! also what the clients of the transcripts say), and then mutates what it has. The same seed gives the same inputs, so
//! that a run without variables is a test like any other:
//!
//! - `FUZZ_SECONDS=600` goes on for so long, for each target;
//! - `FUZZ_SEED=17` gives other inputs;
//! - `FUZZ_REPLAY=FILE` plays one input and nothing else, in the target that is named on the command line.
//!
//! An input that fails is made smaller, shown, and written to a file; `regressions/README.md` says what to do with it.
#![allow(clippy::unwrap_used, reason = "clippy.toml allows it in test functions, but not in their helpers")]

mod campaign;
mod case;
mod client;
mod corpus;
mod mutate;
mod parsers;
mod replies;
mod session;
mod shell;
#[path = "../transcripts/said.rs"]
mod transcript;

use muxftp_proto::Dialect;

use campaign::campaign;

#[test]
fn command() {
    campaign("command", parsers::command);
}

#[test]
fn reply() {
    campaign("reply", parsers::reply);
}

#[test]
fn verb() {
    campaign("verb", parsers::verb);
}

#[test]
fn path() {
    campaign("path", parsers::path);
}

#[test]
fn ascii() {
    campaign("ascii", parsers::ascii);
}

#[test]
fn glob() {
    campaign("glob", parsers::glob);
}

#[test]
fn time() {
    campaign("time", parsers::time);
}

#[test]
fn facts() {
    campaign("facts", parsers::facts);
}

#[test]
fn listed_facts() {
    campaign("listed_facts", parsers::listed_facts);
}

#[test]
fn listed_long() {
    campaign("listed_long", parsers::listed_long);
}

#[test]
fn client_ftp() {
    campaign("client_ftp", client::play);
}

#[test]
fn session_simple() {
    campaign("session_simple", |case| session::play(Dialect::Simple, case));
}

#[test]
fn session_updown() {
    campaign("session_updown", |case| session::play(Dialect::Updown, case));
}

#[test]
fn session_ftp() {
    campaign("session_ftp", |case| session::play(Dialect::Ftp, case));
}
