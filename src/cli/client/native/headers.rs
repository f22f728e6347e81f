//! Headers of records that were read. The crate's own accessor panics at names that are not UTF-8, which any producer
//! may have written.

use std::ffi::CStr;
use std::{ptr, slice};

use rdkafka::bindings::{rd_kafka_header_get_all, rd_kafka_message_headers};
use rdkafka::message::BorrowedMessage;

/// Name and value of a header.
pub type Header<'a> = (&'a [u8], Option<&'a [u8]>);

/// A record's headers, in their order.
pub fn headers<'a>(message: &'a BorrowedMessage<'_>) -> Vec<Header<'a>> {
    let mut found = Vec::new();
    let mut list = ptr::null_mut();
    // SAFETY: the message is alive; the list, and what it points to, lives as long.
    unsafe {
        if rd_kafka_message_headers(message.ptr(), &mut list) as i32 != 0 {
            return found;
        }
        let (mut name, mut value, mut bytes) = (ptr::null(), ptr::null(), 0);
        while rd_kafka_header_get_all(list, found.len(), &mut name, &mut value, &mut bytes) as i32 == 0 {
            let value = (!value.is_null()).then(|| slice::from_raw_parts(value.cast::<u8>(), bytes));
            found.push((CStr::from_ptr(name).to_bytes(), value));
        }
    }
    found
}
