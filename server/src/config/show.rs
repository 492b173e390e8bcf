//! The resolved configuration as a file.
use super::Config;
impl Config {
    /// As TOML that gives this configuration again.
    pub fn to_toml(&self) -> String {
        todo!()
    }
}
