//! muxftpd over real sockets on ports chosen by the system.

mod hostile;
mod many;
mod support;
mod transcripts;
