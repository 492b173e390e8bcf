//! Text in the width that there is: lines break between words.
//!
//! It must not know what the text is about.

/// Adds a term and its meaning: beside it, or below it where the lines are narrow.
pub(super) fn entry(term: &str, meaning: &str, width: usize, out: &mut String) {
    let is_wide = width >= WIDE;
    let indent = if is_wide { TERM_COLUMNS } else { NARROW_INDENT };
    if is_wide && term.chars().count() < TERM_COLUMNS {
        out.push_str(&format!("{term:<TERM_COLUMNS$}"));
        wrap(meaning, TERM_COLUMNS, indent, width, out);
    } else {
        out.push_str(term);
        out.push('\n');
        paragraph(meaning, indent, width, out);
    }
}

/// Adds a paragraph whose lines begin with so many blanks.
pub(super) fn paragraph(text: &str, indent: usize, width: usize, out: &mut String) {
    out.extend(std::iter::repeat_n(' ', indent));
    wrap(text, indent, indent, width, out);
}

/// `column`: where the first word goes. A word that is wider than the line has one of its own.
fn wrap(text: &str, mut column: usize, indent: usize, width: usize, out: &mut String) {
    let mut is_first = true;
    for word in text.split_whitespace() {
        let columns = word.chars().count();
        if !is_first && column + 1 + columns > width {
            out.push('\n');
            out.extend(std::iter::repeat_n(' ', indent));
            column = indent;
        } else if !is_first {
            out.push(' ');
            column += 1;
        }
        out.push_str(word);
        column += columns;
        is_first = false;
    }
    out.push('\n');
}

/// From this width on, meanings go beside their terms.
const WIDE: usize = 64;

/// The width of the terms: the longest has 27.
const TERM_COLUMNS: usize = 28;

const NARROW_INDENT: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_break_between_words() {
        let mut text = String::new();
        paragraph("one two three four", 2, 10, &mut text);
        assert_eq!(text, "  one two\n  three\n  four\n");
        text.clear();
        entry("GET name", "download a file to here", 40, &mut text);
        assert_eq!(text, "GET name\n    download a file to here\n");
        text.clear();
        entry("GET name", "download a file to here, whatever its size is, and whoever asks", 64, &mut text);
        let lines: Vec<_> = text.lines().collect();
        assert!(lines[0].starts_with("GET name                    download"), "{text}");
        assert!(lines[1].starts_with("                            "), "{text}");
    }
}
