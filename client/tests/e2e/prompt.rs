//! The prompt, fed by a script.

use std::fs;

use muxftp_proto::Dialect;

use crate::support::{Control, Fake, TestServer, names, run_with_input, text};

#[test]
fn a_script_is_followed_to_its_end() {
    let server = TestServer::start();
    let here = tempfile::tempdir().unwrap();
    fs::write(here.path().join("my notes.txt"), "notes").unwrap();
    fs::create_dir(here.path().join("down")).unwrap();
    let script =
        b"PUT 'my notes.txt'\nput \"my notes.txt\" two\n\nLS\nlcd down\nGET two 2.txt\nget my\\ notes.txt\nBYE\nLS\n";
    let output = run_with_input(here.path(), &[server.url("")], script);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(names(server.root()), ["my notes.txt", "two"]);
    assert_eq!(names(&here.path().join("down")), ["2.txt", "my notes.txt"]);
    let shown = text(&output.stdout);
    assert!(!shown.contains("ftp>"), "no prompt without a terminal: {shown}");
    assert_eq!(shown.matches("my notes.txt\ntwo\n").count(), 1, "nothing after BYE: {shown}");
}

#[test]
fn failures_are_told_and_remembered_and_the_rest_is_done() {
    let server = TestServer::start();
    let here = tempfile::tempdir().unwrap();
    fs::write(here.path().join("a"), "x").unwrap();
    let output = run_with_input(here.path(), &[server.url("")], b"get nope\nfrobnicate\nput missing\nput a\n");
    assert_eq!(output.status.code(), Some(1), "the first failure's code");
    assert_eq!(
        text(&output.stderr),
        "muxftp: get nope: the server says no: 550 File Not Found\n\
         muxftp: `frobnicate` is not a command; HELP lists them\n\
         muxftp: cannot read missing: No such file or directory\n"
    );
    assert_eq!(names(server.root()), ["a"]);
}

#[test]
fn commands_of_the_shell_run_here() {
    let server = TestServer::start();
    let here = tempfile::tempdir().unwrap();
    let output = run_with_input(here.path(), &[server.url("")], b"!echo from the shell > made\n!exit 3\nlpwd\n");
    assert_eq!(fs::read(here.path().join("made")).unwrap(), b"from the shell\n");
    assert!(text(&output.stderr).contains("exit status: 3"));
    let directory = here.path().canonicalize().unwrap();
    assert_eq!(text(&output.stdout), format!("{}\n", directory.display()));
}

#[test]
fn a_session_that_the_server_has_closed_is_made_anew() {
    let fake = Fake::start(|listener| {
        for _ in 0..2 {
            let mut control = Control::accept(listener);
            assert_eq!(control.hear(), "LS");
            drop(control.open_data());
            control.say(b"226 Transfer Complete\r\n550 Idle Timeout\r\n");
            // And closed.
        }
    });
    let here = tempfile::tempdir().unwrap();
    let output = run_with_input(here.path(), &[fake.url("")], b"LS\nLS\n");
    assert!(output.status.success(), "{}", text(&output.stderr));
    fake.join();
}

#[test]
fn no_server_is_told_before_anything_is_asked() {
    let here = tempfile::tempdir().unwrap();
    let output = run_with_input(here.path(), &["simple://127.0.0.1:1"], b"LS\n");
    assert_eq!(output.status.code(), Some(3));
    assert!(text(&output.stderr).contains("is the server running"));
}

#[test]
fn the_menu_does_by_numbers_what_the_prompt_does_by_words() {
    for dialect in Dialect::OF_CLIENTS {
        let server = TestServer::speaking(dialect);
        let here = tempfile::tempdir().unwrap();
        fs::write(here.path().join("my notes.txt"), "notes").unwrap();
        let answers = b"1\nmy notes.txt\n\n1\nmy notes.txt\ntwo\n3\n7\n2\ntwo\n2.txt\n2\nnope\n\n4\n3\n";
        let output = run_with_input(here.path(), &["--menu", &server.url("")], answers);
        assert_eq!(output.status.code(), Some(2), "of the first failure");
        assert_eq!(names(server.root()), ["my notes.txt", "two"]);
        assert_eq!(names(here.path()), ["2.txt", "my notes.txt"]);
        let (shown, told) = (text(&output.stdout), text(&output.stderr));
        assert_eq!(shown.matches("my notes.txt\ntwo\n").count(), 1, "nothing after 4: {shown}");
        assert!(told.starts_with("muxftp: choose 1, 2, 3 or 4\nmuxftp: get nope: the server says no: "), "{told}");
    }
}
