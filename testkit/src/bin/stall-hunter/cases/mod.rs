//! The cases: what others do while the probe measures.

mod files;
mod lines;
mod slow;
mod storms;

use std::net::TcpStream;
use std::time::Duration;

use crate::client::Ftp;
use crate::run::Run;
use crate::server::Server;

pub struct Case {
    pub name: &'static str,
    pub about: &'static str,
    /// Part of `--brief`.
    pub brief: bool,
    /// Runs the load; the error is why nothing was measured, or what went wrong with the load.
    pub play: fn(&Run<'_>) -> Result<(), String>,
}

const fn case(name: &'static str, about: &'static str, play: fn(&Run<'_>) -> Result<(), String>) -> Case {
    Case { name, about, brief: false, play }
}

const fn brief(name: &'static str, about: &'static str, play: fn(&Run<'_>) -> Result<(), String>) -> Case {
    Case { name, about, brief: true, play }
}

pub const ALL: &[Case] = &[
    brief("idle", "nothing else happens", idle),
    case("HELP x1", "one session sends HELP without waiting, and reads", |run| lines::flood(run, "HELP", 1, true)),
    case("HELP x20", "20 sessions", |run| lines::flood(run, "HELP", 20, true)),
    brief("HELP x200", "200 sessions", |run| lines::flood(run, "HELP", 200, true)),
    case("HELP x1000", "1,000 sessions", |run| lines::flood(run, "HELP", 1000, true)),
    case("HELP x200 unread", "200 sessions do not read the replies", |run| lines::flood(run, "HELP", 200, false)),
    case("HELP x1000 unread", "1,000 sessions do not read", |run| lines::flood(run, "HELP", 1000, false)),
    case("MLST x20", "an entry's facts", |run| lines::flood(run, "MLST small", 20, true)),
    brief("MLST x200", "an entry's facts", |run| lines::flood(run, "MLST small", 200, true)),
    case("EPSV x20", "a new listening port each time", |run| lines::flood(run, "EPSV", 20, true)),
    brief("EPSV x200", "a new listening port each time", |run| lines::flood(run, "EPSV", 200, true)),
    case("PASV x200", "a new listening port each time", |run| lines::flood(run, "PASV", 200, true)),
    case("MKD RMD x20", "changes of the tree", |run| lines::flood(run, "MKD d\r\nRMD d", 20, true)),
    brief("MKD RMD x200", "changes of the tree", |run| lines::flood(run, "MKD d\r\nRMD d", 200, true)),
    case("CWD x200", "lookups", |run| lines::flood(run, "CWD /", 200, true)),
    case("STAT x200", "the session's state", |run| lines::flood(run, "STAT", 200, true)),
    case("STAT / x200", "a listing on the control connection", |run| lines::flood(run, "STAT /", 200, true)),
    case("NLST x200", "without a data connection", |run| lines::flood(run, "NLST", 200, true)),
    case("SIZE x200", "an entry's size", |run| lines::flood(run, "SIZE small", 200, true)),
    case("FEAT x200", "the features", |run| lines::flood(run, "FEAT", 200, true)),
    brief("connect storm", "connect and close, from 4 threads", storms::connects),
    brief("TLS handshake storm", "handshakes with ftps, from 8 threads", storms::handshakes),
    brief("login storm", "1,000 wrong passwords at once from 127.0.0.66, one right one", storms::logins),
    case("timers at once", "1,000 sessions reach the login timeout together", storms::timers),
    case("data connections of strangers", "connections to data ports from 127.0.0.66", storms::strangers),
    brief("log not read", "standard error is a full pipe, at level debug", storms::log_unread),
    brief("DELE large", "a large file in memory", files::delete),
    brief("STOR over large", "a large file in memory is replaced", files::replace),
    brief("ABOR of a large upload", "its temporary file is dropped", files::abort),
    case("DELE fragmented", "a file of 1,024 extents on a disk", files::delete_fragmented),
    case("RETR x3", "three downloads at full speed", files::downloads),
    case("STOR x3", "three uploads at full speed", files::uploads),
    case("LIST many", "a large directory", |run| files::list(run, "LIST many")),
    case("NLST many", "a large directory", |run| files::list(run, "NLST many")),
    brief("MLSD many", "a large directory", |run| files::list(run, "MLSD many")),
    case("LIST pattern", "a pattern over a large directory", |run| files::list(run, "LIST many/*0*1*2*3*9")),
    case("updown LIST many", "a large directory, in `updown`", files::list_updown),
    brief("quota of many", "a login measures a large directory", files::measure_quota),
    case("HASH", "a large file is read", files::hash),
    case("slow mount: RETR", "each request of the file system takes 100 ms", |run| slow::late(run, "RETR slow/a")),
    case("slow mount: STOR", "as above", |run| slow::late(run, "STOR slow/new")),
    case("slow mount: LIST", "as above", |run| slow::late(run, "LIST slow")),
    case("slow mount: MLST", "as above", |run| slow::late(run, "MLST slow/a")),
    brief("dead mount: CWD", "a file system that never answers", |run| slow::dead(run, "CWD slow/dir")),
    case("dead mount: MLST", "as above", |run| slow::dead(run, "MLST slow/a")),
    case("dead mount: LIST", "as above", |run| slow::dead(run, "LIST slow")),
    case("dead mount: STAT", "as above", |run| slow::dead(run, "STAT slow")),
    brief("dead mount: RETR", "as above", |run| slow::dead(run, "RETR slow/a")),
    brief("dead mount: STOR", "as above", |run| slow::dead(run, "STOR slow/new")),
    case("dead mount: DELE", "as above", |run| slow::dead(run, "DELE slow/a")),
    case("dead mount: parent LIST", "a listing of its parent", |run| slow::dead(run, "LIST /")),
    case("dead mount: read of RETR", "opening works, reading never answers", slow::dead_read),
    case("dead mount: write of STOR", "creating works, writing never answers", slow::dead_write),
    case("dead mount: close", "closing an upload never answers", slow::dead_close),
    case("cold file", "RETR from a disk throttled to 1 MiB/s", slow::cold_download),
    case("slow disk: STOR", "STOR to a disk throttled to 1 MiB/s", slow::cold_upload),
];

fn idle(run: &Run<'_>) -> Result<(), String> {
    let server = run.server()?;
    run.measure(&server, |_| Ok(()))
}

/// Sessions of guests, logged in.
fn guests(server: &Server, count: usize) -> Result<Vec<TcpStream>, String> {
    (0..count).map(|_| Ftp::guest(server.ftp).map(Ftp::into_stream)).collect()
}

/// What this thread does is done when nothing else wants the processor: the probe measures the server, not this load's share.
fn stand_back() {
    let _ = rustix::process::nice(15);
}

fn pause() {
    std::thread::sleep(Duration::from_millis(1));
}

fn write_file(path: &std::path::Path, bytes: &[u8]) -> Result<(), String> {
    std::fs::write(path, bytes).map_err(|error| format!("{}: {error}", path.display()))
}
