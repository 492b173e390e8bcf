//! One active client: its session, its plan, and what it is doing.
//!
//! It must not know the other clients or the stages of a run; it is told what to do next and says how that ended.
//!
//! Invariant: it does one thing at a time, and each thing that was begun ends in [`Ended`] or by [`Client::stop`].

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::{Duration, Instant};

use muxftp_client::driver::{Connection, Endpoint, Finished, OperationResult, Owners, Speech};
use muxftp_proto::client::io::{Operation, Outcome, PutMode};
use muxftp_reactor::{Key, Reactor};

use super::Owner;
use super::names::KnownNames;
use super::payload::{Payload, Verify};
use crate::contents::{Content, Contents};
use crate::plan::{ClientPlan, Planned, Work};

/// What all clients of a run share.
pub(super) struct Shared {
    pub(super) endpoints: Vec<Endpoint>,
    /// Put before every name: empty, or a directory with its slash.
    pub(super) prefix: String,
    pub(super) contents: Rc<Contents>,
    pub(super) known: KnownNames,
    pub(super) verify_contents: bool,
    pub(super) verify_listings: bool,
}

/// What a client does.
#[derive(Debug)]
pub(super) enum Task {
    /// An operation of the mix.
    Planned { planned: Planned, due: Instant, taken: Instant, warmup: bool },
    /// A file that must be in place before the clock starts.
    Preload { name: Rc<str>, content: Content },
    /// An upload that is read back after the run.
    ReadBack { name: String, content: Content },
    /// Before or after an operation of the mix, unrecorded; its failure is that of the operation.
    Aside { operation: usize, begun: Instant, warmup: bool, what: Option<(Operation, Payload)> },
    /// The session of `ftp` begins.
    LogIn(Option<Mark>),
    /// The session is ended, to make a new one.
    Goodbye(Option<Mark>),
}

/// How a part of a session is recorded, if it is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mark {
    /// Index into `Scenario::operations`.
    pub(super) operation: usize,
    pub(super) begun: Instant,
    pub(super) warmup: bool,
}

/// A task that has ended.
pub(super) struct Ended {
    pub(super) task: Task,
    pub(super) finished: Finished<Payload>,
    /// The control dialogue, for a failure's report.
    pub(super) dialogue: Vec<u8>,
}

/// One active client.
pub(super) struct Client {
    index: usize,
    pub(super) plan: ClientPlan,
    connection: Option<Connection<Owner, Payload>>,
    /// As far as its dialect has a log-in.
    is_logged_in: bool,
    task: Option<Task>,
    /// The next operation, while its time has not come.
    pub(super) waiting: Option<(Planned, Instant)>,
    /// What the waiting operation needs has been done.
    pub(super) is_prepared: bool,
    /// What is to be done before anything else.
    pub(super) tidying: Option<(usize, bool, Operation)>,
    /// A timer for due times and for the first connect.
    pub(super) timer: Key,
    operations_on_session: u64,
    /// What the server has acknowledged of this client's uploads, latest version. Ordered, so that runs are alike.
    pub(super) uploads: BTreeMap<String, Content>,
    pub(super) sessions_lost: u64,
}

impl Client {
    pub(super) fn new(index: usize, plan: ClientPlan, timer: Key) -> Client {
        Client {
            index,
            plan,
            connection: None,
            is_logged_in: false,
            task: None,
            waiting: None,
            is_prepared: false,
            tidying: None,
            timer,
            operations_on_session: 0,
            uploads: BTreeMap::new(),
            sessions_lost: 0,
        }
    }

    /// Makes a session, unless there is one.
    pub(super) fn connect(&mut self, rx: &mut Reactor<Owner>, shared: &Shared) -> std::io::Result<()> {
        if self.connection.as_ref().is_some_and(Connection::is_closed) {
            self.connection = None;
            self.sessions_lost += 1;
        }
        if self.connection.is_none() {
            let endpoint = shared.endpoints[self.index % shared.endpoints.len()].clone();
            let owners = Owners { control: Owner::Control(self.index), data: Owner::Data(self.index) };
            self.connection = Some(Connection::open(rx, endpoint, owners)?);
            self.operations_on_session = 0;
            self.is_logged_in = false;
        }
        Ok(())
    }

