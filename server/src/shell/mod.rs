//! The shell of the server: sockets and files for the sessions, on one thread.
//!
//! It must not know a dialect's words or a transfer's rules; those are the session's. It is the only place that owns
//! listeners and sessions.
//!
//! # Invariants
//! - The counts of [`Admission`] equal the sessions in the table.
//! - A data port is either in the free list or belongs to exactly one transfer.
//! - A session that is removed has given everything back.

mod accounts;
mod admission;
mod content;
mod data;
mod events;
mod files;
mod held;
mod lanes;
mod lingering;
mod link;
mod listeners;
mod open;
mod password_queue;
mod passwords;
mod rate;
mod screen;
mod session;
mod shared_ports;
mod tasks;
mod work;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use mio::net::{TcpListener, TcpStream};
use muxftp_proto::Dialect;
use muxftp_proto::server::io::{SessionConfig, TlsMode};
use muxftp_reactor::listen::Reserve;
use muxftp_reactor::{Again, Clock, Key, Reactor, Table, Waker, Workers};
use rustix::process::Signal;

use crate::config::{Config, Listen};
use crate::failures::Failures;
use crate::limits;
use crate::log;
use crate::ports::DataPorts;
use crate::public_address::Advertised;
use crate::secrets::Secrets;
use crate::start::{self, StartError};
use crate::storage::Durability;
use crate::terminal::Terminal;
use crate::tls::Certificates;
use crate::users::UserStore;
use crate::{process, watchdog};
use accounts::{Accounts, Opened};
use admission::Admission;
use lanes::{Lane, Place};
use lingering::LingeringConnections;
use listeners::Listener;
use passwords::Passwords;
use session::{Fate, Session};
use shared_ports::SharedPorts;
use work::Done;

/// What a source of the reactor is. Sessions are named by their key in the session table.
#[derive(Debug, Clone, Copy)]
enum Owner {
    Listener(usize),
    Control(Key),
    DataListener(Key),
    /// A data port that all sessions of a dialect share.
    SharedPort(usize),
    Data(Key),
    /// A connection of an upload that was refused.
    Lingering(Key),
    /// The end of the time that transfers have after a signal.
    Shutdown,
}

/// What all sessions use.
struct Shared {
    accounts: Accounts,
    users: Option<Arc<UserStore>>,
    /// What no user's directory may hold.
    secrets: Arc<Secrets>,
    failures: Failures,
    passwords: Passwords,
    durability: Durability,
    ports: DataPorts,
    shared_ports: SharedPorts,
    lingering: LingeringConnections,
    /// The one buffer through which uploads and control lines are read.
    buffer: Box<[u8]>,
    /// The certificate, when there is one.
    tls: Option<Certificates>,
    /// Sessions that were closed since they woke again and again for nothing.
    spinning: u64,
    workers: Workers<Lane, Done>,
}

/// A server that listens.
pub struct Server {
    rx: Reactor<Owner>,
    shell: Shell,
}

/// Ends a server from another thread, as signals do.
#[derive(Debug, Clone)]
pub struct Stop {
    waker: Waker,
    requests: Arc<AtomicUsize>,
}

struct Shell {
    listeners: Vec<Listener>,
    /// By the index in [`SharedPorts`].
    shared_sockets: Vec<(TcpListener, Key)>,
    /// A place is empty only while its session is being made.
    sessions: Table<Option<Session>>,
    shared: Shared,
    admission: Admission,
    reserve: Reserve,
    session_config: SessionConfig,
    advertised: Advertised,
    /// Since the start, for the log.
    sessions_opened: u64,
    shutdown_timeout: Duration,
    state: State,
    /// How often [`Stop::request`] was called, and how many of these were answered.
    stop_requests: Arc<AtomicUsize>,
    stops_answered: usize,
    /// From which the server was started in the foreground.
    terminal: Option<Terminal>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Serving,
    /// No new session; running transfers may finish.
    Draining,
    /// They have not finished in time: last replies are on their way.
    Cut,
    Ended,
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server").field("addresses", &self.addresses()).finish_non_exhaustive()
    }
}

