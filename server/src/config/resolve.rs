//! The sources meet.
use super::{Config, ConfigErrors};
use crate::args::Flags;

/// Reads the file if the flags name one, and resolves both over the defaults.
///
/// # Errors
/// All problems at once.
pub fn load(_flags: &Flags) -> Result<Config, ConfigErrors> {
    todo!()
}
