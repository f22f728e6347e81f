//! Line charts as SVG, small enough to stand inside of a page.

use std::borrow::Cow;

use plotters::prelude::*;

use super::axis::{Axis, Scale};

/// In pixels of the drawing, twice those of the page: points have whole numbers.
const SIZE: (u32, u32) = (1520, 640);
const FONT: (&str, u32) = ("sans-serif", 24);
const LABEL_AREAS: (u32, u32) = (72, 124);
const MARGINS: (u32, u32) = (16, 56);
const LINE_WIDTH: u32 = 4;
const DOT_RADIUS: u32 = 6;
/// Labels on an axis, about.
const LABELS: usize = 8;
/// Points of one line; of longer ones, each stretch keeps its smallest and its largest.
const POINTS_MAX: usize = 1500;

/// Lines of one chart.
pub const SERIES_MAX: usize = 4;

/// The page's style finds lines by these colours, and gives them those of its theme.
const COLOURS: [RGBColor; SERIES_MAX] = [
    RGBColor(0x1f, 0x6f, 0xeb),
    RGBColor(0xd9, 0x48, 0x0f),
    RGBColor(0x2b, 0x8a, 0x3e),
    RGBColor(0x86, 0x2e, 0x9c),
];
const GRID: RGBColor = RGBColor(0xdf, 0xe3, 0xe8);

/// One line.
#[derive(Clone, Debug)]
pub struct Series {
    /// Its name in the legend.
    pub name: Cow<'static, str>,
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
    /// The lines, at most as many as there are colours.
    pub series: Vec<Series>,
}

impl Chart {
    /// The chart as an SVG element.
    pub fn svg(&self) -> String {
        let mut svg = String::new();
        self.draw(SVGBackend::with_string(&mut svg, SIZE)).expect("drawing into memory does not fail");
        svg
    }

    fn draw(&self, backend: SVGBackend<'_>) -> Result<(), DrawingAreaErrorKind<std::io::Error>> {
        let area = backend.into_drawing_area();
        let all = || self.series.iter().flat_map(|series| series.points.iter());
        let mut chart = ChartBuilder::on(&area)
            .x_label_area_size(LABEL_AREAS.0)
            .y_label_area_size(LABEL_AREAS.1)
            .margin_top(MARGINS.0)
            .margin_right(MARGINS.1)
            .build_cartesian_2d(
                Axis::new(self.x_scale, all().map(|point| point.0)),
                Axis::new(self.y_scale, all().map(|point| point.1)),
            )?;
        chart
            .configure_mesh()
            .x_desc(self.x_title)
            .y_desc(self.y_title)
            .x_labels(LABELS)
            .y_labels(LABELS)
            .max_light_lines(0)
            .bold_line_style(GRID.stroke_width(2))
            .axis_style(GRID.stroke_width(2))
            .label_style(FONT)
            .axis_desc_style(FONT)
            .draw()?;
        for (series, colour) in self.series.iter().zip(COLOURS) {
            let points = thin_out(&series.points);
            let has_place =
                |(x, y): &(f64, f64)| self.x_scale.has_place_for(*x) && self.y_scale.has_place_for(*y);
            let points: Vec<_> = points.into_iter().filter(has_place).collect();
            match points[..] {
                [point] => chart.draw_series([Circle::new(point, DOT_RADIUS, colour.filled())])?,
                _ => chart.draw_series(LineSeries::new(points, colour.stroke_width(LINE_WIDTH)))?,
            };
        }
        drop(chart);
        area.present()
    }
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

    fn chart(points: Vec<(f64, f64)>) -> Chart {
        let series = vec![Series { name: "line".into(), points }];
        Chart { x_title: "across", y_title: "up", x_scale: Scale::Linear, y_scale: Scale::Log, series }
    }

    #[test]
    fn peaks_survive_thinning() {
        let mut points: Vec<(f64, f64)> = (0..100_000).map(|at| (f64::from(at), 1.0)).collect();
        points[77_777].1 = 500.0;
        let kept = thin_out(&points);
        assert!(kept.len() <= POINTS_MAX + 2 && kept.contains(&(77_777.0, 500.0)));
    }

    #[test]
    fn lines_are_drawn_and_so_are_charts_with_little_or_nothing() {
        let line = chart(vec![(0.0, 1.0), (1.0, 0.0), (2.0, 20.0), (3.0, 0.3)]).svg();
        // Its own polyline has the three points that have a place; 0 has none on a scale of powers of ten.
        let drawn = line.split("<polyline").find(|part| part.contains("#1F6FEB")).expect("a line");
        let points = drawn.split("points=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap();
        assert_eq!(points.split_whitespace().count(), 3, "{points}");
        assert!(line.contains("across") && line.contains("up"));
        assert!(chart(vec![(0.0, 1.0)]).svg().contains("<circle"));
        assert!(chart(Vec::new()).svg().trim_end().ends_with("</svg>"));
    }

    #[test]
    fn the_page_knows_the_colours() {
        let style = include_str!("report.css");
        for RGBColor(red, green, blue) in COLOURS.into_iter().chain([GRID]) {
            let colour = format!("stroke=\"#{red:02X}{green:02X}{blue:02X}\"");
            assert!(style.contains(&colour), "{colour}");
        }
    }
}
