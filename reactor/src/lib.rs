//! The event loop under muxftpd, muxftp and loadgen: readiness from the kernel, made into turns.
//!
//! Must not know FTP, sessions or users: it moves bytes and calls its owner back.
//!
//! ```text
//!   kernel --events--> Reactor --ready/timeout/woken/signal--> Handler (the owner)
//!                         ^                                       |
//!                         +------ register, queue, arm, release --+
//! ```
//!
//! - [`Reactor`], [`Handler`]: the loop and the order of a turn (its contract is on [`turn`]).
//! - [`Key`], [`Table`]: names that go stale instead of naming something else.
//! - [`Readiness`]: what the kernel said, remembered until an attempt says otherwise.
//! - [`listen`], [`connect`]: sockets with the options that servers and clients need.
//! - [`Pulse`]: what the loop is doing, for a thread that watches over it.
//! - [`pump`]: bytes between files and sockets, one bounded step at a time.
//! - [`tls`]: the same steps, sealed.
//! - [`Workers`]: threads for the calls that would block the loop.

#![forbid(unsafe_code)]
#![deny(missing_docs)]

pub mod connect;
pub mod listen;
pub mod pump;
pub mod tls;
pub mod turn;

mod clock;
mod key;
mod pulse;
mod signals;
mod slot;
mod stats;
mod table;
mod timers;
mod workers;

pub use clock::Clock;
pub use key::Key;
pub use pulse::{Look, Pulse, Step};
pub use slot::Readiness;
pub use stats::TurnStats;
pub use table::Table;
pub use turn::{Again, Handler, Reactor, Waker};
pub use workers::{Bounds, CLASSES, Chore, Chores, Job, Lane, QueueFull, Workers};
