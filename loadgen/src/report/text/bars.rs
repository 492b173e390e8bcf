//! Pictures made of characters: a progress bar, a line of blocks.

/// A progress bar of so many columns, `done` being a share from 0 to 1.
pub(crate) fn progress(done: f64, columns: usize) -> (String, String) {
    let halves = (done.clamp(0.0, 1.0) * columns as f64 * 2.0).round() as usize;
    let full = "━".repeat(halves / 2);
    let odd = halves % 2 == 1;
    let rest = columns - halves / 2 - usize::from(odd);
    (if odd { full + "╸" } else { full }, "━".repeat(rest))
}

/// The last `columns` values as blocks between zero and the greatest of them.
pub(crate) fn blocks<'a>(values: impl DoubleEndedIterator<Item = &'a f64>, columns: usize) -> String {
    let mut last: Vec<f64> = values.rev().take(columns).copied().collect();
    last.reverse();
    let greatest = last.iter().copied().fold(0.0, f64::max);
    last.iter().map(|value| block(*value, greatest)).collect()
}

fn block(value: f64, greatest: f64) -> char {
    if greatest <= 0.0 {
        return BLOCKS[0];
    }
    let step = (value / greatest * BLOCKS.len() as f64).ceil() as usize;
    BLOCKS[step.clamp(1, BLOCKS.len()) - 1]
}

const BLOCKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_as_long_as_asked() {
        for done in [-1.0, 0.0, 0.26, 0.5, 0.99, 1.0, 7.0] {
            let (full, rest) = progress(done, 10);
            assert_eq!(full.chars().count() + rest.chars().count(), 10, "{done}");
        }
        assert_eq!(progress(0.25, 10).0, "━━╸");
    }

    #[test]
    fn blocks_show_the_last_values() {
        assert_eq!(blocks([0.0, 4.0, 8.0].iter(), 9), "▁▄█");
        assert_eq!(blocks([9.0, 1.0, 2.0].iter(), 2), "▄█");
        assert_eq!(blocks([0.0, 0.0].iter(), 9), "▁▁");
    }
}
