//! The program's command line: what it prints where, and how it ends.

use std::process::{Command, Output};

use muxftp_server::config::Config;

fn muxftpd(line: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_muxftpd")).args(line).output().expect("the program runs")
}

fn stdout(output: &Output) -> &str {
    std::str::from_utf8(&output.stdout).expect("UTF-8")
}

fn stderr(output: &Output) -> &str {
    std::str::from_utf8(&output.stderr).expect("UTF-8")
}

#[test]
fn check_config_prints_what_the_settings_come_to() {
    let output = muxftpd(&["check-config"]);
    assert_eq!((output.status.code(), stderr(&output)), (Some(0), ""));
    assert_eq!(stdout(&output), Config::defaults().to_toml());

    let output = muxftpd(&["check-config", "--host", "::1", "--log-level", "off"]);
    assert!(stdout(&output).contains("address = \"[::1]:2021\"") && stdout(&output).contains("level = \"off\""));
}

#[test]
fn a_wrong_configuration_ends_with_2_and_says_why_on_stderr() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("m.toml");
    std::fs::write(&file, "[limits]\nsesions = 1\n").unwrap();
    let file = file.to_str().unwrap();
    for line in [&["check-config", "--config", file][..], &["--config", file]] {
        let output = muxftpd(line);
        assert_eq!((output.status.code(), stdout(&output)), (Some(2), ""));
        assert!(stderr(&output).contains("m.toml:2:1: unknown key `limits.sesions`; did you mean `sessions`?"));
    }
    for line in [&["--prot", "1"][..], &["--guest", "all"], &["--host", "0.0.0.0"], &["serve"]] {
        assert_eq!(muxftpd(line).status.code(), Some(2), "{line:?}");
    }
}

#[test]
fn a_root_that_cannot_be_served_ends_with_3() {
    let output = muxftpd(&["--root", "/dev/null"]);
    assert_eq!(output.status.code(), Some(3));
    assert!(stderr(&output).contains("cannot serve `/dev/null`") && stderr(&output).contains("--root"));
}

#[test]
fn help_and_version_say_what_there_is() {
    let output = muxftpd(&["--version"]);
    assert_eq!(stdout(&output), concat!("muxftpd ", env!("CARGO_PKG_VERSION"), "\n"));
    let output = muxftpd(&["--help"]);
    for word in ["--listen", "check-config", "Exit codes:", "Examples:", "read-only"] {
        assert!(stdout(&output).contains(word), "{word} in\n{}", stdout(&output));
    }
}
