//! `latency.svg`: latency against percentile, a line for each operation.
//!
//! The horizontal axis is that of HdrHistogram's plots: each tick has a tenth of the operations of the one before
//! beyond it. Response is solid, service dashed; where both fall together only the solid line is seen.
//!
//! Must not know how the histograms came about.

use plotters::coord::Shift;
use plotters::coord::ranged1d::{DefaultFormatting, KeyPointHint, Ranged};
use plotters::prelude::*;

use crate::record::Series;
use crate::report::text::numbers;

/// One operation's lines.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Curves<'a> {
    /// The operation's name.
    pub name: &'a str,
    /// Due until complete.
    pub response: &'a Series,
    /// Taken until complete.
    pub service: Option<&'a Series>,
}

/// The picture.
///
/// # Errors
/// What the drawing library says, in words; the values themselves cannot cause it.
pub(crate) fn draw(title: &str, subtitle: &str, curves: &[Curves<'_>]) -> Result<String, String> {
    let mut svg = String::new();
    draw_on(&SVGBackend::with_string(&mut svg, SIZE).into_drawing_area(), title, subtitle, curves)
        .map_err(|error| error.to_string())?;
    Ok(svg)
}

type Drawn<'a> = Result<(), DrawingAreaErrorKind<<SVGBackend<'a> as DrawingBackend>::ErrorType>>;

fn draw_on<'a>(
    area: &DrawingArea<SVGBackend<'a>, Shift>,
    title: &str,
    subtitle: &str,
    curves: &[Curves<'_>],
) -> Drawn<'a> {
    area.fill(&WHITE)?;
    let (left, top) = (MARGIN_LEFT, 18);
    area.draw_text(title, &style(26, &INK), (left, top))?;
    area.draw_text(subtitle, &style(17, &GREY), (left, top + 32))?;
    let nines = nines_range(curves);
    let across = Axis { ticks: nines_ticks(nines), to: nines };
    let ticks = latency_ticks(curves);
    let up = Axis { to: ticks[ticks.len() - 1], ticks };
    let mut chart = ChartBuilder::on(area)
        .margin_top(74)
        .margin_right(RIGHT)
        .margin_bottom(12)
        .x_label_area_size(56)
        .y_label_area_size(MARGIN_LEFT as u32)
        .build_cartesian_2d(across, up)?;
    chart
        .configure_mesh()
        .bold_line_style(GREY.mix(0.25))
        .light_line_style(TRANSPARENT)
        .axis_style(GREY)
        .label_style(style(17, &INK))
        .x_desc("percentile of operations")
        .y_desc("latency, ms")
        .axis_desc_style(style(17, &GREY))
        .x_label_formatter(&|nines| nines_label(*nines))
        .y_label_formatter(&|decade| latency_label(*decade))
        .draw()?;
    let mut ends = Vec::new();
    for (index, curve) in curves.iter().enumerate() {
        let colour = COLOURS[index % COLOURS.len()];
        if let Some(service) = curve.service {
            let points = points(service, nines);
            chart.draw_series(DashedLineSeries::new(points, 6, 5, colour.stroke_width(1)))?;
        }
        let points = points(curve.response, nines);
        if let Some(end) = points.last() {
            ends.push((chart.backend_coord(end).1, curve.name, colour));
        }
        chart.draw_series(LineSeries::new(points, colour.stroke_width(2)))?;
    }
    draw_names(area, ends)
}

/// Names at the ends of their lines, moved apart where lines end close together, and the two kinds of line.
fn draw_names<'a>(area: &DrawingArea<SVGBackend<'a>, Shift>, mut ends: Vec<(i32, &str, RGBColor)>) -> Drawn<'a> {
    let x = SIZE.0 as i32 - RIGHT as i32 + 10;
    ends.sort_by_key(|(y, ..)| *y);
    let mut free_from = i32::MIN;
    for (y, name, colour) in ends {
        let y = y.max(free_from);
        area.draw_text(name, &style(17, &colour), (x, y - 10))?;
        free_from = y + 20;
    }
    let y = 56;
    let from = SIZE.0 as i32 - RIGHT as i32 - 270;
    for (offset, text, dashed) in [(0, "response", false), (130, "service", true)] {
        let line = [(from + offset, y), (from + offset + 34, y)];
        if dashed {
            for dash in [0, 13, 26] {
                let dash = [(line[0].0 + dash, y), (line[0].0 + dash + 8, y)];
                area.draw(&PathElement::new(dash, INK.stroke_width(1)))?;
            }
        } else {
            area.draw(&PathElement::new(line, INK.stroke_width(2)))?;
        }
        area.draw_text(text, &style(17, &INK), (line[1].0 + 8, y - 10))?;
    }
    area.present()
}

