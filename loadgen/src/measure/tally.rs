//! What one thread counts in one interval.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

/// Longest latency that is told apart; longer ones count as this.
pub const LATENCY_NS_MAX: u64 = 3_600_000_000_000;
/// Latencies are told apart to this, or to a thousandth of themselves.
const LATENCY_NS_MIN: u64 = 128;

/// An empty histogram of latencies in ns.
pub fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(LATENCY_NS_MIN, LATENCY_NS_MAX, 3).expect("the bounds are valid")
}

/// Histograms of latencies in ns. Those of requests count each request once, whatever it carries.
#[derive(Clone, Debug)]
pub struct Latencies {
    /// From the intended send time to the answer.
    pub response: Histogram<u64>,
    /// From the moment the request is handed to the kernel to the answer.
    pub service: Histogram<u64>,
    /// From the intended send time to that moment.
    pub send_delay: Histogram<u64>,
    /// From the intended send time to a consumer. Counts each record.
    pub end_to_end: Histogram<u64>,
}

/// What is counted.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
pub struct Counts {
    /// Requests that the schedule asked for; in a closed loop those that were begun.
    pub offered_requests: u64,
    /// Records in them.
    pub offered_records: u64,
    /// Requests handed to the kernel.
    pub sent_requests: u64,
    /// Requests that were answered without an error; with acks 0, handed to the kernel.
    pub acked_requests: u64,
    /// Records in them.
    pub acked_records: u64,
    /// Bytes of keys and values in them, before compression.
    pub acked_bytes: u64,
    /// Requests that were answered with an error.
    pub failed_requests: u64,
    /// Requests that were never sent: their time had come, and the run ended.
    pub unsent_requests: u64,
    /// Requests that were due in an overload and not sent when it ended.
    pub dropped_requests: u64,
    /// Requests that were sent and never answered.
    pub unanswered_requests: u64,
    /// Records that consumers got.
    pub consumed_records: u64,
    /// Bytes of keys and values in them, after decompression.
    pub consumed_bytes: u64,
    /// Time that brokers asked to wait for, in ms.
    pub throttle_ms: u64,
    /// Time that connections waited until TCP took more, in ns.
    pub blocked_ns: u64,
    /// The longest that a connection with requests outstanding waited for the next answer, in ns.
    pub answer_gap_ns_max: u64,
    /// Requests outstanding at the interval's end.
    pub in_flight_requests: u64,
    /// Bytes of keys and values in them.
    pub in_flight_bytes: u64,
    /// Requests whose time had come and that were not sent yet at the interval's end.
    pub waiting_requests: u64,
}

/// One thread's interval.
#[derive(Clone, Debug)]
pub struct Tally {
    /// Latencies.
    pub latencies: Latencies,
    /// Counts.
    pub counts: Counts,
    /// Errors of requests, by Kafka's name.
    pub errors: BTreeMap<String, u64>,
    /// How much of an interval that was cut short was lived through, in ns; `None` for a whole one.
    pub cut_to_ns: Option<u64>,
}

impl Default for Tally {
    fn default() -> Self {
        let (response, service) = (histogram(), histogram());
        let (send_delay, end_to_end) = (histogram(), histogram());
        Tally {
            latencies: Latencies { response, service, send_delay, end_to_end },
            counts: Counts::default(),
            errors: BTreeMap::new(),
            cut_to_ns: None,
        }
    }
}

impl Latencies {
    /// Adds another's values to these.
    pub fn add(&mut self, other: &Latencies) {
        const SAME: &str = "all histograms have the same bounds";
        self.response.add(&other.response).expect(SAME);
        self.service.add(&other.service).expect(SAME);
        self.send_delay.add(&other.send_delay).expect(SAME);
        self.end_to_end.add(&other.end_to_end).expect(SAME);
    }
}

impl Counts {
    /// Adds what another interval, or another thread, counted. What is true at an interval's end is added between
    /// threads and taken from the later of two intervals: `is_same_interval` says which.
    pub fn add(&mut self, other: &Counts, is_same_interval: bool) {
        let Counts { in_flight_requests, in_flight_bytes, waiting_requests, .. } = *self;
        self.offered_requests += other.offered_requests;
        self.offered_records += other.offered_records;
        self.sent_requests += other.sent_requests;
        self.acked_requests += other.acked_requests;
        self.acked_records += other.acked_records;
        self.acked_bytes += other.acked_bytes;
        self.failed_requests += other.failed_requests;
        self.unsent_requests += other.unsent_requests;
        self.dropped_requests += other.dropped_requests;
        self.unanswered_requests += other.unanswered_requests;
        self.consumed_records += other.consumed_records;
        self.consumed_bytes += other.consumed_bytes;
        self.throttle_ms += other.throttle_ms;
        self.blocked_ns += other.blocked_ns;
        self.answer_gap_ns_max = self.answer_gap_ns_max.max(other.answer_gap_ns_max);
        let before = |count| if is_same_interval { count } else { 0 };
        self.in_flight_requests = before(in_flight_requests) + other.in_flight_requests;
        self.in_flight_bytes = before(in_flight_bytes) + other.in_flight_bytes;
        self.waiting_requests = before(waiting_requests) + other.waiting_requests;
    }
}

impl Tally {
    /// Adds another tally; see [`Counts::add`].
    pub fn add(&mut self, other: &Tally, is_same_interval: bool) {
        self.latencies.add(&other.latencies);
        self.counts.add(&other.counts, is_same_interval);
        self.cut_to_ns = self.cut_to_ns.max(other.cut_to_ns);
        for (name, count) in &other.errors {
            *self.errors.entry(name.clone()).or_default() += count;
        }
    }
}
