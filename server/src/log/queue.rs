//! Lines on their way to standard error: a bounded queue, and the thread that writes it.
//!
//! Whoever logs only ever waits for a copy into memory: the lock is never held over a write. When nobody reads standard
//! error, the queue fills up, further lines are dropped and counted, and the count is logged once there is room again.
//!
//! Invariants:
//! - The queue holds at most [`limits::LOG_QUEUE_BYTES`] and [`limits::LOG_QUEUE_LINES`]; as much again is being written.
//! - The writing thread is woken once for a burst of lines: after each write it looks again by itself.

use std::io::{self, Write};
use std::mem;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use tracing::{Level, Metadata, warn};
use tracing_subscriber::fmt::MakeWriter;

use crate::{limits, process};

/// The lines that wait, and the state of the thread that writes them.
#[derive(Debug)]
pub(super) struct Queue {
    state: Mutex<State>,
    /// For the writing thread: lines have come, or it should end.
    handed_over: Condvar,
    /// For the end of the process: the writing thread has ended.
    ended: Condvar,
}

#[derive(Debug)]
struct State {
    pending: Vec<u8>,
    lines: usize,
    /// Lines that found no room, since the count was last logged.
    dropped: u64,
    writer: Writer,
    closing: bool,
}

/// What the writing thread does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Writer {
    /// It does not run: lines gather up to the bound.
    Absent,
    /// It sleeps until it is woken.
    Asleep,
    /// It writes, or will look again by itself.
    Awake,
}

impl Queue {
    pub(super) const fn new() -> Queue {
        let state = State { pending: Vec::new(), lines: 0, dropped: 0, writer: Writer::Absent, closing: false };
        Queue { state: Mutex::new(state), handed_over: Condvar::new(), ended: Condvar::new() }
    }

    /// Starts the thread that writes to standard error.
    ///
    /// # Errors
    /// The system has no thread left.
    pub(super) fn start(&'static self) -> io::Result<()> {
        self.lock().writer = Writer::Awake;
        let started = thread::Builder::new().name("log".to_owned()).spawn(|| {
            // It was started before the ports were bound. A refusal is reported by the main thread's own attempt.
            let _ = process::give_back_low_ports();
            self.write_with(write_stderr);
        });
        if started.is_err() {
            self.lock().writer = Writer::Absent;
        }
        started.map(drop)
    }

    /// Wakes the writing thread if lines wait for it.
    pub(super) fn hand_over(&self) {
        let state = self.lock();
        if !state.pending.is_empty() {
            self.wake(state);
        }
    }

    /// Has everything written and the thread ended, but waits no longer than `patience`.
    pub(super) fn close(&self, patience: Duration) {
        let mut state = self.lock();
        state.closing = true;
        self.handed_over.notify_one();
        let waited = self.ended.wait_timeout_while(state, patience, |state| state.writer != Writer::Absent);
        drop(waited);
    }

    /// Takes one line, or counts it as dropped.
    fn append(&self, line: &[u8], urgency: Urgency) {
        let mut state = self.lock();
        let reserve = if urgency == Urgency::Reserved { 0 } else { RESERVED_BYTES };
        let has_room = state.lines < limits::LOG_QUEUE_LINES || urgency == Urgency::Reserved;
        if !has_room || state.pending.len() + line.len() + reserve > limits::LOG_QUEUE_BYTES {
            state.dropped += 1;
            return;
        }
        state.pending.extend_from_slice(line);
        state.lines += 1;
        if urgency != Urgency::Usual || state.pending.len() > limits::LOG_BATCH_BYTES {
            self.wake(state);
        }
    }

    fn wake(&self, mut state: MutexGuard<'_, State>) {
        if state.writer == Writer::Asleep {
            state.writer = Writer::Awake;
            drop(state);
            self.handed_over.notify_one();
        }
    }

    /// The writing thread. `sink` says whether all could be written.
    pub(super) fn write_with(&self, mut sink: impl FnMut(&[u8]) -> bool) {
        let mut batch = Vec::new();
        let mut unreported = 0;
        while self.wait_for_lines() {
            unreported += mem::take(&mut self.lock().dropped);
            let reports = unreported > 0;
            if reports {
                // Joins the end of what is about to be written.
                report_dropped(unreported);
            }
            let lines = self.take(&mut batch);
            if sink(&batch) {
                unreported = 0;
            } else {
                unreported += lines.saturating_sub(u64::from(reports));
            }
            batch.clear();
            self.gather();
        }
    }

