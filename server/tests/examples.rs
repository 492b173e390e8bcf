//! The configuration files of `docs/` are what they say they are.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use muxftp_server::args::Flags;
use muxftp_server::config::{Config, GuestAccess, TlsSettings, load};

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
    assert_eq!(Config { file: None, ..load_docs("muxftpd.example.toml") }, Config::defaults());
    let text = std::fs::read_to_string(docs("muxftpd.example.toml")).unwrap();
    assert_eq!(keys(&text), keys(&Config::defaults().to_toml()));
}

#[test]
fn the_example_states_tls_with_its_defaults() {
    let text = std::fs::read_to_string(docs("muxftpd.example.toml")).unwrap();
    let section = text.split("\n\n").find(|paragraph| paragraph.contains("\n# [tls]\n")).expect("a paragraph on TLS");
    let is_setting = |line: &&str| *line == "[tls]" || line.contains(" = \"") && line.ends_with('"');
    let settings: Vec<_> = section.lines().filter_map(|line| line.strip_prefix("# ")).filter(is_setting).collect();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("m.toml");
    std::fs::write(&path, settings.join("\n")).unwrap();
    let config = load(&Flags { config: Some(path), ..Flags::default() }).unwrap_or_else(|errors| panic!("{errors}"));
    let defaults = TlsSettings::new(dir.path().join("cert.pem"), dir.path().join("key.pem"));
    assert_eq!(config.tls, Some(defaults));
    let shown: toml::Table = config.to_toml().parse().unwrap();
    assert_eq!(shown["tls"].as_table().unwrap().len(), settings.len() - 1, "every key is there: {settings:?}");
}

#[test]
fn the_ec2_file_opens_the_well_known_port_with_a_stated_guest() {
    let config = load_docs("muxftpd.ec2.toml");
    let listen: Vec<String> = config.listen.iter().map(ToString::to_string).collect();
    assert_eq!(listen, ["simple://0.0.0.0:21"]);
    assert_eq!(config.data_ports.to_string(), "20000-21000");
    assert_eq!(config.guest.access, GuestAccess::ReadWrite);
}
