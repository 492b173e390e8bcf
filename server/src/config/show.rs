//! The resolved configuration as a file: what `muxftpd check-config` prints.

use serde::Serialize;

use super::value::show_duration;
use super::{Config, Words};

impl Config {
    /// As TOML that gives this configuration again. (Of a root that is not UTF-8, the nearest text.)
    pub fn to_toml(&self) -> String {
        let listen = self
            .listen
            .iter()
            .map(|listen| ShownListen { dialect: listen.dialect.word(), address: listen.address.to_string() });
        let shown = Shown {
            root: self.root.to_string_lossy().into_owned(),
            data_ports: self.data_ports.to_string(),
            updown_data_ports: self.updown_data_ports.to_string(),
            listen: listen.collect(),
            guest: ShownGuest { access: self.guest.word() },
            limits: ShownLimits {
                sessions: self.limits.sessions,
                sessions_per_address: self.limits.sessions_per_address,
            },
            timeouts: ShownTimeouts {
                data_connect: show_duration(self.timeouts.data_connect),
                stall: show_duration(self.timeouts.stall),
                idle: show_duration(self.timeouts.idle),
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
    listen: Vec<ShownListen>,
    guest: ShownGuest,
    limits: ShownLimits,
    timeouts: ShownTimeouts,
    files: ShownFiles,
    log: ShownLog,
}

#[derive(Serialize)]
struct ShownListen {
    dialect: &'static str,
    address: String,
}

#[derive(Serialize)]
struct ShownGuest {
    access: &'static str,
}

#[derive(Serialize)]
struct ShownLimits {
    sessions: u32,
    sessions_per_address: u32,
}

#[derive(Serialize)]
struct ShownTimeouts {
    data_connect: String,
    stall: String,
    idle: String,
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
