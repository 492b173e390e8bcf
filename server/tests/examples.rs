//! The configuration files of `docs/` are what they say they are.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use muxftp_server::args::Flags;
use muxftp_server::config::{Config, GuestAccess, load};

fn docs(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs").join(name)
}

fn load_docs(name: &str) -> Config {
    let flags = Flags { config: Some(docs(name)), ..Flags::default() };
    load(&flags).unwrap_or_else(|errors| panic!("{errors}"))
}

/// `limits.sessions` and so on.
fn keys(text: &str) -> BTreeSet<String> {
    let table: toml::Table = text.parse().expect("TOML");
    let mut keys = BTreeSet::new();
    for (name, value) in &table {
        match value {
            toml::Value::Table(section) => keys.extend(section.keys().map(|key| format!("{name}.{key}"))),
            _ => keys.extend([name.clone()]),
        }
    }
    keys
}

#[test]
fn the_example_states_every_key_with_its_default() {
    assert_eq!(load_docs("muxftpd.example.toml"), Config::defaults());
    let text = std::fs::read_to_string(docs("muxftpd.example.toml")).unwrap();
    assert_eq!(keys(&text), keys(&Config::defaults().to_toml()));
}

#[test]
fn the_ec2_file_opens_the_well_known_port_with_a_stated_guest() {
    let config = load_docs("muxftpd.ec2.toml");
    let listen: Vec<String> = config.listen.iter().map(ToString::to_string).collect();
    assert_eq!(listen, ["simple://0.0.0.0:21"]);
    assert_eq!(config.data_ports.to_string(), "20000-21000");
    assert_eq!(config.guest.access, GuestAccess::ReadWrite);
}
