//! What an overload showed.

use serde::{Deserialize, Serialize};

use super::BrokerSide;

/// The broker beyond its capacity. Times are in seconds from the start of the window.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Overloaded {
    /// What was taken for the broker's capacity.
    pub capacity_records_per_s: f64,
    /// What was offered at the peak.
    pub peak_records_per_s: f64,
    /// When the load began to rise.
    pub start_s: f64,
    /// When the peak was reached.
    pub hold_s: f64,
    /// When the peak ended.
    pub end_s: f64,
    /// Achieved before the load rose.
    pub achieved_before_records_per_s: f64,
    /// Achieved while the peak was held.
    pub achieved_in_hold_records_per_s: f64,
    /// Requests that were due and not sent when the peak ended.
    pub dropped_requests: u64,
    /// The p99 of an interval that is called normal.
    pub normal_p99_bound_ms: f64,
    /// How long after the end the first second begins in which all p99 are normal; `null` if there was none.
    pub recovered_after_s: Option<f64>,
    /// Bytes of keys and values without an answer, at most, at the end of any interval.
    pub in_flight_bytes_max: u64,
    /// The longest that a connection with requests outstanding waited for the next answer, from when the load rose.
    pub answer_gap_ms_max: f64,
    /// The broker's own side of it.
    pub broker: BrokerSide,
}