impl Server {
    /// Opens root and listeners.
    ///
    /// # Errors
    /// [`StartError`] says what could not be had, and what to do.
    pub fn start(config: &Config) -> Result<Server, StartError> {
        let mut config = config.clone();
        start::check_secrets(&config)?;
        let root = start::prepare(&mut config)?;
        let mut rx =
            Reactor::new(Clock::Poll).map_err(|error| StartError::System { what: "set up the event loop", error })?;
        let users = start::users(&config)?;
        let place = Place::of(config.guest.root.as_ref().unwrap_or(&config.root));
        let guest = Opened::new(root, place, &config.guest.allowance);
        let guest = Accounts::new(guest, config.guest.access.permissions(), &config.guest.allowance);
        let listeners = listeners::open(&config, &mut rx)?;
        let mut shared_ports = SharedPorts::default();
        let shared_sockets = listeners::open_shared(&config, &mut shared_ports, &mut rx)?;
        if config.data_ports.first() > LAST_LOW_PORT {
            process::give_back_low_ports()
                .map_err(|error| StartError::System { what: "give back the right to low ports", error })?;
        }
        let mut shell = Shell {
            listeners,
            shared_sockets,
            sessions: Table::new(),
            shared: Shared {
                accounts: guest,
                users,
                secrets: Arc::new(Secrets::of(&config)),
                failures: Failures::new(config.logins.clone()),
                passwords: Passwords::new(),
                durability: config.durability,
                ports: DataPorts::new(
                    config.data_ports,
                    config.limits.data_ports_per_address.map(|most| most as usize),
                ),
                shared_ports,
                lingering: LingeringConnections::default(),
                buffer: vec![0; BUFFER_BYTES].into_boxed_slice(),
                tls: start::certificates(&config)?,
                spinning: 0,
                workers: Workers::new(&rx.waker()),
            },
            admission: Admission::new(config.limits.sessions as usize, config.limits.sessions_per_address as usize),
            reserve: Reserve::new(),
            session_config: session_config(&config),
            advertised: Advertised::new(&config),
            sessions_opened: 0,
            shutdown_timeout: config.timeouts.shutdown,
            state: State::Serving,
            stop_requests: Arc::default(),
            stops_answered: 0,
            terminal: None,
        };
        shell.look_address_up(rx.now());
        Ok(Server { rx, shell })
    }

    /// The addresses that are listened on, in the order of the configuration; ports chosen by the system are named.
    ///
    /// # Errors
    /// The system cannot tell; none are known in practice.
    pub fn addresses(&self) -> io::Result<Vec<(Dialect, SocketAddr)>> {
        self.shell
            .listeners
            .iter()
            .map(|listener| Ok((listener.listen.dialect, listener.socket.local_addr()?)))
            .collect()
    }

    /// A handle that ends the server from another thread.
    pub fn stopper(&self) -> Stop {
        Stop { waker: self.rx.waker(), requests: Arc::clone(&self.shell.stop_requests) }
    }

    /// Takes SIGINT and SIGTERM as the wish to end: the first lets transfers finish, the second ends at once. SIGHUP has
    /// the certificate read again, or, when the terminal that the server was started from has gone, is the first of them.
    /// SIGUSR1 and SIGUSR2 do nothing.
    ///
    /// # Errors
    /// The signals cannot be caught.
    pub fn watch_signals(&mut self) -> io::Result<()> {
        self.shell.terminal = Terminal::of_this_process();
        let signals = [Signal::INT, Signal::TERM, Signal::HUP, Signal::USR1, Signal::USR2];
        self.rx.watch_signals(&signals.map(Signal::as_raw))
    }

    /// Has a thread log when the event loop hangs. With a second SIGINT or SIGTERM while it does, that thread ends the process,
    /// with [`Exit::Abandoned`](start::Exit::Abandoned).
    ///
    /// # Errors
    /// The system has no descriptor or no thread left.
    pub fn watch_loop(&mut self) -> io::Result<()> {
        let waker = watchdog::start(self.rx.pulse().clone(), events::OnHang)?;
        self.rx.set_watcher(waker);
        Ok(())
    }

    /// Serves until a signal ends it.
    ///
    /// # Errors
    /// The event loop itself failed.
    pub fn run(&mut self) -> io::Result<()> {
        while self.shell.state != State::Ended {
            self.rx.turn(&mut self.shell, None)?;
        }
        log::turns(self.rx.stats());
        log::flush();
        Ok(())
    }
}

impl Stop {
    /// The first request lets transfers finish for the configured time, the second ends the server at once.
    pub fn request(&self) {
        self.requests.fetch_add(1, Ordering::Release);
        // It fails only when the server has ended.
        let _ = self.waker.wake();
    }
}

impl Shell {
    /// Runs one input of a session, and removes the session when that was its last.
    fn with(
        &mut self,
        rx: &mut Reactor<Owner>,
        key: Key,
        input: impl FnOnce(&mut Session, &mut Shared, &mut Reactor<Owner>) -> Again,
    ) -> Again {
        let Some(Some(session)) = self.sessions.get_mut(key) else { return Again::No };
        rx.pulse().note(session.line().number);
        let again = input(session, &mut self.shared, rx);
        match session.fate() {
            Fate::Lives => again,
            Fate::Over => {
                if let Some(Some(mut session)) = self.sessions.remove(key) {
                    session.close(&mut self.shared, rx);
                    self.admission.leave(session.peer().ip());
                }
                Again::No
            }
        }
    }

