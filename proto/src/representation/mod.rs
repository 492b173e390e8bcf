//! How files and directories look on a data connection of `ftp`: text, lines of listings, facts, times, patterns of names.
//!
//! Knows no command and no session.

pub mod ascii;
pub mod entry;
pub mod glob;
pub mod listed;
pub mod time;
pub mod web_request;
