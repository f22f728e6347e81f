//! Segments: a partition's log on disk, as Kafka's own tools read it (docs/segment-format.md).

pub mod index;
pub mod memory;
pub mod path;
mod state;

pub use path::SegmentName;
pub use state::{NewBatch, Pin, SealPlan, Segment, SegmentClock, SegmentLease, SegmentRecord, SegmentShape};
