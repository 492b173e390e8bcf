//! Lines of styled text, and tables of them.
//!
//! Must not know what is written, nor whether there is a terminal.
//!
//! Invariant: styles do not count as width; every character written is one column wide.

/// How a piece of text looks where colours are allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Style {
    /// As it is.
    #[default]
    Normal,
    /// Standing out.
    Bold,
    /// Standing back.
    Dim,
    /// As it should be.
    Good,
    /// Worth a look.
    Warning,
    /// Not as it should be.
    Bad,
}

/// One line.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Line {
    spans: Vec<(Style, String)>,
}

/// Rows of cells that line up; the first column is left-aligned, all others right-aligned.
#[derive(Debug, Default)]
pub(crate) struct Table {
    rows: Vec<Vec<(Style, String)>>,
}

impl Line {
    /// An empty line.
    pub fn new() -> Line {
        Line::default()
    }

    /// A line of one style.
    pub fn of(style: Style, text: impl Into<String>) -> Line {
        Line::new().with(style, text)
    }

    /// With more text at its end.
    pub fn with(mut self, style: Style, text: impl Into<String>) -> Line {
        self.push(style, text);
        self
    }

    /// With more text in no style.
    pub fn plain(self, text: impl Into<String>) -> Line {
        self.with(Style::Normal, text)
    }

    /// Adds text at its end.
    pub fn push(&mut self, style: Style, text: impl Into<String>) {
        self.spans.push((style, text.into()));
    }

    /// Adds another line at its end.
    pub fn append(&mut self, other: Line) {
        self.spans.extend(other.spans);
    }

    /// Adds spaces up to a column, or one when it is there already.
    pub fn pad_to(&mut self, column: usize) {
        let missing = column.saturating_sub(self.width()).max(1);
        self.push(Style::Normal, " ".repeat(missing));
    }

    /// Columns.
    pub fn width(&self) -> usize {
        self.spans.iter().map(|(_, text)| text.chars().count()).sum()
    }

    /// The text alone.
    pub fn text(&self) -> String {
        let text: String = self.spans.iter().map(|(_, text)| text.as_str()).collect();
        text.trim_end().to_owned()
    }

    /// With the terminal's sequences for its styles, cut off at `width` columns.
    pub fn coloured(&self, width: usize) -> String {
        let mut left = width;
        let mut out = String::new();
        for (style, text) in &self.spans {
            let piece: String = text.chars().take(left).collect();
            left -= piece.chars().count();
            match style.sequence() {
                Some(sequence) if !piece.is_empty() => {
                    out.push_str(sequence);
                    out.push_str(&piece);
                    out.push_str(RESET);
                }
                _ => out.push_str(&piece),
            }
        }
        out
    }

    /// The text, cut off at `width` columns, with its styles when `colours`.
    pub fn fitted(&self, width: usize, colours: bool) -> String {
        if colours { self.coloured(width) } else { self.text().chars().take(width).collect() }
    }
}

impl Table {
    /// An empty table.
    pub fn new() -> Table {
        Table::default()
    }

    /// Adds a row in one style.
    pub fn row(&mut self, style: Style, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().map(|text| (style, text)).collect());
    }

    /// Adds a row of cells with their own styles.
    pub fn styled_row(&mut self, cells: Vec<(Style, String)>) {
        self.rows.push(cells);
    }

    /// The rows, two spaces between the columns.
    pub fn lines(&self) -> Vec<Line> {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let widths: Vec<usize> = (0..columns)
            .map(|column| {
                self.rows
                    .iter()
                    .filter_map(|row| row.get(column))
                    .map(|(_, text)| text.chars().count())
                    .max()
                    .unwrap_or(0)
            })
            .collect();
        self.rows.iter().map(|row| aligned(row, &widths)).collect()
    }
}

impl Style {
    fn sequence(self) -> Option<&'static str> {
        match self {
            Style::Normal => None,
            Style::Bold => Some("\x1b[1m"),
            Style::Dim => Some("\x1b[2m"),
            Style::Good => Some("\x1b[32m"),
            Style::Warning => Some("\x1b[33m"),
            Style::Bad => Some("\x1b[1;31m"),
        }
    }
}

fn aligned(row: &[(Style, String)], widths: &[usize]) -> Line {
    let mut line = Line::new();
    for (column, ((style, text), width)) in row.iter().zip(widths).enumerate() {
        let padding = " ".repeat(width - text.chars().count());
        if column == 0 {
            line.push(*style, text.as_str());
            line.push(Style::Normal, padding);
        } else {
            line.push(Style::Normal, format!("  {padding}"));
            line.push(*style, text.as_str());
        }
    }
    line
}

const RESET: &str = "\x1b[0m";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn styles_take_no_room() {
        let line = Line::of(Style::Good, "PASS").plain("  mixed3");
        assert_eq!((line.width(), line.text().as_str()), (12, "PASS  mixed3"));
        assert_eq!(line.coloured(6), "\x1b[32mPASS\x1b[0m  ");
        assert_eq!(line.coloured(2), "\x1b[32mPA\x1b[0m");
        assert_eq!(line.fitted(7, false), "PASS  m");
    }

    #[test]
    fn columns_line_up() {
        let mut table = Table::new();
        table.row(Style::Dim, ["name", "n"].map(str::to_owned));
        table.row(Style::Normal, ["get-small", "1,234"].map(str::to_owned));
        let lines: Vec<String> = table.lines().iter().map(Line::text).collect();
        assert_eq!(lines, ["name           n", "get-small  1,234"]);
    }
}
