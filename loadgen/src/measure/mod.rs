//! What is measured: by thread and interval, then merged. Histograms are added up; percentiles are never averaged.

mod clock;
mod merge;
mod recorder;
mod tally;
mod timeline;

pub use clock::Clock;
pub use merge::{Merger, Point, Totals};
pub use recorder::{Recorder, RequestTimes};
pub use tally::{Counts, LATENCY_NS_MAX, Latencies, Tally, histogram};
pub use timeline::Timeline;
