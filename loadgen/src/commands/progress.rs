//! What is seen while a run goes on: one line on a terminal, nothing elsewhere.

use indicatif::{ProgressBar, ProgressStyle};

use crate::measure::Point;
use crate::settings::{Workload, format_count};

/// The line.
pub struct ProgressLine {
    bar: ProgressBar,
    length_s: f64,
}

impl ProgressLine {
    /// For a run of a workload.
    pub fn new(workload: &Workload) -> Self {
        let length_s = workload.duration.as_secs_f64();
        let bar = ProgressBar::new((length_s * 10.0) as u64);
        let style = ProgressStyle::with_template("{bar:20} {msg}").expect("the template is valid");
        bar.set_style(style);
        bar.set_message(format!("warming up for {:?}", workload.warmup));
        ProgressLine { bar, length_s }
    }

    /// An interval is over.
    pub fn show(&self, point: &Point) {
        let end_s = point.start_s + point.length_s;
        self.bar.set_position((end_s.min(self.length_s) * 10.0) as u64);
        let per_s = |count: u64| format_count(count as f64 / point.length_s);
        self.bar.set_message(format!(
            "{end_s:.0} s  {} of {} records/s  p50 {:.2}  p99 {:.2}  max {:.2} ms  waiting {}{}",
            per_s(point.counts.acked_records),
            per_s(point.counts.offered_records),
            point.response_ms.p50,
            point.response_ms.p99,
            point.response_ms.max,
            format_count(point.counts.waiting_requests as f64),
            if point.is_drain { "  draining" } else { "" },
        ));
    }
}

impl Drop for ProgressLine {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