    /// Tells sessions the shared ports that they have got.
    fn grant_ports(&mut self, rx: &mut Reactor<Owner>) {
        for _ in 0..limits::GRANTS_PER_TURN {
            let Some(port) = self.shared.shared_ports.next_port() else { return };
            // What has come before cannot be for a session that was told nothing yet.
            if self.accept_data(rx, port) == Again::Yes {
                break;
            }
            if let Some((session, port)) = self.shared.shared_ports.grant(port) {
                let _ = self.with(rx, session, |session, shared, rx| session.data_port_granted(port, shared, rx));
            }
        }
        if let Some(port) = self.shared.shared_ports.next_port()
            && let Some((_, key)) = self.shared_sockets.get(port)
        {
            rx.defer(*key);
        }
    }

    fn open_session(&mut self, rx: &mut Reactor<Owner>, listen: Listen, stream: TcpStream, peer: SocketAddr) {
        let Listen { dialect, tls, .. } = listen;
        // Where there is no log-in, everybody is the guest from the beginning.
        let account = (dialect != Dialect::Ftp).then(|| self.shared.accounts.guest());
        if let Some(guest) = account
            && let Err(cause) = self.shared.accounts.enter(guest, peer.ip())
        {
            self.admission.leave(peer.ip());
            return listeners::turn_away(listen, stream, peer, cause);
        }
        if dialect == Dialect::Ftp {
            self.look_address_up(rx.now());
        }
        let config = SessionConfig { tls, ..self.session_config };
        let public = self.advertised.current();
        let key = self.sessions.insert(None);
        self.sessions_opened += 1;
        let line = log::Session { number: self.sessions_opened, peer, dialect };
        match Session::open(key, line, config, account, public, stream, rx) {
            Ok(mut session) => {
                session.set_uploads_without_close(listen.uploads_without_close);
                if let Some(place) = self.sessions.get_mut(key) {
                    *place = Some(session);
                }
                let _ = self.with(rx, key, Session::begin);
            }
            Err(error) => {
                self.sessions.remove(key);
                self.admission.leave(peer.ip());
                if let Some(guest) = account {
                    self.shared.accounts.leave(guest, peer.ip());
                }
                log::accept_failed(&error);
            }
        }
    }

    /// Reads the certificate again. Two small files, once in many days: nobody notices the wait.
    fn reload(&mut self) {
        match &mut self.shared.tls {
            // Either way it is logged.
            Some(certificates) => drop(certificates.reload()),
            None => log::nothing_to_reload(),
        }
    }

    /// The first time lets transfers finish, the second ends at once.
    fn stop(&mut self, rx: &mut Reactor<Owner>) {
        log::ending(self.sessions.len(), self.state != State::Serving);
        match self.state {
            State::Serving => self.drain(rx),
            State::Draining | State::Cut | State::Ended => {
                // Storage that hangs must not keep the process: last replies are written, and nothing else is done.
                for key in self.sessions.keys().collect::<Vec<_>>() {
                    if let Some(Some(session)) = self.sessions.get_mut(key) {
                        session.say_farewell(rx);
                    }
                }
                self.shared.workers.abandon();
                self.state = State::Ended;
            }
        }
    }

    /// Takes no new session, lets transfers finish for a time, ends the others.
    fn drain(&mut self, rx: &mut Reactor<Owner>) {
        self.state = State::Draining;
        for listener in self.listeners.drain(..) {
            rx.release(listener.key);
        }
        let timer = rx.add_timer(Owner::Shutdown);
        rx.arm(timer, Some(Instant::now() + self.shutdown_timeout));
        for key in self.sessions.keys().collect::<Vec<_>>() {
            let _ = self.with(rx, key, Session::drain);
        }
    }

    /// The time for transfers is over: each session ends with a reply to what it does.
    fn cut(&mut self, rx: &mut Reactor<Owner>) {
        self.state = State::Cut;
        for key in self.sessions.keys().collect::<Vec<_>>() {
            let _ = self.with(rx, key, Session::cut);
        }
    }
}

fn session_config(config: &Config) -> SessionConfig {
    SessionConfig {
        permissions: config.guest.access.permissions(),
        data_connect_timeout: config.timeouts.data_connect,
        stall_timeout: config.timeouts.stall,
        storage_timeout: config.timeouts.storage,
        idle_timeout: config.timeouts.idle,
        login_timeout: config.timeouts.login,
        // Each listener has its own.
        tls: TlsMode::Off,
    }
}

/// Up to here a port needs a right, unless the system was told otherwise.
const LAST_LOW_PORT: u16 = 1023;

/// Large enough that a fast upload needs few system calls, small enough to stay in the cache.
const BUFFER_BYTES: usize = 256 * 1024;
