//! The metrics of a Corelane node, out of the text that its admin port answers with: the part of OpenMetrics that it
//! writes. Lines that are anything else are passed over.

use std::collections::BTreeMap;

/// The families that are shown, as their samples are called. Others are not kept.
const KEPT: [&str; 11] = [
    "corelane_build_info",
    "corelane_ready",
    "corelane_shard_up",
    "corelane_writer_up",
    "corelane_connections",
    "corelane_appended_records_total",
    "corelane_appended_bytes_total",
    "corelane_read_bytes_total",
    "corelane_request_seconds_bucket",
    "corelane_budget_used_bytes",
    "corelane_budget_limit_bytes",
];

/// The metrics at one time.
#[derive(Clone, Default, PartialEq, Debug)]
pub struct Page(Vec<Point>);

/// A sample of a metric.
#[derive(Clone, PartialEq, Debug)]
pub struct Point {
    name: &'static str,
    labels: BTreeMap<String, String>,
    /// What it says.
    pub value: f64,
}

impl Point {
    /// A label; empty if it has none of this name, as in Prometheus.
    pub fn label(&self, name: &str) -> &str {
        self.labels.get(name).map_or("", String::as_str)
    }
}

impl Page {
    /// Reads the text.
    pub fn parse(text: &str) -> Self {
        Self(text.lines().filter_map(point).collect())
    }

    /// The samples with this name, which is one of those that are kept.
    pub fn points(&self, name: &str) -> impl Iterator<Item = &Point> {
        self.0.iter().filter(move |point| point.name == name)
    }

    /// The samples with this name, summed up by a label.
    pub fn by_label(&self, name: &str, label: &str) -> BTreeMap<String, f64> {
        let mut sums = BTreeMap::new();
        for point in self.points(name) {
            *sums.entry(point.label(label).to_owned()).or_insert(0.0) += point.value;
        }
        sums
    }
}

/// `name{label="value",..} 1.5`, perhaps with a time or an exemplar behind it.
fn point(line: &str) -> Option<Point> {
    let name_bytes = line.find(['{', ' '])?;
    let name = KEPT.into_iter().find(|kept| *kept == &line[..name_bytes])?;
    let mut rest = &line[name_bytes..];
    let mut labels = BTreeMap::new();
    if let Some(inner) = rest.strip_prefix('{') {
        rest = inner;
        while !rest.starts_with('}') {
            let (label, after) = rest.split_once("=\"")?;
            let (value, after) = quoted(after)?;
            labels.insert(label.to_owned(), value);
            rest = after.strip_prefix(',').unwrap_or(after);
        }
        rest = &rest[1..];
    }
    let value = rest.split_whitespace().next()?.parse().ok()?;
    Some(Point { name, labels, value })
}

/// What stands before the closing quote, and what behind it.
fn quoted(text: &str) -> Option<(String, &str)> {
    let (mut value, mut is_escaped) = (String::new(), false);
    for (at, char) in text.char_indices() {
        match (is_escaped, char) {
            (false, '"') => return Some((value, &text[at + 1..])),
            (false, '\\') => {
                is_escaped = true;
                continue;
            }
            (true, 'n') => value.push('\n'),
            (_, char) => value.push(char),
        }
        is_escaped = false;
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn samples_and_their_labels() {
        let page = Page::parse(
            "# TYPE corelane_ready gauge\ncorelane_ready 1\n\
             corelane_build_info{version=\"0.1.0\"} 1\n\
             corelane_budget_used_bytes{shard=\"0\",budget=\"requests\"} 7\n\
             corelane_budget_used_bytes{shard=\"1\",budget=\"requests\"} 5.5\n\
             corelane_request_seconds_bucket{shard=\"0\",api=\"a\\\"}, b\",le=\"+Inf\"} 3 # {trace=\"x\"} 1.0\n\
             corelane_other 9\n\ncorelane_ready{broken=\"\n# EOF\n",
        );
        assert_eq!(page.0.len(), 5);
        assert_eq!(page.points("corelane_build_info").next().unwrap().label("version"), "0.1.0");
        assert_eq!(page.by_label("corelane_budget_used_bytes", "budget")["requests"], 12.5);
        let bucket = page.points("corelane_request_seconds_bucket").next().unwrap();
        assert_eq!((bucket.label("api"), bucket.label("le"), bucket.value), ("a\"}, b", "+Inf", 3.0));
        assert_eq!(bucket.label("none"), "");
    }

    proptest! {
        #[test]
        fn nothing_panics(text in "(corelane_ready)?[{}\",= \\\\a1n]{0,30}") {
            Page::parse(&text);
        }
    }
}
