//! Kafka's bytes: frames, headers, messages, record batches. Pure: no I/O, no clock, no state between calls.

mod api_key;
mod chain;
mod error;
mod error_code;
mod frame;
mod reader;
mod writer;

pub use api_key::ApiKey;
pub use chain::Chain;
pub use error::DecodeError;
pub use error_code::ErrorCode;
pub use frame::{FrameError, LENGTH_BYTES, REQUEST_BYTES_MIN, RESPONSE_BYTES_MIN, frame_length};
pub use reader::{Reader, decode_allowance};
pub use writer::Writer;
