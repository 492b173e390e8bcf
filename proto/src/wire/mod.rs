//! Bytes to lines and replies to bytes, with bounds. Knows no dialect.

pub mod line;
pub mod outbox;
