//! What is left of a run: a summary for the terminal, `report.json`, `.hgrm` files and `report.html`.

mod axis;
mod broker_side;
mod chart;
mod distribution;
mod html;
mod limits;
mod machine;
mod model;
mod overload;
mod summary;
mod sweep_page;
#[cfg(test)]
mod test_support;
mod time;
mod write;

pub use broker_side::{BrokerSide, BudgetUse};
pub use distribution::LatencySummary;
pub use limits::{CpuCell, CpuLimits, DiskCell, DiskLimits, Limits, NetLimits, write_json};
pub use machine::Machine;
pub use model::{ClusterInfo, FORMAT, Rates, Report, Tool, repeat_command};
pub use overload::Overloaded;
pub use summary::summary;
pub use sweep_page::{SweepStep, sweep_page};
#[cfg(test)]
pub use test_support::report as test_report;
pub use time::utc_now;
pub use write::{ReportError, make_directory, read_report, write_report};
