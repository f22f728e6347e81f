//! What a request takes in memory, as it is counted before the request is read.

use crate::base::limits::{REQUEST_COST_BYTES, REQUEST_COST_PER_BYTE};
use crate::protocol::ApiKey;

/// Memory for a request of `length` bytes that begins with `api_key`, until it is executed and its response encoded,
/// in bytes. Records stay views of a produce request.
pub fn request_cost(api_key: i16, length: usize) -> u64 {
    let length = length as u64;
    let is_produce = api_key == ApiKey::Produce as i16;
    REQUEST_COST_BYTES + if is_produce { length } else { length * REQUEST_COST_PER_BYTE }
}
