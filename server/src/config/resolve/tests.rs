//! Configurations as a user writes them, and what they come to.

use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;

use super::*;
use crate::args::Cli;
use crate::config::GuestAccess;

fn resolve_both(line: &[&str], text: &str) -> Result<Config, String> {
    let flags = Cli::try_parse_from([&["muxftpd"], line].concat()).unwrap().flags;
    resolve(&flags, Some(Source { name: "m.toml", text })).map_err(|errors| errors.to_string())
}

fn errors(text: &str) -> String {
    resolve_both(&[], text).unwrap_err()
}

#[test]
fn nothing_said_means_the_defaults() {
    assert_eq!(resolve_both(&[], "").unwrap(), Config::defaults());
    assert_eq!(load(&Flags::default()).unwrap(), Config::defaults());
}

#[test]
fn flags_win_over_the_file_and_the_file_over_the_defaults() {
    let text = "root = \"/srv\"\n[guest]\naccess = \"off\"\n[timeouts]\nidle = \"90s\"\n[log]\nformat = \"json\"\n";
    let config = resolve_both(&["--guest", "read-only", "--data-ports", "6000-6010"], text).unwrap();
    assert_eq!(config.root, PathBuf::from("/srv"));
    assert_eq!(config.guest.access, GuestAccess::ReadOnly);
    assert_eq!(config.data_ports.to_string(), "6000-6010");
    assert_eq!(config.timeouts.idle, Duration::from_secs(90));
    assert_eq!(config.timeouts.stall, Config::defaults().timeouts.stall);
}

#[test]
fn what_is_shown_gives_the_same_configuration_again() {
    let text = "root = 'a \"b\" \\c'\ndata_ports = \"5000-5010\"\nupdown_data_ports = \"7000-7001\"\n[[listen]]\ndialect = \"simple\"\naddress = \"[::]:2021\"\n\
        [guest]\naccess = \"read-only\"\n[limits]\nsessions = 7\n[timeouts]\nstall = \"1500ms\"\n\
        [files]\ndurability = \"fsync\"\n[log]\nlevel = \"debug\"\nformat = \"json\"\n";
    let config = resolve_both(&[], text).unwrap();
    assert_ne!(config, Config::defaults());
    assert_eq!(resolve_both(&[], &config.to_toml()).unwrap(), config, "{}", config.to_toml());
    assert_eq!(resolve_both(&[], &Config::defaults().to_toml()).unwrap(), Config::defaults());
}

#[test]
fn listeners_come_from_flags_then_file_then_defaults() {
    let file = "[[listen]]\ndialect = \"simple\"\naddress = \"127.0.0.1:4000\"\n[[listen]]\ndialect = \"simple\"\n\
        address = \"[::1]:4000\"\n";
    let shown = |line: &[&str], text: &str| -> Vec<String> {
        resolve_both(line, text).unwrap().listen.iter().map(Listen::to_string).collect()
    };
    assert_eq!(shown(&[], file), ["simple://127.0.0.1:4000", "simple://[::1]:4000"]);
    assert_eq!(shown(&["--listen", "simple://[::1]:5"], file), ["simple://[::1]:5"]);
    assert_eq!(shown(&["--host", "::1", "--port", "0"], ""), ["simple://[::1]:0"]);
    assert_eq!(shown(&["--host", "[::1]"], ""), ["simple://[::1]:2021", "updown://[::1]:5001", "ftp://[::1]:2121"]);
    assert_eq!(shown(&["--port", "7"], ""), ["simple://127.0.0.1:7"], "one port, one listener");
    assert!(resolve_both(&["--port", "1"], file).unwrap_err().contains("use --listen"));
}

#[test]
fn a_guest_beyond_this_machine_must_be_stated() {
    for host in ["0.0.0.0", "::", "::ffff:0.0.0.0"] {
        let error = resolve_both(&["--host", host], "").unwrap_err();
        assert!(error.contains("--guest read-only") && error.contains("access = \"read-only\""), "{error}");
        assert_eq!(resolve_both(&["--host", host, "--guest", "off"], "").unwrap().guest.access, GuestAccess::Off);
    }
    for host in ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"] {
        assert_eq!(resolve_both(&["--host", host], "").unwrap().guest.access, GuestAccess::ReadWrite, "{host}");
    }
}

