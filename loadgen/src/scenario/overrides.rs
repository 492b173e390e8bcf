//! What the environment and the command line change in a scenario.
//!
//! Only gathers and splits; where a key belongs and whether its value is right is checked like the file's.

/// Changes to a scenario, in the order in which they win: environment, `--set`, named flags.
#[derive(Debug, Clone, Default)]
pub struct Overrides {
    /// The value of `LOADGEN_SET`: `key=value`, separated by commas or line ends.
    pub environment: Option<String>,
    /// Each `--set key=value`.
    pub sets: Vec<String>,
    /// `--target`: `HOST:PORT` or `DIALECT://HOST:PORT[/DIRECTORY]`.
    pub target: Option<String>,
    /// `--seed`.
    pub seed: Option<u64>,
    /// `--out`: the directory under which the run gets its own.
    pub out: Option<String>,
}
