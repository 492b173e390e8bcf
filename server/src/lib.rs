//! muxftpd as a library: everything that the binary does, so that tests and the load generator can embed it.
#![forbid(unsafe_code)]
#![deny(missing_docs)]

pub mod args;
pub mod config;
mod failures;
mod limits;
pub mod log;
mod ports;
pub mod process;
mod public_address;
mod running;
pub mod secrets;
mod shell;
pub mod start;
pub mod storage;
mod terminal;
pub mod tls;
pub mod users;
mod watchdog;

pub use config::{Config, PortRange};
pub use running::Running;
pub use shell::{Server, Stop};