    /// Begins a task. It may end at once: see [`Client::take_ended`].
    pub(super) fn begin(&mut self, rx: &mut Reactor<Owner>, shared: &Shared, mut task: Task) -> std::io::Result<()> {
        debug_assert!(self.task.is_none());
        let (operation, body) = shared.translate(&mut task);
        self.task = Some(task);
        self.connect(rx, shared)?;
        if let Some(connection) = &mut self.connection {
            connection.start(rx, operation, body);
        }
        Ok(())
    }

    /// The task that has ended, once.
    pub(super) fn take_ended(&mut self, rx: &mut Reactor<Owner>) -> Option<Ended> {
        let connection = self.connection.as_mut()?;
        let finished = connection.take_finished()?;
        let dialogue = connection.dialogue().to_vec();
        let task = self.task.take()?;
        match task {
            Task::LogIn(_) => self.is_logged_in = is_complete(&finished),
            _ => self.operations_on_session += 1,
        }
        let is_refused = matches!(task, Task::LogIn(_)) && !self.is_logged_in;
        if connection.is_closed() || is_refused || matches!(task, Task::Goodbye(_)) {
            let asked_for = is_refused
                || matches!(task, Task::Goodbye(_))
                || matches!(finished.result, OperationResult::ConnectFailed(_));
            self.sessions_lost += u64::from(!asked_for);
            connection.abort(rx);
            self.connection = None;
        }
        Some(Ended { task, finished, dialogue })
    }

    /// The task that could not even be begun.
    pub(super) fn take_unbegun(&mut self) -> Option<Task> {
        self.task.take()
    }

    pub(super) fn connection(&mut self) -> Option<&mut Connection<Owner, Payload>> {
        self.connection.as_mut()
    }

    pub(super) fn is_connected(&self) -> bool {
        self.connection.as_ref().is_some_and(Connection::is_connected)
    }

    /// Whether it is doing something.
    pub(super) fn is_busy(&self) -> bool {
        self.task.is_some()
    }

    /// The recorded operation that is under way, and when it was due.
    pub(super) fn under_way(&self) -> Option<(usize, Instant)> {
        match &self.task {
            Some(Task::Planned { planned, due, .. }) => Some((planned.operation, *due)),
            Some(Task::LogIn(Some(mark)) | Task::Goodbye(Some(mark))) => Some((mark.operation, mark.begun)),
            _ => None,
        }
    }

    /// Whether the session has had its number of operations, or TLS could not resume it for the next data connection.
    pub(super) fn wants_new_session(&self, operations_per_session: Option<u64>) -> bool {
        let Some(connection) = &self.connection else { return false };
        let had_its_number = operations_per_session.is_some_and(|most| self.operations_on_session >= most);
        had_its_number || (self.is_logged_in && connection.is_out_of_tickets())
    }

    /// Whether a log-in comes before the next operation.
    pub(super) fn needs_log_in(&self, shared: &Shared) -> bool {
        let is_open = self.connection.as_ref().is_some_and(|connection| !connection.is_closed());
        shared.has_log_in() && !(is_open && self.is_logged_in)
    }

    /// Lets go of everything; what was under way is given up.
    pub(super) fn stop(&mut self, rx: &mut Reactor<Owner>) {
        if let Some(mut connection) = self.connection.take() {
            connection.abort(rx);
        }
        self.task = None;
        self.waiting = None;
    }
}

impl Shared {
    /// Whether sessions begin with a log-in.
    pub(super) fn has_log_in(&self) -> bool {
        self.endpoints.iter().any(|endpoint| matches!(endpoint.speech, Speech::Ftp { .. }))
    }

