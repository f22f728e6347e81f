//! Axes of charts: the library's, and one for percentiles, which it does not have.

use std::ops::Range;

use plotters::coord::combinators::{IntoLogRange, LogCoord};
use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter};
use plotters::coord::types::RangedCoordf64;

/// How values are spread over an axis.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Scale {
    /// Evenly, from 0.
    Linear,
    /// By powers of ten.
    Log,
    /// Quantiles by powers of ten of their distance to 1: 0, 90 %, 99 %, 99.9 % and so on.
    Percentile,
}

impl Scale {
    /// Whether a value has a place on such an axis.
    pub fn has_place_for(self, value: f64) -> bool {
        match self {
            Scale::Linear => value.is_finite(),
            Scale::Log => value.is_finite() && value > 0.0,
            Scale::Percentile => (0.0..1.0).contains(&value),
        }
    }
}

/// An axis with its range.
pub enum Axis {
    /// Evenly spread.
    Linear(RangedCoordf64),
    /// By powers of ten.
    Log(LogCoord<f64>),
    /// Quantiles, by their [`nines`].
    Percentile(RangedCoordf64),
}

impl Axis {
    /// Wide enough for all values that have a place on it.
    pub fn new(scale: Scale, values: impl Iterator<Item = f64>) -> Axis {
        let (mut min, mut max) = (f64::INFINITY, f64::NEG_INFINITY);
        for value in values.filter(|value| scale.has_place_for(*value)) {
            (min, max) = (min.min(value), max.max(value));
        }
        if min > max {
            (min, max) = (0.1, 0.9);
        }
        match scale {
            Scale::Linear => {
                let (from, to) = (min.min(0.0), max * 1.05);
                Axis::Linear((from..if to > from { to } else { from + 1.0 }).into())
            }
            Scale::Log => {
                let (from, to) = (min.log10().floor(), max.log10().ceil());
                // A little more: the ends' own labels must not be lost to rounding.
                let (from, to) = (10f64.powf(from) * 0.999, 10f64.powf(to.max(from + 1.0)) * 1.001);
                Axis::Log((from..to).log_scale().into())
            }
            Scale::Percentile => Axis::Percentile((0.0..nines(max).ceil().max(2.0)).into()),
        }
    }
}

/// How many nines a quantile begins with: 1 for 90 %, 2 for 99 %.
fn nines(quantile: f64) -> f64 {
    -(1.0 - quantile).log10()
}

fn quantile(nines: f64) -> f64 {
    1.0 - 10f64.powf(-nines)
}

impl Ranged for Axis {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, limit: (i32, i32)) -> i32 {
        match self {
            Axis::Linear(axis) => axis.map(value, limit),
            Axis::Log(axis) => axis.map(value, limit),
            Axis::Percentile(axis) => axis.map(&nines(*value), limit),
        }
    }

    fn key_points<Hint: KeyPointHint>(&self, hint: Hint) -> Vec<f64> {
        match self {
            Axis::Linear(axis) => axis.key_points(hint),
            Axis::Log(axis) => axis.key_points(hint),
            Axis::Percentile(axis) => {
                (0..=axis.range().end as i32).map(|count| quantile(count.into())).collect()
            }
        }
    }

    fn range(&self) -> Range<f64> {
        match self {
            Axis::Linear(axis) => axis.range(),
            Axis::Log(axis) => axis.range(),
            Axis::Percentile(axis) => quantile(axis.range().start)..quantile(axis.range().end),
        }
    }
}

impl ValueFormatter<f64> for Axis {
    fn format_ext(&self, value: &f64) -> String {
        match self {
            Axis::Linear(_) | Axis::Log(_) => label(*value),
            Axis::Percentile(_) => {
                let digits = (nines(*value).round() as usize).saturating_sub(2);
                format!("{:.digits$}%", value * 100.0)
            }
        }
    }
}

/// A number that is short.
fn label(value: f64) -> String {
    let (number, unit) = match value.abs() {
        1e9.. => (value / 1e9, "G"),
        1e6.. => (value / 1e6, "M"),
        1e4.. => (value / 1e3, "k"),
        _ => (value, ""),
    };
    let text = format!("{number:.3}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    format!("{text}{unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_spread_by_their_distance_to_100() {
        let axis = Axis::new(Scale::Percentile, [0.0, 0.9, 0.9991].into_iter());
        let places = [0.0, 0.9, 0.99, 0.999, 0.9999].map(|quantile| axis.map(&quantile, (0, 400)));
        assert_eq!(places, [0, 100, 200, 300, 400]);
        let labels: Vec<String> = axis.key_points(10).iter().map(|value| axis.format_ext(value)).collect();
        assert_eq!(labels, ["0%", "90%", "99%", "99.9%", "99.99%"]);
        assert!(!Scale::Percentile.has_place_for(1.0));
    }

    #[test]
    fn powers_of_ten_are_labelled_at_both_ends() {
        for (min, max, labels) in
            [(0.02, 800.0, &["0.01", "0.1", "1", "10", "100", "1000"][..]), (1.0, 10.0, &["1", "10"])]
        {
            let axis = Axis::new(Scale::Log, [min, 0.0, f64::NAN, max].into_iter());
            let found: Vec<String> = axis.key_points(8).iter().map(|value| axis.format_ext(value)).collect();
            assert_eq!(found, labels);
        }
    }

    #[test]
    fn labels_are_short() {
        assert_eq!([0.001, 0.5, 100.0, 12_000.0, 3e6].map(label), ["0.001", "0.5", "100", "12k", "3M"]);
    }
}
