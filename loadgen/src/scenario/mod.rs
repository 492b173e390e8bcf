//! Scenarios: from a file, the environment and the command line to a checked, complete [`Scenario`].
//!
//! Does no input or output but reading the file. Invariant: a [`Scenario`] exists only when every check passed;
//! otherwise all problems are reported together.

pub mod access;
pub mod distribution;
pub mod model;
pub mod overrides;
pub mod problems;
pub mod threshold;
pub mod units;

mod document;
mod mix;
mod resolve;
mod schema;
mod write;

use std::path::Path;

use problems::{Collector, Source};

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
    let shown = path.display().to_string();
    match std::fs::read_to_string(path) {
        Ok(text) => load_text(&shown, &text, overrides),
        Err(error) => Err(Problems::one(format!("{shown}: {error}"))),
    }
}

/// Like [`load`], for a text that comes from elsewhere; `name` stands in messages for the file's.
///
/// # Errors
/// Everything that is wrong, together.
pub fn load_text(name: &str, text: &str, overrides: &Overrides) -> Result<Loaded, Problems> {
    let mut problems = Collector::new(Source { name: name.to_owned(), text: text.to_owned(), is_file: true });
    let mut root = document::read(text, &mut problems);
    let is_readable = problems.is_empty();
    let (assignments, wrong) = overrides.assignments();
    for (source, message) in wrong {
        problems.report_source(source, message);
    }
    // After an error of syntax half the file may be missing: to complain of that would be noise.
    let scenario = is_readable.then(|| {
        document::apply(&mut root, assignments, &mut problems);
        resolve::resolve(&root, text, &mut problems)
    });
    match (problems.finish(), scenario) {
        (None, Some(scenario)) => {
            let warnings = mix::warnings(&scenario);
            Ok(Loaded { resolved_toml: write::resolved_toml(&scenario), scenario, warnings })
        }
        (Some(problems), _) => Err(problems),
        (None, None) => unreachable!("an unreadable file has a problem"),
    }
}
