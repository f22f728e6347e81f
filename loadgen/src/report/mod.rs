//! What is left of a run: a summary for the terminal, `report.json`, `.hgrm` files and `report.html`.

mod chart;
mod distribution;
mod html;
mod machine;
mod model;
mod summary;
#[cfg(test)]
mod test_support;
mod time;
mod write;

pub use distribution::LatencySummary;
pub use machine::Machine;
pub use model::{ClusterInfo, FORMAT, Rates, Report, Tool, repeat_command};
pub use summary::print_summary;
#[cfg(test)]
pub use test_support::report as test_report;
pub use time::utc_now;
pub use write::{ReportError, read_report, write_report};
