//! Sizes and times that are drawn: `4KiB`, `uniform(a, b)`, `exponential(mean)`, `lognormal(median, sigma)`,
//! `choice(v: weight, ...)`.
//!
//! Knows no clock and no generator of its own: the same generator gives the same draws. Invariant: a printed
//! distribution reads back as the same one.

use std::fmt;

use rand::{Rng, RngExt};
use rand_distr::{Distribution as _, Exp1, StandardNormal};

use super::units::Unit;

/// A distribution of bytes or nanoseconds.
#[derive(Debug, Clone, PartialEq)]
pub struct Distribution {
    shape: Shape,
    unit: Unit,
}

#[derive(Debug, Clone, PartialEq)]
enum Shape {
    Constant(u64),
    /// Both ends can be drawn.
    Uniform {
        low: u64,
        high: u64,
    },
    Exponential {
        mean: u64,
        max: Option<u64>,
    },
    Lognormal {
        median: u64,
        sigma: f64,
        max: Option<u64>,
    },
    /// Values and their weights, all above zero.
    Choice(Vec<(u64, f64)>),
}

impl Distribution {
    /// Always the same value.
    pub fn constant(value: u64, unit: Unit) -> Distribution {
        Distribution { shape: Shape::Constant(value), unit }
    }

    /// Reads a quantity or one of the distributions.
    ///
    /// # Errors
    /// What is wrong with it, for people.
    pub fn parse(text: &str, unit: Unit) -> Result<Distribution, String> {
        let text = text.trim();
        let shape = match text.split_once('(') {
            None => Shape::Constant(unit.parse(text)?),
            Some((name, rest)) => {
                let arguments =
                    rest.strip_suffix(')').ok_or_else(|| format!("`{text}`: a `)` is missing at the end"))?;
                let arguments: Vec<&str> = arguments.split(',').map(str::trim).collect();
                parse_shape(name.trim(), &arguments, unit).map_err(|problem| format!("`{text}`: {problem}"))?
            }
        };
        Ok(Distribution { shape, unit })
    }

    /// Draws one value, in bytes or nanoseconds. A draw above `max` counts as `max`.
    pub fn sample(&self, rng: &mut impl Rng) -> u64 {
        match &self.shape {
            Shape::Constant(value) => *value,
            Shape::Uniform { low, high } => rng.random_range(*low..=*high),
            Shape::Exponential { mean, max } => {
                let unit: f64 = Exp1.sample(rng);
                clamp(unit * *mean as f64, *max)
            }
            Shape::Lognormal { median, sigma, max } => {
                let z: f64 = StandardNormal.sample(rng);
                clamp(*median as f64 * (z * sigma).exp(), *max)
            }
            Shape::Choice(values) => choose(values, rng.random::<f64>()),
        }
    }

    /// The expected value, in bytes or nanoseconds.
    pub fn mean(&self) -> f64 {
        match &self.shape {
            Shape::Constant(value) => *value as f64,
            Shape::Uniform { low, high } => *low as f64 / 2.0 + *high as f64 / 2.0,
            Shape::Exponential { mean: 0, .. } => 0.0,
            Shape::Exponential { mean, max } => {
                let mean = *mean as f64;
                max.map_or(mean, |max| mean * (1.0 - (-(max as f64) / mean).exp()))
            }
            Shape::Lognormal { median, sigma, max } => lognormal_mean(*median as f64, *sigma, *max),
            Shape::Choice(values) => {
                let total: f64 = values.iter().map(|(_, weight)| weight).sum();
                values.iter().map(|(value, weight)| *value as f64 * weight / total).sum()
            }
        }
    }

    /// The largest value that can be drawn; `None`: there is no bound.
    pub fn max(&self) -> Option<u64> {
        match &self.shape {
            Shape::Constant(value) => Some(*value),
            Shape::Uniform { high, .. } => Some(*high),
            Shape::Exponential { max, .. } | Shape::Lognormal { max, .. } => *max,
            Shape::Choice(values) => values.iter().map(|(value, _)| *value).max(),
        }
    }
}

