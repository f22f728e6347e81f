//! Line charts as SVG, small enough to stand inside of a page.

use std::fmt::Write;

const WIDTH: f64 = 760.0;
const HEIGHT: f64 = 320.0;
const LEFT: f64 = 72.0;
const RIGHT: f64 = 28.0;
const TOP: f64 = 12.0;
const BOTTOM: f64 = 44.0;
/// Points of one line; of longer ones, each stretch keeps its smallest and its largest.
const POINTS_MAX: usize = 1500;

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

/// One line.
#[derive(Clone, Debug)]
pub struct Series {
    /// Its name in the legend.
    pub name: &'static str,
    /// x and y, x ascending.
    pub points: Vec<(f64, f64)>,
}

/// A chart.
#[derive(Clone, Debug)]
pub struct Chart {
    /// What is along the bottom.
    pub x_title: &'static str,
    /// What goes up.
    pub y_title: &'static str,
    /// The scale along the bottom.
    pub x_scale: Scale,
    /// The scale that goes up.
    pub y_scale: Scale,
    /// The lines.
    pub series: Vec<Series>,
}

/// The range of an axis, in the scale's own measure.
#[derive(Clone, Copy, Debug)]
struct Axis {
    scale: Scale,
    min: f64,
    max: f64,
}

impl Axis {
    fn new(scale: Scale, values: impl Iterator<Item = f64>) -> Axis {
        let (mut min, mut max) = (f64::INFINITY, f64::NEG_INFINITY);
        for value in values.map(|value| measure(scale, value)).filter(|value| value.is_finite()) {
            (min, max) = (min.min(value), max.max(value));
        }
        if min > max {
            (min, max) = (0.0, 1.0);
        }
        let (min, max) = match scale {
            Scale::Linear => (min.min(0.0), max * 1.05),
            Scale::Log => (min.floor(), max.ceil().max(min.floor() + 1.0)),
            Scale::Percentile => (0.0, max.ceil().max(2.0)),
        };
        Axis { scale, min, max: if max > min { max } else { min + 1.0 } }
    }

    /// Where a value lies, 0 to 1; `None` if it has no place.
    fn place(&self, value: f64) -> Option<f64> {
        let at = measure(self.scale, value);
        at.is_finite().then(|| ((at - self.min) / (self.max - self.min)).clamp(0.0, 1.0))
    }

    /// Values to mark, with their labels.
    fn ticks(&self) -> Vec<(f64, String)> {
        match self.scale {
            Scale::Linear => {
                let step = nice_step((self.max - self.min) / 5.0);
                let count = ((self.max - self.min) / step) as i32;
                (0..=count).map(|at| self.min + f64::from(at) * step).map(|it| (it, label(it))).collect()
            }
            Scale::Log => {
                let powers = self.min as i32..=self.max as i32;
                powers.map(|power| 10f64.powi(power)).map(|it| (it, label(it))).collect()
            }
            Scale::Percentile => (0..=self.max as i32)
                .map(|power| {
                    let quantile = 1.0 - 10f64.powi(-power);
                    (quantile, format!("{:.*}%", (power - 2).max(0) as usize, quantile * 100.0))
                })
                .collect(),
        }
    }
}

/// A value in its scale's own measure; not finite where it has no place.
fn measure(scale: Scale, value: f64) -> f64 {
    match scale {
        Scale::Linear => value,
        Scale::Log if value > 0.0 => value.log10(),
        Scale::Log => f64::NAN,
        Scale::Percentile => -(1.0 - value).log10(),
    }
}

/// 1, 2 or 5 times a power of ten, at least `step`.
fn nice_step(step: f64) -> f64 {
    let power = 10f64.powf(step.max(1e-9).log10().floor());
    let factor = [1.0, 2.0, 5.0, 10.0].into_iter().find(|factor| factor * power >= step);
    factor.unwrap_or(10.0) * power
}

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

impl Chart {
    /// The chart as an SVG element; colours come from the page's classes `s0`, `s1` and so on.
    pub fn svg(&self) -> String {
        let all = || self.series.iter().flat_map(|series| series.points.iter());
        let x_axis = Axis::new(self.x_scale, all().map(|point| point.0));
        let y_axis = Axis::new(self.y_scale, all().map(|point| point.1));
        let mut svg = format!(
            "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{} by {}\">",
            self.y_title, self.x_title
        );
        self.grid(&mut svg, x_axis, y_axis);
        for (number, series) in self.series.iter().enumerate() {
            let points = thin_out(&series.points);
            let path: Vec<String> = points
                .iter()
                .filter_map(|(x, y)| Some((x_axis.place(*x)?, y_axis.place(*y)?)))
                .map(|(x, y)| format!("{:.1},{:.1}", x_pixel(x), y_pixel(y)))
                .collect();
            let _ = match &path[..] {
                [one] => {
                    let (x, y) = one.split_once(',').expect("just written");
                    write!(svg, "<circle class=\"dot s{number}\" cx=\"{x}\" cy=\"{y}\" r=\"3\"/>")
                }
                _ => write!(svg, "<polyline class=\"line s{number}\" points=\"{}\"/>", path.join(" ")),
            };
        }
        svg.push_str("</svg>");
        svg
    }

