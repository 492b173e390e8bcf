//! The clients of the first hour, driven by their prompts: tnftp and the ftp of GNU inetutils.

use std::io::Write;
use std::path::Path;
use std::process::Stdio;

use super::{program, server, told};
use crate::support::TestServer;

/// Says these lines at the prompt; gives what the program says.
fn converse(name: &str, server: &TestServer, directory: &Path, options: &[&str], script: &str) -> Option<String> {
    let mut command = program(name, directory)?;
    command.args(options).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let (host, port) = (server.address.ip(), server.address.port());
    let script = format!("open {host} {port}\nuser anonymous me@example.com\n{script}\nbye\n");
    child.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = told(&output);
    assert!(said.contains("230 "), "{name} has not logged in: {said}");
    Some(said)
}

#[test]
fn both_fetch_and_bring_files_in_all_modes() {
    let table: [(&str, &[&str], &[&str]); 2] = [
        ("tnftp", &["-n", "-v", "-i"], &["passive on", "passive off"]),
        ("inetutils-ftp", &["-n", "-v", "-i"], &["passive", "status"]),
    ];
    for (name, options, modes) in table {
        for mode in modes {
            let server = server();
            let here = tempfile::tempdir().unwrap();
            let whole = server.file("plain.bin").unwrap();
            std::fs::write(here.path().join("up file"), &whole).unwrap();
            let script = format!(
                "{mode}\nbinary\nget plain.bin down\nget \"with blanks in it.txt\" blanks\nput \"up file\" \"came up\"\n\
                 mkdir made\ncd made\nput \"up file\" x\nrename x y\npwd\nls\ncd ..\nmdelete made/y\nrmdir made\n\
                 append \"up file\" \"came up\"\nascii\nget lines.txt text\nsize lines.txt\nmodtime plain.bin\nget nope"
            );
            let Some(said) = converse(name, &server, here.path(), options, &script) else { break };
            let down = |name: &str| std::fs::read(here.path().join(name)).unwrap_or_else(|_| panic!("{name}: {said}"));
            assert!(down("down") == whole, "{name} {mode}: {said}");
            assert_eq!(down("blanks"), b"blanks\n", "{name} {mode}");
            assert_eq!(server.file("came up").unwrap(), [&whole[..], &whole].concat(), "{name} {mode}: {said}");
            assert!(said.contains("257 \"/made\"") && !server.path().join("made").exists(), "{name} {mode}: {said}");
            assert!(down("text").starts_with(b"one\ntwo"), "{name} {mode}: {said}");
            assert!(said.contains("550 File Not Found"), "{name} {mode}: {said}");
        }
    }
}
