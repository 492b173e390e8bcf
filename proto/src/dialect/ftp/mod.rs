//! The dialect `ftp`: RFC 959 and its extensions.
//!
//! Its verbs are a table ([`verbs`]) that both ends read, its replies stand in [`reply`] as a server says them and in
//! [`answer`] as a client reads them; what stands between them is the sessions' affair.

pub(crate) mod address;
pub(crate) mod answer;
pub(crate) mod feature;
pub(crate) mod reply;
pub(crate) mod request;
pub(crate) mod telnet;
pub mod verbs;

use crate::server::io::TransferKind;

/// The verb of a transfer.
pub(super) fn verb(kind: TransferKind) -> &'static str {
    match kind {
        TransferKind::Download => "RETR",
        TransferKind::Upload { .. } => "STOR",
        TransferKind::Listing => "LIST",
    }
}
