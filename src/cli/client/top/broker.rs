//! What the metrics of a Corelane node show between two looks.

use std::collections::BTreeMap;

use serde::Serialize;

use super::latency::{Latency, latencies};
use super::page::{Page, Point};

/// A Corelane node.
#[derive(Clone, PartialEq, Serialize, Debug)]
pub struct Broker {
    /// The program's version.
    pub version: String,
    /// Whether it serves clients.
    pub is_ready: bool,
    /// By kind of request.
    pub latencies: Vec<Latency>,
    /// By number.
    pub shards: Vec<Shard>,
    /// By name.
    pub budgets: Vec<Budget>,
}

/// A shard of it. What one that does not answer would say is null.
#[derive(Clone, PartialEq, Serialize, Debug)]
pub struct Shard {
    /// Its number.
    pub shard: u32,
    /// Whether it answered.
    pub is_up: bool,
    /// Whether it can store records.
    pub can_write: Option<bool>,
    /// Open connections.
    pub connections: Option<u64>,
    /// Records that were appended in a second.
    pub appended_records_per_second: Option<f64>,
    /// Their bytes.
    pub appended_bytes_per_second: Option<f64>,
    /// Bytes of batches that consumers were given in a second.
    pub read_bytes_per_second: Option<f64>,
}

/// A budget of memory or disk, of all shards together.
#[derive(Clone, PartialEq, Serialize, Debug)]
pub struct Budget {
    /// Its name, as in the metrics.
    pub budget: String,
    /// What is used.
    pub used_bytes: u64,
    /// What may be.
    pub limit_bytes: u64,
    /// How much of its own part the shard uses that uses most, in percent.
    pub fullest_shard_percent: f64,
}

impl Broker {
    /// What two pages of metrics show.
    pub fn between(before: &Page, now: &Page, elapsed_s: f64) -> Self {
        let version = now.points("corelane_build_info").next().map(|point| point.label("version").to_owned());
        Self {
            version: version.unwrap_or_default(),
            is_ready: now.points("corelane_ready").any(|point| point.value > 0.0),
            latencies: latencies(before, now, elapsed_s),
            shards: shards(before, now, elapsed_s),
            budgets: budgets(now),
        }
    }
}

fn shards(before: &Page, now: &Page, elapsed_s: f64) -> Vec<Shard> {
    let gauge = |name: &str| now.by_label(name, "shard");
    let (writers, connections) = (gauge("corelane_writer_up"), gauge("corelane_connections"));
    let rates = |name: &str| {
        let earlier = before.by_label(name, "shard");
        let rate = |(shard, count): (String, f64)| {
            // A shard that did not answer before has no rate yet; a broker that was started anew counts from 0.
            let since = (count - earlier.get(&shard)?).max(0.0);
            Some((shard, since / elapsed_s))
        };
        now.by_label(name, "shard").into_iter().filter_map(rate).collect::<BTreeMap<_, _>>()
    };
    let records = rates("corelane_appended_records_total");
    let bytes = rates("corelane_appended_bytes_total");
    let read = rates("corelane_read_bytes_total");
    let shard = |(number, up): (String, f64)| {
        Some(Shard {
            shard: number.parse().ok()?,
            is_up: up > 0.0,
            can_write: writers.get(&number).map(|up| *up > 0.0),
            connections: connections.get(&number).map(|count| *count as u64),
            appended_records_per_second: records.get(&number).copied(),
            appended_bytes_per_second: bytes.get(&number).copied(),
            read_bytes_per_second: read.get(&number).copied(),
        })
    };
    let mut shards: Vec<Shard> = gauge("corelane_shard_up").into_iter().filter_map(shard).collect();
    shards.sort_by_key(|shard| shard.shard);
    shards
}

fn budgets(now: &Page) -> Vec<Budget> {
    let used = now.by_label("corelane_budget_used_bytes", "budget");
    let limits = now.by_label("corelane_budget_limit_bytes", "budget");
    let mut fullest: BTreeMap<&str, f64> = BTreeMap::new();
    for limit in now.points("corelane_budget_limit_bytes").filter(|point| point.value > 0.0) {
        let is_same = |label| move |point: &&Point| point.label(label) == limit.label(label);
        let used = now.points("corelane_budget_used_bytes").filter(is_same("budget")).find(is_same("shard"));
        let percent = used.map_or(0.0, |used| 100.0 * used.value / limit.value);
        let most = fullest.entry(limit.label("budget")).or_insert(0.0);
        *most = most.max(percent);
    }
    let budget = |(name, limit): (String, f64)| Budget {
        used_bytes: used.get(&name).map_or(0, |used| *used as u64),
        limit_bytes: limit as u64,
        fullest_shard_percent: fullest.get(name.as_str()).copied().unwrap_or(0.0),
        budget: name,
    };
    limits.into_iter().map(budget).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(records: [u32; 2]) -> Page {
        Page::parse(&format!(
            "corelane_build_info{{version=\"0.1.0\"}} 1\ncorelane_ready 1\n\
             corelane_shard_up{{shard=\"0\"}} 1\ncorelane_shard_up{{shard=\"1\"}} 1\n\
             corelane_shard_up{{shard=\"2\"}} 0\n\
             corelane_writer_up{{shard=\"0\"}} 1\ncorelane_writer_up{{shard=\"1\"}} 0\n\
             corelane_connections{{shard=\"0\"}} 3\n\
             corelane_appended_records_total{{shard=\"0\"}} {}\n\
             corelane_appended_records_total{{shard=\"1\"}} {}\n\
             corelane_budget_used_bytes{{shard=\"0\",budget=\"requests\"}} 10\n\
             corelane_budget_used_bytes{{shard=\"1\",budget=\"requests\"}} 50\n\
             corelane_budget_limit_bytes{{shard=\"0\",budget=\"requests\"}} 100\n\
             corelane_budget_limit_bytes{{shard=\"1\",budget=\"requests\"}} 100\n",
            records[0], records[1]
        ))
    }

    #[test]
    fn shards_and_budgets() {
        let broker = Broker::between(&page([100, 70]), &page([300, 20]), 2.0);
        assert_eq!((broker.version.as_str(), broker.is_ready), ("0.1.0", true));
        let rates: Vec<_> = broker.shards.iter().map(|shard| shard.appended_records_per_second).collect();
        assert_eq!(rates, [Some(100.0), Some(0.0), None]);
        let states: Vec<_> = broker.shards.iter().map(|shard| (shard.is_up, shard.can_write)).collect();
        assert_eq!(states, [(true, Some(true)), (true, Some(false)), (false, None)]);
        assert_eq!((broker.shards[0].connections, broker.shards[1].connections), (Some(3), None));
        let [budget] = &broker.budgets[..] else { panic!("one budget") };
        assert_eq!((budget.used_bytes, budget.limit_bytes, budget.fullest_shard_percent), (60, 200, 50.0));
    }
}
