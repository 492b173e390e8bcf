//! Servers whose replies are out of step: nothing that was not done is reported as done, and the next command has a
//! session in which it is.

use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::support::{Control, Fake, run, run_with_input, text};

/// A server that answers by `answer`: the line and how many commands came before it in its session. Serves `sessions`
/// sessions; gives the lines that it has heard.
fn serve(sessions: usize, answer: fn(&str) -> &'static [&'static str]) -> (Fake, Arc<Mutex<Vec<String>>>) {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&heard);
    let fake = Fake::start(move |listener: &TcpListener| {
        for _ in 0..sessions {
            let mut control = Control::accept(listener);
            control.say(b"220 here\r\n");
            loop {
                let line = control.hear();
                if line.is_empty() {
                    break;
                }
                log.lock().unwrap().push(line.clone());
                let usual: &[&str] = match line.split(' ').next().unwrap() {
                    "USER" => &["230 in\r\n"],
                    "FEAT" => &["502 no\r\n"],
                    "QUIT" => &["221 bye\r\n"],
                    _ => &[],
                };
                for (index, piece) in usual.iter().chain(answer(&line)).enumerate() {
                    // Not a limit: only for the pieces to come apart.
                    std::thread::sleep(if index == 0 { Duration::ZERO } else { Duration::from_millis(50) });
                    if control.try_say(piece.as_bytes()).is_err() {
                        break;
                    }
                }
            }
        }
    });
    (fake, heard)
}

fn script(fake: &Fake, lines: &str) -> (Option<i32>, String, String) {
    let here = tempfile::tempdir().unwrap();
    let url = format!("ftp://127.0.0.1:{}/", fake.port());
    let output = run_with_input(here.path(), &["--tls=off", &url], lines.as_bytes());
    (output.status.code(), text(&output.stdout).to_owned(), text(&output.stderr).to_owned())
}

#[test]
fn a_type_that_is_answered_twice_does_not_shift_the_replies() {
    let (fake, heard) = serve(2, |line| match line {
        "TYPE I" => &["200 ok\r\n200 ok\r\n"],
        "SIZE a" => &["", "213 4\r\n"],
        "DELE b" => &["550 no\r\n"],
        _ => &[],
    });
    let (code, _, told) = script(&fake, "size a\nrm b\n");
    fake.join();
    assert_eq!(
        told,
        "muxftp: size a: the server's replies are out of step: `200 ok` came unasked, and no further command was sent\n\
         muxftp: rm b: the server says no: 550 no\n"
    );
    assert_eq!(code, Some(4));
    let heard = heard.lock().unwrap();
    assert!(!heard.contains(&"SIZE a".to_owned()), "{heard:?}");
    assert_eq!(heard.iter().filter(|line| line.starts_with("USER")).count(), 2, "a new log-in: {heard:?}");
}

#[test]
fn a_reply_of_another_command_leaves_the_command_unconfirmed() {
    for (line, command, wrong, named) in [
        ("rm b", "DELE b", "213 4", "rm b"),
        ("rm b", "DELE b", "226 done", "rm b"),
        ("mkdir d", "MKD d", "200 ok", "mkdir d"),
        ("rmdir d", "RMD d", "257 \"/d\"", "rmdir d"),
        ("mv a b", "RNFR a", "250 ok", "mv a"),
        ("chmod 644 a", "SITE CHMOD 644 a", "226 ok", "chmod a"),
        ("cd d", "CWD d", "350 more", "cd d"),
        ("noop", "NOOP", "250 ok", "noop"),
        ("get a", "TYPE I", "229 Extended (|||7|)", "get a"),
        ("put /dev/null a", "TYPE I", "229 Extended (|||7|)", "put a"),
    ] {
        let fake = Fake::start(move |listener: &TcpListener| {
            for session in 0..2 {
                let mut control = Control::accept(listener);
                control.say(b"220 here\r\n");
                loop {
                    let said = control.hear();
                    let answer = match said.split(' ').next().unwrap() {
                        "" => break,
                        "USER" => "230 in",
                        "FEAT" => "502 no",
                        "QUIT" => "221 bye",
                        "TYPE" if command != "TYPE I" || session == 1 => "200 ok",
                        _ if said == command && session == 0 => wrong,
                        _ => "550 right",
                    };
                    if control.try_say(format!("{answer}\r\n").as_bytes()).is_err() {
                        break;
                    }
                }
            }
        });
        let (code, _, told) = script(&fake, &format!("{line}\nsize last\n"));
        fake.join();
        assert_eq!(
            told,
            format!(
                "muxftp: {named}: the server's replies are out of step: `{wrong}` is not a reply to {command}, \
                 which was not confirmed\nmuxftp: size last: the server says no: 550 right\n"
            )
        );
        assert_eq!(code, Some(4), "{line}");
    }
}

#[test]
fn a_late_second_reply_leaves_the_command_before_it_unconfirmed() {
    // The 250 that comes late could be the reply to `rm b`, and the first one that of a command before it.
    let (fake, _) = serve(2, |line| match line {
        "DELE b" => &["250 ok\r\n", "250 ok\r\n"],
        "MKD d" => &["257 made\r\n"],
        _ => &[],
    });
    let (code, _, told) = script(&fake, "rm b\n!sleep 0.2\nmkdir d\n");
    fake.join();
    let doubt = "muxftp: rm b: not confirmed: the server's replies are out of step: `250 ok` came unasked\n";
    assert_eq!((code, told.as_str()), (Some(4), doubt));
}

#[test]
fn the_reply_to_quit_shows_that_the_last_command_was_not_confirmed() {
    for wrong in ["550 no", "250 ok"] {
        let (fake, _) = serve(
            1,
            match wrong {
                "550 no" => |line| if line == "DELE b" { &["250 surplus\r\n", "550 no\r\n"] } else { &[] },
                _ => |line| if line == "DELE b" { &["250 surplus\r\n", "250 ok\r\n"] } else { &[] },
            },
        );
        let here = tempfile::tempdir().unwrap();
        let url = format!("ftp://127.0.0.1:{}/b", fake.port());
        let output = run(here.path(), &["rm", "--tls=off", &url]);
        fake.join();
        let doubt =
            format!("muxftp: rm b: not confirmed: the server's replies are out of step: `{wrong}` came unasked\n");
        assert_eq!((output.status.code(), text(&output.stderr)), (Some(4), doubt.as_str()));
    }
}
