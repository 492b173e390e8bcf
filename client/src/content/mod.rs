//! The bytes of a person's transfers: a local file, or names for the eye.
//!
//! It must not know the network.

mod download;
mod listing;
mod upload;

use std::io;

use muxftp_client::driver::Body;

pub(crate) use download::Download;
pub(crate) use listing::Listing;
pub(crate) use upload::Upload;

use crate::trouble::Trouble;

/// What an operation moves.
#[derive(Debug)]
pub(crate) enum Content {
    Nothing,
    Download(Download),
    Upload(Upload),
    Listing(Listing),
}

impl Content {
    /// The words for an error of [`Body`].
    pub(crate) fn blame(&self, error: io::Error) -> Trouble {
        match self {
            Content::Nothing => Trouble::local("keep", "bytes that nobody asked for", error),
            Content::Download(download) => Trouble::local("write", download, error),
            Content::Upload(upload) => Trouble::local("read", upload, error),
            Content::Listing(_) => Trouble::local("write to", "standard output", error),
        }
    }
}

impl Body for Content {
    fn receive(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Content::Download(download) => download.receive(bytes),
            Content::Listing(listing) => listing.receive(bytes),
            Content::Nothing | Content::Upload(_) => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    fn provide(&mut self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Content::Upload(upload) => upload.provide(offset, buffer),
            Content::Nothing | Content::Download(_) | Content::Listing(_) => Err(io::ErrorKind::Unsupported.into()),
        }
    }
}
