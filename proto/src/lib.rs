//! The protocol core of muxftp.
#![forbid(unsafe_code)]
#![deny(missing_docs)]

pub mod limits;

mod dialect;
mod vocab;

pub use dialect::{Dialect, UnknownDialect};
pub use vocab::cause::Cause;
pub use vocab::path::{PathError, VPath};
pub use vocab::text::Escaped;
