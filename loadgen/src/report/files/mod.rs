//! The files of a run, one module for each format.

pub(super) mod csv;
pub(super) mod directory;
pub(super) mod environment;
pub(super) mod hgrm;
pub(super) mod hlog;
pub(super) mod plot;
