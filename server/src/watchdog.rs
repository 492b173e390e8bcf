//! A thread that watches over the event loop: it logs when the loop hangs in one place, and ends the process when two signals
//! have asked for its end and the loop does not react.
//!
//! It shares nothing with the loop but a [`Pulse`] and a socket, so nothing that the loop hangs in can stop it. While the loop
//! waits for events it sleeps; it looks twice a second while there is work.

use std::io::{self, Read};
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::{Duration, Instant};

use muxftp_reactor::{Look, Pulse, Step};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::Signal;
use signal_hook::low_level::pipe;

use crate::limits;

/// What the watchdog does to the world.
pub(crate) trait Alarm {
    /// The loop has been in one place for this long.
    fn hangs(&mut self, look: Look, duration: Duration);
    /// It has left the place after this time.
    fn moves_again(&mut self, duration: Duration);
    /// The process should end now.
    fn exit(&mut self);
}

/// Starts the thread. Gives the socket through which the loop wakes it.
///
/// # Errors
/// The system has no descriptor or no thread left, or refuses a signal handler.
pub(crate) fn start(pulse: Pulse, alarm: impl Alarm + Send + 'static) -> io::Result<UnixStream> {
    let (wakes, writer) = UnixStream::pair()?;
    wakes.set_nonblocking(true)?;
    writer.set_nonblocking(true)?;
    for signal in [Signal::TERM, Signal::INT] {
        pipe::register(signal.as_raw(), writer.try_clone()?)?;
    }
    let mut watchdog = Watchdog::new(pulse, wakes, alarm);
    thread::Builder::new().name("watchdog".to_owned()).spawn(move || {
        // It runs until the process ends.
        while watchdog.step(Instant::now()) {}
    })?;
    Ok(writer)
}

struct Watchdog<A> {
    pulse: Pulse,
    wakes: UnixStream,
    alarm: A,
    /// Where the loop was at the last look.
    seen: Look,
    /// When it was first seen there.
    since: Instant,
    reported: bool,
    signals: usize,
    exit_at: Option<Instant>,
}

impl<A: Alarm> Watchdog<A> {
    fn new(pulse: Pulse, wakes: UnixStream, alarm: A) -> Watchdog<A> {
        let seen = pulse.look();
        let since = Instant::now();
        Watchdog { pulse, wakes, alarm, seen, since, reported: false, signals: 0, exit_at: None }
    }

    /// Looks once and waits for the next look; false when there is none.
    fn step(&mut self, now: Instant) -> bool {
        let moved = self.look(now);
        if self.exit_at.is_some_and(|at| now >= at) {
            self.alarm.exit();
            return false;
        }
        self.wait(self.pause(moved));
        self.signals += self.signals_read();
        if self.signals >= 2 && self.exit_at.is_none() {
            self.exit_at = Some(Instant::now() + limits::LOOP_END);
        }
        true
    }

    /// Whether the loop has moved since the last look.
    fn look(&mut self, now: Instant) -> bool {
        let look = self.pulse.look();
        let duration = now - self.since;
        if look != self.seen {
            if self.reported {
                self.alarm.moves_again(duration);
            }
            (self.seen, self.since, self.reported) = (look, now, false);
            return true;
        }
        if look.step != Step::Waiting && !self.reported && duration >= limits::LOOP_HANGS {
            self.reported = true;
            self.alarm.hangs(look, duration);
        }
        false
    }

    /// How long until the next look; `None`: until the loop has something to do.
    fn pause(&self, moved: bool) -> Option<Duration> {
        let is_idle = !moved && self.seen.step == Step::Waiting && self.exit_at.is_none();
        match is_idle && self.pulse.want_wake(self.seen) {
            true => None,
            false => Some(limits::LOOP_LOOK),
        }
    }

    fn wait(&self, pause: Option<Duration>) {
        let pause = pause.map(|pause| Timespec { tv_sec: 0, tv_nsec: i64::from(pause.subsec_nanos()) });
        // Interrupted or not: the next look finds what there is.
        let _ = poll(&mut [PollFd::new(&self.wakes, PollFlags::IN)], pause.as_ref());
    }

