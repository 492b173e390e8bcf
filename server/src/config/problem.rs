//! What is wrong with a configuration, with the place and the line: all problems at once.

use std::fmt;
use std::ops::Range;

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    place: Option<Place>,
    message: String,
}

/// All that is wrong, in the order of the file; the flags' problems last. Never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigErrors(Vec<Problem>);

/// Where in a file, kept as text so that the file need not be.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Place {
    file: String,
    /// Both from 1; the column counts characters.
    line: usize,
    column: usize,
    line_text: String,
    /// Characters to underline.
    width: usize,
}

impl Problem {
    /// A problem that is not in a file.
    pub(crate) fn new(message: impl Into<String>) -> Problem {
        Problem { place: None, message: message.into() }
    }

    /// A problem at the bytes `span` of the file named `file` with the contents `text`.
    pub(super) fn at(file: &str, text: &str, span: Range<usize>, message: impl Into<String>) -> Problem {
        let start = character_start(text, span.start);
        let line_start = text[..start].rfind('\n').map_or(0, |newline| newline + 1);
        let line_text = text[line_start..].lines().next().unwrap_or("");
        // A problem of several lines is underlined on its first.
        let end = character_start(text, span.end).clamp(start, start.max(line_start + line_text.len()));
        let place = Place {
            file: file.to_owned(),
            line: text[..line_start].matches('\n').count() + 1,
            column: text[line_start..start].chars().count() + 1,
            line_text: line_text.to_owned(),
            width: text[start..end].chars().count().max(1),
        };
        Problem { place: Some(place), message: message.into() }
    }

    /// Line and column, for the order of the report.
    fn position(&self) -> (usize, usize) {
        self.place.as_ref().map_or((usize::MAX, 0), |place| (place.line, place.column))
    }
}

impl ConfigErrors {
    /// An error if there are problems.
    pub(crate) fn none_or(mut problems: Vec<Problem>) -> Result<(), ConfigErrors> {
        if problems.is_empty() {
            return Ok(());
        }
        problems.sort_by_key(Problem::position);
        Err(ConfigErrors(problems))
    }

    /// The problems.
    pub fn problems(&self) -> &[Problem] {
        &self.0
    }
}

impl From<Problem> for ConfigErrors {
    fn from(problem: Problem) -> ConfigErrors {
        ConfigErrors(vec![problem])
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(place) = &self.place else {
            return write!(f, "error: {}", self.message);
        };
        writeln!(f, "error: {}:{}:{}: {}", place.file, place.line, place.column, self.message)?;
        let number = place.line.to_string();
        // A tab would shift the marks.
        writeln!(f, "  {number} | {}", place.line_text.replace('\t', " "))?;
        let (gutter, indent) = (" ".repeat(number.len()), " ".repeat(place.column - 1));
        write!(f, "  {gutter} | {indent}{}", "^".repeat(place.width))
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            write!(f, "{problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigErrors {}

/// The start of the character that holds byte `at`.
fn character_start(text: &str, at: usize) -> usize {
    let mut start = at.min(text.len());
    while !text.is_char_boundary(start) {
        start -= 1;
    }
    start
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str, span: Range<usize>) -> String {
        Problem::at("f", text, span, "m").to_string()
    }

    #[test]
    fn the_place_is_shown_under_its_line() {
        assert_eq!(shown("ab\ncd = 1\n", 3..5), "error: f:2:1: m\n  2 | cd = 1\n    | ^^");
        assert_eq!(shown("ab\n", 2..2), "error: f:1:3: m\n  1 | ab\n    |   ^");
        assert_eq!(shown("ab\n", 3..3), "error: f:2:1: m\n  2 | \n    | ^", "the end of the file");
        assert_eq!(shown("", 0..0), "error: f:1:1: m\n  1 | \n    | ^");
        assert_eq!(shown("a\nb\n", 0..4), "error: f:1:1: m\n  1 | a\n    | ^", "several lines");
        assert_eq!(shown("\u{e9}x", 2..3), "error: f:1:2: m\n  1 | \u{e9}x\n    |  ^", "columns count characters");
    }

    #[test]
    fn problems_stand_in_the_order_of_the_file() {
        let problems =
            [Problem::new("last"), Problem::at("f", "a\nb", 2..3, "second"), Problem::at("f", "a", 0..1, "first")];
        let text = ConfigErrors::none_or(problems.to_vec()).unwrap_err().to_string();
        let order = ["first", "second", "last"].map(|word| text.find(word).unwrap());
        assert!(order.is_sorted(), "{text}");
        assert_eq!(ConfigErrors::none_or(Vec::new()), Ok(()));
    }
}
