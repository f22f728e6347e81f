//! Percentiles out of the histograms of two pages of metrics.

use std::collections::BTreeMap;

use serde::Serialize;

use super::page::Page;

const BUCKETS: &str = "corelane_request_seconds_bucket";

/// How long requests of one kind took, of those that ended between two looks. A percentile is the upper end of the
/// bucket that it is in, so it may be told up to twice as long as it was; null if it is beyond all buckets.
#[derive(Clone, PartialEq, Serialize, Debug)]
pub struct Latency {
    /// Such as `Produce`.
    pub api: String,
    /// So many ended in a second.
    pub requests_per_second: f64,
    /// Half of them took no longer, in milliseconds.
    pub p50_ms: Option<f64>,
    /// 99 of 100.
    pub p99_ms: Option<f64>,
    /// 999 of 1,000.
    pub p999_ms: Option<f64>,
}

/// Cumulative counts of all shards by the upper end of the bucket, in seconds. Ends are not negative, so their bits are
/// ordered as they are.
type Buckets = BTreeMap<u64, f64>;

/// The latencies between two looks, by kind of request; those of which none ended are left out.
pub fn latencies(before: &Page, now: &Page, elapsed_s: f64) -> Vec<Latency> {
    let (before, now) = (buckets(before), buckets(now));
    let latency = |(api, now): (String, Buckets)| {
        let before = before.get(&api);
        let since: Vec<(f64, f64)> = now
            .into_iter()
            .map(|(end, count)| {
                let earlier = before.and_then(|before| before.get(&end)).copied().unwrap_or(0.0);
                // A broker that was started anew counts from 0.
                (f64::from_bits(end), (count - earlier).max(0.0))
            })
            .collect();
        let total = since.last().map_or(0.0, |(_, count)| *count);
        let at = |part: f64| percentile_ms(&since, part * total);
        (total > 0.0).then(|| Latency {
            api,
            requests_per_second: total / elapsed_s,
            p50_ms: at(0.5),
            p99_ms: at(0.99),
            p999_ms: at(0.999),
        })
    };
    now.into_iter().filter_map(latency).collect()
}

fn buckets(page: &Page) -> BTreeMap<String, Buckets> {
    let mut all: BTreeMap<String, Buckets> = BTreeMap::new();
    for point in page.points(BUCKETS) {
        let Some(end) = point.label("le").parse::<f64>().ok().filter(|end| *end >= 0.0) else { continue };
        let buckets = all.entry(point.label("api").to_owned()).or_default();
        *buckets.entry(end.to_bits()).or_insert(0.0) += point.value;
    }
    all
}

fn percentile_ms(buckets: &[(f64, f64)], rank: f64) -> Option<f64> {
    let (end_s, _) = buckets.iter().find(|(_, count)| *count >= rank)?;
    end_s.is_finite().then_some(end_s * 1000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A page on which two shards have the same counts.
    fn page(counts: [u32; 3]) -> Page {
        let mut text = String::new();
        for shard in [0, 1] {
            for (le, count) in ["0.001", "0.002", "+Inf"].iter().zip(counts) {
                text.push_str(&format!(
                    "{BUCKETS}{{shard=\"{shard}\",api=\"Produce\",le=\"{le}\"}} {count}\n"
                ));
            }
        }
        Page::parse(&text)
    }

    #[test]
    fn percentiles_are_of_what_ended_since() {
        let found = latencies(&page([100, 100, 100]), &page([150, 199, 200]), 10.0);
        let expected = Latency {
            api: "Produce".to_owned(),
            requests_per_second: 20.0,
            p50_ms: Some(1.0),
            p99_ms: Some(2.0),
            p999_ms: None,
        };
        assert_eq!(found, [expected]);
    }

    #[test]
    fn without_requests_there_are_no_latencies() {
        let quiet = page([5, 6, 7]);
        assert!(latencies(&quiet, &quiet, 1.0).is_empty());
        // Started anew meanwhile.
        assert!(latencies(&quiet, &page([1, 1, 1]), 1.0).is_empty());
        assert!(latencies(&Page::default(), &Page::default(), 1.0).is_empty());
    }
}