    fn signals_read(&mut self) -> usize {
        let mut bytes = [0; 64];
        let mut signals = 0;
        while let Ok(read @ 1..) = self.wakes.read(&mut bytes) {
            signals += bytes[..read].iter().filter(|&&byte| byte != Pulse::WAKE).count();
        }
        signals
    }
}

const _: () = assert!(limits::LOOP_LOOK.as_secs() == 0, "a pause has no whole seconds");

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::mpsc;

    use super::*;

    #[derive(Debug, PartialEq, Eq)]
    enum Said {
        Hangs(Step, u8, u64),
        MovesAgain,
        Exit,
    }

    impl Alarm for mpsc::Sender<Said> {
        fn hangs(&mut self, look: Look, duration: Duration) {
            assert!(duration >= limits::LOOP_HANGS);
            self.send(Said::Hangs(look.step, look.kind, look.number)).unwrap();
        }
        fn moves_again(&mut self, duration: Duration) {
            assert!(duration >= limits::LOOP_HANGS);
            self.send(Said::MovesAgain).unwrap();
        }
        fn exit(&mut self) {
            self.send(Said::Exit).unwrap();
        }
    }

    fn watchdog() -> (Pulse, UnixStream, Watchdog<mpsc::Sender<Said>>, mpsc::Receiver<Said>) {
        let pulse = Pulse::default();
        let (wakes, writer) = UnixStream::pair().unwrap();
        wakes.set_nonblocking(true).unwrap();
        let (alarm, said) = mpsc::channel();
        (pulse.clone(), writer, Watchdog::new(pulse, wakes, alarm), said)
    }

    #[test]
    fn a_loop_that_hangs_is_reported_once_and_so_is_its_end() {
        let (pulse, _writer, mut watchdog, said) = watchdog();
        let start = Instant::now();
        pulse.enter(Step::Ready, 2);
        pulse.note(17);
        assert!(watchdog.look(start));
        assert!(!watchdog.look(start + limits::LOOP_HANGS - Duration::from_millis(1)));
        assert!(said.try_recv().is_err());
        for late in 0..3 {
            watchdog.look(start + limits::LOOP_HANGS + Duration::from_secs(late));
        }
        assert_eq!(said.try_recv(), Ok(Said::Hangs(Step::Ready, 2, 17)));
        assert!(said.try_recv().is_err(), "once");
        pulse.enter(Step::End, 0);
        watchdog.look(start + limits::LOOP_HANGS * 3);
        assert_eq!(said.try_recv(), Ok(Said::MovesAgain));
        pulse.enter(Step::Waiting, 0);
        for late in 3..9 {
            watchdog.look(start + limits::LOOP_HANGS * late);
        }
        assert!(said.try_recv().is_err(), "a loop that waits for events does not hang");
    }

    #[test]
    fn it_sleeps_while_the_loop_waits_and_only_then() {
        let (pulse, _writer, mut watchdog, _said) = watchdog();
        let now = Instant::now();
        let moved = watchdog.look(now);
        assert!(!moved && watchdog.pause(moved).is_none());
        pulse.enter(Step::Ready, 0);
        pulse.enter(Step::Waiting, 0);
        let moved = watchdog.look(now);
        assert_eq!(watchdog.pause(moved), Some(limits::LOOP_LOOK), "there was work");
        let moved = watchdog.look(now);
        assert!(watchdog.pause(moved).is_none());
        pulse.enter(Step::Ready, 0);
        for _ in 0..2 {
            let moved = watchdog.look(now);
            assert!(watchdog.pause(moved).is_some());
        }
    }

    #[test]
    fn the_second_signal_ends_the_process_while_the_loop_hangs() {
        let (pulse, mut writer, mut watchdog, said) = watchdog();
        pulse.enter(Step::Ready, 0);
        writer.write_all(b"X").unwrap();
        assert!(watchdog.step(Instant::now()));
        assert!(watchdog.exit_at.is_none(), "the first lets transfers finish");
        writer.write_all(b"wX").unwrap();
        assert!(watchdog.step(Instant::now()));
        let at = watchdog.exit_at.unwrap();
        writer.write_all(b"X").unwrap();
        assert!(watchdog.step(at - Duration::from_millis(1)), "the loop still has time");
        assert!(!watchdog.step(at));
        assert_eq!(said.try_iter().last(), Some(Said::Exit));
    }
}