    fn grid(&self, svg: &mut String, x_axis: Axis, y_axis: Axis) {
        let (bottom, right) = (HEIGHT - BOTTOM, WIDTH - RIGHT);
        for (value, text) in x_axis.ticks() {
            let x = x_pixel(x_axis.place(value).unwrap_or(0.0));
            let _ = write!(
                svg,
                "<line class=\"grid\" x1=\"{x:.1}\" y1=\"{TOP}\" x2=\"{x:.1}\" y2=\"{bottom}\"/>\
                 <text x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{text}</text>",
                bottom + 16.0
            );
        }
        for (value, text) in y_axis.ticks() {
            let y = y_pixel(y_axis.place(value).unwrap_or(0.0));
            let _ = write!(
                svg,
                "<line class=\"grid\" x1=\"{LEFT}\" y1=\"{y:.1}\" x2=\"{right}\" y2=\"{y:.1}\"/>\
                 <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{text}</text>",
                LEFT - 6.0,
                y + 4.0
            );
        }
        let (x_middle, y_middle) = ((LEFT + right) / 2.0, (TOP + bottom) / 2.0);
        let _ = write!(
            svg,
            "<text class=\"title\" x=\"{x_middle}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>\
             <text class=\"title\" transform=\"translate(14 {y_middle}) rotate(-90)\" text-anchor=\"middle\">{}</text>",
            HEIGHT - 8.0,
            self.x_title,
            self.y_title
        );
    }
}

fn x_pixel(place: f64) -> f64 {
    LEFT + place * (WIDTH - LEFT - RIGHT)
}

fn y_pixel(place: f64) -> f64 {
    HEIGHT - BOTTOM - place * (HEIGHT - TOP - BOTTOM)
}

/// At most about [`POINTS_MAX`] points; no peak is lost.
fn thin_out(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    if points.len() <= POINTS_MAX {
        return points.to_vec();
    }
    let mut kept = Vec::new();
    for stretch in points.chunks(points.len().div_ceil(POINTS_MAX / 2)) {
        let by_y = |one: &&(f64, f64), other: &&(f64, f64)| one.1.total_cmp(&other.1);
        let (low, high) = (stretch.iter().min_by(by_y), stretch.iter().max_by(by_y));
        kept.extend(low.into_iter().chain(high.filter(|high| Some(*high) != low)).copied());
    }
    kept.sort_by(|one, other| one.0.total_cmp(&other.0));
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_spread_by_their_distance_to_100() {
        let axis = Axis::new(Scale::Percentile, [0.0, 0.9, 0.9991].into_iter());
        let places: Vec<f64> =
            [0.0, 0.9, 0.99, 0.999].into_iter().map(|quantile| axis.place(quantile).unwrap()).collect();
        assert!(places.windows(2).all(|pair| (pair[1] - pair[0] - 0.25).abs() < 1e-9), "{places:?}");
        let labels: Vec<String> = axis.ticks().into_iter().map(|(_, label)| label).collect();
        assert_eq!(labels, ["0%", "90%", "99%", "99.9%", "99.99%"]);
        assert_eq!(axis.place(1.0), None);
    }

    #[test]
    fn peaks_survive_thinning_and_empty_charts_are_drawn() {
        let mut points: Vec<(f64, f64)> = (0..100_000).map(|at| (f64::from(at), 1.0)).collect();
        points[77_777].1 = 500.0;
        let kept = thin_out(&points);
        assert!(kept.len() <= POINTS_MAX + 2 && kept.contains(&(77_777.0, 500.0)));
        let (x_scale, y_scale) = (Scale::Linear, Scale::Log);
        let series = vec![Series { name: "none", points: Vec::new() }];
        let chart = Chart { x_title: "x", y_title: "y", x_scale, y_scale, series };
        assert!(chart.svg().ends_with("</svg>"));
    }

    #[test]
    fn labels_are_short() {
        assert_eq!([0.001, 0.5, 100.0, 12_000.0, 3e6].map(label), ["0.001", "0.5", "100", "12k", "3M"]);
        assert_eq!([0.7, 1.2, 3.0, 60.0].map(nice_step), [1.0, 2.0, 5.0, 100.0]);
    }
}