fn style(size: i32, colour: &RGBColor) -> TextStyle<'_> {
    TextStyle::from(("sans-serif", size)).color(colour)
}

/// The points of a line: (nines, decade of ms). A percentile that no value lies above is at the line's end.
fn points(series: &Series, nines_max: f64) -> Vec<(f64, f64)> {
    let last = nines_of(series).min(nines_max);
    let steps = (last * STEPS_PER_NINE).floor() as u32;
    let at = |nines: f64| {
        let percent = 100.0 * (1.0 - 10_f64.powf(-nines));
        (nines, decade(series.percentile(percent)))
    };
    let mut points: Vec<_> = (0..=steps).map(|step| at(f64::from(step) / STEPS_PER_NINE)).collect();
    points.push((last, decade(series.max())));
    points
}

/// How many nines a series is long: 1,000 values reach 99.9 %.
fn nines_of(series: &Series) -> f64 {
    (series.count().max(1) as f64).log10()
}

fn nines_range(curves: &[Curves<'_>]) -> f64 {
    curves.iter().map(|curve| nines_of(curve.response)).fold(1.0, f64::max).min(NINES_MAX)
}

/// The logarithms of the ticks around all values: 1, 2 and 5 of each decade, decades only when there are many.
fn latency_ticks(curves: &[Curves<'_>]) -> Vec<f64> {
    let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
    for curve in curves {
        for series in std::iter::once(curve.response).chain(curve.service) {
            low = low.min(decade(series.percentile(0.0)));
            high = high.max(decade(series.max()));
        }
    }
    if low > high {
        (low, high) = (-1.0, 1.0);
    }
    let steps: &[f64] = if high - low > DECADES_WITH_STEPS { &[1.0] } else { &[1.0, 2.0, 5.0] };
    let ticks = (low.floor() as i32 - 1..=high.ceil() as i32 + 1)
        .flat_map(|decade| steps.iter().map(move |step| f64::from(decade) + step.log10()));
    let ticks: Vec<f64> = ticks.collect();
    let first = ticks.iter().rposition(|tick| *tick <= low).unwrap_or(0);
    let last = ticks.iter().position(|tick| *tick >= high && *tick > ticks[first]).unwrap_or(ticks.len() - 1);
    ticks[first..=last].to_vec()
}

/// The logarithm of a time in ms; nothing is below a nanosecond.
fn decade(ns: u64) -> f64 {
    (ns.max(1) as f64 / 1e6).log10()
}

/// The ticks of the horizontal axis, up to the longest line.
fn nines_ticks(to: f64) -> Vec<f64> {
    let half = std::f64::consts::LOG10_2;
    [0.0, half, 1.0, 2.0, 3.0, 4.0, 5.0].into_iter().filter(|nines| *nines <= to).collect()
}

fn nines_label(nines: f64) -> String {
    let percent = 100.0 - 10_f64.powf(2.0 - nines);
    let digits = (nines.round() as usize).saturating_sub(2);
    format!("{percent:.digits$} %")
}

fn latency_label(decade: f64) -> String {
    let ms = 10_f64.powf(decade);
    if decade >= -1e-9 { numbers::count(ms.round() as u64) } else { format!("{ms:.*}", (-decade).ceil() as usize) }
}

/// An axis with its ticks where they are said to be.
struct Axis {
    ticks: Vec<f64>,
    to: f64,
}

impl Ranged for Axis {
    type FormatOption = DefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, limit: (i32, i32)) -> i32 {
        let share = (value - self.ticks[0]) / (self.to - self.ticks[0]);
        limit.0 + (share * f64::from(limit.1 - limit.0)).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, _hint: Hint) -> Vec<f64> {
        self.ticks.clone()
    }

    fn range(&self) -> std::ops::Range<f64> {
        self.ticks[0]..self.to
    }
}

const SIZE: (u32, u32) = (1100, 620);
const MARGIN_LEFT: i32 = 76;

/// Room for the names beside the ends of the lines.
const RIGHT: u32 = 150;
const STEPS_PER_NINE: f64 = 40.0;

/// With more decades than this, only whole ones have a tick.
const DECADES_WITH_STEPS: f64 = 4.0;

/// 99.999 %.
const NINES_MAX: f64 = 5.0;

const INK: RGBColor = RGBColor(31, 35, 40);
const GREY: RGBColor = RGBColor(101, 109, 118);

/// Told apart by people who see colours differently, too (after Okabe and Ito, the yellow left out).
const COLOURS: [RGBColor; 7] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(86, 180, 233),
    RGBColor(120, 94, 240),
    RGBColor(31, 35, 40),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn series(count: u64, ns: u64) -> Series {
        let mut series = Series::new();
        (1..=count).for_each(|n| series.record(ns + n * 1_000).unwrap());
        series
    }

    /// Every element opened is closed, in order.
    fn assert_well_formed(svg: &str) {
        let mut open = Vec::new();
        for tag in svg.split('<').skip(1) {
            let tag = tag.split('>').next().unwrap();
            if let Some(name) = tag.strip_prefix('/') {
                assert_eq!(open.pop(), Some(name), "in {svg}");
            } else if !tag.ends_with('/') && !tag.starts_with(['?', '!']) {
                open.push(tag.split_whitespace().next().unwrap());
            }
        }
        assert!(open.is_empty(), "left open: {open:?}");
    }

    #[test]
    fn there_is_a_line_and_a_name_for_each_operation() {
        let (small, large) = (series(20_000, 100_000), series(500, 3_000_000));
        let curves = [
            Curves { name: "get-small", response: &small, service: Some(&small) },
            Curves { name: "get-large", response: &large, service: None },
        ];
        let svg = draw("mixed3 <3>", "closed loop", &curves).unwrap();
        assert_well_formed(&svg);
        for text in ["get-small", "get-large", "50 %", "90 %", "99.9 %", "latency, ms", "mixed3 &lt;3&gt;"] {
            assert!(svg.contains(text), "{text} is missing");
        }
        for colour in ["#0072B2", "#D55E00"] {
            assert!(svg.contains(&format!("<polyline fill=\"none\" opacity=\"1\" stroke=\"{colour}\"")), "{colour}");
        }
    }

    #[test]
    fn a_run_without_values_has_an_empty_plot() {
        assert_well_formed(&draw("nothing", "", &[]).unwrap());
        let one = series(1, 5);
        assert_well_formed(&draw("one", "", &[Curves { name: "ls", response: &one, service: None }]).unwrap());
    }

    #[test]
    fn a_line_ends_at_the_maximum_and_never_falls() {
        let values = series(1_234, 7_000);
        let points = points(&values, 5.0);
        assert_eq!(points.last().unwrap().1, decade(values.max()));
        assert!(points.windows(2).all(|pair| pair[0].1 <= pair[1].1 && pair[0].0 <= pair[1].0));
    }

    #[test]
    fn the_axes_hold_all_values() {
        for (count, ns) in [(1, 0), (1_000, 90_000), (50_000, 1_000_000_000), (20, 999_000)] {
            let values = series(count, ns);
            let ticks = latency_ticks(&[Curves { name: "x", response: &values, service: None }]);
            let (low, high) = (decade(values.percentile(0.0)), decade(values.max()));
            assert!(ticks[0] <= low && high <= ticks[ticks.len() - 1], "{low}..{high} in {ticks:?}");
        }
    }

    #[test]
    fn labels_are_percentiles_and_milliseconds() {
        let labels: Vec<String> = (0..=5).map(|nines| nines_label(f64::from(nines))).collect();
        assert_eq!(labels, ["0 %", "90 %", "99 %", "99.9 %", "99.99 %", "99.999 %"]);
        let labels: Vec<String> = (-3..=3).map(|decade| latency_label(f64::from(decade))).collect();
        assert_eq!(labels, ["0.001", "0.01", "0.1", "1", "10", "100", "1,000"]);
        let steps = [0.02_f64, 0.5, 2.0, 5.0].map(|ms| latency_label(ms.log10()));
        assert_eq!(steps, ["0.02", "0.5", "2", "5"]);
    }
}
