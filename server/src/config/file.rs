//! The TOML file: from text to settings that may be absent, with every problem that can be found at once.
