//! Kafka's bytes: frames, headers, messages, record batches. Pure: no I/O, no clock, no state between calls.
//!
//! A message is described once, in `messages/`, by the `api!` macro of `define.rs`; decoding and encoding follow
//! from the description. What is decoded is bounded by what was received ([`Reader`]); what is encoded is a
//! [`Chain`] that carries record payloads without copying them ([`Writer`]).

#[macro_use]
mod define;

mod api_key;
pub mod batch;
mod chain;
pub mod codec;
mod error;
mod error_code;
mod frame;
pub mod group_records;
mod header;
mod message;
pub mod messages;
mod pieces;
mod reader;
#[cfg(any(test, feature = "test-support"))]
pub mod sample;
mod wire;
mod writer;

pub use api_key::ApiKey;
pub use chain::Chain;
pub use error::DecodeError;
pub use error_code::ErrorCode;
pub use frame::{FrameError, LENGTH_BYTES, REQUEST_BYTES_MIN, RESPONSE_BYTES_MIN, frame_length};
pub use header::{RequestHeader, ResponseHeader};
pub use message::{Api, Message, Request, decode_response, encode_request, encode_response};
pub use pieces::Pieces;
pub use reader::{Reader, decode_allowance};
pub use wire::{Float64, VersionRange};
pub use writer::Writer;
