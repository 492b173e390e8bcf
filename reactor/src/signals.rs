//! Signals as readiness: each watched signal writes a byte into a socket pair that is polled.
//!
//! Must not know what a signal means.
//!
//! Invariant: what is registered here is unregistered on drop. (A signal stays caught after
//! that, and does nothing: that is how `signal-hook` works.)

use std::io::{self, Read};

use mio::net::UnixStream;
use mio::{Interest, Registry};
use signal_hook::SigId;
use signal_hook::low_level::{pipe, unregister};

use crate::key::Mark;

#[derive(Debug, Default)]
pub(crate) struct Signals {
    watched: Vec<Watched>,
}

#[derive(Debug)]
struct Watched {
    signal: i32,
    id: SigId,
    pipe: UnixStream,
    readable: bool,
}

impl Signals {
    pub(crate) fn watch(&mut self, registry: &Registry, signal: i32) -> io::Result<()> {
        if self.watched.iter().any(|watched| watched.signal == signal) {
            return Ok(());
        }
        let (mut pipe, writer) = UnixStream::pair()?;
        registry.register(&mut pipe, Mark::Signal(signal).to_token(), Interest::READABLE)?;
        let id = pipe::register(signal, std::os::unix::net::UnixStream::from(writer))?;
        self.watched.push(Watched { signal, id, pipe, readable: false });
        Ok(())
    }

    pub(crate) fn on_readable(&mut self, signal: i32) {
        for watched in &mut self.watched {
            watched.readable |= watched.signal == signal;
        }
    }

    /// The next signal that was delivered; each delivery is given out once.
    pub(crate) fn take(&mut self) -> Option<i32> {
        self.watched.iter_mut().find_map(|watched| watched.take_one().then_some(watched.signal))
    }
}

impl Watched {
    fn take_one(&mut self) -> bool {
        while self.readable {
            match self.pipe.read(&mut [0]) {
                Ok(1) => return true,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                _ => self.readable = false,
            }
        }
        false
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        for watched in &self.watched {
            unregister(watched.id);
        }
    }
}
