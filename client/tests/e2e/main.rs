//! muxftp as people and scripts run it: the real program, against the real server and against servers that misbehave.
#![allow(clippy::unwrap_used, reason = "clippy.toml allows it in test functions, but not in their helpers")]

mod commands;
mod cut;
mod ftp;
mod full_disk;
mod hostile;
mod interrupt;
mod ipv6;
mod mirror;
mod mirror_delete;
mod mirror_flags;
mod old_server;
mod oneshot;
mod out_of_step;
mod peers;
mod pieces;
mod prompt;
mod relay;
mod scripted;
mod stranger;
mod support;
mod terminal;
mod tls12;
mod tls_server;
