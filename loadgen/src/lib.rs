//! A load generator for FTP servers: scenarios in, measurements that can be trusted out.
//!
//! ```text
//!   scenario --> plan --> fleet ---samples---> record ---full sets---> report --> screens, files, verdict
//!   (a file)   (pure)  (one loop: all clients)        (to a thread)
//! ```
#![forbid(unsafe_code)]
#![deny(missing_docs)]

pub mod args;
pub mod check;
pub mod contents;
pub mod embedded;
pub mod fleet;
pub mod machine;
pub mod plan;
pub mod process;
pub mod record;
pub mod report;
pub mod run;
pub mod scenario;
pub mod speech;
