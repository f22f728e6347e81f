//! Looks at a broker again and again while a load runs.

use std::collections::BTreeMap;
use std::time::Duration;

use thiserror::Error;

use super::exposition::samples;
use crate::report::{BrokerSide, BudgetUse};

/// A broker whose metrics take longer than this is not waited for.
const PAGE_TIMEOUT: Duration = Duration::from_millis(500);
/// The longest page of metrics that is read; a longer one is refused.
const PAGE_BYTES_MAX: u64 = 16 << 20;

/// Why a broker cannot be watched.
#[derive(Debug, Error)]
pub enum WatchError {
    /// A process that is not there.
    #[error(
        "there is no process {0} whose memory could be read; is --broker-pid right, and the broker on this machine?"
    )]
    NoProcess(u32),
    /// No metrics.
    #[error("{url} cannot be read: {reason}; is it the address of the broker's admin port (--broker-admin)?")]
    NoMetrics {
        /// The page.
        url: String,
        /// Why.
        reason: String,
    },
}

/// A broker under observation.
pub struct Watch {
    pid: Option<u32>,
    page: Option<Page>,
    seen: BrokerSide,
    /// When pauses were last read, and how long they were in all by then, by reason.
    paused_before: Option<(f64, BTreeMap<String, f64>)>,
}

/// Where metrics are.
struct Page {
    url: String,
    agent: ureq::Agent,
}

impl Watch {
    /// Watches the memory of the process `pid` on this machine, and the metrics at the admin port `admin`
    /// (`HOST:PORT`); each if it is given. Both are looked at once, so that a wrong one is noticed before the load.
    pub fn new(pid: Option<u32>, admin: Option<&str>) -> Result<Watch, WatchError> {
        if let Some(pid) = pid.filter(|pid| resident_bytes(*pid).is_none()) {
            return Err(WatchError::NoProcess(pid));
        }
        let mut watch =
            Watch { pid, page: admin.map(Page::new), seen: BrokerSide::default(), paused_before: None };
        if let Some(page) = &watch.page {
            let text = page.read()?;
            watch.read(&text, None);
        }
        Ok(watch)
    }

    /// Looks again, `at_s` seconds after the start of the window. What cannot be had at the moment is left out.
    pub fn observe(&mut self, at_s: f64) {
        if let Some(bytes) = self.pid.and_then(resident_bytes) {
            self.seen.memory_bytes.push((at_s, bytes));
        }
        // A broker under load may be late with its metrics; the next look may be luckier.
        if let Some(Ok(text)) = self.page.as_ref().map(Page::read) {
            self.read(&text, Some(at_s));
        }
    }

    /// What was seen.
    pub fn finish(self) -> BrokerSide {
        self.seen
    }

    fn read(&mut self, page: &str, at_s: Option<f64>) {
        let mut used: BTreeMap<&str, f64> = BTreeMap::new();
        let mut limits: BTreeMap<&str, f64> = BTreeMap::new();
        let mut paused: BTreeMap<String, f64> = BTreeMap::new();
        for sample in samples(page) {
            let label = |name| sample.label(name).unwrap_or("");
            match sample.name {
                "corelane_build_info" => self.seen.version = Some(label("version").to_owned()),
                "corelane_memory_limit_bytes" => self.seen.memory_limit_bytes = Some(sample.value as u64),
                "process_resident_memory_bytes" if self.pid.is_none() => {
                    self.seen.memory_bytes.extend(at_s.map(|at_s| (at_s, sample.value as u64)));
                }
                "corelane_budget_used_bytes" => *used.entry(label("budget")).or_default() += sample.value,
                "corelane_budget_limit_bytes" => *limits.entry(label("budget")).or_default() += sample.value,
                "corelane_paused_seconds_total" => {
                    *paused.entry(label("reason").to_owned()).or_default() += sample.value;
                }
                _ => {}
            }
        }
        for (budget, limit) in limits {
            let of = BudgetUse { limit_bytes: limit as u64, used_bytes: Vec::new() };
            let budget_use = self.seen.budgets.entry(budget.to_owned()).or_insert(of);
            let used = used.get(budget).copied().unwrap_or(0.0);
            budget_use.used_bytes.extend(at_s.map(|at_s| (at_s, used as u64)));
        }
        if let Some(at_s) = at_s {
            self.pauses_since(at_s, &paused);
            self.paused_before = Some((at_s, paused));
        }
    }

