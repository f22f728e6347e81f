//! Error codes as numbers. The generated bindings return them as Rust enums, for which a code that this librdkafka does
//! not know yet (a newer broker's) would be undefined behaviour. So the functions that return codes are declared here
//! once more, returning what C returns: an int.

use std::ffi::{c_char, c_int};

use rdkafka::bindings::{
    rd_kafka_ConfigEntry_t, rd_kafka_ConfigResource_t, rd_kafka_error_t, rd_kafka_event_t,
    rd_kafka_group_list, rd_kafka_t, rd_kafka_topic_result_t,
};
use rdkafka::types::RDKafkaRespErr;

use super::super::error::BrokerError;
use super::memory::text;

unsafe extern "C" {
    pub fn rd_kafka_event_error(event: *mut rd_kafka_event_t) -> c_int;
    pub fn rd_kafka_topic_result_error(result: *const rd_kafka_topic_result_t) -> c_int;
    pub fn rd_kafka_ConfigResource_error(resource: *const rd_kafka_ConfigResource_t) -> c_int;
    pub fn rd_kafka_ConfigEntry_source(entry: *const rd_kafka_ConfigEntry_t) -> c_int;
    pub fn rd_kafka_error_code(error: *const rd_kafka_error_t) -> c_int;
    pub fn rd_kafka_list_groups(
        client: *mut rd_kafka_t,
        group: *const c_char,
        list: *mut *const rd_kafka_group_list,
        timeout_ms: c_int,
    ) -> c_int;
    fn rd_kafka_err2name(code: c_int) -> *const c_char;
    fn rd_kafka_err2str(code: c_int) -> *const c_char;
}

/// A code's name as librdkafka has it, which nearly always is Kafka's: `INVALID_CONFIG`. Those of errors that it found
/// itself begin with `_`.
pub fn code_name(code: i32) -> String {
    // SAFETY: takes any number, and returns a string that lives as long as the thread's next call.
    unsafe { text(rd_kafka_err2name(code)) }
}

/// What a code means, in librdkafka's words.
pub fn code_meaning(code: i32) -> String {
    // SAFETY: as above.
    unsafe { text(rd_kafka_err2str(code)) }
}

/// A code, and the broker's words if there are any; `Ok` if the code says so.
///
/// # Safety
/// `message` is null or a string that ends with 0.
pub unsafe fn outcome(code: c_int, message: *const c_char) -> Result<(), BrokerError> {
    if code == 0 {
        return Ok(());
    }
    // SAFETY: as demanded.
    let message = if message.is_null() { code_meaning(code) } else { unsafe { text(message) } };
    // A code that is not known is told by its number and the broker's words.
    let known = RDKafkaRespErr::try_from(code).unwrap_or(RDKafkaRespErr::RD_KAFKA_RESP_ERR_UNKNOWN);
    Err(BrokerError { code: known.into(), name: code_name(code), message })
}
