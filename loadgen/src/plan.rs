//! What each client does, decided before the clock starts: a function of the scenario and its seed.
//!
//! Knows no socket and no time. Invariants:
//! - the operations of client c depend on (seed, c) only: not on timing, on other clients or on how many there are;
//! - each upload of a client and operation has a name of that client's own, with contents that it never had before.

use std::sync::Arc;

use muxftp_proto::client::io::ListingForm;
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution as _, Zipf};

use crate::contents::{Content, Fnv, content_key};
use crate::scenario::{Action, Distribution, FileSet, Popularity, Scenario};

/// The plan of a run. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Plan {
    shared: Arc<Shared>,
}

/// A file that must be in place before the clock starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PreloadFile {
    /// Path below the target's directory.
    pub name: Arc<str>,
    /// What it holds.
    pub content: Content,
}

/// The endless sequence of one client's operations.
#[derive(Debug, Clone)]
pub struct ClientPlan {
    shared: Arc<Shared>,
    rng: ChaCha8Rng,
    client: usize,
    /// Uploads, renames and appends so far, by operation.
    uploads: Vec<u64>,
    /// Bytes of the file that grows, by operation.
    grown: Vec<u64>,
}

/// One operation to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planned {
    /// Index into `Scenario::operations`.
    pub operation: usize,
    /// Nanoseconds between the end of the client's last operation and the time at which this one is due.
    pub think_ns: u64,
    /// What to do.
    pub work: Work,
}

/// What to do. All names are paths below the target's directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Work {
    /// Download.
    Get {
        /// The file.
        name: Arc<str>,
        /// What it must hold; `None`: not known.
        content: Option<Content>,
    },
    /// Upload.
    Put {
        /// The file.
        name: String,
        /// What to send.
        content: Content,
    },
    /// List.
    List {
        /// The directory; empty: the target's own.
        path: Arc<str>,
        /// How names are written.
        form: ListingForm,
    },
    /// Upload at the end of a file.
    Append {
        /// The file.
        name: String,
        /// What it holds afterwards.
        content: Content,
        /// Bytes that it holds before.
        from: u64,
    },
    /// Delete a file that is made for it.
    Delete {
        /// The file.
        name: String,
    },
    /// Rename a file.
    Rename {
        /// Its name.
        from: String,
        /// Its name to be.
        to: String,
        /// What it holds.
        content: Content,
        /// The way back: the file is there.
        is_back: bool,
    },
    /// Make a directory, and remove it afterwards.
    MakeDirectory {
        /// The directory.
        name: String,
    },
    /// Ask for a file's size.
    Stat {
        /// The file.
        name: Arc<str>,
        /// What it holds.
        content: Content,
    },
}

#[derive(Debug)]
struct Shared {
    seed: u64,
    clients: usize,
    think: Distribution,
    operations: Vec<Drawn>,
    /// Weights summed from the first operation to each.
    summed_weights: Vec<f64>,
    preload: Vec<PreloadFile>,
}

/// An operation, ready to be drawn from.
#[derive(Debug)]
enum Drawn {
    GetFromSet(Picker),
    GetPath(Arc<str>),
    Put { operation: String, size: Distribution, names: u64 },
    List(Arc<str>, ListingForm),
    Append { operation: String, size: Distribution },
    Delete(String),
    Rename(String),
    MakeDirectory(String),
    Stat(Picker),
}

/// Draws an index into the preloaded files.
#[derive(Debug)]
struct Picker {
    first: usize,
    count: usize,
    zipf: Option<Zipf<f64>>,
}

