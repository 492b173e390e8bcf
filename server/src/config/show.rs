//! The resolved configuration as a file: what `muxftpd check-config` prints.

use muxftp_proto::Dialect;
use serde::Serialize;

use super::value::{show_duration, show_size};
use super::{AddressRange, Allowance, Config, Words};

impl Config {
    /// As TOML that gives this configuration again. (Of a root that is not UTF-8, the nearest text.)
    pub fn to_toml(&self) -> String {
        let listen = self.listen.iter().map(|listen| ShownListen {
            dialect: listen.dialect.word(),
            address: listen.address.to_string(),
            tls: (listen.dialect == Dialect::Ftp).then(|| listen.tls.word()),
            tls_uploads_without_close: (listen.dialect == Dialect::Ftp).then(|| listen.uploads_without_close.word()),
        });
        let shown = Shown {
            root: self.root.to_string_lossy().into_owned(),
            data_ports: self.data_ports.to_string(),
            updown_data_ports: self.updown_data_ports.to_string(),
            listen: listen.collect(),
            users: self.users.as_ref().map(|path| path.to_string_lossy().into_owned()),
            public_address: self.public_address.to_string(),
            metadata_service: self.metadata_service.clone(),
            guest: ShownGuest {
                access: self.guest.access.word(),
                root: self.guest.root.as_ref().map(|path| path.to_string_lossy().into_owned()),
                allowance: ShownAllowance::of(&self.guest.allowance),
            },
            tls: self.tls.as_ref().map(|tls| ShownTls {
                certificate: tls.certificate.to_string_lossy().into_owned(),
                key: tls.key.to_string_lossy().into_owned(),
                min_version: tls.min_version.word(),
                session_reuse: tls.session_reuse.word(),
            }),
            logins: ShownLogins {
                failures: self.logins.failures,
                delay: show_duration(self.logins.delay),
                window: show_duration(self.logins.window),
                lock: show_duration(self.logins.lock),
                exempt: self.logins.exempt.iter().map(AddressRange::to_string).collect(),
            },
            limits: ShownLimits {
                sessions: self.limits.sessions,
                sessions_per_address: self.limits.sessions_per_address,
                data_ports_per_address: self.limits.data_ports_per_address,
            },
            timeouts: ShownTimeouts {
                data_connect: show_duration(self.timeouts.data_connect),
                stall: show_duration(self.timeouts.stall),
                storage: show_duration(self.timeouts.storage),
                idle: show_duration(self.timeouts.idle),
                login: show_duration(self.timeouts.login),
                shutdown: show_duration(self.timeouts.shutdown),
            },
            files: ShownFiles { durability: self.durability.word() },
            log: ShownLog { level: self.log.level.word(), format: self.log.format.word() },
        };
        toml::to_string(&shown).expect("strings and numbers in tables")
    }
}

#[derive(Serialize)]
struct Shown {
    root: String,
    data_ports: String,
    updown_data_ports: String,
    public_address: String,
    metadata_service: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    users: Option<String>,
    listen: Vec<ShownListen>,
    guest: ShownGuest,
    #[serde(skip_serializing_if = "Option::is_none")]
    tls: Option<ShownTls>,
    logins: ShownLogins,
    limits: ShownLimits,
    timeouts: ShownTimeouts,
    files: ShownFiles,
    log: ShownLog,
}

#[derive(Serialize)]
struct ShownListen {
    dialect: &'static str,
    address: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    tls: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tls_uploads_without_close: Option<&'static str>,
}

#[derive(Serialize)]
struct ShownGuest {
    access: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    root: Option<String>,
    #[serde(flatten)]
    allowance: ShownAllowance,
}

/// The bounds of an account, as its file writes them.
#[derive(Serialize)]
struct ShownAllowance {
    #[serde(skip_serializing_if = "Option::is_none")]
    quota_bytes: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    quota_files: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rate_up: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rate_down: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sessions: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sessions_per_address: Option<u32>,
}

impl ShownAllowance {
    fn of(allowance: &Allowance) -> ShownAllowance {
        ShownAllowance {
            quota_bytes: allowance.quota_bytes.map(show_size),
            quota_files: allowance.quota_files,
            rate_up: allowance.rate_up.map(show_size),
            rate_down: allowance.rate_down.map(show_size),
            sessions: allowance.sessions,
            sessions_per_address: allowance.sessions_per_address,
        }
    }
}

#[derive(Serialize)]
struct ShownTls {
    certificate: String,
    key: String,
    min_version: &'static str,
    session_reuse: &'static str,
}

#[derive(Serialize)]
struct ShownLogins {
    failures: u32,
    delay: String,
    window: String,
    lock: String,
    exempt: Vec<String>,
}

#[derive(Serialize)]
struct ShownLimits {
    sessions: u32,
    sessions_per_address: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    data_ports_per_address: Option<u32>,
}

#[derive(Serialize)]
struct ShownTimeouts {
    data_connect: String,
    stall: String,
    storage: String,
    idle: String,
    login: String,
    shutdown: String,
}

#[derive(Serialize)]
struct ShownFiles {
    durability: &'static str,
}

#[derive(Serialize)]
struct ShownLog {
    level: &'static str,
    format: &'static str,
}
