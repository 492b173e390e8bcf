//! One measure of one operation: an HDR histogram, and beside it what the histogram rounds.
//!
//! Must not know what is measured.
//!
//! Invariants: all values are nanoseconds up to [`LONGEST_NS`]; `min`, `max` and `sum` are exact; no percentile is
//! above `max`.

use hdrhistogram::Histogram;

use super::sample::Phase;

/// What is measured of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measure {
    /// Due until complete.
    Response,
    /// Taken until complete.
    Service,
    /// One phase of it.
    Phase(Phase),
    /// Due until given up, of operations that failed; these are in no other measure.
    Failed,
}

impl Measure {
    /// How many measures there are.
    pub const COUNT: usize = 11;

    /// All measures, in the order of reports.
    pub fn all() -> impl Iterator<Item = Measure> {
        [Measure::Response, Measure::Service]
            .into_iter()
            .chain(Phase::ALL.into_iter().map(Measure::Phase))
            .chain([Measure::Failed])
    }

    /// Its place in an array of [`Measure::COUNT`].
    pub fn index(self) -> usize {
        match self {
            Measure::Response => 0,
            Measure::Service => 1,
            Measure::Phase(phase) => 2 + phase as usize,
            Measure::Failed => 10,
        }
    }

    /// The word used in tags, file names and thresholds.
    pub fn word(self) -> &'static str {
        match self {
            Measure::Response => "response",
            Measure::Service => "service",
            Measure::Phase(phase) => phase.word(),
            Measure::Failed => "failed",
        }
    }
}

/// The values of one measure.
#[derive(Debug, Clone)]
pub struct Series {
    histogram: Histogram<u64>,
    min: u64,
    max: u64,
    sum: u128,
}

/// A value above [`LONGEST_NS`]; it was not recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooLong;

impl Series {
    /// An empty series; allocates some 264 KiB.
    pub fn new() -> Series {
        let histogram = Histogram::new_with_bounds(1, LONGEST_NS, SIGNIFICANT_DIGITS)
            .expect("constant bounds within the crate's limits");
        Series { histogram, min: u64::MAX, max: 0, sum: 0 }
    }

    /// Counts a value.
    ///
    /// # Errors
    /// [`TooLong`] when it is above [`LONGEST_NS`].
    pub fn record(&mut self, ns: u64) -> Result<(), TooLong> {
        if ns > LONGEST_NS {
            return Err(TooLong);
        }
        self.histogram.record(ns).map_err(|_| TooLong)?;
        self.min = self.min.min(ns);
        self.max = self.max.max(ns);
        self.sum += u128::from(ns);
        Ok(())
    }

    /// Adds the values of another series.
    pub fn add(&mut self, other: &Series) {
        self.histogram.add(&other.histogram).expect("all series have the same bounds");
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
        self.sum += other.sum;
    }

    /// Adds a histogram of nanoseconds that was kept elsewhere, perhaps more coarsely; values above the bound are
    /// counted at the bound, and the sum is as exact as that histogram is.
    pub fn add_histogram(&mut self, other: &Histogram<u64>) {
        for step in other.iter_recorded() {
            let value = other.median_equivalent(step.value_iterated_to()).min(LONGEST_NS);
            let count = step.count_at_value();
            self.histogram.saturating_record_n(value, count);
            self.min = self.min.min(value);
            self.max = self.max.max(value);
            self.sum += u128::from(value) * u128::from(count);
        }
    }

    /// Empties it and keeps its memory.
    pub fn reset(&mut self) {
        self.histogram.reset();
        self.min = u64::MAX;
        self.max = 0;
        self.sum = 0;
    }

    /// How many values.
    pub fn count(&self) -> u64 {
        self.histogram.len()
    }

    /// The smallest value, exactly; 0 when there is none.
    pub fn min(&self) -> u64 {
        if self.count() == 0 { 0 } else { self.min }
    }

    /// The greatest value, exactly; 0 when there is none.
    pub fn max(&self) -> u64 {
        self.max
    }

    /// The sum of all values, exactly.
    pub fn sum(&self) -> u128 {
        self.sum
    }

    /// The mean; 0 when there is no value.
    pub fn mean(&self) -> f64 {
        if self.count() == 0 { 0.0 } else { self.sum as f64 / self.count() as f64 }
    }