impl Plan {
    /// The plan of a scenario. Takes time and memory in proportion to the preloaded files.
    pub fn new(scenario: &Scenario) -> Plan {
        let mut preload = Vec::new();
        let mut rng = stream(scenario.seed, 0);
        let pickers: Vec<(usize, &FileSet)> =
            scenario.files.iter().map(|set| (add_set(scenario.seed, set, &mut rng, &mut preload), set)).collect();
        let draw = |operation: &crate::scenario::Operation| match &operation.action {
            Action::GetFromSet { set } => Drawn::GetFromSet(Picker::new(pickers[*set].0, pickers[*set].1)),
            Action::GetPath { path } => Drawn::GetPath(path.as_str().into()),
            Action::Put { size, names } => {
                Drawn::Put { operation: operation.name.clone(), size: size.clone(), names: *names }
            }
            Action::List { path, form } => Drawn::List(path.as_str().into(), *form),
            Action::Append { size } => Drawn::Append { operation: operation.name.clone(), size: size.clone() },
            Action::Delete => Drawn::Delete(operation.name.clone()),
            Action::Rename => Drawn::Rename(operation.name.clone()),
            Action::MakeDirectory => Drawn::MakeDirectory(operation.name.clone()),
            Action::Stat { set } => Drawn::Stat(Picker::new(pickers[*set].0, pickers[*set].1)),
            Action::LogIn | Action::LogOut => unreachable!("filtered out below"),
        };
        // What belongs to sessions stands behind these, so that indices are the scenario's.
        let drawn = || scenario.operations.iter().filter(|operation| !operation.action.is_of_session());
        let summed = drawn().scan(0.0, |sum, operation| {
            *sum += operation.weight;
            Some(*sum)
        });
        let shared = Shared {
            seed: scenario.seed,
            clients: scenario.clients.count,
            think: scenario.load.think.clone(),
            operations: drawn().map(draw).collect(),
            summed_weights: summed.collect(),
            preload,
        };
        Plan { shared: Arc::new(shared) }
    }

    /// The files that must be in place, set by set.
    pub fn preload(&self) -> &[PreloadFile] {
        &self.shared.preload
    }

    /// The operations of one client, from its first on.
    pub fn client(&self, index: usize) -> ClientPlan {
        ClientPlan {
            shared: Arc::clone(&self.shared),
            rng: stream(self.shared.seed, index as u64 + 1),
            client: index,
            uploads: vec![0; self.shared.operations.len()],
            grown: vec![0; self.shared.operations.len()],
        }
    }

    /// 16 hex digits that differ when the preloaded files or the operations of the clients differ: over the first
    /// 1,000 operations of each of the first 1,000 clients.
    pub fn digest(&self) -> String {
        let mut digest = Digest(Fnv::new());
        for file in &self.shared.preload {
            digest.text(&file.name);
            digest.content(Some(file.content));
        }
        for index in 0..self.shared.clients.min(DIGEST_CLIENTS) {
            let mut client = self.client(index);
            for _ in 0..DIGEST_OPERATIONS {
                digest.planned(&client.next());
            }
        }
        format!("{:016x}", digest.0.finish())
    }
}

impl ClientPlan {
    /// The next operation.
    #[expect(clippy::should_implement_trait, reason = "it never ends: an iterator's Option would be a lie")]
    pub fn next(&mut self) -> Planned {
        let shared = Arc::clone(&self.shared);
        let think_ns = shared.think.sample(&mut self.rng);
        let operation = shared.draw_operation(&mut self.rng);
        let work = match &shared.operations[operation] {
            Drawn::GetFromSet(picker) => {
                let file = &shared.preload[picker.pick(&mut self.rng)];
                Work::Get { name: Arc::clone(&file.name), content: Some(file.content) }
            }
            Drawn::GetPath(path) => Work::Get { name: Arc::clone(path), content: None },
            Drawn::List(path, form) => Work::List { path: Arc::clone(path), form: *form },
            Drawn::Stat(picker) => {
                let file = &shared.preload[picker.pick(&mut self.rng)];
                Work::Stat { name: Arc::clone(&file.name), content: file.content }
            }
            Drawn::MakeDirectory(name) => Work::MakeDirectory { name: format!("{name}-c{:04}", self.client) },
            Drawn::Delete(name) => Work::Delete { name: format!("{name}-c{:04}", self.client) },
            Drawn::Rename(name) => {
                let turn = self.count(operation);
                let one = format!("{name}-c{:04}-a", self.client);
                let other = format!("{name}-c{:04}-b", self.client);
                let content = Content { key: content_key(shared.seed, &one, turn / 2), size: RENAMED_BYTES };
                let is_back = turn % 2 == 1;
                let (from, to) = if is_back { (other, one) } else { (one, other) };
                Work::Rename { from, to, content, is_back }
            }
            Drawn::Append { operation: name, size } => {
                let turn = self.count(operation);
                let name = format!("{name}-c{:04}", self.client);
                let from = if turn.is_multiple_of(APPENDS) { 0 } else { self.grown[operation] };
                self.grown[operation] = from + size.sample(&mut self.rng);
                let key = content_key(shared.seed, &name, turn / APPENDS);
                Work::Append { name, content: Content { key, size: self.grown[operation] }, from }
            }
            Drawn::Put { operation: name, size, names } => {
                let upload = self.count(operation);
                let size = size.sample(&mut self.rng);
                let name = format!("{name}-c{:04}-{:03}", self.client, upload % names);
                let key = content_key(shared.seed, &name, upload / names);
                Work::Put { name, content: Content { key, size } }
            }
        };
        Planned { operation, think_ns, work }
    }

