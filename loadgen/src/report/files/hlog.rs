//! `latency.hlog`: all histograms of all intervals, in HdrHistogram's interval log format 1.3.
//!
//! Must not know where the histograms come from.
//!
//! Invariants: values are nanoseconds; histograms are V2, deflated (other languages' readers take nothing else); the
//! untagged series is the response of all good operations.

use std::io::Write;
use std::time::{Duration, SystemTime};

use hdrhistogram::Histogram;
use hdrhistogram::serialization::V2DeflateSerializer;
use hdrhistogram::serialization::interval_log::{IntervalLogWriter, IntervalLogWriterBuilder, Tag};

/// The log while it is written.
pub(crate) struct LatencyLog<'a, W: Write> {
    writer: IntervalLogWriter<'a, 'a, W, V2DeflateSerializer>,
}

/// Where an interval lies.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Span {
    /// Since the base time.
    pub start: Duration,
    /// Its length.
    pub length: Duration,
}

impl<'a, W: Write> LatencyLog<'a, W> {
    /// Begins a log whose times count from `base`. `out` must not fail: see [`super::directory::RunFile`].
    pub fn begin(
        out: &'a mut W,
        serializer: &'a mut V2DeflateSerializer,
        comment: &str,
        base: SystemTime,
    ) -> std::io::Result<LatencyLog<'a, W>> {
        out.write_all(LEGEND.as_bytes())?;
        let writer = IntervalLogWriterBuilder::new()
            .add_comment("[Histogram log format version 1.3]")
            .add_comment(comment)
            .with_start_time(base)
            .with_base_time(base)
            .with_max_value_divisor(NS_PER_MS)
            .begin_log_with(out, serializer)?;
        Ok(LatencyLog { writer })
    }

    /// Adds an interval of a series; an empty one leaves no line.
    pub fn add(&mut self, histogram: &Histogram<u64>, span: Span, tag: Option<&str>) {
        if histogram.is_empty() {
            return;
        }
        let tag = tag.map(|tag| Tag::new(tag).expect("operation names are letters, digits and hyphens"));
        self.writer
            .write_histogram(histogram, span.start, span.length, tag)
            .expect("the file takes all bytes, and the deflater writes to memory");
    }
}

/// The line that readers know the columns by.
const LEGEND: &str = "\"StartTimestamp\",\"Interval_Length\",\"Interval_Max\",\"Interval_Compressed_Histogram\"\n";

/// Readers divide by it to show the column of maxima.
const NS_PER_MS: f64 = 1e6;

#[cfg(test)]
mod tests {
    use hdrhistogram::serialization::Deserializer;
    use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};

    use super::*;
    use crate::record::Series;

    #[test]
    fn a_log_read_again_holds_what_was_written() {
        let mut series = Series::new();
        (1..=5_000_u64).for_each(|n| series.record(n * n).unwrap());
        let (mut out, mut serializer) = (Vec::new(), V2DeflateSerializer::new());
        let span = Span { start: Duration::from_millis(1_500), length: Duration::from_secs(1) };
        let mut log = LatencyLog::begin(&mut out, &mut serializer, "mixed3", SystemTime::UNIX_EPOCH).unwrap();
        log.add(series.histogram(), span, None);
        log.add(series.histogram(), span, Some("get.response"));
        log.add(Series::new().histogram(), span, Some("put.response"));
        drop(log);

        let text = String::from_utf8(out.clone()).unwrap();
        assert!(text.contains("\n#[Histogram log format version 1.3]\n"), "{text}");
        assert!(text.contains("\n#[MaxValueDivisor: 1000000.0"), "{text}");
        let mut tags = Vec::new();
        for entry in IntervalLogIterator::new(&out) {
            let LogEntry::Interval(interval) = entry.unwrap() else { continue };
            tags.push(interval.tag().map(|tag| tag.as_str().to_owned()));
            assert_eq!((interval.start_timestamp(), interval.duration()), (span.start, span.length));
            assert_eq!(interval.max(), (series.histogram().max() as f64 / 1e6 * 1e3).round() / 1e3);
            use base64::Engine as _;
            let bytes = base64::engine::general_purpose::STANDARD.decode(interval.encoded_histogram()).unwrap();
            let read: Histogram<u64> = Deserializer::new().deserialize(&mut &bytes[..]).unwrap();
            assert_eq!(&read, series.histogram());
        }
        assert_eq!(tags, [None, Some("get.response".to_owned())]);
    }
}
