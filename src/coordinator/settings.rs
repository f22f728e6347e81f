//! What the broker's configuration says of groups.

/// Bounds and delays. Times are in ms.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `group.min.session.timeout.ms`
    pub session_timeout_min_ms: i32,
    /// `group.max.session.timeout.ms`
    pub session_timeout_max_ms: i32,
    /// `group.initial.rebalance.delay.ms`: how long the first rebalance of an empty group waits for more members.
    pub initial_rebalance_delay_ms: u64,
    /// `group.max.size`: members of a group.
    pub group_members_max: usize,
    /// `offset.metadata.max.bytes`
    pub offset_metadata_bytes_max: usize,
    /// `offsets.retention.minutes`
    pub offsets_retention_ms: i64,
    /// `offsets.retention.check.interval.ms`
    pub retention_check_interval_ms: u64,
    /// The longest batch that the log takes, in bytes.
    pub batch_bytes_max: usize,
    /// Memory for all groups, in bytes.
    pub state_bytes_max: usize,
    /// Answers in one turn.
    pub replies_per_turn: usize,
}