    /// The value that `percent` of all values do not exceed; 0 when there is none.
    pub fn percentile(&self, percent: f64) -> u64 {
        // The histogram answers with the upper end of a bucket, which may lie above the greatest value.
        self.histogram.value_at_percentile(percent).min(self.max)
    }

    /// The percentile, or `None` when fewer than ten values lie above it: it would be one of the few greatest.
    pub fn supported_percentile(&self, percent: f64) -> Option<u64> {
        let above = self.count() as f64 * (100.0 - percent) / 100.0;
        // Half a thousandth forgives the rounding of 99.9 and its like.
        (above + 0.0005 >= VALUES_ABOVE_A_PERCENTILE).then(|| self.percentile(percent))
    }

    /// The histogram itself.
    pub fn histogram(&self) -> &Histogram<u64> {
        &self.histogram
    }
}

impl Default for Series {
    fn default() -> Self {
        Series::new()
    }
}

/// The greatest value that is recorded: one hour.
pub const LONGEST_NS: u64 = 3_600_000_000_000;

const SIGNIFICANT_DIGITS: u8 = 3;

/// A percentile is shown when at least this many values lie above it.
const VALUES_ABOVE_A_PERCENTILE: f64 = 10.0;

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: impl IntoIterator<Item = u64>) -> Series {
        let mut series = Series::new();
        for value in values {
            series.record(value).unwrap();
        }
        series
    }

    #[test]
    fn known_values_give_known_figures() {
        let series = of((1..=10_000).map(|n| n * 1_000));
        assert_eq!(series.count(), 10_000);
        assert_eq!((series.min(), series.max()), (1_000, 10_000_000));
        assert_eq!(series.mean(), 5_000_500.0);
        for (percent, exact) in [(50.0, 5_000_000.0), (90.0, 9_000_000.0), (99.0, 9_900_000.0)] {
            let error = (series.percentile(percent) as f64 - exact).abs() / exact;
            assert!(error <= 0.001, "p{percent} is off by {error}");
        }
    }

    #[test]
    fn no_percentile_is_above_the_maximum() {
        let series = of([1_000_003]);
        assert!(series.histogram().max() > 1_000_003, "the bucket ends above its value");
        assert_eq!(series.percentile(99.9), 1_000_003);
        assert_eq!(series.percentile(0.0).min(series.min()), series.percentile(0.0));
    }

    #[test]
    fn parts_add_up_to_the_whole() {
        let whole = of((0..5_000).map(|n| n * n));
        let mut sum = of((0..2_000).map(|n| n * n));
        sum.add(&of((2_000..5_000).map(|n| n * n)));
        assert_eq!(sum.histogram(), whole.histogram());
        assert_eq!((sum.min(), sum.max(), sum.sum()), (whole.min(), whole.max(), whole.sum()));
    }

    #[test]
    fn an_hour_is_recorded_and_more_is_refused() {
        let mut series = Series::new();
        assert_eq!(series.record(LONGEST_NS), Ok(()));
        assert_eq!(series.record(LONGEST_NS + 1), Err(TooLong));
        assert_eq!((series.count(), series.max()), (1, LONGEST_NS));
    }

    #[test]
    fn a_percentile_needs_ten_values_above_it() {
        assert_eq!(of(0..999).supported_percentile(99.0), None);
        assert!(of(0..1_000).supported_percentile(99.0).is_some());
        assert!(of(0..10_000).supported_percentile(99.9).is_some());
        assert_eq!(of(0..9_999).supported_percentile(99.9), None);
        assert!(of(0..20).supported_percentile(50.0).is_some());
        assert_eq!(of([]).supported_percentile(50.0), None);
    }

    #[test]
    fn a_coarser_histogram_is_added_value_by_value() {
        let mut coarse = Histogram::<u64>::new_with_bounds(1, 60_000_000_000, 2).unwrap();
        coarse.record_n(1_000_000, 7).unwrap();
        coarse.record(50).unwrap();
        let mut series = Series::new();
        series.add_histogram(&coarse);
        assert_eq!((series.count(), series.min()), (8, 50));
        assert!(series.max().abs_diff(1_000_000) <= 10_000);
    }

    #[test]
    fn reset_leaves_nothing() {
        let mut series = of([1, 2, 3]);
        series.reset();
        assert_eq!((series.count(), series.min(), series.max(), series.sum()), (0, 0, 0, 0));
    }
}
