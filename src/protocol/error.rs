//! Why bytes are not the message that they claim to be.

use thiserror::Error;

use super::ApiKey;

/// Bytes from the network that are not a valid message. Kafka closes the connection on any of them.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum DecodeError {
    /// The message ends too early.
    #[error("{wanted} bytes wanted, {remaining} remain")]
    Truncated {
        /// Bytes that the next value needs.
        wanted: usize,
        /// Bytes that are left.
        remaining: usize,
    },
    /// A length that no value can have: below -1, or of a string beyond
    /// [`STRING_BYTES_MAX`](crate::base::limits::STRING_BYTES_MAX).
    #[error("invalid length {0}")]
    Length(i64),
    /// A null where this version allows none.
    #[error("null in a field that is not nullable")]
    Null,
    /// A string that is not UTF-8.
    #[error("string is not UTF-8")]
    Utf8,
    /// A variable-length integer that does not fit 32 bits.
    #[error("variable-length integer beyond 32 bits")]
    Varint,
    /// A tagged field whose value is shorter than the size that it announced.
    #[error("tagged field {tag} leaves {left} of its bytes unread")]
    TaggedField {
        /// The field's tag.
        tag: u32,
        /// Bytes that its value did not use.
        left: usize,
    },
    /// Decoded, the message would take more memory than [`decode_allowance`](super::decode_allowance) grants.
    #[error("message needs more than {allowance} bytes of memory")]
    Memory {
        /// Bytes that were granted.
        allowance: usize,
    },
    /// A version of the API that the codec does not know.
    #[error("{api:?} has no version {version}")]
    Version {
        /// The API.
        api: ApiKey,
        /// The version asked for.
        version: i16,
    },
    /// An API that this broker does not serve.
    #[error("API key {0} is not served")]
    ApiKey(i16),
    /// A version of a stored record's value that the codec does not know.
    #[error("a record's value has version {0}, which is not known")]
    RecordVersion(i16),
}
