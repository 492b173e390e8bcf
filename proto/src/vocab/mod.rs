//! What the sessions of all dialects speak about: commands, replies, causes, paths. No wire text, no numbers.

pub mod cause;
pub mod command;
pub mod path;
pub mod permission;
pub mod reply;
pub mod secret;
pub mod text;