#[test]
fn all_problems_come_at_once_each_with_its_place() {
    let text = "rot = \"/srv\"\n[limits]\nsesions = 10\nsessions = \"many\"\n[timeouts]\n\tidle = 300\n\
        stall = \"soon\"\n[guest]\naccess = \"readonly\"\n[lgo]\nlevel = \"info\"\n";
    let expected = "\
error: m.toml:1:1: unknown key `rot`; did you mean `root`?
  1 | rot = \"/srv\"
    | ^^^
error: m.toml:3:1: unknown key `limits.sesions`; did you mean `sessions`?
  3 | sesions = 10
    | ^^^^^^^
error: m.toml:4:12: must be a whole number from 1 to 4294967295, without quotes
  4 | sessions = \"many\"
    |            ^^^^^^
error: m.toml:6:9: a time needs its unit, in quotes, such as \"500ms\", \"10s\", \"5m\" or \"1h\"
  6 |  idle = 300
    |         ^^^
error: m.toml:7:9: `soon` is not a time: write a whole number and its unit, such as \"500ms\", \"10s\", \"5m\" or \"1h\"
  7 | stall = \"soon\"
    |         ^^^^^^
error: m.toml:9:10: `readonly` is not one of off, read-only, read-write; did you mean `read-only`?
  9 | access = \"readonly\"
    |          ^^^^^^^^^^
error: m.toml:10:2: unknown key `lgo`; did you mean `log`?
  10 | [lgo]
     |  ^^^";
    assert_eq!(errors(text), expected);
}

#[test]
fn listeners_that_are_wrong_say_where() {
    for (text, place, hint) in [
        ("[[listen]]\ndialect = \"simpel\"\naddress = \"[::1]:1\"\n", "2:11", "did you mean `simple`?"),
        ("[[listen]]\ndialect = \"simple\"\naddress = \"127.0.0.1\"\n", "3:11", "127.0.0.1:2021"),
        ("[[listen]]\naddress = \"[::1]:1\"\n", "1:1", "both `dialect` and `address`"),
        ("[[listen]]\ndialect = \"simple\"\naddress = \"[::1]:1\"\nport = 1\n", "4:1", "unknown key `listen.port`"),
        ("listen = \"simple\"\n", "1:10", "[[listen]]"),
        ("log = \"info\"\n", "1:7", "[log]"),
    ] {
        let error = errors(text);
        assert!(error.starts_with(&format!("error: m.toml:{place}: ")) && error.contains(hint), "{error}");
    }
}

#[test]
fn broken_toml_shows_its_place_and_nothing_that_follows_from_it() {
    let error = errors("root = \"/srv\nsesions = 1\n");
    assert!(error.starts_with("error: m.toml:1:"), "{error}");
    assert!(!error.contains("unknown key"), "{error}");
    assert!(errors("\u{e9}\u{e9} = \n").starts_with("error: m.toml:1:"));
    assert!(errors("[limits]\nsessions = 1\nsessions = 2\n").starts_with("error: m.toml:3:"));
}

#[test]
fn ports_that_cross_are_refused() {
    assert!(resolve_both(&["--port", "20500"], "").unwrap_err().contains("one of the data ports"));
    assert!(resolve_both(&["--updown-data-ports", "5000-5001"], "").unwrap_err().contains("data ports of updown"));
    assert!(resolve_both(&["--updown-data-ports", "20500"], "").unwrap_err().contains("are among the data ports"));
    assert!(resolve_both(&["--updown-data-ports", "20500", "--port", "1"], "").is_ok(), "nothing speaks updown");
    let twice = ["--listen", "simple://[::1]:5", "--listen", "simple://[::1]:5"];
    assert!(resolve_both(&twice, "").unwrap_err().contains("named twice"));
    let system = ["--listen", "simple://[::1]:0", "--listen", "simple://[::1]:0"];
    assert_eq!(resolve_both(&system, "").unwrap().listen.len(), 2);
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let flags = Flags { config: Some(PathBuf::from("/nonexistent/m.toml")), ..Flags::default() };
    assert!(load(&flags).unwrap_err().to_string().contains("/nonexistent/m.toml"));
}

#[test]
fn one_address_never_has_more_than_all() {
    let config = resolve_both(&[], "[limits]\nsessions = 7\n").unwrap();
    assert_eq!(config.limits, Limits { sessions: 7, sessions_per_address: 7 });
}
