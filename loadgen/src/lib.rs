//! loadgen

pub mod process;
pub mod record;
pub mod report;
