//! A server in a thread of its own, for programs that have one inside.
//!
//! Invariant: dropped, it has ended.

use std::io;
use std::net::SocketAddr;
use std::thread::JoinHandle;

use crate::config::Config;
use crate::shell::{Server, Stop};
use crate::start::StartError;

/// A server that serves until it is stopped or dropped.
#[derive(Debug)]
pub struct Running {
    address: SocketAddr,
    stop: Stop,
    thread: Option<JoinHandle<io::Result<()>>>,
}

impl Running {
    /// Starts a server.
    ///
    /// # Errors
    /// As [`Server::start`]; or the system has no thread left.
    pub fn start(config: &Config) -> Result<Running, StartError> {
        let system = |error| StartError::System { what: "start a thread", error };
        let mut server = Server::start(config)?;
        let address = server.addresses().map_err(system)?[0].1;
        let stop = server.stopper();
        let thread = std::thread::Builder::new().name("muxftpd".to_owned()).spawn(move || server.run());
        Ok(Running { address, stop, thread: Some(thread.map_err(system)?) })
    }

    /// Where its first listener is.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Asks it to end, as a first signal does: running transfers may finish.
    pub fn request_stop(&self) {
        self.stop.request();
    }

    /// Waits until it has ended.
    ///
    /// # Errors
    /// Its event loop failed.
    ///
    /// # Panics
    /// With its panic, if it panicked.
    pub fn join(&mut self) -> io::Result<()> {
        match self.thread.take().map(JoinHandle::join) {
            None => Ok(()),
            Some(Ok(result)) => result,
            Some(Err(panic)) => std::panic::resume_unwind(panic),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // The second request ends it at once.
        self.stop.request();
        self.stop.request();
        // A panic of the server is the owner's, unless he is in one already.
        if !std::thread::panicking() {
            let _ = self.join();
        }
    }
}
