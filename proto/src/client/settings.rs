//! What a session of `ftp` is made with.

use crate::vocab::secret::Secret;

/// Who logs in, how the connections are protected, and how data connections are agreed on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FtpSettings {
    /// The user's name.
    pub user: Vec<u8>,
    /// Said when the server asks for it.
    pub password: Secret,
    /// Said when the server asks for it.
    pub account: Option<Secret>,
    /// Protection of the control connection.
    pub security: Security,
    /// Data connections are protected, too, when the control connection is (PROT P).
    pub protect_data: bool,
    /// Who makes data connections.
    pub data: DataMode,
    /// Whether EPSV and EPRT are used.
    pub extended: Extended,
    /// Connect to the address in a 227, and not only to its port. Servers behind NAT tell one that cannot be reached, and
    /// malicious ones that of somebody else.
    pub trust_passive_address: bool,
    /// Ask for the server's features, and for UTF-8, after the log-in.
    pub ask_features: bool,
}

/// Protection of the control connection (RFC 4217).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Security {
    /// None.
    #[default]
    None,
    /// By AUTH TLS.
    Explicit {
        /// A server that refuses is not logged in to. If not: then it goes on without, for anyone on the way to arrange.
        required: bool,
    },
    /// From the first byte on.
    Implicit,
}

/// Who makes data connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DataMode {
    /// The client.
    #[default]
    Passive,
    /// The server.
    Active,
}

/// Whether EPSV is said, or PASV; EPRT, or PORT. Over IPv6 there are only the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Extended {
    /// The first, and the second once a server has refused it.
    #[default]
    Preferred,
    /// Only the first.
    Only,
    /// Only the second.
    Never,
}

impl FtpSettings {
    /// Of the guest: data in passive mode, no TLS.
    pub fn anonymous() -> FtpSettings {
        FtpSettings::of_user(b"anonymous", b"anonymous@")
    }

    /// Of a user: data in passive mode, no TLS.
    pub fn of_user(user: &[u8], password: &[u8]) -> FtpSettings {
        FtpSettings {
            user: user.to_vec(),
            password: Secret(password.to_vec()),
            account: None,
            security: Security::None,
            protect_data: true,
            data: DataMode::Passive,
            extended: Extended::Preferred,
            trust_passive_address: false,
            ask_features: true,
        }
    }
}
