//! Every bound on what a peer can make this crate hold, or wait for, with its reason.
//!
//! Bounds of the programs (sessions, ports, times) are configuration and stand in their crates.

use std::time::Duration;

/// Longest control line without its line end, in bytes. A path may have 4,096 bytes, plus verb and size.
pub const LINE_BYTES_MAX: usize = PATH_BYTES_MAX + 64;

/// Longest path below the root, in bytes: Linux takes no more (`PATH_MAX`).
pub const PATH_BYTES_MAX: usize = 4096;

/// Longest component of a path, in bytes: no common file system takes more (`NAME_MAX`).
pub const NAME_BYTES_MAX: usize = 255;

/// Bytes of commands that may wait behind a running transfer. Above it the control connection is not read, so that TCP
/// holds the peer back. Twice a line, so that one whole line always fits behind a broken one.
pub const INPUT_BYTES_MAX: usize = 2 * LINE_BYTES_MAX;

/// Replies that may wait for a peer that does not read them, in bytes. Commands are not taken up above it.
pub const OUTBOX_BYTES_MAX: usize = 16 * 1024;

/// Commands that a session takes up before the others have their turn. Each costs some 10 to 100 microseconds on the
/// server (a reply, a socket, a directory), so a session takes less than a millisecond at once.
pub const COMMANDS_PER_TURN: u32 = 8;

/// Errors that a peer may cause in a row (unknown commands, lines too long) before the session is closed:
/// a person mistypes a few times, a scanner or an HTTP client does nothing else.
pub const BAD_COMMANDS_MAX: u32 = 50;

/// Words of options at the beginning of LIST, NLST or STAT that may be names instead, each of which costs a look at the
/// file system. People write one or two; what follows more of them is only taken without them.
pub const OPTION_WORDS_MAX: usize = 4;

/// Log-ins that may fail in one session before it is closed: a person mistypes twice, a program that guesses does not stop.
pub const FAILED_LOGINS_MAX: u32 = 3;

/// How long the last reply may take to leave a session that is over: its place is taken until then.
pub const LINGER: Duration = Duration::from_secs(5);

/// How long the server waits for the reset of a peer that has closed both connections at the end of an upload: longer than
/// most round trips. Only a client that has closed one direction of its control connection waits so long.
pub const PROBE_TIME: Duration = Duration::from_millis(500);

/// One reply of a server that a client keeps, in bytes: the longest are greetings with a page of rules, and HELP.
pub const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// Lines of one reply that a client keeps: each costs more than its bytes.
pub const ANSWER_LINES_MAX: usize = 2_000;

const _: () = assert!(LINE_BYTES_MAX > PATH_BYTES_MAX && PATH_BYTES_MAX > NAME_BYTES_MAX);
const _: () = assert!(INPUT_BYTES_MAX >= 2 * LINE_BYTES_MAX);
