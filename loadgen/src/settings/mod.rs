//! What is asked for, as typed and checked values.

mod cpu_list;
mod overload;
mod units;
mod workload;

pub use cpu_list::CpuList;
pub use overload::{ConsumerMode, Overload};
pub use units::{ByteSize, Period, Rate, format_bytes, format_count};
pub use workload::{
    Acks, Compression, Keys, Offered, REQUESTS_PER_S_MAX, ScheduleKind, SettingsError, SizeSpec, Topics,
    Workload, mean_bytes, requests_per_s,
};
