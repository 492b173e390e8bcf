//! The protocol core of muxftp, without I/O: what is said on a control connection, and what follows from it.
//!
//! ```text
//!   control bytes -> LineBuffer -> Dialect -> Command -> ServerSession -> Reply -> Dialect -> Outbox -> control bytes
//!                                                         |        ^
//!                                                       Effect   Event
//!                                                         v        |
//!                                                   the server's sockets and files
//! ```
//!
//! The client's side is the same picture from the other end ([`ClientSession`]). This crate has no dependencies: no
//! sockets, no files, no clock, no randomness. Time comes in as an argument, and bytes of files never come in at all.
#![forbid(unsafe_code)]
#![deny(missing_docs)]

pub mod client;
pub mod limits;
pub mod representation;
pub mod server;

mod dialect;
mod vocab;
mod wire;

pub use client::ClientSession;
pub use dialect::ftp::feature::{Feature, Features};
pub use dialect::ftp::verbs;
pub use dialect::{DataPortPolicy, Dialect, Request, UnknownDialect, Unsayable};
pub use server::ServerSession;
pub use vocab::cause::Cause;
pub use vocab::command::Command;
pub use vocab::path::{PathError, VPath};
pub use vocab::permission::{Permission, Permissions, UnknownPermission};
pub use vocab::reply::{Answer, Reply};
pub use vocab::secret::Secret;
pub use vocab::text::Escaped;
pub use wire::outbox::Outbox;
