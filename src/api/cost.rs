//! What a request takes in memory, as it is counted before the request is read.

use crate::base::limits::{
    GROUP_DECODED_BYTES_PER_BYTE, GROUP_REQUEST_COST_PER_BYTE, REQUEST_COST_BYTES, REQUEST_COST_PER_BYTE,
};
use crate::protocol::{ApiKey, Reader};

/// Memory for a request of `length` bytes that begins with `api_key`, until it is executed and its response encoded,
/// in bytes. Records stay views of a produce request.
pub fn request_cost(api_key: i16, length: usize) -> u64 {
    let per_byte = match api_key {
        key if key == ApiKey::Produce as i16 => 1,
        key if brings_payloads(key) => GROUP_REQUEST_COST_PER_BYTE,
        _ => REQUEST_COST_PER_BYTE,
    };
    REQUEST_COST_BYTES + length as u64 * per_byte
}

/// A reader of a request's frame that allocates no more than [`request_cost`] counts.
pub(super) fn reader(frame: bytes::Bytes) -> Reader {
    let api_key = frame.first_chunk().map_or(-1, |key| i16::from_be_bytes(*key));
    match brings_payloads(api_key) {
        true => Reader::with_bytes_per_byte(frame, GROUP_DECODED_BYTES_PER_BYTE),
        false => Reader::new(frame),
    }
}

/// Whether almost all of the request is what the broker only passes on.
fn brings_payloads(api_key: i16) -> bool {
    [ApiKey::JoinGroup as i16, ApiKey::SyncGroup as i16].contains(&api_key)
}

/// Whether a request that memory does not hold is answered by name. Of all others the connection closes.
pub fn is_refused_by_name(api_key: i16) -> bool {
    brings_payloads(api_key)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::limits::{QUERY_MEMORY_PERCENT, SHARD_MEMORY_BYTES_MIN};

    #[test]
    fn the_smallest_shard_takes_the_shares_of_a_large_group() {
        // 500 members, 1,000 partitions of a topic each, with the longest names.
        let sync_bytes = 500 * (32 + 64) + 1_000 * (2 + 249 + 4 + 4);
        let memory_bytes = SHARD_MEMORY_BYTES_MIN / 100 * QUERY_MEMORY_PERCENT;
        for length in [sync_bytes, 2 << 20] {
            assert!(request_cost(ApiKey::SyncGroup as i16, length) <= memory_bytes, "{length}");
            assert!(request_cost(ApiKey::JoinGroup as i16, length) <= memory_bytes, "{length}");
        }
    }
}