    /// Waits for lines; without any left to write and with the end asked for, ends the thread.
    fn wait_for_lines(&self) -> bool {
        let mut state = self.lock();
        while state.pending.is_empty() {
            if state.closing {
                state.writer = Writer::Absent;
                self.ended.notify_all();
                return false;
            }
            state.writer = Writer::Asleep;
            state = self.handed_over.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.writer = Writer::Awake;
        true
    }

    fn take(&self, batch: &mut Vec<u8>) -> u64 {
        let mut state = self.lock();
        mem::swap(&mut state.pending, batch);
        mem::take(&mut state.lines) as u64
    }

    /// Lets the lines of a moment come together, so that a busy server pays neither for a wake nor for a write per turn.
    fn gather(&self) {
        let state = self.lock();
        drop(self.handed_over.wait_timeout_while(state, GATHERING, |state| {
            !state.closing && state.pending.len() < limits::LOG_BATCH_BYTES
        }));
    }

    /// A thread that panicked while it held the lock leaves whole lines: the log continues.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What waits, as a test sees it.
    #[cfg(test)]
    pub(super) fn take_pending(&self) -> String {
        let mut batch = Vec::new();
        self.take(&mut batch);
        String::from_utf8(batch).expect("the log is UTF-8")
    }

    /// A test without a writing thread makes it seem to sleep, and sees later whether it would have been woken.
    #[cfg(test)]
    pub(super) fn put_writer_to_sleep(&self) {
        self.lock().writer = Writer::Asleep;
    }

    #[cfg(test)]
    pub(super) fn is_writer_awake(&self) -> bool {
        self.lock().writer == Writer::Awake
    }
}

fn report_dropped(lines: u64) {
    warn!(target: DROPPED, lines, "lines of the log were dropped: standard error was not read in time");
}

/// Gives the log's formatter a place for each line.
pub(super) struct ToQueue(pub(super) &'static Queue);

pub(super) struct Line {
    queue: &'static Queue,
    urgency: Urgency,
}

/// How soon a line should be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Urgency {
    /// With the other lines of this turn.
    Usual,
    /// Warnings and errors: the turn may last.
    AtOnce,
    /// The count of dropped lines, for which room is kept.
    Reserved,
}

impl<'a> MakeWriter<'a> for ToQueue {
    type Writer = Line;

    fn make_writer(&'a self) -> Line {
        Line { queue: self.0, urgency: Urgency::Usual }
    }

    fn make_writer_for(&'a self, metadata: &Metadata<'_>) -> Line {
        let urgency = match *metadata.level() {
            Level::WARN if metadata.target() == DROPPED => Urgency::Reserved,
            Level::WARN | Level::ERROR => Urgency::AtOnce,
            _ => Urgency::Usual,
        };
        Line { queue: self.0, urgency }
    }
}

impl Write for Line {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.queue.append(line, self.urgency);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Writes all of it, however long it takes; whether that worked. A closed pipe or a full disk is no reason to stop: the
/// next lines may find it mended.
fn write_stderr(mut lines: &[u8]) -> bool {
    // Not by the standard library's lock, which another writer may hold for as long as nobody reads.
    let stderr = rustix::stdio::stderr();
    while !lines.is_empty() {
        match rustix::io::write(stderr, lines) {
            Ok(0) => return false,
            Ok(written) => lines = &lines[written..],
            Err(Errno::INTR) => {}
            // Another process with the same terminal or pipe may have made it non-blocking.
            Err(Errno::AGAIN) => {
                let _ = poll(&mut [PollFd::new(&stderr, PollFlags::OUT)], None);
            }
            Err(_) => return false,
        }
    }
    true
}

/// How long the writing thread waits for more lines before it writes again: 200 writes per second at most.
const GATHERING: Duration = Duration::from_millis(5);

/// Kept free for the line that tells how many were dropped.
const RESERVED_BYTES: usize = 256;

/// The target of that line.
const DROPPED: &str = "muxftpd::log::dropped";
