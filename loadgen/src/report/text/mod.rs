//! Text for people.

pub(super) mod bars;
pub(super) mod line;
pub(super) mod numbers;
pub(super) mod result;

use super::summary::Summary;

/// The result without colours: `summary.txt`.
pub(super) fn plain(summary: &Summary) -> String {
    result::render(summary).iter().map(|line| line.text() + "\n").collect()
}

/// The result with colours, for a terminal.
pub(super) fn coloured(summary: &Summary) -> String {
    result::render(summary).iter().map(|line| line.coloured(usize::MAX) + "\n").collect()
}
