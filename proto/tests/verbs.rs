//! The verb table of `ftp`, cell by cell: each column is true of the session, and the documentation shows the same table.

use std::fmt::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use muxftp_proto::server::io::{Effect, Ends, Event, OperationId, SessionConfig, Task, TaskAnswer, TlsMode};
use muxftp_proto::verbs::{Argument, VERBS, Verb, VerbRow};
use muxftp_proto::{Dialect, Permission, Permissions, ServerSession};

/// A session in one of the situations that the table tells apart.
struct Situation {
    login: Option<Permissions>,
    transfer: bool,
}

impl Situation {
    /// What a line gets for an answer and what it makes the session want.
    fn say(&self, line: &str) -> (String, Vec<Effect>) {
        let hour = Duration::from_secs(3600);
        let config = SessionConfig {
            permissions: Permissions::NONE,
            data_connect_timeout: hour,
            stall_timeout: hour,
            storage_timeout: hour,
            idle_timeout: hour,
            login_timeout: hour,
            tls: TlsMode::Off,
        };
        let address = "127.0.0.1:5000".parse().expect("an address");
        let ends = Ends { local: address, peer: address, public: None };
        let now = Instant::now();
        let mut session = ServerSession::new(Dialect::Ftp, config, ends, now);
        if let Some(permissions) = self.login {
            session.handle_input(b"USER a\r\nPASS b\r\n", now);
            let op = drain(&mut session).iter().find_map(task_of).expect("a log-in");
            session.handle_event(Event::TaskDone { op, result: Ok(TaskAnswer::LoggedIn(permissions)) }, now);
        }
        if self.transfer {
            session.handle_input(b"PORT 127,0,0,1,78,33\r\nRETR file\r\n", now);
        }
        drain(&mut session);
        let said = session.outbox().pending().len();
        session.outbox().consume(said);
        session.handle_input(format!("{line}\r\n").as_bytes(), now);
        let effects = drain(&mut session);
        (String::from_utf8_lossy(session.outbox().pending()).into_owned(), effects)
    }
}

fn drain(session: &mut ServerSession) -> Vec<Effect> {
    std::iter::from_fn(|| session.poll_effect()).collect()
}

fn task_of(effect: &Effect) -> Option<OperationId> {
    match effect {
        Effect::Run { op, task: Task::LogIn { .. } } => Some(*op),
        _ => None,
    }
}

/// The verb with arguments that are right for it.
fn well_said(row: &VerbRow) -> String {
    let argument = match row.verb {
        Verb::Port => "127,0,0,1,78,33",
        Verb::Eprt => "|1|127.0.0.1|20001|",
        Verb::Epsv => "1",
        Verb::Type => "I",
        Verb::Stru => "F",
        Verb::Mode => "S",
        Verb::Allo | Verb::Rest => "7",
        Verb::Rang => "0 7",
        Verb::Opts => "UTF8 ON",
        Verb::Lang => "EN",
        Verb::Help => "RETR",
        Verb::Mfmt | Verb::SiteUtime => "20201121054631 name",
        Verb::SiteChmod => "644 name",
        _ if row.argument == Argument::None => "",
        _ => "name",
    };
    format!("{} {argument}", row.word).trim_end().to_owned()
}

fn without(permission: Permission) -> Permissions {
    Permission::ALL.into_iter().filter(|other| *other != permission).collect()
}

const IDLE: Situation = Situation { login: Some(Permissions::ALL), transfer: false };
const NOT_LOGGED_IN: Situation = Situation { login: None, transfer: false };

#[test]
fn the_column_of_arguments_is_true() {
    for row in VERBS {
        let (said, effects) = IDLE.say(row.word);
        let refused = said.starts_with("501");
        assert_eq!(refused, row.argument == Argument::Required, "{} without an argument: {said}", row.word);
        assert!(!refused || effects.is_empty(), "{}: {effects:?}", row.word);
        if row.argument == Argument::None {
            let (said, effects) = IDLE.say(&format!("{} x", row.word));
            assert!(said.starts_with("501") && effects.is_empty(), "{} with an argument: {said}", row.word);
        }
    }
}

