//! What a request takes in memory, as it is counted before the request is read.

use crate::base::limits::{DESCRIBE_CONFIGS_COST_PER_BYTE, REQUEST_COST_PER_BYTE};
use crate::protocol::ApiKey;

/// Memory for a request of `length` bytes that begins with `api_key`, until it is executed and its response encoded,
/// in bytes. Records stay views of a produce request.
pub fn request_cost(api_key: i16, length: usize) -> u64 {
    let length = length as u64;
    if api_key == ApiKey::Produce as i16 {
        length
    } else if api_key == ApiKey::DescribeConfigs as i16 {
        length * DESCRIBE_CONFIGS_COST_PER_BYTE
    } else {
        length * REQUEST_COST_PER_BYTE
    }
}