/// As it is written in a scenario.
impl fmt::Display for Distribution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let print = |value: &u64| self.unit.print(*value);
        let bound = |max: &Option<u64>| max.map(|max| format!(", max {}", self.unit.print(max))).unwrap_or_default();
        match &self.shape {
            Shape::Constant(value) => write!(f, "{}", print(value)),
            Shape::Uniform { low, high } => write!(f, "uniform({}, {})", print(low), print(high)),
            Shape::Exponential { mean, max } => write!(f, "exponential({}{})", print(mean), bound(max)),
            Shape::Lognormal { median, sigma, max } => {
                write!(f, "lognormal({}, {sigma}{})", print(median), bound(max))
            }
            Shape::Choice(values) => {
                let parts: Vec<String> = values.iter().map(|(v, weight)| format!("{}: {weight}", print(v))).collect();
                write!(f, "choice({})", parts.join(", "))
            }
        }
    }
}

fn parse_shape(name: &str, arguments: &[&str], unit: Unit) -> Result<Shape, String> {
    match (name, arguments) {
        ("uniform", [low, high]) => {
            let (low, high) = (unit.parse(low)?, unit.parse(high)?);
            if low > high {
                return Err("the first value must not be above the second".into());
            }
            Ok(Shape::Uniform { low, high })
        }
        ("exponential", [mean]) => Ok(Shape::Exponential { mean: unit.parse(mean)?, max: None }),
        ("exponential", [mean, max]) => {
            Ok(Shape::Exponential { mean: unit.parse(mean)?, max: Some(parse_max(max, unit)?) })
        }
        ("lognormal", [median, sigma]) => lognormal(median, sigma, None, unit),
        ("lognormal", [median, sigma, max]) => lognormal(median, sigma, Some(parse_max(max, unit)?), unit),
        ("choice", values) => {
            values.iter().map(|value| parse_weighted(value, unit)).collect::<Result<_, _>>().map(Shape::Choice)
        }
        _ => match FORMS.iter().find(|(known, _)| *known == name) {
            Some((_, form)) => Err(format!("write {form}")),
            None => Err(unknown_shape(name)),
        },
    }
}

fn unknown_shape(name: &str) -> String {
    match super::problems::nearest(name, FORMS.iter().map(|(known, _)| *known)) {
        Some(known) => format!("unknown distribution `{name}`; did you mean `{known}`?"),
        None => {
            let all: Vec<&str> = FORMS.iter().map(|(known, _)| *known).collect();
            format!("unknown distribution `{name}`; there are {}", all.join(", "))
        }
    }
}

fn lognormal(median: &str, sigma: &str, max: Option<u64>, unit: Unit) -> Result<Shape, String> {
    let median = unit.parse(median)?;
    let sigma: f64 = sigma.parse().map_err(|_| format!("sigma is a plain number such as 1.5, not `{sigma}`"))?;
    if !(0.0..=SIGMA_MAX).contains(&sigma) {
        return Err(format!("sigma must be from 0 to {SIGMA_MAX}"));
    }
    Ok(Shape::Lognormal { median, sigma, max })
}

fn parse_max(text: &str, unit: Unit) -> Result<u64, String> {
    match text.strip_prefix("max ") {
        Some(value) => unit.parse(value),
        None => Err(format!("write `max {text}` for a bound")),
    }
}

fn parse_weighted(text: &str, unit: Unit) -> Result<(u64, f64), String> {
    let (value, weight) = text.split_once(':').ok_or_else(|| format!("`{text}` has no weight: write `{text}: 1`"))?;
    match weight.trim().parse::<f64>() {
        Ok(weight) if weight > 0.0 && weight.is_finite() => Ok((unit.parse(value)?, weight)),
        _ => Err(format!("the weight `{}` must be a number above 0", weight.trim())),
    }
}

fn clamp(value: f64, max: Option<u64>) -> u64 {
    // `as` saturates, so that even an absurd draw is a value.
    (value.round() as u64).min(max.unwrap_or(u64::MAX))
}

