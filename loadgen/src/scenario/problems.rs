//! Everything that is wrong with a scenario, each with its place, shown together.
//!
//! Knows texts and places in them, not what a scenario is.

use std::fmt;
use std::ops::Range;

use muxftp_proto::Escaped;

/// Everything that is wrong with a scenario.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problems {
    list: Vec<Problem>,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Problem {
    message: String,
    excerpt: Option<Excerpt>,
    /// Order of appearance: source, then place.
    rank: (usize, usize),
}

/// The line that a problem is in.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Excerpt {
    /// `FILE:LINE:COLUMN`, or `--set`.
    place: String,
    /// The line number, or `--set`.
    margin: String,
    line: String,
    /// Characters before the caret.
    indent: usize,
    /// Carets, at least one.
    width: usize,
}

/// A text that scenario keys come from.
#[derive(Debug, Clone)]
pub(super) struct Source {
    /// The file's path, `--set`, `LOADGEN_SET` ...
    pub name: String,
    /// The whole of it.
    pub text: String,
    /// Whether lines are worth counting.
    pub is_file: bool,
}

/// A stretch of a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    /// Index into the sources.
    pub source: usize,
    /// Bytes of its text.
    pub span: Range<usize>,
}

/// Collects problems while a scenario is read.
#[derive(Debug)]
pub(super) struct Collector {
    sources: Vec<Source>,
    list: Vec<Problem>,
}

impl Problems {
    /// One problem that has no place in a text.
    pub fn one(message: String) -> Problems {
        Problems { list: vec![Problem { message, excerpt: None, rank: (0, 0) }] }
    }

    /// How many there are; never 0.
    pub fn count(&self) -> usize {
        self.list.len()
    }
}

/// Each problem with its line and a caret, then how many there are.
impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for problem in &self.list {
            write!(f, "{problem}")?;
        }
        let noun = if self.list.len() == 1 { "error" } else { "errors" };
        write!(f, "{} {noun}; nothing was run", self.list.len())
    }
}

impl std::error::Error for Problems {}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(excerpt) = &self.excerpt else {
            return writeln!(f, "error: {}", self.message);
        };
        let Excerpt { place, margin, line, indent, width } = excerpt;
        writeln!(f, "error: {place}: {}", self.message)?;
        writeln!(f, "{margin:>5} | {line}")?;
        writeln!(f, "{:>gutter$} | {:indent$}{:^<width$}", "", "", "", gutter = margin.len().max(5))
    }
}

impl Collector {
    pub fn new(file: Source) -> Collector {
        Collector { sources: vec![file], list: Vec::new() }
    }

    /// Adds a source; the number under which its places refer to it.
    pub fn add_source(&mut self, source: Source) -> usize {
        self.sources.push(source);
        self.sources.len() - 1
    }

    /// Notes a problem at a place.
    pub fn report(&mut self, place: &Place, message: impl Into<String>) {
        let excerpt = Some(excerpt(&self.sources[place.source], &place.span));
        // Messages quote the scenario, which may come from a stranger.
        let message = Escaped(message.into().as_bytes()).to_string();
        self.list.push(Problem { message, excerpt, rank: (place.source, place.span.start) });
    }

    /// Notes a problem with the whole of a text that is not among the sources yet.
    pub fn report_source(&mut self, source: Source, message: impl Into<String>) {
        let span = 0..source.text.len();
        let source = self.add_source(source);
        self.report(&Place { source, span }, message);
    }

    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// All problems in the order of their places; `None`: there are none.
    pub fn finish(mut self) -> Option<Problems> {
        self.list.sort_by_key(|problem| problem.rank);
        (!self.list.is_empty()).then_some(Problems { list: self.list })
    }
}

/// The word most like `wrong`, when one is like enough to be meant.
pub(super) fn nearest<'a>(wrong: &str, words: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wrong = wrong.to_lowercase();
    let distance = |word: &str| strsim::damerau_levenshtein(&wrong, &word.to_lowercase());
    let allowed = (wrong.chars().count() / 3).max(1);
    let best = words.into_iter().map(|word| (distance(word), word)).min_by_key(|(distance, _)| *distance)?;
    (best.0 <= allowed).then_some(best.1)
}

fn excerpt(source: &Source, span: &Range<usize>) -> Excerpt {
    let text = &source.text;
    let start = span.start.min(text.len());
    let line_start = text[..start].rfind('\n').map_or(0, |at| at + 1);
    let line_end = text[start..].find('\n').map_or(text.len(), |at| start + at);
    let line = text[line_start..line_end].trim_end_matches('\r');
    let before = text[line_start..start].chars().count();
    let end = span.end.clamp(start, line_start + line.len().max(start - line_start));
    let number = text[..line_start].matches('\n').count() + 1;
    let (place, margin) = if source.is_file {
        (format!("{}:{number}:{}", source.name, before + 1), number.to_string())
    } else {
        (source.name.clone(), source.name.clone())
    };
    Excerpt {
        place,
        margin,
        // A tab or an escape character would move the caret, or worse, the terminal's cursor.
        line: line.chars().map(|c| if c.is_control() { ' ' } else { c }).collect(),
        indent: before,
        width: text[start..end].chars().count().max(1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn collector(text: &str) -> Collector {
        let file = Source { name: "a.toml".into(), text: text.into(), is_file: true };
        let set = Source { name: "--set".into(), text: "load.thnik=1s".into(), is_file: false };
        let mut collector = Collector::new(file);
        assert_eq!(collector.add_source(set), 1);
        collector
    }

    #[test]
    fn problems_are_shown_in_the_order_of_their_places() {
        let mut collector = collector("a = 1\nwörd = \t2\n");
        collector.report(&Place { source: 1, span: 5..10 }, "unknown key `thnik`");
        collector.report(&Place { source: 0, span: 15..16 }, "second");
        collector.report(&Place { source: 0, span: 0..5 }, "first");
        let shown = collector.finish().unwrap().to_string();
        assert_eq!(
            shown,
            "error: a.toml:1:1: first\n    1 | a = 1\n      | ^^^^^\n\
             error: a.toml:2:9: second\n    2 | wörd =  2\n      |         ^\n\
             error: --set: unknown key `thnik`\n--set | load.thnik=1s\n      |      ^^^^^\n\
             3 errors; nothing was run"
        );
    }

    #[test]
    fn a_place_at_the_end_or_over_several_lines_has_a_caret_in_its_first_line() {
        for (span, caret) in [(6..6, "      | ^"), (0..6, "      | ^^^^^")] {
            let mut collector = collector("a = [\n");
            collector.report(&Place { source: 0, span }, "x");
            let shown = collector.finish().unwrap().to_string();
            assert_eq!(shown.lines().nth(2), Some(caret));
        }
    }

    #[test]
    fn only_a_word_that_is_like_enough_is_offered() {
        let words = ["weight", "name", "size", "do"];
        assert_eq!(nearest("weigth", words), Some("weight"));
        assert_eq!(nearest("Size", words), Some("size"));
        assert_eq!(nearest("nme", words), Some("name"));
        assert_eq!(nearest("popularity", words), None);
    }
}
