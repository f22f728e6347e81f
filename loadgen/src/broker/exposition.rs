//! Reads a page of metrics in Prometheus' text format, version 0.0.4
//! (<https://prometheus.io/docs/instrumenting/exposition_formats/>).

/// One line with a value. It borrows the page.
#[derive(Clone, PartialEq, Debug)]
pub struct Sample<'a> {
    /// The metric.
    pub name: &'a str,
    /// Everything between the braces; empty if there are none.
    labels: &'a str,
    /// Its value.
    pub value: f64,
}

impl<'a> Sample<'a> {
    /// The value of a label, as it stands there: escapes are left as they are. `None` if it has no such label.
    pub fn label(&self, name: &str) -> Option<&'a str> {
        let mut rest = self.labels;
        loop {
            let (key, after) = rest.split_once("=\"")?;
            let end = end_of_quoted(after)?;
            if key.trim_start_matches(',').trim() == name {
                return Some(&after[..end]);
            }
            rest = &after[end + 1..];
        }
    }
}

/// Where the closing quotation mark stands.
fn end_of_quoted(text: &str) -> Option<usize> {
    let mut is_escaped = false;
    text.bytes().position(|byte| {
        let is_end = byte == b'"' && !is_escaped;
        is_escaped = byte == b'\\' && !is_escaped;
        is_end
    })
}

/// The samples of a page. Lines that are none are left out, comments among them.
pub fn samples(page: &str) -> impl Iterator<Item = Sample<'_>> {
    page.lines().map(str::trim).filter(|line| !line.starts_with('#')).filter_map(sample)
}

fn sample(line: &str) -> Option<Sample<'_>> {
    let (name, labels, rest) = match line.split_once('{') {
        Some((name, rest)) => {
            // A label's value may contain a brace; what follows the last one is numbers.
            let (labels, rest) = rest.rsplit_once('}')?;
            (name, labels, rest)
        }
        None => {
            let (name, rest) = line.split_once(char::is_whitespace)?;
            (name, "", rest)
        }
    };
    // A time may follow.
    let value = rest.split_whitespace().next()?.parse().ok()?;
    Some(Sample { name: name.trim(), labels, value })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_page_is_read() {
        let page = "# HELP up whether it is up\n# TYPE up gauge\nup 1\n\
                    used{shard=\"0\",budget=\"tails\"} 4096 1700000000000\n\
                    odd{text=\"a \\\" } , b=\\\\\",of=\"x\"} 1.5e3\nnan NaN\nbroken{ 3\nno_value\n";
        let all: Vec<_> = samples(page).collect();
        assert_eq!(all.iter().map(|it| it.name).collect::<Vec<_>>(), ["up", "used", "odd", "nan"]);
        assert_eq!((all[0].value, all[1].value, all[2].value), (1.0, 4096.0, 1500.0));
        assert_eq!(all[0].label("shard"), None);
        assert_eq!((all[1].label("shard"), all[1].label("budget")), (Some("0"), Some("tails")));
        assert_eq!(all[1].label("udget"), None);
        assert_eq!((all[2].label("text"), all[2].label("of")), (Some("a \\\" } , b=\\\\"), Some("x")));
        assert!(all[3].value.is_nan());
    }

    proptest! {
        #[test]
        fn nothing_in_a_page_is_too_strange(page in ".*") {
            for sample in samples(&page) {
                sample.label("shard");
            }
        }
    }
}