/// The value whose stretch of the summed weights holds `place`, a share from 0 to 1.
fn choose(values: &[(u64, f64)], place: f64) -> u64 {
    let mut rest = place * values.iter().map(|(_, weight)| weight).sum::<f64>();
    for (value, weight) in values {
        rest -= weight;
        if rest < 0.0 {
            return *value;
        }
    }
    // Rounding alone leads here.
    values.last().map_or(0, |(value, _)| *value)
}

/// The mean of `min(median * exp(sigma * z), max)` with z normal: a sum over slices of z, since the closed form needs
/// an error function that the standard library lacks.
fn lognormal_mean(median: f64, sigma: f64, max: Option<u64>) -> f64 {
    let Some(max) = max else {
        return median * (sigma * sigma / 2.0).exp();
    };
    const STEPS: i32 = 4_000;
    const REACH: f64 = 10.0;
    let step = 2.0 * REACH / f64::from(STEPS);
    let slice = |index: i32| {
        let z = -REACH + (f64::from(index) + 0.5) * step;
        let density = (-z * z / 2.0).exp() / std::f64::consts::TAU.sqrt();
        density * step * (median * (sigma * z).exp()).min(max as f64)
    };
    (0..STEPS).map(slice).sum()
}

const FORMS: [(&str, &str); 4] = [
    ("uniform", "uniform(LOW, HIGH)"),
    ("exponential", "exponential(MEAN) or exponential(MEAN, max BOUND)"),
    ("lognormal", "lognormal(MEDIAN, SIGMA) or lognormal(MEDIAN, SIGMA, max BOUND)"),
    ("choice", "choice(VALUE: WEIGHT, ...)"),
];

