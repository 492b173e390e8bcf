//! muxftpd over real sockets on ports chosen by the system.
#![allow(clippy::unwrap_used, reason = "clippy.toml allows it in test functions, but not in their helpers")]

mod browser;
mod clients;
mod deserted;
mod ftp;
mod pipe;
mod scenarios;
mod simple;
mod support;
mod updown;
