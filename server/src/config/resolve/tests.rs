//! Configurations as a user writes them, and what they come to.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Parser;

use super::*;
use crate::args::Cli;
use crate::config::{GuestAccess, SessionReuse, TlsVersion, UploadsWithoutClose, Words};

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
        [guest]\naccess = \"read-only\"\n[limits]\nsessions = 7\ndata_ports_per_address = 20\n\
        [logins]\nexempt = [\"127.0.0.0/8\", \"2001:db8::7\"]\n[timeouts]\nstall = \"1500ms\"\n\
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
    assert_eq!((config.limits.sessions, config.limits.sessions_per_address), (7, 7));
}

const CERTIFIED: &str = "[tls]\ncertificate = \"c.pem\"\nkey = \"/k.pem\"\n";

fn tls_of(line: &[&str], text: &str) -> Vec<String> {
    let config = resolve_both(line, text).unwrap();
    config.listen.iter().map(|listen| format!("{listen} {}", listen.tls.word())).collect()
}

#[test]
fn ftp_has_tls_when_there_is_a_certificate() {
    let default = ["simple://127.0.0.1:2021 off", "updown://127.0.0.1:5001 off"];
    assert_eq!(tls_of(&[], CERTIFIED)[..2], default);
    assert_eq!(tls_of(&[], CERTIFIED)[2], "ftp://127.0.0.1:2121 optional");
    assert_eq!(tls_of(&["--tls", "required"], CERTIFIED)[2], "ftp://127.0.0.1:2121 required");
    assert_eq!(tls_of(&["--tls", "off"], CERTIFIED)[2], "ftp://127.0.0.1:2121 off");
    let flags = ["--tls-certificate", "a", "--tls-key", "b"];
    assert_eq!(tls_of(&flags, "")[2], "ftp://127.0.0.1:2121 optional");

    let text =
        |mode: &str| format!("{CERTIFIED}[[listen]]\ndialect = \"ftp\"\naddress = \"[::1]:5\"\ntls = \"{mode}\"\n");
    assert_eq!(tls_of(&[], &text("off")), ["ftp://[::1]:5 off"]);
    assert_eq!(tls_of(&[], &text("implicit")), ["ftps://[::1]:5 implicit"]);
    assert_eq!(tls_of(&["--tls", "off"], &text("required")), ["ftp://[::1]:5 off"], "the flag wins");
    assert_eq!(tls_of(&["--tls", "off"], &text("implicit")), ["ftps://[::1]:5 implicit"], "another protocol");
    assert_eq!(tls_of(&["--listen", "ftps://[::1]:7"], CERTIFIED), ["ftps://[::1]:7 implicit"]);
}

#[test]
fn the_certificate_of_the_file_is_beside_it_and_its_settings_read_back() {
    let text = format!("{CERTIFIED}min_version = \"1.3\"\nsession_reuse = \"require\"\n");
    let line = ["--config", "/etc/m/muxftpd.toml", "--listen", "ftps://[::1]:7", "--listen", "ftp://[::1]:8"];
    let config = resolve_both(&line, &text).unwrap();
    let tls = config.tls.clone().unwrap();
    assert_eq!((tls.certificate, tls.key), (PathBuf::from("/etc/m/c.pem"), PathBuf::from("/k.pem")));
    assert_eq!((tls.min_version, tls.session_reuse), (TlsVersion::V1_3, SessionReuse::Require));
    assert_eq!(config.file.as_deref(), Some(Path::new("/etc/m/muxftpd.toml")));
    let config = Config { file: None, ..config };
    assert_eq!(resolve_both(&[], &config.to_toml()).unwrap(), config, "{}", config.to_toml());
    let tls = resolve_both(&["--config", "m/m.toml", "--tls-certificate", "x"], CERTIFIED).unwrap().tls.unwrap();
    assert_eq!((tls.certificate, tls.session_reuse), (PathBuf::from("x"), SessionReuse::Log));
}

#[test]
fn a_listener_says_what_becomes_of_uploads_without_close_notify() {
    let listen = "[[listen]]\ndialect = \"ftp\"\naddress = \"127.0.0.1:5\"\ntls = \"required\"\n";
    let text = format!("{CERTIFIED}{listen}tls_uploads_without_close = \"keep\"\n{listen}").replacen(":5\"", ":6\"", 1);
    let config = resolve_both(&[], &text).unwrap();
    let settings: Vec<_> = config.listen.iter().map(|listen| listen.uploads_without_close).collect();
    assert_eq!(settings, [UploadsWithoutClose::Keep, UploadsWithoutClose::Refuse]);
    assert_eq!(resolve_both(&[], &config.to_toml()).unwrap(), config, "{}", config.to_toml());
    let error = errors(&format!("{listen}tls_uploads_without_close = \"kept\"\n"));
    assert!(error.contains("`kept` is not one of refuse, keep"), "{error}");
    let error = errors(&format!("{listen}tls_uploads_without_clos = \"keep\"\n"));
    assert!(error.contains("did you mean `tls_uploads_without_close`?"), "{error}");
    let simple = listen.replace("ftp", "simple").replace("tls = \"required\"\n", "");
    let error = errors(&format!("{simple}tls_uploads_without_close = \"keep\"\n"));
    assert!(error.contains("`tls_uploads_without_close` is for listeners of ftp"), "{error}");
}

