//! The client's side of muxftp: the connection driver that people's client and the load generator share.
#![forbid(unsafe_code)]
#![deny(missing_docs)]

pub mod driver;
pub mod limits;
pub mod tls;