#[test]
fn the_column_of_logins_is_true() {
    for row in VERBS {
        let (said, effects) = NOT_LOGGED_IN.say(&well_said(row));
        let needed = row.login || row.verb == Verb::Stat;
        assert_eq!(said.starts_with("530"), needed, "{} without a login: {said}", row.word);
        assert!(!needed || effects.is_empty(), "{}: {effects:?}", row.word);
        let (said, _) = IDLE.say(&well_said(row));
        assert!(!said.starts_with("530"), "{} with a login: {said}", row.word);
    }
}

#[test]
fn the_column_of_permissions_is_true() {
    for row in VERBS {
        let answer = |permissions| Situation { login: Some(permissions), transfer: false }.say(&well_said(row));
        for permission in Permission::ALL {
            let (said, effects) = answer(without(permission));
            let refused = said.starts_with("550 Not Allowed");
            assert_eq!(refused, row.permission == Some(permission), "{} without {permission:?}: {said}", row.word);
            assert!(!refused || effects.is_empty(), "{}: {effects:?}", row.word);
        }
        let only = row.permission.into_iter().collect();
        let (said, _) = answer(only);
        assert!(!said.starts_with("550 Not Allowed"), "{} with {only} alone: {said}", row.word);
    }
}

#[test]
fn the_column_of_transfers_is_true() {
    let transferring = Situation { login: Some(Permissions::ALL), transfer: true };
    for row in VERBS {
        let (said, effects) = transferring.say(row.word);
        assert_eq!(!said.is_empty(), row.in_transfer, "{} in a transfer: {said}", row.word);
        assert!(effects.is_empty() || row.verb == Verb::Abor, "{} in a transfer: {effects:?}", row.word);
    }
    let (said, effects) = transferring.say("STAT name");
    assert!(said.is_empty() && effects.is_empty(), "STAT with a path is a listing, and waits");
}

#[test]
fn what_is_unknown_is_refused_in_every_situation() {
    for situation in [IDLE, NOT_LOGGED_IN] {
        for (line, code) in [("XYZZY", "500"), ("", "500"), ("RETRname", "500"), ("\u{1}\u{2}", "500")] {
            let (said, effects) = situation.say(line);
            assert!(said.starts_with(code) && effects.is_empty(), "{line:?}: {said}");
        }
    }
}

#[test]
fn the_documentation_shows_this_table() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/rfc.md");
    let text = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = text.split_once(BEGIN).expect("the mark of the table's beginning");
    let (_, after) = rest.split_once(END).expect("the mark of its end");
    let right = format!("{before}{BEGIN}\n{}{END}{after}", table());
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, right).unwrap();
    } else {
        assert!(
            text == right,
            "docs/rfc.md is not the table of the code: UPDATE_DOCS=1 cargo test -p muxftp-proto --test verbs"
        );
    }
}

const BEGIN: &str = "<!-- verbs: from proto/src/dialect/ftp/verbs.rs -->";
const END: &str = "<!-- end of verbs -->";

fn table() -> String {
    let mut out = String::from(
        "\n| command | what it does | needs a login | needs the right | during a transfer | RFC |\n|---|---|---|---|---|---|\n",
    );
    for row in VERBS {
        let word = row.alias.map_or(row.word.to_owned(), |alias| format!("{}, {alias}", row.word));
        let syntax = row.syntax.replace('|', "\\|");
        let command = format!("`{word}` {syntax}");
        let right = row.permission.map_or("", Permission::word);
        let login = if row.login { "yes" } else { "" };
        let during = if row.in_transfer { "answered at once" } else { "waits" };
        let row = [command.trim_end(), row.meaning, login, right, during, row.rfc].join(" | ");
        writeln!(out, "| {row} |").expect("a string takes all");
    }
    out.push('\n');
    out
}
