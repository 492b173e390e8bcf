//! `.hgrm`: the percentile table of one measure, in milliseconds, as HdrHistogram prints it.
//!
//! Must not know which measure it is.
//!
//! Invariant: the layout is that of HdrHistogram's own percentile output with five ticks for each halving of the
//! distance to 100 %, so that any plotter of such tables reads it.

use std::fmt::Write as _;

use crate::record::Series;

/// The table.
pub(crate) fn table(series: &Series) -> String {
    let histogram = series.histogram();
    let mut out = format!("{:>12} {:>14} {:>10} {:>14}\n\n", "Value", "Percentile", "TotalCount", "1/(1-Percentile)");
    let mut below = 0;
    for step in histogram.iter_quantiles(TICKS_PER_HALF_DISTANCE) {
        below += step.count_since_last_iteration();
        let value = ms(step.value_iterated_to());
        let quantile = step.quantile_iterated_to();
        let line = if quantile < 1.0 {
            writeln!(out, "{value:12.3} {quantile:2.12} {below:10} {:14.2}", 1.0 / (1.0 - quantile))
        } else {
            writeln!(out, "{value:12.3} {quantile:2.12} {below:10}")
        };
        line.expect("a string takes all text");
    }
    let (mean, deviation) = (histogram.mean() / NS_PER_MS, histogram.stdev() / NS_PER_MS);
    let sub_buckets = 2_u64 * 10_u64.pow(u32::from(histogram.sigfig()));
    write!(
        out,
        "#[Mean    = {mean:12.3}, StdDeviation   = {deviation:12.3}]\n\
         #[Max     = {:12.3}, Total count    = {:12}]\n\
         #[Buckets = {:12}, SubBuckets     = {:12}]\n",
        ms(histogram.max()),
        series.count(),
        histogram.buckets(),
        sub_buckets.next_power_of_two(),
    )
    .expect("a string takes all text");
    out
}

fn ms(ns: u64) -> f64 {
    ns as f64 / NS_PER_MS
}

const TICKS_PER_HALF_DISTANCE: u32 = 5;
const NS_PER_MS: f64 = 1e6;

#[cfg(test)]
mod tests {
    use super::*;

    /// The rows of a table: value in ms, percentile, count.
    fn rows(table: &str) -> Vec<(f64, f64, u64)> {
        table
            .lines()
            .skip(2)
            .filter(|line| !line.starts_with('#'))
            .map(|line| {
                let columns: Vec<&str> = line.split_whitespace().collect();
                (columns[0].parse().unwrap(), columns[1].parse().unwrap(), columns[2].parse().unwrap())
            })
            .collect()
    }

    #[test]
    fn known_values_give_the_known_table() {
        let mut series = Series::new();
        // 1 ms to 1,000 ms: the value at each percentile is known.
        (1..=1_000).for_each(|n| series.record(n * 1_000_000).unwrap());
        let table = table(&series);
        assert!(table.starts_with("       Value     Percentile TotalCount 1/(1-Percentile)\n\n"), "{table}");
        let rows = rows(&table);
        assert_eq!((rows[0].1, rows[0].2), (0.0, 1));
        for (value, percentile, count) in &rows {
            let exact = (percentile * 1_000.0).ceil().max(1.0);
            // One value further at an exact tie, where the iterator has moved on already.
            assert!((value - exact).abs() <= 1.0 + exact / 1_000.0, "{value} ms at {percentile}");
            assert!(count.abs_diff(exact as u64) <= 2, "{count} values at {percentile}");
        }
        let last = rows.last().unwrap();
        assert_eq!((last.1, last.2), (1.0, 1_000));
        // Half-way to the end every five rows: 0.5, 0.75, 0.875.
        for quantile in [0.5, 0.75, 0.875, 0.9375] {
            assert!(rows.iter().any(|row| row.1 == quantile), "{quantile} is missing");
        }
        assert!(table.contains("#[Mean    =      500.5"), "{table}");
        assert!(table.contains("Total count    =         1000]"), "{table}");
        assert!(table.ends_with("#[Buckets =           32, SubBuckets     =         2048]\n"), "{table}");
    }

    #[test]
    fn every_row_but_the_last_has_four_columns() {
        let mut series = Series::new();
        (1..=100).for_each(|n| series.record(n * n).unwrap());
        for line in table(&series).lines().skip(2).filter(|line| !line.starts_with('#')) {
            let columns = line.split_whitespace().count();
            assert_eq!(columns, if line.contains(" 1.000000000000 ") { 3 } else { 4 }, "{line}");
        }
    }
}
