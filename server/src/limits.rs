//! Every bound on what peers can make the server hold, and on what one may do before the others have their turn, each with
//! its reason.
//!
//! Bounds of a session's words stand in [`muxftp_proto::limits`]; sessions, ports, times, quotas and rates are configuration.

use std::time::Duration;

// What the server keeps.

/// Names of a directory that are kept at once; when so many are there, the larger half is left out for the next pass.
pub(crate) const LISTED_NAMES_MAX: usize = 32_768;

/// The same bound in bytes, for long names.
pub(crate) const LISTED_BYTES_MAX: usize = 1024 * 1024;

/// What is read of a directory before it goes behind the replies: so much more than their bound may wait there.
pub(crate) const CONTROL_PIECE_BYTES: usize = 16 * 1024;

/// What is read of a directory before it is sent.
pub(crate) const LISTING_PIECE_BYTES: usize = 64 * 1024;

/// What a worker reads of a file at once for a download: at 1 MiB/s a quarter of a second.
pub(crate) const FETCH_BYTES: usize = 256 * 1024;

/// Bytes that workers have read for all downloads and that are not sent yet; from then on each gets only a small piece.
pub(crate) const FETCHED_BYTES_MAX: usize = 32 * 1024 * 1024;

/// That piece: 10,000 downloads hold 160 MiB.
pub(crate) const FETCH_BYTES_SCARCE: usize = 16 * 1024;

/// The page cache is asked for a byte in each such part of a piece. A disk is read ahead in parts of this size.
pub(crate) const CACHE_LOOK_STEP: u64 = 128 * 1024;

/// So much at most is copied to the connection rather than handed over inside the kernel: the read without waiting then
/// brings the bytes too, and needs no look before.
pub(crate) const COPIED_BYTES_MAX: usize = 16 * 1024;

/// A call of the loop to a disk that took so long is not the last one: the account's uploads are written by workers.
pub(crate) const SLOW_CALL: Duration = Duration::from_millis(10);

/// For so long, counted from the last such call or job.
pub(crate) const SLOW_FOR: Duration = Duration::from_secs(10);

/// What is read and converted of a file at once.
pub(crate) const TEXT_PIECE_BYTES: usize = 64 * 1024;

/// What is read of a control connection at once. Several lines fit; a peer that sends more is read again.
pub(crate) const CONTROL_READ_BYTES: usize = 4096;

/// What gathers of the log before it is handed over in the middle of a turn: some 400 lines, and what a pipe usually holds.
pub(crate) const LOG_BATCH_BYTES: usize = 64 * 1024;

/// What waits of the log while nobody reads standard error: a thousand lines per second for some seconds. As much again may
/// be on its way.
pub(crate) const LOG_QUEUE_BYTES: usize = 1024 * 1024;

/// The same bound in lines; it counts when they are short.
pub(crate) const LOG_QUEUE_LINES: usize = 16 * 1024;

/// What a line of the log shows of a peer's words: a name that somebody types is shorter.
pub(crate) const LOG_VALUE_BYTES: usize = 256;

/// The same of a path: what is in use is rarely longer, and four times as much could be sent.
pub(crate) const LOG_PATH_BYTES: usize = 1024;

// Threads of the worker pool: of one lane, and of all lanes of its kind. A thread exists only while it has work.

/// Each password that is checked needs 19 MiB and a processor.
pub(crate) const PASSWORD_THREADS: (usize, usize) = (2, 2);

/// The checks that the loop starts run at once, and none waits for a thread: those that wait do so in the order of
/// [`PASSWORDS_WAITING_MAX`].
pub(crate) const PASSWORDS_QUEUE: usize = PASSWORD_CHECKS;

/// One lookup at a time is ever asked for.
pub(crate) const NETWORK_THREADS: (usize, usize) = (1, 1);

/// A root is opened once for all sessions of a user. One that hangs keeps its thread, so that there are many: the CPU is
/// bounded by the passwords that come before.
pub(crate) const OPENING_THREADS: (usize, usize) = (1, 256);

/// Two, since the second upload is written to the disk while the first one waits for it.
pub(crate) const COMMIT_THREADS: (usize, usize) = (2, 64);

/// Uploads of one root that wait to be flushed; beyond it they are refused.
pub(crate) const COMMITS_QUEUE: usize = 1024;

/// Hashing needs a processor, and the small machine has one or two.
pub(crate) const SURVEY_THREADS: (usize, usize) = (1, 2);

/// Looks at names that are not in memory, and changes of names: a few at once, as a disk can serve them beside each other.
pub(crate) const HOME_THREADS: (usize, usize) = (4, 64);

/// The same for reading and writing files.
pub(crate) const TRANSFER_THREADS: (usize, usize) = (4, 64);

/// What is far may hang, and then keeps its threads: many roots may do so at once.
pub(crate) const FAR_THREADS: (usize, usize) = (4, 256);

/// Looks, listings and pieces of transfers of one root that wait: each session has one at most.
pub(crate) const TRANSFERS_QUEUE: usize = 16 * 1024;

/// Jobs of one root that wait; beyond it they are refused: the disk is far behind.
pub(crate) const PLACE_QUEUE: usize = 256;

/// Passwords that are checked at once: as many as there are threads for it. More would only wait in the threads' queue, where
/// the order can no longer be changed.
pub(crate) const PASSWORD_CHECKS: usize = PASSWORD_THREADS.1;

/// Of these, how many may be of one address: an office that logs in at once uses both threads while nobody else waits.
pub(crate) const CHECKS_PER_ADDRESS: usize = 2;

