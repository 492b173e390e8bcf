//! A directory on its way to the peer. Only workers read it: each line may need a look at a disk.

use muxftp_proto::representation::entry::{Relation, print_facts, print_long};
use muxftp_proto::server::io::ListForm;
use muxftp_proto::{Cause, Dialect};
use muxftp_reactor::tls::Stream;

use super::{Next, Pending};
use crate::limits;
use crate::storage::{ListProgress, Listed, Listing, Reach, within};

/// A directory being sent: the names that are read but not yet written.
pub(in crate::shell) struct Names {
    /// Not here while a worker reads.
    source: Option<Box<Source>>,
    pending: Pending,
    complete: bool,
    failed: Option<Cause>,
}

struct Source {
    listing: Listing,
    lines: Lines,
}

/// How the lines of a listing are printed.
pub(in crate::shell) struct Lines {
    pub(in crate::shell) dialect: Dialect,
    pub(in crate::shell) form: ListForm,
    /// What NLST puts before each name.
    pub(in crate::shell) prefix: Vec<u8>,
    /// Seconds since 1970, for lines that tell the hour or the year.
    pub(in crate::shell) now: i64,
}

/// The next lines, for a worker to read.
pub(in crate::shell) struct List {
    source: Box<Source>,
    bytes: Vec<u8>,
    result: Result<ListProgress, Cause>,
    /// The next line is about something in another mount.
    leads_farther: bool,
}

impl List {
    pub(super) fn run(mut self, reach: Reach) -> List {
        let (source, bytes) = (&mut self.source, &mut self.bytes);
        match within(reach, || source.read(bytes, limits::LISTING_PIECE_BYTES)) {
            Ok(result) => self.result = result,
            Err(_) => self.leads_farther = true,
        }
        self
    }
}

impl Names {
    pub(in crate::shell) fn new(listing: Listing, lines: Lines) -> Names {
        let source = Some(Box::new(Source { listing, lines }));
        Names { source, pending: Pending::default(), complete: false, failed: None }
    }

    /// Reads the first lines, where it was opened.
    pub(in crate::shell) fn begin(&mut self) -> Result<(), Cause> {
        if let Some(source) = &mut self.source {
            let progress = source.read(&mut self.pending.bytes, limits::CONTROL_PIECE_BYTES)?;
            self.complete = progress == ListProgress::End;
        }
        Ok(())
    }

    pub(super) fn errand(&mut self) -> Option<List> {
        let source = self.source.take()?;
        Some(List { source, bytes: Vec::new(), result: Ok(ListProgress::More), leads_farther: false })
    }

    /// `Some`: it has to go on where links may lead into other mounts.
    pub(super) fn listed(&mut self, mut list: List) -> Option<List> {
        if list.leads_farther {
            list.leads_farther = false;
            return Some(list);
        }
        self.source = Some(list.source);
        self.pending.set(list.bytes);
        match list.result {
            Ok(progress) => self.complete = progress == ListProgress::End,
            Err(cause) => self.failed = Some(cause),
        }
        None
    }

    /// The next lines, for the control connection, where a reply may follow them at any time.
    pub(in crate::shell) fn next_piece(&mut self) -> (Next, Vec<u8>) {
        let rest = &self.pending.bytes[self.pending.sent..];
        let enough = rest.len().min(limits::CONTROL_PIECE_BYTES);
        let end = rest[enough..].iter().position(|&byte| byte == b'\n').map_or(rest.len(), |end| enough + end + 1);
        let piece = rest[..end].to_vec();
        self.pending.sent += end;
        match self.after_pending() {
            _ if !self.pending.is_empty() => (Next::Again, piece),
            Some(next) => (next, piece),
            None => (Next::Errand, piece),
        }
    }

    /// Writes up to `most` bytes of what is there.
    pub(super) fn send(&mut self, stream: &mut Stream, most: usize, bytes: &mut u64) -> Next {
        match self.pending.send(stream, most, bytes) {
            Some(next) => next,
            None => self.after_pending().unwrap_or(Next::Errand),
        }
    }

    /// What comes when all lines that were read are sent; `None`: more are to be read.
    fn after_pending(&self) -> Option<Next> {
        match (self.failed, &self.source) {
            (Some(cause), _) => Some(Next::Failed(cause)),
            _ if self.complete => Some(Next::Moved),
            (None, None) => Some(Next::Wait),
            (None, Some(_)) => None,
        }
    }
}

impl Source {
    /// Until there are lines, but not without end: others wait for the same lane.
    fn read(&mut self, out: &mut Vec<u8>, bytes_max: usize) -> Result<ListProgress, Cause> {
        let lines = &self.lines;
        let mut progress = ListProgress::More;
        for _ in 0..limits::LISTING_CALLS_PER_JOB {
            progress = self.listing.fill(out, bytes_max, |listed, out| lines.print(&listed, out))?;
            if progress == ListProgress::End || !out.is_empty() {
                break;
            }
        }
        Ok(progress)
    }
}

impl Lines {
    fn print(&self, listed: &Listed<'_>, out: &mut Vec<u8>) {
        match &self.form {
            ListForm::Plain => self.dialect.print_listed(listed.shown, out),
            ListForm::Names(_) => {
                out.extend_from_slice(&self.prefix);
                out.extend_from_slice(listed.name());
                out.extend_from_slice(b"\r\n");
            }
            ListForm::Long => listed.with_entry(|entry| print_long(entry, self.now, out)),
            ListForm::Facts { facts, permissions } => listed.with_resolved(|entry| {
                print_facts(entry, *facts, *permissions, Relation::Child, out);
                out.extend_from_slice(b"\r\n");
            }),
        }
    }
}
