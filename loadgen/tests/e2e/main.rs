//! loadgen as a person runs it: the real program, against its embedded server and against servers that lie.
#![allow(clippy::unwrap_used, reason = "clippy.toml allows it in test functions, but not in their helpers")]

mod features;
mod files;
mod ftp;
mod liar;
mod liars;
mod line;
mod peers;
#[expect(dead_code, reason = "muxftp's tests use all of it")]
#[path = "../../../client/tests/e2e/peers/server.rs"]
mod server;
mod signals;
mod support;