#[test]
fn what_is_wrong_about_tls_is_told_where_it_stands() {
    let listen = |dialect: &str, mode: &str| {
        format!("[[listen]]\ndialect = \"{dialect}\"\naddress = \"127.0.0.1:5\"\ntls = \"{mode}\"\n")
    };
    for mode in ["optional", "required", "implicit"] {
        let error = errors(&listen("ftp", mode));
        assert!(error.starts_with(&format!("error: m.toml:4:7: TLS that is {mode} needs a certificate")), "{error}");
        assert!(error.contains("muxftpd cert self-signed"), "{error}");
    }
    for dialect in ["simple", "updown"] {
        let error = errors(&listen(dialect, "off"));
        assert!(error.starts_with("error: m.toml:4:7: `tls` is for listeners of ftp"), "{error}");
    }
    assert!(errors(&listen("ftp", "require")).contains("did you mean `required`?"));
    let error = resolve_both(&["--listen", "ftps://[::1]:7"], "").unwrap_err();
    assert!(error.starts_with("error: --listen: TLS that is implicit needs a certificate"), "{error}");
    let error = resolve_both(&["--tls", "required"], "").unwrap_err();
    assert!(error.starts_with("error: --tls: TLS that is required needs a certificate"), "{error}");
    for line in [["--listen", "simple://[::1]:7"], ["--port", "2021"]] {
        let error = resolve_both(&[&line[..], &["--tls", "required"]].concat(), CERTIFIED).unwrap_err();
        assert!(
            error.starts_with("error: --tls required: there is no listener of ftp, and simple has no TLS"),
            "{error}"
        );
        assert!(resolve_both(&[&line[..], &["--tls", "off"]].concat(), CERTIFIED).is_ok());
    }

    for (text, place) in [
        ("[tls]\ncertificate = \"c\"\n", "2:15: a certificate needs its private key"),
        ("[tls]\nkey = \"c\"\n", "2:7: a private key needs its certificate"),
        ("[tls]\nmin_version = \"1.3\"\n", "2:15: [tls] needs both `certificate` and `key`"),
        ("[tls]\ncertificate = \"\"\nkey = \"k\"\n", "2:15: must name a file"),
        ("[tls]\nmin_version = \"1.1\"\n", "2:15: `1.1` is not one of 1.2, 1.3; did you mean"),
        ("[tls]\nsession_reuse = \"required\"\n", "2:17: `required` is not one of off, log, require; did you mean"),
        ("[tls]\ncertificat = \"c\"\n", "2:1: unknown key `tls.certificat`; did you mean `certificate`?"),
    ] {
        let error = errors(text);
        assert!(error.starts_with(&format!("error: m.toml:{place}")), "{error}");
        assert_eq!(error.matches("error:").count(), 1, "{error}");
    }
    assert!(resolve_both(&["--tls-key", "k"], "").unwrap_err().starts_with("error: a private key needs"));
}

#[test]
fn exempt_addresses_are_one_range_or_several() {
    let exempt = |text: &str| resolve_both(&[], text).unwrap().logins.exempt;
    assert_eq!(exempt("[logins]\nexempt = \"127.0.0.1\"\n"), ["127.0.0.1".parse().unwrap()]);
    let several = "[logins]\nexempt = [\"127.0.0.0/8\", \"::1\"]\n";
    assert_eq!(exempt(several), ["127.0.0.0/8".parse().unwrap(), "::1".parse().unwrap()]);
    assert_eq!(exempt("[logins]\nexempt = []\n"), []);
    for (text, place, hint) in [
        ("[logins]\nexempt = [\"localhost\"]\n", "2:10", "`localhost` is no range of addresses"),
        ("[logins]\nexempt = 127\n", "2:10", "must be a string"),
        ("[logins]\nexemt = []\n", "2:1", "did you mean `exempt`?"),
        ("[limits]\ndata_ports_per_addres = 1\n", "2:1", "did you mean `data_ports_per_address`?"),
        ("[limits]\ndata_ports_per_address = 0\n", "2:26", "from 1"),
    ] {
        let error = errors(text);
        assert!(error.starts_with(&format!("error: m.toml:{place}: ")) && error.contains(hint), "{error}");
    }
}
