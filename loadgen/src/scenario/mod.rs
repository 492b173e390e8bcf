//! Scenarios: from a file, the environment and the command line to a checked, complete [`Scenario`].
//!
//! Does no input or output but reading the file. Invariant: a [`Scenario`] exists only when every check passed;
//! otherwise all problems are reported together.

pub mod distribution;
pub mod model;
pub mod overrides;
pub mod problems;
pub mod threshold;
pub mod units;

mod document;
mod resolve;
mod schema;
mod write;

use std::path::Path;

pub use distribution::Distribution;
pub use model::*;
pub use overrides::Overrides;
pub use problems::Problems;
pub use threshold::Threshold;

/// A scenario that passed every check.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// Everything the run needs.
    pub scenario: Scenario,
    /// The scenario with all defaults and overrides written out: itself a scenario file, and one that resolves to the
    /// same scenario.
    pub resolved_toml: String,
    /// What is allowed but probably not meant, one sentence each.
    pub warnings: Vec<String>,
}

/// Reads a scenario file, applies what the environment and the command line change, and checks all of it.
///
/// # Errors
/// Everything that is wrong, together.
pub fn load(path: &Path, overrides: &Overrides) -> Result<Loaded, Problems> {
    let _ = overrides;
    Err(Problems::one(format!("{}: cannot be read yet", path.display())))
}
