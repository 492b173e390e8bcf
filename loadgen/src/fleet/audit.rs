//! Which uploads are read back after the run: proof that what was acknowledged is there.

use crate::contents::Content;

/// The files to read back, and what was found so far.
#[derive(Debug, Default)]
pub(super) struct Audit {
    files: Vec<(String, Content)>,
    pub(super) total: u64,
    pub(super) read_back: u64,
    pub(super) failed: u64,
}

impl Audit {
    /// At most [`FILES_MAX`] of the uploads, spread evenly over all of them.
    pub(super) fn of<'a>(uploads: impl Iterator<Item = (&'a String, &'a Content)>) -> Audit {
        let all: Vec<_> = uploads.map(|(name, content)| (name.clone(), *content)).collect();
        let step = all.len().div_ceil(FILES_MAX).max(1);
        let files: Vec<_> = all.into_iter().step_by(step).collect();
        Audit { total: files.len() as u64, files, read_back: 0, failed: 0 }
    }

    /// The next file to read back.
    pub(super) fn next(&mut self) -> Option<(String, Content)> {
        self.files.pop()
    }

    /// Whether none is left to begin with.
    pub(super) fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// Whether every file has been read back.
    pub(super) fn is_done(&self) -> bool {
        self.read_back == self.total
    }
}

/// Enough to notice a server that loses uploads, little enough to be done in a moment.
const FILES_MAX: usize = 1000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_uploads_are_sampled_over_their_whole_range() {
        for (uploads, files) in [(0, 0), (1, 1), (FILES_MAX, FILES_MAX), (FILES_MAX + 1, 501), (10 * FILES_MAX, 1000)] {
            let all: Vec<_> = (0..uploads).map(|number| (number.to_string(), Content { key: 0, size: 0 })).collect();
            let mut audit = Audit::of(all.iter().map(|(name, content)| (name, content)));
            assert_eq!(audit.total, files as u64, "{uploads}");
            let mut last = 0;
            while let Some((name, _)) = audit.next() {
                last = last.max(name.parse().unwrap_or(0));
            }
            assert!(last + 2 * FILES_MAX > uploads);
        }
    }
}
