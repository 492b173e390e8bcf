//! What signals do.

use std::fs::File;
use std::process::Stdio;

use rustix::process::Signal;

use crate::{Log, Muxftpd, terminal};

/// A server on a terminal of its own, behind `prefix`.
fn on_terminal(name: &str, prefix: &[&str]) -> Muxftpd {
    let open = || File::options().read(true).write(true).open(name).unwrap();
    let place = tempfile::tempdir().unwrap();
    Muxftpd::start_in(place, "simple", &[], open(), |command| {
        let mut line = vec!["--ctty".into()];
        line.extend(prefix.iter().map(Into::into));
        line.push(command.get_program().to_owned());
        line.extend(command.get_args().map(ToOwned::to_owned));
        let directory = command.get_current_dir().unwrap().to_owned();
        *command = std::process::Command::new("setsid");
        command.args(line).current_dir(directory);
        command.stdin(open()).stdout(Stdio::null()).stderr(open())
    })
}

/// A request is answered: by then the server has taken the signals.
fn serves(server: &Muxftpd) {
    assert!(server.session().says("GET nothing").starts_with("550 "));
}

#[test]
fn user_signals_are_ignored_with_a_line() {
    let (log, stderr) = std::io::pipe().unwrap();
    let mut server = Muxftpd::start("simple", &[], stderr);
    let mut log = Log::new(log);
    serves(&server);
    for (signal, name) in [(Signal::USR1, "SIGUSR1"), (Signal::USR2, "SIGUSR2")] {
        server.signal(signal);
        log.line_with(name);
    }
    serves(&server);
    server.signal(Signal::TERM);
    assert!(server.end().success());
}

#[test]
fn a_lost_terminal_ends_the_server_and_a_hangup_by_hand_does_not() {
    let (screen, name) = terminal();
    let mut log = Log::new(screen.try_clone().unwrap());
    let mut server = on_terminal(&name, &[]);
    serves(&server);
    server.signal(Signal::HUP);
    log.line_with("nothing to read again");
    serves(&server);
    // The window is closed: nobody has the other side any more.
    drop((screen, log));
    assert_eq!(server.end().code(), Some(0));
}

#[test]
fn a_lost_terminal_does_not_end_a_server_under_nohup() {
    let (screen, name) = terminal();
    let mut server = on_terminal(&name, &["nohup"]);
    serves(&server);
    drop(screen);
    // It comes after the hang-up by the kernel, and has the same effect.
    server.signal(Signal::HUP);
    server.signal(Signal::USR1);
    serves(&server);
    server.signal(Signal::TERM);
    assert!(server.end().success());
}
