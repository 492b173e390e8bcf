//! The TLS layer, client against server, over a connection in memory and over one of the kernel.

#![allow(clippy::unwrap_used)]

mod faults;
mod loopback;
mod sessions;
mod transfers;
mod wire;