/// Beyond this the draws of a log-normal span more than any disk or clock.
const SIGMA_MAX: f64 = 5.0;

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    fn size(text: &str) -> Distribution {
        Distribution::parse(text, Unit::Size).unwrap_or_else(|problem| panic!("{text}: {problem}"))
    }

    #[test]
    fn draws_have_the_mean_and_the_bound_that_are_promised() {
        for (text, mean, max) in [
            ("4KiB", 4096.0, Some(4096)),
            ("uniform(1KiB, 3KiB)", 2048.0, Some(3072)),
            ("exponential(200KB)", 200_000.0, None),
            ("exponential(200KB, max 200KB)", 200_000.0 * (1.0 - (-1f64).exp()), Some(200_000)),
            ("lognormal(64KiB, 1.5)", 65_536.0 * (1.125f64).exp(), None),
            // By the closed form, with a table of the normal distribution: 32 KiB * (e^0.5 / 2 + e * 0.158655).
            ("lognormal(32KiB, 1, max 89073B)", 41_144.5, Some(89_073)),
            ("choice(4KiB: 70, 1MiB: 25, 64MiB: 5)", 3_620_474.0, Some(64 << 20)),
        ] {
            let distribution = size(text);
            assert!((distribution.mean() / mean - 1.0).abs() < 1e-3, "{text}: mean {}", distribution.mean());
            assert_eq!(distribution.max(), max, "{text}");
            let mut rng = ChaCha8Rng::seed_from_u64(11);
            let draws: Vec<u64> = (0..200_000).map(|_| distribution.sample(&mut rng)).collect();
            let measured = draws.iter().map(|&draw| draw as f64).sum::<f64>() / draws.len() as f64;
            assert!((measured / mean - 1.0).abs() < 0.03, "{text}: drawn mean {measured}, expected {mean}");
            assert!(draws.iter().all(|draw| *draw <= max.unwrap_or(u64::MAX)), "{text}");
        }
    }

    #[test]
    fn the_median_of_a_lognormal_is_its_first_argument() {
        let distribution = size("lognormal(64KiB, 1.5, max 64MiB)");
        let mut rng = ChaCha8Rng::seed_from_u64(5);
        let below = (0..100_000).filter(|_| distribution.sample(&mut rng) < 65_536).count();
        assert!((49_000..51_000).contains(&below), "{below} of 100,000 below the median");
    }

    #[test]
    fn both_ends_of_uniform_and_all_choices_are_drawn_by_their_weights() {
        let mut rng = ChaCha8Rng::seed_from_u64(5);
        let uniform = size("uniform(3B, 5B)");
        let mut seen: Vec<u64> = (0..1_000).map(|_| uniform.sample(&mut rng)).collect();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen, [3, 4, 5]);
        let choice = size("choice(1B: 3, 2B: 1)");
        let ones = (0..40_000).filter(|_| choice.sample(&mut rng) == 1).count();
        assert!((29_500..30_500).contains(&ones), "{ones} of 40,000");
    }

    #[test]
    fn what_is_printed_is_what_was_read() {
        for text in [
            "0B",
            "4KiB",
            "uniform(1MiB, 8MiB)",
            "exponential(200KB)",
            "exponential(200KB, max 1MB)",
            "lognormal(16KiB, 1.2)",
            "lognormal(16KiB, 1.2, max 1MiB)",
            "choice(4KiB: 70, 1MiB: 25, 64MiB: 0.5)",
        ] {
            assert_eq!(size(text).to_string(), text);
        }
        let think = Distribution::parse(" exponential( 0.2s )", Unit::Time).unwrap();
        assert_eq!(think.to_string(), "exponential(200ms)");
    }

    #[test]
    fn any_distribution_reads_back_as_it_was() {
        let mut rng = ChaCha8Rng::seed_from_u64(8);
        for _ in 0..2_000 {
            let unit = if rng.random() { Unit::Size } else { Unit::Time };
            let mut value = || rng.random::<u64>() >> rng.random_range(0..64);
            let [low, high] = [value(), value()];
            let max = rng.random::<bool>().then_some(high);
            let shape = match rng.random_range(0..5) {
                0 => Shape::Constant(low),
                1 => Shape::Uniform { low: low.min(high), high: low.max(high) },
                2 => Shape::Exponential { mean: low, max },
                3 => Shape::Lognormal { median: low, sigma: rng.random_range(0.0..5.0), max },
                _ => Shape::Choice(vec![(low, rng.random_range(0.001..100.0)), (high, 1.0)]),
            };
            let distribution = Distribution { shape, unit };
            assert_eq!(Distribution::parse(&distribution.to_string(), unit), Ok(distribution));
        }
    }

    #[test]
    fn wrong_distributions_say_what_would_be_right() {
        for (text, message) in [
            ("4096", "a size needs a unit: write 4096B or 4096KiB"),
            ("uniform(1KiB, 64)", "`uniform(1KiB, 64)`: a size needs a unit: write 64B or 64KiB"),
            ("uniform(2KiB, 1KiB)", "`uniform(2KiB, 1KiB)`: the first value must not be above the second"),
            ("uniform(2KiB)", "`uniform(2KiB)`: write uniform(LOW, HIGH)"),
            ("uniform(2KiB, 3KiB", "`uniform(2KiB, 3KiB`: a `)` is missing at the end"),
            ("unifrom(1B, 2B)", "`unifrom(1B, 2B)`: unknown distribution `unifrom`; did you mean `uniform`?"),
            (
                "pareto(1B)",
                "`pareto(1B)`: unknown distribution `pareto`; there are uniform, exponential, lognormal, choice",
            ),
            ("lognormal(1KiB, x)", "`lognormal(1KiB, x)`: sigma is a plain number such as 1.5, not `x`"),
            ("lognormal(1KiB, 9)", "`lognormal(1KiB, 9)`: sigma must be from 0 to 5"),
            ("lognormal(1KiB, 1, 4KiB)", "`lognormal(1KiB, 1, 4KiB)`: write `max 4KiB` for a bound"),
            ("choice(1B: 1, 2B)", "`choice(1B: 1, 2B)`: `2B` has no weight: write `2B: 1`"),
            ("choice(1B: 0)", "`choice(1B: 0)`: the weight `0` must be a number above 0"),
        ] {
            assert_eq!(Distribution::parse(text, Unit::Size).unwrap_err(), message, "{text}");
        }
    }
}
