//! Looks at the first bytes of an upload, and holds them until it is known that no browser has sent them.
//!
//! It must not know where the bytes go.

use muxftp_proto::Cause;
use muxftp_proto::representation::web_request::{START_BYTES_MAX, Verdict, judge};

/// For one upload, as long as it is not decided.
#[derive(Debug, Default)]
pub(super) struct Screen {
    /// The data port that a request must name to be one; none: any request is refused.
    port: Option<u16>,
    held: Vec<u8>,
}

impl Screen {
    /// For data connections whose peer has not logged in.
    pub(super) fn any_request() -> Screen {
        Screen::default()
    }

    /// For a data connection to this port that a session with a login waits for.
    pub(super) fn request_to(port: u16) -> Screen {
        Screen { port: Some(port), held: Vec::new() }
    }

    /// Takes the next bytes; `is_all`: there are no more. Gives those that are content: all so far, or none yet.
    ///
    /// # Errors
    /// [`Cause::WebRequest`].
    pub(super) fn pass(&mut self, piece: &[u8], is_all: bool) -> Result<Option<Vec<u8>>, Cause> {
        self.held.extend_from_slice(piece);
        match judge(&self.held, self.port, is_all || self.held.len() >= START_BYTES_MAX) {
            Verdict::Content => Ok(Some(std::mem::take(&mut self.held))),
            Verdict::Undecided => Ok(None),
            Verdict::Request => Err(Cause::WebRequest),
        }
    }

    /// Whether the bytes, the first ones, are content without a doubt.
    pub(super) fn clears(&self, piece: &[u8]) -> bool {
        self.held.is_empty() && judge(piece, self.port, false) == Verdict::Content
    }
}
