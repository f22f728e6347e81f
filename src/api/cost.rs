//! What a request takes in memory, as it is counted before the request is read.

use crate::base::limits::{
    DECODED_BYTES_MIN, GROUP_DECODED_BYTES_PER_BYTE, GROUP_REQUEST_COST_PER_BYTE, REQUEST_COST_BYTES,
    REQUEST_COST_PER_BYTE,
};
use crate::protocol::{ApiKey, Reader};

/// Memory for a request of `length` bytes that begins with `api_key`, until it is executed and its response encoded,
/// in bytes. Records stay views of a produce request.
pub fn request_cost(api_key: i16, length: usize) -> u64 {
    let length = length as u64;
    let bytes = match api_key {
        key if key == ApiKey::Produce as i16 => length,
        key if brings_payloads(key) => {
            // A short one may decode to more for each byte than a long one, as its reader always grants so much.
            let short = (length * REQUEST_COST_PER_BYTE).min(length + DECODED_BYTES_MIN as u64);
            short.max(length * GROUP_REQUEST_COST_PER_BYTE)
        }
        _ => length * REQUEST_COST_PER_BYTE,
    };
    REQUEST_COST_BYTES + bytes
}

/// A reader of a request's frame that allocates no more than [`request_cost`] counts, but for produce, whose partitions
/// count when they are carried out: of a long one because it grants no
/// more, of a short one because nothing in a request decodes to more than [`REQUEST_COST_PER_BYTE`] for each byte.
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
    use crate::base::limits::DECODED_BYTES_MAX;
    use crate::base::limits::{QUERY_MEMORY_PERCENT, SHARD_MEMORY_BYTES_MIN};
    use crate::protocol::messages::join_group::JoinGroupRequestProtocol;
    use crate::protocol::messages::sync_group::SyncGroupRequestAssignment;

    #[test]
    fn what_is_counted_holds_what_a_reader_grants() {
        // The most that a byte on the wire decodes to: an empty name and an empty payload in three bytes.
        let densest = size_of::<SyncGroupRequestAssignment>().max(size_of::<JoinGroupRequestProtocol>());
        assert!(densest as u64 <= 3 * (REQUEST_COST_PER_BYTE - 1));
        for length in (0..200_000).step_by(37) {
            let granted = (length * GROUP_DECODED_BYTES_PER_BYTE).clamp(DECODED_BYTES_MIN, DECODED_BYTES_MAX);
            let needed = length + granted.min(length * densest / 3);
            for api in [ApiKey::JoinGroup, ApiKey::SyncGroup] {
                assert!(needed as u64 <= request_cost(api as i16, length), "{length}");
            }
        }
    }

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