    /// Turns counters into seconds of pause for each second.
    fn pauses_since(&mut self, at_s: f64, paused: &BTreeMap<String, f64>) {
        let Some((before_s, before)) = self.paused_before.as_ref().filter(|(before_s, _)| *before_s < at_s)
        else {
            return;
        };
        for (reason, total) in paused {
            let since = (total - before.get(reason).unwrap_or(&0.0)).max(0.0) / (at_s - before_s);
            self.seen.paused_s_per_s.entry(reason.clone()).or_default().push((at_s, since));
        }
    }
}

impl Page {
    fn new(admin: &str) -> Page {
        let config = ureq::Agent::config_builder().timeout_global(Some(PAGE_TIMEOUT)).proxy(None).build();
        Page { url: format!("http://{admin}/metrics"), agent: config.into() }
    }

    fn read(&self) -> Result<String, WatchError> {
        let read = || {
            let mut response = self.agent.get(&self.url).call()?;
            response.body_mut().with_config().limit(PAGE_BYTES_MAX).read_to_string()
        };
        read().map_err(|error| WatchError::NoMetrics { url: self.url.clone(), reason: error.to_string() })
    }
}

/// Resident memory of a process, in bytes.
fn resident_bytes(pid: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kib * 1024)
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;

    use super::*;

    /// An admin port that answers each request with the next page.
    fn serve(pages: Vec<String>) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        std::thread::spawn(move || {
            for page in pages {
                let (mut stream, _) = listener.accept().unwrap();
                let _ = stream.read(&mut [0; 4096]);
                let length = page.len();
                let _ = write!(
                    stream,
                    "HTTP/1.1 200 OK\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{page}"
                );
            }
        });
        address
    }

    fn page(used: u64, paused_s: f64) -> String {
        format!(
            "corelane_build_info{{version=\"7.1\"}} 1\ncorelane_memory_limit_bytes 1000\n\
             process_resident_memory_bytes {used}\n\
             corelane_budget_used_bytes{{shard=\"0\",budget=\"requests\"}} {used}\n\
             corelane_budget_used_bytes{{shard=\"1\",budget=\"requests\"}} 5\n\
             corelane_budget_limit_bytes{{shard=\"0\",budget=\"requests\"}} 100\n\
             corelane_budget_limit_bytes{{shard=\"1\",budget=\"requests\"}} 100\n\
             corelane_paused_seconds_total{{shard=\"0\",reason=\"undurable\"}} {paused_s}\n"
        )
    }

    #[test]
    fn budgets_of_all_shards_are_followed() {
        let address = serve(vec![page(1, 0.0), page(10, 3.0), page(60, 4.0)]);
        let mut watch = Watch::new(None, Some(&address)).unwrap();
        watch.observe(1.0);
        watch.observe(1.5);
        let seen = watch.finish();
        assert_eq!((seen.version.as_deref(), seen.memory_limit_bytes), (Some("7.1"), Some(1000)));
        assert_eq!(seen.memory_bytes, [(1.0, 10), (1.5, 60)]);
        let requests = BudgetUse { limit_bytes: 200, used_bytes: vec![(1.0, 15), (1.5, 65)] };
        assert_eq!(seen.budgets, [("requests".to_owned(), requests)].into());
        assert_eq!(seen.paused_s_per_s["undurable"], [(1.5, 2.0)]);
    }

    #[test]
    fn who_is_not_there_is_named_at_once() {
        let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
        let message = |result: Result<Watch, WatchError>| result.err().unwrap().to_string();
        assert!(message(Watch::new(None, Some(&free))).contains("--broker-admin"));
        assert!(message(Watch::new(Some(u32::MAX), None)).contains("--broker-pid"));
    }

    #[test]
    fn this_process_has_memory() {
        assert!(resident_bytes(std::process::id()).unwrap() > 100_000);
        assert_eq!(resident_bytes(u32::MAX), None);
    }
}