/// The same for an address with failures that count: the other thread is free for everybody else.
pub(crate) const CHECKS_PER_SUSPECT: usize = 1;

/// Passwords that wait to be checked: some 15 s of work for two threads; beyond that a client would give up before its turn. A
/// name and a password have at most 4 KiB each.
pub(crate) const PASSWORDS_WAITING_MAX: usize = 1024;

/// The same for one address, which would have to wait for all of them itself.
pub(crate) const PASSWORDS_WAITING_PER_ADDRESS: usize = PASSWORDS_WAITING_MAX / 2;

/// Addresses whose failed logins are counted. Whoever has more is not stopped by counting them; the memory is a few hundred
/// KiB, and 5 MiB when all of them try as many passwords as are kept.
pub(crate) const FAILING_ADDRESSES_MAX: usize = 4096;

/// Wrong passwords of one address that are known again when they are repeated; later ones count each time. Above the default of
/// `logins.failures`, and above all values that protect anything.
pub(crate) const FAILURES_KEPT_MAX: usize = 64;

/// Tickets of TLS 1.3 at log-in. For clients that use each once: so many uploads before the first download or listing, which
/// gives others. Most clients keep one and use it again. Programs written in Go (rclone) give up a server that sends more than
/// 16 in a row.
pub(crate) const CONTROL_TICKETS: usize = 12;

/// Tickets with a data connection: one for the one that was used, and one for an upload.
pub(crate) const DATA_TICKETS: usize = 2;

/// An answer of the metadata service: a token has 56 bytes, an address 15.
pub(crate) const METADATA_BYTES_MAX: u64 = 4096;

/// How long the start waits for the directories of users.
pub(crate) const START_CHECKS: Duration = Duration::from_secs(5);

// The watch over the event loop.

/// How long the loop may be in one callback before the log says so. All of them together take milliseconds; a disk that
/// spins up takes longer.
pub(crate) const LOOP_HANGS: Duration = Duration::from_secs(2);

/// How often the watchdog looks while there is work.
pub(crate) const LOOP_LOOK: Duration = Duration::from_millis(500);

/// How long the loop has to end after the second signal, before the process ends without it.
pub(crate) const LOOP_END: Duration = Duration::from_secs(2);

// Who waits to be let in.

/// Connections that may wait to be accepted: a crowd that arrives at once.
pub(crate) const BACKLOG: i32 = 1024;

/// The same at a data port. One connection is expected; a few strangers must not keep it out.
pub(crate) const DATA_BACKLOG: i32 = 8;

/// How long the last replies may take to leave when the server ends.
pub(crate) const FAREWELL_TIME: Duration = Duration::from_secs(1);

// What one may do before the others have their turn.

/// What one download may send in a turn: some 60 microseconds of copying. Twice as much made the p99 of small transfers
/// beside it a third longer, and half as much cost half as much CPU again per byte.
pub(crate) const SEND_BYTES_PER_TURN: usize = 256 * 1024;

/// Buffers that one upload may fill in a turn.
pub(crate) const UPLOAD_READS_PER_TURN: usize = 2;

/// Reads of one control connection before the others have their turn.
pub(crate) const CONTROL_READS_PER_TURN: usize = 4;

/// Pieces of a listing that go behind the replies before the other sessions have their turn.
pub(crate) const NAMES_PIECES_PER_TURN: usize = 8;

/// Answers of worker threads that are taken in one turn.
pub(crate) const RESULTS_PER_TURN: usize = 32;

/// Sessions that are told their shared data port in one turn.
pub(crate) const GRANTS_PER_TURN: usize = 64;

/// How long bytes of a refused upload are read and dropped, so that its client reads the reply instead of a reset. A client
/// that looks at the control connection stops within a round trip; others send a last buffer.
pub(crate) const LINGER_TIME: Duration = Duration::from_secs(3);

/// Connections whose bytes are dropped at once. Each holds a descriptor; beyond that a client sees a reset.
pub(crate) const LINGERING_MAX: usize = 256;

/// Accepts of one listener before sessions have their turn.
pub(crate) const ACCEPTS_PER_TURN: usize = 16;

/// Sessions that are refused in a turn because their address has been locked out while their password waited: each is a write
/// and a close.
pub(crate) const REFUSALS_PER_TURN: usize = 32;

/// Strangers at a data port that are closed before other sessions have their turn.
pub(crate) const STRANGERS_PER_TURN: usize = 8;

/// Directory entries of one call (and the rest of the last read): other sessions wait for it.
pub(crate) const ENTRIES_PER_CALL: usize = 4096;

/// Such calls of one job of a worker that have brought no line: others wait for the same lane.
pub(crate) const LISTING_CALLS_PER_JOB: usize = 16;

/// Names put in order by one call, for the same reason.
pub(crate) const SORTED_PER_CALL: usize = 4096;

/// What a thread reads before others have their turn: some 50 ms of hashing.
pub(crate) const SURVEY_BYTES_PER_STEP: u64 = 64 * 1024 * 1024;

/// Wakes of a session without progress. A hand-shake that comes byte by byte wakes the session so often, and no sane peer
/// does more: beyond that it is a fault of ours that would take the whole processor.
pub(crate) const IDLE_WAKES_MAX: u32 = 100_000;

const _: () = assert!(LISTED_BYTES_MAX + 257 < u32::MAX as usize, "a span counts in 32 bits");
const _: () = assert!(CONTROL_TICKETS <= 16, "Go's TLS bears so many records without data in a row");
