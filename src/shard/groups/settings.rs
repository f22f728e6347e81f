//! The configuration as the coordinator reads it.

use crate::base::limits::GROUP_REPLIES_PER_TURN;
use crate::config::Config;
use crate::coordinator::Settings;

/// What the broker's configuration says of groups.
pub fn group_settings(config: &Config) -> Settings {
    let ms = |duration: std::time::Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    Settings {
        session_timeout_min_ms: config.group_min_session_timeout_ms,
        session_timeout_max_ms: config.group_max_session_timeout_ms,
        initial_rebalance_delay_ms: ms(config.group_initial_rebalance_delay),
        group_members_max: config.group_max_size,
        offset_metadata_bytes_max: config.offset_metadata_max_bytes,
        offsets_retention_ms: i64::try_from(ms(config.offsets_retention)).unwrap_or(i64::MAX),
        retention_check_interval_ms: ms(config.offsets_retention_check_interval),
        batch_bytes_max: usize::try_from(config.batch_bytes_max()).unwrap_or(usize::MAX),
        state_bytes_max: usize::try_from(config.budgets.group_state_bytes()).unwrap_or(usize::MAX),
        replies_per_turn: GROUP_REPLIES_PER_TURN,
    }
}
