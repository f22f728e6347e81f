//! Commands on the metadata, as requests wait for them.

use std::time::Duration;

use futures_util::future::{Either, select};

use crate::protocol::ErrorCode;
use crate::shard::{Answer, Shard};

use super::errors::metadata_unavailable;

/// Why all that a request asked for is refused.
pub(super) type Refusal = (ErrorCode, String);

/// What comes of a command, or why that is not known in the time that the client gave. `late` says what has not
/// been done then.
pub(super) async fn carried_out<T>(
    shard: &Shard,
    command: Answer<Vec<T>>,
    timeout_ms: i32,
    late: &str,
) -> Result<Vec<T>, Refusal> {
    let timeout = Duration::from_millis(u64::try_from(timeout_ms).unwrap_or(0));
    match select(command, shard.runtime.sleep(timeout)).await {
        Either::Left((Ok(outcomes), _)) => Ok(outcomes),
        Either::Left((Err(error), _)) => Err((metadata_unavailable(&error), error.to_string())),
        Either::Right(_) => Err((ErrorCode::RequestTimedOut, format!("{late} in time; it may yet be."))),
    }
}