    /// The server's name of a file of the scenario.
    fn full_name(&self, name: &str) -> Vec<u8> {
        format!("{}{name}", self.prefix).into_bytes()
    }

    fn translate(&self, task: &mut Task) -> (Operation, Payload) {
        match task {
            Task::Planned { planned, .. } => self.translate_work(&planned.work),
            Task::Preload { name, content } => self.put(name, *content),
            Task::ReadBack { name, content } => self.get(name, Some(*content)),
            Task::Aside { what, .. } => what.take().expect("it is begun once"),
            Task::LogIn(_) => (Operation::LogIn, Payload::Discard),
            Task::Goodbye(_) => (Operation::Quit, Payload::Discard),
        }
    }

    fn translate_work(&self, work: &Work) -> (Operation, Payload) {
        match work {
            Work::Get { name, content } => self.get(name, content.filter(|_| self.verify_contents)),
            Work::Put { name, content } => self.put(name, *content),
            Work::List { path, form } => {
                let full = self.full_name(path);
                let directory = full.strip_suffix(b"/").unwrap_or(&full);
                let path_on_server = (!directory.is_empty()).then(|| directory.to_vec());
                let body = match self.verify_listings {
                    true => Payload::Listing(self.known.check(path, *form)),
                    false => Payload::Discard,
                };
                (Operation::List { path: path_on_server, form: *form }, body)
            }
            Work::Append { name, content, from } => {
                let (name, size) = (self.full_name(name), Some(content.size - from));
                let body = Payload::GenerateFrom(Rc::clone(&self.contents), *content, *from);
                (Operation::Put { name, size, mode: PutMode::Append }, body)
            }
            Work::Delete { name } => (Operation::Delete { name: self.full_name(name) }, Payload::Discard),
            Work::Rename { from, to, .. } => {
                (Operation::Rename { from: self.full_name(from), to: self.full_name(to) }, Payload::Discard)
            }
            Work::MakeDirectory { name } => (Operation::MakeDirectory { name: self.full_name(name) }, Payload::Discard),
            Work::Stat { name, content } => {
                (Operation::Stat { name: self.full_name(name) }, Payload::Size(content.size))
            }
        }
    }

    /// What must be done before a work can be, unrecorded.
    pub(super) fn preparation(&self, work: &Work) -> Option<(Operation, Payload)> {
        match work {
            Work::Append { name, content, from: 0 } => Some(self.put(name, Content { size: 0, ..*content })),
            Work::Delete { name } => Some(self.put(name, Content { key: 0, size: 0 })),
            Work::Rename { from, content, is_back: false, .. } => Some(self.put(from, *content)),
            _ => None,
        }
    }

    /// What must be done after it, so that it can be done again; unrecorded, too.
    pub(super) fn tidying(&self, work: &Work) -> Option<Operation> {
        match work {
            Work::MakeDirectory { name } => Some(Operation::RemoveDirectory { name: self.full_name(name) }),
            _ => None,
        }
    }

    fn get(&self, name: &str, content: Option<Content>) -> (Operation, Payload) {
        let body = match content {
            Some(content) => Payload::Verify(Verify::new(&self.contents, content)),
            None => Payload::Discard,
        };
        (Operation::Get { name: self.full_name(name), offset: 0 }, body)
    }

    fn put(&self, name: &str, content: Content) -> (Operation, Payload) {
        let operation = Operation::Put { name: self.full_name(name), size: Some(content.size), mode: PutMode::Replace };
        (operation, Payload::Generate(Rc::clone(&self.contents), content))
    }
}

/// Whether the server has acknowledged the operation.
pub(super) fn is_complete(finished: &Finished<Payload>) -> bool {
    matches!(finished.result, OperationResult::Ended(Outcome::Complete, _))
}

/// How long a client leaves a server alone that does not take its connection.
pub(super) const RETRY_PAUSE: Duration = Duration::from_millis(100);