    /// How often the operation was drawn before.
    fn count(&mut self, operation: usize) -> u64 {
        let before = self.uploads[operation];
        self.uploads[operation] += 1;
        before
    }
}

impl Shared {
    fn draw_operation(&self, rng: &mut impl Rng) -> usize {
        let total = self.summed_weights.last().copied().unwrap_or(0.0);
        let place = rng.random::<f64>() * total;
        self.summed_weights.partition_point(|sum| *sum <= place).min(self.summed_weights.len() - 1)
    }
}

impl Picker {
    fn new(first: usize, set: &FileSet) -> Picker {
        let zipf = match set.popularity {
            Popularity::Uniform => None,
            Popularity::Zipf(exponent) => {
                Some(Zipf::new(set.count as f64, exponent).expect("the scenario allows no other count or exponent"))
            }
        };
        Picker { first, count: set.count, zipf }
    }

    fn pick(&self, rng: &mut impl Rng) -> usize {
        let index = match &self.zipf {
            None => rng.random_range(0..self.count),
            // Zipf counts from 1.
            Some(zipf) => (zipf.sample(rng) as usize).clamp(1, self.count) - 1,
        };
        self.first + index
    }
}

/// What a digest is made of; each part is preceded by its length or kind, so that parts cannot run together.
struct Digest(Fnv);

impl Digest {
    fn planned(&mut self, planned: &Planned) {
        self.number(planned.operation as u64);
        self.number(planned.think_ns);
        match &planned.work {
            Work::Get { name, content } => {
                self.text(name);
                self.content(*content);
            }
            Work::Put { name, content } => {
                self.text(name);
                self.content(Some(*content));
            }
            Work::List { path, .. } => self.text(path),
            Work::Delete { name } | Work::MakeDirectory { name } => self.text(name),
            Work::Stat { name, .. } => self.text(name),
            Work::Append { name, content, .. } => {
                self.text(name);
                self.content(Some(*content));
            }
            Work::Rename { from, to, content, .. } => {
                self.text(from);
                self.text(to);
                self.content(Some(*content));
            }
        }
    }

    fn content(&mut self, content: Option<Content>) {
        if let Some(Content { key, size }) = content {
            self.number(key);
            self.number(size);
        }
    }

    fn text(&mut self, text: &str) {
        self.number(text.len() as u64);
        self.0.write(text.as_bytes());
    }

    fn number(&mut self, number: u64) {
        self.0.write(&number.to_le_bytes());
    }
}

/// Adds the files of a set; the index of its first.
fn add_set(seed: u64, set: &FileSet, rng: &mut impl Rng, preload: &mut Vec<PreloadFile>) -> usize {
    let first = preload.len();
    for number in 0..set.count {
        let name = match set.directory.as_str() {
            "" => format!("{}-{number:05}", set.set),
            directory => format!("{directory}/{}-{number:05}", set.set),
        };
        let content = Content { key: content_key(seed, &name, 0), size: set.size.sample(rng) };
        preload.push(PreloadFile { name: name.into(), content });
    }
    first
}

/// The generator of stream 0 (preloaded files) or c + 1 (client c).
fn stream(seed: u64, stream: u64) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(stream);
    rng
}

/// Times that a file grows before it begins anew: else it would grow as long as the run.
const APPENDS: u64 = 16;
/// Of a file that is renamed: its size does not matter to the server.
const RENAMED_BYTES: u64 = 1024;
const DIGEST_CLIENTS: usize = 1_000;
const DIGEST_OPERATIONS: usize = 1_000;

#[cfg(test)]
mod tests;
