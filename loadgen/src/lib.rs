//! A load generator for FTP servers: scenarios in, measurements that can be trusted out.
#![forbid(unsafe_code)]
#![deny(missing_docs)]

pub mod args;
pub mod check;
pub mod contents;
pub mod plan;
pub mod scenario;

/// Recording what happened.
pub mod record {
    pub mod sample;
    pub use sample::*;
}
